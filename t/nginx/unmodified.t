# With the module loaded and not used, answers are byte for byte those of nginx without it.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Wire;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
mkdir "$dir/html" and mkdir "$dir/html/d" or die "html: $!";

sub write_file {
    my ($path, $content) = @_;
    spew($path, $content);
    utime 1_700_000_000, 1_700_000_000, $path;
    return;
}

write_file("$dir/html/secret", "secret\n" x 100);
write_file("$dir/html/page.html", '<!--# include virtual="/secret" -->');
write_file("$dir/html/404.html", "not here\n");
write_file("$dir/html/page", "page\n");
write_file("$dir/html/ssi", '<!--# include virtual="/401" --><!--# include virtual="/nothing" --><!--# include virtual="/proxied" -->');
write_file("$dir/html/index.html", "index\n");
write_file("$dir/html/large", join '', map { "line $_ of a larger file\n" } 1 .. 20_000);
write_file("$dir/html/d/one", "one\n");
write_file("$dir/users", "acme:{PLAIN}acme\n");
utime 1_700_000_000, 1_700_000_000, "$dir/html/d";

my @nginx;
END { local $?; kill 'TERM', @nginx and waitpid $_, 0 for @nginx; }

# Starts nginx; its port.
sub start {
    my ($name, $main, $http) = @_;
    my ($port, $inner, $h2) = map { free_port() } 1 .. 3;
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join ' ', map { "${_}_temp_path $dir/temp;" } qw(client_body proxy fastcgi uwsgi scgi);
    write_file("$dir/$name.conf", <<"END");
$main
$user
daemon off;
pid $dir/$name.pid;
events {}
http {
    access_log off;
    $temp
    $http
    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$h2 http2;
        root $dir/html;
        error_page 404 /404.html;
        location /plain/ { alias $dir/html/; }
        location = /basic { auth_basic users; auth_basic_user_file $dir/users; alias $dir/html/secret; }
        location = /forbidden { deny all; }
        location = /any { satisfy any; deny all; auth_basic users; auth_basic_user_file $dir/users; alias $dir/html/secret; }
        location = /401 { return 401; }
        location = /page.html { ssi on; ssi_last_modified on; }
        location = /inner { return 503 "busy"; }
        location = /proxied { proxy_pass http://127.0.0.1:$inner/secret; }
        location = /accel { proxy_pass http://127.0.0.1:$inner/accel; }
        location = /challenged { proxy_pass http://127.0.0.1:$inner/challenged; }
        location = /request { auth_request /401; }
        location = /allowed { auth_request /204; alias $dir/html/secret; }
        location = /204 { return 204; }
        location = /moved { return 302 /secret; }
        location = /text { default_type text/plain; return 200 "text\n"; add_header X-Text yes; }
        location /rewritten { rewrite ^/rewritten/(.*)\$ /\$1 last; rewrite ^ /secret redirect; }
        location /inside/ { rewrite ^/inside/(.*)\$ /\$1 break; }
        location = /if { if (\$arg_x) { return 418; } return 403; }
        location = /try { try_files /nothing /d/none \@named; }
        location \@named { return 200 "named\n"; }
        location = /fallen { try_files /nothing =410; }
        location /list/ { alias $dir/html/d/; autoindex on; }
        location /json/ { alias $dir/html/d/; autoindex on; autoindex_format json; }
        location = /gzip { gzip on; gzip_types *; alias $dir/html/large; }
        location = /gzip/proxied { gzip on; gzip_types *; gzip_proxied any; proxy_pass http://127.0.0.1:$inner/large; }
        location = /limited { limit_except GET { deny all; } alias $dir/html/secret; }
        location = /own { error_page 403 = /text; deny all; }
        location = /own/page { error_page 403 /404.html; deny all; }
        location = /own/named { error_page 403 = \@named; deny all; }
        location = /own/401 { error_page 401 /404.html; auth_basic users; auth_basic_user_file $dir/users; }
        location = /internal { internal; }
        location = /mirrored { mirror /401; alias $dir/html/secret; }
        location = /added { add_before_body /secret; add_after_body /text; default_type text/html; alias $dir/html/page; }
        location = /sub { sub_filter secret public; sub_filter_once off; sub_filter_types *; alias $dir/html/secret; }
        location = /small { client_max_body_size 10; proxy_pass http://127.0.0.1:$inner/echo; }
        location = /echo { proxy_pass http://127.0.0.1:$inner/echo; }
        location = /http11 { proxy_http_version 1.1; proxy_buffering off; proxy_pass http://127.0.0.1:$inner/page.html; }
        location = /down { proxy_pass http://127.0.0.1:1; }
        location = /intercepted { proxy_intercept_errors on; proxy_pass http://127.0.0.1:$inner/none; }
        location = /ssi/all { ssi on; ssi_types *; alias $dir/html/ssi; }
        location = /expires { expires epoch; etag off; add_header Cache-Control public; alias $dir/html/secret; add_header Expires x; }
    }
    server {
        listen 127.0.0.1:$inner;
        root $dir/html;
        location = /echo { add_header X-Body \$content_length; return 200 "\$request_method \$http_authorization \$http_x_org_id\n"; }
        location = /page.html { ssi on; }
        location = /accel { add_header X-Accel-Redirect /secret; return 200; }
        location = /challenged { add_header WWW-Authenticate 'Bearer realm="up"' always; return 401 "up"; }
    }
}
END
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>>', "$dir/$name.log";
        exec $ENV{TEST_NGINX_BINARY}, '-p', $dir, '-c', "$dir/$name.conf", '-e', "$dir/$name.log" or exit 127;
    }
    push @nginx, $pid;
    for (1 .. 200) {
        return [ $port, $h2 ] if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
        sleep 0.02;
    }
    die "nginx did not start:\n" . `cat $dir/$name.log`;
}

plan skip_all => 'this nginx has the module built in' if $ENV{TEST_NGINX_LOAD_MODULES} eq '';
my $load = load_modules();
my $store = store_dir();
my $without = start('without', '', '');
my %with = (
    loaded => start('loaded', $load, ''),
    off => start('off', $load, "token_auth_db $store; token_auth off; token_auth_scope x; token_auth_error problem;"),
    'realm off' => start('realm-off', $load, "token_auth_db $store; token_auth \$realm; map \$host \$realm { default off; }"),
);

my @basic = (Authorization => 'Basic YWNtZTphY21l');
my @requests = (
    [ 200, 'GET',  '/secret' ],
    [ 200, 'HEAD', '/secret' ],
    [ 200, 'GET',  '/secret', Authorization => 'Bearer acme-token', 'X-Org-Id' => 'globex' ],
    [ 200, 'GET',  '/secret', Authorization => 'Bearer' ],
    [ 404, 'GET',  '/nothing' ],
    [ 404, 'HEAD', '/nothing' ],
    [ 404, 'GET',  '/plain/nothing' ],
    [ 304, 'GET',  '/secret', 'If-Modified-Since' => 'Tue, 14 Nov 2023 22:13:20 GMT' ],
    [ 206, 'GET',  '/secret', Range => 'bytes=3-12' ],
    [ 416, 'GET',  '/secret', Range => 'bytes=99999-' ],
    [ 412, 'GET',  '/secret', 'If-Match' => '"x"' ],
    [ 401, 'GET',  '/basic' ],
    [ 401, 'HEAD', '/basic' ],
    [ 401, 'GET',  '/basic', Authorization => 'Bearer acme-token' ],
    [ 200, 'GET',  '/basic', @basic ],
    [ 403, 'GET',  '/forbidden' ],
    [ 401, 'GET',  '/any' ],
    [ 401, 'GET',  '/401' ],
    [ 401, 'GET',  '/request' ],
    [ 405, 'POST', '/secret', body => 'x' ],
    [ 405, 'PUT',  '/secret', chunked => ['x'] ],
    [ 405, 'POST', '/plain/secret', body => '' ],
    [ 503, 'GET',  '/inner' ],
    [ 200, 'GET',  '/page.html' ],
    [ 200, 'GET',  '/proxied', Authorization => 'Bearer acme-token' ],
    [ 200, 'GET',  '/accel' ],
    [ 401, 'GET',  '/challenged' ],
    [ 301, 'GET',  '/d' ],
    [ 400, 'GET',  '/secret', 'Content-Length' => 'x' ],
    [ 200, 'GET',  '/' ],
    [ 206, 'GET',  '/secret', Range => 'bytes=0-3,8-9,-2' ],
    [ 206, 'HEAD', '/secret', Range => 'bytes=3-12' ],
    [ 304, 'GET',  '/secret', 'If-None-Match' => '*' ],
    [ 200, 'GET',  '/large' ],
    [ 206, 'GET',  '/large', Range => 'bytes=100000-300000' ],
    [ 405, 'OPTIONS', '/secret' ],
    [ 405, 'TRACE',   '/secret' ],
    [ 405, 'DELETE',  '/secret', body => 'x' ],
    [ 200, 'GET',  '/any', @basic ],
    [ 401, 'HEAD', '/any' ],
    [ 401, 'POST', '/any', body => 'x' x 5000 ],
    [ 403, 'HEAD', '/forbidden' ],
    [ 403, 'POST', '/forbidden', chunked => [ 'x' x 1000, 'y' ] ],
    [ 200, 'GET',  '/allowed' ],
    [ 401, 'HEAD', '/request' ],
    [ 204, 'GET',  '/204' ],
    [ 302, 'GET',  '/moved' ],
    [ 302, 'HEAD', '/moved' ],
    [ 200, 'GET',  '/text' ],
    [ 200, 'POST', '/text', body => 'x' ],
    [ 200, 'GET',  '/rewritten/secret' ],
    [ 302, 'GET',  '/rewritten' ],
    [ 200, 'GET',  '/inside/secret' ],
    [ 404, 'GET',  '/inside/none' ],
    [ 403, 'GET',  '/if' ],
    [ 418, 'GET',  '/if?x=1' ],
    [ 200, 'GET',  '/try' ],
    [ 410, 'GET',  '/fallen' ],
    [ 200, 'GET',  '/list/' ],
    [ 200, 'GET',  '/json/' ],
    [ 403, 'GET',  '/d/' ],
    [ 200, 'GET',  '/gzip', 'Accept-Encoding' => 'gzip' ],
    [ 200, 'GET',  '/gzip/proxied', 'Accept-Encoding' => 'gzip', Authorization => 'Token x' ],
    [ 200, 'GET',  '/limited' ],
    [ 403, 'POST', '/limited', body => 'x' ],
    [ 200, 'GET',  '/own' ],
    [ 403, 'GET',  '/own/page' ],
    [ 200, 'GET',  '/own/named' ],
    [ 401, 'GET',  '/own/401' ],
    [ 404, 'GET',  '/internal' ],
    [ 200, 'GET',  '/mirrored' ],
    [ 200, 'GET',  '/added' ],
    [ 200, 'GET',  '/sub' ],
    [ 413, 'POST', '/small', body => 'x' x 100 ],
    [ 413, 'POST', '/small', chunked => [ 'x' x 100 ] ],
    [ 200, 'POST', '/echo', body => 'x' x 100_000, Authorization => 'Bearer acme-token', 'X-Org-Id' => 'acme' ],
    [ 200, 'PUT',  '/echo', chunked => [ 'x' x 100, 'y' x 10_000 ], 'X_Org_Id' => 'a', 'X.Token.Id' => 'b' ],
    [ 200, 'GET',  '/http11' ],
    [ 502, 'GET',  '/down' ],
    [ 404, 'GET',  '/intercepted' ],
    [ 200, 'GET',  '/ssi/all' ],
    [ 200, 'GET',  '/expires' ],
    [ 414, 'GET',  '/' . 'x' x 40_000 ],
    [ 400, 'GET',  '/secret', 'X-Large' => 'x' x 40_000 ],
    [ 400, 'GET',  '/secret', Host => 'a', 'X-Host' => 'b' ],
);

# The answer without its time and ports.
sub plain {
    my ($text, $ports) = @_;
    my $any = join '|', @$ports;
    $text =~ s/^(date): [^\r]*/$1: now/mgi;
    $text =~ s/(?:127\.0\.0\.1|localhost):(?:$any)/here/g;
    return $text;
}

# The answers to a request and to another one behind it on the same connection.
sub answer {
    my ($ports, $method, @request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ports->[0], Timeout => 5) or die "connect: $!";
    local $SIG{PIPE} = 'IGNORE';    # it may have answered already
    print $socket request($method, @request), request('GET', '/404.html', Connection => 'close');
    my $text = do { local $/; <$socket> } // '';
    return plain($text, $ports);
}

# The same over HTTP/2, for requests that curl can make.
sub h2_answer {
    my ($ports, $method, $path, @fields) = @_;
    my @arguments = $method eq 'HEAD' ? '--head' : ('-X', $method);
    while (my ($name, $value) = splice @fields, 0, 2) {
        push @arguments, $name eq 'body' ? ('--data-binary', $value)
            : $name eq 'chunked' ? ('--data-binary', join '', @$value) : ('-H', "$name: $value");
    }
    open my $in, '-|', 'curl', '-s', '-i', '--max-time', '10', '--http2-prior-knowledge', @arguments,
        "http://127.0.0.1:$ports->[1]$path"
        or die "curl: $!";
    my $text = do { local $/; <$in> } // '';
    close $in;
    return plain($text, $ports);
}

my $has_h2 = `curl --version` =~ /\bHTTP2\b/;
for my $case (@requests) {
    my ($status, @request) = @$case;
    my $name = substr "$request[0] $request[1]", 0, 40;
    my $expected = answer($without, @request);
    like $expected, qr/\AHTTP\/1\.1 $status /, "$name: $status";
    is answer($with{$_}, @request), $expected, "$name: $_" for sort keys %with;
    # a body that nginx does not want ends the stream at once, for curl to notice or not
    my $unread = $request[1] ne '/echo' && grep { /\A(?:body|chunked)\z/ } @request;
    next if !$has_h2 || $unread || length $request[1] > 1000 || grep { /\A(?:Content-Length|Host|X-Large)\z/ } @request;
    $expected = h2_answer($without, @request);
    like $expected, qr/\AHTTP\/2 $status /, "$name over HTTP/2: $status";
    is h2_answer($with{$_}, @request), $expected, "$name over HTTP/2: $_" for sort keys %with;
}

# Requests that are not HTTP/1.1.
for my $raw ("GET /secret\r\n", "GET /secret HTTP/1.0\r\n\r\n", "GET /secret HTTP/1.0\r\nAuthorization: Bearer x\r\n\r\n",
    "BAD\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx") {
    my $ask = sub {
        my ($ports) = @_;
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ports->[0], Timeout => 5) or die "connect: $!";
        print $socket $raw;
        local $/;
        return plain(<$socket> // '', $ports);
    };
    my $expected = $ask->($without);
    cmp_ok length $expected, '>', 0, 'an answer to ' . ($raw =~ s/\r\n/ | /gr);
    is $ask->($with{$_}), $expected, $_ for sort keys %with;
}

done_testing;
