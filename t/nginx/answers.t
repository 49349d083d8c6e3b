# Every code with its status, header and body, and its place in the order of checks.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use Test::Nginx::TokenAuth;
use TokenAuth::Answers;

# A copy of the store, two seconds old.
system('cp', '-r', store_dir(), gateway_dir() . '/aged') == 0 or die 'cannot copy the store';
sleep 2;

our $HttpConfig = 'token_auth_db $TEST_NGINX_DB;';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a request without credentials is challenged without an error
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- answer: credentials_missing


=== TEST 2: a malformed Authorization field
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer
--- answer: request_malformed


=== TEST 3: every code that depends on the token alone
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
[('GET /secret') x 10]
--- more_headers eval
[map { "Authorization: Bearer $_" } 'acme-token', 'a,b', 'nobody-token', 'revoked-token', 'carol-token',
    'future-token', 'expired-token', 'elsewhere-token', 'alice-token', 'hooli-token']
--- answer eval
['let in', qw(token_malformed token_unknown token_revoked token_revoked token_not_yet_valid
    token_expired address_not_allowed organization_missing organization_suspended)]


=== TEST 4: a store that is not there
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
--- more_headers
Authorization: Bearer acme-token
--- answer: store_unavailable


=== TEST 5: a store that is out of date is reported before anything about the token
--- config
token_auth_db $TEST_NGINX_DIR/aged;
token_auth api;
token_auth_max_age 1s;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_" } 'acme-token', 'nobody-token', 'a,b']
--- answer eval
[qw(store_stale store_stale token_malformed)]


=== TEST 6: a kind that is not allowed
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_kind user;
--- more_headers
Authorization: Bearer acme-token
--- answer: kind_not_allowed


=== TEST 7: every code that depends on the organization
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
[('GET /secret') x 9]
--- more_headers eval
[map { my ($token, $org) = @$_; "Authorization: Bearer $token\nX-Org-Id: $org" }
    ['acme-token', 'acme'], ['acme-token', 'a/b'], ['acme-token', 'globex'], ['bob-token', 'acme'],
    ['bob-token', 'globex'], ['bob-token', 'initech'], ['alice-token', 'hooli'],
    ['hooli-token', 'hooli'], ['bob-token', 'x' x 65]]
--- answer eval
['let in', qw(organization_malformed organization_mismatch), 'let in', qw(not_a_member not_a_member
    organization_suspended organization_suspended organization_malformed)]


=== TEST 8: a required group
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_group ops;
--- more_headers
Authorization: Bearer acme-devs-token
--- answer: group_missing


=== TEST 9: a required role
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_role admin;
--- more_headers
Authorization: Bearer acme-reader-token
--- answer: role_missing


=== TEST 10: a required scope, which the challenge names
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_scope agents:write;
--- more_headers
Authorization: Bearer acme-reader-token
--- answer: scope_missing
--- scope: agents:write


=== TEST 11: HEAD is answered with the same header and no body
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
[('HEAD /secret') x 4]
--- more_headers eval
['X-A: 1', map { "Authorization: Bearer $_" } 'expired-token', 'elsewhere-token', 'alice-token']
--- answer eval
[qw(credentials_missing token_expired address_not_allowed organization_missing)]


=== TEST 12: HEAD and a store that is not there
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
--- request
HEAD /secret
--- more_headers
Authorization: Bearer acme-token
--- answer: store_unavailable


=== TEST 13: other methods are answered alike
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
["POST /secret\nbody", "PUT /secret\nbody", 'DELETE /secret', 'OPTIONS /secret', 'PATCH /secret']
--- answer eval
[('credentials_missing') x 5]


=== TEST 14: missing and malformed credentials are refused before the store is asked
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
['X-A: 1', 'Authorization: Bearer', 'Authorization: Bearer a,b', 'Authorization: Bearer nobody-token']
--- answer eval
[qw(credentials_missing request_malformed token_malformed store_unavailable)]


=== TEST 15: the order of checks of the token itself
--- token_store
{"type":"organization","id":"acme"}
{"type":"token","id":"1","token":"revoked-expired-token","kind":"organization","organization":"acme","revoked":"2026-01-01T00:00:00Z","expires":"2026-01-01T00:00:00Z"}
{"type":"token","id":"2","token":"future-elsewhere-token","kind":"organization","organization":"acme","not_before":"2099-01-01T00:00:00Z","allow":["192.0.2.0/24"]}
{"type":"token","id":"3","token":"expired-elsewhere-token","kind":"organization","organization":"acme","expires":"2026-01-01T00:00:00Z","allow":["192.0.2.0/24"]}
{"type":"token","id":"4","token":"elsewhere-token","kind":"organization","organization":"acme","allow":["192.0.2.0/24"]}
--- config
token_auth_db $TEST_NGINX_TOKEN_STORE;
token_auth api;
token_auth_kind user;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(revoked-expired future-elsewhere expired-elsewhere
    elsewhere)]
--- answer eval
[qw(token_revoked token_not_yet_valid token_expired address_not_allowed)]


=== TEST 16: the kind comes before the organization
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_kind group;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
["Authorization: Bearer alice-token", "Authorization: Bearer alice-token\nX-Org-Id: a/b",
    "Authorization: Bearer acme-token\nX-Org-Id: globex", "Authorization: Bearer hooli-token"]
--- answer eval
[('kind_not_allowed') x 4]


=== TEST 17: the order of checks of the organization, all before group, role and scope
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_group nobody;
token_auth_role nobody;
token_auth_scope nobody;
--- request eval
[('GET /secret') x 6]
--- more_headers eval
["Authorization: Bearer bob-token", "Authorization: Bearer hooli-token\nX-Org-Id: a/b",
    "Authorization: Bearer hooli-token\nX-Org-Id: acme", "Authorization: Bearer bob-token\nX-Org-Id: hooli",
    "Authorization: Bearer hooli-token", "Authorization: Bearer acme-token"]
--- answer eval
[qw(organization_missing organization_malformed organization_mismatch not_a_member
    organization_suspended group_missing)]


=== TEST 18: group, then role, then scope
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_scope nobody;
location /group { alias html/secret; token_auth_group ops; token_auth_role nobody; }
location /role { alias html/secret; token_auth_group devs; token_auth_role nobody; }
location /scope { alias html/secret; token_auth_group devs; token_auth_role reader; }
--- request eval
["GET /group", "GET /role", "GET /scope"]
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
[qw(group_missing role_missing scope_missing)]
--- scope: nobody


=== TEST 19: nginx's own answers keep their page and header
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request
GET /nothing
--- more_headers
Authorization: Bearer acme-token
--- error_code: 404
--- raw_response_headers_unlike: WWW-Authenticate|Cache-Control
--- response_body_like: 404 Not Found


=== TEST 20: an upstream's 401 stays as it is
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location /inner { token_auth off; return 401 "inner\n"; }
location /outer { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; }
--- request
GET /outer
--- more_headers
Authorization: Bearer acme-token
--- error_code: 401
--- raw_response_headers_unlike: WWW-Authenticate|Cache-Control
--- response_body
inner


=== TEST 21: "anonymous" does not need a store that is out of date; a token does
--- config
token_auth_db $TEST_NGINX_DIR/aged;
token_auth api;
token_auth_max_age 1s;
token_auth_anonymous on;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['Authorization: Bearer acme-token', 'X-A: 1']
--- answer eval
['store_stale', 'let in']


=== TEST 22: a denial logs no alert or error
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer expired-token
--- answer: token_expired
--- no_error_log
[alert]
[crit]
[error]
[emerg]
