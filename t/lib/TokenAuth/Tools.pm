# Runs the built tools in tests, and takes their tokens apart.
package TokenAuth::Tools;

use strict;
use warnings;

use Compress::Zlib ();
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Copy ();
use File::Temp ();
use JSON::PP ();
use Test::More;
use TokenAuth::Registry qw(new_registry rows_of);

our @EXPORT_OK = qw(
    as_nobody build_dir copy_of files_hold init_registry is_done is_error json_of lines_of new_dir
    program run_tool slurp spew sql start_tool finish_tool token_parts tokenctl use_registry
);

my $repository = abs_path(dirname(__FILE__) . '/../../..');
my ($registry, $kept);

# No variable of the caller's own may decide a test.
delete @ENV{qw(TOKEN_AUTH_REGISTRY TOKEN_AUTH_KEY TOKEN_AUTH_DB SUDO_USER)};

# Where the programs are: TOKEN_AUTH_BUILD, or build/ in the repository.
sub build_dir {
    my $dir = $ENV{TOKEN_AUTH_BUILD} // 'build';
    return $dir =~ m{^/} ? $dir : "$repository/$dir";
}

sub program {
    my ($name) = @_;
    my $path = build_dir() . "/$name";
    -x $path or BAIL_OUT("$path is not there: build it first, or set TOKEN_AUTH_BUILD");
    return $path;
}

# A directory that goes with the test; everyone may enter it.
sub new_dir {
    my $dir = File::Temp->newdir('token-auth-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir" or die "chmod $dir: $!";
    return $dir;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar(<$file>) // '';
}

sub spew {
    my ($path, $content) = @_;
    open my $file, '>:raw', $path or die "$path: $!";
    print {$file} $content;
    close $file or die "$path: $!";
    return $path;
}

sub copy_of {
    my ($from, $to) = @_;
    File::Copy::copy($from, $to) or die "$from to $to: $!";
    return $to;
}

# Starts a program; its output goes to files. Options: stdin (text), env (hash), umask, dir, stdout
# (a path of its own).
sub start_tool {
    my ($command, %options) = @_;
    my $scratch = File::Temp->newdir('token-auth-run-XXXXXX', TMPDIR => 1);
    my $input   = spew("$scratch/in", $options{stdin} // '');
    my $out     = $options{stdout} // "$scratch/out";
    my $pid     = fork // die "fork: $!";
    if ($pid == 0) {
        eval {
            open STDIN,  '<', $input         or die "stdin: $!";
            open STDOUT, '>', $out           or die "stdout: $!";
            open STDERR, '>', "$scratch/err" or die "stderr: $!";
            umask $options{umask} if defined $options{umask};
            chdir $options{dir} or die "chdir: $!" if defined $options{dir};
            my %env = %{ $options{env} // {} };
            @ENV{ keys %env } = values %env;
            exec { $command->[0] } @$command;
        };
        POSIX::_exit(127);
    }
    return { pid => $pid, scratch => $scratch, out => $out };
}

# Waits for it: { status, out, err }; the status of a program that a signal ended is 128 + signal.
sub finish_tool {
    my ($started) = @_;
    waitpid $started->{pid}, 0;
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return {
        status => $status,
        out    => -f $started->{out} ? slurp($started->{out}) : '',
        err    => slurp("$started->{scratch}/err"),
    };
}

sub run_tool {
    my ($command, %options) = @_;
    return finish_tool(start_tool($command, %options));
}

# The registry that tokenctl() uses from now on, unless its arguments name one.
sub use_registry {
    my ($url) = @_;
    $registry = $url;
    return;
}

# tokenctl(\%options, @arguments) or tokenctl(@arguments).
sub tokenctl {
    my %options = ref $_[0] ? %{ shift() } : ();
    my @where   = grep({ /^--registry/ } @_) || !defined $registry ? () : ('--registry', $registry);
    return run_tool([ @{ $options{prefix} // [] }, $options{program} // program('tokenctl'), @where, @_ ],
        %options);
}

# Makes a registry, in the directory where it is a file, which stays until the next one is made, and
# uses it; returns its URL.
sub init_registry {
    my ($dir) = @_;
    $kept = $dir;
    use_registry(new_registry("$dir/registry.db"));
    my $result = tokenctl('init');
    $result->{status} == 0 or BAIL_OUT("tokenctl init: $result->{err}");
    return $registry;
}

# What stands before a command so that an ordinary user runs it; root needs a user of its own for
# that. Undefined where it cannot be had.
sub as_nobody {
    return [] if $> != 0;
    my ($setpriv) = grep { -x } map { "$_/setpriv" } split /:/, $ENV{PATH};
    return unless defined $setpriv;
    return [ $setpriv, '--reuid=65534', '--regid=65534', '--clear-groups', '--' ];
}

# Rows of an SQL query on a registry, columns separated by "|".
sub sql {
    my ($url, $query) = @_;
    return rows_of($url, $query);
}

sub json_of {
    my ($result) = @_;
    my $value = eval { JSON::PP->new->utf8->decode($result->{out}) };
    diag("no JSON: $result->{out}$result->{err}") unless defined $value;
    return $value;
}

sub lines_of {
    my ($text) = @_;
    return split /\n/, $text;
}

# The command did what it was to do: status 0. Gives the result on.
sub is_done {
    my ($result, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($result->{status}, 0, $name) or diag($result->{err});
    return $result;
}

# The command failed with that status, said nothing on standard output, and one line that matches
# on standard error.
sub is_error {
    my ($result, $status, $pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ok =
           $result->{status} == $status
        && $result->{out} eq ''
        && $result->{err} =~ /\Atoken[a-z]+: [^\n]+\n\z/
        && $result->{err} =~ $pattern;
    ok($ok, $name) or diag("status $result->{status} (want $status, $pattern)\n",
        "stdout: $result->{out}\nstderr: $result->{err}");
    return $result;
}

# Whether any file of the directory holds the text.
sub files_hold {
    my ($dir, $text) = @_;
    opendir my $handle, "$dir" or die "$dir: $!";
    return grep { -f && index(slurp($_), $text) >= 0 } map { "$dir/$_" } readdir $handle;
}

sub to_base62 {
    my ($number, $width) = @_;
    my @digits = ('0' .. '9', 'A' .. 'Z', 'a' .. 'z');
    my $out    = '';
    for (1 .. $width) {
        $out    = $digits[ $number % 62 ] . $out;
        $number = int($number / 62);
    }
    return $out;
}

# { prefix, id, secret, check } of a token, where form and checksum are right.
sub token_parts {
    my ($token) = @_;
    my ($body, $prefix, $id, $secret, $check) =
        $token =~ /\A(([A-Za-z0-9._-]{1,16})_([0-9A-Za-z]{16})\.([0-9A-Za-z]{43}))([0-9A-Za-z]{6})\z/
        or return;
    return if to_base62(Compress::Zlib::crc32($body), 6) ne $check;
    return { prefix => $prefix, id => $id, secret => $secret, check => $check };
}

use POSIX ();

1;
