# tokensync killed at any moment: the store is whole, no answer is wrong, the next run completes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $world = TokenAuth::Faults->new(ballast => TokenAuth::Faults->times(3_000, 10_000));
my $first = $world->dir . '/first';
$world->sync_ok({ db => $first }, 'run', $world->group);
$world->nginx(stores => { '/first' => $first });

# Kills tokensync at a random moment within the time that its work takes.
my $kills = 0;
sub kill_within {
    my ($seconds, $watch) = @_;
    sleep rand $seconds;
    my $ended = $world->stop($watch, 'KILL');
    return if $ended ne 'signal 9';    # it had ended already
    ++$kills;
    $world->fault;
    return;
}

# Repeats it until that many were killed.
sub until_killed {
    my ($times, $once) = @_;
    my $tries = 3 * $times;
    $kills = 0;
    $once->() while $kills < $times && --$tries;
    is $kills, $times, "$times killed";
    return;
}

# How long a command takes: the shortest of three runs, as other programs may hold one up.
sub duration {
    my ($options, @arguments) = @_;
    my @took;
    for (1 .. 3) {
        my $begun = TokenAuth::Faults::now();
        $world->sync_ok($options, @arguments);
        push @took, TokenAuth::Faults::now() - $begun;
    }
    return min(@took);
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
until_killed($world->times(12, 90), sub {
    kill_within(0.5, $world->watch);
    $broken += !$world->whole;
    $failed += !$world->settle;
});
is_deeply [ $world->judge ], [], 'killed in a watch: all answers are right';

note 'behind each of the writes of a commit';
$world->import_lines(
    TokenAuth::Sync::token('own', organization => 'calm', scopes => ['agents:read']));
$world->sync_ok('run');
my %targets = %{ $world->{churn}->targets('/secret') };
$targets{own} = $targets{t1} =~ s/t1-token/own-token/r =~ s/X-Org-Id: \S+/X-Org-Id: calm/r;
$world->run(rate => 0, traffic => { targets => \%targets });
$world->oracle->initially(own => 'ok');
my ($revoked, $ended) = (0, '');
for my $write (1 .. 40) {
    # A change that also changes the counts in the meta record.
    my $begun = TokenAuth::Faults::now();
    $revoked = !$revoked;
    $world->import_lines(
        TokenAuth::Sync::token('own', organization => 'calm', scopes => ['agents:read'],
            revoked => $revoked ? '2026-01-01T00:00:00Z' : undef),
        { type => 'user', id => "counted$write" });
    $world->oracle->version($begun, TokenAuth::Faults::now(), own => $revoked ? 'token_revoked' : 'ok');
    {
        local @ENV{qw(LD_PRELOAD TOKEN_AUTH_KILL_AT)} = ($world->probe_path('libpreload.so'), $write);
        $ended = $world->sync('run')->{status};
    }
    last if $ended eq '0';
    $world->fault;
    $broken += !$world->whole;
    $failed += !$world->settle;
}
is $ended, 0, 'every one of them';
is_deeply [ $world->judge ], [], 'killed behind a write: all answers are right';

note 'everything read anew into the store that is served';
$world->sync_ok('run');
$world->run(rate => 20);
my $took = duration({}, 'run', '--full');
until_killed($world->times(6, 60), sub {
    kill_within(1.1 * $took, begin($world->db, '--full'));
    $broken += !$world->whole;
    $failed += !$world->settle;
});
is_deeply [ $world->judge ], [], 'killed while it reads everything: all answers are right';

# There is nothing to serve before it is done; then nginx checks once a second.
note 'a first load, of a store that was lost';
$world->sync_ok({ db => $first }, 'run');
my $oracle = $world->run(path => '/first', rate => 20, ordered => 0);
until_killed($world->times(3, 50), sub {
    my $lost = TokenAuth::Faults::now();
    unlink glob "$first/*";
    kill_within(1.1 * $took, begin($first, $world->group));
    my $walked = -e "$first/data.mdb" ? $world->probe(walk => $first) : 'nothing';
    # a file that was just made holds no store, or half of its first pages
    if ($walked !~ /\A(?:whole|unfinished|nothing)|holds no token store yet|data\.mdb is (?:empty|truncated)/) {
        ++$broken;
        diag $walked;
    }
    my $begun = TokenAuth::Faults::now();
    my $run = $world->sync({ db => $first }, 'run', $world->group);
    $failed += $run->{status} ne '0' || !$world->whole($first);
    my $served = TokenAuth::Faults::now() + 2;
    $oracle->settle($begun, $served);
    $oracle->excuse(store_unavailable => $lost, $served);
    sleep $served + 0.3 - TokenAuth::Faults::now();
});
is_deeply [ $world->judge ], [], 'killed in a first load: all answers are right';

is $broken, 0, 'the store was whole after each of them';
is $failed, 0, 'each next run completed';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('tokensync killed at any moment');
done_testing;
