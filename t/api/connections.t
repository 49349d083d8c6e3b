# Connections: many, slow ones, pipelined requests, clients that go.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Api;
use TokenAuth::Util qw(eventually slurp);

use constant { LIMIT => 1000, SECONDS => 10 };

*request_text = \&TokenAuth::Api::request_text;
*read_answer = \&TokenAuth::Api::read_answer;
*is_closed = \&TokenAuth::Api::is_closed;

# This test holds as many descriptors as the server.
if (!$ENV{TOKEN_AUTH_TEST_FILES}) {
    $ENV{TOKEN_AUTH_TEST_FILES} = 1;
    exec 'sh', '-c', 'ulimit -n 4096 && exec "$0" "$@"', $^X, "-I$FindBin::Bin/../lib", $0;
}

my $api = TokenAuth::Api->start(probe => 1);

subtest 'one connection, many requests' => sub {
    my $connection = $api->connection;
    for (1 .. 3) {
        print $connection request_text('GET', '/slow');
        is read_answer($connection)->{status}, 200, 'one after the other';
    }
    print $connection map { request_text('GET', "/page?limit=$_") } 1 .. 50;
    is_deeply [ map { read_answer($connection)->{json}{limit} } 1 .. 50 ], [ 1 .. 50 ], 'pipelined, in their order';
    print $connection request_text('POST', '/echo', body => '{"a":1}', headers => { 'Content-Type' => 'application/json' }),
        request_text('GET', '/x'), request_text('POST', '/healthz', body => 'x' x 1000),
        request_text('GET', '/healthz');
    is_deeply [ map { read_answer($connection)->{status} } 1 .. 4 ], [ 200, 404, 405, 200 ], 'with bodies, and refused ones';
    print $connection request_text('GET', '/healthz', headers => { Connection => 'close' });
    is read_answer($connection)->{status}, 200, 'the last one';
    ok is_closed($connection), 'is the last one';
    $connection = $api->connection;
    print $connection "GET /healthz HTTP/1.0\r\n\r\n";
    is read_answer($connection)->{status}, 200, 'HTTP/1.0';
    ok is_closed($connection), 'ends with its answer';
};

subtest 'large fields' => sub {
    is $api->call('POST', '/echo', json => '{"a":"' . 'x' x 60000 . '"}', headers => { Cookie => 'x' x 8000 })->{status}, 200,
        '8 KiB, and a large body';
    for ([ 'a target', "GET /" . "x" x 30000 . " HTTP/1.1\r\n\r\n", 414 ],
        [ 'a field', "GET / HTTP/1.1\r\nHost: x\r\nCookie: " . "x" x 30000 . "\r\n\r\n", 431 ],
        [ 'many fields', "GET / HTTP/1.1\r\nHost: x\r\n" . "A: b\r\n" x 4000 . "\r\n", 431 ])
    {
        my ($what, $text, $status) = @$_;
        my $connection = $api->connection;
        print $connection $text;
        my $answer = read_answer($connection);
        is $answer && $answer->{status}, $status, "$what that is too large";
        ok is_closed($connection), 'ends the connection';
    }
    my $connection = $api->connection;
    print $connection "GET /healthz HTTP/1.1\r\n\r\n";
    is read_answer($connection)->{status}, 400, 'no Host';
};

subtest 'slow clients' => sub {
    my $memory = $api->memory;
    my $begun = time;
    my %slow = map { $_ => $api->connection } 'silent', 'byte by byte', 'half a header', 'half a body', 'body byte by byte',
        'reads nothing', 'idle', 'between', 'second byte by byte';
    my $big = $api->connection;
    syswrite $slow{'half a header'}, "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    my $half = request_text('POST', '/echo', headers => { 'Content-Type' => 'application/json', 'Content-Length' => 1000 }, body => '{');
    syswrite $slow{$_}, $half for 'half a body', 'body byte by byte';
    syswrite $slow{'reads nothing'}, request_text('GET', '/large?size=8000000');
    for ('idle', 'second byte by byte') {
        syswrite $slow{$_}, request_text('GET', '/healthz');
        read_answer($slow{$_});
    }
    # one that is nearly as slow as it may be
    my $patient = $api->connection;
    syswrite $patient, request_text('GET', '/healthz') =~ s/\r\n\z//r;
    my %ended;
    while (time < $begun + SECONDS + 4 && keys %ended < keys %slow) {
        for ('byte by byte', 'body byte by byte', 'second byte by byte') {
            syswrite $slow{$_}, /body/ ? ' ' : 'G' if !$ended{$_};
        }
        if ($patient && time > $begun + SECONDS - 2) {
            syswrite $patient, "\r\n";
            is read_answer($patient)->{status}, 200, 'eight seconds are not too slow';
            undef $patient;
        }
        for my $name (grep { !$ended{$_} && $_ ne 'reads nothing' } keys %slow) {
            $ended{$name} = time - $begun if IO::Select->new($slow{$name})->can_read(0) && !sysread $slow{$name}, my $rest, 65536;
        }
        $ended{'reads nothing'} //= time - $begun if ($api->metrics->{token_auth_api_connections} // 0) <= 1 + keys(%slow) - keys(%ended) - 1
            && time > $begun + SECONDS;
        sleep 0.2;
    }
    for (sort keys %slow) {
        ok $ended{$_} && $ended{$_} > SECONDS - 1 && $ended{$_} < SECONDS + 2, "$_: ended after " . sprintf '%.1f s', $ended{$_} // 0;
    }
    my $read = '';
    1 while sysread $slow{'reads nothing'}, $read, 1 << 20, length $read;
    cmp_ok length $read, '<', 8_000_000, 'an answer that is not taken is cut off';
    cmp_ok $api->metrics->{token_auth_api_timeouts_total}, '>=', keys %slow, 'all are counted';
};

subtest '1,000 connections' => sub {
    eventually { $api->metrics->{token_auth_api_connections} == 1 };
    my $before = $api->memory;
    my @connections = map { $api->connection or die "connection $_: $!" } 1 .. LIMIT;
    syswrite $_, request_text('GET', '/roles') for @connections;
    my %statuses;
    ++$statuses{ (read_answer($_) // { status => 'none' })->{status} } for @connections;
    is_deeply \%statuses, { 200 => LIMIT }, 'at once are answered';
    note $api->memory . " KiB, $before before";
    my $next = $api->connection;
    syswrite $next, request_text('GET', '/healthz');
    ok !IO::Select->new($next)->can_read(0.5), 'one more waits';
    close shift @connections;
    is read_answer($next)->{status}, 200, 'until one of them ends';
    close $next;

    # bodies that never end, as large as may be
    my $body = request_text('POST', '/echo', headers => { 'Content-Type' => 'application/json', 'Content-Length' => 65536 },
        body => '{"a":"' . 'x' x 65000);
    my @refused;
    for (@connections) {
        $_->blocking(0);
        my $sent = 0;
        eventually { $sent += syswrite($_, substr $body, $sent) // 0; $sent == length $body } 2;
    }
    sleep 0.5;
    my $used = $api->memory;
    note "$used KiB";
    cmp_ok $used, '<', 57 * 1024, 'memory has its limit';
    my $rest = 'x' x (65536 - 65006 - 2) . '"}';
    $_->blocking(1), syswrite $_, $rest for @connections;
    %statuses = ();
    ++$statuses{ (read_answer($_) // { status => 'none' })->{status} } for @connections;
    is join(' ', sort keys %statuses), '200 503', 'what is beyond it is refused: ' . join ', ', %statuses;
    cmp_ok $statuses{200}, '>', 50, 'and only that';
    @connections = ();
    eventually { $api->metrics->{token_auth_api_connections} == 1 };
    is $api->metrics->{token_auth_api_connections}, 1, 'all are gone';
};

is $api->stop, 0, 'it ends well';
done_testing;
