# A real nginx and a real "tokensync watch", for tests and benchmarks without Test::Nginx.
package TokenAuth::Server;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);
use TokenAuth::Util qw(free_port program slurp spew);
use TokenAuth::Wire;

# start(dir => …, http => "…", [main => "…"], [connections => 1024], [binary => …], [daemon => 1]): runs nginx with that http
# block in that directory; "%PORT%" in it is replaced. Dies if nginx does not come up.
sub start {
    my ($class, %options) = @_;
    my $self = bless { dir => $options{dir}, port => free_port() }, $class;
    my $user = $> == 0 ? 'user ' . ($options{user} // 'www-data') . ';' : '';
    my $http = $options{http};
    $http =~ s/%PORT%/$self->{port}/g;
    $self->{log} = "$self->{dir}/error.log";
    my $temp = join "\n", map { "    ${_}_temp_path $self->{dir}/temp_$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);
    my $main = $options{main} // '';
    my $connections = $options{connections} // 1024;
    my $daemon = $options{daemon} ? 'on' : 'off';
    # set and empty if nginx has the module built in
    my $load = join '', map { "load_module $_;\n" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // program('ngx_http_token_auth_module.so');
    spew("$self->{dir}/nginx.conf", <<"END");
$load$user
daemon $daemon;
pid $self->{dir}/nginx.pid;
error_log $self->{log} notice;
$main
events { worker_connections $connections; }
http {
    access_log off;
$temp
$http
}
END
    my $binary = $options{binary} // $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
    $self->{pid} = spawn($self->{log}, $binary, '-p', $self->{dir}, '-c',
        "$self->{dir}/nginx.conf", '-e', $self->{log});
    for (1 .. 200) {
        if (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})) {
            $self->adopt($self->_pid_written) if $options{daemon};
            return $self;
        }
        last if waitpid($self->{pid}, 1) == $self->{pid} && (!$options{daemon} || $?);    # WNOHANG
        sleep 0.02;
    }
    die "nginx did not start:\n" . $self->errors;
}

# Takes over a master process that is not our child; it ends with this object.
sub adopt { @{ $_[0] }{qw(pid adopted)} = ($_[1], 1); return }

sub _pid_written {
    my ($self) = @_;
    waitpid $self->{pid}, 0;
    for (1 .. 500) {
        last if -s "$self->{dir}/nginx.pid";
        sleep 0.01;
    }
    return slurp("$self->{dir}/nginx.pid") + 0;
}

sub port { return $_[0]{port} }
sub pid  { return $_[0]{pid} }

sub errors {
    my ($self) = @_;
    return -e $self->{log} ? slurp($self->{log}) : '';
}

sub reload { return kill 'HUP', $_[0]{pid} }

# get(path, header => value, …): one request on a connection of its own; (status, head, body).
sub get {
    my ($self, $path, @headers) = @_;
    my $socket = $self->connect;
    my $head = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n$head\r\n";
    my $text = do { local $/; <$socket> } // '';
    my ($status) = $text =~ m{\AHTTP/1\.1 (\d+)};
    my ($fields, $body) = split /\r\n\r\n/, $text, 2;
    return ($status // 0, $fields // '', $body // '');
}

sub connect {
    my ($self) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5)
        // die "cannot connect to nginx: $!";
}

# The status of one request on a kept connection.
sub status_on {
    my ($socket, $token) = @_;
    return (exchange($socket, 'GET', '/', Authorization => "Bearer $token"))[0];
}

# Starts "tokensync watch"; it ends with this object.
sub watch {
    my ($self, @arguments) = @_;
    $self->{sync_log} = "$self->{dir}/sync.log";
    $self->{sync} = spawn($self->{sync_log}, program('tokensync'), 'watch', @arguments);
    return;
}

# Runs a command in the background and appends its output to a log; returns the process id.
sub spawn {
    my ($log, @command) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>>', $log;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    return $pid;
}

sub stop {
    my ($self) = @_;
    local ($?, $!);
    for my $pid (grep { defined } delete @{$self}{qw(pid sync)}) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
        if (delete $self->{adopted}) {
            sleep 0.02 while kill 0, $pid;
        }
    }
    return;
}

sub DESTROY { $_[0]->stop; return }

1;
