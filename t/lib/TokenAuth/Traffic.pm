# Sends requests without a pause, from several processes, and notes the times and the answer of each.
package TokenAuth::Traffic;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVTIMEO);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

# Seconds, the same in all processes.
sub now { return clock_gettime(CLOCK_MONOTONIC) }

# start(port => …, dir => …, targets => { name => text of a request up to its empty line, … },
# [rate => requests/s of each process], [alive => 2], [single => 1]): so many processes keep their
# connection alive, and so many make a new one for each request.
sub start {
    my ($class, %options) = @_;
    my $self = bless { files => [], pids => [], %options }, $class;
    my @kinds = ((1) x ($options{alive} // 2), (0) x ($options{single} // 1));
    for my $alive (@kinds) {
        my $file = "$self->{dir}/traffic." . scalar @{ $self->{files} } . '.' . int(1e6 * now());
        push @{ $self->{files} }, $file;
        # Set before the fork, so that no signal comes too early.
        my $stopped = 0;
        local $SIG{TERM} = sub { $stopped = 1 };
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my $done = eval { $self->_run($file, $alive, \$stopped); 1 };
            print STDERR "traffic: $@" unless $done;
            POSIX::_exit($done ? 0 : 1);
        }
        push @{ $self->{pids} }, $pid;
    }
    return $self;
}

# Stops. Returns the requests: [ sent, received, target, answer, worker ] each. The answer is "ok",
# the code of the refusal, or "status N"; "closed" if a kept connection ended before a byte of an
# answer (nginx may do that at any time), and "cut" if an answer was lost in another way.
sub stop {
    my ($self) = @_;
    my @requests;
    kill 'TERM', @{ $self->{pids} };
    for my $pid (splice @{ $self->{pids} }) {
        waitpid $pid, 0;
        die "a process of the traffic failed\n" if $?;
    }
    for my $file (@{ $self->{files} }) {
        open my $in, '<', $file or die "$file: $!";
        while (<$in>) {
            chomp;
            push @requests, [ split /\t/ ];
        }
        unlink $file;
    }
    return @requests;
}

sub _run {
    my ($self, $file, $alive, $stopped) = @_;
    local $SIG{PIPE} = 'IGNORE';
    srand($$);
    my @names = sort keys %{ $self->{targets} };
    my $pause = 1 / ($self->{rate} // 500);
    open my $out, '>', $file or die "$file: $!";
    my ($socket, $used);
    my $parent = getppid;
    until ($$stopped || getppid != $parent) {
        my $target = $names[ rand @names ];
        if (!$socket) {
            $used = 0;
            $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
            if (!$socket) {
                next if $$stopped;
                printf $out "%.6f\t%.6f\t%s\t%s\t\n", now(), now(), $target, 'cut';
                sleep 0.01;
                next;
            }
            setsockopt $socket, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', 10, 0;
        }
        my $sent = now();
        my ($answer, $worker, $over) =
            _ask($socket, $self->{targets}{$target} . ($alive ? '' : "Connection: close\r\n") . "\r\n");
        $answer = 'closed' if $answer eq 'nothing' && $used;
        $answer = 'cut' if $answer eq 'nothing';
        printf $out "%.6f\t%.6f\t%s\t%s\t%s\n", $sent, now(), $target, $answer, $worker;
        ++$used;
        undef $socket if $over || !$alive || rand() < 0.01;
        sleep $pause * 2 * rand;
    }
    close $out or die "$file: $!";
    return;
}

# One request on the connection: its answer, who gave it, and whether the connection is over.
sub _ask {
    my ($socket, $text) = @_;
    my $written = syswrite $socket, $text;
    return ('nothing', '', 1) unless defined $written && $written == length $text;
    my ($got, $length) = ('', undef);
    for (;;) {
        my $read = sysread $socket, $got, 65536, length $got;
        if (!defined $read) {
            next if $!{EINTR};
            return ($!{EAGAIN} ? 'no answer within 10 s' : $got eq '' ? 'nothing' : 'cut', '', 1);
        }
        return ($got eq '' ? 'nothing' : 'cut', '', 1) if $read == 0;
        my $end = index $got, "\r\n\r\n";
        next if $end < 0;
        $length //= $got =~ /^Content-Length: (\d+)\r$/mi ? $1 : 0;
        last if length $got >= $end + 4 + $length;
    }
    my ($status) = $got =~ m{\AHTTP/1\.1 (\d+)};
    my ($code)   = $got =~ /"code":"(\w+)"/;
    my ($worker) = $got =~ /^X-Worker: (\d+)\r$/mi;
    my $answer = ($status // 0) == 200 ? 'ok' : $code // 'status ' . ($status // 'none');
    return ($answer, $worker // '', $got =~ /^Connection: close\r$/mi ? 1 : 0);
}

use Errno;

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    if (my @left = splice @{ $self->{pids} }) {
        kill 'KILL', @left;
        waitpid $_, 0 for @left;
    }
    return;
}

1;
