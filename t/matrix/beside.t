# The module beside others that work in the same phases: lua, njs, headers-more, echo, nchan.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Http2;
use TokenAuth::Server;
use TokenAuth::Wire;
use IO::Socket::UNIX;
use Test::More;

my $root = $ENV{TEST_NGINX_BESIDE} or plan skip_all => 'scripts/matrix beside runs this';
my @modules = map { glob "$root/usr/lib/nginx/modules/$_.so" }
    qw(ndk_http_module ngx_http_lua_module ngx_http_js_module ngx_http_headers_more_filter_module ngx_http_echo_module
    ngx_nchan_module);
is scalar(@modules), 6, 'all of them are there' or BAIL_OUT('Debian packages them otherwise');
$ENV{LD_LIBRARY_PATH} = join ':', glob("$root/usr/lib/*-linux-gnu"), glob("$root/lib/*-linux-gnu");

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
open my $js, '>', "$dir/t.js" or die "t.js: $!";
print $js "function id(r) { return r.variables.token_auth_id || '-'; }\n",
    "function answer(r) { r.return(200, 'js:' + r.variables.token_auth_id + '\\n'); }\n",
    "function wait(r) { setTimeout(() => r.return(200, 'js\\n'), 60000); }\nexport default { id, answer, wait };\n";
close $js or die "t.js: $!";
my $store = store_dir();
my $http = <<"END";
    lua_package_path "$root/usr/share/lua/5.1/?.lua;;";
    js_path $dir;
    js_import t from t.js;
    js_set \$js_id t.id;
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        listen unix:$dir/h2.sock http2;
        token_auth api;
        token_auth_recheck 200ms;
        more_set_headers "X-More: \$token_auth_id";
        more_clear_headers Server;
        location = /echo { echo "echo:\$token_auth_id"; }
        location = /echo/sub { echo_location /echo; }
        location = /lua { content_by_lua_block { ngx.say("lua:", ngx.var.token_auth_id, ":", ngx.var.token_auth_result) } }
        location = /lua/access {
            access_by_lua_block { if ngx.var.token_auth_result ~= "ok" then return ngx.exit(500) end }
            content_by_lua_block { ngx.say("ok") }
        }
        location = /lua/any {
            satisfy any;
            access_by_lua_block { if ngx.var.arg_let == "in" then return end return ngx.exit(403) }
            content_by_lua_block { ngx.say("in") }
        }
        location = /lua/header {
            header_filter_by_lua_block { ngx.header["X-Lua"] = ngx.var.token_auth_result }
            echo header;
        }
        location = /lua/fields {
            content_by_lua_block { local h = ngx.req.get_headers(); ngx.say(h["x-token-id"], ":", h["x-token-org"], ":", h["authorization"]) }
        }
        location = /lua/any-proxied {
            satisfy any;
            access_by_lua_block { if ngx.var.arg_let == "in" then return end return ngx.exit(403) }
            proxy_pass http://127.0.0.1:%PORT%/seen;
        }
        location = /more/fields {
            more_set_input_headers "User-Agent: mine" "Cookie: a=b" "X-Org-Id: acme";
            proxy_pass http://127.0.0.1:%PORT%/seen;
        }
        location = /seen {
            token_auth off;
            token_auth_forward off;
            echo "\$http_user_agent:\$http_cookie:\$http_x_org_id:\$http_x_token_id:\$http_authorization";
        }
        location = /waits/echo { echo_sleep 60; echo late; }
        location = /waits/lua { content_by_lua_block { ngx.sleep(60) ngx.say("late") } }
        location = /waits/js { js_content t.wait; }
        location = /waits/nchan { nchan_subscriber longpoll; nchan_channel_id x; }
        location = /js { js_content t.answer; }
        location = /js/set { echo "set:\$js_id"; }
    }
END

# In either order: those of the list first, then last.
for my $order ([ @modules, load_path() ], [ load_path(), @modules ]) {
    local $ENV{TEST_NGINX_LOAD_MODULES} = "@$order";
    my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => $http);
    my $socket = $server->connect;
    for (
        [ '/echo', 'echo:acme' ], [ '/echo/sub', 'echo:acme' ], [ '/lua', 'lua:acme:ok' ], [ '/lua/access', 'ok' ],
        [ '/lua/any', 'in' ], [ '/js', 'js:acme' ], [ '/js/set', 'set:acme' ], [ '/lua/header', 'header' ],
    ) {
        my ($path, $expected) = @$_;
        my ($status, $head, $body) = exchange($socket, 'GET', $path, Authorization => 'Bearer acme-token');
        is $status, 200, "$path: let in";
        is $body, "$expected\n", 'and served';
        is field($head, 'X-More'), 'acme', 'headers-more sees the token';
        is field($head, 'X-Lua'), $path eq '/lua/header' ? 'ok' : undef, 'and lua its result';
        is_deeply [ fields($head, 'WWW-Authenticate') ], [], 'without a challenge';
        ($status, $head, $body) = exchange($socket, 'GET', $path, Authorization => 'Bearer expired-token');
        is $status, 401, "$path: refused";
        is_deeply [ map { /\A(\w+)/ } fields($head, 'WWW-Authenticate') ], [qw(Bearer Token)], 'with challenges';
        like $body, qr/"code":"token_expired"/, 'and a problem document';
    }
    is((exchange($socket, 'GET', '/lua/any?let=in'))[0], 200, 'lua lets in what the module does not');
    my @sent = ('X-Token-Org' => 'evil', 'User-Agent' => 'x', Cookie => 'c=d', Authorization => 'Bearer acme-token');
    is((exchange($socket, 'GET', '/lua/fields', @sent))[2], "acme:acme:nil\n", 'lua sees the fields that are forwarded');
    is((exchange($socket, 'GET', '/more/fields', @sent))[2], "mine:a=b:acme:acme:\n", 'headers-more changes the fields that go upstream');
    for my $token (qw(acme expired)) {
        my $got = (exchange($socket, 'GET', '/lua/any-proxied?let=in', @sent[ 0 .. 5 ], Authorization => "Bearer $token-token"))[2];
        like $got, qr/\Ax:c=d:(?::|acme:acme):\n\z/, 'no credential goes upstream, whoever lets in';
    }
    streams_end($server);
    $server->stop;
    unlike $server->errors, qr/\[(?:alert|emerg|crit)\]|exited on signal/, 'no alert';
    unlink $server->{log};
}

# Whatever a handler waits for, its request ends with its token.
sub streams_end {
    my ($running) = @_;
    my @who = (Authorization => 'Bearer waiting-token');
    import_lines(token_line('waiting', 'organization', organization => 'acme'));
    tokensync('run');
    my %open;
    for my $path (map { "/waits/$_" } qw(echo lua js nchan)) {
        print { $open{$path} = $running->connect } request('GET', $path, @who);
        $open{"$path, HTTP/2"} = IO::Socket::UNIX->new("$dir/h2.sock") or die "h2.sock: $!";
        print { $open{"$path, HTTP/2"} } preface(), headers_frame(1, 1, 'GET', $path, map { lcfirst } @who);
    }
    is((exchange($running->connect, 'GET', '/js', @who))[0], 200, 'let in');
    tokenctl('revoke', 'waiting');
    tokensync('run');
    for my $name (sort keys %open) {
        my $ended = $name =~ /HTTP/ ? (stream($open{$name}, 1))[1] : (response($open{$name}))[0];
        is $ended, $name =~ /HTTP/ ? 'reset with 2' : 0, "$name: a stream ends";
    }
    return;
}

sub load_path { return (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[0] }

done_testing;
