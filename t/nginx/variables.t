# The variables: their values for each kind of token, and in every place where nginx evaluates them.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use Test::Nginx::TokenAuth;
use TokenAuth::Answers;

our $HttpConfig = <<'END';
token_auth_db $TEST_NGINX_DB;
log_format who "who=$token_auth_result,$token_auth_id,$token_auth_kind,$token_auth_subject,$token_auth_org,"
    "$token_auth_group,$token_auth_role,$token_auth_scopes,$token_auth_name,$token_auth_expires";
log_format store "store=$token_auth_generation,$token_auth_age,";
access_log logs/access.log who;
access_log logs/access.log store;
END

# A copy of the store, two seconds old.
system('cp', '-r', store_dir(), gateway_dir() . '/aged') == 0 or die 'cannot copy the store';
sleep 2;

no_long_string();
run_tests();

__DATA__

=== TEST 1: of an organization's token
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer acme-token
--- answer: let in
--- access_log eval
[qr/^who=ok,acme,organization,tu-acme,acme,,,agents:read agents:write,acme,4102444800$/m, qr/^store=[1-9][0-9]+,[0-9]{1,2},$/m]


=== TEST 2: of a group's token
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer acme-devs-token
--- answer: let in
--- access_log eval
[qr/^who=ok,acme-devs,group,tu-acme-devs,acme,devs,reader,agents:read sites:read,acme-devs,4102444800$/m]


=== TEST 3: of a user's token
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer alice-token
X-Org-Id: globex
--- answer: let in
--- access_log eval
[qr/^who=ok,alice,user,alice,globex,,reader,agents:read sites:read,alice,4102444800$/m]


=== TEST 4: of a user's token without an organization
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_org optional;
--- more_headers
Authorization: Bearer alice-limited-token
--- answer: let in
--- access_log eval
[qr/^who=ok,alice-limited,user,alice,,,,agents:read,alice-limited,4102444800$/m]


=== TEST 5: effective scopes are what role and token both allow
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer acme-reader-token
--- answer: let in
--- access_log eval
[qr/^who=ok,acme-reader,organization,tu-acme-reader,acme,,reader,agents:read,acme-reader,4102444800$/m]


=== TEST 6: a token that never expires, and one with no scopes
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer forever-token
--- answer: let in
--- access_log eval
[qr/^who=ok,forever,organization,tu-forever,acme,,,,forever,$/m]


=== TEST 7: of who is let through without credentials
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_anonymous on;
--- answer: let in
--- access_log eval
[qr/^who=anonymous,,,,,,,,,$/m, qr/^store=,,$/m]


=== TEST 8: where enforcement is off
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Authorization: Bearer acme-token
--- answer: let in
--- access_log eval
[qr/^who=,,,,,,,,,$/m, qr/^store=,,$/m]


=== TEST 9: where the realm evaluates to off
--- http_config eval: $::HttpConfig
--- config
token_auth $http_x_realm;
--- more_headers
Authorization: Bearer acme-token
X-Realm: off
--- answer: let in
--- access_log eval
[qr/^who=,,,,,,,,,$/m]


=== TEST 10: of who is denied before a token is known
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
['X-A: 1', 'Authorization: Bearer a,b', 'Authorization: Bearer nobody-token']
--- error_code eval
[(401) x 3]
--- access_log eval
[qr/^who=credentials_missing,,,,,,,,,$/m]


=== TEST 11: of a malformed token, with no word of it
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer secret,part
--- answer: token_malformed
--- access_log eval
[qr/^who=token_malformed,,,,,,,,,$/m]
--- no_access_log
secret,part


=== TEST 12: of an unknown token: the store is named, nobody else is
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer nobody-token
--- answer: token_unknown
--- access_log eval
[qr/^who=token_unknown,,,,,,,,,$/m, qr/^store=[1-9][0-9]+,[0-9]{1,2},$/m]


=== TEST 13: of a token that is known and denied: whose it is, and no rights
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer expired-token
--- answer: token_expired
--- access_log eval
[qr/^who=token_expired,expired,organization,,,,,,expired,1767225600$/m]


=== TEST 14: of a user who is no member of what was asked for
--- http_config eval: $::HttpConfig
--- config
token_auth api;
--- more_headers
Authorization: Bearer bob-token
X-Org-Id: globex
--- answer: not_a_member
--- access_log eval
[qr/^who=not_a_member,bob,user,,,,,,bob,4102444800$/m]


=== TEST 15: of a store that is not there
--- http_config
log_format who "who=$token_auth_result,$token_auth_id,$token_auth_generation,$token_auth_age,";
access_log logs/access.log who;
--- config
token_auth api;
token_auth_db $TEST_NGINX_DIR/nowhere;
--- more_headers
Authorization: Bearer acme-token
--- answer: store_unavailable
--- access_log eval
[qr/^who=store_unavailable,,,,$/m]


=== TEST 16: after try_files to a file and to a named location
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location /a { try_files /nothing /secret; }
location /b { try_files /nothing @c; }
location @c { rewrite ^ /secret break; add_header X-Id "$token_auth_id $token_auth_org"; }
--- request eval
['GET /a', 'GET /b']
--- more_headers
Authorization: Bearer acme-token
--- error_code eval
[200, 200]
--- response_headers eval
['X-A:', 'X-Id: acme acme']
--- access_log eval
[qr/^who=ok,acme,organization/m]


=== TEST 17: after an internal redirect into a location where enforcement is off
--- http_config eval: $::HttpConfig
--- config
location /a { token_auth api; try_files /nothing @c; }
location @c { rewrite ^ /secret break; add_header X-Id "$token_auth_id $token_auth_org"; }
--- request
GET /a
--- more_headers
Authorization: Bearer acme-token
--- response_headers
X-Id: acme acme
--- response_body
secret


=== TEST 18: after X-Accel-Redirect
--- http_config eval: $::HttpConfig
--- config
location = /outer { token_auth api; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/accel; }
location = /accel { add_header X-Accel-Redirect /inner; return 200; }
location = /inner { internal; alias html/secret; add_header X-Id "$token_auth_id $token_auth_scopes"; }
--- request
GET /outer
--- more_headers
Authorization: Bearer acme-token
--- response_headers
X-Id: acme agents:read agents:write
--- response_body
secret


=== TEST 19: after an error_page, of who was denied and of who was let in
--- http_config eval: $::HttpConfig
--- config
error_page 401 404 /error;
location = /a { token_auth api; }
location = /error { add_header X-Id "$token_auth_result,$token_auth_id" always; alias html/secret; }
--- request eval
[('GET /a') x 3]
--- more_headers eval
['X-A: 1', 'Authorization: Bearer expired-token', 'Authorization: Bearer acme-token']
--- error_code eval
[401, 401, 404]
--- response_headers eval
['X-Id: credentials_missing,', 'X-Id: token_expired,', 'X-Id: ok,acme']


=== TEST 20: a second location, reached after the first has let in, decides anew
--- http_config eval: $::HttpConfig
--- config
location = /first { token_auth api token=$arg_token; try_files /nothing /secret; }
location = /secret { token_auth api; add_header X-Id "$token_auth_result,$token_auth_id" always; }
--- request eval
[('GET /first?token=acme-token') x 3]
--- more_headers eval
['Authorization: Bearer globex-token', 'Authorization: Bearer expired-token', 'X-A: 1']
--- error_code eval
[200, 401, 401]
--- response_headers eval
['X-Id: ok,globex', 'X-Id: token_expired,', 'X-Id: credentials_missing,']
--- access_log eval
[qr/^who=ok,globex,organization,tu-globex,globex,/m]


=== TEST 21: in a subrequest of SSI, proxied with what the variables say
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /page { ssi on; ssi_types text/plain; alias html/page; }
location = /part {
    proxy_set_header X-Who "$token_auth_id/$token_auth_subject/$token_auth_scopes/$token_auth_expires";
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner;
}
location = /inner { token_auth off; return 200 "[$http_x_who]"; }
--- user_files
>>> page
<!--# include virtual="/part" --> <!--# echo var="token_auth_result" -->
--- request
GET /page
--- more_headers
Authorization: Bearer acme-token
--- response_body
[acme/tu-acme/agents:read agents:write/4102444800] ok


=== TEST 22: in a subrequest of auth_request, which runs after the token was checked
--- http_config eval: $::HttpConfig
--- config
location = /secret { token_auth api; auth_request /auth; auth_request_set $who $upstream_http_x_who; add_header X-Who $who; }
location = /auth {
    internal;
    proxy_pass_request_body off;
    proxy_set_header X-Id $token_auth_id;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner;
}
location = /inner { add_header X-Who "$http_x_id seen"; return 204; }
--- more_headers
Authorization: Bearer acme-token
--- response_headers
X-Who: acme seen
--- response_body
secret


=== TEST 23: in a mirrored subrequest
--- config
location = /secret { token_auth api; mirror /mirror; }
location = /mirror { internal; proxy_set_header X-Id $token_auth_id; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; }
location = /inner { access_log logs/access.log inner; return 204; }
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format inner "inner=$http_x_id,";
--- more_headers
Authorization: Bearer acme-token
--- answer: let in
--- wait: 0.1
--- access_log
inner=acme,


=== TEST 24: asked for before the access phase, and once more after it
--- http_config
token_auth_db $TEST_NGINX_DB;
map $token_auth_id $mapped { volatile; default "map:$token_auth_id"; "" none; }
--- config
token_auth api;
set $early "$token_auth_id";
add_header X-Id "[$early] [$token_auth_id] [$mapped]";
--- more_headers
Authorization: Bearer acme-token
--- response_headers
X-Id: [acme] [acme] [map:acme]
--- response_body
secret


=== TEST 25: a name with anything in it is escaped by the log, as nginx's own variables are
--- token_store
{"type":"organization","id":"acme"}
{"type":"token","id":"ci","token":"named-token","kind":"organization","organization":"acme","name":"CI \"x\" \\ \u00e9"}
--- http_config
token_auth_db $TEST_NGINX_TOKEN_STORE;
log_format who escape=json '{"name":"$token_auth_name"}';
access_log logs/access.log who;
--- config
token_auth api;
--- more_headers
Authorization: Bearer named-token
--- answer: let in
--- access_log eval
[qr/^[{]"name":"CI \\"x\\" \\\\ \x{c3}\x{a9}"[}]$/m]


=== TEST 26: the age counts up in seconds
--- http_config
token_auth_db $TEST_NGINX_DIR/aged;
--- config
token_auth api;
add_header X-Age $token_auth_age;
--- more_headers
Authorization: Bearer acme-token
--- error_code: 200
--- response_headers_like
X-Age: ([2-9]|[1-9][0-9])
