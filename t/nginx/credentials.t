# Which Authorization fields hold a credential, and which do not.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

# Tokens at the limits of token68, each let in.
our @Forms = ('Aa0-._~+/', 'a', 'a=', 'a==', '0', '-', '.', '_', '~', '+', '/', 'YWJj' x 1000,
    'ak_x.y', 'pat_x.y');
my $number = 0;
import_lines(map { token_line('form-' . ++$number, 'organization', organization => 'acme', token => $_) } @Forms);
tokensync('run');

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DB;
token_auth api;
large_client_header_buffers 4 16k;
END

no_long_string();
run_tests();

__DATA__

=== TEST 1: both schemes, in any case
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 8]
--- more_headers eval
[map { "Authorization: $_ acme-token" } qw(Bearer bearer BEARER bEaReR Token token TOKEN tOkEn)]
--- answer eval
[('let in') x 8]


=== TEST 2: one or more spaces before the token, spaces after it
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 5]
--- more_headers eval
[map { "Authorization: $_" } 'Bearer acme-token', 'Bearer  acme-token',
    'Bearer' . ' ' x 100 . 'acme-token', 'Bearer acme-token   ', 'Token   acme-token  ']
--- answer eval
[('let in') x 5]


=== TEST 3: every byte of token68 and no padding, one or more of it
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x @::Forms]
--- more_headers eval
[map { "Authorization: Bearer $_" } @::Forms]
--- answer eval
[('let in') x @::Forms]


=== TEST 4: a token is compared byte by byte, its case and its padding too
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 6]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(Acme-token acme-toke acme-tokens acme-token= a=== A)]
--- answer eval
[('token_unknown') x 6]


=== TEST 5: what is there but no token68
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 22]
--- more_headers eval
[map { "Authorization: Bearer $_" } 'acme-token,', 'acme-token;x', 'acme-token extra', 'a b', '=',
    '==', 'a=b', '=a', '"acme-token"', 'acme%2Dtoken', 'acme:token', '<acme-token>', 'acme@token',
    'acme!', 'acme\token', 'acme{token}', "acme\ttoken", "acme\x{7f}", "acme\x{e4}token",
    "acme\x{c3}\x{a4}", "\x{80}", "\x{ff}\x{fe}"]
--- answer eval
[('token_malformed') x 22]


=== TEST 6: the same under the scheme Token
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[map { "Authorization: Token $_" } 'acme-token,', 'acme-token extra', "acme\x{ff}", '=']
--- answer eval
[('token_malformed') x 4]


=== TEST 7: 4096 bytes are a token, 4097 are none
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 5]
--- more_headers eval
['Authorization: Bearer ' . 'x' x 4096, 'Authorization: Bearer ' . 'x' x 4097,
    'Authorization: Bearer ' . 'y' x 4096, 'Authorization: Bearer ' . 'x' x 12000,
    'Authorization: Token token="' . 'x' x 4096 . '"']
--- answer eval
['let in', 'token_malformed', 'token_unknown', 'token_malformed', 'let in']


=== TEST 8: parameters, as Rails clients send them
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 9]
--- more_headers eval
[map { "Authorization: $_" } 'Token token="acme-token"', 'token token="acme-token"',
    'TOKEN TOKEN="acme-token"', 'Token   token="acme-token"  ', 'Token token="acme-token", nonce="x"',
    'Token nonce="x",token="acme-token"', 'Token token=acme-token', 'Token ,, Token = acme-token ,', 'Token token=acme-token,nonce=x']
--- answer eval
[('let in') x 9]


=== TEST 9: broken parameters
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 10]
--- more_headers eval
[map { "Authorization: Token $_" } 'token="acme-token', 'token="', 'token=""', 'token="acme-token"x',
    'token="acme-token"; nonce="x"', 'token="acme"token"', 'token="acme-token" "',
    'token="acme-token", token="acme-token"', 'nonce="x"', 'acme-token, nonce="x"']
--- answer eval
[('request_malformed') x 10]


=== TEST 10: a quoted form whose content is no token68
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[map { "Authorization: Token $_" } 'token="acme token"', 'token=" acme-token"', 'token="a,b"',
    'token="' . 'x' x 4097 . '"']
--- answer eval
[('token_malformed') x 4]


=== TEST 11: Bearer has no quoted form
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Authorization: Bearer token="acme-token"
--- answer: token_malformed


=== TEST 12: a scheme of ours with nothing behind it, or with something else than a space
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 7]
--- more_headers eval
[map { "Authorization: $_" } 'Bearer', 'Token', 'bearer', 'Bearer:', 'Bearer=acme-token',
    'Bearer,acme-token', 'Token"acme-token"']
--- answer eval
[('request_malformed') x 7]


=== TEST 13: a scheme of ours with only spaces behind it
--- http_config eval: $::HttpConfig
--- config
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer    \r\n\r\n"
--- answer: request_malformed


=== TEST 14: any other scheme is no credential of ours
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 12]
--- more_headers eval
[map { "Authorization: $_" } 'Basic YWNtZTphY21l', 'Digest username="x"', 'Negotiate YWNtZQ==',
    'Bearers acme-token', 'Beare acme-token', 'Tokens acme-token', 'X-Bearer acme-token',
    'DPoP acme-token', 'acme-token', 'Basic', 'ApiKey acme-token', 'Bearer2 acme-token']
--- answer eval
[('credentials_missing') x 12]


=== TEST 15: an empty field, or none
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['Authorization:', 'X-Authorization: Bearer acme-token']
--- answer eval
[('credentials_missing') x 2]


=== TEST 16: more than one field is refused, by nginx itself where it sees to that
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 7]
--- more_headers eval
[map { CORE::join "\n", @$_ } ['Authorization: Bearer acme-token', 'Authorization: Bearer acme-token'],
    ['Authorization: Bearer acme-token', 'Authorization: Basic YWNtZTphY21l'],
    ['Authorization: Basic YWNtZTphY21l', 'Authorization: Bearer acme-token'],
    ['Authorization: Basic YWNtZTphY21l', 'Authorization: Basic YWNtZTphY21l'],
    ['Authorization: Bearer acme-token', 'Authorization:'],
    ['Authorization: Bearer nobody-token', 'Authorization: Token acme-token',
        'Authorization: Bearer acme-token'],
    ['authorization: Bearer acme-token', 'AUTHORIZATION: Bearer acme-token']]
--- error_code eval
[(400) x 7]
--- response_body_unlike eval
[('secret\n') x 7]
--- raw_response_headers_unlike eval
[('200 OK') x 7]


=== TEST 17: the field's name is matched in any case
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 2]
--- more_headers eval
['AUTHORIZATION: Bearer acme-token', 'authorization: Bearer acme-token']
--- answer eval
[('let in') x 2]


=== TEST 18: a NUL never gets past nginx
--- http_config eval: $::HttpConfig
--- config
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer acme-token\0\r\n\r\n"
--- error_code: 400
--- response_body_unlike: secret
--- raw_response_headers_unlike: 200 OK


=== TEST 19: a token elsewhere in the request is no credential
--- http_config eval: $::HttpConfig
--- config
--- request eval
['GET /secret?access_token=acme-token', "POST /secret\naccess_token=acme-token", 'GET /secret']
--- more_headers eval
['X-A: 1', 'Content-Type: application/x-www-form-urlencoded',
    'Cookie: access_token=acme-token; Authorization=Bearer acme-token']
--- answer eval
[('credentials_missing') x 3]
