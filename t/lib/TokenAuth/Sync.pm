# A registry, a store and the two tools in a directory of their own.
package TokenAuth::Sync;

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use POSIX ();
use TokenAuth::Registry qw(new_registry rows_of);
use TokenAuth::Util qw(build_dir eventually json_lines run_tool slurp spew token);

# new(registry => 0) makes no registry.
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
sub tool     { return build_dir() . "/$_[1]" }

# Runs a program, with the options of run_tool(); returns { status, out, err }.
sub run_program {
    my ($self, $options, @command) = @_;
    return run_tool(\@command, %$options);
}

# Rewrites the store behind tokensync's back: `edit` gets a map of keys to values, in hex. A commit's
# number stands in its meta record, so it is loaded twice.
sub tamper {
    my ($self, $edit) = @_;
    my $dump = $self->run_program({}, 'mdb_dump', $self->db)->{out};
    my ($head, $data) = $dump =~ /\A(.*HEADER=END\n)(.*)DATA=END\n\z/s or die 'no dump';
    $head =~ s/^db_pagesize=.*\n//m;
    my %records = map { s/^ //r } split /\n/, $data;
    $edit->(\%records);
    my $load = sub {
        spew("$self->{dir}/dump",
            join '', $head, (map { " $_\n $records{$_}\n" } sort keys %records), "DATA=END\n");
        unlink map { $self->db . "/$_.mdb" } qw(data lock);
        my $loaded = $self->run_program({}, 'mdb_load', '-f', "$self->{dir}/dump", $self->db);
        $loaded->{status} eq '0' or die $loaded->{err};
    };
    $load->();
    my ($number) = $self->run_program({}, 'mdb_stat', '-e', $self->db)->{out} =~ /Last transaction ID: (\d+)/;
    substr $records{ 'ff' x 8 }, 16, 16, unpack 'H*', pack 'Q<', $number;
    $load->();
    unlink $self->db . '/lock.mdb';
    return;
}

sub locations {
    my ($self, $db) = @_;
    return ('--registry', $self->url, '--db', $db // $self->db);
}

# Run a tool on this world. A leading hash holds options of run_program(); `db` in it is another store.
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

# The same for a command that must succeed; these return its standard output.
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

sub import_lines {
    my ($self, @lines) = @_;
    my $file = spew("$self->{dir}/import.jsonl", json_lines(@lines));
    $self->ctl_ok('import', '--replace', $file);
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

# Its log, without the times of a text.
sub log_of { return -e $_[1]{log} ? slurp($_[1]{log}) =~ s/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ //mgr : '' }

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
