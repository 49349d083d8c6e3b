# Runs tokenctl in tests, and takes its tokens apart.
package TokenAuth::Tools;

use strict;
use warnings;

use Compress::Zlib ();
use Exporter qw(import);
use File::Copy ();
use File::Temp ();
use JSON::PP ();
use Test::More;
use TokenAuth::Registry qw(new_registry rows_of);
use TokenAuth::Util qw(build_dir finish_tool program run_tool slurp spew start_tool);

our @EXPORT_OK = qw(
    as_nobody build_dir copy_of done fails_with files_hold finish_tool init_registry json_of lines_of
    new_dir program run_tool slurp spew sql start_tool succeeds token_parts tokenctl use_registry
);

my ($registry, $kept);

# The caller's environment must not decide a test.
delete @ENV{qw(TOKEN_AUTH_REGISTRY TOKEN_AUTH_KEY TOKEN_AUTH_DB TOKEN_AUTH_USAGE_DB SUDO_USER)};

# A directory that goes with the test; everyone may enter it.
sub new_dir {
    my $dir = File::Temp->newdir('token-auth-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir" or die "chmod $dir: $!";
    return $dir;
}

sub copy_of {
    my ($from, $to) = @_;
    File::Copy::copy($from, $to) or die "$from to $to: $!";
    return $to;
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

# Makes a registry (in the directory, if it is a file) and uses it; returns its URL. The directory stays
# until the next registry is made.
sub init_registry {
    my ($dir) = @_;
    $kept = $dir;
    use_registry(new_registry("$dir/registry.db"));
    my $result = tokenctl('init');
    $result->{status} == 0 or BAIL_OUT("tokenctl init: $result->{err}");
    return $registry;
}

# The prefix of a command that makes an ordinary user run it. Undefined if there is no way to do so.
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

# Whether a command succeeded; says what it printed if not.
sub succeeds {
    my ($result) = @_;
    diag($result->{err}) if $result->{status} ne '0';
    return $result->{status} eq '0';
}

# The result of a command that must succeed; dies if it did not.
sub done {
    my ($result) = @_;
    die "status $result->{status}: $result->{err}" if $result->{status} ne '0';
    return $result;
}

# Whether a command failed with that status, printed nothing on standard output, and one line that
# matches on standard error; says what it did if not.
sub fails_with {
    my ($result, $status, $pattern) = @_;
    my $fails =
           $result->{status} eq $status
        && $result->{out} eq ''
        && $result->{err} =~ /\Atoken[a-z]+: [^\n]+\n\z/
        && $result->{err} =~ $pattern;
    diag("status $result->{status} (want $status, $pattern)\n",
        "stdout: $result->{out}\nstderr: $result->{err}") if !$fails;
    return $fails;
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

# { prefix, id, secret, check } of a token; nothing if its form or checksum is wrong.
sub token_parts {
    my ($token) = @_;
    my ($body, $prefix, $id, $secret, $check) =
        $token =~ /\A(([A-Za-z0-9._-]{1,16})_([0-9A-Za-z]{11})\.([0-9A-Za-z]{33}))([0-9A-Za-z]{6})\z/
        or return;
    return if to_base62(Compress::Zlib::crc32($body), 6) ne $check;
    return { prefix => $prefix, id => $id, secret => $secret, check => $check };
}

1;
