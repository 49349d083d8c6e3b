# Callers of an HTTP server: each has a connection, and asks again as soon as it has its answer.
package Bench::Api::Load;

use strict;
use warnings;

use Exporter qw(import);
use IO::Poll qw(POLLIN POLLHUP POLLERR);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(ask callers request summary);

# The text of a request with a token, and of one with a body.
sub request {
    my ($method, $target, $token, $body) = @_;
    my $head = "$method $target HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 192.0.2.1\r\nAuthorization: Bearer $token\r\n";
    return "$head\r\n" if !defined $body;
    return $head . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

# Takes an answer off the text that has come: (status, body); nothing while it is not whole.
sub take {
    my ($text) = @_;
    my $end = index $$text, "\r\n\r\n";
    return if $end < 0;
    my $head = substr $$text, 0, $end;
    my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)} or die "no answer: $head\n";
    my ($length) = $head =~ /\r\ncontent-length: *(\d+)/i or die "no length: $head\n";
    return if length $$text < $end + 4 + $length;
    my $body = substr $$text, $end + 4, $length;
    substr($$text, 0, $end + 4 + $length) = '';
    return ($status, $body);
}

# One request on a connection, which stays open: (status, body); nothing if the connection ends before.
sub ask {
    my ($connection, $request) = @_;
    syswrite $connection, $request;
    my $text = '';
    while (sysread $connection, $text, 1 << 18, length $text) {
        my @answer = take(\$text);
        return @answer if @answer;
    }
    return;
}

# callers(connect => sub that makes a connection, count => how many callers, next => sub that makes the
# text of caller N's next request, seconds => for so long; or until => sub, which is asked now and then).
# Returns { took => [seconds of each answer], statuses => { status => how many }, seconds, cut => how many
# requests were left without an answer, last => an answer's text }.
sub callers {
    my (%options) = @_;
    my $poll = IO::Poll->new;
    my %found = (took => [], statuses => {}, cut => 0);
    my (%caller, $asking);
    my $begun = time;
    my $over = $options{until} // sub { time - $begun >= $options{seconds} };
    my $send = sub {
        my ($one) = @_;
        my $request = $options{next}->($one->{number});
        @$one{qw(sent text)} = (time, '');
        return ++$asking if (syswrite($one->{connection}, $request) // 0) == length $request;
        $poll->remove($one->{connection});
        return;
    };
    for my $number (0 .. $options{count} - 1) {
        my $connection = $options{connect}->() // die "no connection: $!\n";
        $poll->mask($connection => POLLIN);
        $caller{ fileno $connection } = { number => $number, connection => $connection };
    }
    $send->($_) for values %caller;
    my $ending = 0;
    while ($asking) {
        $poll->poll(0.1);
        $ending ||= $over->();
        for my $connection ($poll->handles(POLLIN | POLLHUP | POLLERR)) {
            my $one = $caller{ fileno $connection };
            if (!sysread $connection, $one->{text}, 1 << 18, length $one->{text}) {
                $poll->remove($connection);
                ++$found{cut};
                --$asking;
                next;
            }
            my ($status, $body) = take(\$one->{text}) or next;
            push @{ $found{took} }, time - $one->{sent};
            ++$found{statuses}{$status};
            $found{last} = $body;
            --$asking;
            $ending ? $poll->remove($connection) : $send->($one);
        }
    }
    $found{seconds} = time - $begun;
    return \%found;
}

# { p50, p99, max (milliseconds), rate (a second) } of what callers() found.
sub summary {
    my ($found) = @_;
    my @took = sort { $a <=> $b } @{ $found->{took} };
    my $at = sub { 1000 * $took[ int($_[0] * $#took + 0.5) ] };
    return { p50 => $at->(0.5), p99 => $at->(0.99), max => $at->(1), rate => @took / $found->{seconds} };
}

1;
