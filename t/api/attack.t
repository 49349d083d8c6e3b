# What attackers try that no other test does: sequences of calls, races, and clients that go away.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Registry qw(on_postgresql open_registry);
use TokenAuth::Util qw(eventually);

my $password = 'correct horse battery';
my $login = TokenAuth::Login->start;
$login->person($_, $password) for qw(ann eve);
$login->ctl(qw(org add acme none-of-hers));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(member add ann acme --role admin));
$login->ctl(qw(member add eve none-of-hers --role admin));
my %cookies = map { $_ => cookie_of($login->log_in($_, $password)) } qw(ann eve);

sub as {
    my ($who, $method, $path, %options) = @_;
    return $login->call($method, $path, cookie => $cookies{$who}, origin => 'https://localhost', %options);
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

subtest 'a rotated token whose successor is gone' => sub {
    my $token = as('ann', 'POST', '/organizations/acme/tokens', json => { name => 'x', expires => '10d' })->{json};
    my $path = "/tokens/$token->{id}";
    my $next = as('ann', 'POST', "$path/rotate", json => { grace => '1h' })->{json};
    my $ends = as('ann', 'GET', $path)->{json}{expires};
    is as('ann', 'DELETE', "/tokens/$next->{id}")->{status}, 204, 'the successor goes';
    is code_of(as('ann', 'PATCH', $path, json => { expires => $_ })), '409 token_final', 'its expiry is not moved on' for '300d', undef;
    is as('ann', 'PATCH', $path, json => { name => 'y', expires => $ends })->{status}, 200, 'the rest is changed';
};

subtest 'what one does not see answers as what does not exist' => sub {
    my $token = as('ann', 'POST', '/organizations/acme/tokens', json => { name => 'x' })->{json};
    my @operations = (
        (map { [ $_, '/organizations/ORG' ] } qw(GET DELETE)), [ 'PATCH', '/organizations/ORG', { display_name => 'x' } ],
        (map { [ 'GET', "/organizations/ORG/$_" ] } qw(groups groups/ops tokens grants members members/ann groups/ops/tokens groups/ops/grants groups/ops/members)),
        (map { [ 'DELETE', "/organizations/ORG/$_" ] } qw(groups/ops members/ann groups/ops/members/ann)),
        [ 'POST', '/organizations/ORG/groups', { id => 'ops' } ],
        (map { [ 'POST', "/organizations/ORG/$_", { name => 'x' } ] } qw(tokens groups/ops/tokens)),
        (map { [ 'PUT', "/organizations/ORG/$_", { role => 'admin' } ] } qw(members/eve groups/ops/members/eve)),
        [ 'GET', '/audit?organization=ORG' ], [ 'GET', '/audit?organization=ORG&group=ops' ],
        (map { [ $_, '/tokens/ID' ] } qw(GET DELETE)), [ 'PATCH', '/tokens/ID', { name => 'x' } ],
        (map { [ 'POST', "/tokens/ID/$_" ] } qw(revoke restore rotate)),
    );
    my $before = $login->sql('SELECT count(*) FROM audit')->[0];
    for my $operation (@operations) {
        my ($method, $path, $json) = @$operation;
        my @answers = map {
            my ($organization, $id) = @$_;
            my $target = $path =~ s/ORG/$organization/r =~ s/ID/$id/r;
            my $answer = as('eve', $method, $target, defined $json ? (json => $json) : ());
            "$answer->{status} $answer->{body}";
        } [ 'acme', $token->{id} ], [ 'nothing', 'nothing' ];
        is $answers[0], $answers[1], "$method $path";
        like $answers[0], qr/\A404 /, 'which is not found';
    }
    is $login->sql('SELECT count(*) FROM audit')->[0], $before, 'nothing was changed';
};

subtest 'as many sessions as there may be, all newer by the clock' => sub {
    my $end = time + 3600;
    $login->sql(join '', map { sprintf "INSERT INTO sessions (id, user_id, created_at, used_at) VALUES ('%064x', 'eve', $end, $end);", $_ } 1 .. 20);
    my $cookie = cookie_of($login->log_in('eve', $password));
    is $login->call('GET', '/me', cookie => $cookie)->{status}, 200, 'the new one is no victim';
    is $login->sql("SELECT count(*) FROM sessions WHERE user_id = 'eve'")->[0], 20, 'another one is';
    $cookies{eve} = $cookie;
};

subtest 'a client that goes at any byte' => sub {
    my $count = sub { my ($which) = @_; return $login->sql("SELECT count(*) FROM tokens WHERE name = 'Gone' AND revoked_at $which 0")->[0] };
    my $text = TokenAuth::Api::request_text('POST', '/api/v1/organizations/acme/tokens', body => '{"name":"Gone"}',
        headers => { Cookie => $cookies{ann}, Origin => 'https://localhost', 'Content-Type' => 'application/json', 'X-Real-IP' => '192.0.2.1' });
    for my $sent (0 .. length($text) - 1) {
        my $connection = $login->api->connection;
        syswrite $connection, substr $text, 0, $sent;
        close $connection;
    }
    is $login->call('GET', '/me', cookie => $cookies{ann})->{status}, 200, 'in the request: others are served';
    is $count->('>=') + $count->('<'), 0, 'nothing is made';
    # it goes while the request is worked on, or when the answer is there
    for (1 .. 40) {
        my $connection = $login->api->connection;
        syswrite $connection, $text;
        sleep 0.001 * ($_ % 20);
        close $connection;
    }
    my @connections = map { $login->api->connection } 1 .. 20;
    syswrite $_, $text for @connections;
    my @read = map { sysread $connections[$_], my $begin, 1 + 20 * $_; $begin } 0 .. $#connections;
    is scalar(grep { "HTTP/1.1 201 Created" =~ /\A\Q@{[ substr $_, 0, 20 ]}\E/ } @read), 20, 'in the answer';
    @connections = ();
    ok eventually(sub {
        my $metrics = $login->api->metrics;
        return $metrics->{token_auth_api_connections} == 1 && !grep { $metrics->{"token_auth_api_requests_$_"} } qw(running waiting);
    }), 'no connection and no worker is left';
    my ($made, $revoked) = map { $count->($_) } '>=', '<>';
    note "$made tokens were made, $revoked revoked";
    cmp_ok $made - $revoked, '>=', 20, 'what was sent is valid';
    is $login->sql(q{SELECT count(*) FROM tokens t WHERE name = 'Gone' AND revoked_at = 0 AND EXISTS (SELECT 1 FROM audit WHERE key = t.id AND action = 'revoke')})->[0], 0, 'the rest is not';
};

# Holds up eve's log-in where it begins its session, runs tokenctl beside it, and lets it go on; the answer.
sub log_in_beside {
    my ($expected, @arguments) = @_;
    $login->sql("DELETE FROM sessions WHERE user_id = 'eve'");
    my ($process, $from, $to) = open_registry($login->url);
    print $to "BEGIN; LOCK TABLE sessions IN SHARE MODE; SELECT 'locked';\n";
    $to->flush;
    is scalar(<$from>), "locked\n", 'held up';
    my $connection = $login->api->connection;
    print $connection TokenAuth::Api::request_text('POST', '/api/v1/session', body => qq({"username":"eve","password":"$password"}),
        headers => { Origin => 'https://localhost', 'Content-Type' => 'application/json', 'X-Real-IP' => '192.0.2.1' });
    my $waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    ok eventually(sub { $login->sql($waiting)->[0] > 0 }), 'the log-in waits';
    my $child = fork // die "fork: $!";
    if ($child == 0) {
        eval { $login->ctl(@arguments) };
        POSIX::_exit($@ ? 1 : 0);
    }
    sleep 1;  # it waits for the log-in, or has ended
    print $to "COMMIT;\n";
    close $to;
    waitpid $_, 0 for $process, $child;
    is $?, 0, $expected;
    return TokenAuth::Api::read_answer($connection);
}

sub eves_sessions { return $login->sql("SELECT count(*) FROM sessions WHERE user_id = 'eve'")->[0] }

subtest 'a log-in while the password changes' => sub {
    plan skip_all => 'SQLite writes one after the other' if !on_postgresql();
    log_in_beside('the password is changed', qw(user password eve), { stdin => "$password\n" });
    is eves_sessions(), 0, 'no session of the old one is left';
};

subtest 'a log-in while its person is disabled' => sub {
    plan skip_all => 'SQLite writes one after the other' if !on_postgresql();
    my $answer = log_in_beside('disabled', qw(user disable eve));
    my $cookie = $answer->{status} == 200 ? cookie_of($answer) : undef;
    is code_of($login->call('GET', '/me', cookie => $cookie)), '401 session_ended', 'nobody goes on' if $cookie;
    $login->ctl(qw(user enable eve));
    is code_of($login->call('GET', '/me', cookie => $cookie)), '401 session_ended', 'nor when she is enabled again' if $cookie;
    is eves_sessions(), 0, 'no session is left';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
