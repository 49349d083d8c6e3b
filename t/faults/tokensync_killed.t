# tokensync killed at any moment: the store is whole, no answer is wrong, the next run completes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => TokenAuth::Faults->times(3_000, 10_000));
my $first = $world->dir . '/first';
$world->sync_ok({ db => $first }, 'run', $world->group);
$world->nginx(stores => { '/first' => $first });

# Kills a tokensync at a moment drawn from the time that its work takes.
sub kill_within {
    my ($seconds, $watch) = @_;
    sleep rand $seconds;
    my $ended = $world->stop($watch, 'KILL');
    $world->fault if $ended eq 'signal 9';
    return;
}

sub whole {
    my ($db) = @_;
    my $walked = $world->probe(walk => $db);
    return $walked =~ /\Awhole / ? 1 : diag($walked) && 0;
}

# How long a command takes.
sub duration {
    my ($options, @arguments) = @_;
    my $begun = TokenAuth::Faults::now();
    $world->sync_ok($options, @arguments);
    return TokenAuth::Faults::now() - $begun;
}

# Starts `tokensync run`, for kill_within().
sub begin {
    my ($db, @arguments) = @_;
    my $log = $world->dir . '/run.log';
    return { pid => TokenAuth::Server::spawn($log, $world->tool('tokensync'),
        $world->locations($db), 'run', @arguments) };
}

my ($broken, $failed) = (0, 0);

note 'a watch, with changes coming';
$world->run;
for (1 .. $world->times(12, 90)) {
    kill_within(0.5, $world->watch);
    $broken += !whole($world->db);
    my $run = $world->settle;
    $failed += $run->{status} ne '0' && diag $run->{err};
}
$world->judge('killed in a watch');

note 'everything read anew into the store that is served';
$world->sync_ok('run');
$world->run(rate => 20);
my $took = duration({}, 'run', '--full');
for (1 .. $world->times(6, 60)) {
    kill_within(1.1 * $took, begin($world->db, '--full'));
    $broken += !whole($world->db);
    my $run = $world->settle;
    $failed += $run->{status} ne '0' && diag $run->{err};
}
$world->judge('killed while it reads everything');

# Until it is done, there is nothing to serve; and then nginx looks once a second.
note 'a first load, of a store that was lost';
$world->sync_ok({ db => $first }, 'run');
my $oracle = $world->run(path => '/first', rate => 20, ordered => 0);
for (1 .. $world->times(3, 50)) {
    my $lost = TokenAuth::Faults::now();
    unlink glob "$first/*";
    kill_within(1.1 * $took, begin($first, $world->group));
    my $walked = -e "$first/data.mdb" ? $world->probe(walk => $first) : 'nothing';
    $broken += $walked !~ /\A(?:whole|unfinished|nothing)/ && diag $walked;
    my $begun = TokenAuth::Faults::now();
    my $run = $world->sync({ db => $first }, 'run', $world->group);
    $failed += $run->{status} ne '0' && diag $run->{err};
    my $served = TokenAuth::Faults::now() + 2;
    $oracle->settle($begun, $served);
    $oracle->excuse(store_unavailable => $lost, $served);
    sleep $served + 0.3 - TokenAuth::Faults::now();
}
$world->judge('killed in a first load');

is $broken, 0, 'the store was whole after each of them';
is $failed, 0, 'each next run completed';
$world->settle;
is $world->sync('check')->{status}, 0, 'store and registry are equal at the end';
$world->report('tokensync killed at any moment');
