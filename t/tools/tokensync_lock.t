# Never two writers: under two paths to one directory, beside a stopped process, with a lock that nginx takes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(:DEFAULT F_RDLCK F_WRLCK SEEK_SET);
use POSIX ();
use Test::More;
use TokenAuth::Sync;

use constant F_OFD_SETLK => 37;

# Has a process hold the first byte of a file locked; returns it.
sub locked {
    my ($file, $mode, $type) = @_;
    pipe my $ready, my $done or die "pipe: $!";
    my $child = fork // die "fork: $!";
    if ($child == 0) {
        sysopen my $handle, $file, $mode or POSIX::_exit(1);
        fcntl $handle, F_OFD_SETLK, pack 's s x4 q q i x4', $type, SEEK_SET, 0, 1, 0 or POSIX::_exit(2);
        syswrite $done, 'x';
        sleep 300;
        POSIX::_exit(0);
    }
    close $done;
    sysread $ready, my $byte, 1 or die "$file cannot be locked";
    return $child;
}

sub ended {
    my ($child) = @_;
    kill 'KILL', $child;
    return waitpid $child, 0;
}

subtest 'two mounts of one directory' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sync_ok('run');
    my $other = $world->dir . '/other';
    mkdir $other or die;
    mkdir "$other/db" or die;
    my $mounted = $world->run_program({}, 'mount', '--bind', $world->db, "$other/db");
    plan skip_all => 'nothing can be mounted here' if $mounted->{status} ne '0';
    my $at = { db => "$other/db" };
    is $world->sync($at, 'run')->{status}, 0, 'one after the other is well' or diag $world->sync($at, 'run')->{err};
    my $watch = $world->watch($at);
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'a watch under one';
    for my $command ('run', 'compact') {
        my $second = $world->sync($command);
        is $second->{status}, 1, "$command under the other: exit status";
        like $second->{err},
            qr/another tokensync \(process $watch->{pid}\) is writing the store \S+db under another path, such as another mount/,
            'which, and why';
    }
    is $world->sync($at, 'check')->{status}, 0, 'check may be run';
    is $world->stop($watch), 0, 'the watch ends well' or diag $world->log_of($watch);
    is $world->sync('compact')->{status}, 0, 'then it may be done';
    $world->run_program({}, 'umount', "$other/db");
};

subtest 'a lock that whoever reads the store can take' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $reader = locked($world->db . '/data.mdb', O_RDONLY, F_RDLCK);
    is $world->sync($_)->{status}, 0, "$_ does not mind" for 'run', 'compact';
    $world->sync_ok('run', '--rebuild');
    ended($reader);
};

subtest 'a process that is stopped while it holds commits off' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'up';
    my $other = locked($world->db . '.sync', O_RDWR, F_WRLCK);
    kill 'STOP', $other;
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(
        sub { $world->log_of($watch) =~ /another tokensync \(process $other, stopped\) keeps the store \S+db from being written/ }, 30),
        'the log says which' or diag $world->log_of($watch);
    ended($other);
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }, 40), 'then it goes on';
    is $world->stop($watch), 0, 'and ends well';
};

subtest 'a lock file that is removed under a run' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'a watch is up';
    unlink $world->db . '.sync' or die;
    my $run = $world->sync('run');
    is $run->{status}, 1, 'another one with a new lock file: exit status';
    like $run->{err}, qr/another tokensync \(process $watch->{pid}\) is writing the store/, 'finds the first one';
    is $world->stop($watch), 0, 'which ends well';
    is $world->sync('run')->{status}, 0, 'then it may be done';
};

done_testing;
