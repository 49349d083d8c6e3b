# A registry, a store and the two tools in a directory of their own, for the tests of tokensync.
package TokenAuth::Sync;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);
use TokenAuth::Registry qw(new_registry rows_of);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $build = abs_path($ENV{TOKEN_AUTH_BUILD} // "$root/build");

# new(registry => 0) leaves the registry to be made.
sub new {
    my ($class, %options) = @_;
    my $dir = tempdir('token-auth-sync-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir or die "$dir: $!";
    my $self = bless { dir => $dir, number => 0, watches => [], url => new_registry("$dir/registry.db") }, $class;
    $self->ctl_ok('init') unless defined $options{registry} && !$options{registry};
    return $self;
}

sub dir      { return $_[0]{dir} }
sub db       { return "$_[0]{dir}/db" }
sub url      { return $_[0]{url} }
sub registry { return "$_[0]{dir}/registry.db" }    # SQLite's file
sub sql      { return rows_of($_[0]{url}, $_[1]) }
sub tool     { return "$build/$_[1]" }

# Runs a program; returns { status, out, err }. Options: stdin => text, umask => mode.
sub run_program {
    my ($self, $options, @command) = @_;
    my ($in, $out, $err) = map { "$self->{dir}/." . $self->{number}++ } 1 .. 3;
    spew($in, $options->{stdin} // '');
    my $child = fork() // die "fork: $!";
    if ($child == 0) {
        umask $options->{umask} if defined $options->{umask};
        open STDIN,  '<', $in  or POSIX::_exit(126);
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>', $err or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    waitpid $child, 0;
    my $result = {
        status => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8,
        out => slurp($out), err => slurp($err),
    };
    unlink $in, $out, $err;
    return $result;
}

sub locations {
    my ($self, $db) = @_;
    return ('--registry', $self->url, '--db', $db // $self->db);
}

# The tools on this world. A hash first is run_program()'s options; `db` in it is another store.
sub sync {
    my ($self, @arguments) = @_;
    my $options = ref $arguments[0] ? shift @arguments : {};
    return $self->run_program($options, $self->tool('tokensync'),
        $self->locations($options->{db}), @arguments);
}

sub ctl {
    my ($self, @arguments) = @_;
    my $options = ref $arguments[0] ? shift @arguments : {};
    return $self->run_program($options, $self->tool('tokenctl'), '--registry',
        $self->url, @arguments);
}

# The same, where anything but success is an error of the test; these give standard output.
sub sync_ok { my $self = shift; return must($self->sync(@_), "tokensync @_") }
sub ctl_ok  { my $self = shift; return must($self->ctl(@_),  "tokenctl @_") }

sub must {
    my ($result, $what) = @_;
    $result->{status} eq '0' or die "$what: status $result->{status}: $result->{err}";
    return $result->{out};
}

# The output of `tokensync … --json`, decoded.
sub json {
    my ($self, @arguments) = @_;
    return decode_json($self->sync_ok(@arguments, '--json'));
}

# What `explain` decides for a token.
sub decision {
    my ($self, $token, @arguments) = @_;
    my $result = $self->sync({ stdin => "$token\n" }, 'explain', '--json', @arguments);
    return $result->{status} eq '0' ? decode_json($result->{out})->{decision} : $result->{err};
}

# A line for import_lines(): a token whose text is "<id>-token". A field given as undef is left out.
sub token {
    my ($id, %fields) = @_;
    my $line = {
        type => 'token', id => $id, kind => 'organization', organization => 'acme', name => $id,
        digest => 'sha256:' . sha256_hex("$id-token"), expires => '2100-01-01T00:00:00Z', %fields,
    };
    delete @$line{ grep { !defined $line->{$_} } keys %$line };
    return $line;
}

sub import_lines {
    my ($self, @lines) = @_;
    my $json = JSON::PP->new->canonical->utf8;
    my $file = "$self->{dir}/import.jsonl";
    spew($file, join '', map { $json->encode($_) . "\n" } @lines);
    $self->ctl_ok('import', $file);
    unlink $file;
    return;
}

# A small organization: role reader, organization acme, and that many tokens t1, t2, ...
sub populate {
    my ($self, $tokens) = @_;
    $self->import_lines({ type => 'role', id => 'reader', scopes => ['agents:read'] },
        { type => 'organization', id => 'acme' },
        map { token("t$_", role => 'reader') } 1 .. $tokens);
    return;
}

# Starts `tokensync watch`; end it with stop(). A hash first may hold `db`, another store, and
# `as`, a command that runs it as another account.
sub watch {
    my ($self, @arguments) = @_;
    my $options = ref $arguments[0] ? shift @arguments : {};
    my $log = "$self->{dir}/watch." . $self->{number}++;
    my $child = fork() // die "fork: $!";
    if ($child == 0) {
        open STDIN,  '<', '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>', $log        or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT   or POSIX::_exit(126);
        my @command = (@{ $options->{as} // [] }, $self->tool('tokensync'),
            $self->locations($options->{db}), 'watch', @arguments);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    my $watch = { pid => $child, log => $log };
    push @{ $self->{watches} }, $watch;
    return $watch;
}

# Ends a watch; returns its exit status.
sub stop {
    my ($self, $watch, $signal) = @_;
    my $pid = delete $watch->{pid} or return;
    kill $signal // 'TERM', $pid;
    waitpid $pid, 0;
    return $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
}

sub log_of { return -e $_[1]{log} ? slurp($_[1]{log}) : '' }

# Asks again until it is true, for at most that many seconds; returns whether it came true.
sub eventually(&;$) {
    my ($condition, $seconds) = @_;
    my $end = time + ($seconds // 20);
    until ($condition->()) {
        return 0 if time > $end;
        sleep 0.02;
    }
    return 1;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$in> // '';
}

sub spew {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
    return;
}

# Copies the registry as a backup would, while nobody writes it.
sub copy_registry {
    my ($self, $from, $to) = @_;
    unlink map { "$to$_" } '', '-wal', '-shm';
    for my $suffix ('', '-wal') {
        spew("$to$suffix", slurp("$from$suffix")) if -e "$from$suffix";
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    local $?;
    $self->stop($_, 'KILL') for @{ $self->{watches} };
    return;
}

1;
