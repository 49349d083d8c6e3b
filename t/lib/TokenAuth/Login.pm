# tokenapi with people who log in, whose exchanges are held against docs/openapi.json.
package TokenAuth::Login;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2 qw(open2);
use JSON::PP ();
use TokenAuth::Api;
use TokenAuth::Registry qw(rows_of);
use TokenAuth::Util qw(program root_dir run_tool);

our @EXPORT_OK = qw(cookie_of ended);

my @exchanges;

# Options: those of TokenAuth::Api->start.
sub start {
    my ($class, %options) = @_;
    my %args = @{ $options{args} // [] } % 2 ? () : @{ $options{args} // [] };
    return bless { api => TokenAuth::Api->start(%options), origin => $args{'--origin'} // 'https://localhost' }, $class;
}

sub api { return $_[0]{api} }
sub url { return $_[0]{api}->url }

# Runs tokenctl; its output. The last argument may be a hash: stdin.
sub ctl { my ($self, @arguments) = @_; return $self->ctl_as('root', @arguments) }

# The same by an actor of that name.
sub ctl_as {
    my ($self, $actor, @arguments) = @_;
    my %options = ref $arguments[-1] ? %{ pop @arguments } : ();
    my $result = run_tool([ program('tokenctl'), '--registry', $self->url, '--actor', $actor, @arguments ], %options);
    die "tokenctl @arguments: $result->{err}" if $result->{status} ne '0';
    return $result->{out};
}

# Adds a person, with a password if it is given.
sub person {
    my ($self, $name, $password) = @_;
    $self->ctl(qw(user add), $name);
    $self->ctl(qw(user password), $name, { stdin => "$password\n" }) if defined $password;
    return;
}

# Makes a token with those options of `tokenctl create`; its text.
sub token {
    my ($self, @options) = @_;
    chomp(my $token = $self->ctl('create', '--name', 'A token', @options));
    return $token;
}

sub sql {
    my ($self, $statements) = @_;
    return rows_of($self->url, $statements);
}

sub forget_tries {
    my ($self) = @_;
    $self->sql('DELETE FROM throttle');
    return;
}

# Lets so many seconds pass for the tries that were counted.
sub wait_for_tries {
    my ($self, $seconds) = @_;
    # Not by UPDATE, whose rows may meet the old ones of others on their way.
    $self->sql(<<"SQL");
CREATE TEMPORARY TABLE earlier AS SELECT key, at - $seconds AS at, tries FROM throttle WHERE at > 0;
DELETE FROM throttle WHERE at > 0;
INSERT INTO throttle (key, at, tries) SELECT key, at, tries FROM earlier;
SQL
    return;
}

# The latest row of the audit trail, of that action: action/entity/key/actor/via/address.
sub audit {
    my ($self, $action) = @_;
    my $which = defined $action ? "AND action = '$action'" : '';
    my $rows = $self->sql(
        "SELECT action || '/' || entity || '/' || key || '/' || actor || '/' || via || '/' || address FROM audit WHERE via <> 'tokenctl' $which ORDER BY seq DESC LIMIT 1");
    return $rows->[0];
}

# The latest row of the audit trail: action, entity, key, detail.
sub last_audit {
    my ($self) = @_;
    my $rows = $self->sql("SELECT action || '|' || entity || '|' || key || '|' || detail FROM audit ORDER BY seq DESC LIMIT 1");
    my ($action, $entity, $key, $detail) = split /\|/, $rows->[0], 4;
    return [ $action, $entity, $key, JSON::PP->new->utf8->decode($detail) ];
}

# A request below /api/v1, or at /oauth/. Options: json, body, headers, cookie, bearer (a token), origin, address
# (192.0.2.1; undef: none).
sub call {
    my ($self, $method, $path, %options) = @_;
    my %headers = (
        ((exists $options{address} ? defined $options{address} : 1) ? ('X-Real-IP' => $options{address} // '192.0.2.1') : ()),
        (defined $options{cookie} ? (Cookie => $options{cookie}) : ()),
        (defined $options{bearer} ? (Authorization => "Bearer $options{bearer}") : ()),
        (defined $options{origin} ? (Origin => $options{origin}) : ()),
        %{ $options{headers} // {} },
    );
    my $target = $path =~ m{\A/(?:api|oauth)/} ? $path : "/api/v1$path";
    my $answer = $self->{api}->call($method, $target, headers => \%headers, (exists $options{json} ? (json => $options{json}) : ()),
        (exists $options{body} ? (body => $options{body}) : ()));
    die "$method $target: no answer: " . $self->{api}->log if !$answer;
    my $body = !exists $options{json} ? $options{body} : ref $options{json} ? JSON::PP->new->utf8->encode($options{json}) : $options{json};
    $headers{'Content-Type'} //= 'application/json' if exists $options{json};
    push @exchanges, {
        method => $method, target => $target, headers => \%headers, body => $body, status => $answer->{status},
        answer_headers => $answer->{headers}, answer => $answer->{body},
    } if $method ne 'HEAD';
    return $answer;
}

sub log_in {
    my ($self, $name, $password, %options) = @_;
    return $self->call('POST', '/session', json => { username => $name, password => $password }, origin => $self->{origin}, %options);
}

# The cookie that an answer sets, for the Cookie field.
sub cookie_of {
    my ($answer) = @_;
    my ($cookie) = ($answer->{headers}{'set-cookie'} // '') =~ /\A([^;]+)/;
    return $cookie // die "no cookie: $answer->{status} $answer->{body}";
}

sub ended { return $_[0]{status} == 401 && $_[0]{json}{code} eq 'session_ended' }

# What of all exchanges so far does not fit the document, in a line each.
sub misfits {
    my $json = JSON::PP->new->utf8->canonical;
    my $root = root_dir();
    my $process = open2(my $from, my $to, 'python3', "$root/scripts/lib/openapi.py", "$root/docs/openapi.json", '--exchanges');
    my @misfits;
    for my $exchange (@exchanges) {
        print $to $json->encode($exchange), "\n";
        $to->flush;
        my $found = $json->decode(scalar(<$from>) // die 'openapi.py has ended');
        push @misfits, map { "$exchange->{method} $exchange->{target} $exchange->{status}: $_" } @{ $found->{errors} };
    }
    close $to;
    waitpid $process, 0;
    my %seen;
    return grep { !$seen{$_}++ } @misfits;
}

1;
