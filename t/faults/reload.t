# Reloads under load, with changes being synced: no request fails, no answer is wrong.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 500);
my $server = $world->nginx(workers => 2);
my $watch = $world->watch('--heartbeat', '1s');
$world->run(traffic => { alive => 2, single => 2 });
$world->oracle->settle_within(10);

my $times = $world->times(12, 100);
my %seen = map { $_ => 1 } $world->workers;
for my $i (1 .. $times) {
    $server->reload;
    $world->fault;
    # Mostly one after the other, sometimes during the last one.
    my $new = TokenAuth::Sync::eventually(
        sub { my @new = grep { !$seen{$_} } $world->workers; @new >= 2 });
    ok $new, "new workers after reload $i" if !$new;
    $seen{$_} = 1 for $world->workers;
    sleep rand 0.25;
}
is_deeply [ $world->judge ], [], 'reloaded: all answers are right';
my @requests = $world->requests;
my %answered = map { $_->[4] => 1 } grep { defined $_->[4] } @requests;
cmp_ok scalar(keys %answered), '>', $times, 'many workers answered';
ok TokenAuth::Sync::eventually(sub { $world->workers == 2 }), 'the old workers are gone';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('reload under load');
done_testing;
