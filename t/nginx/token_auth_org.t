# The directive token_auth_org: where a request names its organization, and whether it must.
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

=== TEST 1: required by default, from X-Org-Id
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 6]
--- more_headers eval
["Authorization: Bearer bob-token\nX-Org-Id: acme", "Authorization: Bearer bob-token",
    "Authorization: Bearer bob-token\nX-Org-Id:", "Authorization: Bearer acme-token",
    "Authorization: Bearer acme-token\nX-Org-Id: acme", "Authorization: Bearer acme-token\nX-Org-Id: globex"]
--- answer eval
['let in', 'organization_missing', 'organization_missing', 'let in', 'let in', 'organization_mismatch']


=== TEST 2: the same when it says so, and in a group's token
--- http_config eval: $::HttpConfig
--- config
token_auth_org required;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
["Authorization: Bearer bob-token", "Authorization: Bearer acme-devs-token",
    "Authorization: Bearer acme-devs-token\nX-Org-Id: acme", "Authorization: Bearer acme-devs-token\nX-Org-Id: globex"]
--- answer eval
['organization_missing', 'let in', 'let in', 'organization_mismatch']


=== TEST 3: optional, a user may name none
--- http_config eval: $::HttpConfig
--- config
token_auth_org optional;
--- request eval
[('GET /secret') x 7]
--- more_headers eval
["Authorization: Bearer bob-token", "Authorization: Bearer bob-token\nX-Org-Id: acme",
    "Authorization: Bearer bob-token\nX-Org-Id: globex", "Authorization: Bearer bob-token\nX-Org-Id: a b",
    "Authorization: Bearer alice-token\nX-Org-Id: hooli", "Authorization: Bearer acme-token",
    "Authorization: Bearer acme-token\nX-Org-Id: globex"]
--- answer eval
['let in', 'let in', 'not_a_member', 'organization_malformed', 'organization_suspended', 'let in',
    'organization_mismatch']


=== TEST 4: off, what the request says is passed over, but a token's own organization still counts
--- http_config eval: $::HttpConfig
--- config
token_auth_org off;
--- request eval
[('GET /secret') x 5]
--- more_headers eval
["Authorization: Bearer bob-token", "Authorization: Bearer bob-token\nX-Org-Id: globex",
    "Authorization: Bearer acme-token\nX-Org-Id: globex", "Authorization: Bearer acme-token\nX-Org-Id: a b",
    "Authorization: Bearer hooli-token"]
--- answer eval
[('let in') x 4, 'organization_suspended']


=== TEST 5: from another header field
--- http_config eval: $::HttpConfig
--- config
token_auth_org required from=$http_x_anyreach_org;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
["Authorization: Bearer bob-token\nX-Anyreach-Org: acme", "Authorization: Bearer bob-token\nX-Org-Id: acme",
    "Authorization: Bearer acme-token\nX-Org-Id: globex"]
--- answer eval
['let in', 'organization_missing', 'let in']
--- organization: X-Anyreach-Org


=== TEST 6: from a capture of the host
--- config
return 500;
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
server {
    listen 127.0.0.1:$TEST_NGINX_SERVER_PORT;
    server_name ~^(?<tenant>[^.]+)\.example\.com$;
    token_auth_org required from=$tenant;
}
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: acme.example.com\r\nConnection: close\r\nAuthorization: Bearer bob-token\r\n\r\n"
--- answer: let in


=== TEST 7: from a capture of the host, of another organization
--- config
return 500;
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
server {
    listen 127.0.0.1:$TEST_NGINX_SERVER_PORT;
    server_name ~^(?<tenant>[^.]+)\.example\.com$;
    token_auth_org required from=$tenant;
}
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: globex.example.com\r\nConnection: close\r\nAuthorization: Bearer acme-token\r\n\r\n"
--- answer: organization_mismatch


=== TEST 8: from a capture of the path
--- http_config eval: $::HttpConfig
--- config
location ~ ^/orgs/(?<path_org>[^/]+)/ {
    token_auth_org required from=$path_org;
    rewrite ^ /secret break;
}
--- request eval
['GET /orgs/acme/', 'GET /orgs/globex/', 'GET /orgs/acme/', 'GET /orgs/globex/', 'GET /orgs/a%2Fb/',
    'GET /orgs/acme%00/', 'GET /orgs/%61cme/']
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme acme bob bob bob bob bob)]
--- error_code eval
[200, 403, 200, 403, 403, 400, 200]
--- response_body_like eval
['^secret', 'organization_mismatch', '^secret', 'not_a_member', 'not_a_member', '400 Bad', '^secret']


=== TEST 9: from literal text
--- http_config eval: $::HttpConfig
--- config
token_auth_org required from=acme;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token\nX-Org-Id: globex" } qw(acme bob globex)]
--- answer eval
['let in', 'let in', 'organization_mismatch']


=== TEST 10: what is no identifier
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 22]
--- more_headers eval
[(map { ("Authorization: Bearer bob-token\nX-Org-Id: $_", "Authorization: Bearer acme-token\nX-Org-Id: $_") }
    'acme, acme', 'acme,globex', 'acme globex', 'acme/devs', '"acme"', "acm\x{c3}\x{a9}", "acme\tx",
    'x' x 65, 'acme;', '.', '..')]
--- answer eval
[('organization_malformed') x 22]


=== TEST 11: identifiers that nobody has
--- http_config eval: $::HttpConfig
--- config
--- request eval
[('GET /secret') x 6]
--- more_headers eval
[map { "Authorization: Bearer bob-token\nX-Org-Id: $_" } 'initech', 'ACME', 'acme.', '...', '-', 'x' x 64]
--- answer eval
[('not_a_member') x 6]


=== TEST 12: spaces around the value are not part of it
--- http_config eval: $::HttpConfig
--- config
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer bob-token\r\nX-Org-Id:   acme  \r\n\r\n"
--- answer: let in


=== TEST 13: two values joined by a variable are malformed
--- http_config eval: $::HttpConfig
--- config
token_auth_org required from=$http_x_org_id$arg_org;
--- request eval
['GET /secret?org=acme', 'GET /secret', 'GET /secret?org=acme']
--- more_headers eval
["Authorization: Bearer bob-token", "Authorization: Bearer bob-token\nX-Org-Id: acme",
    "Authorization: Bearer bob-token\nX-Org-Id: acme,"]
--- answer eval
['let in', 'let in', 'organization_malformed']


=== TEST 14: several fields with different values are malformed, in every version of nginx
--- http_config
underscores_in_headers on;
token_auth_db $TEST_NGINX_DB;
token_auth api;
--- config
--- request eval
[('GET /secret') x 8]
--- more_headers eval
[map { CORE::join "\n", "Authorization: Bearer $_->[0]-token", @$_[1 .. $#$_] }
    ['bob', 'X-Org-Id: globex', 'X-Org-Id: acme'], ['bob', 'X-Org-Id: acme', 'X-Org-Id: globex'],
    ['acme', 'X-Org-Id: acme', 'X-Org-Id: globex'], ['bob', 'X-Org-Id: acme', 'X-Org-Id:'],
    ['bob', 'X-Org-Id:', 'X-Org-Id: acme'], ['bob', 'X-Org-Id: acme', 'x_org_id: globex'],
    ['bob', 'X-Org-Id: acme', 'X-Org-Id: acme'], ['bob', 'X_Org_Id: acme', 'x-org-id: acme']]
--- answer eval
[('organization_malformed') x 6, 'let in', 'let in']


=== TEST 15: inherited with its source, and set anew
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
token_auth_org optional from=$http_x_tenant;
--- config
location /inner { location = /inner/secret { alias html/secret; } }
location = /own { alias html/secret; token_auth_org required; }
location = /off { alias html/secret; token_auth_org off; }
--- request eval
['GET /secret', 'GET /inner/secret', 'GET /inner/secret', 'GET /own', 'GET /off']
--- more_headers eval
[map { "Authorization: Bearer bob-token\n$_: globex" } qw(X-Tenant X-Tenant X-Org-Id X-Org-Id X-Tenant)]
--- answer eval
['not_a_member', 'not_a_member', 'let in', 'not_a_member', 'let in']


=== TEST 16: the organization of the token is what counts, whoever names it
--- http_config eval: $::HttpConfig
--- config
add_header X-Org $token_auth_org always;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
["Authorization: Bearer acme-token", "Authorization: Bearer bob-token\nX-Org-Id: acme",
    "Authorization: Bearer bob-token\nX-Org-Id: globex", "Authorization: Bearer acme-devs-token\nX-Org-Id: acme"]
--- error_code eval
[200, 200, 403, 200]
--- response_headers eval
['X-Org: acme', 'X-Org: acme', 'X-Org:', 'X-Org: acme']
--- response_body_like eval
['^secret', '^secret', 'not_a_member', '^secret']


=== TEST 17: the remedy of a missing organization names the field, if it comes from one
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $http_x_other $http_x_mapped { default $http_x_other; }
--- config
token_auth_org required from=$arg_org;
location = /mapped { token_auth_org required from=$http_x_mapped; }
--- request eval
['GET /secret', 'GET /mapped']
--- more_headers
Authorization: Bearer bob-token
--- answer eval
[('organization_missing') x 2]
--- organization: none
