# The console's stories in a real browser: real nginx, tokenapi and tokensync, on the registry that the tests use.
# They are in this directory's *.mjs files, which this gives a back end; its output is theirs.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use TokenAuth::Api;
use TokenAuth::Console;
use TokenAuth::Registry qw(new_registry on_postgresql);
use TokenAuth::Server;
use TokenAuth::Util qw(build_dir eventually free_port root_dir run_tool slurp spew);

my $dir = tempdir('token-auth-browser-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/nginx" or die $!;
my ($root, $build, $password) = (root_dir(), build_dir(), 'correct horse battery staple');
my $registry = new_registry("$dir/registry.db");
$ENV{TOKEN_AUTH_REGISTRY} = $registry;
$ENV{TOKEN_AUTH_USAGE_DB} = "$dir/usage.db";
$ENV{PATH} = "$build:$ENV{PATH}";

my $made = run_tool([ 'bash', '-euc', '. "$0"; demo_registry "$1"', "$root/scripts/lib/demo_registry.sh", $password ]);
die $made->{err} if $made->{status} ne '0';
my %tokens = $made->{out} =~ /^(\w+)=(\S+)$/mg;

# TOKEN_AUTH_TEST_TOKENS=1000000 adds so many to acme: t/console/usable.mjs tells how long its page takes then.
if (my $count = $ENV{TOKEN_AUTH_TEST_TOKENS}) {
    open my $lines, '>', "$dir/tokens.jsonl" or die $!;
    printf {$lines} qq({"type":"token","id":"many%07d","kind":"organization","organization":"acme","role":"reader","name":"Token %d",)
        . qq("digest":"sha256:%s","created":"2026-01-01T00:00:00Z","expires":"2100-01-01T00:00:00Z"}\n), $_, $_, sha256_hex($_) for 1 .. $count;
    close $lines or die $!;
    my $imported = run_tool([ 'tokenctl', 'import', "$dir/tokens.jsonl" ]);
    die $imported->{err} if $imported->{status} ne '0';
    unlink "$dir/tokens.jsonl";
}

my @group = $> == 0 ? ('--group', 'www-data') : ();
my $secret = 'of single sign-on, for this test alone';
# The gateway of the examples, behind which an upstream says who calls it.
my ($gateway, $upstream) = (free_port(), free_port());
my $api = TokenAuth::Api->start(url => $registry, args => [ '--auth-token', '--sso-header', 'X-Remote-User', '--sso-secret',
    spew("$dir/secret", $secret), '--example-url', "http://127.0.0.1:$gateway/agents", '--organization-field', 'X-Org-Id' ]);
my $first = run_tool([ "$build/tokensync", '--db', "$dir/db", 'run', @group ]);
die $first->{err} if $first->{status} ne '0';

my $nginx = TokenAuth::Console->start(api => $api, edit => sub {
    # many people log in from this address
    s/rate=30r\/m/rate=6000r\/m/ or die 'no rate';
    s/burst=20/burst=2000/g;
}, http => <<"END");
token_auth_db $dir/db;
server {
    listen 127.0.0.1:$gateway;
    listen unix:$dir/nginx/usage.sock;
    token_auth api;
    token_auth_org required from=\$http_x_org_id;
    token_auth_scope agents:read;
    location / { proxy_pass http://127.0.0.1:$upstream; }
    location = /usage { token_auth off; token_auth_usage; }
    location = /public { token_auth off; return 204; }
}
server {
    listen 127.0.0.1:$upstream;
    token_auth_forward off;
    default_type application/json;
    return 200 '{"subject":"\$http_x_token_subject","org":"\$http_x_token_org","scopes":"\$http_x_token_scopes"}';
}
END
$nginx->watch('--db', "$dir/db", @group, '--usage', "unix:$dir/nginx/usage.sock:/usage", '--usage-interval', '1s');

my $world = {
    origin => 'http://127.0.0.1:' . $nginx->port, gateway => "http://127.0.0.1:$gateway", directory => $dir,
    password => $password, tokens => \%tokens, postgresql => on_postgresql() ? JSON::PP::true : JSON::PP::false,
};
$ENV{TOKEN_AUTH_WORLD} = JSON::PP->new->utf8->encode($world);
# Arguments: files of stories, and options of node's, such as --test-name-pattern=keyboard.
my @options = grep { /\A--/ } @ARGV;
my $status = system 'node', '--test-reporter=tap', @options, "$FindBin::Bin/stories.mjs", grep { !/\A--/ } @ARGV;
for my $value ($password, map { s/\A[^.]*\.//r } values %tokens) {
    die "a log holds a secret\n" if index($api->log . $nginx->errors, $value) >= 0;
}
print {*STDERR} $api->log, $nginx->errors =~ s/^.*\[notice\].*\n//mgr if $status;
exit($status >> 8 || ($status ? 1 : 0));
