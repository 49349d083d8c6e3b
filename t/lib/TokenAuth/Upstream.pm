# An upstream that answers with the request's fields as it got them: HTTP, FastCGI, SCGI and uwsgi on
# one port, told apart by the first byte.
package TokenAuth::Upstream;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

sub start {
    my ($class, $log) = @_;
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        while (my $client = $listener->accept) {
            eval { serve($client, $log) };
            close $client;
        }
        POSIX::_exit(0);
    }
    return bless { pid => $pid, address => '127.0.0.1:' . $listener->sockport }, $class;
}

sub address { return $_[0]{address} }

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    kill 'KILL', $self->{pid} and waitpid $self->{pid}, 0;
    return;
}

sub serve {
    my ($client, $log) = @_;
    my $first = take($client, 1);
    my $got =
          $first eq "\x01" ? fastcgi($client)
        : $first eq "\0"   ? uwsgi($client)
        : $first =~ /\d/   ? scgi($client, $first)
        :                    http($client);
    if ($log) {
        open my $out, '>>', $log or die "$log: $!";
        print $out "$got--\n";
        close $out;
    }
    my $head = $first =~ /[A-Z]/ ? "HTTP/1.0 200 OK\r\n" : "Status: 200 OK\r\n";
    my $text = "${head}Content-Type: text/plain\r\n\r\n$got";
    print $client $first eq "\x01" ? record(6, $text) . record(6, '') . record(3, "\0" x 8) : $text;
    return;
}

sub take {
    my ($client, $size) = @_;
    my $got = '';
    while (length $got < $size) {
        read($client, $got, $size - length $got, length $got) or die "closed";
    }
    return $got;
}

sub http {
    my ($client) = @_;
    my $got = '';
    <$client>;    # the request line
    while (defined(my $line = <$client>)) {
        last if $line eq "\r\n";
        $got .= $line =~ s/\r//r;
    }
    return $got;
}

# HTTP_… parameters, as lines.
sub lines {
    my @pairs = @_;
    my $got = '';
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $got .= "$name: $value\n" if $name =~ /\AHTTP_/;
    }
    return $got;
}

sub scgi {
    my ($client, $digits) = @_;
    while ((my $byte = take($client, 1)) ne ':') {
        $digits .= $byte;
    }
    return lines(split /\0/, take($client, $digits + 1), -1);
}

sub uwsgi {
    my ($client) = @_;
    my $size = unpack 'v', substr take($client, 3), 0, 2;
    return lines(unpack '(v/a)*', take($client, $size));
}

sub record {
    my ($type, $content) = @_;
    return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content;
}

sub fastcgi {
    my ($client) = @_;
    my $params = '';
    while (1) {
        my ($type, undef, $size, $padding) = unpack 'CnnC', take($client, 7);
        my $content = $size ? take($client, $size) : '';
        take($client, $padding) if $padding;
        last if $type == 5 && $size == 0;
        $params .= $content if $type == 4;
        take($client, 1);
    }
    my @pairs;
    my $length = sub {
        my $size = unpack 'C', substr $params, 0, 1;
        return unpack 'C', substr $params, 0, 1, '' if $size < 128;
        return 0x7fffffff & unpack 'N', substr $params, 0, 4, '';
    };
    while ($params ne '') {
        my @sizes = ($length->(), $length->());
        push @pairs, map { substr $params, 0, $_, '' } @sizes;
    }
    return lines(@pairs);
}

1;
