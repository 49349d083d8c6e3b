# The directive token_auth_schemes: the schemes that are accepted and offered in the challenge.
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

=== TEST 1: both by default
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Token acme-token', 'X-A: 1']
--- answer eval
['let in', 'let in', 'credentials_missing']


=== TEST 2: Bearer alone; the other one is no credential then
--- http_config eval: $::HttpConfig
--- config
token_auth_schemes Bearer;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Token acme-token', 'Authorization: Token',
    'Authorization: Bearer expired-token']
--- answer eval
['let in', 'credentials_missing', 'credentials_missing', 'token_expired']
--- schemes: Bearer


=== TEST 3: Token alone
--- http_config eval: $::HttpConfig
--- config
token_auth_schemes Token;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
['Authorization: Token acme-token', 'Authorization: Token token="acme-token"',
    'Authorization: Bearer acme-token', 'Authorization: Token expired-token']
--- answer eval
['let in', 'let in', 'credentials_missing', 'token_expired']
--- schemes: Token


=== TEST 4: Bearer comes first in the challenges, in whatever order they are named
--- http_config eval: $::HttpConfig
--- config
token_auth_schemes Token Bearer;
--- more_headers
Authorization: Bearer expired-token
--- answer: token_expired


=== TEST 5: inherited, and set anew
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
token_auth_schemes Token;
--- config
location /inner { location /inner/secret { alias html/secret; token_auth_schemes Token; } }
--- request eval
['GET /secret', 'GET /inner/secret']
--- answer eval
['credentials_missing', 'credentials_missing']
--- schemes: Token


=== TEST 6: an inner setting replaces the outer one
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
token_auth_schemes Token;
--- config
location = /secret { token_auth_schemes Bearer; }
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Token acme-token']
--- answer eval
['let in', 'credentials_missing']
--- schemes: Bearer
