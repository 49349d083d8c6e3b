# tokensync compact: alone, beside a watch, and where it must fail.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Sync;

sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

sub names {
    my ($dir) = @_;
    opendir my $handle, $dir or die "$dir: $!";
    return sort grep { !/^\.\.?$/ } readdir $handle;
}

# A store with mostly unused pages.
sub loose_world {
    my $world = TokenAuth::Sync->new;
    $world->populate(6_000);
    $world->sync_ok('run');
    $world->ctl_ok('delete', map { "t$_" } 1 .. 3_000);
    $world->sync_ok('run');
    $world->ctl_ok('delete', map { "t$_" } 3_001 .. 4_500);
    $world->sync_ok('run');
    return $world;
}

subtest 'the store is smaller, and the same' => sub {
    my $world = loose_world();
    my $before = $world->json('status');
    my $compact = $world->sync({ umask => 077 }, 'compact');
    is $compact->{status}, 0, 'exit status';
    like $compact->{out}, qr/^compacted \S+db: [\d.]+ [KM]iB on disk before, [\d.]+ [KM]iB after; generation \d+, /,
        'says what it brought';
    is $compact->{err}, '', 'nothing else';
    my $after = $world->json('status');
    cmp_ok $after->{disk_bytes}, '<', $before->{disk_bytes} / 2, 'smaller';
    cmp_ok $after->{generation}, '>', $before->{generation}, 'a higher generation';
    cmp_ok $before->{unused_bytes}, '>', $before->{disk_bytes} / 4, 'there was unused room';
    cmp_ok $after->{unused_bytes}, '<', $before->{unused_bytes} / 4, 'there is hardly any';
    is $after->{$_}, $before->{$_}, "the same $_" for qw(position created synced registry);
    is_deeply $after->{counts}, $before->{counts}, 'the same counts';
    is_deeply $after->{digests}, $before->{digests}, 'and uses of keys';
    is $world->sync('check')->{status}, 0, 'equal to the registry';
    my $db = $world->db;
    is_deeply [ map { mode($_) } $db, map { "$db/$_" } qw(data.mdb) ],
        [qw(2750 0640)], 'modes, whatever the umask';
    is_deeply [ grep { /tokensync/ } names($world->dir) ], [], 'nothing is left beside it';
    $world->ctl_ok('revoke', 't6000');
    $world->sync_ok('run');
    is $world->decision('t6000-token'), 'token_revoked', 'changes go on';

    my $json = $world->json('compact');
    is $json->{store}, $db, 'as JSON';
    cmp_ok $json->{$_}, '>', 0, $_ for qw(generation disk_bytes_before disk_bytes_after milliseconds);
};

subtest 'the map is no larger than need be' => sub {
    my $world = TokenAuth::Sync->new;
    my $scopes = [ map { sprintf 'scope-%03d-%s', $_, 'x' x 53 } 1 .. 128 ];
    $world->import_lines({ type => 'organization', id => 'acme' },
        map { TokenAuth::Sync::token("t$_", scopes => $scopes) } 1 .. 7_000);
    $world->sync_ok('run');
    my $large = $world->json('status')->{map_bytes};
    $world->ctl_ok('delete', map { "t$_" } 1 .. 6_900);
    $world->sync_ok('run', '--force');
    $world->sync_ok('compact');
    cmp_ok $world->json('status')->{map_bytes}, '<', $large, 'smaller';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'the group and the owner stay' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my $gid = (getgrnam 'www-data')[2];
    my $uid = (getpwnam 'nobody')[2];
    plan skip_all => 'needs www-data and nobody' if !defined $gid || !defined $uid;
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run', '--group', 'www-data');
    my $db = $world->db;
    chown $uid, $gid, $world->dir, $db, "$db/data.mdb", "$db.sync" or die;
    $world->sync_ok('compact');
    is_deeply [ map { [ (stat $_)[ 4, 5 ] ] } $db, map { "$db/$_" } names($db) ],
        [ ([ $uid, $gid ]) x 2 ], 'of everything';
};

subtest 'beside a watch' => sub {
    my $world = loose_world();
    my $watch = $world->watch('--heartbeat', '1s');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'up';
    for my $round (1 .. 4) {
        # Changes before, while and after it copies.
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            for my $token (5_000 .. 5_009) {
                my $id = 't' . ($token + 10 * $round);
                $world->run_program({}, $world->tool('tokenctl'), '--registry',
                    'sqlite:' . $world->registry, 'revoke', $id);
            }
            POSIX::_exit(0);
        }
        my $compact = $world->sync('compact');
        is $compact->{status}, 0, "round $round: done" or diag $compact->{err};
        waitpid $child, 0;
        for my $token (5_000, 5_009) {
            my $id = 't' . ($token + 10 * $round);
            ok TokenAuth::Sync::eventually(sub { $world->decision("$id-token") eq 'token_revoked' }),
                "$id is revoked";
        }
        is $world->sync('check')->{status}, 0, 'equal';
        is_deeply [ grep { /tokensync/ } names($world->dir) ], [], 'nothing is left beside it';
    }
    is $world->stop($watch), 0, 'the watch ends well';
    my $log = $world->log_of($watch);
    is(() = $log =~ /^another store was put at \S+db; going on with that one$/mg, 4, 'each was noticed');
    unlike $log, qr/trying again/, 'and none was trouble';
};

subtest 'what an interrupted one left is removed, and nothing else' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $beside = $world->dir . '/.db.tokensync';
    for my $command ('run', 'compact') {
        mkdir $beside or die;
        TokenAuth::Sync::spew("$beside/$_", 'half') for qw(data.mdb lock.mdb sync.lock);
        is $world->sync($command)->{status}, 0, $command;
        ok !-e $beside, 'removes it';
    }
    mkdir $beside or die;
    TokenAuth::Sync::spew("$beside/letter.txt", 'dear reader');
    is $world->sync('run')->{status}, 0, 'run does not mind';
    my $compact = $world->sync('compact');
    is $compact->{status}, 1, 'compact does';
    like $compact->{err}, qr/\.db\.tokensync is in the way of a new store; move it away/, 'with the remedy';
    is TokenAuth::Sync::slurp("$beside/letter.txt"), 'dear reader', 'it is still there';
    unlink "$beside/letter.txt";
    rmdir $beside or die;
    symlink '/tmp', $beside or die;
    is $world->sync('compact')->{status}, 1, 'nor does it follow a link';
    unlink $beside;

    # It would go with the old store, and stay in the way of any other.
    for my $command ([ 'run', '--rebuild' ], ['compact']) {
        mkdir $world->db . '/lock.mdb' or die;
        my $replaced = $world->sync(@$command);
        is $replaced->{status}, 1, "@$command: a directory lock.mdb in the store";
        like $replaced->{err}, qr/db holds "lock\.mdb" as well; move that out of it/, 'is named';
        ok !-e $beside, 'and nothing is left';
        rmdir $world->db . '/lock.mdb' or die;
    }

    TokenAuth::Sync::spew($world->db . '/NOTES', 'mine');
    $compact = $world->sync('compact');
    is $compact->{status}, 1, 'a directory with something else in it';
    like $compact->{err}, qr/db holds "NOTES" as well; move that out of it/, 'is named';
    is TokenAuth::Sync::slurp($world->db . '/NOTES'), 'mine', 'and stays';
};

subtest 'killed at any moment' => sub {
    my $world = loose_world();
    my $killed = 0;
    for my $delay (map { 0.002 * 1.3**$_ } 0 .. 15) {
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
            open STDERR, '>', '/dev/null' or POSIX::_exit(126);
            my $tool = $world->tool('tokensync');
            exec { $tool } $tool, $world->locations, 'compact' or POSIX::_exit(127);
        }
        sleep $delay;
        kill 'KILL', $child;
        waitpid $child, 0;
        $killed++ if $? & 127;
        is $world->decision('t6000-token'), 'ok', sprintf 'after %.0f ms: served', 1000 * $delay;
        is $world->sync('run')->{status}, 0, 'a run goes on';
        is_deeply [ grep { /tokensync/ } names($world->dir) ], [], 'and tidies up';
    }
    cmp_ok $killed, '>', 0, 'some were killed';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'where it cannot be' => sub {
    my $world = TokenAuth::Sync->new;
    my $compact = $world->sync('compact');
    is $compact->{status}, 1, 'no store: exit status';
    like $compact->{err}, qr/there is no store at \S+db; run "tokensync run"/, 'remedy';
    $world->populate(1);
    $world->sync_ok('run');
    truncate $world->db . '/data.mdb', 12_288 or die;
    $compact = $world->sync('compact');
    is $compact->{status}, 1, 'a damaged store: exit status';
    like $compact->{err}, qr/it is damaged/, 'what is wrong';
    $world->sync_ok('run');

SKIP: {
        my $uid = (getpwnam 'nobody')[2];
        skip 'needs root and nobody', 4 if $> != 0 || !defined $uid;
        chown $uid, -1, $world->db, glob($world->db . '/*'), $world->db . '.sync';
        my @as = ('setpriv', "--reuid=$uid", '--regid=0', '--clear-groups');
        $compact = $world->run_program({}, @as, $world->tool('tokensync'), '--db', $world->db, 'compact');
        is $compact->{status}, 1, 'a directory above that is not writable: exit status';
        like $compact->{err}, qr/above the store is not writable for this account: .*docs\/TOKENSYNC\.md/,
            'remedy';
        my $mount = $world->dir . '/mount';
        mkdir $mount or die;
        skip 'no file system can be mounted here', 2
            if $world->run_program({}, 'mount', '-t', 'tmpfs', 'tmpfs', $mount)->{status} ne '0';
        $world->sync_ok({ db => $mount }, 'run');
        $compact = $world->sync({ db => $mount }, 'compact');
        is $compact->{status}, 1, 'a mount point: exit status';
        like $compact->{err}, qr/mount is a mount point; to be replaced, it needs/, 'remedy';
        $world->run_program({}, 'umount', $mount);
    }
};

subtest 'by an account of its own, as in the docs' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my ($uid, $own) = (getpwnam 'nobody')[ 2, 3 ];
    my $gid = (getgrnam 'www-data')[2];
    plan skip_all => 'needs www-data and nobody' if !defined $gid || !defined $uid;
    my $world = TokenAuth::Sync->new;
    $world->populate(3);
    chown 0, $own, map { $world->registry . $_ } '', '-wal', '-shm';
    my $place = $world->dir . '/own';
    mkdir $place or die;
    chmod 0751, $place;
    chown $uid, $own, $place;
    symlink 'own/db', $world->db or die;
    my $as = sub {
        return $world->run_program({ umask => 077 }, 'setpriv', "--reuid=$uid", "--regid=$own", "--groups=$gid",
            $world->tool('tokensync'), $world->locations, @_);
    };
    my $run = $as->('run', '--group', 'www-data');
    is $run->{status}, 0, 'it builds the store' or diag $run->{err};
    my $inode = (stat "$place/db/data.mdb")[1];
    my $compact = $as->('compact');
    is $compact->{status}, 0, 'and compacts it' or diag $compact->{err};
    isnt((stat "$place/db/data.mdb")[1], $inode, 'in another file');
    is_deeply [ map { [ mode($_), (stat $_)[ 4, 5 ] ] } map { "$place/$_" } qw(db db/data.mdb) ],
        [ map { [ $_, $uid, $gid ] } qw(2750 0640) ], 'with the same owner, group and modes';
    truncate "$place/db/data.mdb", 12_288 or die;
    is $as->('run')->{status}, 0, 'and mends it';
    is((stat "$place/db")[5], $gid, 'with the same group');
    is $world->sync('compact')->{status}, 0, 'root may do it as well';
    is $as->('run')->{status}, 0, 'and is in nobody\'s way';
};

subtest 'a full disk' => sub {
    plan skip_all => 'needs root, to mount a small file system' if $> != 0;
    my $world = TokenAuth::Sync->new;
    my $mount = $world->dir . '/small';
    mkdir $mount or die;
    plan skip_all => 'no file system can be mounted here'
        if $world->run_program({}, 'mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', $mount)->{status} ne '0';
    my $at = { db => "$mount/db" };
    $world->populate(5_000);
    $world->sync_ok($at, 'run');
    TokenAuth::Sync::spew("$mount/ballast", 'x' x 1_500_000);
    my $before = $world->json($at, 'status')->{generation};
    my $compact = $world->sync($at, 'compact');
    is $compact->{status}, 1, 'exit status' or diag $compact->{out};
    like $compact->{err}, qr/make room/, 'the remedy';
    is $world->json($at, 'status')->{generation}, $before, 'the store is as it was';
    is_deeply [ names($mount) ], [qw(ballast db db.sync)], 'nothing is left beside it';
    unlink "$mount/ballast";
    is $world->sync($at, 'compact')->{status}, 0, 'with room, it is done';
    $world->run_program({}, 'umount', $mount);
};

subtest 'a link to the store' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    mkdir $world->dir . '/own' or die;
    symlink 'own/db', $world->db or die;
    is $world->sync('run')->{status}, 0, 'a link to a place where nothing is yet';
    ok -f $world->dir . '/own/db/data.mdb', 'the store is made there';
    my $before = $world->json('status')->{generation};
    is $world->sync('compact')->{status}, 0, 'compact';
    ok -l $world->db, 'the link is still there';
    cmp_ok $world->json('status')->{generation}, '>', $before, 'and leads to the new one';
    is $world->decision('t1-token'), 'ok', 'which is whole';
};

done_testing;
