# A world for the fault tests: the tools of TokenAuth::Sync with a real nginx on their store, requests
# and changes all the time, and an oracle that judges every answer.
#
# A test makes its faults while these run, calls judge(), and ends with report(), which adds its row
# to the table of faults. How often a fault is made is said by times(): a few times, or, with
# TOKEN_AUTH_FAULTS=full, as often as the row asks. What is drawn is drawn from a seed, which is told
# and may be given (TOKEN_AUTH_FAULT_SEED).
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

my $full = ($ENV{TOKEN_AUTH_FAULTS} // '') eq 'full';
my $seed = $ENV{TOKEN_AUTH_FAULT_SEED} // int(rand 2**31);

# What was started goes when this is stopped.
my $test = $$;
$SIG{$_} = sub { $$ == $test ? exit 1 : POSIX::_exit(1) } for qw(INT TERM HUP);
# Where a program hangs, the test must not.
$SIG{ALRM} = sub { print STDERR "$0 takes too long: something hangs\n"; exit 1 };

sub times { return $full ? $_[2] : $_[1] }
sub now   { return TokenAuth::Traffic::now() }

# new(tokens => 30, ballast => 0, store => sub giving a directory): a registry of these many tokens that
# are asked for, and others that make the work longer; a store, synced.
sub new {
    my ($class, %options) = @_;
    srand $seed;
    alarm $class->times(200, 1800);
    note "seed $seed (TOKEN_AUTH_FAULT_SEED=$seed makes the same draws again)";
    my $self = $class->SUPER::new;
    mkdir "$self->{dir}/html" or die "html: $!";
    TokenAuth::Sync::spew("$self->{dir}/html/secret", "secret\n");
    $self->{churn} = TokenAuth::Churn->new(
        dir => $self->dir, url => $self->url, tokens => $options{tokens} // 30);
    $self->{total} = { faults => 0, requests => 0, wrong => 0, lost => 0, versions => 0 };
    $self->{store} = $options{store}->($self) if $options{store};
    $self->import_lines($self->{churn}->lines,
        map { TokenAuth::Sync::token("ballast$_", role => 'reader') } 1 .. $options{ballast} // 0);
    $self->sync_ok('run', $self->group);
    return $self;
}

sub db { return $_[0]{store} // $_[0]->SUPER::db }

# nginx's workers are of another account where the test is root's.
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
    # A signal that comes before it has them is seen late.
    TokenAuth::Sync::eventually(sub { $self->workers == $workers }) or die "nginx has no workers\n";
    return $self->{server};
}

sub server { return $_[0]{server} }

# Begins to ask nginx, at that path, and to change the registry (rate => 0: not at all).
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

# Whether the store in the directory is whole; says what is wrong where it is not.
sub whole {
    my ($self, $db) = @_;
    my $walked = $self->probe(walk => $db // $self->db);
    diag $walked if $walked !~ /\Awhole /;
    return $walked =~ /\Awhole / ? 1 : 0;
}

# Runs tokensync: where it ends well, all that was committed before is in force afterwards, and the
# store is whole. Gives whether that is so, and says what is wrong where not.
sub settle {
    my ($self, @arguments) = @_;
    my $begun = now();
    my $run = $self->sync('run', @arguments);
    diag "tokensync run: $run->{status}: $run->{err}" if $run->{status} ne '0';
    return 0 if $run->{status} ne '0';
    $self->{oracle}->settle($begun, now()) if $self->{oracle};
    return $self->whole;
}

# A test of its own: after one more run, the store holds what the registry holds.
sub ends_equal {
    my ($self) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $settled = $self->settle;
    my $check = $self->sync('check');
    ok $settled && $check->{status} eq '0', 'store and registry are equal at the end'
        or diag $check->{out}, $check->{err};
    return;
}

# Waits until a running watch has brought a change of now to the store: all that was committed before
# is in force then. False where it takes more than 20 seconds.
sub mark {
    my ($self) = @_;
    my $begun = now();
    my $marker = 'marker' . ++$self->{markers};
    $self->import_lines(TokenAuth::Sync::token($marker, organization => 'calm'));
    my $there = TokenAuth::Sync::eventually(sub { $self->decision("$marker-token") eq 'ok' });
    $self->{oracle}->settle($begun, now()) if $there;
    return $there;
}

# Holds the changes for a while, and goes on with them.
sub pause_changes  { my ($self) = @_; $self->{total}{versions} += $self->{churn}->stop($self->{oracle}); return }
sub resume_changes { my ($self, %options) = @_; $self->{churn}->start(%options); return }

sub fault { my ($self, $count) = @_; $self->{total}{faults} += $count // 1; return }

# Ends requests and changes, and judges them; a test of its own. Options: lost => 1 where
# connections may be cut. Gives the requests.
sub judge {
    my ($self, $name, %options) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $versions = $self->{churn}->stop($self->{oracle});
    $self->{total}{versions} += $versions;
    my @requests = (delete $self->{traffic})->stop;
    my @answered = grep { $_->[3] !~ /\A(?:closed|cut)\z/ } @requests;
    my $cut = grep { $_->[3] eq 'cut' } @requests;
    my $closed = @requests - @answered - $cut;
    my @wrong = $self->{oracle}->judge(@answered);
    push @wrong, "$cut connections were cut" if $cut && !$options{lost};
    my $total = $self->{total};
    $total->{requests} += @requests;
    $total->{wrong} += @wrong;
    $total->{lost} += $cut + ($options{lost} ? $closed : 0);
    my %answers;
    ++$answers{ $_->[3] } for @requests;
    ok !@wrong && @answered, "$name: " . @answered . ' answers, all of them right'
        or diag join "\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ], scalar(@wrong) . ' wrong';
    note $self->{oracle}->versions . ' changes; ', join ', ', map { "$_: $answers{$_}" } sort keys %answers;
    return @requests;
}

# The process ids of nginx's workers, those that are on their way out among them.
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

# The last lines that a watch has written.
sub last_of {
    my ($self, $watch) = @_;
    my @lines = split /^/, $self->log_of($watch);
    return join '', @lines[ ($#lines > 9 ? $#lines - 9 : 0) .. $#lines ];
}

# Adds the row of the table, and ends the test.
sub report {
    my ($self, $fault) = @_;
    is_deeply [ $self->logged(qr/exited on signal (?!9\b)/) ], [], 'no worker ended by itself'
        if $self->server;
    my $total = $self->{total};
    write_row($fault, @{$total}{qw(faults requests wrong lost)},
        Test::More->builder->is_passing ? 'ok' : 'FAILED');
    done_testing;
    return;
}

# A test that cannot run here says so in the table, too.
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
