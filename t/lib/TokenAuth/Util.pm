# What tests and benchmarks share: where the programs are, files, processes, and lines to import.
package TokenAuth::Util;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(
    build_dir eventually finish_tool free_port json_lines lines_from overwrite program root_dir run_tool slurp spew
    start_tool token token_line
);

my $root = abs_path(dirname(__FILE__) . '/../../..');

sub root_dir { return $root }

# The directory of the built programs: TOKEN_AUTH_BUILD, or build/ in the repository.
sub build_dir {
    my $dir = $ENV{TOKEN_AUTH_BUILD} // 'build';
    return $dir =~ m{\A/} ? $dir : "$root/$dir";
}

# The path of a built program, or of another product of the build.
sub program {
    my ($name) = @_;
    my $path = build_dir() . "/$name";
    -e $path or die "$path is not there: build it first, or set TOKEN_AUTH_BUILD\n";
    return $path;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar(<$file>) // '';
}

# Writes a file; returns its path.
sub spew {
    my ($path, @text) = @_;
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} @text;
    close $file or die "$path: $!\n";
    return $path;
}

# Writes over a part of a file, without truncating it first, as `dd conv=notrunc` does.
sub overwrite {
    my ($path, $at, $bytes) = @_;
    open my $file, '+<:raw', $path or die "$path: $!\n";
    seek $file, $at, 0 or die "$path: $!\n";
    print {$file} $bytes;
    close $file or die "$path: $!\n";
    return 1;
}

# Starts a program; its output goes to files. Options: stdin (text), env (hash), umask, dir, stdout
# (a path of its own).
sub start_tool {
    my ($command, %options) = @_;
    my $scratch = File::Temp->newdir('token-auth-run-XXXXXX', TMPDIR => 1);
    my $input = spew("$scratch/in", $options{stdin} // '');
    my $out = $options{stdout} // "$scratch/out";
    my $pid = fork // die "fork: $!";
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

# Waits for it: { status, out, err }; the status is "signal N" if a signal ended the program.
sub finish_tool {
    my ($started) = @_;
    waitpid $started->{pid}, 0;
    return {
        status => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8,
        out    => -f $started->{out} ? slurp($started->{out}) : '',
        err    => slurp("$started->{scratch}/err"),
    };
}

sub run_tool {
    my ($command, %options) = @_;
    return finish_tool(start_tool($command, %options));
}

# The lines that a command prints; dies if it fails.
sub lines_from {
    my (@command) = @_;
    open my $out, '-|', @command or die "$command[0]: $!\n";
    chomp(my @lines = <$out>);
    close $out or die "@command failed\n";
    return @lines;
}

# Asks again until the answer is true, for at most that many seconds; returns the answer.
sub eventually(&;$) {
    my ($condition, $seconds) = @_;
    my $end = time + ($seconds // 20);
    while (1) {
        my $answer = $condition->();
        return $answer if $answer;
        return 0 if time > $end;
        sleep 0.02;
    }
}

# A port that is free now.
sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
        or die "no free port: $!";
    return $socket->sockport;
}

# JSON Lines of objects; a text stands as it is.
sub json_lines {
    my $json = JSON::PP->new->canonical->utf8;
    return join '', map { (ref $_ ? $json->encode($_) : $_) . "\n" } @_;
}

# A token to import, whose text is "<id>-token" unless `token` gives another. A field given as undef
# is left out.
sub token_line {
    my ($id, $kind, %fields) = @_;
    my $token = delete $fields{token} // "$id-token";
    my $line = {
        type => 'token', id => $id, kind => $kind, name => $id,
        digest => 'sha256:' . sha256_hex($token), expires => '2100-01-01T00:00:00Z', %fields,
    };
    delete @$line{ grep { !defined $line->{$_} } keys %$line };
    return $line;
}

# The same, of an organization named acme if nothing else is said.
sub token {
    my ($id, %fields) = @_;
    return token_line($id, delete $fields{kind} // 'organization', organization => 'acme', %fields);
}

1;
