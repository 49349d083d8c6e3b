# The directive token_auth_max_age: how old the last completed sync may be.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DIR/aged;
token_auth api;
END

# A copy of the store, two seconds old.
system('cp', '-r', store_dir(), gateway_dir() . '/aged') == 0 or die 'cannot copy the store';
sleep 2;

no_long_string();
run_tests();

__DATA__

=== TEST 1: off by default, however old the store is
--- http_config eval: $::HttpConfig
--- config
location = /zero { alias html/secret; token_auth_max_age 0; }
location = /old { alias html/secret; token_auth_max_age 1s; }
location = /young { alias html/secret; token_auth_max_age 1h; }
location = /number { alias html/secret; token_auth_max_age 3600; }
--- request eval
['GET /secret', 'GET /zero', 'GET /old', 'GET /young', 'GET /number']
--- more_headers
Authorization: Bearer acme-token
--- answer eval
['let in', 'let in', 'store_stale', 'let in', 'let in']


=== TEST 2: inherited, and taken off
--- http_config
token_auth_db $TEST_NGINX_DIR/aged;
token_auth api;
token_auth_max_age 1s;
--- config
location = /off { alias html/secret; token_auth_max_age 0; }
--- request eval
['GET /secret', 'GET /off']
--- more_headers
Authorization: Bearer acme-token
--- answer eval
['store_stale', 'let in']


=== TEST 3: nobody's token is looked up in a store that is out of date
--- http_config eval: $::HttpConfig
--- config
token_auth_max_age 1s;
add_header X-Id $token_auth_id always;
--- more_headers
Authorization: Bearer acme-token
--- error_code: 503
--- response_headers
X-Id:
Retry-After: 5
--- response_body chomp
{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Token store is out of date.","code":"store_stale"}


=== TEST 4: once it is synced again, it is served again, without a reload
--- config
token_auth api;
token_auth_db $TEST_NGINX_DB;
token_auth_max_age 3s;
--- init
sleep 3.1; TokenAuth::Gateway::tokensync('run');
--- more_headers
Authorization: Bearer acme-token
--- answer: let in


=== TEST 5: by limit_except
--- http_config eval: $::HttpConfig
--- config
location = /secret { limit_except GET { token_auth_max_age 1s; } }
--- request eval
['GET /secret', "POST /secret\nx"]
--- more_headers
Authorization: Bearer acme-token
--- answer eval
['let in', 'store_stale']
