# The directive token_auth_anonymous: requests without credentials pass, bad credentials never do.
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

=== TEST 1: off by default, and when it says so
--- http_config eval: $::HttpConfig
--- config
location = /off { alias html/secret; token_auth_anonymous off; }
--- request eval
['GET /secret', 'GET /off']
--- answer eval
['credentials_missing', 'credentials_missing']


=== TEST 2: who brings nothing of ours is let through
--- http_config eval: $::HttpConfig
--- config
token_auth_anonymous on;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-A: 1', 'Authorization: Basic YWNtZTphY21l', 'Authorization:']
--- answer eval
[('let in') x 3]


=== TEST 3: who brings something bad is not
--- http_config eval: $::HttpConfig
--- config
token_auth_anonymous on;
--- request eval
[('GET /secret') x 8]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(acme-token nobody-token expired-token revoked-token
    elsewhere-token alice-token a;b), '']
--- answer eval
['let in', qw(token_unknown token_expired token_revoked address_not_allowed organization_missing
    token_malformed request_malformed)]


=== TEST 4: what is asked of tokens is not asked of who brings none
--- http_config eval: $::HttpConfig
--- config
token_auth_anonymous on;
token_auth_scope agents:write;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['X-A: 1', 'Authorization: Bearer acme-reader-token']
--- answer eval
['let in', 'scope_missing']
--- scope: agents:write


=== TEST 5: without a variable's token too
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api token=$http_x_api_key;
--- config
token_auth_anonymous on;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['X-A: 1', 'X-Api-Key: nobody-token']
--- answer eval
['let in', 'token_unknown']


=== TEST 6: the variables tell who was let in how
--- http_config eval: $::HttpConfig
--- config
token_auth_anonymous on;
add_header X-Result "$token_auth_result,$token_auth_id,$token_auth_org";
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['X-A: 1', 'Authorization: Bearer acme-token']
--- response_headers eval
['X-Result: anonymous,,', 'X-Result: ok,acme,acme']
--- response_body eval
["secret\n", "secret\n"]
