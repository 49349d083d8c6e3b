# load.pl PORT TOKEN: sends requests until SIGTERM, half of them on kept connections; then prints, as JSON, how many
# there were and what was wrong with which. A kept connection that the server has closed before it answered
# is opened again, as any client does.
use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(sleep time);

my ($port, $token) = @ARGV;
my ($requests, $done, $slowest, @wrong) = (0, 0, 0);
$SIG{TERM} = sub { $done = 1 };
$SIG{PIPE} = 'IGNORE';

sub connected { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) }

# The answer's status line, or what went wrong; undef if the connection ended before an answer.
sub answer_on {
    my ($socket, $last) = @_;
    my $close = $last ? "Connection: close\r\n" : '';
    print {$socket} "GET /api/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n$close\r\n" or return;
    $socket->flush or return;
    my $head = '';
    while ($head !~ /\r\n\r\n/) {
        my $got = sysread $socket, $head, 4096, length $head;
        next if !defined $got && $!{EINTR};
        return $head eq '' ? undef : "cut short: $head" if !$got;
    }
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    my $body = $head =~ s/\A.*?\r\n\r\n//sr;
    while (length $body < ($length // 0)) {
        my $got = sysread $socket, $body, 4096, length $body;
        next if !defined $got && $!{EINTR};
        return "cut short: $head" if !$got;
    }
    return $head =~ /\A(HTTP\S+ \d+)/ ? $1 : $head;
}

until ($done) {
    my $socket = connected() or push(@wrong, "no connection: $@"), next;
    my $first = 1;
    for my $left (reverse 0 .. ($requests % 2 ? 0 : 19)) {
        my $begin = time;
        my $answer = answer_on($socket, $left == 0);
        last if !defined $answer && !$first;
        ++$requests;
        push @wrong, $answer // 'no answer' if ($answer // '') ne 'HTTP/1.1 200';
        $slowest = time - $begin if time - $begin > $slowest;
        last if !defined $answer || $done;
        $first = 0;
        sleep 0.002;
    }
}
print encode_json({ requests => $requests, wrong => \@wrong, slowest => $slowest });
