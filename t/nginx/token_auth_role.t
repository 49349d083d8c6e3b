# The directive token_auth_role: a token's own role, or that of its user's membership.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DB;
token_auth api;
END

no_long_string();
run_tests();

__DATA__

=== TEST 1: the role of an organization's or a group's token
--- http_config eval: $::HttpConfig
--- config
token_auth_role reader;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme-reader acme-devs acme-admin acme-bare)]
--- answer eval
['let in', 'let in', 'role_missing', 'role_missing']


=== TEST 2: a user's role is that of the membership in the organization that is named
--- http_config eval: $::HttpConfig
--- config
token_auth_role admin;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
["Authorization: Bearer alice-token\nX-Org-Id: acme", "Authorization: Bearer alice-token\nX-Org-Id: globex",
    "Authorization: Bearer bob-token\nX-Org-Id: acme"]
--- answer eval
['let in', 'role_missing', 'role_missing']


=== TEST 3: a user without an organization has no role
--- http_config eval: $::HttpConfig
--- config
token_auth_role admin;
token_auth_org optional;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['Authorization: Bearer alice-token', "Authorization: Bearer alice-token\nX-Org-Id: acme"]
--- answer eval
['role_missing', 'let in']


=== TEST 4: nor where organizations are off
--- http_config eval: $::HttpConfig
--- config
token_auth_role admin;
token_auth_org off;
--- more_headers
Authorization: Bearer alice-token
X-Org-Id: acme
--- answer: role_missing


=== TEST 5: any of several, in one value or in many
--- http_config eval: $::HttpConfig
--- config
token_auth_role admin reader;
location = /one { alias html/secret; token_auth_role "admin reader"; }
--- request eval
[('GET /secret', 'GET /one') x 3]
--- more_headers eval
[map { ("Authorization: Bearer $_-token") x 2 } qw(acme-reader acme-admin acme-bare)]
--- answer eval
[('let in') x 4, 'role_missing', 'role_missing']


=== TEST 6: a role that allows everything is not every role
--- http_config eval: $::HttpConfig
--- config
token_auth_role writer;
--- more_headers
Authorization: Bearer acme-admin-token
--- answer: role_missing


=== TEST 7: compared byte by byte
--- http_config eval: $::HttpConfig
--- config
token_auth_role $arg_role;
--- request eval
[map { "GET /secret?role=$_" } qw(reader Reader reade readers *)]
--- more_headers
Authorization: Bearer acme-reader-token
--- answer eval
['let in', ('role_missing') x 4]


=== TEST 8: by method, by a map; an empty value is met by nobody
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $request_method $role { default admin; GET ""; HEAD reader; }
--- config
token_auth_role $role;
--- request eval
['GET /secret', 'HEAD /secret', "POST /secret\nx", 'HEAD /secret']
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme-bare acme-bare acme-reader acme-reader)]
--- answer eval
['role_missing', 'role_missing', 'role_missing', 'let in']


=== TEST 9: an inner setting replaces the outer one; an empty one takes it off
--- http_config eval: $::HttpConfig
--- config
token_auth_role writer;
location = /admins { alias html/secret; token_auth_role admin; }
location = /all { alias html/secret; token_auth_role ""; }
--- request eval
['GET /admins', 'GET /all', 'GET /secret']
--- more_headers
Authorization: Bearer acme-admin-token
--- answer eval
['let in', 'let in', 'role_missing']


=== TEST 10: among several values, empty ones are skipped; the module's own variables are met by nobody
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $token_auth_role $own { default admin; "" ""; }
--- config
token_auth_role $arg_a $arg_b;
location = /own { alias html/secret; token_auth_role $token_auth_role; }
location = /beside { alias html/secret; token_auth_role admin $token_auth_role; }
location = /map { alias html/secret; token_auth_role $own; }
--- request eval
['GET /secret?a=admin', 'GET /secret?b=admin', 'GET /secret', 'GET /own', 'GET /beside', 'GET /map']
--- more_headers
Authorization: Bearer acme-admin-token
--- answer eval
['let in', 'let in', ('role_missing') x 4]
