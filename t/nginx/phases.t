# The module among nginx's phases: internal redirects, methods, CORS, caching, mirror and SSI.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

our $HttpConfig = 'token_auth_db $TEST_NGINX_DB;';
our $Token = 'Authorization: Bearer acme-token';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a protected named location behind an open one
--- http_config eval: $::HttpConfig
--- config
location /a { try_files /nothing @b; }
location @b { token_auth api; rewrite ^ /secret break; }
--- request eval
['GET /a', 'GET /a']
--- more_headers eval
['X-A: 1', $::Token]
--- answer eval
['credentials_missing', 'let in']


=== TEST 2: a file that an open location's try_files finds is that location's
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location /a { token_auth off; try_files /secret =404; }
--- request
GET /a
--- answer: let in


=== TEST 3: a protected location is not asked for a file before it lets in
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location /a { try_files $uri =404; }
--- request eval
['GET /a/nothing', 'GET /a/nothing']
--- more_headers eval
['X-A: 1', 'Authorization: Bearer expired-token']
--- answer eval
['credentials_missing', 'token_expired']


=== TEST 4: an index is protected as its directory is, by the location it leads to
--- http_config eval: $::HttpConfig
--- config
location = /d/secret { token_auth api; }
location /d/ { index secret; }
--- user_files
>>> d/secret
secret
--- request eval
['GET /d/', 'GET /d/']
--- more_headers eval
['X-A: 1', $::Token]
--- answer eval
['credentials_missing', 'let in']


=== TEST 5: methods, by limit_except with requirements of their own
--- http_config eval: $::HttpConfig
--- config
location = /secret {
    token_auth readers;
    token_auth_scope agents:read;
    limit_except GET { token_auth writers; token_auth_scope agents:write; }
}
--- request eval
['GET /secret', 'HEAD /secret']
--- more_headers
Authorization: Bearer globex-token
--- answer eval
['let in', 'let in']


=== TEST 6: methods, by limit_except, denied
--- http_config eval: $::HttpConfig
--- config
location = /secret {
    token_auth readers;
    token_auth_scope agents:read;
    limit_except GET { token_auth writers; token_auth_scope agents:write; }
}
--- request eval
["POST /secret\nx", "PUT /secret\nx", 'DELETE /secret']
--- more_headers
Authorization: Bearer globex-token
--- answer eval
[('scope_missing') x 3]
--- realm: writers
--- scope: agents:write


=== TEST 7: CORS: the preflight is let through by its method, the request itself is not
--- http_config
token_auth_db $TEST_NGINX_DB;
map $request_method $realm { default api; OPTIONS off; }
--- config
token_auth $realm;
location = /upstream { token_auth off; return 200 "up\n"; }
location = /cors {
    add_header Access-Control-Allow-Origin https://app.example always;
    add_header Access-Control-Allow-Headers authorization always;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
}
--- request eval
['OPTIONS /cors', 'GET /cors', 'GET /cors']
--- more_headers eval
["Origin: https://app.example\nAccess-Control-Request-Headers: authorization", 'Origin: https://app.example',
    "Origin: https://app.example\n$::Token"]
--- error_code eval
[200, 401, 200]
--- response_headers eval
["Access-Control-Allow-Origin: https://app.example\nAccess-Control-Allow-Headers: authorization\nWWW-Authenticate:",
    'Access-Control-Allow-Origin: https://app.example', "Access-Control-Allow-Origin: https://app.example\nWWW-Authenticate:"]
--- response_body_like eval
['^up$', 'credentials_missing', '^up$']


=== TEST 8: a cached answer goes to those only who are let in
--- http_config
token_auth_db $TEST_NGINX_DB;
proxy_cache_path $TEST_NGINX_DIR/cache keys_zone=c:64k;
--- config
location = /cached {
    token_auth api;
    proxy_cache c;
    proxy_cache_valid 200 1h;
    proxy_ignore_headers Cache-Control;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up;
    add_header X-Cache $upstream_cache_status;
}
location = /up { alias html/secret; }
--- request eval
[('GET /cached') x 5, 'HEAD /cached']
--- more_headers eval
[$::Token, $::Token, 'X-A: 1', 'Authorization: Bearer expired-token', $::Token, 'X-A: 1']
--- answer eval
['let in', 'let in', 'credentials_missing', 'token_expired', 'let in', 'credentials_missing']


=== TEST 9: a denial is not cached either, here or by a cache before it
--- http_config
token_auth_db $TEST_NGINX_DB;
proxy_cache_path $TEST_NGINX_DIR/cache2 keys_zone=c:64k;
--- config
location = /outer {
    proxy_cache c;
    proxy_cache_valid any 1h;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/secret;
    add_header X-Cache $upstream_cache_status always;
}
location = /secret { token_auth api; }
--- request eval
[('GET /outer') x 3]
--- more_headers eval
['X-A: 1', 'X-A: 1', $::Token]
--- error_code eval
[401, 401, 200]
--- response_headers eval
['X-Cache: MISS', 'X-Cache: MISS', 'X-Cache: MISS']


=== TEST 10: nothing is mirrored of who is denied
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format inner "mirrored $request_uri";
--- config
token_auth api;
location = /secret { mirror /mirror; }
location = /mirror { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; }
location = /inner { token_auth off; access_log logs/access.log inner; return 204; }
--- request
GET /secret
--- more_headers
Authorization: Bearer expired-token
--- answer: token_expired
--- wait: 0.1
--- no_access_log
mirrored


=== TEST 11: an SSI page and its parts, for who is let in and who is not
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /page { ssi on; ssi_types text/plain; alias html/page; }
location = /part { alias html/part; }
--- user_files
>>> page
page, <!--# include virtual="/part" -->
>>> part
part
--- request eval
['GET /page', 'GET /page']
--- more_headers eval
[$::Token, 'X-A: 1']
--- error_code eval
[200, 401]
--- response_body_like eval
['^page, part\n\n$', 'credentials_missing']


=== TEST 12: a range, a condition: as ever for who is let in
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
['GET /secret', 'GET /secret', 'GET /secret']
--- more_headers eval
["$::Token\nRange: bytes=0-1", "$::Token\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
    "$::Token\nIf-Match: \"x\""]
--- error_code eval
[206, 200, 412]
--- raw_response_headers_unlike eval
[('WWW-Authenticate|no-store') x 3]


=== TEST 13: return and rewrite come before access, as with nginx's own modules
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /return { return 200 "open\n"; }
location = /rewritten { rewrite ^ /secret; }
--- request eval
['GET /return', 'GET /rewritten', 'GET /rewritten']
--- more_headers eval
['X-A: 1', 'X-A: 1', $::Token]
--- error_code eval
[200, 401, 200]
--- response_body_like eval
['^open$', 'credentials_missing', '^secret$']


=== TEST 14: an upstream that redirects within nginx to a protected location
--- http_config eval: $::HttpConfig
--- config
location = /outer { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/accel; }
location = /accel { add_header X-Accel-Redirect /secret; return 200; }
location = /secret { internal; token_auth api; }
--- request eval
['GET /outer', 'GET /outer']
--- more_headers eval
['X-A: 1', $::Token]
--- answer eval
['credentials_missing', 'let in']


=== TEST 15: the client's address is the one that realip gives
--- http_config eval: $::HttpConfig
--- config
token_auth api;
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
--- request eval
[('GET /secret') x 8]
--- more_headers eval
[map { "Authorization: Bearer $_->[0]-token\nX-Real-IP: $_->[1]" } ['elsewhere', '192.0.2.7'],
    ['elsewhere', '192.0.3.7'], ['elsewhere', '2001:db8::7'], ['elsewhere', '2001:db9::7'],
    ['loopback', '192.0.2.7'], ['loopback', '127.0.0.9'], ['loopback', '::1'], ['elsewhere', '::ffff:192.0.2.7']]
--- answer eval
['let in', 'address_not_allowed', 'let in', 'address_not_allowed', 'address_not_allowed', 'let in',
    'let in', 'let in']


=== TEST 16: a client on a Unix socket has no address, which no list holds
--- http_config
token_auth_db $TEST_NGINX_DB;
server { listen unix:$TEST_NGINX_DIR/socket; location = /inner { alias html/secret; token_auth api; } }
--- config
location = /secret { proxy_pass http://unix:$TEST_NGINX_DIR/socket:/inner; }
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme loopback)]
--- answer eval
['let in', 'address_not_allowed']


=== TEST 17: a location's requirements may come from what the request looks like
--- http_config eval: $::HttpConfig
--- config
location ~ ^/(?<what>agents|sites)/ { token_auth api; token_auth_scope $what:read; rewrite ^ /secret break; }
--- request eval
['GET /agents/1', 'GET /sites/1']
--- more_headers eval: $::Token
--- answer eval
['let in', 'scope_missing']
--- scope: sites:read
