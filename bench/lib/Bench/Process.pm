# Servers of a benchmark: each on its own processors, stopped when the benchmark ends.
package Bench::Process;

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);
use TokenAuth::Util qw(free_port slurp spew);

our @EXPORT_OK = qw(on_cpu cpus start_nginx start_server run);

# The processors of this process; with two or more, the first is for the measured program and the last
# for the load and everything else.
sub cpus {
    my $text = `taskset -pc $$ 2>/dev/null` // '';
    my ($list) = $text =~ /: ([0-9,-]+)\s*$/ or return (0);
    return map { /(\d+)-(\d+)/ ? ($1 .. $2) : $_ } split /,/, $list;
}

sub on_cpu {
    my ($which) = @_;
    my @cpus = cpus();
    return @cpus < 2 ? () : ('taskset', '-c', $which eq 'measured' ? $cpus[0] : $cpus[-1]);
}

# Runs a command; returns its standard output, or dies.
sub run {
    my (@command) = @_;
    open my $out, '-|', @command or die "$command[0]: $!\n";
    local $/;
    my $text = <$out> // '';
    close $out or die "@command failed (status " . ($? >> 8) . ")\n";
    return $text;
}

# A server in the background; it answers on the port once this returns.
sub start_server {
    my (%options) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::setpgid(0, 0);
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $options{log};
        open STDERR, '>>', $options{log};
        my @command = @{ $options{command} };
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    my $self = bless { pid => $pid, owner => $$, port => $options{port} }, __PACKAGE__;
    for (1 .. 1500) {
        return $self
            if $options{socket}
            ? -S $options{socket}
            : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $options{port});
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.02;
    }
    die "$options{command}[-1] did not start:\n" . slurp($options{log});
}

# nginx with one worker and that http block; "%PORT%" in it is replaced.
sub start_nginx {
    my (%options) = @_;
    my $dir = $options{dir};
    mkdir $dir;
    my $port = free_port();
    (my $http = $options{http}) =~ s/%PORT%/$port/g;
    my $user = $> == 0 ? 'user root;' : '';
    my $main = $options{main} // '';
    my $temp = join ' ', map { "${_}_temp_path $dir/temp_$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    spew("$dir/nginx.conf", <<"END");
$user
$main
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log error;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    sendfile on;
    tcp_nopush on;
    $temp
$http
}
END
    my $self = start_server(
        port => $port, log => "$dir/output.log",
        command => [ on_cpu($options{cpu}), 'nginx', '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/nginx.conf" ]);
    ($self->{worker}) = split ' ', run('ps', '-o', 'pid=', '--ppid', $self->{pid});
    return $self;
}

sub port   { return $_[0]{port} }
sub worker { return $_[0]{worker} // $_[0]{pid} }

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$ || !defined $self->{pid};
    local ($?, $!);
    # Repeat it: nginx without a master misses a signal that comes right before it sleeps.
    my $pid = delete $self->{pid};
    for my $try (1 .. 100) {
        kill $try < 100 ? 'TERM' : 'KILL', $pid;
        for (1 .. 10) {
            return if waitpid($pid, POSIX::WNOHANG()) != 0;
            sleep 0.02;
        }
    }
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop; return }

1;
