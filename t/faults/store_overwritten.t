# An older copy overwrites the store in place, as a restored backup may do: tokens that were revoked
# since are not let in, and tokensync brings the store up to date by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 300);
my $server = $world->nginx;
my $watch = $world->watch('--heartbeat', '1s');
my $oracle = $world->run(rate => 60);
my $copy = $world->dir . '/copy.mdb';

for my $i (1 .. $world->times(2, 30)) {
    # Only a copy made without a change meanwhile is whole.
    $world->pause_changes;
    ok $world->mark, 'changes arrive';
    system('cp', $world->db . '/data.mdb', $copy) == 0 or die 'cp';
    $world->resume_changes(rate => 60);
    sleep 0.2 + rand 0.3;
    $world->pause_changes;
    ok $world->mark, 'more changes arrive';
    my $log = length $world->log_of($watch);
    my $begun = TokenAuth::Faults::now();
    system('dd', 'status=none', 'conv=notrunc', 'bs=64M', "if=$copy", 'of=' . $world->db . '/data.mdb') == 0
        or die 'dd';
    $world->fault;
    $world->resume_changes(rate => 60);
    ok $world->mark, 'it is brought up to date' or diag $world->last_of($watch);
    like substr($world->log_of($watch), $log), qr/was overwritten while it was open.*^recovered$/ms,
        'tokensync has noticed';
    $oracle->excuse(store_unavailable => $begun, TokenAuth::Faults::now() + 2);
    sleep 2.2;
    is +($server->get('/secret', Authorization => 'Bearer nobody'))[0], 401, 'and served';
}
is_deeply [ $world->judge ], [], 'overwritten by an older copy: all answers are right';
ok scalar($world->logged(qr/has generation \d+, but \d+ was served; run "tokensync run --rebuild --db \S+"/)),
    'a line says what to do';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('store overwritten by an older copy');
done_testing;
