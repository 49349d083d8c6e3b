# Memory with many tokens in an SQLite registry: what its connections keep of the file, and hashes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login;
use TokenAuth::Registry qw(on_postgresql);
use TokenAuth::Util qw(slurp);

use constant { TOKENS => 20_000, CALLERS => 32, LIMIT => 64 * 1024, HASHES => 2 * 19 * 1024 };

plan skip_all => 'of an SQLite file' if on_postgresql();
plan skip_all => "the sanitizers' own" if $ENV{TOKEN_AUTH_TEST_SANITIZED};

my $login = TokenAuth::Login->start;
$login->person('ann', 'correct horse battery');
$login->ctl(qw(org add acme));
$login->ctl(qw(role set reader auth:tokens:read));
my $token = $login->token(qw(--org acme --role reader --scope auth:tokens:read));
my @columns = @{ $login->sql(q{SELECT name FROM pragma_table_info('tokens')}) };
my %other = (id => q('x' || n.i), digest => 'lower(hex(randomblob(32)))', user_id => q('tu-x' || n.i), name => q('Token ' || n.i));
my $numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ' . TOKENS . ')';
$login->sql("$numbers INSERT INTO users (id, technical, created_at) SELECT 'tu-x' || i, 1, 1 FROM n;"
    . 'CREATE TEMP TABLE first AS SELECT * FROM tokens;'
    . "$numbers INSERT INTO tokens (@{[ join ', ', @columns ]}) SELECT @{[ join ', ', map { $other{$_} // qq(first.$_) } @columns ]} FROM n, first;");

# Sends the request from all callers at once; how many answers had which status.
sub ask {
    my (@request) = @_;
    my @connections = map { $login->api->connection } 1 .. CALLERS;
    print {$_} TokenAuth::Api::request_text(@request) for @connections;
    my %statuses;
    ++$statuses{ TokenAuth::Api::read_answer($_)->{status} } for @connections;
    return \%statuses;
}

sub peak { return slurp('/proc/' . $login->api->pid . '/status') =~ /^VmHWM:\s+(\d+)/m ? $1 : die 'no VmHWM' }

for my $parameters ('q=none', 'sort=name&limit=200', 'sort=expires&status=active&limit=200') {
    is_deeply ask('GET', "/api/v1/organizations/acme/tokens?$parameters", headers => { Authorization => "Bearer $token" }), { 200 => CALLERS }, $parameters;
}
note peak() . ' KiB';
cmp_ok peak(), '<', LIMIT, 'memory has its limit, however many tokens there are';
is_deeply ask('POST', '/api/v1/session', body => '{"username":"nobody","password":"x"}',
    headers => { 'Content-Type' => 'application/json', Origin => 'https://localhost', 'X-Real-IP' => '192.0.2.1' }), { 401 => 5, 429 => CALLERS - 5 }, 'log-ins';
note peak() . ' KiB';
cmp_ok peak(), '<', LIMIT + HASHES, 'beside running hashes';

done_testing;
