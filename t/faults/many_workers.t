# 200 workers (or 1,000), old and new, on one store: all of them serve.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVTIMEO);
use Test::More;
use TokenAuth::Faults;

my $half = TokenAuth::Faults->times(100, 500);
my $world = TokenAuth::Faults->new;
# A socket for each worker, so that connections spread over all of them.
my $server = $world->nginx(workers => $half, listen => 'reuseport');
my $watch = $world->watch('--heartbeat', '1s');
$world->run(rate => 30, traffic => { rate => 200 });
$world->oracle->settle_within(10);

# A token of its own, which no change touches.
$world->import_lines(TokenAuth::Sync::token('still', organization => 'calm', scopes => ['agents:read']));
my $request = "GET /secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer still-token\r\n";
TokenAuth::Sync::eventually(sub { ($server->get('/secret', Authorization => 'Bearer still-token'))[0] == 200 })
    or BAIL_OUT('the token does not get there');

sub answer {
    my ($socket) = @_;
    setsockopt $socket, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', 10, 0;
    my $got = '';
    sysread($socket, $got, 65536, length $got) or last until $got =~ /\r\n\r\nsecret\n\z/;
    return $got =~ m{\AHTTP/1\.1 200 .*^X-Worker: (\d+)\r$}ms ? $1 : 0;
}

# A connection to each of that many workers, by process id, after one answer.
sub connections {
    my ($wanted, $known) = @_;
    my %connections;
    for (1 .. 40 * $wanted) {
        last if keys %connections >= $wanted;
        my $socket = $server->connect;
        print $socket "$request\r\n";
        my $worker = answer($socket);
        $connections{$worker} //= $socket if $worker && !$known->{$worker};
    }
    return \%connections;
}

for my $round (1 .. $world->times(1, 5)) {
    my $old = connections($half, {});
    is scalar(keys %$old), $half, 'each of the old workers serves';
    # Half a request keeps an old worker busy.
    $_->syswrite($request) for values %$old;
    $server->reload;
    my $new = TokenAuth::Sync::eventually(sub { $world->workers == 2 * $half }, 40)
        ? connections($half, $old) : {};
    is scalar(keys %$new), $half, 'each of the new workers serves';
    $world->fault(scalar $world->workers);
    $_->syswrite("\r\n") for values %$old;
    is scalar(grep { answer($old->{$_}) == $_ } keys %$old), $half, 'the old ones serve to the end';
    undef $old;
    undef $new;
    ok TokenAuth::Sync::eventually(sub { $world->workers == $half }, 40), 'and go';
}
is_deeply [ $world->judge ], [], 'with so many workers: all answers are right';
is_deeply [ $world->logged(qr/\[(?:error|crit|alert|emerg)\]/) ], [], 'nothing to complain about';
is $world->stop($watch), 0, 'the watch is well';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report(2 * $half . ' workers on one store');
done_testing;
