# The variables before the access phase: whoever asks first makes the module decide.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

# What each variable is for the token of a group.
our @Values = (
    [ result => 'ok' ], [ id => 'acme-devs' ], [ kind => 'group' ], [ subject => 'tu-acme-devs' ],
    [ org => 'acme' ], [ group => 'devs' ], [ role => 'reader' ], [ scopes => 'agents:read sites:read' ],
    [ name => 'acme-devs' ], [ expires => '4102444800' ], [ generation => '[1-9][0-9]+' ], [ age => '[0-9]+' ],
);
our $Token = 'Authorization: Bearer acme-devs-token';

# Without the age, which is another one in the next second.
our @Keys = grep { $_->[0] ne 'age' } @Values;

# A text for each variable, NAME and VALUE (an expression) in it replaced.
sub each_of {
    my ($variables, $text) = @_;
    return map { my ($name, $value) = @$_; $text =~ s/NAME/$name/gr =~ s/VALUE/$value/gr } @$variables;
}

sub each_variable { return each_of(\@Values, @_) }
sub all_variables { return CORE::join('', each_variable(@_)) }
sub each_key      { return each_of(\@Keys, @_) }

our $HttpConfig = 'token_auth_db $TEST_NGINX_DB;';

no_long_string();
run_tests();

__DATA__

=== TEST 1: limit_req_zone: each variable is a key, so the second request is one too many
--- http_config eval
$::HttpConfig . main::all_variables('limit_req_zone $token_auth_NAME zone=NAME:1m rate=1r/m;')
--- config eval
main::all_variables('location = /NAME { token_auth api; limit_req zone=NAME; alias html/secret; }')
--- request eval
[map { ($_) x 2 } main::each_key('GET /NAME')]
--- more_headers eval: $::Token
--- error_code eval
[(200, 503) x @::Keys]


=== TEST 2: limit_conn_zone: each variable is a key, and one connection is none too many
--- http_config eval
$::HttpConfig . main::all_variables('limit_conn_zone $token_auth_NAME zone=NAME:1m;')
--- config eval
main::all_variables(<<'END')
location = /NAME { token_auth api; token_auth_forward off; limit_conn NAME 1; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/again/NAME; }
location = /again/NAME { token_auth api; limit_conn NAME 1; alias html/secret; }
END
--- request eval
[main::each_key('GET /NAME')]
--- more_headers eval: $::Token
--- error_code eval
[(503) x @::Keys]


=== TEST 3: map
--- http_config eval
$::HttpConfig . main::all_variables('map $token_auth_NAME $mapped_NAME { "~^VALUE$" right; default "wrong: $token_auth_NAME"; }')
--- config eval
main::all_variables('location = /NAME { token_auth api; set $early $mapped_NAME; add_header X-Early $early; alias html/secret; }')
--- request eval
[main::each_variable('GET /NAME')]
--- more_headers eval: $::Token
--- response_headers eval
[('X-Early: right') x @::Values]


=== TEST 4: if
--- http_config eval: $::HttpConfig
--- config eval
main::all_variables('location = /NAME { token_auth api; if ($token_auth_NAME ~ "^VALUE$") { add_header X-Early right; } alias html/secret; }')
--- request eval
[main::each_variable('GET /NAME')]
--- more_headers eval: $::Token
--- response_headers eval
[('X-Early: right') x @::Values]


=== TEST 5: set
--- http_config eval: $::HttpConfig
--- config eval
main::all_variables('location = /NAME { token_auth api; set $early "$token_auth_NAME"; add_header X-Early "[$early]"; alias html/secret; }')
--- request eval
[main::each_variable('GET /NAME')]
--- more_headers eval: $::Token
--- raw_response_headers_like eval
[main::each_variable('X-Early: \[VALUE\]\r\n')]


=== TEST 6: split_clients
--- http_config eval
$::HttpConfig . main::all_variables(CORE::join '', map { 'split_clients "$token_auth_NAME" $' . $_ . '_NAME { 50% a; * b; }' } qw(early late))
--- config eval
main::all_variables(<<'END')
location = /NAME { token_auth api; set $early $early_NAME; add_header X-Same "$early$late_NAME"; alias html/secret; }
END
--- request eval
[main::each_variable('GET /NAME')]
--- more_headers eval: $::Token
--- raw_response_headers_like eval
[('X-Same: (aa|bb)\r\n') x @::Values]


=== TEST 7: rewrite, and the text of return
--- http_config eval: $::HttpConfig
--- config eval
main::all_variables(<<'END')
location = /NAME { token_auth api; rewrite ^ /to/$token_auth_NAME; }
location = /text/NAME { token_auth api; return 200 "/to/$token_auth_NAME"; }
END
. 'location /to/ { return 200 $uri; }'
--- request eval
[main::each_variable('GET /NAME'), main::each_variable('GET /text/NAME')]
--- more_headers eval: $::Token
--- response_body_like eval
[(main::each_variable('^/to/VALUE$')) x 2]


=== TEST 8: access_log if=, which comes last
An age of 0 means no there.
--- http_config eval
$::HttpConfig . main::all_variables("log_format NAME 'logged NAME.';")
--- config eval
'token_auth api;' . main::all_variables('access_log logs/access.log NAME if=$token_auth_NAME;')
--- more_headers eval: $::Token
--- answer: let in
--- access_log eval
[main::each_key('logged NAME.')]


=== TEST 9: proxy_cache_key
--- http_config eval
$::HttpConfig . 'proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;'
--- config eval
main::all_variables(<<'END')
location = /NAME { token_auth api; proxy_cache cache; proxy_cache_valid 1m; proxy_cache_key "NAME $token_auth_NAME";
    proxy_ignore_headers Expires Cache-Control; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner; add_header X-Cache $upstream_cache_status; }
END
. 'location = /inner { return 200 "$msec"; }'
--- request eval
[map { ($_) x 2 } main::each_key('GET /NAME')]
--- more_headers eval: $::Token
--- response_headers eval
[('X-Cache: MISS', 'X-Cache: HIT') x @::Keys]


=== TEST 10: by token for who is let in, by address for refused requests
--- http_config
token_auth_db $TEST_NGINX_DB;
limit_req_zone $token_auth_id zone=tokens:1m rate=1r/m;
map $token_auth_id $refused { volatile; "" $binary_remote_addr; }
limit_req_zone $refused zone=refused:1m rate=1r/m;
limit_req_status 429;
--- config
token_auth api;
limit_req zone=tokens burst=1 nodelay;
limit_req zone=refused;
--- request eval
[('GET /secret') x 8]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme acme acme globex expired revoked acme globex)]
--- error_code eval
[200, 200, 429, 200, 401, 429, 429, 200]


=== TEST 11: tiers by map
--- http_config
token_auth_db $TEST_NGINX_DB;
map $token_auth_role $admin { volatile; admin $token_auth_id; }
map $token_auth_role $others { volatile; default $token_auth_id; admin ""; }
limit_req_zone $admin zone=admin:1m rate=1r/m;
limit_req_zone $others zone=others:1m rate=1r/m;
--- config
token_auth api;
limit_req zone=admin burst=2 nodelay;
limit_req zone=others burst=1 nodelay;
--- request eval
[('GET /secret') x 7]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } ('acme-admin') x 4, ('acme-devs') x 3]
--- error_code eval
[200, 200, 200, 503, 200, 200, 503]


=== TEST 12: a refused token has no identity before the log phase; it has a result
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format who "who=$token_auth_result,$token_auth_id,$token_auth_kind,$token_auth_subject,$token_auth_org,"
    "$token_auth_role,$token_auth_scopes,$token_auth_name,$token_auth_expires,";
access_log logs/access.log who;
--- config
token_auth api;
token_auth_role writer;
set $early "$token_auth_result,$token_auth_id,$token_auth_kind,$token_auth_subject,$token_auth_org,$token_auth_role,$token_auth_scopes,$token_auth_name,$token_auth_expires";
add_header X-Early $early always;
add_header X-Late "$token_auth_result,$token_auth_id,$token_auth_name,$token_auth_org" always;
--- more_headers eval: $::Token
--- error_code: 403
--- response_headers
X-Early: role_missing,,,,,,,,
X-Late: role_missing,,,
--- access_log
who=role_missing,acme-devs,group,,,,,acme-devs,4102444800,


=== TEST 13: the access phase answers, whoever asked before
--- http_config eval: $::HttpConfig
--- config
token_auth api;
location = /secret { set $early "$token_auth_id"; }
location = /scope { set $early "$token_auth_id"; token_auth_scope agents:write; }
--- request eval
['GET /secret', 'GET /secret', 'GET /secret', 'GET /secret', 'GET /scope']
--- more_headers eval
['X-A: 1', map { "Authorization: Bearer $_-token" } qw(acme nobody expired acme-reader)]
--- answer eval
['credentials_missing', 'let in', 'token_unknown', 'token_expired', 'scope_missing']
--- scope: agents:write


=== TEST 14: a decision holds for the location's configuration that made it
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_scope nobody:has;
set $server "$token_auth_result,$token_auth_id";
location = /secret {
    token_auth_scope agents:read;
    set $location "$token_auth_result,$token_auth_id";
    add_header X-Early "$server $location $token_auth_id";
}
location = /except {
    limit_except GET { token_auth_scope agents:read; }  # where nginx runs no set
    set $location "$token_auth_result,$token_auth_id";
    add_header X-Early "$server $location [$token_auth_id]" always;
    alias html/secret;
}
location = /off { token_auth off; set $location "$token_auth_result,$token_auth_id"; add_header X-Early "$server $location"; alias html/secret; }
--- request eval
['GET /secret', 'POST /except', 'GET /except', 'GET /off']
--- more_headers eval: $::Token
--- error_code eval
[200, 405, 403, 200]
--- response_headers eval
['X-Early: scope_missing, ok,acme-devs acme-devs', 'X-Early: scope_missing,  [acme-devs]',
 'X-Early: scope_missing, scope_missing, []', 'X-Early: scope_missing, scope_missing,']


=== TEST 15: in a server without token_auth nobody is decided about
--- http_config eval: $::HttpConfig
--- config
set $server "[$token_auth_result]";
location = /secret { token_auth api; add_header X-Early "$server $token_auth_id"; }
location = /open { add_header X-Early "$server [$token_auth_id]"; alias html/secret; }
--- request eval
['GET /secret', 'GET /open']
--- more_headers eval: $::Token
--- response_headers eval
['X-Early: [] acme-devs', 'X-Early: [] []']


=== TEST 16: organization and requirements that are set after somebody asked
--- http_config eval: $::HttpConfig
--- config
token_auth api;
token_auth_org required from=$org;
token_auth_scope $scope;
set $scope $arg_scope0;
set $org $arg_org0;
location = /secret { set $early $token_auth_result; set $org $arg_org; set $scope $arg_scope; add_header X-Early "$early,$token_auth_result,$token_auth_org,$token_auth_role" always; }
--- request eval
[map { "GET /secret?$_" } 'org0=acme&org=hooli', 'org0=hooli&org=acme', 'org0=acme&org=globex', 'org=acme', 'org0=acme',
    'org0=acme&org=acme&scope=nobody:has', 'org0=acme&org=acme&scope0=auth:any']
--- more_headers
Authorization: Bearer alice-token
--- error_code eval
[403, 200, 200, 200, 401, 200, 200]
--- response_headers eval
['X-Early: ok,organization_suspended,,', 'X-Early: organization_suspended,ok,acme,admin', 'X-Early: ok,ok,globex,reader',
 'X-Early: organization_missing,ok,acme,admin', 'X-Early: ok,organization_missing,,', 'X-Early: ok,ok,acme,admin',
 'X-Early: scope_missing,ok,acme,admin']


=== TEST 17: a map in a requirement keeps no value from before
--- http_config
token_auth_db $TEST_NGINX_DB;
map $uri $needed { /secret agents:write; default ""; }
--- config
token_auth api;
token_auth_scope $needed;
location = /first { set $early $token_auth_result; rewrite ^ /secret; }
location = /secret { add_header X-Early $early always; }
--- request
GET /first
--- more_headers eval: $::Token
--- error_code: 403
--- response_headers
X-Early: ok


=== TEST 18: the captures of a regular expression stay, whatever deciding matches
--- http_config
token_auth_db $TEST_NGINX_DB;
map $uri $needed { ~^/(.)(.*)$ "agents:$2"; }
--- config
token_auth api;
token_auth_scope $needed;
location = /read { if ($uri ~ ^/(re)(ad)$) { set $early "$1 $token_auth_result $2"; } add_header X-Early $early always; alias html/secret; }
--- request
GET /read
--- more_headers eval: $::Token
--- error_code: 403
--- response_headers
X-Early: re scope_missing ad


=== TEST 19: the address that realip finds after somebody asked
--- http_config eval: $::HttpConfig
--- config
token_auth api;
set $early $token_auth_result;
location = /secret { set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP; add_header X-Early $early always; }
--- more_headers eval
["Authorization: Bearer elsewhere-token\nX-Real-IP: 192.0.2.1", "Authorization: Bearer loopback-token\nX-Real-IP: 192.0.2.1"]
--- request eval
['GET /secret', 'GET /secret']
--- error_code eval
[200, 403]
--- response_headers eval
['X-Early: address_not_allowed', 'X-Early: ok']


=== TEST 20: a credential that was only asked about is not remembered
--- http_config eval: $::HttpConfig
--- config
token_auth api token=$key;
location = /secret { set $key $arg_first; set $early $token_auth_id; set $key $arg_second; add_header X-Early "$early,$token_auth_id" always; }
--- request eval
['GET /secret?first=acme-token&second=globex-token', 'GET /secret?first=acme-token', 'GET /secret?second=acme-token']
--- error_code eval
[200, 401, 200]
--- response_headers eval
['X-Early: acme,globex', 'X-Early: acme,', 'X-Early: ,acme']


=== TEST 21: after an internal redirect, the last decision stays where token_auth is off, and another is made where it is on
--- http_config eval: $::HttpConfig
--- config
location = /a { token_auth api; try_files /nothing /open; }
location = /open { set $early $token_auth_id; add_header X-Early "$early,$token_auth_id"; alias html/secret; }
location = /b { token_auth api; try_files /nothing /strict; }
location = /strict { token_auth api; token_auth_role writer; set $early "$token_auth_id,$token_auth_result"; add_header X-Early "$early,$token_auth_id" always; alias html/secret; }
location = /c { token_auth api; token_auth_role writer; error_page 403 = /lax; }
location = /lax { token_auth api; set $early "$token_auth_id,$token_auth_result"; add_header X-Early "$early" always; alias html/secret; }
--- request eval
['GET /a', 'GET /b', 'GET /c']
--- more_headers eval: $::Token
--- error_code eval
[200, 403, 200]
--- response_headers eval
['X-Early: acme-devs,acme-devs', 'X-Early: ,role_missing,', 'X-Early: acme-devs,ok']


=== TEST 22: the module's own directives see none of its variables, and nobody runs in circles
--- http_config
token_auth_db $TEST_NGINX_DB;
map $token_auth_role $by_role { volatile; default "[$token_auth_role]"; "" ""; }
--- config
location = /role { token_auth api; token_auth_role $token_auth_role; set $early $token_auth_result; add_header X-Early $early always; }
location = /scope { token_auth api; token_auth_scope $by_role; set $early $token_auth_result; add_header X-Early $early always; }
location = /realm { token_auth "for $token_auth_id$token_auth_result"; set $early $token_auth_result; add_header X-Early $early always; }
location = /org { token_auth api; token_auth_org required from=$token_auth_org; set $early $token_auth_result; add_header X-Early $early always; alias html/secret; }
location = /token { token_auth api token=$token_auth_id; set $early $token_auth_result; add_header X-Early $early always; }
--- request eval
['GET /role', 'GET /scope', 'GET /realm', 'GET /org', 'GET /token']
--- more_headers eval
[$::Token, $::Token, 'X-A: 1', $::Token, $::Token]
--- error_code eval
[403, 403, 401, 200, 401]
--- raw_response_headers_like eval
['X-Early: role_missing', 'X-Early: scope_missing', 'realm="for "[^\0]*X-Early: credentials_missing', 'X-Early: ok', 'X-Early: credentials_missing']


=== TEST 23: a realm that evaluates to off decides nothing
--- http_config eval: $::HttpConfig
--- config
token_auth $arg_realm;
set $early "[$token_auth_result$token_auth_id]";
add_header X-Early $early;
--- request eval
['GET /secret?realm=off', 'GET /secret?realm=api']
--- more_headers eval: $::Token
--- response_headers eval
['X-Early: []', 'X-Early: [okacme-devs]']


=== TEST 24: an answer that nginx gave before anybody asked is about nobody, and so is its line in the log
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format who "who=$token_auth_result,$token_auth_id, $status";
log_format never "never";
access_log logs/access.log who;
access_log logs/access.log never if=$token_auth_id;
--- config
token_auth api;
add_header X-Late "[$token_auth_result]" always;
location = /return { return 204; }
--- request
GET /return
--- more_headers eval: $::Token
--- error_code: 204
--- response_headers
X-Late: []
--- access_log
who=,, 204
--- no_access_log
never


=== TEST 25: a request that is not even one
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format who "who=$token_auth_result,$token_auth_id, $status";
access_log logs/access.log who;
--- config
token_auth api;
add_header X-Late "[$token_auth_result]" always;
--- raw_request eval
"GET /secret HTTP/1.1\r\nHost: a b\r\nAuthorization: Bearer acme-token\r\n\r\n"
--- error_code: 400
--- response_headers
X-Late: []
--- access_log
who=,, 400


=== TEST 26: a request that its rate refuses is logged as it was decided
--- http_config
token_auth_db $TEST_NGINX_DB;
limit_req_zone $token_auth_id zone=tokens:1m rate=1r/m;
log_format who "who=$status,$token_auth_result,$token_auth_id,$token_auth_org,";
access_log logs/access.log who;
--- config
token_auth api;
limit_req zone=tokens;
--- request eval
[('GET /secret') x 2]
--- more_headers eval: $::Token
--- error_code eval
[200, 503]
--- access_log eval
[qr/^who=(200|503),ok,acme-devs,acme,$/]
--- no_access_log eval
qr/^who=(?!(200|503),ok,acme-devs,acme,)/


=== TEST 27: the log decides about nobody, not about a request that was refused without asking either
--- http_config
token_auth_db $TEST_NGINX_DB;
limit_req_zone $uri zone=uris:1m rate=1r/m;
log_format who "who=$status,$token_auth_result,$token_auth_id,$token_auth_org,";
access_log logs/access.log who;
--- config
token_auth api;
limit_req zone=uris;
--- request eval
[('GET /secret') x 2]
--- more_headers eval: $::Token
--- error_code eval
[200, 503]
--- access_log eval
[qr/^who=(200,ok,acme-devs,acme|503,,,),$/]
--- no_access_log eval
qr/^who=503,o/


=== TEST 28: a subrequest asks about the main request, and its line in the log asks for nothing
--- http_config
token_auth_db $TEST_NGINX_DB;
log_format who "who=$token_auth_result,$token_auth_id, $uri";
access_log logs/access.log who;
log_subrequest on;
--- config
location = /page { ssi on; ssi_types text/plain; alias html/page; }
location = /part { token_auth api; set $early "$token_auth_id"; return 200 "[$early$token_auth_id]"; }
--- user_files
>>> page
<!--# include virtual="/part" -->
--- request
GET /page
--- more_headers eval: $::Token
--- response_body
[]
--- access_log eval
['who=,, /part', 'who=,, /page']


=== TEST 29: a subrequest of a request that was let in
--- http_config eval: $::HttpConfig
--- config
location = /page { token_auth api; ssi on; ssi_types text/plain; alias html/page; }
location = /part { token_auth api; token_auth_role writer; set $early "$token_auth_id"; return 200 "[$early $token_auth_result]"; }
--- user_files
>>> page
<!--# include virtual="/part" -->
--- request
GET /page
--- more_headers eval: $::Token
--- response_body
[acme-devs ok]


=== TEST 30: under "satisfy any", who is let in by another module is nobody for the upstream
--- http_config eval: $::HttpConfig
--- config
location = /any {
    satisfy any;
    allow 127.0.0.1;
    deny all;
    token_auth api;
    token_auth_role $arg_role;
    set $early "$token_auth_id";
    add_header X-Early "$early,$token_auth_result" always;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/inner;
}
location = /inner { token_auth_forward off; return 200 "[$http_x_token_id $http_authorization]"; }
--- request eval
['GET /any?role=reader', 'GET /any?role=writer']
--- more_headers eval: $::Token
--- response_headers eval
['X-Early: acme-devs,ok', 'X-Early: ,role_missing']
--- response_body eval
['[acme-devs ]', '[ ]']


=== TEST 31: over HTTP/2's like, in one connection: a request asks for itself alone
--- http_config eval: $::HttpConfig
--- config
token_auth api;
set $early "$token_auth_id";
add_header X-Early $early always;
--- pipelined_requests eval
['GET /secret', 'GET /secret', 'GET /secret']
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme expired globex)]
--- error_code eval
[200, 401, 200]
--- response_headers eval
['X-Early: acme', 'X-Early:', 'X-Early: globex']
