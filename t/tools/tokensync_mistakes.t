# Odd files, descriptors and options: tokensync refuses them or survives them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Sync;

subtest 'the registry loses its log and index under watch' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'ok' }), 'synced';
    my $registry = $world->registry;
    for my $round (1 .. 2) {
        ok unlink("$registry-wal", "$registry-shm"), 'removed';
        $world->ctl_ok('revoke', 't1');
        ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }),
            'a revocation still arrives';
        $world->ctl_ok('restore', 't1');
        ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'ok' }), 'and a restore';
    }
    $world->stop($watch);
};

subtest 'links in the store' => sub {
    for my $name (qw(db/data.mdb db.sync)) {
        my $world = TokenAuth::Sync->new;
        mkdir $world->db or die $world->db . ": $!";
        my $target = $world->dir . '/target';
        TokenAuth::Sync::spew($target, '');
        my $mode = (stat $target)[2];
        symlink $target, $world->dir . "/$name" or die "symlink: $!";
        my $result = $world->sync('run');
        is $result->{status}, 1, "$name is a link: refused";
        like $result->{err}, qr/\Q$name\E(?: is not a regular file; move it away|: .*; remove that link)/, 'it says so';
        is -s $target, 0, 'what it leads to is as it was';
        is((stat $target)[2], $mode, 'its mode as well');
    }
};

subtest 'standard descriptors that are closed' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $before = TokenAuth::Sync::slurp($world->db . '.sync');
    my $command = join ' ', $world->tool('tokensync'), '--db', $world->db, 'status', '<&- >&-', '2>/dev/null';
    isnt system($command) >> 8, 0, 'what cannot be printed is an error';
    is TokenAuth::Sync::slurp($world->db . '.sync'), $before, 'nothing of it went into the lock file';
    is $world->decision('t1-token'), 'ok', 'which is sound';
};

subtest 'a heartbeat beyond all clocks' => sub {
    my $world = TokenAuth::Sync->new;
    my $result = $world->sync('watch', '--heartbeat', '20000w');
    is $result->{status}, 2, 'wrong usage';
    like $result->{err}, qr/--heartbeat is at most 52w/, 'and what is right';
};

done_testing;
