# Test::Nginx::TokenAuth: suites that use it, run as their authors run them.
use strict;
use warnings;
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use TokenAuth::Gateway;
use TokenAuth::Util qw(run_tool slurp);
use Test::More;

my $dir = gateway_dir();
my ($module) = grep { /ngx_http_token_auth_module/ } split ' ', $ENV{TEST_NGINX_LOAD_MODULES};
mkdir "$dir/tmp" or die "$dir/tmp: $!";

# The whole example of the manual.
my ($example) = slurp('t/lib/Test/Nginx/TokenAuth.pm') =~ /^=head1 SYNOPSIS\n\n(.*?)^\S/ms;
$example =~ s/^    //mg;

# A suite of these blocks, in that order.
sub blocks {
    my (@blocks) = @_;
    my $number = 0;
    my $head = "use Test::Nginx::Socket 'no_plan';\nuse Test::Nginx::TokenAuth;\nno_shuffle();\nrun_tests();\n";
    return join "\n\n", $head, '__DATA__',
        map { "=== TEST @{[ ++$number ]}: a block\n$_" } @blocks;
}

# A block that sends a token to a location for each store, and the codes of the answers.
sub block {
    my ($stores, $token, @codes) = @_;
    my @variables = map { /^--- token_store(\S*)/ ? uc $1 : () } split /\n/, $stores;
    my $locations = join '',
        map { "location = /secret$_ { token_auth api; token_auth_db \$TEST_NGINX_TOKEN_STORE$_; add_header X-Name \$token_auth_name; }\n" }
        @variables;
    my $files = join '', map { ">>> secret$_\nsecret\n" } @variables;
    my $requests = join ', ', map { "'GET /secret$_'" } @variables;
    return "$stores--- config\n$locations--- user_files\n$files--- request eval\n[$requests]\n"
        . "--- more_headers\nAuthorization: Bearer $token\n--- error_code eval\n[@{[ join ', ', @codes ]}]";
}

# The lines of a store with a user's token.
sub token { return qq({"type":"user","id":"ann"}\n{"type":"token","id":"t","kind":"user","user":"ann",$_[0]}\n) }

# Runs a suite; returns its exit status, its output, and how often it says "ok" and "not ok".
sub suite {
    my ($text, %env) = @_;
    $env{TEST_NGINX_TOKEN_AUTH_MODULE} = $module if defined $module;
    my $ran = run_tool([ $^X, '-It/lib', spew("$dir/suite.t", $text) ],
        env => { TEST_NGINX_LOAD_MODULES => '', TMPDIR => "$dir/tmp", %env });
    my $said = $ran->{out} . $ran->{err};
    return ($ran->{status}, $said, scalar(() = $said =~ /^ok /mg), scalar(() = $said =~ /^not ok /mg));
}

sub passes {
    my ($name, $tests, $text, %env) = @_;
    my ($status, $said, $ok, $not_ok) = suite($text, %env);
    is "$status, $ok, $not_ok", "0, $tests, 0", $name or diag $said;
    is_deeply [ glob "$dir/tmp/test-nginx-*" ], [], "$name: no store is left";
    return;
}

# The block fails once, its requests are skipped, and the block after it passes.
my $off = "--- http_config\ntoken_auth_org off;\n";
my $store_of_ann = token('"token":"ann-token"');
my $good = block("--- token_store\n$store_of_ann$off", 'ann-token', 200);
sub fails {
    my ($name, $store, $message, %env) = @_;
    my ($status, $said, $ok, $not_ok) = suite(blocks(block("--- token_store\n$store", 'ann-token', 200), $good), %env);
    isnt $status, 0, "$name: the suite fails";
    like $said, qr/^not ok 1 - \S+suite\.t TEST 1: a block - --- token_store$/m, "$name: the block is named";
    like $said, $message, "$name: with the message";
    like $said, qr/^ok 2 # skip/m, "$name: its requests are skipped";
    is $not_ok, $env{TEST_NGINX_TOKENSYNC} ? 2 : 1, "$name: nothing else fails";
    return;
}

passes('the example', 9, $example);
passes('the example, with reloads', 9, $example, TEST_NGINX_USE_HUP => 1);
SKIP: {
    my $options = `$ENV{TEST_NGINX_BINARY} -V 2>&1`;
    skip 'valgrind does not run what is built with sanitizers', 2 if $options =~ /sanitize/;
    passes('the example, in valgrind', 9, $example, TEST_NGINX_USE_VALGRIND => '--leak-check=no', TEST_NGINX_TIMEOUT => 20);
}

# A token of one store is unknown to the others, of its block and of other blocks.
my $several = blocks(
    block("--- token_store\n" . token('"token":"a-token"') . "--- token_store_staff_2\n" . token('"token":"b-token"') . $off, 'a-token', 200, 401),
    block("--- token_store\n" . token(qq("token":"c-token","name":"\\u00e9 \xc3\xa9")) . $off, 'c-token', 200)
        . "\n--- raw_response_headers_like eval: qr/^X-Name: \\xc3\\xa9 \\xc3\\xa9\\r/m",
    block("--- token_store\n" . token('"name":"c","digest":"sha256:' . sha256_hex('d-token') . '"') . $off, 'd-token', 200),
    block("--- token_store\n" . token('"token":"e-token"') . $off, 'a-token', 401),
);
passes('several stores', 6, $several);
chmod 0755, $dir, "$dir/tmp" or die "$dir: $!";
passes('several stores, with reloads, for workers of another account', 6, $several, TEST_NGINX_USE_HUP => 1,
    TEST_NGINX_WORKER_USER => 'www-data');
passes('every block twice, in any order', 12, $several =~ s/no_shuffle\(\)/repeat_each(2)/r);
passes('as characters', 6, "use utf8;\n$several");
passes('loaded first', 6, $several =~ s/(use Test::Nginx::Socket.*\n)(.*\n)/$2$1/r);


# As the manual says: a store for blocks that have none.
my $without = $good =~ s/^--- token_store\n(?:[{].*\n)+//r;
passes('a default', 1, "our \$Store = <<'JSONL';\n${store_of_ann}JSONL\n"
    . blocks($without) =~ s/(?=no_shuffle)/add_block_preprocessor(sub { \$_[0]->set_value(token_store => \$::Store) });\n/r);

fails('no JSON', "{\"type\":\"user\",\"id\":\"ann\"}\n{oops\n", qr/^# tokensync: \S*token_store line 2: is not JSON/m);
fails('a field that is missing', qq({"type":"token","token":"t","kind":"user","user":"ann"}\n),
    qr/^# tokensync: \S*token_store line 1: id is missing/m);
fails('token and digest', token(qq("token":"t","digest":"sha256:@{[ 'a' x 64 ]}")), qr/^# tokensync: \S*token_store line 2: [^\n]*token/m);
fails('nothing', '', qr/^# tokensync: \S*token_store: holds no line/m);
fails('no tokensync', $store_of_ann, qr{^# cannot run /no/tokensync: No such file or directory; [^\n]*set TEST_NGINX_TOKENSYNC to its path}m,
    TEST_NGINX_TOKENSYNC => '/no/tokensync');

# A block without the section has no store, neither an earlier block's nor one from outside.
my (undef, $said) = suite(blocks($good, $without), TEST_NGINX_TOKEN_STORE => "$dir/db");
like $said, qr/^Bail out! .*TEST 2: a block - No environment TEST_NGINX_TOKEN_STORE defined/m, 'a block without a store';

suite(blocks(block("--- token_store\n", '', 200)), TEST_NGINX_NO_CLEAN => 1);
is scalar(() = glob "$dir/tmp/test-nginx-*/1/token_store"), 1, 'stores stay if nginx is to go on running';
system 'rm', '-r', glob "$dir/tmp/test-nginx-*";

# The module that is in nginx's directory of modules is loaded.
spew("$dir/nginx.sh", <<"SH");
#!/bin/sh
case \$1 in
    -V) $ENV{TEST_NGINX_BINARY} -V 2>&1 | sed 's,--modules-path=[^ ]*,,; /configure/s,\$, --modules-path=@{[ dirname($module) ]},' ;;
    *) exec $ENV{TEST_NGINX_BINARY} "\$@" ;;
esac
SH
chmod 0755, "$dir/nginx.sh";
delete $ENV{TEST_NGINX_TOKEN_AUTH_MODULE};
undef $module;
passes('the module that is installed', 1, blocks($good), TEST_NGINX_BINARY => "$dir/nginx.sh");

done_testing;
