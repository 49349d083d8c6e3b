# The directive token_auth_key: digests under a secret key.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::Nginx::Socket 'no_plan';
use TokenAuth::Answers;

sub file {
    my ($name, $content) = @_;
    my $path = gateway_dir() . "/$name";
    spew($path, $content);
    return $path;
}

# A key does not depend on its file name, nor on white space around it.
my $first = file('first.key', "0123456789abcdef0123456789abcdef\n");
my $second = file('second.key', 'x' x 1024);
file('first-again.key', "\n  0123456789abcdef0123456789abcdef \n\n");
file('other.key', 'y' x 32);

our %Token;
for my $key (['first', $first], ['second', $second]) {
    my $token = tokenctl('create', '--org', 'acme', '--name', "under $key->[0]", '--key', $key->[1]);
    chomp $token;
    $Token{ $key->[0] } = "Authorization: Bearer $token";
}
$Token{plain} = 'Authorization: Bearer acme-token';
$Token{nobody} = 'Authorization: Bearer nobody-token';
tokensync('run');

no_long_string();
run_tests();

__DATA__

=== TEST 1: every key at hand, and plain digests beside them
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_key $TEST_NGINX_DIR/first.key;
token_auth_key $TEST_NGINX_DIR/second.key;
--- config
token_auth api;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[@::Token{qw(first second plain nobody)}]
--- answer eval
['let in', 'let in', 'let in', 'token_unknown']
--- no_error_log
token_auth_key


=== TEST 2: the order of the keys does not matter, nor do their files' names and line ends
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_key $TEST_NGINX_DIR/second.key;
token_auth_key $TEST_NGINX_DIR/other.key;
token_auth_key $TEST_NGINX_DIR/first-again.key;
--- config
token_auth api;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[@::Token{qw(first second plain nobody)}]
--- answer eval
['let in', 'let in', 'let in', 'token_unknown']


=== TEST 3: one key is missing: who may have a token under it gets 503
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_key $TEST_NGINX_DIR/first.key;
--- config
token_auth api;
--- request eval
[('GET /secret') x 4]
--- more_headers eval
[@::Token{qw(first second plain nobody)}]
--- answer eval
['let in', 'store_unavailable', 'let in', 'store_unavailable']


=== TEST 4: no key at all, and the log says which is missing, and what to do
--- http_config
token_auth_db $TEST_NGINX_DB;
--- config
token_auth api;
--- more_headers eval: $::Token{second}
--- answer: store_unavailable
--- error_log eval
qr/\[error\] [^\n]* the token store has digests under key [0-9a-f]{8}, but no "token_auth_key" specifies it, so its tokens get 503; add a "token_auth_key" with the key's file/


=== TEST 5: a key that is none of the store's changes nothing
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_key $TEST_NGINX_DIR/other.key;
--- config
token_auth api;
--- request eval
[('GET /secret') x 2]
--- more_headers eval
[@::Token{qw(first plain)}]
--- answer eval
['store_unavailable', 'let in']


=== TEST 6: a path is relative to the configuration's directory
--- http_config
token_auth_db $TEST_NGINX_DB;
token_auth_key ../../first.key;
token_auth_key ../../second.key;
--- config
token_auth api;
--- more_headers eval: $::Token{first}
--- answer: let in
