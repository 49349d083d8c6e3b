# tokensync watch as a service: its messages to systemd, its log, hundreds of changes, signals.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Sync;

# The socket of a systemd, and the messages on it.
sub manager {
    my ($world) = @_;
    my $path = $world->dir . '/notify' . $world->{number}++;
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!";
    return { path => $path, socket => $socket, told => [] };
}

# Reads messages for that long, or until one matches; returns whether one does.
sub told {
    my ($manager, $pattern, $seconds) = @_;
    my $end = time + ($seconds // 20);
    my $select = IO::Select->new($manager->{socket});
    for (;;) {
        my $left = $end - time;
        return 0 if $left <= 0 || !$select->can_read($left);
        $manager->{socket}->recv(my $text, 4096);
        push @{ $manager->{told} }, $text;
        return 1 if $text =~ $pattern;
    }
}

sub watch_under {
    my ($world, $manager, %more) = @_;
    local %ENV = (%ENV, NOTIFY_SOCKET => $manager->{path}, %{ $more{env} // {} });
    return $world->watch(@{ $more{arguments} // [] });
}

subtest 'what systemd is told' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $manager = manager($world);
    my $watch = watch_under($world, $manager);
    ok told($manager, qr/^READY=1$/), 'ready';
    is $world->decision('t1-token'), 'ok', 'when the store is up to date';
    ok told($manager, qr/^STATUS=Up to date at 20\S+Z: 2 tokens, generation \d+$/), 'status';
    is scalar(grep { /WATCHDOG/ } @{ $manager->{told} }), 0, 'no watchdog where nobody waits for it';
    is $world->stop($watch), 0, 'ends well';
    ok told($manager, qr/^STOPPING=1$/), 'stopping';
    is scalar(grep { /^READY/ } @{ $manager->{told} }), 1, 'ready is told once';
};

subtest 'a registry that is not there' => sub {
    my $world = TokenAuth::Sync->new(registry => 0);
    my $manager = manager($world);
    my $watch = watch_under($world, $manager, env => { WATCHDOG_USEC => 400_000 });
    ok told($manager, qr/^READY=1$/), 'keeps nobody waiting';
    ok told($manager, qr/^STATUS=Trying again: .*there is no such file/), 'is told of';
    ok told($manager, qr/^WATCHDOG=1$/), 'and is no reason to be ended' for 1 .. 3;
    is $world->stop($watch), 0, 'ends well';
};

subtest 'the watchdog' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $manager = manager($world);
    my $watch = watch_under($world, $manager, env => { WATCHDOG_USEC => 800_000 });
    my @pauses;
    ok told($manager, qr/^WATCHDOG=1$/), 'is kept quiet';
    for (1 .. 5) {
        my $begin = time;
        told($manager, qr/^WATCHDOG=1$/) or last;
        push @pauses, time - $begin;
    }
    is scalar @pauses, 5, 'again and again';
    # Another program locks the store and does not go on: no progress.
    my $lock_file = $world->db . '.sync';
    open my $hold, '+<', $lock_file or die "$lock_file: $!";
    my $f_ofd_setlkw = 38;    # of Linux; Fcntl lacks it
    my $first_byte = pack 's s x4 q q l x4', 1, 0, 0, 1, 0;    # struct flock, F_WRLCK
    fcntl $hold, $f_ofd_setlkw, $first_byte or die "$lock_file: $!";
    ok TokenAuth::Sync::eventually(sub { !told($manager, qr/^WATCHDOG=1$/, 2) }), 'not where it hangs';
    close $hold;
    ok told($manager, qr/^WATCHDOG=1$/), 'and again once it goes on';
    is $world->stop($watch), 0, 'ends well';

    local $ENV{WATCHDOG_PID} = $$;
    $manager = manager($world);
    $watch = watch_under($world, $manager, env => { WATCHDOG_USEC => 100_000 });
    ok told($manager, qr/^READY=1$/), 'ready';
    ok !told($manager, qr/^WATCHDOG/, 1), 'a watchdog that waits for another process';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'the log as JSON' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch('--log-format', 'json');
    my $log = sub { return map { decode_json($_) } split /\n/, $world->log_of($watch) };
    ok TokenAuth::Sync::eventually(sub { $log->() == 1 }), 'up';
    rename $world->registry, $world->dir . '/away' or die;
    ok TokenAuth::Sync::eventually(sub { $log->() == 2 }), 'an error';
    rename $world->dir . '/away', $world->registry or die;
    ok TokenAuth::Sync::eventually(sub { $log->() == 3 }), 'and its end';
    is $world->stop($watch), 0, 'ends well';
    is_deeply [ map { [ @$_{qw(level event)} ] } $log->() ],
        [ [qw(info synced)], [qw(error failed)], [qw(info recovered)], [qw(info stopped)] ], 'each is a line';
    like +($log->())[1]{error}, qr/there is no such file/, 'with the error';
    is +($log->())[0]{tokens}, 1, 'with what was done';

    $watch = $world->watch('--json', '--log-format', 'text');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /^up to date: 1 token,/ }),
        'text, where both are said';
    $world->stop($watch);
};

subtest 'changes by the hundred' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(500);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'up';
    my $sql = join '', map { "UPDATE tokens SET revoked_at = 1 WHERE id = 't$_';\n" } 1 .. 500;
    my $begin = time;
    my $done = $world->run_program({ stdin => $sql }, 'sqlite3', $world->registry);
    is $done->{status}, 0, '500 commits' or diag $done->{err};
    ok TokenAuth::Sync::eventually(sub { $world->decision('t500-token') eq 'token_revoked' }), 'arrive';
    my $took = time - $begin;
    my @lines = $world->log_of($watch) =~ /^applied changes: (\d+) records? written/mg;
    my $written = 0;
    $written += $_ for @lines;
    is $written, 500, 'all of them';
    cmp_ok scalar @lines, '<=', $took / 0.02 + 2, 'in at most 50 commits a second';
    is $world->sync('check')->{status}, 0, 'equal';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'signals' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch('--heartbeat', '1s');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'up';
    for (1 .. 40) {
        kill $_, $watch->{pid} for qw(STOP CONT WINCH);
        sleep 0.005;
    }
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }),
        'interrupted calls are no trouble';
    unlike $world->log_of($watch), qr/trying again/, 'nor told of';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'the time of an event' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $begins = sub {
        my (@options) = @_;
        my $watch = $world->watch(@options);
        ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /tokens/ }), 'up';
        $world->stop($watch);
        return TokenAuth::Sync::slurp($watch->{log});
    };
    like $begins->(), qr/\A(?:20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ [^\n]+\n)+\z/, 'stands before each line of a text';
    local $ENV{JOURNAL_STREAM} = '1:1';
    like $begins->(), qr/\A20\d\d-/, 'also if the journal is on another descriptor';
    unlike $begins->('--log-format', 'json'), qr/^20\d\d-/m, 'a field in JSON';
    my @journal = ('sh', '-c', 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/$$/fd/2) exec "$@"', 'sh');
    unlike $begins->({ as => \@journal }), qr/^20\d\d-/m, 'not in the journal, which has its own';
};

subtest 'the store is removed' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /2 tokens/ }), 'up';
    system('rm', '-r', $world->db) == 0 or die 'rm failed';
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }), 'it is made anew';
    like $world->log_of($watch), qr/^the store \S+db was removed; building it anew$/m, 'it says so';
    unlike $world->log_of($watch), qr/another store/, 'and speaks of no other';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'another store is put in place' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sync_ok('run');
    my $db = $world->db;
    system('cp', '-a', $db, "$db.backup") == 0 or die 'cp failed';
    my $watch = $world->watch('--heartbeat', '0');
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }), 'up';
    my $served = $world->json('status')->{generation};
    rename $db, "$db.bad" or die;
    sleep 0.3;    # a slow peer
    ok !-e $db, 'nothing is put in its way';
    rename "$db.backup", $db or die;
    ok TokenAuth::Sync::eventually(sub { $world->json('status')->{generation} > $served }),
        'the backup gets a generation above the one served, without a change in the registry';
    is $world->decision('t1-token'), 'token_revoked', 'and is brought up to date';
    like $world->log_of($watch), qr/^another store was put at \Q$db\E; going on with that one$/m, 'it says so';
    unlike $world->log_of($watch), qr/trying again/, 'and nothing else';
    is $world->stop($watch), 0, 'ends well';

    my $other = TokenAuth::Sync->new;
    $other->sync_ok('run');
    $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'up again';
    rename $db, "$db.good" or die;
    rename $other->db, $db or die;
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /is a copy of another registry .*; trying again$/m }),
        'the store of another registry is not taken over';
    is $world->stop($watch), 0, 'ends well';
};

done_testing;
