# A world for the fault tests: the tools of TokenAuth::Sync with a real nginx on their store, requests
# and changes all the time, and an oracle that judges every answer.
#
# A test makes its faults while these run, asks judge() what was wrong, and writes its row of the table
# of faults with report(). times() says how often a fault is made: a few times, or, with
# TOKEN_AUTH_FAULTS=full, as often as the row asks. All draws come from a seed, which the test prints
# and TOKEN_AUTH_FAULT_SEED sets.
package TokenAuth::Faults;

use strict;
use warnings;

use parent 'TokenAuth::Sync';

use File::Basename qw(basename);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Churn;
use TokenAuth::Oracle;
use TokenAuth::Server;
use TokenAuth::Traffic;
use TokenAuth::Util qw(eventually spew token);

my $full = ($ENV{TOKEN_AUTH_FAULTS} // '') eq 'full';
my $seed = $ENV{TOKEN_AUTH_FAULT_SEED} // int(rand 2**31);

# Whatever was started ends with this test.
my $test = $$;
$SIG{$_} = sub { $$ == $test ? exit 1 : POSIX::_exit(1) } for qw(INT TERM HUP);
# A program that hangs must not hang the test.
$SIG{ALRM} = sub { print STDERR "$0 takes too long: something hangs\n"; exit 1 };

sub times { return $full ? $_[2] : $_[1] }
sub now   { return TokenAuth::Traffic::now() }

# new(tokens => 30, ballast => 0, store => sub returning a directory): a registry with that many tokens
# that requests present, and others that make the work longer; and a synced store.
sub new {
    my ($class, %options) = @_;
    srand $seed;
    alarm $class->times(200, 1800);
    note "seed $seed (TOKEN_AUTH_FAULT_SEED=$seed makes the same draws again)";
    my $self = $class->SUPER::new;
    mkdir "$self->{dir}/html" or die "html: $!";
    spew("$self->{dir}/html/secret", "secret\n");
    $self->{churn} = TokenAuth::Churn->new(
        dir => $self->dir, url => $self->url, tokens => $options{tokens} // 30);
    $self->{total} = { faults => 0, requests => 0, wrong => 0, lost => 0, versions => 0 };
    $self->{store} = $options{store}->($self) if $options{store};
    $self->import_lines($self->{churn}->lines,
        map { token("ballast$_", role => 'reader') } 1 .. $options{ballast} // 0);
    $self->sync_ok('run', $self->group);
    write_row(basename($0), ('?') x 4, 'FAILED: it did not end');    # until report() replaces it
    return $self;
}

sub db { return $_[0]{store} // $_[0]->SUPER::db }

# If root runs the test, nginx's workers have another account.
sub group { return $> == 0 ? qw(--group www-data) : () }

# A program or library of t/faults.
sub probe_path {
    my ($self, $name) = @_;
    my $path = $self->tool("faults/$name");
    -e $path or die "$path is not there: build it first\n";
    return $path;
}

# What store_probe prints.
sub probe {
    my ($self, @arguments) = @_;
    my $result = $self->run_program({}, $self->probe_path('store_probe'), @arguments);
    return $result->{status} eq '0' ? $result->{out} : "broken ($result->{status}): $result->{out}";
}

# Starts nginx. Options are those of TokenAuth::Server, and: workers => 2; stores => { path =>
# directory, … } and locations => text, for further locations; slow => microseconds that a lookup takes;
# env => { … } for nginx.
sub nginx {
    my ($self, %options) = @_;
    my %stores = ('/secret' => $self->db, %{ delete $options{stores} // {} });
    my $locations = join "\n", map {
        "location = $_ { token_auth api; token_auth_db $stores{$_}; token_auth_scope agents:read;"
            . " alias $self->{dir}/html/secret; }"
    } sort keys %stores;
    my $workers = delete $options{workers} // 2;
    my $slow = delete $options{slow};
    my %env = %{ delete $options{env} // {} };
    @env{qw(LD_PRELOAD TOKEN_AUTH_SLOW_LOOKUP)} = ($self->probe_path('libpreload.so'), $slow)
        if $slow;
    $locations .= "\n" . (delete $options{locations} // '');
    my $listen = delete $options{listen} // '';
    my $main = delete $options{main} // '';
    local @ENV{ keys %env } = values %env;
    $self->{server} = TokenAuth::Server->start(
        dir => $self->dir, main => "worker_processes $workers;\n$main", %options, http => <<"END");
        server {
            listen 127.0.0.1:%PORT% $listen;
            add_header X-Worker \$pid always;
            $locations
        }
END
    # nginx sees a signal late that comes before its workers are there.
    eventually(sub { $self->workers == $workers }) or die "nginx has no workers\n";
    return $self->{server};
}

sub server { return $_[0]{server} }

# Starts to ask nginx, at that path, and to change the registry (rate => 0: not at all).
sub run {
    my ($self, %options) = @_;
    my $path = $options{path} // '/secret';
    $self->{oracle} = TokenAuth::Oracle->new(ordered => $options{ordered} // 1);
    $self->{oracle}->initially($self->{churn}->answers);
    $self->{traffic} = TokenAuth::Traffic->start(
        dir => $self->dir, port => $self->server->port,
        targets => $self->{churn}->targets($path), %{ $options{traffic} // {} });
    $self->{churn}->start(rate => $options{rate} // 60) if $options{rate} // 1;
    return $self->{oracle};
}

sub oracle { return $_[0]{oracle} }

# Whether the store in the directory is whole; says what is wrong if not.
sub whole {
    my ($self, $db) = @_;
    my $walked = $self->probe(walk => $db // $self->db);
    diag $walked if $walked !~ /\Awhole /;
    return $walked =~ /\Awhole / ? 1 : 0;
}

# The pages up to the last one in use, of a store that is whole.
sub pages {
    my ($self) = @_;
    my $walked = $self->probe(walk => $self->db);
    my ($pages) = $walked =~ /\Awhole .* pages=(\d+)/;
    ok defined $pages, 'the store is whole' or diag $walked;
    return $pages // 0;
}

# Runs tokensync: if it succeeds, all earlier commits are in force afterwards, and the store is whole.
# Returns whether that is so, and says what is wrong if not.
sub settle {
    my ($self, @arguments) = @_;
    my $begun = now();
    my $run = $self->sync('run', @arguments);
    diag "tokensync run: $run->{status}: $run->{err}" if $run->{status} ne '0';
    return 0 if $run->{status} ne '0';
    $self->{oracle}->settle($begun, now()) if $self->{oracle};
    return $self->whole;
}

# Whether the store holds what the registry holds after one more run; says what differs.
sub ends_equal {
    my ($self) = @_;
    my $settled = $self->settle;
    my $check = $self->sync('check');
    my $equal = $settled && $check->{status} eq '0';
    diag $check->{out}, $check->{err} if !$equal;
    return $equal;
}

# Commits a change and waits until a running watch has brought it to the store: then all earlier
# commits are in force. False after 20 seconds.
sub mark {
    my ($self) = @_;
    my $begun = now();
    my $marker = 'marker' . ++$self->{markers};
    $self->import_lines(token($marker, organization => 'calm'));
    my $there = eventually(sub { $self->decision("$marker-token") eq 'ok' });
    $self->{oracle}->settle($begun, now()) if $there;
    return $there;
}

# Pause and resume the changes.
sub pause_changes  { my ($self) = @_; $self->{total}{versions} += $self->{churn}->stop($self->{oracle}); return }
sub resume_changes { my ($self, %options) = @_; $self->{churn}->start(%options); return }

sub fault { my ($self, $count) = @_; $self->{total}{faults} += $count // 1; return }

# Ends requests and changes, and judges them. Returns what was wrong, a text each. Options: lost => 1
# if connections may be cut.
sub judge {
    my ($self, %options) = @_;
    my $versions = $self->{churn}->stop($self->{oracle});
    $self->{total}{versions} += $versions;
    my @requests = (delete $self->{traffic})->stop;
    $self->{requests} = \@requests;
    my @answered = grep { $_->[3] !~ /\A(?:closed|cut)\z/ } @requests;
    my $cut = grep { $_->[3] eq 'cut' } @requests;
    my $closed = @requests - @answered - $cut;
    my @wrong = $self->{oracle}->judge(@answered);
    push @wrong, "$cut connections were cut" if $cut && !$options{lost};
    push @wrong, 'there were no answers' if !@answered;
    my $total = $self->{total};
    $total->{requests} += @requests;
    $total->{wrong} += @wrong;
    $total->{lost} += $cut + ($options{lost} ? $closed : 0);
    my %answers;
    ++$answers{ $_->[3] } for @requests;
    note $self->{oracle}->versions . ' changes; ', join ', ', map { "$_: $answers{$_}" } sort keys %answers;
    diag join "\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ], scalar(@wrong) . ' wrong' if @wrong;
    return @wrong;
}

# The requests that were judged last.
sub requests { return @{ $_[0]{requests} } }

# Whether a worker of slow => … is in the middle of a lookup: in clock_nanosleep(2).
sub in_lookup {
    my (undef, $pid) = @_;
    open my $in, '<', "/proc/$pid/syscall" or return 0;
    return (<$in> // '') =~ /\A(?:230|115) /;    # x86-64, arm64
}

# The process ids of nginx's workers, also of those that are shutting down.
sub workers {
    my ($self, $master) = @_;
    $master //= $self->server->pid;
    open my $ps, '-|', 'ps', '-o', 'pid=,stat=,args=', '--ppid', $master or die "ps: $!";
    my @workers = map { /^\s*(\d+)\s+[^Z]\S*\s+nginx: worker/ ? $1 : () } <$ps>;
    close $ps;
    return @workers;
}

# The lines of nginx's log that match.
sub logged { my ($self, $pattern) = @_; return grep { /$pattern/ } split /\n/, $self->server->errors }

# The last lines of a watch's log.
sub last_of {
    my ($self, $watch) = @_;
    my @lines = split /^/, $self->log_of($watch);
    return join '', @lines[ ($#lines > 9 ? $#lines - 9 : 0) .. $#lines ];
}

# The lines of nginx's log that tell of a worker which ended by itself.
sub crashes { return $_[0]->logged(qr/exited on signal (?!9\b)/) }

# Writes the test's row of the table.
sub report {
    my ($self, $fault) = @_;
    write_row($fault, @{ $self->{total} }{qw(faults requests wrong lost)},
        Test::More->builder->is_passing ? 'ok' : 'FAILED');
    return;
}

# Skips a test that cannot run here; the table says so, too.
sub cannot {
    my ($class, $fault, $why) = @_;
    write_row($fault, 0, 0, 0, 0, "skipped: $why");
    plan skip_all => $why;
    return;
}

sub write_row {
    my $file = $ENV{TOKEN_AUTH_FAULT_TABLE} // return;
    open my $out, '>>', $file or die "$file: $!";
    print $out join("\t", basename($0), @_), "\n";
    close $out or die "$file: $!";
    return;
}

1;
