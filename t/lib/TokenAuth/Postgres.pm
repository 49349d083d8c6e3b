# A real PostgreSQL server for one test: a private cluster on a Unix socket in its own directory, run by
# an unprivileged account.
package TokenAuth::Postgres;

use strict;
use warnings;

use File::Path ();
use File::Temp qw(tempdir);
use POSIX ();
use TokenAuth::Util qw(lines_from slurp spew);

# The caller's environment must not decide where libpq connects.
delete @ENV{ grep { /\APG/ } keys %ENV };

# The directory of the server's programs: the newest of Debian's packages.
sub bin_dir {
    my @found = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin/initdb';
    return @found ? $found[0] =~ s{/initdb\z}{}r : die "PostgreSQL is not installed\n";
}

# start(%options): makes a cluster and starts it. `settings` are lines for postgresql.conf, `fsync`
# makes it durable (for measurements), `from` the directory of a backup to start instead.
sub start {
    my ($class, %options) = @_;
    my $dir = tempdir('token-auth-pg-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, owner => $$, bin => bin_dir(), number => 0 }, $class;
    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'postgres')[ 2, 3 ];
        die "there is no account postgres\n" unless defined $uid;
        chown $uid, $gid, $dir or die "chown $dir: $!";
        chmod 0755, $dir or die "chmod $dir: $!";
        $self->{as} = [ 'setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups', '--' ];
    }
    if ($options{from}) {
        $self->as_server('cp', '-a', $options{from}, "$dir/data");
        unlink "$dir/data/postmaster.pid";
    } else {
        $self->as_server("$self->{bin}/initdb", '-D', "$dir/data", '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
            '--locale=C.UTF-8', '--no-sync');
        my $fsync = $options{fsync} ? 'on' : 'off';
        open my $conf, '>>', "$dir/data/postgresql.conf" or die "postgresql.conf: $!";
        print {$conf} "listen_addresses = ''\nunix_socket_directories = '$dir'\nfsync = $fsync\n",
            "max_connections = 100\n", map { "$_\n" } @{ $options{settings} // [] };
        close $conf or die "postgresql.conf: $!";
    }
    if ($options{from}) {
        my $conf = slurp("$dir/data/postgresql.conf") =~ s/^(unix_socket_directories = ).*/$1'$dir'/mr;
        spew("$dir/data/postgresql.conf", $conf, map { "$_\n" } @{ $options{settings} // [] });
    }
    $self->up;
    return $self;
}

sub dir  { return $_[0]{dir} }
sub data { return "$_[0]{dir}/data" }

# Runs a command as the server's account; dies if it fails.
sub as_server {
    my ($self, @command) = @_;
    my $log = "$self->{dir}/commands.log";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        chdir '/';
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>>', $log;
        exec { ($self->{as} ? $self->{as}[0] : $command[0]) } @{ $self->{as} // [] }, @command
            or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    die "@command failed:\n" . slurp($log) if $? != 0;
    return;
}

sub up {
    my ($self) = @_;
    $self->as_server("$self->{bin}/pg_ctl", '-D', $self->data, '-l', "$self->{dir}/log", '-w', '-t', 60, 'start');
    return;
}

# How: fast (the default; connections are ended), immediate (as if it had crashed).
sub down {
    my ($self, $how) = @_;
    $self->as_server("$self->{bin}/pg_ctl", '-D', $self->data, '-w', '-m', $how // 'fast', 'stop');
    return;
}

# The URL of a database, for an account or, without one, the superuser.
sub url {
    my ($self, $database, $user) = @_;
    return sprintf 'postgresql://%s@/%s?host=%s', $user // 'postgres', $database, $self->{dir};
}

# A new, empty database; its name.
sub database {
    my ($self) = @_;
    my $name = "db$$" . '_' . $self->{number}++;
    $self->sql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING 'UTF8' "
        . "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'");
    return $name;
}

# The rows of the last of some statements, a line each, columns separated by "|"; dies on errors.
sub sql {
    my ($self, $database, $statements, $user) = @_;
    return sql_at($self->url($database, $user), $statements);
}

sub sql_at {
    my ($url, $statements) = @_;
    my $file = File::Temp->new(TEMPLATE => 'token-auth-sql-XXXXXX', TMPDIR => 1);
    spew("$file", $statements);
    return [ lines_from('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $url, '-f', "$file") ];
}

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!, $@);
    eval { $self->down('immediate') };
    File::Path::remove_tree($self->{dir}, { safe => 0 });
    return;
}

# The server that a run of many test files shares: the one in TOKEN_AUTH_TEST_POSTGRES, which keeps
# running; without that, one for this process.
my $shared;

sub shared {
    my ($class) = @_;
    my $dir = $ENV{TOKEN_AUTH_TEST_POSTGRES} // '';
    $shared //= -d $dir ? bless({ dir => $dir, owner => 0, bin => bin_dir(), number => 0 }, $class) : $class->start;
    return $shared;
}

1;
