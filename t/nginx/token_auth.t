# The directive token_auth: the realm, "off", inheritance, and tokens from a variable.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

our $HttpConfig = 'token_auth_db $TEST_NGINX_DB;';

no_long_string();
run_tests();

__DATA__

=== TEST 1: off is the default
--- http_config eval: $::HttpConfig
--- config
--- answer: let in


=== TEST 2: in location
--- http_config eval: $::HttpConfig
--- config
location /in { alias html/secret; token_auth here; }
location /out { alias html/secret; }
--- request eval
['GET /in', 'GET /out', 'GET /secret']
--- answer eval
['credentials_missing', 'let in', 'let in']
--- realm: here


=== TEST 3: in server, with a location that turns it off
--- http_config eval: $::HttpConfig
--- config
token_auth server;
location /off { alias html/secret; token_auth off; }
location /on { alias html/secret; }
--- request eval
['GET /on', 'GET /off', 'GET /secret']
--- answer eval
['credentials_missing', 'let in', 'credentials_missing']
--- realm: server


=== TEST 4: in http, and a location that takes another realm
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth http;
--- config
location /other { alias html/secret; token_auth other; }
--- request
GET /other
--- answer: credentials_missing
--- realm: other


=== TEST 5: in http, inherited down to a nested location
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth http;
--- config
location /a { location /a/b { alias html/secret; } }
--- request eval
['GET /a/b', 'GET /a/b']
--- more_headers eval
['X-A: 1', 'Authorization: Bearer acme-token']
--- answer eval
['credentials_missing', 'let in']
--- realm: http


=== TEST 6: in limit_except, for the methods that are not excepted
--- http_config eval: $::HttpConfig
--- config
location = /secret { limit_except GET { token_auth writers; } }
--- request eval
['GET /secret', 'HEAD /secret', "POST /secret\nx", 'DELETE /secret']
--- answer eval
['let in', 'let in', 'credentials_missing', 'credentials_missing']
--- realm: writers


=== TEST 7: turned off in limit_except
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /secret { limit_except POST PUT { token_auth off; } }
--- request eval
['GET /secret', "POST /secret\nx"]
--- answer eval
['let in', 'credentials_missing']


=== TEST 8: an if block inherits
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /secret { if ($arg_x) { set $y 1; } }
--- request eval
['GET /secret?x=1', 'GET /secret']
--- answer eval
['credentials_missing', 'credentials_missing']


=== TEST 9: requirements set in an outer block hold where it is turned on in an inner one
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_scope agents:read;
--- config
location = /secret { token_auth api; }
--- request eval
['GET /secret', 'GET /secret']
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Bearer acme-bare-token']
--- answer eval
['let in', 'scope_missing']
--- scope: agents:read


=== TEST 10: a realm with spaces, quotes and a backslash
--- http_config eval: $::HttpConfig
--- config
token_auth 'the "good" \\ realm';
--- answer: credentials_missing
--- realm: the \"good\" \\ realm


=== TEST 11: an empty realm is one
--- http_config eval: $::HttpConfig
--- config
token_auth "";
--- answer: credentials_missing
--- realm eval: ''


=== TEST 12: a realm with variables
--- http_config eval: $::HttpConfig
--- config
token_auth "$host of $arg_x";
--- request
GET /secret?x=7
--- answer: credentials_missing
--- realm: localhost of 7


=== TEST 13: what a client writes into the realm stays within the quotes
--- http_config eval: $::HttpConfig
--- config
token_auth "x$http_x_realm";
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-Realm: ", error="none', 'X-Realm: ", error="none', 'X-Realm: ", error="none']
--- answer eval
[qw(credentials_missing credentials_missing credentials_missing)]
--- realm: x\", error=\"none


=== TEST 14: a backslash at the end does not escape the closing quote
--- http_config eval: $::HttpConfig
--- config
token_auth $http_x_realm;
--- more_headers
X-Realm: a\
--- answer: credentials_missing
--- realm: a\\


=== TEST 15: control characters cannot end the field
--- http_config eval: $::HttpConfig
--- config
token_auth "a\r\nX-Evil: 1\r\n\r\nb";
--- answer: credentials_missing
--- realm: aX-Evil: 1b


=== TEST 16: control characters of a client either, while a tab and bytes beyond ASCII may stand
--- http_config eval: $::HttpConfig
--- config
token_auth $http_x_realm;
--- more_headers eval
"X-Realm: a\x{01}\x{1b}\x{7f}b\tc\x{c3}\x{a4}"
--- answer: credentials_missing
--- realm eval: "ab\tc\x{c3}\x{a4}"


=== TEST 17: a realm that evaluates to "off" lets through
--- http_config
token_auth_db $TEST_NGINX_DB;
map $request_method $realm { default api; OPTIONS off; GET off; }
--- config
token_auth $realm;
--- request eval
['GET /secret', "POST /secret\nx", 'GET /secret']
--- more_headers eval
['X-A: 1', 'X-A: 1', 'Authorization: Bearer expired-token']
--- answer eval
['let in', 'credentials_missing', 'let in']


=== TEST 18: only "off" itself does
--- http_config eval: $::HttpConfig
--- config
token_auth $http_x_realm;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['X-Realm: Off', 'X-Realm: Off']
--- answer eval
['credentials_missing', 'credentials_missing']
--- realm: Off


=== TEST 19: an empty variable is an empty realm, not "off"
--- http_config eval: $::HttpConfig
--- config
token_auth $http_x_realm;
--- answer: credentials_missing
--- realm eval: ''


=== TEST 20: a token from a header field of its own
--- config
token_auth api token=$http_x_api_key;
--- request eval
[('GET /secret') x 6]
--- more_headers eval
['X-Api-Key: acme-token', 'X-Api-Key: nobody-token', 'X-Api-Key: Bearer acme-token', 'X-Api-Key:',
    'Authorization: Bearer acme-token', 'X-Api-Key: ' . 'y' x 4097]
--- answer eval
['let in', qw(token_unknown token_malformed credentials_missing credentials_missing token_malformed)]
--- http_config
token_auth_db $TEST_NGINX_DB;
large_client_header_buffers 4 16k;


=== TEST 21: a token from an argument
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$arg_access_token;
--- request eval
['GET /secret?access_token=acme-token', 'GET /secret?x=1&access_token=acme-token',
    'GET /secret?access_token=nobody', 'GET /secret?access_token=', 'GET /secret',
    'GET /secret?access_token=acme%2Dtoken']
--- answer eval
['let in', 'let in', qw(token_unknown credentials_missing credentials_missing token_malformed)]


=== TEST 22: a token from a cookie
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$cookie_token;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
['Cookie: a=b; token=acme-token; c=d', 'Cookie: token=expired-token', 'Cookie: token="acme-token"',
    'Cookie: a=b']
--- answer eval
['let in', qw(token_expired token_malformed credentials_missing)]


=== TEST 23: a token from a map
--- http_config
token_auth_db $TEST_NGINX_DB;
map $http_authorization $given { default ""; "~^ApiKey (?<key>.+)$" $key; }
--- config
token_auth api token=$given;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['Authorization: ApiKey acme-token', 'Authorization: Bearer acme-token']
--- answer eval
['let in', 'credentials_missing']


=== TEST 24: token= is inherited with the realm, and goes with another one
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$http_x_api_key;
location /inherits { alias html/secret; }
location /own { alias html/secret; token_auth api; }
--- request eval
['GET /inherits', 'GET /own', 'GET /inherits', 'GET /own']
--- more_headers eval
['X-Api-Key: acme-token', 'X-Api-Key: acme-token', 'Authorization: Bearer acme-token',
    'Authorization: Bearer acme-token']
--- answer eval
['let in', 'credentials_missing', 'credentials_missing', 'let in']


=== TEST 25: a token in the request line is not in what the module logs of a denial
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$arg_access_token;
--- log_level: info
--- request
GET /secret?access_token=nobody-token
--- answer: token_unknown
--- no_error_log
nobody-token


=== TEST 26: a token is looked for in several places, in order
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$http_x_api_key token=authorization token=$arg_k;
--- request eval
['GET /secret', 'GET /secret', 'GET /secret?k=acme-token', 'GET /secret?k=acme-token', 'GET /secret?k=globex-token',
    'GET /secret?k=acme-token', 'GET /secret', 'GET /secret']
--- more_headers eval
['X-Api-Key: acme-token', 'Authorization: Bearer acme-token', 'X-A: 1',
    "X-Api-Key: acme-token\nAuthorization: Token acme-token", 'X-Api-Key: acme-token', 'Authorization: Bearer a,b',
    "X-Api-Key: nobody-token\nAuthorization: Basic eDp4", 'Authorization: Basic eDp4']
--- answer eval
[('let in') x 4, 'request_malformed', 'request_malformed', 'token_unknown', 'credentials_missing']


=== TEST 27: only the places that are named
--- http_config eval: $::HttpConfig
--- config
token_auth api token=authorization;
location /key { alias html/secret; token_auth api token=$http_x_api_key token=$arg_k; }
--- request eval
['GET /secret', 'GET /secret', 'GET /key', 'GET /key?k=acme-token']
--- more_headers eval
['Authorization: Bearer acme-token', 'X-Api-Key: acme-token', 'Authorization: Bearer acme-token', 'X-A: 1']
--- answer eval
['let in', 'credentials_missing', 'credentials_missing', 'let in']


=== TEST 28: a token that was taken is remembered for a later check, be it gone from the URI or the fields
--- http_config eval: $::HttpConfig
--- config
location = /try { token_auth api token=$arg_k; try_files /nothing /second?x=1; }
location = /named { token_auth api token=$arg_k; try_files /nothing @second; }
location = /missing { token_auth api token=$arg_k; error_page 404 = /second; }
location = /accel { token_auth api token=$arg_k; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/to; }
location = /field { token_auth api; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/to-field; }
location = /to { add_header X-Accel-Redirect /second; return 200; }
location = /to-field { add_header X-Accel-Redirect /third; return 200; }
location = /second { token_auth api token=$arg_k; alias html/secret; }
location @second { token_auth api token=$arg_k; rewrite ^ /secret break; }
location = /third { token_auth api; alias html/secret; }
--- request eval
[map { "GET /$_?k=acme-token" } qw(try named missing accel field)]
--- more_headers
Authorization: Bearer globex-token
--- answer eval
[('let in') x 5]


=== TEST 29: it wins over what stands there later, refused or not
--- http_config eval: $::HttpConfig
--- config
location = /try { token_auth api token=$arg_k; try_files /nothing /second?k=globex-token; }
location = /refused { token_auth api token=$arg_k; error_page 401 = /second?k=globex-token; }
location = /second { token_auth api token=${arg_k}; alias html/secret; add_header X-Result "$token_auth_result,$token_auth_id" always; }
--- request eval
['GET /try?k=acme-token', 'GET /refused?k=expired-token', 'GET /refused?k=a,b', 'GET /refused']
--- error_code eval
[200, 401, 401, 200]
--- response_headers eval
['X-Result: ok,acme', 'X-Result: token_expired,', 'X-Result: token_malformed,', 'X-Result: ok,globex']


=== TEST 30: for checks that name that place
--- http_config eval: $::HttpConfig
--- config
location = /first { token_auth api token=$arg_k token=$http_x_api_key; try_files /nothing /second; }
location = /second { token_auth api token=$http_x_api_key; alias html/secret; }
--- request eval
['GET /first?k=acme-token', 'GET /first', 'GET /first?k=acme-token']
--- more_headers eval
['X-A: 1', 'X-Api-Key: acme-token', 'X-Api-Key: acme-token']
--- answer eval
['credentials_missing', 'let in', 'let in']
