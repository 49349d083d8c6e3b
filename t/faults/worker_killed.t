# Workers are killed at any moment: the store does not grow without bound, no reader slot stays taken.
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

# The highest page in use, and the number of slots.
sub state {
    my $walked = $world->probe(walk => $world->db);
    my ($pages, $slots) = $walked =~ /\Awhole .* pages=(\d+) .* readers=(\d+)/;
    ok defined $pages, 'the store is whole' or diag $walked;
    return ($pages // 0, $slots // 0);
}

# The processes that hold a snapshot at this moment, and all that have a slot.
sub readers {
    my %readers;
    for (split /\n/, $world->probe(readers => $world->db)) {
        my ($pid, $snapshot) = /^\s*(\d+)\s+[0-9a-f]+\s+(\S+)/ or next;
        $readers{$pid} = $snapshot;
    }
    return %readers;
}

my $times = $world->times(30, 200);
my $within = 0;
my @pages;
for my $i (1 .. $times) {
    sleep 0.02 + rand 0.15;
    my @workers = $world->workers or next;
    my $victim = $workers[ rand @workers ];
    kill 'KILL', $victim or next;
    $world->fault;
    my %left = readers();
    ++$within if ($left{$victim} // '-') ne '-';
    push @pages, (state())[0] if $i % int($times / 4 + 0.5) == 0;
}
cmp_ok $within, '>', 0, "$within of them held a snapshot when they were killed";
sleep 1.2;    # nginx starts new ones, tokensync commits
my %alive = map { $_ => 1 } $world->workers;
is scalar(keys %alive), 4, 'four workers are there';
$alive{ $watch->{pid} } = 1;
my ($pages, $slots) = state();
my %readers = readers();
is_deeply [ grep { !$alive{$_} } keys %readers ], [], 'no slot is held by one that is dead';
cmp_ok $slots, '<=', 4 + 12, 'the slots were used again';
# A lost snapshot would keep several pages of every later commit from reuse.
cmp_ok $pages, '<=', $pages[0] + 500, "the store did not grow: @pages, $pages pages";
is_deeply [ $world->judge(lost => 1) ], [], 'workers killed: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('a worker killed at any moment');
done_testing;
