# tokenapi on a Unix socket, and raw HTTP to it.
package TokenAuth::Api;

use strict;
use warnings;

use Fcntl qw(F_SETFD);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);
use TokenAuth::Registry qw(new_registry);
use TokenAuth::Util qw(build_dir eventually run_tool slurp);

$SIG{PIPE} = 'IGNORE';

# start(probe => 1): the server with operations for tests (t/api/api_probe.cpp) rather than tokenapi
# itself. Options: url (of a registry; a new one if not given), listener (a socket to hand
# over as systemd does), socket (its path), args (further options of tokenapi), env, wait (default 1: until it answers).
sub start {
    my ($class, %options) = @_;
    my $dir = tempdir('token-auth-api-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, url => $options{url}, parent => $$ }, $class;
    if (!defined $self->{url}) {
        $self->{url} = new_registry("$dir/registry.db");
        my $made = run_tool([ build_dir() . '/tokenctl', '--registry', $self->{url}, 'init' ]);
        die $made->{err} if $made->{status} ne '0';
    }
    $self->{socket} = $options{socket} // "$dir/api.sock";
    my @command =
        $options{probe}
        ? (build_dir() . '/api/api_probe', $self->{url}, "unix:$self->{socket}")
        : (build_dir() . '/tokenapi', '--registry', $self->{url},
            ($options{listener} ? () : ('--listen', "unix:$self->{socket}")),
            @{ $options{args} // [] }, 'serve');
    $self->{pid} = fork // die "fork: $!";
    if ($self->{pid} == 0) {
        open STDERR, '>', "$dir/log" or POSIX::_exit(127);
        my %env = %{ $options{env} // {} };
        @ENV{ keys %env } = values %env;
        if (my $listener = $options{listener}) {
            # as systemd hands it over: number 3, open in the new program
            fileno $listener == 3 ? fcntl($listener, F_SETFD, 0) : POSIX::dup2(fileno $listener, 3);
            @ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$);
        }
        { exec { $command[0] } @command }
        POSIX::_exit(127);
    }
    return $self if !($options{wait} // 1);
    # The socket is there a moment before it is listened on: the flag of /proc/net/unix.
    eventually { slurp('/proc/net/unix') =~ /^\S+ \S+ \S+ 00010000 .* \Q$self->{socket}\E$/m } or die "tokenapi does not start: " . $self->log;
    return $self;
}

sub dir    { return $_[0]{dir} }
sub pid    { return $_[0]{pid} }
sub socket { return $_[0]{socket} }
sub url    { return $_[0]{url} }
sub log    { return slurp("$_[0]{dir}/log") }

# A connection; undefined if there is none.
sub connection {
    my ($self) = @_;
    return IO::Socket::UNIX->new(Type => IO::Socket::UNIX::SOCK_STREAM(), Peer => $self->{socket});
}

# The text of a request.
sub request_text {
    my ($method, $target, %options) = @_;
    my $body = $options{body};
    my %headers = (Host => 'localhost', %{ $options{headers} // {} });
    $headers{'Content-Length'} //= length $body if defined $body && !$options{unframed};
    return join '', "$method $target HTTP/1.1\r\n", (map { "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n",
        $body // '';
}

# Reads one answer off a connection: { status, phrase, headers (names in lower case), body, json }.
# Undefined if the connection ends, or nothing comes in that many seconds.
sub read_answer {
    my ($connection, %options) = @_;
    my $end = time + ($options{seconds} // 20);
    my $buffer = \(${*$connection}{buffer} //= '');
    my $more = sub {
        my $left = $end - time;
        return 0 if $left <= 0 || !IO::Select->new($connection)->can_read($left);
        return sysread $connection, $$buffer, 65536, length $$buffer;
    };
    until ($$buffer =~ /\r\n\r\n/) {
        $more->() or return;
    }
    my ($head) = $$buffer =~ /\A(.*?\r\n)\r\n/s;
    my ($status, $phrase) = $head =~ m{\AHTTP/1\.1 (\d+) ([^\r\n]*)} or die "no answer: $head";
    my %headers;
    while ($head =~ /^([A-Za-z-]+): ([^\r\n]*)/mg) {
        $headers{ lc $1 } = exists $headers{ lc $1 } ? "$headers{lc $1}, $2" : $2;
    }
    my $length = $options{head} || $status == 204 || $status < 200 ? 0 : $headers{'content-length'};
    while (length $$buffer < length($head) + 2 + $length) {
        $more->() or return;
    }
    my $body = substr $$buffer, length($head) + 2, $length;
    substr($$buffer, 0, length($head) + 2 + $length) = '';
    return {
        status => $status, phrase => $phrase, headers => \%headers, body => $body,
        json => ($headers{'content-type'} // '') =~ /json/ && length $body
        ? JSON::PP->new->utf8->decode($body) : undef,
    };
}

# Whether the other side closes the connection within that many seconds.
sub is_closed {
    my ($connection, $seconds) = @_;
    my $end = time + ($seconds // 5);
    while ((my $left = $end - time) > 0) {
        return 0 if !IO::Select->new($connection)->can_read($left);
        return 1 if !sysread $connection, my $rest, 65536;
    }
    return 0;
}

# One request on a connection of its own. `headers` as a hash; `json` is encoded.
sub call {
    my ($self, $method, $target, %options) = @_;
    if (exists $options{json}) {
        $options{body} = ref $options{json} ? JSON::PP->new->utf8->encode($options{json}) : $options{json};
        $options{headers} = { 'Content-Type' => 'application/json', %{ $options{headers} // {} } };
    }
    my $connection = $self->connection or die "no connection: $!";
    print $connection request_text($method, $target, %options);
    return read_answer($connection, head => $method eq 'HEAD');
}

# The samples of /metrics by name and labels.
sub metrics {
    my ($self) = @_;
    my $text = $self->call('GET', '/metrics')->{body};
    return { map { /\A([^#]\S*) (\S+)\z/ ? ($1 => $2) : () } split /\n/, $text };
}

# Memory of the process in KiB; 0 with sanitizers, whose own it would be.
sub memory {
    my ($self) = @_;
    return 0 if $ENV{TOKEN_AUTH_TEST_SANITIZED};
    my ($kib) = slurp("/proc/$self->{pid}/status") =~ /^VmRSS:\s+(\d+)/m;
    return $kib;
}

# Sends the signal (TERM); returns the exit status, or "signal N"; undefined if it does not end.
sub stop {
    my ($self, $signal, $seconds) = @_;
    kill $signal // 'TERM', $self->{pid};
    return $self->ended($seconds);
}

sub ended {
    my ($self, $seconds) = @_;
    my $pid = $self->{pid} // return;
    eventually { waitpid($pid, POSIX::WNOHANG()) == $pid } $seconds // 20 or return;
    my $status = $?;
    delete $self->{pid};
    return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    if (my $pid = delete $self->{pid}) {
        return if $$ != $self->{parent};
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    return;
}

1;
