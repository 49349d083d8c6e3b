# A Debian of its own for tests of packages: a copy of a bare system, booted by its systemd in namespaces of its
# own. It has no network but its loopback; apt finds what it needs in the copy's cache.
package TokenAuth::Machine;

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use Test::More ();
use Time::HiRes qw(sleep time);
use TokenAuth::Util qw(eventually root_dir run_tool slurp spew);

# The directories that scripts/matrix names: the bare system, and the packages (of the version before, too).
sub base     { return $ENV{TOKEN_AUTH_BASE}            // Test::More::plan(skip_all => 'scripts/matrix sets TOKEN_AUTH_BASE') }
sub packages { return $ENV{TOKEN_AUTH_PACKAGES}        // die "TOKEN_AUTH_PACKAGES is not set\n" }
sub earlier  { return $ENV{TOKEN_AUTH_EARLIER_PACKAGES} // die "TOKEN_AUTH_EARLIER_PACKAGES is not set\n" }

sub new {
    my ($class) = @_;
    my $base = base();
    my $dir = File::Temp->newdir('machine-XXXXXX', DIR => dirname($base), CLEANUP => 0)->dirname;
    chmod 0755, $dir or die "chmod $dir: $!";
    my $self = bless { dir => $dir, owner => $$ }, $class;
    system('cp', '-a', '--reflink=auto', "$base/.", $dir) == 0 or die "cp $base failed\n";
    # the base keeps services from starting, a machine does not
    unlink "$dir/usr/sbin/policy-rc.d";
    $self->boot;
    return $self;
}

sub dir { return $_[0]{dir} }

sub boot {
    my ($self) = @_;
    $self->{pid} = fork // die "fork: $!";
    if ($self->{pid} == 0) {
        open STDOUT, '>', "$self->{dir}/boot.log" or die "boot.log: $!";
        open STDERR, '>&', \*STDOUT or die "boot.log: $!";
        exec root_dir() . '/t/package/boot', $self->{dir};
    }
    eventually { $self->{init} = $self->init } 60 or die "no systemd after 60 s:\n" . slurp("$self->{dir}/boot.log");
    my $state;
    eventually {
        $state = $self->run('systemctl is-system-running --wait')->{out};
        $state =~ /running|degraded/;
    } 60 or die "systemd does not get up: $state\n";
    return;
}

# The process that is the machine's first, once that is systemd.
sub init {
    my ($self) = @_;
    my @children = ($self->{pid});
    for my $pid (@children) {
        my $exe = readlink("/proc/$pid/exe") // '';
        return $pid if $exe =~ m{/systemd$};
        push @children, split ' ', eval { slurp("/proc/$pid/task/$pid/children") } // '';
    }
    return 0;
}

sub enter {
    my ($self) = @_;
    return (qw(nsenter --mount --uts --ipc --net --pid --cgroup --root --wd --target), $self->{init});
}

# Runs a shell's command line there: { status, out, err }.
sub run {
    my ($self, $command, %options) = @_;
    my @env = qw(HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb);
    my $path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    return run_tool([$self->enter, 'timeout', 300, 'env', '-i', @env, $path, 'bash', '-c', $command], %options);
}

# The same; it must succeed. Returns what it says, standard error behind standard output.
sub does {
    my ($self, $command, $name) = @_;
    my $done = $self->run($command);
    Test::More::is($done->{status}, 0, $name // $command) or Test::More::diag("$done->{out}$done->{err}");
    return $done->{out} . $done->{err};
}

# Runs a program of the system outside, on the machine's network.
sub beside { my ($self) = @_; return ('nsenter', '--net', '--target', $self->{init}) }

sub put { my ($self, $path, $text) = @_; return spew("$self->{dir}$path", $text) }

# The packages of a directory, and what they need, as an administrator installs them.
sub install {
    my ($self, $from, @more) = @_;
    my $to = "$self->{dir}/root/packages";
    system('rm', '-rf', $to) == 0 && system('cp', '-r', $from, $to) == 0 or die "cp $from failed\n";
    return $self->does("cd /root/packages && apt-get install -y @more ./libnginx-mod-http-token-auth_*.deb ./token-auth-tools_*.deb 2>&1",
        'apt-get install');
}

# { status, body } of a GET there. Arguments are curl's.
sub get {
    my ($self, @arguments) = @_;
    my $done = run_tool([$self->beside, 'curl', '-sS', '--max-time', 10, '-w', '\n%{http_code}', @arguments]);
    my ($body, $status) = $done->{out} =~ /\A(.*)\n(\d+)\z/s;
    return { status => $status // 0, body => ($body // '') . $done->{err} };
}

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $@);
    if ($self->{pid}) {
        kill 'TERM', $self->{pid};
        waitpid $self->{pid}, 0;
    }
    if (length $self->{dir} && !$ENV{TOKEN_AUTH_KEEP_MACHINES}) {
        system('rm', '-rf', '--one-file-system', $self->{dir});
    }
    return;
}

1;
