# The directive token_auth_group: the group that a token must be for.
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

=== TEST 1: nothing is asked by default
--- http_config eval: $::HttpConfig
--- config
--- more_headers
Authorization: Bearer acme-devs-token
--- answer: let in


=== TEST 2: a group by its name, of whatever organization
--- http_config eval: $::HttpConfig
--- config
token_auth_group devs;
--- request eval
[('GET /secret') x 5]
--- more_headers eval
[map { "Authorization: Bearer $_-token\nX-Org-Id: " . (/globex/ ? 'globex' : 'acme') }
    qw(acme-devs globex-devs acme-ops acme bob)]
--- answer eval
['let in', 'let in', ('group_missing') x 3]


=== TEST 3: a group of one organization
--- http_config eval: $::HttpConfig
--- config
token_auth_group acme/devs;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme-devs globex-devs acme-ops)]
--- answer eval
['let in', 'group_missing', 'group_missing']


=== TEST 4: any of several
--- http_config eval: $::HttpConfig
--- config
token_auth_group globex/devs acme/ops;
--- request eval
[('GET /secret') x 3]
--- more_headers eval
[map { "Authorization: Bearer $_-token" } qw(acme-devs globex-devs acme-ops)]
--- answer eval
['group_missing', 'let in', 'let in']


=== TEST 5: a group from the path
--- http_config eval: $::HttpConfig
--- config
location ~ ^/groups/(?<wanted>[^/]*)/ { rewrite ^ /secret break; token_auth_group $wanted; }
--- request eval
['GET /groups/devs/', 'GET /groups/ops/', 'GET /groups/dev/', 'GET /groups/DEVS/']
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
['let in', 'group_missing', 'group_missing', 'group_missing']


=== TEST 6: a group and its organization from variables
--- http_config eval: $::HttpConfig
--- config
token_auth_group $arg_org/$arg_group;
--- request eval
['GET /secret?org=acme&group=devs', 'GET /secret?org=globex&group=devs', 'GET /secret?group=devs',
    'GET /secret']
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
['let in', 'group_missing', 'group_missing', 'group_missing']


=== TEST 7: an empty value is met by nobody, as is one of spaces; a value may hold several
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth api;
map $arg_x $group { default ""; both " ops  devs "; ops ops; spaces "  "; }
--- config
token_auth_group $group;
--- request eval
[map { "GET /secret?x=$_" } qw(none both ops spaces)]
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
['group_missing', 'let in', 'group_missing', 'group_missing']


=== TEST 8: an inner setting replaces the outer one; an empty one takes it off
--- http_config eval: $::HttpConfig
--- config
token_auth_group ops;
location = /devs { alias html/secret; token_auth_group devs; }
location = /all { alias html/secret; token_auth_group ""; }
--- request eval
['GET /devs', 'GET /all', 'GET /secret']
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
['let in', 'let in', 'group_missing']


=== TEST 9: among several values, empty ones are skipped; the module's own variables are met by nobody
--- http_config eval: $::HttpConfig
--- config
token_auth_group $arg_a $arg_b;
location = /own { alias html/secret; token_auth_group $token_auth_group; }
location = /part { alias html/secret; token_auth_group "acme/devs $token_auth_role"; }
--- request eval
['GET /secret?a=devs', 'GET /secret?b=devs', 'GET /secret', 'GET /own', 'GET /part']
--- more_headers
Authorization: Bearer acme-devs-token
--- answer eval
['let in', 'let in', ('group_missing') x 3]
