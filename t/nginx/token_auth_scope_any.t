# The directive token_auth_scope_any: one of the scopes it names, also beside token_auth_scope.
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

=== TEST 1: any of several
--- http_config eval: $::HttpConfig
--- config
token_auth_scope_any agents:write sites:read;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
["Authorization: Bearer acme-token", "Authorization: Bearer acme-devs-token",
    "Authorization: Bearer globex-token", "Authorization: Bearer acme-bare-token"]
--- answer eval
['let in', 'let in', 'scope_missing', 'scope_missing']
--- scope: agents:write sites:read


=== TEST 2: any of several, and one that all need: the challenge tells which list is not met
--- http_config eval: $::HttpConfig
--- config
token_auth_scope agents:read;
token_auth_scope_any agents:write sites:read;
location = /never { alias html/secret; token_auth_scope never; }
--- request eval
['GET /secret', 'GET /secret', 'GET /never']
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme globex acme)]
--- answer eval
['let in', 'scope_missing', 'scope_missing']
--- scope eval
[undef, 'agents:write sites:read', 'never']


=== TEST 3: an empty value of any asks for nothing, beside another one it is passed over
--- http_config eval: $::HttpConfig
--- config
token_auth_scope_any $arg_a $arg_b;
--- request eval
['GET /secret', 'GET /secret?a=agents:read', 'GET /secret?b=agents:write']
--- more_headers
Authorization: Bearer globex-token
--- answer eval
['let in', 'let in', 'scope_missing']
--- scope: agents:write


=== TEST 4: an inner setting replaces the outer one; an empty one takes it off
--- http_config eval: $::HttpConfig
--- config
token_auth_scope never;
token_auth_scope_any never;
location = /inner { alias html/secret; token_auth_scope agents:read; token_auth_scope_any agents:write; }
location = /off { alias html/secret; token_auth_scope ""; token_auth_scope_any ""; }
--- request eval
['GET /inner', 'GET /off', 'GET /secret']
--- more_headers
Authorization: Bearer acme-token
--- answer eval
['let in', 'let in', 'scope_missing']
--- scope: never
