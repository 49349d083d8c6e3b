# Changes a registry, one commit after the other, and notes the times and the effect of each commit.
#
# A commit makes one or several changes: it revokes or restores a token, takes one out or puts it
# back, disables a user, ends a membership, suspends an organization, or changes a role's scopes.
package TokenAuth::Churn;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use POSIX ();
use Storable ();
use Time::HiRes qw(sleep);
use TokenAuth::Registry qw(open_registry);
use TokenAuth::Traffic;

my @model = qw(tokens users suspended scoped);
my @organizations = qw(acme globex);

# The model: what the registry holds at the beginning. Half of the tokens belong to users.
sub new {
    my ($class, %options) = @_;
    my $self = bless { %options, tokens => {}, users => {}, suspended => {}, scoped => 1 }, $class;
    for my $i (1 .. $options{tokens}) {
        my $user = $i % 2 ? undef : "user$i";
        $self->{tokens}{"t$i"} =
            { id => "t$i", organization => $organizations[ $i % 3 == 0 ], user => $user };
        $self->{users}{$user} = { disabled => 0, member => 1 } if defined $user;
    }
    return $self;
}

# What to import into the registry, as objects; and an organization "calm", for a test's own tokens.
sub lines {
    my ($self) = @_;
    my @tokens = map { $self->{tokens}{$_} } sort keys %{ $self->{tokens} };
    return (
        { type => 'role', id => 'reader', scopes => ['agents:read'] },
        (map { { type => 'organization', id => $_ } } @organizations, 'calm'),
        (map { { type => 'user', id => $_->{user} } } grep { defined $_->{user} } @tokens),
        (map { { type => 'membership', user => $_->{user}, organization => $_->{organization},
                    role => 'reader' } } grep { defined $_->{user} } @tokens),
        (map { {
                type => 'token', id => $_->{id}, name => $_->{id},
                digest => 'sha256:' . sha256_hex("$_->{id}-token"), expires => '2100-01-01T00:00:00Z',
                defined $_->{user}
                ? (kind => 'user', user => $_->{user})
                : (kind => 'organization', organization => $_->{organization}, role => 'reader'),
            } } @tokens),
    );
}

# The requests, for TokenAuth::Traffic; the location must ask for the scope agents:read.
sub targets {
    my ($self, $path) = @_;
    return {
        map {
            $_->{id} => "GET $path HTTP/1.1\r\nHost: localhost\r\n"
                . "Authorization: Bearer $_->{id}-token\r\nX-Org-Id: $_->{organization}\r\n"
        } values %{ $self->{tokens} }
    };
}

# The answer that each token gets now.
sub answers {
    my ($self) = @_;
    return map { $_->{id} => $self->_answer($_) } values %{ $self->{tokens} };
}

sub _answer {
    my ($self, $token) = @_;
    my $user = defined $token->{user} ? $self->{users}{ $token->{user} } : undef;
    return 'token_unknown'          if $token->{gone};
    return 'token_revoked'          if $token->{revoked} || $user && $user->{disabled};
    return 'not_a_member'           if $user && !$user->{member};
    return 'organization_suspended' if $self->{suspended}{ $token->{organization} };
    return $self->{scoped} ? 'ok' : 'scope_missing';
}

# Changes the model at random and returns the SQL for it. Most changes leave a token valid.
sub _change {
    my ($self) = @_;
    my @ids = sort keys %{ $self->{tokens} };
    my $token = $self->{tokens}{ $ids[ rand @ids ] };
    my $bad = rand() < 0.2 ? 1 : 0;
    my $kind = rand;
    if ($kind < 0.5 || $kind < 0.85 && !defined $token->{user}) {
        $token->{revoked} = $bad;
        return "UPDATE tokens SET revoked_at = $bad WHERE id = '$token->{id}'";
    }
    if ($kind < 0.6) {
        $token->{gone} = $bad;
        my $digest = sha256_hex($token->{id} . ($bad ? '-elsewhere' : '-token'));
        return "UPDATE tokens SET digest = '$digest' WHERE id = '$token->{id}'";
    }
    if ($kind < 0.72) {
        $self->{users}{ $token->{user} }{disabled} = $bad;
        return "UPDATE users SET disabled = $bad WHERE id = '$token->{user}'";
    }
    if ($kind < 0.85) {
        $self->{users}{ $token->{user} }{member} = !$bad;
        return $bad
            ? "DELETE FROM memberships WHERE user_id = '$token->{user}'"
            : "INSERT INTO memberships VALUES ('$token->{user}', '$token->{organization}', 'reader', 0)"
            . ' ON CONFLICT DO NOTHING';
    }
    if ($kind < 0.96) {
        my $id = $organizations[ rand @organizations ];
        $self->{suspended}{$id} = $bad;
        return "UPDATE organizations SET suspended = $bad WHERE id = '$id'";
    }
    $self->{scoped} = !$bad;
    my $scope = $bad ? 'sites:read' : 'agents:read';
    return "UPDATE roles SET scopes = '$scope' WHERE id = 'reader'";
}

# Starts making changes, at that rate (commits/s), in a process of its own.
sub start {
    my ($self, %options) = @_;
    $self->{file} = "$self->{dir}/churn." . int(1e6 * TokenAuth::Traffic::now());
    # Set before the fork, so that no signal comes too early.
    my $stopped = 0;
    local $SIG{TERM} = sub { $stopped = 1 };
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my $done = eval { $self->_run($options{rate} // 100, \$stopped); 1 };
        print STDERR "churn: $@" unless $done;
        POSIX::_exit($done ? 0 : 1);
    }
    $self->{pid} = $pid;
    return;
}

sub _run {
    my ($self, $rate, $stopped) = @_;
    open my $out, '>', $self->{file} or die "$self->{file}: $!";
    $out->autoflush;
    my ($client, $from, $to) = open_registry($self->{url});
    my $begin = $self->{url} =~ /\Asqlite:/ ? 'BEGIN IMMEDIATE' : 'BEGIN';
    my $started = TokenAuth::Traffic::now();
    my $number = 0;
    my $parent = getppid;
    until ($$stopped || getppid != $parent) {
        my %before = $self->answers;
        my $sql = join ";\n", $begin, (map { $self->_change } 1 .. 1 + int rand 4),
            'COMMIT', "SELECT 'done';\n";
        my $begun = TokenAuth::Traffic::now();
        print $to $sql;
        my $said = <$from>;
        die 'a change failed: ' . ($said // 'it ended') unless defined $said && $said eq "done\n";
        my $done = TokenAuth::Traffic::now();
        my %after = $self->answers;
        print $out join("\t", $begun, $done,
            map { "$_=$after{$_}" } grep { $after{$_} ne $before{$_} } keys %after), "\n";
        my $due = $started + ++$number / $rate - TokenAuth::Traffic::now();
        sleep $due if $due > 0 && !$$stopped;
    }
    close $to;
    waitpid $client, 0;
    Storable::nstore({ map { $_ => $self->{$_} } @model }, "$self->{file}.model");
    return;
}

# Stops, and tells the oracle what changed. The model follows, so that start() can go on from there.
sub stop {
    my ($self, $oracle) = @_;
    my $pid = delete $self->{pid} // return 0;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    die "the changes failed\n" if $?;
    open my $in, '<', $self->{file} or die "$self->{file}: $!";
    my $count = 0;
    while (<$in>) {
        chomp;
        my ($begun, $done, @answers) = split /\t/;
        $oracle->version($begun, $done, map { split /=/ } @answers);
        ++$count;
    }
    %$self = (%$self, %{ Storable::retrieve("$self->{file}.model") });
    unlink $self->{file}, "$self->{file}.model";
    return $count;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    if (my $pid = delete $self->{pid}) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    return;
}

1;
