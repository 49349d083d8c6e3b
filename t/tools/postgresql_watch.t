# "tokensync watch" on PostgreSQL: announced changes arrive at once, and others soon (through a replica or a
# pooler); it reconnects by itself; it stops on request whatever the server does.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
BEGIN { $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql' }
use TokenAuth::Postgres;
use TokenAuth::Registry ();
use TokenAuth::Sync;
use Time::HiRes qw(sleep time);

my $server   = TokenAuth::Postgres->start(settings => [ 'wal_level = replica', 'max_wal_senders = 4' ]);
my $database = $server->database;
my $world    = TokenAuth::Sync->new(registry => 0);
$world->{url} = $server->url($database);
$world->ctl_ok('init');
$world->populate(5);

sub logged { my ($watch, $pattern) = @_; return TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ $pattern }) }
sub decided { my ($id, $code) = @_; return TokenAuth::Sync::eventually(sub { $world->decision("$id-token") eq $code }) }

# The number of transactions that the server has run in this database so far.
sub transactions {
    sleep 1.1;    # the counters may be that late
    return $server->sql('postgres', "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '$database'")->[0];
}

# Seconds of processor time of a process.
sub cpu {
    my ($pid) = @_;
    my @fields = split / /, TokenAuth::Sync::slurp("/proc/$pid/stat") =~ s/\A.*\) //sr;
    return ($fields[11] + $fields[12]) / 100;
}

subtest 'a server that restarts, and connections that are killed' => sub {
    my $watch = $world->watch('--heartbeat', '1h');
    ok logged($watch, qr/full load/), 'up';
    my $before = transactions();
    cmp_ok transactions() - $before, '<', 12, 'next to nothing is asked while nothing happens';
    $world->ctl_ok('revoke', 't1');
    ok decided('t1', 'token_revoked'), 'a change is announced';
    for my $kill (1 .. 3) {
        $server->sql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database'");
        $world->ctl_ok($kill % 2 ? 'restore' : 'revoke', 't1');
        ok decided('t1', $kill % 2 ? 'ok' : 'token_revoked'), "killed $kill times, it connects again";
    }
    for my $how (qw(fast immediate)) {
        $server->down($how);
        ok logged($watch, qr/cannot be reached: .*; trying again\n/), "$how stop: said";
        is $world->decision('t3-token'), 'ok', 'the store is served';
        $server->up;
        $world->ctl_ok($how eq 'fast' ? 'revoke' : 'restore', 't2');
        ok decided('t2', $how eq 'fast' ? 'token_revoked' : 'ok'), 'and it goes on when the server is there again'
            or diag $world->log_of($watch);
    }
    unlike $world->log_of($watch), qr/full load.*full load/s, 'everything was read only once';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'announcements' => sub {
    require DBI;
    my $listener = DBI->connect("dbi:Pg:dbname=$database;host=" . $server->dir, 'postgres', '', { AutoCommit => 1, RaiseError => 1 });
    $listener->do('LISTEN token_auth');
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $listener->ping && $listener->pg_notifies }, 5), 'a change is announced';
    $world->ctl_ok('restore', 't1');
    my $watch = $world->watch('--heartbeat', '1h');
    ok logged($watch, qr/\d tokens?, generation/), 'watch is up';
    # without announcements it asks once a second
    my @took;
    for my $change (1 .. 9) {
        sleep 0.1 + rand 0.4;
        my $asked = time;
        my $generation = $world->json('status')->{generation};
        my $asking = time - $asked;    # long beside other programs
        $listener->do(q{UPDATE token_auth.tokens SET name = name || '+' WHERE id = 't2'});
        my $begun = time;
        TokenAuth::Sync::eventually(sub { $world->json('status')->{generation} > $generation }) or last;
        push @took, time - $begun - 2 * $asking;
    }
    @took = sort { $a <=> $b } @took;
    cmp_ok $took[4], '<', 0.3, 'most changes do not wait for that';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'a server that does not answer any more' => sub {
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($watch, qr/\d tokens?, generation/), 'up';
    my @pids = @{ $server->sql('postgres', "SELECT pid FROM pg_stat_activity WHERE datname = '$database'") };
    kill 'STOP', @pids;
    sleep 1.5;    # a heartbeat is asking now
    my $begun = time;
    is $world->stop($watch), 0, 'it ends well all the same';
    cmp_ok time - $begun, '<', 2, 'at once';
    kill 'CONT', @pids;
};

subtest 'a replica' => sub {
    my $copy = tempdir('token-auth-pg-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chown +(stat $server->data)[ 4, 5 ], $copy;
    $server->as_server("$server->{bin}/pg_basebackup", '-D', "$copy/base", '-R', '-X', 'stream', '-c', 'fast',
        '-d', $server->url('postgres'));
    my $replica = TokenAuth::Postgres->start(from => "$copy/base");
    my $primary = $world->{url};
    $world->{url} = $replica->url($database);
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'run and check work on it';
    like $world->ctl('org', 'add', 'x')->{err}, qr/cannot be written \(a replica, or read-only\); name the primary/, 'tokenctl says what it is';
    my $watch = $world->watch;
    ok logged($watch, qr/\d tokens?, generation/), 'watch, too';
    # a replica that lags behind the store must not set it back
    TokenAuth::Postgres::sql_at($replica->url($database), 'SELECT pg_wal_replay_pause()');
    is $world->stop($watch), 0, 'watch of the replica ends';
    my $lagging = $world->{url};
    $world->{url} = $primary;
    $world->ctl_ok('revoke', 't2');
    $world->sync_ok('run');
    $world->{url} = $lagging;
    my $run = $world->sync('run');
    is $run->{status}, 1, 'a replica that is behind';
    like $run->{err}, qr/this replica is behind what the store holds already; waiting for it/, 'is told of';
    is $world->decision('t2-token'), 'token_revoked', 'and not believed';
    TokenAuth::Postgres::sql_at($replica->url($database), 'SELECT pg_wal_replay_resume()');
    ok TokenAuth::Sync::eventually(sub { $world->sync('run')->{status} eq '0' }), 'until it has caught up';
    $watch = $world->watch;
    ok logged($watch, qr/\d tokens?, generation/), 'watch again';

    # a replica's snapshots do not show transactions in progress
    $world->{url} = $primary;
    require DBI;
    my @sessions = map { DBI->connect("dbi:Pg:dbname=$database;host=" . $server->dir, 'postgres', '', { AutoCommit => 0, RaiseError => 1 }) } 1 .. 2;
    $sessions[0]->do("UPDATE token_auth.tokens SET revoked_at = 1 WHERE id = 't3'");
    $world->ctl_ok('revoke', 't4');
    ok decided('t4', 'token_revoked'), 'changes arrive';
    $sessions[1]->do("UPDATE token_auth.tokens SET revoked_at = 1 WHERE id = 't5'");
    $sessions[1]->commit;
    ok decided('t5', 'token_revoked'), 'and more';
    my $cpu = cpu($watch->{pid});
    sleep 2;
    cmp_ok cpu($watch->{pid}) - $cpu, '<', 1, 'without a busy loop while a transaction is under way';
    $sessions[0]->commit;
    ok decided('t3', 'token_revoked'), 'one that began before them and ended after them is not lost';
    $_->disconnect for @sessions;
    $world->ctl_ok('restore', 't3', 't4', 't5');
    ok decided('t3', 'ok'), 'restored';
    is $world->stop($watch), 0, 'ends well';
    # the replica's position is valid on the primary
    ok !$world->json('run')->{full}, 'the primary goes on where the replica was';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'a pooler' => sub {
    my $dir = tempdir('token-auth-pool-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0777, $dir;
    my ($pgbouncer) = grep { -x } '/usr/sbin/pgbouncer';
    ok defined $pgbouncer, 'pgbouncer is there' or return;
    my $postgres = $server->dir;
    TokenAuth::Sync::spew("$dir/users", qq("postgres" ""\n));
    TokenAuth::Sync::spew("$dir/ini", <<"END");
[databases]
* = host=$postgres user=postgres
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $dir
auth_type = any
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits,options
END
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec @{ $server->{as} // [] }, $pgbouncer, "$dir/ini" or POSIX::_exit(127);
    }
    ok TokenAuth::Sync::eventually(sub { -S "$dir/.s.PGSQL.6432" }), 'it is up';
    my $direct = $world->{url};
    $world->{url} = "postgresql://postgres\@/$database?host=$dir&port=6432";
    my $watch = $world->watch('--heartbeat', '1h');
    ok logged($watch, qr/\d tokens?, generation/), 'watch works through it' or diag TokenAuth::Sync::slurp("$dir/log");
    $world->{url} = $direct;
    for my $change (1 .. 3) {
        my $begun = time;
        $world->ctl_ok('revoke', 't1');
        ok decided('t1', 'token_revoked'), 'changes arrive though no announcement does';
        $world->ctl_ok('restore', 't1');
        ok decided('t1', 'ok'), 'and again';
    }
    $world->{url} = "postgresql://postgres\@/$database?host=$dir&port=6432";
    is $world->stop($watch), 0, 'ends well';
    # a transaction that fails leaves nothing behind on the server's connection, and is run again
    my $db = DBI->connect("dbi:Pg:dbname=$database;host=" . $server->dir, 'postgres', '', { AutoCommit => 0, RaiseError => 1 });
    $db->do("UPDATE token_auth.tokens SET name = 'x' WHERE id = 't1'");
    my $tokenctl = fork // die "fork: $!";
    if ($tokenctl == 0) {
        POSIX::_exit($world->ctl('revoke', 't1')->{status});
    }
    sleep 1;
    $db->commit;
    $db->disconnect;
    waitpid $tokenctl, 0;
    is $?, 0, 'a transaction that fails is run again';
    $world->ctl_ok('org', 'add', 'through-a-pooler');
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'tokenctl and check work through it';
    kill 'TERM', $pid;
    waitpid $pid, 0;
};

subtest 'a server that ends slow and idle sessions soon' => sub {
    $world->{url} = $server->url($database);
    my %soon = (idle_in_transaction_session_timeout => '1ms', lock_timeout => '1ms', statement_timeout => '100ms');
    my ($version) = @{ $server->sql('postgres', 'SHOW server_version_num') };
    $soon{idle_session_timeout} = '400ms' if $version >= 140_000;
    $soon{transaction_timeout}  = '400ms' if $version >= 170_000;
    $server->sql('postgres', "ALTER DATABASE $database SET $_ = '$soon{$_}'") for keys %soon;
    $world->sync_ok('run', '--full') for 1 .. 10;
    $world->ctl_ok('restore', 't1');
    my $watch = $world->watch('--heartbeat', '1h');
    ok logged($watch, qr/\d tokens?, generation/), 'watch is up';
    sleep 1;
    $world->ctl_ok('revoke', 't1');
    ok decided('t1', 'token_revoked'), 'changes arrive';
    unlike $world->log_of($watch), qr/trying again/, 'over the same connection';
    is $world->stop($watch), 0, 'ends well';
    # a statement that takes its time: another session has the table for itself
    my ($process, $from, $to) = TokenAuth::Registry::open_registry($world->{url});
    print $to "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; BEGIN; "
        . "LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT 'locked'; SELECT pg_sleep(0.5); COMMIT;\n";
    $to->flush;
    like scalar <$from>, qr/locked/, 'locked';
    is $world->sync('run')->{status}, 0, 'a sync waits for it';
    close $to;
    waitpid $process, 0;
    $server->sql('postgres', "ALTER DATABASE $database RESET ALL");
};

done_testing;
