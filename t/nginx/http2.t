# Answers over HTTP/2.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Http2;
use TokenAuth::Server;
use TokenAuth::Wire;
use JSON::PP;
use Test::More;

plan skip_all => 'curl has no HTTP/2' unless `curl --version` =~ /\bHTTP2\b/;

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/secret", "secret\n");
spew("$dir/body", 'x' x (1 << 20));

my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    client_max_body_size 32m;
    underscores_in_headers on;
    server {
        listen 127.0.0.1:%PORT% http2;
        root $dir/html;
        token_auth api;
        location /html/ { token_auth_error html; alias $dir/html/; }
        location = /echo { proxy_pass http://127.0.0.1:@{[ $ENV{TEST_NGINX_SERVER_PORT} ]}; }
        location = /fields { proxy_pass http://127.0.0.1:@{[ $ENV{TEST_NGINX_SERVER_PORT} ]}; }
        location = /lost { token_auth_db $dir/nowhere; }
        location = /scope { token_auth_scope agents:write; }
        location = /stale { token_auth_max_age 1s; alias $dir/html/secret; }
        location = /users { token_auth_kind user; }
        location = /devs { token_auth_group devs; }
        location = /admins { token_auth_role admin; }
    }
    server {
        listen 127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT};
        token_auth_forward off;
        location / { return 200 "\$request_method \$content_length\\n"; }
        location = /fields { return 200 "\$http_x_token_id \$http_x_token_org \$http_x_org_id \$http_authorization \$http_x_a\\n"; }
    }
END
my $base = 'http://127.0.0.1:' . $server->port;

# Calls curl; returns (head, body).
sub curl {
    my @arguments = @_;
    open my $in, '-|', 'curl', '-s', '-i', '--max-time', '10', '--http2-prior-knowledge', @arguments
        or die "curl: $!";
    my $text = do { local $/; <$in> } // '';
    close $in or die "curl failed with status " . ($? >> 8);
    return split /\r\n\r\n/, $text, 2;
}

sleep 2;    # until the last sync is out of date for /stale
my $bearer = 'Authorization: Bearer';
my @cases = (
    [ 401, 'credentials_missing',  '', '/secret' ],
    [ 400, 'request_malformed',    'invalid_request', '/secret', '-H', 'Authorization: Token' ],
    [ 401, 'token_malformed',      'invalid_token', '/secret', '-H', "$bearer a,b" ],
    [ 401, 'token_unknown',        'invalid_token', '/secret', '-H', "$bearer nobody-token" ],
    [ 401, 'token_expired',        'invalid_token', '/secret', '-H', "$bearer expired-token" ],
    [ 403, 'address_not_allowed',  'insufficient_scope', '/secret', '-H', "$bearer elsewhere-token" ],
    [ 401, 'organization_missing', 'invalid_token', '/secret', '-H', "$bearer bob-token" ],
    [ 400, 'organization_malformed', 'invalid_request', '/secret', '-H', "$bearer bob-token", '-H', 'X-Org-Id: a b' ],
    [ 403, 'scope_missing',        'insufficient_scope', '/scope', '-H', "$bearer acme-reader-token" ],
    [ 503, 'store_unavailable',    undef, '/lost', '-H', "$bearer acme-token" ],
    [ 503, 'store_stale',          undef, '/stale', '-H', "$bearer acme-token" ],
    [ 401, 'token_revoked',        'invalid_token', '/secret', '-H', "$bearer revoked-token" ],
    [ 401, 'token_revoked',        'invalid_token', '/secret', '-H', "$bearer carol-token" ],
    [ 401, 'token_not_yet_valid',  'invalid_token', '/secret', '-H', "$bearer future-token" ],
    [ 403, 'kind_not_allowed',     'insufficient_scope', '/users', '-H', "$bearer acme-token" ],
    [ 403, 'organization_mismatch', 'insufficient_scope', '/secret', '-H', "$bearer acme-token", '-H', 'X-Org-Id: globex' ],
    [ 403, 'not_a_member',         'insufficient_scope', '/secret', '-H', "$bearer bob-token", '-H', 'X-Org-Id: globex' ],
    [ 403, 'organization_suspended', 'insufficient_scope', '/secret', '-H', "$bearer hooli-token" ],
    [ 403, 'group_missing',        'insufficient_scope', '/devs', '-H', "$bearer acme-ops-token" ],
    [ 403, 'role_missing',         'insufficient_scope', '/admins', '-H', "$bearer acme-devs-token" ],
);
for my $case (@cases) {
    my ($status, $code, $error, $path, @arguments) = @$case;
    my ($head, $body) = curl(@arguments, "$base$path");
    my $problem = eval { decode_json($body) } // {};
    is "$problem->{status} $problem->{code}", "$status $code", "$code: the document";
    like $head, qr{\AHTTP/2 $status ?\r$}m, "$code: the status";
    is field("$head\r\n", 'content-type'), 'application/problem+json', "$code: its type";
    is field("$head\r\n", 'cache-control'), 'no-store', "$code: not stored";
    my @challenges = fields("$head\r\n", 'www-authenticate');
    if ($status == 503) {
        is_deeply [ @challenges, field("$head\r\n", 'retry-after') ], ['5'], "$code: retried, not challenged";
        next;
    }
    my $rest = ' realm="api"';
    $rest .= qq(, error="$error", error_description="$problem->{detail}") if $error ne '';
    $rest .= ', scope="agents:write"' if $code eq 'scope_missing';
    is_deeply \@challenges, [ "Bearer$rest", "Token$rest" ], "$code: both challenges, in order";
}

my ($head, $body) = curl('-H', "$bearer acme-token", "$base/secret");
is $body, "secret\n", 'let in';
unlike $head, qr/www-authenticate|cache-control/, 'with nothing of ours';

($head, $body) = curl('-I', "$base/secret");
like $head, qr{\AHTTP/2 401.*^content-length: 126\r$}ms, 'HEAD: the header of the document';
is $body // '', '', 'HEAD: no body';

($head, $body) = curl("$base/html/secret");
like $body, qr/401 Authorization Required/, 'in html';

($head, $body) = curl('-H', "$bearer acme-token", '--data-binary', "\@$dir/body", "$base/echo");
is $body, "POST 1048576\n", 'POST with a body, let in';

# A denied POST whose body is not complete. curl cannot show it: nginx ends such a stream with the whole
# answer and RST_STREAM(NO_ERROR) (RFC 9113, section 8.1), and curl 7.88 then drops the answer. So this
# reads the frames.
{
    my $socket = $server->connect;
    print $socket preface();
    print $socket headers_frame(1, 0, 'POST', '/echo', 'content-length' => 1000);
    my ($document, $ending) = stream($socket, 1);
    is eval { decode_json($document)->{code} }, 'credentials_missing', 'the answer does not wait for the body';
    is $ending, 'reset with 0', 'and what follows is no error';
    print $socket frame(0, 1, 1, 'x' x 1000);    # END_STREAM
    print $socket headers_frame(3, 1, 'GET', '/secret', authorization => 'Bearer acme-token');
    is_deeply [ stream($socket, 3) ], [ "secret\n", 'ended' ], 'the body is passed over, the connection goes on';
    print $socket headers_frame(5, 0, 'POST', '/echo', authorization => 'Bearer elsewhere-token'),
        frame(0, 1, 5, 'x' x 1000);
    ($document) = stream($socket, 5);
    is eval { decode_json($document)->{code} }, 'address_not_allowed', 'a body that comes along';
}

# Several Authorization fields: refused, by nginx or by the module.
($head, $body) = curl('-H', "$bearer acme-token", '-H', "$bearer acme-token", "$base/secret");
like $head, qr{\AHTTP/2 400}, 'two Authorization fields';

# Forwarding.
(undef, $body) = curl('-H', "$bearer acme-token", '-H', 'X-A: a', '-H', 'X-Token-Org: evil', '-H', 'X_Token_Id: evil', "$base/fields");
is $body, "acme acme acme  a\n", 'the upstream gets the identity';

unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
