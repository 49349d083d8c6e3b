# The clock steps forth and back across expiries, beginnings and the age of the store.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my ($library) = grep { -e } map { "$_/faketime/libfaketime.so.1" } glob('/usr/lib/*-linux-gnu'), '/usr/lib';
TokenAuth::Faults->cannot('clock steps', 'needs libfaketime (the package libfaketime)') if !$library;

my $world = TokenAuth::Faults->new;
my $start = time;
my $hour = 3600;
sub time_text { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $start + $_[0]) }
$world->import_lines(map { TokenAuth::Sync::token($_->[0], scopes => ['agents:read'], %{ $_->[1] }) }
    [ 'expires-1h', { expires => time_text($hour) } ],
    [ 'begins-2h',  { not_before => time_text(2 * $hour) } ],
    [ 'only-then',  { not_before => time_text($hour), expires => time_text(2 * $hour) } ],
    [ 'always',     {} ]);
$world->sync_ok('run');

# The answer to a token when nginx's clock is that far ahead.
sub answer {
    my ($from, $to, $offset) = @_;
    return 'token_not_yet_valid' if $offset < $from;
    return defined $to && $offset >= $to ? 'token_expired' : 'ok';
}
my %valid = ('expires-1h' => [ -1e9, $hour ], 'begins-2h' => [ 2 * $hour ],
    'only-then' => [ $hour, 2 * $hour ], always => [-1e9]);
sub answers {
    my ($offset) = @_;
    return ((map { $_ => answer(@{ $valid{$_} }[ 0, 1 ], $offset) } keys %valid),
        # a location that wants a sync within the last half hour, and none that is yet to come
        aged => $offset > $hour / 2 || $offset < 0 ? 'store_stale' : 'ok');
}

# Sets nginx's clock, atomically: its workers read it all the time.
my $clock = $world->dir . '/clock';
sub set_clock {
    TokenAuth::Sync::spew("$clock.new", sprintf "%+d\n", $_[0] - (time - $start));
    chmod 0644, "$clock.new";
    rename "$clock.new", $clock or die "$clock: $!";
    return;
}
# Ahead of tokensync's from the start: the more so, the less time has passed since.
my $first = 300;
set_clock($first);
my %env = (LD_PRELOAD => $library, FAKETIME_TIMESTAMP_FILE => $clock, FAKETIME_NO_CACHE => 1,
    DONT_FAKE_MONOTONIC => 1);
my $db = $world->db;
my $server = $world->nginx(
    env => \%env,
    main => join("\n", map { "env $_;" } sort keys %env),
    locations => "location = /aged { token_auth api; token_auth_db $db; token_auth_max_age 30m;"
        . " alias $world->{dir}/html/secret; }");
my $watch = $world->watch('--heartbeat', '1s');

my %targets = map {
    $_ => "GET /secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $_-token\r\n"
} keys %valid;
$targets{aged} = $targets{always} =~ s{/secret}{/aged}r;
my $oracle = $world->run(rate => 0, ordered => 0, traffic => { targets => \%targets });
$oracle->initially(answers($first));
$oracle->settle_within(1);

my @steps = ($hour - 5, $hour + 5, $first, 2 * $hour + 5, -$hour, $hour + 30, 3 * $hour, 2 * $hour - 5);
for my $i (1 .. $world->times(5, 60)) {
    my $offset = $steps[ ($i - 1) % @steps ];
    my $begun = TokenAuth::Faults::now();
    set_clock($offset);
    $oracle->version($begun, TokenAuth::Faults::now(), answers($offset));
    $world->fault;
    sleep 1.1 + rand 0.2;
}
is_deeply [ $world->judge ], [], 'while the clock steps: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('clock steps');
done_testing;
