# tokensync run interrupted: killed at any moment, a map that must grow, a full disk.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Sync;

# Starts `tokensync run` and kills it after that many seconds.
sub killed_after {
    my ($world, $seconds, @arguments) = @_;
    my $child = fork() // die "fork: $!";
    if ($child == 0) {
        open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
        open STDERR, '>', '/dev/null' or POSIX::_exit(126);
        my $tool = $world->tool('tokensync');
        exec { $tool } $tool, $world->locations, 'run', @arguments or POSIX::_exit(127);
    }
    sleep $seconds;
    kill 'KILL', $child;
    waitpid $child, 0;
    return $? & 127;
}

my @delays = map { 0.001 * 1.4**$_ } 0 .. 15;    # 1 ms to 155 ms

# LMDB gives the number of such a commit again, to pages that a reader cannot tell from it.
subtest 'the end of a commit could not be written' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sync_ok('run');
    my $file = $world->db . "/data.mdb";
    my $inode = (stat $file)[1];
    $world->ctl_ok('revoke', 't1');
    {
        local @ENV{qw(LD_PRELOAD TOKEN_AUTH_FAIL_META)} = ($world->tool('faults/libpreload.so'), 1);
        my $failed = $world->sync('run');
        is $failed->{status}, 1, 'the run fails';
        like $failed->{err}, qr/cannot write the store .*Input\/output error/, 'and says why';
    }
    is((stat $file)[1], $inode, 'the store is still there');
    my $next = $world->sync('run');
    is $next->{status}, 0, 'the next run completes';
    like $next->{err}, qr/may hold half of a commit that failed/, 'says what was wrong';
    isnt((stat $file)[1], $inode, 'and has made another file');
    is $world->decision('t1-token'), 'token_revoked', 'the change has arrived';
    my $again = (stat $file)[1];
    $world->ctl_ok('restore', 't1');
    $world->sync_ok('run');
    is((stat $file)[1], $again, 'which is written as usual');
};

subtest 'killed in a first load' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(20_000);
    my $killed = 0;
    for my $delay (@delays) {
        unlink glob $world->db . '/*';
        $killed++ if killed_after($world, $delay);
        my $decision = $world->decision('t20000-token');
        # All of the tokens, or no store at all; never a part of them.
        like $decision, qr/^ok$|run "tokensync run --db |find the directory/, "after $delay s: served";
        is $world->sync('run')->{status}, 0, 'the next run completes';
        is $world->json('status')->{counts}{tokens}, 20_000, 'and has all tokens';
    }
    cmp_ok $killed, '>', 0, 'some were killed';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'killed while all changes' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2_000);
    $world->sync_ok('run');
    my $killed = 0;
    my $role = 'reader';
    for my $delay (@delays) {
        my $before = $world->decision('t1-token', '--role', 'reader');
        $role = $role eq 'reader' ? 'writer' : 'reader';
        $world->import_lines({ type => 'role', id => 'writer', scopes => ['x'] },
            map { TokenAuth::Sync::token("t$_", role => $role) } 1 .. 2_000);
        $killed++ if killed_after($world, $delay);
        my ($first, $last) =
            map { $world->decision("t$_-token", '--role', 'reader') } 1, 2_000;
        is $first, $last, "after $delay s: all or nothing";
        $world->sync_ok('run');
        is $world->decision('t1-token', '--role', 'reader'),
            $role eq 'reader' ? 'ok' : 'role_missing', 'the next run completes';
    }
    cmp_ok $killed, '>', 0, 'some were killed';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'the map grows by itself' => sub {
    my $world = TokenAuth::Sync->new;
    $world->sync_ok('run');
    my $small = $world->json('status')->{map_bytes};
    # Records of 8 KiB each: a few thousand of them fill the map.
    my $scopes = [ map { sprintf 'scope-%03d-%s', $_, 'x' x 53 } 1 .. 128 ];
    $world->import_lines({ type => 'organization', id => 'acme' },
        map { TokenAuth::Sync::token("t$_", scopes => $scopes) } 1 .. 7_000);

    my $run = $world->json('run');
    ok !$run->{full}, 'by changes';
    is $run->{tokens}, 7_000, 'all are there';
    my $status = $world->json('status');
    cmp_ok $status->{map_bytes}, '>=', 2 * $small, 'the map has grown';
    is $world->decision('t7000-token', '--scope', $scopes->[0]), 'ok', 'and is read';

    unlink glob $world->db . '/*';
    $run = $world->json('run');
    ok $run->{full}, 'by a first load';
    is $world->decision('t7000-token', '--scope', $scopes->[0]), 'ok', 'and is read';

    unlink glob $world->db . '/*';
    my $other = TokenAuth::Sync->new;
    $other->sync_ok({ db => $world->db }, 'run');
    is $world->json('status')->{map_bytes}, $small, 'a small store of another registry';
    is $world->json('run', '--force')->{tokens}, 7_000, 'by a full load over it';
    cmp_ok $world->json('status')->{map_bytes}, '>=', 2 * $small, 'the map has grown';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'a full disk' => sub {
    plan skip_all => 'needs root, to mount a small file system' if $> != 0;
    my $world = TokenAuth::Sync->new;
    my $mount = $world->dir . '/small';
    mkdir $mount or die;
    my $mounted = $world->run_program({}, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', $mount);
    plan skip_all => 'no file system can be mounted here' if $mounted->{status} ne '0';
    my $at = { db => "$mount/db" };
    $world->populate(100);
    $world->sync_ok($at, 'run');
    my $generation = $world->json($at, 'status')->{generation};
    TokenAuth::Sync::spew("$mount/ballast", 'x' x 400_000);

    $world->import_lines(map { TokenAuth::Sync::token("t$_", role => 'reader') } 101 .. 5_000);
    my $run = $world->sync($at, 'run');
    is $run->{status}, 1, 'exit status';
    like $run->{err}, qr/the old content is still being served; make room on its disk, .*"tokensync watch" then goes on by itself/, 'the remedy';
    is $world->json($at, 'status')->{generation}, $generation, 'the old content is served';

    unlink "$mount/ballast" or die;
    $world->run_program({}, 'mount', '-o', 'remount,size=16m', $mount);
    is $world->sync($at, 'run')->{status}, 0, 'with room, it completes';
    is $world->json($at, 'status')->{counts}{tokens}, 5_000, 'with all tokens';
    $world->run_program({}, 'umount', $mount);
};

done_testing;
