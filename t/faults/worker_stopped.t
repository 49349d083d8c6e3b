# A worker is stopped in the middle of its lookups while commits go on: what it reads when it goes on is
# right all the same, the others serve, and the store does not wait for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => 500);
$world->nginx(workers => 3, slow => 3000);
my $watch = $world->watch('--heartbeat', '1s');
$world->run(rate => 100, traffic => { alive => 3, single => 1 });
$world->oracle->settle_within(10);

my $within = 0;
my @pages;
for my $i (1 .. $world->times(12, 200)) {
    my @workers = $world->workers;
    my $worker = $workers[ rand @workers ];
    kill 'STOP', $worker or die "kill: $!";
    $within += $world->in_lookup($worker);
    sleep 0.1 + rand 1.2;    # some hundred commits
    push @pages, $world->pages;
    kill 'CONT', $worker;
    $world->fault;
    sleep 0.05 + rand 0.1;
}
cmp_ok $within, '>', 0, "$within of them were in the middle of a lookup";
cmp_ok $pages[-1], '<=', $pages[0] + 500, "the store did not grow: $pages[0], then $pages[-1] pages";
# A stopped worker's clients wait, and its traffic is judged by when the answer came.
is_deeply [ $world->judge(lost => 1) ], [], 'workers stopped: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('a worker stopped in the middle of lookups');
done_testing;
