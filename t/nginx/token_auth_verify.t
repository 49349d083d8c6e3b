# The directive token_auth_verify, asked directly and in subrequests.
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

our $Verify = 'location = /secret { token_auth_verify; }';

# The whole header of a yes.
sub identity {
    my %is = @_;
    my $fields = join '', map { "X-Token-$_: " . ($is{$_} // '') . '\r\n' }
        qw(Id Kind Subject Org Group Role Scopes);
    return '\AHTTP/1[.]1 200 OK\r\nServer: [^\r\n]+\r\nDate: [^\r\n]+\r\nContent-Length: 0\r\nConnection: [^\r\n]+\r\n'
        . $fields . '\z';
}

# A protected page of the same nginx, whose identity comes from the answer.
our $Asking = <<'END';
location = /secret {
    token_auth off;
    auth_request /verify;
    auth_request_set $id $sent_http_x_token_id;
    auth_request_set $group $sent_http_x_token_group;
    auth_request_set $org $token_auth_org;
    add_header X-Asked "$id,$group,$org,$token_auth_result,$token_auth_id" always;
}
location = /verify { internal; token_auth_verify; }
END

no_long_string();
run_tests();

__DATA__

=== TEST 1: a yes has all seven fields, and no body
--- http_config eval: $::HttpConfig
--- config eval
"$::Verify location = /user { token_auth_verify; }"
--- request eval
['GET /secret', 'GET /secret', 'GET /user', 'HEAD /secret']
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Token acme-devs-token',
    "Authorization: Bearer alice-token\nX-Org-Id: globex", 'Authorization: Bearer acme-token']
--- error_code eval: [(200) x 4]
--- response_body eval: [('') x 4]
--- raw_response_headers_like eval
my @acme = (Id => 'acme', Kind => 'organization', Subject => 'tu-acme', Org => 'acme', Scopes => 'agents:read agents:write');
[main::identity(@acme),
    main::identity(Id => 'acme-devs', Kind => 'group', Subject => 'tu-acme-devs', Org => 'acme', Group => 'devs', Role => 'reader',
        Scopes => 'agents:read sites:read'),
    main::identity(Id => 'alice', Kind => 'user', Subject => 'alice', Org => 'globex', Role => 'reader',
        Scopes => 'agents:read sites:read'), main::identity(@acme)]


=== TEST 2: the client's own fields are no answer, and nobody is an empty one
--- http_config eval: $::HttpConfig
--- config
token_auth_anonymous on;
location = /secret { token_auth_verify; }
--- more_headers
X-Token-Id: root
X-Token-Org: globex
--- raw_response_headers_like eval: main::identity()
--- response_body


=== TEST 3: a no is that of any location, but a 401 for a 400
--- http_config eval: $::HttpConfig
--- config eval
"token_auth_scope agents:write; $::Verify"
--- request eval
[('GET /secret') x 10]
--- more_headers eval
['X-A: 1', map({ "Authorization: Bearer $_" } qw(expired-token elsewhere-token revoked-token alice-token), '', 'a,b'),
    "Authorization: Bearer acme-token\nX-Org-Id: globex", "Authorization: Bearer alice-token\nX-Org-Id: a b",
    'Authorization: Bearer acme-reader-token']
--- answer eval
[qw(credentials_missing token_expired address_not_allowed token_revoked organization_missing request_malformed
    token_malformed organization_mismatch organization_malformed scope_missing)]
--- scope: agents:write
--- verify: 1


=== TEST 4: a store that is not there, in html, and the 401 of a malformed request in html
--- http_config eval: $::HttpConfig
--- config
token_auth_error html;
location = /lost { token_auth_db $TEST_NGINX_DIR/nowhere; token_auth_verify; }
location = /secret { token_auth_verify; }
--- request eval
['GET /lost', 'GET /secret']
--- more_headers eval
['Authorization: Bearer acme-token', 'Authorization: Bearer']
--- answer eval
[qw(store_unavailable request_malformed)]
--- html: 1
--- verify: 1


=== TEST 5: gRPC's form is never an answer to who asks
--- http_config eval: $::HttpConfig
--- config
token_auth_error grpc;
location = /secret { token_auth_verify; }
--- more_headers eval
"Authorization: Bearer expired-token\nContent-Type: application/grpc"
--- answer: token_expired


=== TEST 6: nor to a subrequest
--- http_config eval: $::HttpConfig
--- config
token_auth_error grpc;
location = /secret { token_auth off; auth_request /verify; }
location = /verify { internal; token_auth_verify; }
--- request eval
['GET /secret', 'GET /secret']
--- more_headers eval
[map { "Authorization: Bearer $_\nContent-Type: application/grpc" } qw(expired-token elsewhere-token)]
--- error_code eval: [401, 403]


=== TEST 7: any method, with a body that is read off
--- http_config eval: $::HttpConfig
--- config eval: $::Verify
--- pipelined_requests eval
["POST /secret\n" . 'x' x 100000, "DELETE /secret", "PUT /secret\n" . 'x' x 10, "OPTIONS /secret"]
--- more_headers
Authorization: Bearer acme-token
--- error_code eval: [(200) x 4]
--- response_body eval: [('') x 4]


=== TEST 8: the client's conditions and ranges, which proxies pass on, change nothing
--- http_config eval: $::HttpConfig
--- config eval: $::Verify
--- request eval
[('PUT /secret') x 5]
--- more_headers eval
[map { "Authorization: Bearer acme-token\n$_" } 'If-Match: "a"', 'If-None-Match: *', 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
    'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT', 'Range: bytes=0-1']
--- error_code eval: [(200) x 5]


=== TEST 9: limit_except and if are parts of the location
--- http_config eval: $::HttpConfig
--- config
location = /secret {
    limit_except GET { token_auth_scope sites:read; }
    token_auth_verify;
}
location = /if {
    if ($arg_a) { set $seen 1; }
    token_auth_verify;
}
--- request eval
['GET /secret', 'POST /secret', 'GET /if?a=1', 'GET /if?a=1']
--- more_headers eval
[('Authorization: Bearer acme-token') x 3, 'Authorization: Bearer']
--- error_code eval: [200, 403, 200, 401]
--- response_body_like eval
['^$', 'scope_missing', '^$', 'request_malformed']


=== TEST 10: but not a location within
--- http_config eval: $::HttpConfig
--- config
location /dir/ {
    token_auth_verify;
    location = /dir/secret { alias html/secret; }
}
--- request
GET /dir/secret
--- more_headers
Authorization: Bearer acme-token
--- answer: let in


=== TEST 11: who was let in by another module, or by a realm that says "off", is nobody
--- http_config
token_auth_db $TEST_NGINX_DB;
map $http_x_open $realm { default api; 1 off; }
token_auth $realm;
--- config
location = /secret { token_auth_verify; }
location = /any { satisfy any; allow all; token_auth_verify; }
location = /both { satisfy any; auth_request /yes; token_auth_verify; }
location = /yes { token_auth off; return 204; }
--- request eval
['GET /secret', 'GET /any', 'GET /any', 'GET /both']
--- more_headers eval
["X-Open: 1\nAuthorization: Bearer acme-token", 'X-A: 1', 'Authorization: Bearer expired-token', 'Authorization: Bearer expired-token']
--- raw_response_headers_like eval: [(main::identity()) x 4]
--- response_body eval: [('') x 4]


=== TEST 12: auth_request of the same nginx
--- http_config eval: $::HttpConfig
--- config eval: $::Asking
--- request eval
[('GET /secret') x 7]
--- more_headers eval
["Authorization: Bearer alice-token\nX-Org-Id: acme", 'Authorization: Bearer acme-devs-token', 'X-A: 1', 'Authorization: Bearer expired-token',
    'Authorization: Bearer elsewhere-token', 'Authorization: Bearer', "Authorization: Bearer alice-token\nX-Org-Id: a b"]
--- error_code eval: [200, 200, 401, 401, 403, 401, 401]
--- raw_response_headers_like eval
['X-Asked: alice,,acme,,\r\n', 'X-Asked: acme-devs,devs,acme,,\r\n', 'WWW-Authenticate: Bearer realm="api"\r\n.*X-Asked: ,,,,\r\n',
    'WWW-Authenticate: Bearer realm="api", error="invalid_token", error_description="Token has expired[.]"\r\n', 'X-Asked: ,,,,\r\n',
    'error="invalid_request"', 'error="invalid_request"']


=== TEST 13: auth_request makes 500 of a 503, and error_page a 503 of that
--- http_config eval: $::HttpConfig
--- config
token_auth_db $TEST_NGINX_DIR/nowhere;
location = /secret { token_auth off; auth_request /verify; }
location = /mended { token_auth off; auth_request /verify; error_page 500 =503 /busy; }
location = /busy { token_auth off; internal; return 503; }
location = /verify { internal; token_auth_verify; }
--- request eval
['GET /secret', 'GET /mended']
--- more_headers
Authorization: Bearer acme-token
--- error_code eval: [500, 503]


=== TEST 14: the subrequest's decision is its own, and the request's stays
--- http_config eval: $::HttpConfig
--- config
location = /secret {
    auth_request /verify;
    auth_request_set $asked "$sent_http_x_token_id $token_auth_org";
    add_header X-Asked "$asked $token_auth_id" always;
}
location = /verify { internal; token_auth other token=$http_x_api_key; token_auth_verify; }
--- request eval
[('GET /secret') x 3]
--- more_headers eval
["Authorization: Bearer acme-token\nX-Api-Key: globex-token", "Authorization: Bearer acme-token\nX-Api-Key: expired-token",
    "Authorization: Bearer expired-token\nX-Api-Key: globex-token"]
--- error_code eval: [200, 401, 401]
--- raw_response_headers_like eval
['X-Asked: globex globex acme\r\n', 'realm="other", error="invalid_token", error_description="Token has expired[.]".*X-Asked:   acme\r\n',
    'realm="api", error="invalid_token"']


=== TEST 15: a later subrequest still has the credential that was taken off for the upstream
--- http_config eval: $::HttpConfig
--- config
location = /secret {
    ssi on;
    ssi_types *;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/page;
}
location = /page { token_auth off; return 200 'a<!--# include virtual="/verify" wait="yes" -->b'; }
location = /verify { internal; token_auth_verify; }
--- more_headers
Authorization: Bearer acme-token
--- error_code: 200
--- response_body: ab


=== TEST 16: the module's own variables are empty in its directives, in a subrequest too
--- http_config eval: $::HttpConfig
--- config
location = /secret { token_auth_role admin; auth_request /verify; }
location = /verify { internal; token_auth_role $token_auth_role; token_auth_verify; }
--- more_headers
Authorization: Bearer acme-admin-token
--- error_code: 403


=== TEST 17: a refusal of the subrequest goes to the request's own error_page
--- http_config eval: $::HttpConfig
--- config
error_page 401 /401.txt;
location = /401.txt { token_auth off; }
location = /secret { token_auth off; auth_request /verify; }
location = /verify { internal; token_auth_verify; }
--- user_files
>>> secret
secret
>>> 401.txt
my own page
--- request eval
['GET /secret', 'GET /secret']
--- more_headers eval
['Authorization: Bearer expired-token', 'Authorization: Bearer acme-token']
--- error_code eval: [401, 200]
--- response_body eval
["my own page\n", "secret\n"]


=== TEST 18: preflights, in a subrequest too
--- http_config eval: $::HttpConfig
--- config
token_auth_preflight on;
location = /secret { token_auth_verify; }
location = /asking { token_auth off; auth_request /verify; auth_request_set $result $token_auth_result; add_header X-Result $result;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up; }
location = /verify { internal; token_auth_verify; }
location = /up { token_auth off; return 200; }
--- request eval
['OPTIONS /secret', 'OPTIONS /asking', 'GET /asking']
--- more_headers
Origin: https://app.example
Access-Control-Request-Method: PUT
--- error_code eval: [200, 200, 401]
--- raw_response_headers_like eval
[main::identity(), 'X-Result: preflight\r\n', '401']
