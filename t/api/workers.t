# The threads that answer: all busy, passwords' hashes, answers that nobody gets.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Api;
use TokenAuth::Util qw(eventually);

*request_text = \&TokenAuth::Api::request_text;
*read_answer = \&TokenAuth::Api::read_answer;

use constant { WORKERS => 16, HASHES => 2, HASHES_WAITING => 32 };

my $api = TokenAuth::Api->start(probe => 1);

# Connections on which that many of these requests are under way.
sub ask {
    my ($count, $target) = @_;
    return map { my $connection = $api->connection; print $connection request_text('GET', $target); $connection } 1 .. $count;
}

subtest 'all workers are busy' => sub {
    my $begun = time;
    my @busy = ask(WORKERS, '/slow?ms=12000');
    ok eventually(sub { $api->metrics->{token_auth_api_requests_running} == WORKERS }), 'all of them';
    my @next = ask(3, '/slow');
    is $api->call('GET', '/healthz')->{status}, 200, 'health needs none';
    is $api->call('GET', '/x')->{status}, 404, 'nor does what is refused';
    is $api->metrics->{token_auth_api_requests_waiting}, 3, 'others wait';
    for (@next) {
        my $answer = read_answer($_);
        is $answer->{status}, 503, 'but not for ever';
        is $answer->{json}{code}, 'overloaded', 'the code';
        is $answer->{headers}{'retry-after'}, '5', 'when to come again';
    }
    my $took = time - $begun;
    ok $took > 9.5 && $took < 11.5, sprintf 'after %.1f s', $took;
    is read_answer($_)->{status}, 200, 'who had a worker is answered' for @busy;
    is $api->call('GET', '/slow')->{status}, 200, 'and all is well again';
};

subtest 'hashes' => sub {
    my @all = ask(HASHES + HASHES_WAITING, '/hashed?ms=100');
    ok eventually(sub { my $metrics = $api->metrics; $metrics->{token_auth_api_hashes_running} == HASHES }), 'two at once';
    is $api->call('GET', '/slow')->{status}, 200, 'the workers are free';
    my @statuses = map { read_answer($_)->{status} } @all;
    is_deeply \@statuses, [ (200) x @all ], 'others wait';
    @all = ask(HASHES + HASHES_WAITING + 10, '/hashed?ms=300');
    my %statuses;
    ++$statuses{ read_answer($_)->{status} } for @all;
    # one or the other is done before the last one asks
    my $refused = $statuses{503} // 0;
    ok $refused > 5 && $refused <= 10, "so many, not more: $refused refused";
    is_deeply [ sort keys %statuses ], [ 200, 503 ], 'and nothing else';
    is $api->call('GET', '/hashed')->{body}, '{"registry":true}', 'what follows runs in a worker';
};

subtest 'an answer that nobody gets' => sub {
    my $file = $api->dir . '/undone';
    my ($connection) = ask(1, "/unsent?ms=300&file=$file");
    eventually { $api->metrics->{token_auth_api_requests_running} == 1 };
    close $connection;
    ok eventually(sub { -s $file }, 5), 'is undone';
    unlink $file;
    is $api->call('GET', "/unsent?file=$file")->{json}{token}, 'secret', 'one that arrives';
    sleep 0.3;
    ok !-e $file, 'is not';
};

is $api->stop, 0, 'it ends well';
done_testing;
