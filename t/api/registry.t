# The workers' connections to the registry: opened when needed, made anew, a registry that is gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Api;
use TokenAuth::Login;
use TokenAuth::Postgres;
use TokenAuth::Registry qw(open_registry);
use TokenAuth::Util qw(build_dir eventually run_tool);

my $api;

sub status { return $api->call('GET', '/roles')->{status} }

sub is_gone {
    my $answer;
    ok eventually(sub { $answer = $api->call('GET', '/roles'); $answer->{status} == 503 }), 'gone';
    is $answer->{json}{code}, 'registry_unavailable', 'the code';
    is $answer->{headers}{'retry-after'}, '5', 'when to come again';
    is $api->metrics->{token_auth_api_registry_up}, 0, 'down';
    is $api->call('GET', '/healthz')->{status}, 200, 'it lives';
    my $said = $api->log;
    status() for 1 .. 20;
    is $api->log, $said, 'said once';
    return;
}

sub is_back {
    ok eventually(sub { status() == 200 }), 'back';
    like $api->log, qr/^tokenapi: the registry answers again\n\z/m, 'said';
    is $api->metrics->{token_auth_api_registry_up}, 1, 'up';
    return;
}

subtest 'SQLite' => sub {
    my $first = TokenAuth::Api->start(probe => 1);
    is $first->metrics->{token_auth_api_registry_connections}, 0, 'nothing is opened before it is needed';
    my $file = $first->url =~ s/\Asqlite://r;
    rename $file, "$file.elsewhere" or die;
    $api = TokenAuth::Api->start(probe => 1, url => $first->url);
    is_gone();
    like $api->log, qr/\Atokenapi: .*registry\.db/, 'with its name';
    rename "$file.elsewhere", $file or die;
    is_back();
    is $api->stop, 0, 'it ends well';
};

subtest 'PostgreSQL' => sub {
    my $server = TokenAuth::Postgres->start;
    my $url = $server->url($server->database);
    my $made = run_tool([ build_dir() . '/tokenctl', '--registry', $url, 'init' ]);
    is $made->{status}, 0, 'a registry' or diag $made->{err};
    $api = TokenAuth::Api->start(probe => 1, url => $url);
    my @connections = map { $api->connection } 1 .. 64;
    print $_ TokenAuth::Api::request_text('GET', '/roles') for @connections;
    is_deeply [ map { TokenAuth::Api::read_answer($_)->{status} } @connections ], [ (200) x 64 ], 'many at once';
    my $open = $api->metrics->{token_auth_api_registry_connections};
    cmp_ok $open, '<=', 16, 'one connection a worker';
    is $server->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'db%'")->[0], $open, 'so says the server';
    $server->down;
    $server->up;
    is_deeply [ map { status() } 1 .. 40 ], [ (200) x 40 ], 'after a restart, nobody notices';
    my ($client, $from, $to) = open_registry($url);
    print $to "BEGIN; LOCK TABLE roles; SELECT 'locked';\n";
    is scalar <$from>, "locked\n", 'a table that somebody keeps locked';
    my $begun = time;
    is status(), 503, 'is waited for';
    my $took = time - $begun;
    ok $took > 9 && $took < 13, "for $took s, not longer";
    close $to;
    waitpid $client, 0;
    is status(), 200, 'free again';
    $server->down('immediate');
    is_gone();
    $server->up;
    is_back();
    is $api->stop, 0, 'it ends well';
};

# Requests that make tokens, one after the other on each of some connections, while it happens; the answers.
sub load_while {
    my ($login, $text, $happens) = @_;
    my @connections = map { $login->api->connection } 1 .. 24;
    my ($going, @answers) = (1);
    print {$_} $text for @connections;
    my $rounds = 0;
    while (@connections) {
        my @open;
        for my $connection (@connections) {
            my $answer = TokenAuth::Api::read_answer($connection) // { status => 'none', json => {} };
            push @answers, $answer;
            next if !$going || $answer->{status} eq 'none';
            print {$connection} $text;
            push @open, $connection;
        }
        @connections = @open;
        $going = 0 if !$happens->(++$rounds);
    }
    return @answers;
}

subtest 'PostgreSQL, as if it crashed under load' => sub {
    my $server = TokenAuth::Postgres->start;
    my $url = $server->url($server->database);
    run_tool([ build_dir() . '/tokenctl', '--registry', $url, 'init' ]);
    my $login = TokenAuth::Login->start(url => $url);
    $login->ctl(qw(org add acme));
    $login->ctl(qw(role set admin auth:* agents:*));
    my $token = $login->token(qw(--org acme --role admin --scope auth:tokens:write --scope agents:read));
    my $text = TokenAuth::Api::request_text('POST', '/api/v1/organizations/acme/tokens', body => '{"name":"load","scopes":["agents:read"]}',
        headers => { Authorization => "Bearer $token", 'Content-Type' => 'application/json' });
    my @answers = load_while($login, $text, sub {
        my ($round) = @_;
        $server->down('immediate') if $round == 4;
        sleep 0.2 if $round > 4 && $round < 12;
        $server->up if $round == 12;
        return $round < 40 && ($round < 13 || $login->call('GET', '/me', bearer => $token)->{status} != 200 || $round < 20);
    });
    my %statuses;
    ++$statuses{ "$_->{status} " . ($_->{json}{code} // '') } for @answers;
    note join ', ', map { "$_: $statuses{$_}" } sort keys %statuses;
    is_deeply [ sort keys %statuses ], [ '201 ', '503 registry_unavailable' ], 'every request is answered';
    my %told = map { $_->{json}{id} => 1 } grep { $_->{status} == 201 } @answers;
    my %kept = map { $_ => 1 } @{ $login->sql("SELECT id FROM tokens WHERE name = 'load'") };
    is_deeply [ grep { !$kept{$_} } keys %told ], [], 'what was told is kept';
    # each worker may find its own connection broken once
    ok eventually(sub { $login->call('GET', '/me', bearer => $token)->{status} == 200 }), 'and it goes on';
    is $login->api->metrics->{token_auth_api_requests_running}, 0, 'no thread is stuck';
    is $login->api->stop, 0, 'it ends well';
};

subtest 'an answer that nobody gets, and a registry that is gone' => sub {
    for my $how ('comes back', 'stays away') {
        my $server = TokenAuth::Postgres->start;
        my $url = $server->url($server->database);
        run_tool([ build_dir() . '/tokenctl', '--registry', $url, 'init' ]);
        my $login = TokenAuth::Login->start(url => $url);
        $login->ctl(qw(org add acme));
        my $token = $login->token(qw(--org acme --scope auth:tokens:write));
        # The registry commits, and its answer comes when the client has gone.
        my ($client, $from, $to) = open_registry($url);
        print $to "BEGIN; LOCK TABLE tokens IN SHARE MODE; SELECT 'locked';\n";
        is scalar <$from>, "locked\n", 'held up';
        my $connection = $login->api->connection;
        shutdown $connection, 0;
        print $connection TokenAuth::Api::request_text('POST', '/api/v1/organizations/acme/tokens', body => '{"name":"Lost"}',
            headers => { Authorization => "Bearer $token", 'Content-Type' => 'application/json' });
        ok eventually(sub { $server->sql('postgres', 'SELECT count(*) FROM pg_locks WHERE NOT granted')->[0] > 0 }), 'it waits';
        close $connection;
        # Nothing is revoked as long as this is locked; then the server goes.
        print $to "COMMIT; BEGIN; LOCK TABLE tokens IN SHARE MODE; SELECT count(*) FROM tokens WHERE name = 'Lost';\n";
        is scalar <$from>, "1\n", 'it is made';
        # tokenapi knows that, too: else it could not know that there is something to revoke.
        ok eventually(sub { $server->sql('postgres', 'SELECT count(*) FROM pg_locks WHERE NOT granted')->[0] > 0 }), 'its revocation waits';
        $server->down('immediate');
        close $to;
        waitpid $client, 0;
        if ($how eq 'comes back') {
            sleep 1;
            $server->up;
            ok eventually(sub { $login->sql(q{SELECT count(*) FROM tokens WHERE name = 'Lost' AND revoked_at <> 0})->[0] == 1 }), 'it is revoked when it is back';
            is $login->api->stop, 0, 'it ends well';
        } else {
            is $login->api->stop, 0, 'it ends all the same';
            like $login->api->log, qr/^tokenapi: token (\w+) could not be revoked, though nobody got the answer with it: run `tokenctl revoke \1`$/m, 'and says what to do';
        }
    }
};

done_testing;
