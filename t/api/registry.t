# The workers' connections to the registry: opened when needed, made anew, a registry that is gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
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

done_testing;
