# A full reader table: workers with a slot serve on, workers without one say so and recover.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open2 qw(open2);
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new;
my $server = $world->nginx(workers => 2);
my $watch = $world->watch('--heartbeat', '1s');
$world->run;
$world->oracle->settle_within(10);
sleep 0.3;

for my $i (1 .. $world->times(2, 20)) {
    # A worker that is shutting down would leave a slot behind.
    TokenAuth::Sync::eventually(sub { $world->workers == 2 });
    my $pid = open2(my $from, my $to, $world->probe_path('store_probe'), 'hold', $world->db, 4096);
    my $got = <$from>;
    chomp $got;
    cmp_ok $got, '>', 2000, "$got slots are taken by another program";
    is +($world->probe('walk', $world->db) =~ /MDB_READERS_FULL/) + 0, 1, 'none is left';
    $world->fault;
    sleep 0.5;    # those that serve serve on, and changes get there
    my $begun = TokenAuth::Faults::now();
    my $lines = $world->logged(qr/too many processes read it/);
    $server->reload;
    ok TokenAuth::Sync::eventually(sub { $world->logged(qr/too many processes read it/) > $lines }),
        'a new worker has none, and says what to do'
        or diag join "\n", $world->logged(qr/token store/), $world->workers,
            grep { !/^\s*$pid\s/ } split /\n/, $world->probe(readers => $world->db);
    sleep 0.3;
    # It closes its slots, or it is killed and loses them.
    if ($i % 2) {
        close $to;
    } else {
        kill 'KILL', $pid;
    }
    waitpid $pid, 0;
    my $served = TokenAuth::Sync::eventually(
        sub { ($server->get('/secret', Authorization => 'Bearer nobody'))[0] == 401 });
    ok $served, 'once there are some again, it serves';
    sleep 1.5;    # the other worker, too
    $world->oracle->excuse(store_unavailable => $begun, TokenAuth::Faults::now());
    $lines = $world->logged(qr/too many processes read it/) - $lines;
    cmp_ok $lines, '<=', 2, "$lines lines: one for each worker";
}
is_deeply [ $world->judge ], [], 'with a full reader table: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('reader table full');
done_testing;
