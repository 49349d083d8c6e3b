# The store's second format: from the first one, equal keys, numbers of roles, generations, faults.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(:flock);
use POSIX ();
use Test::More;
use TokenAuth::FileWorld;
use TokenAuth::Sync;

sub token { return TokenAuth::Sync::token(@_) }
sub equal { return is $_[0]->sync('check')->{status}, 0, $_[1] // 'equal to the registry' }
sub spew  { return TokenAuth::Sync::spew(@_) }
sub generation { return $_[0]->json('status')->{generation} }

# What tokensync 0.1 left: main database without integer keys, two lock files.
sub format_1 {
    my ($world) = @_;
    mkdir $world->db or die $world->db . ": $!";
    spew($world->dir . '/dump', "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n 4d\n 544b41555448\nDATA=END\n");
    my $load = $world->run_program({}, 'mdb_load', '-f', $world->dir . '/dump', $world->db);
    is $load->{status}, 0, 'made' or diag $load->{err};
    spew($world->db . '/sync.lock', '');
    return;
}

subtest 'a store of format 1' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    format_1($world);
    for my $command (qw(status check)) {
        my $result = $world->sync($command);
        is $result->{status}, 1, "$command: exit status";
        like $result->{err}, qr/of format 1, made by tokensync 0\.1.*run "tokensync run --db \S+"$/,
            "$command: what to do";
    }
    open my $lock, '<', $world->db . '/sync.lock' or die;
    flock $lock, LOCK_EX or die;
    my $inode = (stat $world->db)[1];
    my $run = $world->sync('run');
    is $run->{status}, 1, 'one that is worked on: exit status';
    like $run->{err}, qr/a tokensync of release 0\.1 works on the store .*; stop it/, 'what to do';
    is((stat $world->db)[1], $inode, 'it is left alone');
    close $lock;
    $run = $world->sync('run');
    is $run->{status}, 0, 'another: exit status';
    like $run->{err}, qr/is of format 1, made by tokensync 0\.1; a new one took its place/, 'is replaced';
    is_deeply [ map { s{.*/}{}r } glob $world->db . '/*' ], ['data.mdb'], 'as a whole';
    equal($world);
    is $world->decision('t1-token'), 'ok', 'and served';
};

subtest 'tokens with equal keys' => sub {
    my $world = TokenAuth::Sync->new;
    # 63 bits are the key: these differ in the bit that it leaves out, and in the rest.
    my $digest = sub { return 'sha256:' . 'ab' x 7 . $_[0] . $_[1] x 24 };
    my %digests = (a => $digest->('10', '00'), b => $digest->('11', '00'), c => $digest->('10', 'ff'),
        d => $digest->('11', '77'));
    $world->import_lines({ type => 'organization', id => 'acme' },
        map { token($_, digest => $digests{$_}) } qw(c a));
    $world->sync_ok('run');
    equal($world, 'two, loaded');
    $world->import_lines(map { token($_, digest => $digests{$_}) } qw(d b));
    $world->sync_ok('run');
    equal($world, 'two more, added');
    is $world->json('status')->{counts}{tokens}, 4, 'all are counted';
    $world->ctl_ok('revoke', 'b');
    $world->sync_ok('run');
    equal($world, 'one changed');
    $world->ctl_ok('delete', 'a');
    $world->sync_ok('run');
    equal($world, 'the first deleted');
    is $world->json('status')->{counts}{tokens}, 3, 'and not counted';
    $world->ctl_ok('delete', 'c', 'd');
    $world->sync_ok('run');
    equal($world, 'all but one');
    $world->ctl_ok('delete', 'b');
    $world->sync_ok('run');
    equal($world, 'the last');
};

subtest 'memberships' => sub {
    my $world = TokenAuth::Sync->new;
    my @organizations = map { "o$_" } 1 .. 6;
    $world->import_lines((map { { type => 'organization', id => $_ } } @organizations),
        { type => 'role', id => 'reader', scopes => ['agents:read'] },
        { type => 'role', id => 'writer', scopes => ['agents:write'] },
        { type => 'user', id => 'ann' }, token('p1', kind => 'user', user => 'ann', organization => undef));
    $world->sync_ok('run');
    for my $count (1 .. 6) {
        $world->ctl_ok('member', 'add', 'ann', "o$count", '--role', 'reader');
        $world->sync_ok('run');
        equal($world, "$count memberships");
        is $world->decision('p1-token', '--org', "o$_", '--scope', 'agents:read'), 'ok', "in o$_" for 1 .. $count;
        is $world->json('status')->{counts}{user_records}, $count > 4 ? 1 : 0, 'a record of their own beyond 4';
    }
    $world->sync_ok('run', '--full');
    is $world->decision('p1-token', '--org', 'o6'), 'ok', 'read anew';
    $world->ctl_ok('role', 'set', 'reader', 'agents:list');
    $world->sync_ok('run');
    is $world->decision('p1-token', '--org', 'o3', '--scope', 'agents:list'), 'ok', 'a role changed';
    $world->ctl_ok('org', 'suspend', 'o3');
    $world->sync_ok('run');
    equal($world, 'one is suspended');
    is $world->decision('p1-token', '--org', 'o3'), 'organization_suspended', 'seen';
    is $world->json('status')->{counts}{suspended_organizations}, 1, 'counted';
    $world->ctl_ok('org', 'resume', 'o3');
    $world->ctl_ok('member', 'remove', 'ann', $_) for 'o1', 'o2';
    $world->sync_ok('run');
    equal($world, 'back to 4');
    is $world->json('status')->{counts}{user_records}, 0, 'the record is gone';
    is $world->decision('p1-token', '--org', 'o1'), 'not_a_member', 'no member any more';
    is $world->decision('p1-token', '--org', 'o6'), 'ok', 'still one';
    $world->ctl_ok('user', 'disable', 'ann');
    $world->sync_ok('run');
    equal($world, 'disabled');
    is $world->decision('p1-token', '--org', 'o6'), 'token_revoked', 'seen';
};

subtest 'generations' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $sync = $world->db . '.sync';
    my $far = generation($world) + 1_000_000_000;
    my $content = TokenAuth::Sync::slurp($sync);
    $content =~ s/ \d{20} / sprintf ' %020d ', $far/e or die $content;
    spew($sync, $content);
    $world->sync_ok('run');
    cmp_ok generation($world), '>', $far, 'above the one in the lock file';
    my $before = generation($world);
    unlink glob $world->db . '/*';
    $world->sync_ok('run');
    cmp_ok generation($world), '>', $before, 'that outlives the store';
    $before = generation($world);
    my $inode = (stat $world->db . '/data.mdb')[1];
    my $run = $world->json('run', '--rebuild');
    ok $run->{rebuilt}, 'run --rebuild makes a new one';
    cmp_ok generation($world), '>', $before, 'above it';
    isnt((stat $world->db . '/data.mdb')[1], $inode, 'in another file');
    for my $what ([ 'missing', sub { unlink $sync } ], [ 'scribbled over', sub { spew($sync, "\0noise" x 99) } ],
        [ 'cut', sub { truncate $sync, 20 } ]) {
        $before = generation($world);
        $what->[1]->();
        $world->sync_ok('run');
        cmp_ok generation($world), '>', $before, "a lock file that is $what->[0]: above the store's";
        is $world->decision('t1-token'), 'ok', 'which is sound';
    }
    mkdir "$sync.d" or die;
    unlink $sync;
    rename "$sync.d", $sync or die;
    $run = $world->sync('run');
    is $run->{status}, 1, 'a directory in its place: exit status';
    like $run->{err}, qr/db\.sync/, 'names it';
    rmdir $sync;
};

subtest 'a lock file that is removed under a watch' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'up';
    unlink $world->db . '.sync' or die;
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }), 'it goes on';
    like $world->log_of($watch), qr/lock file \S+db\.sync was removed or exchanged.*trying again/, 'and says so';
    ok -e $world->db . '.sync', 'with a new one';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'a fault in the writing part' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(500);
    $world->sync_ok('run');
    my $before = generation($world);
    # A page that no look at the records shows, but that the writer follows: the tree of free pages.
    my $file = $world->db . '/data.mdb';
    $world->ctl_ok('revoke', 't1');
    $world->sync_ok('run');
    my $pages = TokenAuth::Sync::slurp($file);
    my ($number) = sort { $b <=> $a } map { unpack 'Q<', substr $pages, $_ * 4096 + 144, 8 } 0, 1;
    my $meta = ($number % 2) * 4096;
    my $root = unpack 'Q<', substr $pages, $meta + 40 + 40, 8;
    isnt $root, ~0, 'there are free pages';
    substr $pages, $root * 4096 + 12, 4, pack 'v2', 0xfff0, 0x10;
    spew($file, $pages);
    $world->ctl_ok('revoke', 't2');
    my $run = $world->sync('run');
    is $run->{status}, 0, 'run ends well' or diag $run->{err};
    is $world->decision('t2-token'), 'token_revoked', 'a revocation arrives';
    equal($world);
};

# A store of nobody's, and a registry that only root may read.
sub world_of_nobody {
    my ($uid, $gid) = (getpwnam 'nobody')[ 2, 3 ];
    plan skip_all => 'needs root' if $> != 0;
    plan skip_all => 'needs nobody and www-data' if !defined $uid || !defined getgrnam 'www-data';
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $place = $world->dir . '/place';
    mkdir $place or die;
    chown $uid, $gid, $place or die;
    chmod 0600, map { $world->registry . $_ } '', '-wal', '-shm';
    return ($world, { db => "$place/db" }, $place, $uid);
}

subtest 'as root, with another account\'s directory' => sub {
    my ($world, $at, $place, $uid) = world_of_nobody();
    my $group = getgrnam 'www-data';
    is $world->sync($at, 'run', '--group', 'www-data')->{status}, 0, 'the registry is opened before';
    is_deeply [ map { (stat "$place/$_")[4] } qw(db db/data.mdb db.sync) ], [ ($uid) x 3 ], 'all is its owner\'s';
    is_deeply [ map { (stat "$place/$_")[5] } qw(db db/data.mdb) ], [ ($group) x 2 ], 'the group is nginx\'s';
    # As some programs start others.
    my $run = $world->run_program({}, qw(timeout -s KILL 20 perl -e), '$SIG{CHLD} = "IGNORE"; exec @ARGV',
        $world->tool('tokensync'), $world->locations($at->{db}), 'run');
    is $run->{status}, 0, 'it ends with SIGCHLD ignored, too';
    # What its owner may put there is of no use to them.
    spew($world->dir . '/secret', 'root only');
    chmod 0600, $world->dir . '/secret';
    unlink "$place/db.sync";
    symlink $world->dir . '/secret', "$place/db.sync" or die;
    is $world->sync($at, 'run')->{status}, 1, 'a link to a file of root\'s is refused';
    is TokenAuth::Sync::slurp($world->dir . '/secret'), 'root only', 'the file is as it was';
};

subtest 'as root, with a registry that only root may read' => sub {
    my ($world, $at, $place, $uid) = world_of_nobody();
    $world->populate(500);
    is $world->sync($at, 'run')->{status}, 0, 'made';
    my $many = $world->run_program({ stdin => <<'SQL' }, 'sqlite3', $world->registry);
INSERT INTO users (id, created_at) SELECT 'many' || value, 0 FROM generate_series(1, 110000);
SQL
    is $many->{status}, 0, 'too many changes to be applied one by one' or diag $many->{err};
    $world->ctl_ok('revoke', 't1');
    my $run = $world->sync($at, 'run');
    is $run->{status}, 0, 'run reads all' or diag $run->{err};
    is $world->sync({ %$at, stdin => "t1-token\n" }, 'explain')->{out} =~ /token_revoked/, 1, 'a revocation arrives';

    # A fault in the writing part: it is begun again with the registry.
    my $watch = $world->watch($at);
    my $worker = sub {
        my ($pid) = split ' ', TokenAuth::Sync::slurp("/proc/$watch->{pid}/task/$watch->{pid}/children");
        return $pid // die 'no child process';
    };
    for my $fault (1, 2) {
        ok TokenAuth::Sync::eventually(sub { (() = $world->log_of($watch) =~ /, generation \d/g) >= $fault }), 'watch is up';
        is((stat '/proc/' . $worker->())[4], $uid, 'as the store\'s owner') if $fault == 2;
        kill 'SEGV', $worker->();
        ok TokenAuth::Sync::eventually(sub { (() = $world->log_of($watch) =~ /beginning again/g) == $fault }), "fault $fault";
    }
    my $decides = sub {
        my ($token, $code) = @_;
        return TokenAuth::Sync::eventually(
            sub { $world->sync({ %$at, stdin => "$token-token\n" }, 'explain')->{out} =~ /$code/ });
    };
    $world->ctl_ok('revoke', 't2');
    ok $decides->('t2', 'token_revoked'), 'a revocation arrives';
    # Another file takes the registry's place.
    $world->copy_registry($world->registry, $world->dir . '/copy.db');
    chmod 0600, glob $world->dir . '/copy.db*';
    unlink map { $world->registry . $_ } '-wal', '-shm';
    rename $world->dir . "/copy.db$_", $world->registry . $_ for grep { -e $world->dir . "/copy.db$_" } '', '-wal';
    $world->ctl_ok('revoke', 't3');
    chmod 0600, map { $world->registry . $_ } '', '-wal', '-shm';
    ok $decides->('t3', 'token_revoked'), 'from another file, too' or diag $world->log_of($watch);
    is $world->stop($watch), 0, 'it ends well' or diag $world->log_of($watch);
    ok TokenAuth::Sync::eventually(sub { $world->sync($at, 'run')->{status} == 0 }), 'and nothing of it is left';
};

subtest 'as root, with a registry in a directory that only root may search' => sub {
    my ($world, $at, $place, $uid) = world_of_nobody();
    my $private = $world->dir . '/private';
    mkdir $private, 0700 or die;
    rename $world->registry . $_, "$private/registry.db$_" for '', '-wal', '-shm';
    $world->{url} = "sqlite:$private/registry.db";
    my $watch = $world->watch($at);
    my $revoked = sub {
        my ($token) = @_;
        $world->ctl_ok('revoke', $token);
        return TokenAuth::Sync::eventually(
            sub { $world->sync({ %$at, stdin => "$token-token\n" }, 'explain')->{out} =~ /token_revoked/ });
    };
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'up';
    $world->populate(3);
    ok $revoked->('t1'), 'a revocation arrives';
    unlike $world->log_of($watch), qr/trying again/, 'without trouble';
    $world->copy_registry("$private/registry.db", "$private/copy.db");
    unlink map { "$private/registry.db$_" } '-wal', '-shm';
    rename "$private/copy.db$_", "$private/registry.db$_" for grep { -e "$private/copy.db$_" } '', '-wal';
    ok $revoked->('t2'), 'from another file, too' or diag $world->log_of($watch);
    is $world->stop($watch), 0, 'it ends well';
};

subtest 'as root, with a file in place of a registry that only root may read' => sub {
    my (undef, undef, undef, $uid) = world_of_nobody();
    my $world = TokenAuth::FileWorld->new;
    my $place = $world->dir . '/place';
    mkdir $place or die;
    chown $uid, -1, $place or die;
    my @lines = TokenAuth::FileWorld::some_lines();
    $world->put(@lines);
    chmod 0600, $world->file or die;
    my $watch = $world->watch({ db => "$place/db" });
    my $decides = sub {
        my ($code) = @_;
        return TokenAuth::Sync::eventually(
            sub { $world->run_program({ stdin => "t3-token\n" }, $world->tool('tokensync'), '--db', "$place/db", 'explain')->{out} =~ /$code/ });
    };
    ok $decides->('let in|ok'), 'up' or diag $world->log_of($watch);
    $world->put(grep { $_->{id} ne 't3' } @lines);
    ok $decides->('token_unknown'), 'a change arrives' or diag $world->log_of($watch);
    is $world->stop($watch), 0, 'it ends well';
};

subtest 'as root, links that are exchanged on the way' => sub {
    my ($world, $at, $place, $uid) = world_of_nobody();
    my @run = ($world->tool('tokensync'), $world->locations("$place/way/db"), 'run');
    my $outside = $world->dir . '/outside';    # root's
    mkdir $_ or die for $outside, "$place/own";
    chown $uid, -1, "$place/own";
    symlink 'own', "$place/way" or die;
    my $swapper = fork // die "fork: $!";
    if ($swapper == 0) {
        $> = $uid;
        for (;;) {
            for my $to ($outside, 'own') {
                symlink $to, "$place/next" or POSIX::_exit(1);
                rename "$place/next", "$place/way" or POSIX::_exit(1);
            }
        }
    }
    my %ends;
    ++$ends{ $world->run_program({}, @run)->{status} } for 1 .. 50;
    kill 'KILL', $swapper;
    waitpid $swapper, 0;
    is_deeply [ glob "$outside/* $outside/.[!.]*" ], [], 'nothing is made outside';
    is_deeply [ grep { (lstat)[4] != $uid } glob "$place/* $place/own/* $place/own/db/*" ], [], 'nothing of root\'s inside';
    cmp_ok $ends{3} // 0, '>', 0, 'some are refused';
};

subtest 'as root, where others could lead it elsewhere' => sub {
    my ($world, undef, $place, $uid) = world_of_nobody();
    my $root = $world->dir . '/root';
    mkdir $root or die;
    my $refused = sub {
        my ($db, $text, $what) = @_;
        my $run = $world->sync({ db => $db }, 'run');
        is $run->{status}, 3, "$what: exit status";
        like $run->{err}, $text, "$what: which, and why";
        return;
    };
    symlink $root, "$place/link" or die;
    system 'chown', '-h', $uid, "$place/link";
    $refused->("$place/link/db", qr{\Q$place\E, on the way to the store \S+, belongs to another account \($uid\)}, 'a link of another account');
    chmod 0777, $root;
    $refused->("$root/db", qr{root, on the way to the store \S+, can be written by others}, 'a directory that all may write');
    chmod 01777, $root;
    is $world->sync({ db => "$root/db" }, 'run')->{status}, 0, 'a sticky one is well';
    is((stat "$root/db/data.mdb")[4], 0, 'and stays root\'s');
};

done_testing;
