# PostgreSQL's change log loses nothing: store and registry are equal after a sync, whatever the order of
# commits, and after rollbacks, pruning and restores.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use DBI;
use Test::More;
BEGIN { $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql' }
use TokenAuth::Postgres;
use TokenAuth::Sync;

my $server = TokenAuth::Postgres->shared;

# A new connection; its statements belong to one transaction until commit().
sub session {
    my ($world) = @_;
    my ($database, $host) = $world->url =~ m{@/(\w+)\?host=(.*)};
    return DBI->connect("dbi:Pg:dbname=$database;host=$host", 'postgres', '',
        { AutoCommit => 0, RaiseError => 1, PrintError => 0 });
}

sub revoke { my ($session, $id, $at) = @_; return $session->do('UPDATE token_auth.tokens SET revoked_at = ? WHERE id = ?', undef, $at // 1, $id) }

sub equal {
    my ($world) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $check = $world->sync('check');
    return is($check->{status}, 0, 'store and registry are equal') || diag($check->{out}, $check->{err});
}

my $world = TokenAuth::Sync->new;
$world->populate(20);
$world->sync_ok('run');

subtest 'a transaction that began first and ends last' => sub {
    my ($early, $late) = (session($world), session($world));
    revoke($early, 't1');
    revoke($late,  't2');
    $late->commit;
    my $run = $world->json('run');
    is $run->{written}, 1, 'the late one is seen';
    is $world->decision('t2-token'), 'token_revoked', 'at once';
    is $world->decision('t1-token'), 'ok', 'the early one is not there yet';
    equal($world);
    $world->ctl_ok('revoke', 't3');
    ok !$world->json('run')->{full}, 'more changes come meanwhile';
    $early->commit;
    $run = $world->json('run');
    ok !$run->{full}, 'its change is found among the others';
    is $world->decision('t1-token'), 'token_revoked', 'however low its number';
    equal($world);
};

subtest 'rollbacks and savepoints' => sub {
    my $session = session($world);
    revoke($session, 't4');
    $session->rollback;
    revoke($session, 't5');
    $session->do('SAVEPOINT a');
    revoke($session, 't6');
    $session->do('ROLLBACK TO SAVEPOINT a');
    $session->do('SAVEPOINT b');
    revoke($session, 't7');
    $world->sync_ok('run');
    is $world->decision('t5-token'), 'ok', 'not before the end';
    $session->commit;
    $world->sync_ok('run');
    is_deeply [ map { $world->decision("t$_-token") } 4 .. 7 ], [qw(ok token_revoked ok token_revoked)], 'what was committed';
    equal($world);
    revoke($session, 't8');
    $session->disconnect;
    $world->sync_ok('run');
    is $world->decision('t8-token'), 'ok', 'a session that goes leaves nothing';
};

subtest 'many transactions under way' => sub {
    my @sessions = map { session($world) } 1 .. 70;
    my $spread = session($world);
    for my $i (0 .. $#sessions) {
        $sessions[$i]->do('INSERT INTO token_auth.organizations (id, created_at) VALUES (?, 0)', undef, "under-way-$i");
        revoke($spread, 't9', $i + 1), $spread->commit for 1 .. 3;
    }
    $world->sync_ok('run');
    like $world->json('status')->{position}, qr/\A.{200,512}\z/, 'the position holds them';
    equal($world);
    $_->commit for @sessions[ 10, 65, 3 ];
    ok !$world->json('run')->{full}, 'some of them end';
    equal($world);
    $_->commit for @sessions[ 0 .. 2, 4 .. 9, 11 .. 64, 66 .. 69 ];
    ok !$world->json('run')->{full}, 'all of them';
    equal($world);
};

subtest 'statements that change many rows' => sub {
    my $session = session($world);
    $session->do("UPDATE token_auth.tokens SET name = name || '!', revoked_at = 0");
    $session->do("UPDATE token_auth.users SET disabled = 1 WHERE technical = 1 AND id < 'tu-t15'");
    $session->do("INSERT INTO token_auth.users (id, created_at) SELECT 'person-' || i, 0 FROM generate_series(1, 300) i");
    $session->do("INSERT INTO token_auth.memberships SELECT 'person-' || i, 'acme', 'reader', 0 FROM generate_series(1, 300) i");
    $session->do("UPDATE token_auth.memberships SET organization = 'under-way-1' WHERE user_id LIKE 'person-1%'");
    $session->do("INSERT INTO token_auth.users (id, created_at) VALUES ('idle', 0)");
    $session->do("UPDATE token_auth.users SET id = 'renamed' WHERE id = 'idle'");
    $session->do("DELETE FROM token_auth.users WHERE id LIKE 'person-2%'");
    $session->commit;
    ok !$world->json('run')->{full}, 'incrementally';
    equal($world);
    $session->do("DELETE FROM token_auth.organizations WHERE id LIKE 'under-way-%'");
    $session->commit;
    ok !$world->json('run')->{full}, 'with what hangs on them';
    equal($world);
    $session->do("DELETE FROM token_auth.tokens WHERE id = 't20'");
    $session->commit;
    is $world->sql("SELECT count(*) FROM users WHERE id = 'tu-t20'")->[0], 0, 'a technical user goes with its last token';
};

subtest 'a table that is truncated' => sub {
    $world->sql('TRUNCATE memberships');
    ok $world->json('run')->{full}, 'is noticed, and all is read';
    equal($world);
};

subtest 'a table that is truncated and filled again in one transaction' => sub {
    my $session = session($world);
    my $before = $world->json('status')->{counts}{tokens};
    $session->do('CREATE TEMP TABLE kept AS SELECT * FROM token_auth.tokens');
    $session->do('TRUNCATE token_auth.tokens');
    $session->do('INSERT INTO token_auth.tokens SELECT * FROM kept');
    my $run = fork // die "fork: $!";
    if ($run == 0) {
        require POSIX;
        POSIX::_exit($world->sync('run')->{status} eq '0' ? 0 : 1);
    }
    sleep 1;
    $session->commit;
    waitpid $run, 0;
    is $?, 0, 'a sync meanwhile waits for it';
    is $world->json('status')->{counts}{tokens}, $before, 'and never sees the table empty';
    equal($world);
};

subtest 'the log is pruned' => sub {
    my $rows = sub { $world->sql('SELECT count(*) FROM changes')->[0] };
    my $before = $rows->();
    cmp_ok $before, '>', 500, 'a long log';
    # as if a million rows had come since the last mark, twice
    my $pass = sub { $world->sql('UPDATE log_state SET mark_seq = mark_seq - 1000000') };
    my $open = session($world);
    revoke($open, 't10');
    $pass->();
    $world->ctl_ok('revoke', 't11');
    $pass->();
    $world->ctl_ok('restore', 't11');
    $world->sync_ok('run');
    $pass->();
    $world->ctl_ok('revoke', 't12');
    cmp_ok $rows->(), '<', 50, 'it is short';
    ok !$world->json('run')->{full}, 'a store that kept up goes on';
    equal($world);
    $open->commit;
    ok !$world->json('run')->{full}, 'what was under way meanwhile was kept';
    is $world->decision('t10-token'), 'token_revoked', 'and is found';
    equal($world);

    # a store that has fallen behind
    $world->ctl_ok('revoke', 't13');
    for (1 .. 3) {
        $pass->();
        $world->ctl_ok('restore', 't13');
        $world->ctl_ok('revoke', 't13');
    }
    cmp_ok $rows->(), '<', 10, 'pruned beyond it';
    ok $world->json('run')->{full}, 'all is read';
    is $world->decision('t13-token'), 'token_revoked', 'and nothing lost';
    equal($world);

    # what a dashboard writes shortens it, too
    $pass->();
    my $session = session($world);
    revoke($session, 't14'), $session->commit for 1 .. 3;
    $pass->();
    revoke($session, 't14', 2), $session->commit for 1 .. 3;
    cmp_ok $rows->(), '<', 8, 'by statements of SQL';
    $world->sync_ok('run');
    equal($world);
};

subtest 'a server that crashed' => sub {
    # PostgreSQL does not write a transaction without changes at once, so a crash loses its number
    my $own = TokenAuth::Postgres->start(settings => ['wal_writer_delay = 10s']);
    my $database = $own->database;
    my $crashing = TokenAuth::Sync->new(registry => 0);
    $crashing->{url} = $own->url($database);
    $crashing->ctl_ok('init');
    $crashing->populate(3);
    $crashing->sync_ok('run');
    for my $round (1 .. 3) {
        my ($burnt, $drawn);
        # The server's writer wakes every ten seconds and may have written it after all.
        for (1 .. 10) {
            $crashing->sql("UPDATE tokens SET name = name || '+', revoked_at = 0 WHERE id = 't$round'");
            $own->sql($database, join "\n", ('BEGIN; SELECT pg_current_xact_id(); ROLLBACK;') x 50);
            ($burnt) = @{ $own->sql($database, 'SELECT pg_snapshot_xmax(pg_current_snapshot())') };
            $crashing->sync_ok('run');
            $own->sql($database, q{UPDATE token_auth.roles SET scopes = scopes WHERE id = 'none'});
            $crashing->sync_ok('run');
            $own->down('immediate');
            $own->up;
            $crashing->sql("UPDATE tokens SET revoked_at = $round WHERE id = 't$round'");
            ($drawn) = @{ $crashing->sql('SELECT xid FROM changes ORDER BY seq DESC LIMIT 1') };
            last if $drawn < $burnt;
            $crashing->sync_ok('run');
        }
        cmp_ok $drawn, '<', $burnt, 'numbers of transactions are given out again';
        my $run = $crashing->json('run');
        is $crashing->decision("t$round-token"), 'token_revoked', 'no change is taken for one of before';
        ok !$run->{full}, 'and none but it is read';
        is $crashing->sync('check')->{status}, 0, 'equal';
    }
};

subtest 'a registry restored from a backup' => sub {
    my $own = TokenAuth::Postgres->start;
    my $database = $own->database;
    $world->{url} = $own->url($database);
    $world->ctl_ok('init');
    $world->populate(3);
    $world->sync_ok('run', '--force');
    $own->down;
    $own->as_server('cp', '-a', $own->data, $own->dir . '/backup');
    $own->up;
    $world->ctl_ok('revoke', 't1');
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'token_revoked', 'before';

    # under a watch that stays connected
    my $dump = $own->dir . '/before';
    $own->as_server("$own->{bin}/pg_dump", '-Fc', '-f', $dump, '-d', $own->url($database));
    my $watch = $world->watch('--heartbeat', '1h');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /generation/ }), 'watch is up';
    $world->ctl_ok('restore', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'ok' }), 'and follows';
    $own->as_server("$own->{bin}/pg_restore", '--clean', '--single-transaction', '-d', $own->url($database), $dump);
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }),
        'a dump restored in place under a connected watch is noticed';
    is $world->stop($watch), 0, 'watch ends';
    equal($world);

    # the files put back: the same cluster at an earlier time
    $own->down('immediate');
    $own->as_server('rm', '-rf', $own->data);
    $own->as_server('cp', '-a', $own->dir . '/backup', $own->data);
    $own->up;
    my $run = $world->json('run');
    ok $run->{full}, 'files put back: all is read';
    is $world->decision('t1-token'), 'ok', 'as in the backup';
    equal($world);

    # once more, with other changes that draw the same numbers
    $world->ctl_ok('revoke', 't1');
    $world->sync_ok('run');
    $own->down('immediate');
    $own->as_server('rm', '-rf', $own->data);
    $own->as_server('cp', '-a', $own->dir . '/backup', $own->data);
    $own->up;
    $world->ctl_ok('revoke', 't2');
    ok $world->json('run')->{full}, 'the numbers are drawn again: all is read';
    is_deeply [ map { $world->decision("t$_-token") } 1, 2 ], [qw(ok token_revoked)], 'as it is now';
    equal($world);

    # the files put back while a transaction was open that had drawn its number early
    $own->down;
    $own->as_server('rm', '-rf', $own->dir . '/backup');
    $own->up;
    my ($host) = ($own->dir);
    my $early = DBI->connect("dbi:Pg:dbname=$database;host=$host", 'postgres', '', { AutoCommit => 0, RaiseError => 1 });
    revoke($early, 't3');
    $world->sql("UPDATE tokens SET name = name || '+' WHERE id = 't2'") for 1 .. 70;
    $world->sync_ok('run');
    $world->sql('CHECKPOINT');
    kill 'STOP', my $postmaster = (split /\n/, TokenAuth::Sync::slurp($own->data . '/postmaster.pid'))[0];
    $own->as_server('cp', '-a', $own->data, $own->dir . '/backup');
    kill 'CONT', $postmaster;
    $early->commit;
    $world->sync_ok('run');
    is $world->decision('t3-token'), 'token_revoked', 'it ends';
    $early->disconnect;
    $own->down('immediate');
    $own->as_server('rm', '-rf', $own->data);
    $own->as_server('cp', '-a', $own->dir . '/backup', $own->data);
    unlink $own->data . '/postmaster.pid';
    $own->up;
    ok $world->json('run')->{full}, 'rolled back to when it was open: all is read';
    is $world->decision('t3-token'), 'ok', 'as it is now';
    equal($world);

    # dumped into another cluster, whose transactions count from elsewhere; the log was pruned before
    $own->sql($database, join "\n", map { "SELECT pg_current_xact_id();" } 1 .. 2000);
    for (1 .. 3) {
        $world->sql('UPDATE log_state SET mark_seq = mark_seq - 1000000');
        $world->ctl_ok($_ == 2 ? 'restore' : 'revoke', 't1');
    }
    isnt $world->sql('SELECT pruned_below FROM log_state')->[0], 0, 'pruned';
    my $other = TokenAuth::Postgres->start;
    my $there = $other->database;
    $own->as_server("$own->{bin}/pg_dump", '-Fc', '-f', $own->dir . '/dump', '-d', $own->url($database));
    $other->sql('postgres', join '', map { "CREATE ROLE token_auth_$_;" } qw(reader writer reporter api));
    $own->as_server("$own->{bin}/pg_restore", '-d', $other->url($there), $own->dir . '/dump');
    $world->{url} = $other->url($there);
    $world->ctl_ok('restore', 't2');
    ok $world->json('run')->{full}, 'another cluster: all is read';
    is $world->decision('t2-token'), 'ok', 'as it is there';
    equal($world);
    ok !$world->json('run')->{full}, 'once';
    $world->sql("UPDATE tokens SET name = name || '+' WHERE id = 't2'");
    is $world->sql('SELECT pruned_below FROM log_state')->[0], 0, 'what counted in the old cluster is forgotten';
    is $world->sql('SELECT count(*) FROM changes')->[0], 2, 'in the log, too';
    $world->ctl_ok('revoke', 't3');
    ok !$world->json('run')->{full}, 'and then only what changes';
    equal($world);
};

done_testing;
