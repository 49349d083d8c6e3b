# HTTP/2 over a plain socket, for tests about single frames.
package TokenAuth::Http2;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(preface frame headers_frame next_frame stream);

sub preface { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '') }

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub headers_frame {
    my ($stream, $end, $method, $path, @fields) = @_;
    my $block = '';
    @fields = (':method', $method, ':scheme', 'http', ':path', $path, ':authority', 'localhost', @fields);
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= "\0" . join '', map { chr(length) . $_ } $name, $value;    # literal, not indexed
    }
    return frame(1, 4 | $end, $stream, $block);    # END_HEADERS
}

# (type, flags, stream, payload); nothing if the connection ended.
sub next_frame {
    my ($socket) = @_;
    return if (read($socket, my $head, 9) // 0) != 9;
    my ($length, $type, $flags, $stream) = unpack 'NCCN', "\0$head";
    my $payload = '';
    read $socket, $payload, $length if $length != 0;
    return ($type, $flags, $stream, $payload);
}

# The content of a stream, and how it ended.
sub stream {
    my ($socket, $wanted) = @_;
    local $SIG{ALRM} = sub { die "no end of stream $wanted within 10 seconds\n" };
    alarm 10;
    my $content = '';
    my $ended = 'cut off';
    while (my ($type, $flags, $stream, $payload) = next_frame($socket)) {
        next if $stream != $wanted;
        $content .= $payload if $type == 0;
        $ended = 'ended' if $type <= 1 && $flags & 1;
        $ended = 'reset with ' . unpack 'N', $payload if $type == 3;
        # After an answer to an unfinished request comes its reset.
        last if $type == 3 || $ended eq 'ended' && $wanted != 1;
    }
    alarm 0;
    return ($content, $ended);
}

1;
