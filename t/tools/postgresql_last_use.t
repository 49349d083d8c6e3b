# The last use of tokens in PostgreSQL: a host that reads a replica and reports to the primary, rights, and
# hosts that write the same tokens at once.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Postgres;
use TokenAuth::Server;
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually spew);

my $server   = TokenAuth::Postgres->start(settings => [ 'wal_level = replica', 'max_wal_senders = 4' ]);
my $database = $server->database;
my $world    = TokenAuth::Sync->new(registry => 0);
my $primary  = $server->url($database);
my @group    = $> == 0 ? ('--group', 'www-data') : ();
$world->{url} = $primary;
$world->ctl_ok('init');
$world->populate(2000);
$world->sql('CREATE ROLE reads LOGIN IN ROLE token_auth_reader; CREATE ROLE reports LOGIN IN ROLE token_auth_reporter');

sub used { my ($id) = @_; return $server->sql($database, "SELECT count FROM token_auth.token_usage WHERE token = '$id'")->[0] // 0 }

my $dir = $world->dir . '/web1';
mkdir $_ or die $_ for $dir, "$dir/html";
chmod 0755, $dir, "$dir/html";
spew("$dir/html/index.html", "ok\n");
my $nginx = TokenAuth::Server->start(dir => $dir, http => <<"END");
token_auth_db $dir/db;
server {
    listen 127.0.0.1:%PORT%;
    listen unix:$dir/nginx.sock;
    root $dir/html;
    token_auth api;
    token_auth_org off;
    location = /usage { token_auth off; token_auth_usage; }
}
END
my @usage = ('--usage', "unix:$dir/nginx.sock:/usage", '--usage-interval', '1s');
sub use_token { return ($nginx->get('/', Authorization => "Bearer $_[0]-token"))[0] }

subtest 'a replica' => sub {
    my $copy = tempdir('token-auth-pg-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chown +(stat $server->data)[ 4, 5 ], $copy;
    $server->as_server("$server->{bin}/pg_basebackup", '-D', "$copy/base", '-R', '-X', 'stream', '-c', 'fast', '-d', $server->url('postgres'));
    my $replica = TokenAuth::Postgres->start(from => "$copy/base");

    local $world->{url} = $replica->url($database, 'reads');
    my $lost = $world->watch({ db => "$dir/db" }, '--host', 'web1', @group, @usage);
    ok eventually(sub { use_token('t1') == 200 }), 'it serves nginx';
    ok eventually(sub { $world->log_of($lost) =~ /^registry \S+: this server cannot be written \(a replica, or read-only\)[^\n]*--report-to[^\n]*not told/m }),
        'but takes no reports, which the log says' or diag $world->log_of($lost);
    is $world->stop($lost), 0, 'ended';

    my $watch = $world->watch({ db => "$dir/db" }, '--host', 'web1', '--report-to', $server->url($database, 'reports'), @group, @usage);
    ok eventually(sub { used('t1') }), '--report-to: the primary learns of last use' or diag $world->log_of($watch);
    {
        local $world->{url} = $primary;
        ok eventually(sub { my @hosts = @{ decode_json($world->ctl_ok('hosts', '--json')) }; @hosts == 1 && $hosts[0]{usage_since} }), 'and of the host';
        is $world->ctl('revoke', 't2', '--wait')->{status}, 0, 'a change can be waited for';
        is use_token('t2'), 401, 'it is applied';
        is decode_json($world->ctl_ok('show', 't1', '--json'))->{last_address}, '127.0.0.1', 'tokenctl shows it';
        $server->sql($database, "INSERT INTO token_auth.token_usage VALUES ('nobody', 1, '', 1); UPDATE token_auth.hosts SET pruned = 0");
        ok eventually(sub { !used('nobody') }), 'what is told of tokens that are gone goes, with the rights of token_auth_reporter';
        ok used('t1'), 'and nothing else';
    }
    ok eventually(sub { $world->ctl_ok('show', 't1') =~ /^last used    2/m }), 'so does tokenctl on the replica';
    is $world->stop($watch), 0, 'ended';
};

subtest 'the role that reports' => sub {
    for my $statement (q(UPDATE token_auth.tokens SET name = 'x'), q(SELECT digest FROM token_auth.tokens), q(UPDATE token_auth.waiting SET until = 0),
        q(INSERT INTO token_auth.changes (entity, key) VALUES ('a', 'b')), q(TRUNCATE token_auth.token_usage), q(SELECT 1 FROM token_auth.audit)) {
        is eval { $server->sql($database, $statement, 'reports'); 1 }, undef, "cannot: $statement";
    }
    $server->sql($database, q(CREATE ROLE writes LOGIN IN ROLE token_auth_writer));
    is eval { $server->sql($database, "DELETE FROM token_auth.$_", 'writes'); 1 }, undef, "who writes tokens cannot write $_" for qw(hosts token_usage);
};

subtest 'hosts that write the same tokens' => sub {
    my $before = used('t1');
    my @watches = map {
        mkdir $world->dir . "/host$_" or die;
        $world->watch({ db => $world->dir . "/host$_/db" }, '--host', "host$_", @usage)    # (one nginx, which each asks)
    } 1 .. 4;
    use_token("t$_") for 3 .. 1500;
    ok eventually(sub { $server->sql($database, 'SELECT count(*) FROM token_auth.token_usage')->[0] >= 1498 }), 'all arrive';
    for (1 .. 3) {
        use_token("t$_") for 3 .. 600;
        select undef, undef, undef, 1;
    }
    is $world->log_of($_), $world->log_of($_) =~ s/^.*(?:deadlock|not told).*\n//mgr, 'none waits for another in turn' for @watches;
    is $world->stop($_), 0, 'ended' for @watches;
};

done_testing;
