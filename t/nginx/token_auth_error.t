# The directive token_auth_error, and error_page, which wins over it.
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

=== TEST 1: a problem document by default, nginx's page by "html"
--- http_config eval: $::HttpConfig
--- config
token_auth_error html;
--- request eval
[('GET /secret') x 6]
--- more_headers eval
['X-A: 1', map { "Authorization: Bearer $_" } 'expired-token', 'elsewhere-token', 'alice-token', '', 'acme-token']
--- answer eval
[qw(credentials_missing token_expired address_not_allowed organization_missing request_malformed), 'let in']
--- html: 1


=== TEST 2: a store that is not there, in html
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
token_auth_error html;
--- more_headers
Authorization: Bearer acme-token
--- answer: store_unavailable
--- html: 1


=== TEST 3: inherited, and set anew
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
token_auth_error html;
--- config
location = /problem { alias html/secret; token_auth_error problem; }
--- request
GET /problem
--- answer: credentials_missing


=== TEST 4: HEAD in html
--- http_config eval: $::HttpConfig
--- config
token_auth_error html;
--- request
HEAD /secret
--- answer: credentials_missing
--- html: 1


=== TEST 5: an error_page that is a file
--- http_config eval: $::HttpConfig
--- config
error_page 401 /401.txt;
location = /401.txt { token_auth off; }
--- user_files
>>> secret
secret
>>> 401.txt
my own page
--- request eval
['GET /secret', 'GET /secret', 'HEAD /secret']
--- more_headers eval
['X-A: 1', 'Authorization: Bearer expired-token', 'X-A: 1']
--- error_code eval
[401, 401, 401]
--- response_body eval
["my own page\n", "my own page\n", '']
--- raw_response_headers_like eval
my $tail = "Cache-Control: no-store\r\nWWW-Authenticate: Bearer realm=\"api\"%s\r\nWWW-Authenticate: Token realm=\"api\"%s\r\n";
my $error = ', error="invalid_token", error_description="Token has expired."';
["text/plain\r\n.*" . sprintf($tail, '', ''), "text/plain\r\n.*" . sprintf($tail, $error, $error),
    "text/plain\r\nContent-Length: 12\r\n.*" . sprintf($tail, '', '')]


=== TEST 6: an error_page that is a named location
--- http_config eval: $::HttpConfig
--- config
error_page 401 403 @denied;
location @denied { token_auth off; add_header X-Code $token_auth_result always; return 418 "$status $token_auth_result\n"; }
--- request eval
['GET /secret', 'GET /secret', 'GET /secret']
--- more_headers eval
['X-A: 1', 'Authorization: Bearer expired-token', 'Authorization: Bearer elsewhere-token']
--- error_code eval
[401, 401, 403]
--- response_body eval
["401 credentials_missing\n", "401 token_expired\n", "403 address_not_allowed\n"]
--- raw_response_headers_like eval
[('Cache-Control: no-store\r\nWWW-Authenticate: Bearer realm="api"[^\n]*\r\nWWW-Authenticate: Token realm="api"[^\n]*\r\n') x 3]


=== TEST 7: an error_page that changes the status
--- http_config eval: $::HttpConfig
--- config
error_page 401 =404 /404.txt;
location = /404.txt { token_auth off; }
--- user_files
>>> 404.txt
no such thing
--- error_code: 404
--- response_body
no such thing
--- raw_response_headers_unlike: problem


=== TEST 8: an error_page that leads elsewhere
--- http_config eval: $::HttpConfig
--- config
error_page 401 https://login.example/;
--- error_code: 302
--- response_headers
Location: https://login.example/
Content-Type: text/html
--- response_body_like: <title>302 Found</title>


=== TEST 9: an error_page in a location that denies too: the last denial answers, once
--- http_config eval: $::HttpConfig
--- config
error_page 401 /denied;
location = /denied { alias html/secret; }
--- request eval
['GET /x', 'GET /x']
--- more_headers eval
['X-A: 1', 'Authorization: Bearer expired-token']
--- answer eval
['credentials_missing', 'token_expired']


=== TEST 10: an error_page in a location with another realm and other schemes
--- http_config eval: $::HttpConfig
--- config
error_page 401 /denied;
location = /denied { alias html/secret; token_auth other; token_auth_schemes Token; }
--- request eval
['GET /x', 'GET /x']
--- more_headers eval
['X-A: 1', 'Authorization: Token expired-token']
--- answer eval
['credentials_missing', 'token_expired']
--- realm: other
--- schemes: Token


=== TEST 11: error pages that deny, and recurse by order, end as any cycle of redirects in nginx does
--- http_config eval: $::HttpConfig
--- config
recursive_error_pages on;
error_page 401 /denied;
--- request
GET /x
--- error_code: 500
--- response_body_unlike: ^secret


=== TEST 12: an error_page for another status does not stand in for ours
--- http_config eval: $::HttpConfig
--- config
error_page 404 500 502 /other.txt;
--- answer: credentials_missing


=== TEST 13: an error_page of a 503
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
error_page 503 @busy;
location @busy { token_auth off; return 503 "come back later\n"; }
--- more_headers
Authorization: Bearer acme-token
--- error_code: 503
--- response_body
come back later
--- response_headers
Retry-After: 5
Cache-Control: no-store


=== TEST 14: an upstream's error goes to error_page as ever, with nothing of ours
--- http_config eval: $::HttpConfig
--- config
error_page 502 /502.txt;
location = /secret { proxy_pass http://127.0.0.1:1/; }
location = /502.txt { token_auth off; }
--- user_files
>>> 502.txt
gone
--- more_headers
Authorization: Bearer acme-token
--- error_code: 502
--- response_body
gone
--- raw_response_headers_unlike: WWW-Authenticate|no-store


=== TEST 15: add_header, gzip and charset leave the document as it is
--- http_config eval: $::HttpConfig
--- config
add_header X-Own yes always;
gzip on; gzip_types *; gzip_min_length 1;
charset utf-8; charset_types *;
--- more_headers
Accept-Encoding: identity
--- error_code: 401
--- response_headers
X-Own: yes
--- response_body chomp
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Authentication is required.","code":"credentials_missing"}


=== TEST 16: a range is not cut out of a denial, nor is a condition asked
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Range: bytes=0-1
If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT
If-None-Match: *
--- answer: credentials_missing


=== TEST 17: gRPC's form, for requests of gRPC's type alone
--- http_config eval: $::HttpConfig
--- config
token_auth_error grpc;
--- request eval
[('POST /secret') x 4]
--- more_headers eval
[map { "Content-Type: $_" } 'application/grpc', 'application/grpc+proto', 'application/grpc;a=b', 'Application/GRPC']
--- error_code eval: [(200) x 4]
--- response_body eval: [('') x 4]
--- raw_response_headers_like eval
[('\AHTTP/1[.]1 200 OK\r\nServer: [^\r\n]+\r\nDate: [^\r\n]+\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: [^\r\n]+\r\n'
    . 'Cache-Control: no-store\r\nWWW-Authenticate: Bearer realm="api"\r\nWWW-Authenticate: Token realm="api"\r\n'
    . 'grpc-status: 16\r\ngrpc-message: Authentication is required[.]\r\n\z') x 4]


=== TEST 18: others get a problem document
--- http_config eval: $::HttpConfig
--- config
token_auth_error grpc;
--- request eval
[('POST /secret') x 5, 'GET /secret']
--- more_headers eval
[map({ "Content-Type: $_" } 'application/grpc-web', 'application/grpcs', 'application/grp', 'text/plain', ''), 'X-A: 1']
--- answer eval
[('credentials_missing') x 6]


=== TEST 19: without "grpc", gRPC requests get what others get
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Content-Type: application/grpc
--- answer: credentials_missing


=== TEST 20: an error_page wins over gRPC's form
--- http_config eval: $::HttpConfig
--- config
token_auth_error grpc;
error_page 401 @denied;
location @denied { token_auth off; return 418 "$token_auth_result\n"; }
--- more_headers
Content-Type: application/grpc
--- error_code: 401
--- response_body
credentials_missing
--- raw_response_headers_unlike: grpc-status

