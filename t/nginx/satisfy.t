# "satisfy" with nginx's own access modules: both outcomes, and no trace of a denial on an answer that
# another module lets through.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

# acme:acme
my $users = gateway_dir() . '/users';
spew($users, "acme:{PLAIN}acme\n");

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DB;
auth_basic_user_file $TEST_NGINX_DIR/users;
END

our $Basic = 'Authorization: Basic YWNtZTphY21l';
our $BadBasic = 'Authorization: Basic eDp4';
our $Token = 'Authorization: Bearer acme-token';
our $BadToken = 'Authorization: Bearer nobody-token';
our $Forbidden = "Authorization: Bearer alice-token\nX-Org-Id: hooli";

no_long_string();
run_tests();

__DATA__

=== TEST 1: any, with auth_basic: each of both credentials opens
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
auth_basic users;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[$::Token, $::Basic]
--- answer eval
['let in', 'let in']


=== TEST 2: any, with auth_basic: denied by both, all are challenged with
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
auth_basic users;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-A: 1', $::BadBasic, $::BadToken]
--- error_code eval
[401, 401, 401]
--- raw_response_headers_like eval
[map { 'Cache-Control: no-store\r\n' . CORE::join('', map { "WWW-Authenticate: $_\\r\\n" } @$_, 'Basic realm="users"') . '\z' }
    (['Bearer realm="api"', 'Token realm="api"']) x 2,
    [map { qq($_ realm="api", error="invalid_token", error_description="Token is invalid[.]") } qw(Bearer Token)]]
--- response_body eval
[map { TokenAuth::Answers::answer_body($_) } qw(credentials_missing credentials_missing token_unknown)]


=== TEST 3: all, with auth_basic: a token from a field of its own and a password
--- http_config eval: $::HttpConfig
--- config
satisfy all;
token_auth api token=$http_x_api_key;
auth_basic users;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
["X-Api-Key: acme-token\n$::Basic", "X-Api-Key: nobody-token\n$::Basic"]
--- answer eval
['let in', 'token_unknown']


=== TEST 4: all, with auth_basic: the token alone is not enough, and the challenge is auth_basic's
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$http_x_api_key;
auth_basic users;
--- more_headers
X-Api-Key: acme-token
--- error_code: 401
--- raw_response_headers_like: Connection: close\r\nWWW-Authenticate: Basic realm="users"\r\n\z
--- response_body_like: 401 Authorization Required


=== TEST 5: any, with an address that is allowed: nothing of ours is on the answer
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
allow 127.0.0.1;
deny all;
--- request eval
[('GET /secret') x 4, 'HEAD /secret']
--- more_headers eval
['X-A: 1', $::BadToken, $::Token, $::Forbidden, 'X-A: 1']
--- answer eval
[('let in') x 5]


=== TEST 6: any, with an address that is denied: the token decides
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
deny all;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
['X-A: 1', $::Token, $::BadToken, $::Forbidden]
--- answer eval
['credentials_missing', 'let in', 'token_unknown', 'organization_suspended']


=== TEST 7: all, with an address that is denied
--- http_config eval: $::HttpConfig
--- config
token_auth api;
deny all;
--- more_headers eval: $::Token
--- error_code: 403
--- raw_response_headers_unlike: WWW-Authenticate|no-store
--- response_body_like: 403 Forbidden


=== TEST 8: all, with an address that is allowed
--- http_config eval: $::HttpConfig
--- config
satisfy all;
token_auth api;
allow 127.0.0.1;
deny all;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[$::Token, 'X-A: 1']
--- answer eval
['let in', 'credentials_missing']


=== TEST 9: any, with auth_request that lets in
--- http_config eval: $::HttpConfig
--- config
satisfy any;
location = /secret { token_auth api; auth_request /auth; }
location = /auth { internal; return 204; }
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-A: 1', $::BadToken, $::Token]
--- answer eval
[('let in') x 3]


=== TEST 10: any, with auth_request that denies: the token decides
--- http_config eval: $::HttpConfig
--- config
satisfy any;
location = /secret { token_auth api; auth_request /auth; }
location = /auth { internal; return 403; }
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-A: 1', $::BadToken, $::Token]
--- answer eval
['credentials_missing', 'token_unknown', 'let in']


=== TEST 11: all, with auth_request in both outcomes
--- http_config eval: $::HttpConfig
--- config
location = /secret { token_auth api; auth_request /auth; }
location = /auth { internal; if ($arg_x) { return 403; } return 204; }
--- request eval
['GET /secret', 'GET /secret', 'GET /secret?x=1']
--- more_headers eval
[$::Token, 'X-A: 1', 'X-A: 1']
--- answer eval
['let in', 'credentials_missing', 'credentials_missing']


=== TEST 12: all, with auth_request that denies who has a token
--- http_config eval: $::HttpConfig
--- config
location = /secret { token_auth api; auth_request /auth; }
location = /auth { internal; return 403; }
--- more_headers eval: $::Token
--- error_code: 403
--- raw_response_headers_unlike: WWW-Authenticate|no-store
--- response_body_like: 403 Forbidden


=== TEST 13: any, let in by an address, and then an error of nginx's own
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
allow all;
--- request
GET /nothing
--- error_code: 404
--- raw_response_headers_unlike: WWW-Authenticate|no-store


=== TEST 14: any, let in by an address, and then try_files to a named location and to a file
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
allow all;
location /a { try_files /nothing @b; }
location @b { rewrite ^ /secret break; }
location /c { try_files /nothing /secret; }
location /d { try_files /nothing =404; }
--- request eval
['GET /a', 'GET /c', 'GET /d']
--- error_code eval
[200, 200, 404]
--- raw_response_headers_unlike eval
[('WWW-Authenticate|no-store') x 3]


=== TEST 15: any, let in by an address, and then proxied: an upstream's own challenge stays
--- http_config eval: $::HttpConfig
--- config
satisfy any;
allow all;
location = /outer { token_auth api; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; }
location = /inner { add_header WWW-Authenticate 'Basic realm="inner"' always; return 401 "inner\n"; }
--- request
GET /outer
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="inner"
--- raw_response_headers_unlike: Bearer|no-store
--- response_body
inner


=== TEST 16: any, and a store that is not there: nobody gets in by it, the others do not need it
--- http_config
auth_basic_user_file $TEST_NGINX_DIR/users;
--- config
satisfy any;
token_auth_db $TEST_NGINX_DIR/nowhere;
token_auth api;
auth_basic users;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[$::Basic, $::Token]
--- answer eval
['let in', 'store_unavailable']


=== TEST 17: any, a token that may not and a password that is missing
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
auth_basic users;
--- more_headers eval: $::Forbidden
--- error_code: 401
--- raw_response_headers_like: (?=.*Cache-Control: no-store\r\n)(?=.*WWW-Authenticate: Bearer realm="api", error="insufficient_scope").*WWW-Authenticate: Basic realm="users"
--- response_body_unlike: secret


=== TEST 18: any, and what the log says of who let in
--- http_config eval: $::HttpConfig
--- config
satisfy any;
token_auth api;
auth_basic users;
add_header X-Result "$token_auth_result,$token_auth_id,$remote_user" always;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[$::Basic, $::Token]
--- response_headers eval
["X-Result: credentials_missing,,acme", "X-Result: ok,acme,"]
--- response_body eval
["secret\n", "secret\n"]


=== TEST 19: any, in a location that an internal redirect after a denial leads to
--- http_config eval: $::HttpConfig
--- config
error_page 401 = @open;
location = /secret { token_auth api; }
location @open { satisfy any; token_auth api; allow all; }
--- request
GET /secret
--- answer: let in


=== TEST 20: an error_page's location that lets in: nothing of the refusal stays
--- http_config eval: $::HttpConfig
--- config
error_page 401 = @second;
location = /secret { token_auth api; }
location = /upstream { token_auth api; error_page 401 = @upstream; }
location = /anonymous { token_auth api; error_page 401 = @anonymous; }
location = /basic { token_auth api; error_page 401 = @basic; }
location = /open { token_auth api; error_page 401 = @open; }
location = /moved { token_auth api; error_page 401 =302 https://login.example/; }
location @second { token_auth api token=$http_x_api_key; }
location @upstream { token_auth api token=$http_x_api_key; rewrite ^ /up break; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT; }
location = /up { add_header WWW-Authenticate 'Own realm="up"' always; return 401 "up\n"; }
location @anonymous { token_auth other; token_auth_anonymous on; rewrite ^ /secret break; }
location @basic { auth_basic users; rewrite ^ /secret break; }
location @open { rewrite ^ /secret break; }
--- request eval
[map { "GET /$_" } qw(secret upstream anonymous basic open moved)]
--- more_headers eval
['X-Api-Key: acme-token', 'X-Api-Key: acme-token', 'X-A: 1', $::Basic . "\nX-Api-Key: x", 'X-A: 1', 'X-A: 1']
--- error_code eval
[200, 401, 200, 200, 200, 302]
--- raw_response_headers_unlike eval
[('Bearer|Token realm|no-store') x 6]


=== TEST 21: they stay while the answer has the refusal's status
--- http_config eval: $::HttpConfig
--- config
location = /page { token_auth api; error_page 401 /secret; }
location = /same { token_auth api; error_page 401 =401 /secret; }
location = /other { token_auth api; error_page 401 =403 /secret; }
location = /any { satisfy any; token_auth api; auth_basic users; error_page 401 /secret; }
location = /again { token_auth first; error_page 401 = @again; }
location @again { token_auth api; }
--- request eval
[map { "GET /$_" } qw(page same other again any)]
--- more_headers eval
[('X-A: 1') x 4, $::Forbidden]
--- error_code eval
[401, 401, 403, 401, 401]
--- raw_response_headers_like eval
[('no-store.*WWW-Authenticate: Bearer realm="api"\r\nWWW-Authenticate: Token realm="api"\r\n') x 2,
    '\A(?!.*(?:no-store|WWW-Authenticate)).*\z', '\A(?!.*first).*WWW-Authenticate: Bearer realm="api"\r\n',
    'no-store.*WWW-Authenticate: Bearer realm="api", error="insufficient_scope".*Basic']
