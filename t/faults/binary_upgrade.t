# A binary upgrade under load (USR2, WINCH, QUIT): no request fails, no answer is wrong.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 500);
my $server = $world->nginx(workers => 2, daemon => 1);
my $watch = $world->watch('--heartbeat', '1s');
$world->run(traffic => { alive => 2, single => 2 });
$world->oracle->settle_within(10);

sub pid_in {
    my ($file) = @_;
    my ($pid) = -e $file ? TokenAuth::Sync::slurp($file) =~ /(\d+)/ : ();
    return $pid // 0;
}

my $file = $world->dir . '/nginx.pid';
for my $i (1 .. $world->times(3, 25)) {
    my $old = pid_in($file);
    kill 'USR2', $old;
    my $up = TokenAuth::Sync::eventually(sub {
        my $new = pid_in($file);
        return $new && $new != $old && $world->workers($new) == 2;
    });
    ok $up, "upgrade $i: the new binary has its workers" or last;
    sleep rand 0.2;
    kill 'WINCH', $old;
    ok TokenAuth::Sync::eventually(sub { !$world->workers($old) }), 'the old workers go';
    if ($i % 3 == 0) {
        # Undo it: the old master starts its workers again, the new one quits.
        my $new = pid_in($file);
        kill 'HUP', $old;
        ok TokenAuth::Sync::eventually(sub { $world->workers($old) == 2 }), 'the old ones come back';
        kill 'QUIT', $new;
        ok TokenAuth::Sync::eventually(sub { pid_in($file) == $old }), 'the new one is gone';
    } else {
        kill 'QUIT', $old;
        ok TokenAuth::Sync::eventually(sub { !kill 0, $old }), 'the old one is gone';
    }
    $world->fault;
}
$server->adopt(pid_in($file));
is_deeply [ $world->judge ], [], 'upgraded: all answers are right';
my @requests = $world->requests;
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('binary upgrade under load');
done_testing;
