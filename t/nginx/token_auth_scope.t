# The directive token_auth_scope: all of the scopes it names.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use Test::Nginx::TokenAuth;
use TokenAuth::Answers;

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DB;
token_auth api;
END

no_long_string();
run_tests();

__DATA__

=== TEST 1: a scope of the token's own
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:write;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme globex acme-bare)]
--- answer eval
['let in', 'scope_missing', 'scope_missing']
--- scope: agents:write


=== TEST 2: all of several, and the challenge tells all of them
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:read agents:write;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme globex)]
--- answer eval
['let in', 'scope_missing']
--- scope: agents:read agents:write


=== TEST 3: given twice, all of both
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:read;
token_auth_scope agents:write sites:read;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme-admin acme)]
--- answer eval
['let in', 'scope_missing']
--- scope: agents:read agents:write sites:read


=== TEST 4: several in one value
--- http_config eval: $::HttpConfig
--- config
token_auth_scope " agents:read   agents:write ";
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme globex)]
--- answer eval
['let in', 'scope_missing']
--- scope: agents:read agents:write


=== TEST 5: an empty value asks for nothing
--- http_config eval: $::HttpConfig
--- config
token_auth_scope "";
--- more_headers
Authorization: Bearer acme-bare-token
--- answer: let in


=== TEST 6: by method, by a map
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $request_method $scope { default nobody; GET agents:read; HEAD ""; POST "agents:read agents:write"; }
--- config
token_auth_scope $scope;
location = /post { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; proxy_method GET; }
location = /inner { alias html/secret; token_auth off; }
--- request eval
['GET /secret', 'HEAD /secret', "POST /post\nx"]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(globex acme-bare acme)]
--- answer eval
[('let in') x 3]


=== TEST 7: the same, denied
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $request_method $scope { default nobody; GET agents:read; POST "agents:read agents:write"; }
--- config
token_auth_scope $scope;
--- request
POST /secret
x
--- more_headers
Authorization: Bearer globex-token
--- answer: scope_missing
--- scope: agents:read agents:write


=== TEST 8: a grant with a wildcard covers what begins like it, no more
--- token_store
{"type":"organization","id":"acme"}
{"type":"token","id":"writer","token":"writer-token","kind":"organization","organization":"acme","scopes":["agents:*"]}
--- config
token_auth_db $TEST_NGINX_TOKEN_STORE;
token_auth api;
token_auth_scope $arg_scope;
--- request eval
[map { "GET /secret?scope=$_" } qw(agents:read agents:x agents:a:b agents agent:read agentss:read sites:read agents:)]
--- more_headers eval
"Authorization: Bearer writer-token"
--- answer eval
[('let in') x 3, ('scope_missing') x 4, 'let in']
--- scope eval
[undef, undef, undef, qw(agents agent:read agentss:read sites:read), undef]


=== TEST 9: the grant "*" covers everything
--- http_config eval: $::HttpConfig
--- config
token_auth_scope $arg_scope anything at:all;
--- request
GET /secret?scope=x
--- more_headers
Authorization: Bearer acme-admin-token
--- answer: let in


=== TEST 10: where role and token both have scopes, what both allow
--- http_config eval: $::HttpConfig
--- config
location = /read { alias html/secret; token_auth_scope agents:read; }
location = /sites { alias html/secret; token_auth_scope sites:read; }
location = /write { alias html/secret; token_auth_scope agents:write; }
--- request eval
['GET /read', 'GET /sites', 'GET /write']
--- more_headers
Authorization: Bearer acme-reader-token
--- answer eval
['let in', 'scope_missing', 'scope_missing']
--- scope eval
[undef, 'sites:read', 'agents:write']


=== TEST 11: a user's scopes are those of the role in the organization that is named
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:write;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
["Authorization: Bearer alice-token\nX-Org-Id: acme", "Authorization: Bearer alice-token\nX-Org-Id: globex",
    "Authorization: Bearer alice-limited-token\nX-Org-Id: acme", "Authorization: Bearer bob-token\nX-Org-Id: acme"]
--- answer eval
['let in', ('scope_missing') x 3]
--- scope: agents:write


=== TEST 12: compared byte by byte
--- http_config eval: $::HttpConfig
--- config
token_auth_scope Agents:read;
--- more_headers
Authorization: Bearer acme-token
--- answer: scope_missing
--- scope: Agents:read


=== TEST 13: what is no scope cannot be had, and is not in the challenge
--- http_config eval: $::HttpConfig
--- config
token_auth_scope $http_x_scope;
--- more_headers
X-Scope: agents:read a"b a\b c
Authorization: Bearer globex-token
--- answer: scope_missing
--- scope: agents:read c


=== TEST 14: per method by limit_except
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:read;
location = /secret { limit_except GET { token_auth_scope agents:write; } }
--- request eval
['GET /secret', "POST /secret\nx"]
--- more_headers
Authorization: Bearer globex-token
--- answer eval
['let in', 'scope_missing']
--- scope: agents:write


=== TEST 15: nothing is asked by default
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Authorization: Bearer acme-bare-token
--- answer: let in


=== TEST 16: a value with a variable behind one without
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:read;
token_auth_scope $arg_scope;
--- request eval
['GET /secret?scope=agents:read', 'GET /secret', 'GET /secret?scope=agents:write']
--- more_headers
Authorization: Bearer globex-token
--- answer eval
['let in', 'let in', 'scope_missing']
--- scope: agents:read agents:write


=== TEST 17: the module's own variables are empty, and a requirement with one is met by nobody
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $token_auth_kind $own { default nobody; "" ""; }
--- config
location = /own { alias html/secret; token_auth_scope $token_auth_role; }
location = /beside { alias html/secret; token_auth_scope $token_auth_role agents:read; }
location = /map { alias html/secret; token_auth_scope $own; }
location = /any { alias html/secret; token_auth_scope_any agents:read $token_auth_role; }
location = /empty { alias html/secret; token_auth_scope $arg_a $arg_b; }
location = /earlier { token_auth_scope agents:read; try_files /nothing @later; }
location @later { token_auth_scope $token_auth_kind; rewrite ^ /secret break; }
--- request eval
['GET /own', 'GET /beside', 'GET /map', 'GET /any', 'GET /empty', 'GET /earlier']
--- more_headers
Authorization: Bearer acme-token
--- error_code eval
[403, 403, 403, 403, 200, 403]
--- response_body_like eval
[('scope_missing') x 4, '^secret', 'scope_missing']


=== TEST 18: a realm of the module's own variables is empty, not that of an earlier decision
--- http_config eval: $::HttpConfig
--- config
location = /first { token_auth api; try_files /nothing @second; }
location @second { token_auth "<$token_auth_result>"; token_auth_scope nobody; }
--- request
GET /first
--- more_headers
Authorization: Bearer acme-token
--- answer: scope_missing
--- realm: <>
--- scope: nobody
