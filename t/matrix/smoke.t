# The module in any nginx it was built for: every answer, the variables and other modules' directives,
# with a master process, without one, and with reads in threads. Nothing here needs nginx's rewrite
# module or regular expressions.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Wire;
use Test::More;

my $version = `$ENV{TEST_NGINX_BINARY} -V 2>&1`;
my $dir = gateway_dir();
my $store = store_dir();
spew("$dir/users", "acme:{PLAIN}acme\n");

sub http {
    my ($place, $more) = @_;
    return <<"END";
    $more
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        root $place;
        token_auth "the \\"api\\"";
        add_header X-Result \$token_auth_result;
        add_header X-Id \$token_auth_id;
        add_header X-Scopes \$token_auth_scopes;
        location = /open { token_auth off; alias $place/secret; }
        location = /anonymous { token_auth_anonymous on; alias $place/secret; }
        location = /html { token_auth_error html; alias $place/secret; }
        location = /read { token_auth_scope agents:read; alias $place/secret; }
        location = /write { token_auth_scope agents:write sites:write; alias $place/secret; }
        location = /devs { token_auth_group devs; alias $place/secret; }
        location = /admins { token_auth_role admin; alias $place/secret; }
        location = /people { token_auth_kind user; alias $place/secret; }
        location = /gone { token_auth_db $place/none; alias $place/secret; }
        location = /any { satisfy any; auth_basic users; auth_basic_user_file $dir/users; alias $place/secret; }
        location = /up { proxy_pass http://127.0.0.1:%PORT%/seen; }
        location = /seen { token_auth off; token_auth_forward off; add_header X-Seen "\$http_x_token_id \$http_authorization"; alias $place/secret; }
    }
END
}

my @cases = (
    # path, token or field, further fields, status, code
    [ '/secret', undef, [], 401, 'credentials_missing' ],
    [ '/secret', 'acme', [], 200, 'ok' ],
    [ '/secret', \'Token token="acme-token"', [], 200, 'ok' ],
    [ '/secret', \'Bearer', [], 400, 'request_malformed' ],
    [ '/secret', \'Bearer a b', [], 401, 'token_malformed' ],
    [ '/secret', 'nobody', [], 401, 'token_unknown' ],
    [ '/secret', 'revoked', [], 401, 'token_revoked' ],
    [ '/secret', 'future', [], 401, 'token_not_yet_valid' ],
    [ '/secret', 'expired', [], 401, 'token_expired' ],
    [ '/secret', 'loopback', [], 200, 'ok' ],
    [ '/secret', 'elsewhere', [], 403, 'address_not_allowed' ],
    [ '/people', 'acme', [], 403, 'kind_not_allowed' ],
    [ '/secret', 'alice', [], 401, 'organization_missing' ],
    [ '/secret', 'alice', [ 'X-Org-Id' => 'a/b' ], 400, 'organization_malformed' ],
    [ '/secret', 'alice', [ 'X-Org-Id' => 'acme' ], 200, 'ok' ],
    [ '/secret', 'acme', [ 'X-Org-Id' => 'globex' ], 403, 'organization_mismatch' ],
    [ '/secret', 'bob', [ 'X-Org-Id' => 'globex' ], 403, 'not_a_member' ],
    [ '/secret', 'hooli', [], 403, 'organization_suspended' ],
    [ '/devs', 'acme-devs', [], 200, 'ok' ],
    [ '/devs', 'acme-ops', [], 403, 'group_missing' ],
    [ '/admins', 'acme-admin', [], 200, 'ok' ],
    [ '/admins', 'acme-reader', [], 403, 'role_missing' ],
    [ '/read', 'acme-reader', [], 200, 'ok' ],
    [ '/write', 'acme-reader', [], 403, 'scope_missing' ],
    [ '/gone', 'acme', [], 503, 'store_unavailable' ],
    [ '/anonymous', undef, [], 200, 'anonymous' ],
    [ '/anonymous', 'nobody', [], 401, 'token_unknown' ],
    [ '/open', 'nobody', [], 200, '' ],
);

sub fields_of {
    my ($token) = @_;
    return defined $token ? (Authorization => ref $token ? $$token : "Bearer $token-token") : ();
}

sub check_answers {
    my ($server) = @_;
    my $socket = $server->connect;    # one for all: it stays open
    for my $case (@cases) {
        my ($path, $token, $more, $status, $code) = @$case;
        for my $method (qw(GET HEAD)) {
            my $name = join ' ', $method, $path, ref $token ? $$token : $token // '-', @$more;
            my ($got, $head, $body) = exchange($socket, $method, $path, fields_of($token), @$more);
            is $got, $status, "$name: $status";
            my @challenges = fields($head, 'WWW-Authenticate');
            if ($status < 400) {
                is field($head, 'X-Result') // '', $code, 'the result';
                is $body, $method eq 'HEAD' ? '' : "secret\n", 'and the file';
                is scalar(@challenges), 0, 'without a challenge';
                next;
            }
            is field($head, 'Content-Type'), 'application/problem+json', 'a problem document';
            like $body, qr/"status":$status,.*"code":"$code"/, 'with the code' if $method eq 'GET';
            is scalar(@challenges), $status == 503 ? 0 : 2, 'challenges';
            like $challenges[0], qr/\ABearer realm="the \\"api\\""/, 'Bearer first' if @challenges;
        }
    }
    my ($status, $head, $body) = exchange($socket, 'GET', '/html', fields_of('expired'));
    is $status, 401, 'html: 401';
    like $body, qr/<html>/, "nginx's own page";
    ($status, $head) = exchange($socket, 'GET', '/secret', fields_of('acme-reader'));
    is field($head, 'X-Id'), 'acme-reader', 'the id';
    is field($head, 'X-Scopes'), 'agents:read', 'the scopes';
    ($status, $head) = exchange($socket, 'GET', '/up', fields_of('acme'), 'X-Token-Id' => 'forged');
    is $status, 200, 'proxied';
    is field($head, 'X-Seen'), 'acme', 'what the upstream is told';
    is((exchange($socket, 'GET', '/any', Authorization => 'Basic YWNtZTphY21l'))[0], 200, 'satisfy any: the other one');
    is((exchange($socket, 'GET', '/any', fields_of('nobody')))[0], 401, 'and none');
    is((exchange($socket, 'GET', '/any', fields_of('acme')))[0], 200, 'and a token');
    is((exchange($socket, 'POST', '/secret', body => 'x' x 100, fields_of('nobody')))[0], 401, 'a body is read off');
    is((exchange($socket, 'GET', '/secret', fields_of('acme')))[0], 200, 'and the connection goes on');
    return;
}

my @modes = ([ 'master', '', '' ], [ 'single', 'master_process off;', '' ]);
push @modes, [ 'threads', 'thread_pool default threads=4;', 'aio threads; sendfile off; output_buffers 2 4k;' ]
    if $version =~ /--with-threads/;
for my $mode (@modes) {
    my ($name, $main, $more) = @$mode;
    my $place = "$dir/$name";
    mkdir $place or die "$place: $!";
    spew("$place/secret", "secret\n");
    my $server = TokenAuth::Server->start(dir => $place, user => 'root', main => $main, http => http($place, $more));
    subtest $name => sub { check_answers($server) };
    subtest "$name, after a reload" => sub {
        $server->reload;
        sleep 1;
        check_answers($server);
    } if $name eq 'master';
    $server->stop;
    unlike $server->errors, qr/\[(?:alert|emerg|crit)\]|exited on signal/, "$name: no alert";
}
done_testing;
