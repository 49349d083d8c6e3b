# HTTP/1.1 over a plain socket, for tests about the connection itself.
package TokenAuth::Wire;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(request response exchange field fields);

# request(method, path, [body => …], [chunked => [ … ]], header => value, …): the text of one.
sub request {
    my ($method, $path, @fields) = @_;
    my $text = "$method $path HTTP/1.1\r\nHost: localhost\r\n";
    my $body = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        if ($name eq 'body') {
            $text .= 'Content-Length: ' . length($value) . "\r\n";
            $body = $value;
        } elsif ($name eq 'chunked') {
            $text .= "Transfer-Encoding: chunked\r\n";
            $body = join '', map({ sprintf "%x\r\n%s\r\n", length, $_ } @$value), "0\r\n\r\n";
        } else {
            $text .= "$name: $value\r\n";
        }
    }
    return "$text\r\n$body";
}

# Reads one answer; (status, head, body). The status is 0 if the connection ended before it.
sub response {
    my ($socket, $method) = @_;
    local $SIG{ALRM} = sub { die "no answer within 10 seconds\n" };
    my $left = alarm 10;
    my $head = '';
    while (defined(my $line = <$socket>)) {
        last if $line eq "\r\n" && $head ne '';
        $head .= $line;
    }
    my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)};
    my $body = '';
    if (($method // 'GET') ne 'HEAD' && $head =~ /^Content-Length: (\d+)\r$/mi) {
        read $socket, $body, $1;
    } elsif (($method // 'GET') ne 'HEAD' && $head =~ /^Transfer-Encoding: chunked\r$/mi) {
        while (defined(my $line = <$socket>)) {
            my ($digits) = $line =~ /\A([0-9a-f]+)/i or last;
            my $size = hex $digits;
            read $socket, my $chunk, $size + 2;
            $body .= substr $chunk, 0, $size;
            last if $size == 0;
        }
    }
    alarm $left;
    return ($status // 0, $head, $body);
}

sub exchange {
    my ($socket, $method, @rest) = @_;
    print $socket request($method, @rest);
    return response($socket, $method);
}

# All values of a field, in their order.
sub fields {
    my ($head, $name) = @_;
    return $head =~ /^\Q$name\E: ([^\r\n]*)\r$/mgi;
}

sub field { return (fields(@_))[0] }

1;
