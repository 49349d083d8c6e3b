# Bodies: media types, JSON, forms, and what is too large, too deep or not clear.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use TokenAuth::Api;

my $api = TokenAuth::Api->start(probe => 1);

subtest 'media types' => sub {
    for ('application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json;charset=UTF-8') {
        is $api->call('POST', '/echo', body => '{}', headers => { 'Content-Type' => $_ })->{status}, 200, $_;
    }
    for ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/json; charset=latin1',
        'application/jsonp', 'application/merge-patch+json', '')
    {
        my $answer = $api->call('POST', '/echo', body => '{}', headers => { 'Content-Type' => $_ });
        is $answer->{status}, 415, "not $_";
        is $answer->{json}{code}, 'media_type_unsupported', 'the code';
    }
    is $api->call('POST', '/echo', body => '{}')->{status}, 415, 'none';
    is $api->call('POST', '/echo')->{status}, 415, 'no body';
    is $api->call('POST', '/echo', json => '{}', headers => { 'Content-Encoding' => 'gzip' })->{status}, 415, 'a coding';
    is $api->call('POST', '/d/acme')->{status}, 200, 'no body, if it may be missing';
    is $api->call('POST', '/d/acme', body => 'x')->{status}, 415, 'but one that is there is JSON';
    is $api->call('GET', '/d/a/groups/b', body => 'x')->{status}, 200, 'a body that nobody takes is left alone';
    my $form = $api->call('POST', '/form', body => 'token=a%2Bb&x=1+2', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' });
    is_deeply $form->{json}, { token => 'a+b', x => '1 2' }, 'a form';
    is $api->call('POST', '/form', json => {})->{status}, 415, 'JSON is no form';
    is $api->call('POST', '/form', body => 'a=1&a=2', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' })->{status},
        400, 'a name twice in a form';
};

subtest 'JSON' => sub {
    my $text = '{"a":[1,-2,true,null,"\u20ac"],"b":{"c":0.5}}';
    is $api->call('POST', '/echo', json => $text)->{body}, '{"a":[1,-2,true,null,"' . "\xe2\x82\xac" . '"],"b":{"c":0.5}}',
        'comes as it went';
    my $deep = sub { my ($levels) = @_; '{"a":' x ($levels - 1) . '{}' . '}' x ($levels - 1) };
    is $api->call('POST', '/echo', json => $deep->(16))->{status}, 200, '16 levels';
    my %wrong = (
        'levels'                => $deep->(17),
        'levels of lists'       => '{"a":' . '[' x 16 . ']' x 16 . '}',
        'very many levels'      => '{"a":' . '[' x 60000,
        'nothing'               => '',
        'no JSON'               => '{',
        'no object'             => '[]',
        'a text'                => '"a"',
        'a number'              => '1',
        'something behind'      => '{}{}',
        'a name twice'          => '{"a":1,"a":2}',
        'a name twice, escaped' => '{"a":1,"\u0061":2}',
        'a name twice inside'   => '{"x":[{"a":1,"a":2}]}',
        'not UTF-8'             => "{\"a\":\"\xff\"}",
        'half a character'      => '{"a":"\ud800"}',
        'a comment'             => '{/**/}',
        'a comma'               => '{"a":1,}',
        'NaN'                   => '{"a":NaN}',
        'a huge number'         => '{"a":1e999}',
        'very many names'       => '{' . join(',', map { qq("$_":1) } 1 .. 101) . '}',
        'a NUL'                 => "{\0}",
        'a NUL behind'          => "{}\0x",
    );
    for (sort keys %wrong) {
        my $answer = $api->call('POST', '/echo', json => $wrong{$_});
        is $answer->{status}, 400, $_;
        is $answer->{json}{code}, 'body_malformed', 'the code';
    }
    like $api->call('POST', '/echo', json => $wrong{'a name twice'})->{json}{detail}, qr/name twice/, 'says what';
    unlike $api->call('POST', '/echo', json => '{"a":hunter2}')->{body}, qr/hunter/, 'repeats nothing';
};

sub chunked { return join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } @_), "0\r\n\r\n" }

subtest 'size' => sub {
    my $of_size = sub { '{"a":"' . 'x' x ($_[0] - 8) . '"}' };
    is $api->call('POST', '/echo', json => $of_size->(65536))->{status}, 200, '64 KiB';
    my %chunked = (headers => { 'Transfer-Encoding' => 'chunked', 'Content-Type' => 'application/json' }, unframed => 1);
    is $api->call('POST', '/echo', body => chunked($of_size->(65536) =~ /(.{1,1000})/sg), %chunked)->{status}, 200,
        '64 KiB in chunks';
    my $answer = $api->call('POST', '/echo', json => $of_size->(65537));
    is $answer->{status}, 413, 'a byte more';
    is $answer->{json}{code}, 'body_too_large', 'the code';
    is $answer->{headers}{connection}, 'close', 'the connection ends';

    my $connection = $api->connection;
    print $connection TokenAuth::Api::request_text('POST', '/echo', headers => { 'Content-Length' => 1 << 30, 'Content-Type' => 'application/json' });
    is TokenAuth::Api::read_answer($connection)->{status}, 413, '1 GiB announced: before it is sent';
    ok TokenAuth::Api::is_closed($connection), 'and the connection is closed';

    for my $target ('/echo', '/healthz', '/x') {
        my $before = $api->memory;
        $connection = $api->connection;
        print $connection TokenAuth::Api::request_text('POST', $target, %chunked);
        my ($sent, $chunk) = (0, sprintf "%x\r\n%s\r\n", 16384, 'x' x 16384);
        while ($sent < 1 << 30) {
            print $connection $chunk or last;
            $connection->flush;
            $sent += 16384;
        }
        cmp_ok $sent, '<', 1 << 20, "1 GiB in chunks to $target is not taken";
        $answer = TokenAuth::Api::read_answer($connection);
        is $answer->{status}, 413, 'but answered';
        is $answer->{json}{code}, 'body_too_large', 'as it should';
        is $answer->{headers}{'cache-control'}, 'no-store', 'with its header';
        cmp_ok $api->memory - $before, '<', 2048, 'memory stays';
    }
    is $api->call('POST', '/echo', json => '{}', headers => { 'Content-Length' => '9' x 30 })->{status}, 413, 'a huge length';
};

subtest 'nobody knows where the body ends' => sub {
    my %raw = (
        'two lengths'          => "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        'two other lengths'    => "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        'length and chunks'    => "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'another coding'       => "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        'an unknown coding'    => "Transfer-Encoding: x\r\n\r\n{}",
        'codings'              => "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        'a length of nothing'  => "Content-Length: \r\n\r\n",
        'a negative length'    => "Content-Length: -1\r\n\r\n",
        'a length with a plus' => "Content-Length: +2\r\n\r\n{}",
        'two in one'           => "Content-Length: 2, 2\r\n\r\n{}",
        'a space before the colon' => "Content-Length : 2\r\n\r\n{}",
        'a broken chunk'       => "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    );
    for (sort keys %raw) {
        my $connection = $api->connection;
        print $connection "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n$raw{$_}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        my $answer = TokenAuth::Api::read_answer($connection);
        ok $answer && $answer->{status} == 400, $_ or diag explain $answer;
        ok TokenAuth::Api::is_closed($connection), 'and what follows is no request';
    }
};

subtest 'who asks first' => sub {
    my $connection = $api->connection;
    my %expects = (headers => { Expect => '100-continue', 'Content-Type' => 'application/json', 'Content-Length' => 2 });
    print $connection TokenAuth::Api::request_text('POST', '/echo', %expects);
    is TokenAuth::Api::read_answer($connection)->{status}, 100, 'goes on';
    print $connection '{}';
    is TokenAuth::Api::read_answer($connection)->{status}, 200, 'and is answered';
    for ([ '/healthz', 405, 2 ], [ '/x', 404, 2 ], [ '/echo', 413, 65537 ], [ '/form', 415, 2 ]) {
        my ($target, $status, $length) = @$_;
        $connection = $api->connection;
        $expects{headers}{'Content-Length'} = $length;
        print $connection TokenAuth::Api::request_text('POST', $target, %expects);
        is TokenAuth::Api::read_answer($connection)->{status}, $status, "$status without sending";
    }
};

is $api->stop, 0, 'it ends well';
done_testing;
