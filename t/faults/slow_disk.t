# A slow disk: answers are right and do not wait for it, and tokensync can be killed at any moment of its
# long commits.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 500);
$world->nginx;
my %slow = (LD_PRELOAD => $world->probe_path('libpreload.so'), TOKEN_AUTH_SLOW_DISK => 100_000);
sub slow_watch {
    local @ENV{ keys %slow } = values %slow;
    return $world->watch('--heartbeat', '1s');
}

$world->run(rate => 20);
my $watch = slow_watch();
ok $world->mark, 'changes arrive' for 1 .. $world->times(2, 20);
$world->fault($world->times(2, 20));
my $broken = 0;
for my $i (1 .. $world->times(6, 60)) {
    sleep 0.2 + rand 0.8;
    is $world->stop($watch, 'KILL'), 'signal 9', "killed $i";
    $world->fault;
    $broken += !$world->whole;
    ok $world->settle, 'the next run completes' if $i % 2;
    $watch = slow_watch();
}
is $broken, 0, 'the store was whole after each of them';
ok $world->mark, 'changes arrive';
is_deeply [ $world->judge ], [], 'on a slow disk: all answers are right';
my @requests = $world->requests;
my @late = grep { $_->[1] - $_->[0] > 0.1 } @requests;
cmp_ok scalar(@late), '<=', @requests / 100, 'requests do not wait for the disk: '
    . @late . ' of ' . @requests . ' took more than 100 ms';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('slow disk, tokensync killed in its commits');
done_testing;
