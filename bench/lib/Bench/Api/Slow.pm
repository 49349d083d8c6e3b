# Clients of nginx that never come to an end: each sends a byte of its request's body now and then.
package Bench::Api::Slow;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

my $pause = 4;    # seconds between two bytes; nginx waits for 10

# Lets this process and its children open so many files.
sub need_files {
    my ($count) = @_;
    system('prlimit', '--pid', $$, "--nofile=$count:") == 0 or die "$count open files are needed; raise the hard limit (ulimit -Hn)\n"
        if (POSIX::sysconf(POSIX::_SC_OPEN_MAX()) // 0) < $count;
    return;
}

# Runs them in a process of its own; returns once all have connected.
sub start {
    my ($class, $port, $count) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $in;
        POSIX::_exit(eval { run($out, $port, $count); 1 } ? 0 : do { print STDERR $@; 1 });
    }
    close $out;
    my $self = bless { pid => $pid, in => $in }, $class;
    readline($in) // die "the slow clients failed\n";
    return $self;
}

sub run {
    my ($out, $port, $count) = @_;
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';
    $out->autoflush(1);
    my $open = sub {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) // die "slow client: $!\n";
        syswrite $socket, "POST /api/v1/organizations/acme/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
        return $socket;
    };
    my @sockets = map { $open->() } 1 .. $count;
    print {$out} "connected\n";
    until ($stop) {
        my ($begun, $sent) = (time, 0);
        for my $socket (@sockets) {
            defined syswrite $socket, ' ' or $socket = $open->();
            sleep 0.01 until $stop || time - $begun >= $pause * $sent / @sockets;
            ++$sent;
        }
    }
    print {$out} scalar(grep { defined syswrite $_, ' ' } @sockets), "\n";
    return;
}

# Ends them; how many were still connected.
sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    my $open = readline $self->{in};
    waitpid $self->{pid}, 0;
    die "the slow clients failed\n" if $? != 0;
    return 0 + $open;
}

1;
