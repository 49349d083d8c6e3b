# The directive token_auth_preflight: CORS preflights pass, and nothing else that looks like one.
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

our $Upstream = <<'END';
location = /secret {
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream/;
    add_header X-Result "$token_auth_result,$token_auth_id";
}
location /upstream/ { token_auth off; token_auth_forward off; return 200 "secret\n"; }
END

our $Preflight = "Origin: https://app.example\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: authorization";
our $LetIn = '^HTTP/1[.]1 200 OK.*X-Result: preflight,\r\n';

no_long_string();
run_tests();

__DATA__

=== TEST 1: off by default, and where it says so
--- http_config eval: $::HttpConfig
--- config eval
"location = /off { token_auth_preflight off; proxy_pass http://127.0.0.1:1; } $::Upstream"
--- request eval
['OPTIONS /secret', 'OPTIONS /off']
--- more_headers eval: [($::Preflight) x 2]
--- answer eval
[('credentials_missing') x 2]


=== TEST 2: a preflight passes, whatever is required, and without a store
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config eval
"token_auth_scope agents:write; location = /lost { token_auth_db $ENV{TEST_NGINX_DIR}/nowhere; token_auth_preflight on;
proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}/upstream/; add_header X-Result \$token_auth_result,; } $::Upstream"
--- request eval
['OPTIONS /secret', 'OPTIONS /lost']
--- more_headers eval: [($::Preflight) x 2]
--- error_code eval: [(200) x 2]
--- response_body eval: [("secret\n") x 2]
--- raw_response_headers_like eval: [($::LetIn) x 2]


=== TEST 3: what lacks a part of a preflight is none
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config eval: $::Upstream
--- request eval
['GET /secret', 'POST /secret', ('OPTIONS /secret') x 6]
--- more_headers eval
my ($origin, $method) = split /\n/, $::Preflight;
[$::Preflight, $::Preflight, 'X-A: 1', $origin, $method, "Origin:\n$method", "$::Preflight\nAccess-Control-Request-Method: PUT",
    "$::Preflight\nOrigin: https://app.example"]
--- answer eval
[('credentials_missing') x 8]


=== TEST 4: credentials in the Authorization field are decided about
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config eval: $::Upstream
--- request eval
[('OPTIONS /secret') x 4]
--- more_headers eval
[map { "$::Preflight\nAuthorization: $_" } 'Bearer expired-token', 'Bearer a,b', 'Bearer', 'Bearer nobody-token']
--- answer eval
[qw(token_expired token_malformed request_malformed token_unknown)]


=== TEST 5: so that a token's own rights hold, and another scheme is nobody's credential here
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config eval: $::Upstream
--- request eval
[('OPTIONS /secret') x 2]
--- more_headers eval
[map { "$::Preflight\nAuthorization: $_" } 'Bearer acme-token', 'Basic YWNtZTphY21l']
--- error_code eval: [200, 200]
--- response_headers eval
['X-Result: ok,acme', 'X-Result: preflight,']


=== TEST 6: a token in another field or a cookie counts, one in an argument does not
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_preflight on;
token_auth api token=$http_x_api_key token=$cookie_token token=$arg_token;
--- config eval: $::Upstream
--- request eval
[('OPTIONS /secret') x 2, ('OPTIONS /secret?token=expired-token') x 2, 'GET /secret?token=expired-token']
--- more_headers eval
["$::Preflight\nX-Api-Key: expired-token", "$::Preflight\nCookie: token=expired-token",
    "$::Preflight\nX-Api-Key: expired-token", "$::Preflight\nCookie: token=expired-token", $::Preflight]
--- answer eval
[('token_expired') x 5]


=== TEST 7: browsers keep the query
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_preflight on;
token_auth api token=$arg_token token=authorization;
--- config eval: $::Upstream
--- request eval
['OPTIONS /secret?token=acme-token', 'OPTIONS /secret?token=expired-token', 'OPTIONS /secret?token=a,b']
--- more_headers eval: [($::Preflight) x 3]
--- error_code eval: [(200) x 3]
--- raw_response_headers_like eval: [($::LetIn) x 3]


=== TEST 8: before token_auth_anonymous, and under "satisfy any"
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config eval
"token_auth_anonymous on; satisfy any; deny all; $::Upstream"
--- request
OPTIONS /secret
--- more_headers eval: $::Preflight
--- raw_response_headers_like eval: $::LetIn


=== TEST 9: a credential that was taken counts, though its field is gone
--- http_config eval: "$::HttpConfig token_auth_preflight on;"
--- config
location = /secret { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream; }
location = /upstream { token_auth off; token_auth_forward off; add_header X-Accel-Redirect /inside; return 200 "$http_authorization"; }
location = /inside { internal; token_auth_scope sites:read; }
--- request
OPTIONS /secret
--- more_headers eval: "$::Preflight\nAuthorization: Bearer acme-token"
--- answer: scope_missing
--- scope: sites:read


=== TEST 10: per method, in limit_except
--- http_config eval: $::HttpConfig
--- config eval
"location = /secret { limit_except GET { token_auth_preflight on; } proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}/upstream/; }
location /upstream/ { token_auth off; return 200 secret; }"
--- request
OPTIONS /secret
--- more_headers eval: $::Preflight
--- error_code: 200
