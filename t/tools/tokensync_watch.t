# tokensync watch: changes as they come, and the troubles that it survives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Registry qw(sqlite_only);
use TokenAuth::Sync;

# Waits end as soon as the condition holds; their limits only end tests that fail.
sub decided {
    my ($world, $token, $decision) = @_;
    return TokenAuth::Sync::eventually(sub { $world->decision($token) eq $decision });
}

sub logged {
    my ($world, $watch, $text) = @_;
    return TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ $text });
}

subtest 'changes arrive by themselves' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch('--heartbeat', '0');
    ok logged($world, $watch, qr/^full load: 3 records written, 0 erased; 2 tokens, /),
        'the first sync is logged';
    my @ways = (['revoke', 'token_revoked'], ['restore', 'ok']);
    for my $round (1 .. 5) {
        for my $way (@ways) {
            $world->ctl_ok($way->[0], 't1');
            my $begun = time;
            ok decided($world, 't1-token', $way->[1]), "$way->[0] $round";
            cmp_ok time - $begun, '<', 5, 'soon';
        }
    }
    ok logged($world, $watch, qr/^applied changes: 1 record written, 0 erased; 2 tokens, /m),
        'changes are logged';
    is $world->stop($watch), 0, 'SIGTERM ends it well';
    like $world->log_of($watch), qr/^stopped\n\z/m, 'and it says so';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'the heartbeat keeps the store young' => sub {
    my $world = TokenAuth::Sync->new;
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'up';
    my $before = $world->json('status')->{generation};
    ok TokenAuth::Sync::eventually(sub { $world->json('status')->{generation} > $before }),
        'a commit without a change';
    cmp_ok $world->json('status')->{age}, '<', 5, 'a small age';
    is $world->stop($watch, 'INT'), 0, 'SIGINT ends it well, too';
};

subtest 'the registry vanishes and comes back' => sub {
    sqlite_only();
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'up';
    rename $world->registry, $world->dir . '/away' or die;
    ok logged($world, $watch, qr/registry\.db: there is no such file; .*; trying again\n/),
        'it is missed, with the remedy';
    is $world->decision('t1-token'), 'ok', 'the store is served';
    rename $world->dir . '/away', $world->registry or die;
    ok logged($world, $watch, qr/^recovered\n/m), 'it is seen again';
    is(() = $world->log_of($watch) =~ /trying again/g, 1, 'the error was logged once');
    $world->ctl_ok('revoke', 't1');
    ok decided($world, 't1-token', 'token_revoked'), 'changes arrive again';

    my $backup = $world->dir . '/backup.db';
    $world->copy_registry($world->registry, $backup);
    $world->ctl_ok('revoke', 't2');
    ok decided($world, 't2-token', 'token_revoked'), 'revoked';
    unlink $world->registry . '-wal', $world->registry . '-shm';
    rename $backup, $world->registry or die;
    ok decided($world, 't2-token', 'ok'), 'another file in its place is noticed, and read anew';
    $world->ctl_ok('restore', 't1');
    ok decided($world, 't1-token', 'ok'), 'and watched';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'the registry is not there yet' => sub {
    my $world = TokenAuth::Sync->new(registry => 0);
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/(?:there is no such file; make a registry|holds no token-auth registry; make one) by/), 'it waits';
    $world->ctl_ok('init');
    $world->populate(1);
    ok decided($world, 't1-token', 'ok'), 'until it is';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'the store vanishes' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'up';
    unlink glob $world->db . '/*';
    rmdir $world->db or die;
    ok decided($world, 't1-token', 'ok'), 'it is built again';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'most tokens vanish' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(101);
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'up';
    $world->sql(q(DELETE FROM tokens WHERE id NOT IN ('t61', 't62')));
    ok logged($world, $watch, qr/the removal of 99 tokens is held back .*"tokensync run --force"/),
        'held back';
    is $world->decision('t1-token'), 'ok', 'they are served';
    # The watch closes the store while it waits, so that an administrator can follow the remedy.
    is $world->sync('run', '--force')->{status}, 0, 'the remedy works beside it';
    is $world->decision('t1-token'), 'token_unknown', 'they are gone';
    $world->ctl_ok('revoke', 't61');
    ok decided($world, 't61-token', 'token_revoked'), 'changes arrive';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'as JSON' => sub {
    my $world = TokenAuth::Sync->new;
    my $watch = $world->watch('--json');
    ok logged($world, $watch, qr/\n/), 'up';
    is $world->stop($watch), 0, 'ends well';
    my @lines = map { JSON::PP::decode_json($_) } split /\n/, $world->log_of($watch);
    ok $lines[0]{full}, 'the first sync';
    is $lines[0]{event}, 'synced', 'which is an event';
    like delete $lines[1]{time}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'with its time';
    is_deeply $lines[1], { level => 'info', event => 'stopped' }, 'the end';
};

# After a boot the store is only on the disk, and a worker waits for every page that it reads.
subtest 'the store is read into memory' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(20_000);
    $world->sync_ok('run');
    my $file = $world->db . '/data.mdb';
    my $in_memory = sub {
        return (split ' ', `fincore --bytes --noheadings --output res '$file'`)[0];
    };
    my $all = $in_memory->();
    system('dd', "if=$file", 'iflag=nocache', 'count=0', 'status=none') == 0 or die 'dd failed';
    plan skip_all => 'a file system whose files are always in memory' if $in_memory->() > $all / 2;
    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $in_memory->() >= -s $file }), 'all of it'
        or diag $in_memory->() . ' of ' . -s $file;
    is $world->stop($watch), 0, 'the watch is well';
};

done_testing;
