# Workers are killed at any moment: all answers are right, and the store does not grow without bound.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 500);
# A lookup takes a microsecond or two: longer ones, so that some kills meet a lookup.
$world->nginx(workers => 4, slow => 3000);
my $watch = $world->watch('--heartbeat', '1s');
$world->run(rate => 100, traffic => { alive => 3, single => 1 });
$world->oracle->settle_within(10);

my $times = $world->times(30, 200);
my $within = 0;
my @pages;
for my $i (1 .. $times) {
    sleep 0.02 + rand 0.15;
    my @workers = $world->workers or next;
    my $victim = $workers[ rand @workers ];
    $within += $world->in_lookup($victim);
    kill 'KILL', $victim or next;
    $world->fault;
    push @pages, $world->pages if $i % int($times / 4 + 0.5) == 0;
}
cmp_ok $within, '>', 0, "$within of them were in the middle of a lookup";
ok TokenAuth::Sync::eventually(sub { $world->workers == 4 }), 'four workers are there';
sleep 1.2;    # tokensync commits
push @pages, $world->pages;
cmp_ok $pages[-1], '<=', $pages[0] + 500, "the store did not grow: @pages pages";
is_deeply [ $world->judge(lost => 1) ], [], 'workers killed: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('a worker killed at any moment');
done_testing;
