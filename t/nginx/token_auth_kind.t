# The directive token_auth_kind: which kinds of token are let in.
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

=== TEST 1: all kinds by default
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token\nX-Org-Id: acme" } qw(acme acme-devs bob)]
--- answer eval
[('let in') x 3]


=== TEST 2: one kind
--- http_config eval: $::HttpConfig
--- config
location = /organization { alias html/secret; token_auth_kind organization; }
location = /group { alias html/secret; token_auth_kind group; }
location = /user { alias html/secret; token_auth_kind user; }
--- request eval
[('GET /organization') x 3, ('GET /group') x 3, ('GET /user') x 3]
--- more_headers eval
[(map { "Authorization: Bearer $_-token\nX-Org-Id: acme" } qw(acme acme-devs bob)) x 3]
--- answer eval
['let in', 'kind_not_allowed', 'kind_not_allowed', 'kind_not_allowed', 'let in',
    'kind_not_allowed', 'kind_not_allowed', 'kind_not_allowed', 'let in']


=== TEST 3: several kinds
--- http_config eval: $::HttpConfig
--- config
token_auth_kind organization group;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token\nX-Org-Id: acme" } qw(acme acme-devs bob)]
--- answer eval
['let in', 'let in', 'kind_not_allowed']


=== TEST 4: an inner setting replaces the outer one, and is inherited
--- http_config eval: $::HttpConfig
--- config
token_auth_kind user;
location /a { token_auth_kind group; location /a/b { alias html/secret; } }
--- request eval
['GET /secret', 'GET /a/b', 'GET /a/b']
--- more_headers eval
['Authorization: Bearer acme-devs-token', 'Authorization: Bearer acme-devs-token',
    "Authorization: Bearer bob-token\nX-Org-Id: acme"]
--- answer eval
['kind_not_allowed', 'let in', 'kind_not_allowed']


=== TEST 5: by method
--- http_config eval: $::HttpConfig
--- config
location = /secret { limit_except GET { token_auth_kind user; } }
--- request eval
['GET /secret', "POST /secret\nx", 'DELETE /secret']
--- more_headers
Authorization: Bearer acme-token
--- answer eval
['let in', 'kind_not_allowed', 'kind_not_allowed']
