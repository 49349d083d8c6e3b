# Which operation a request names: paths, methods, parameters; and what every answer has.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Util qw(root_dir slurp);

my $api = TokenAuth::Api->start(probe => 1);

sub status_of { return $api->call(@_)->{status} }

subtest 'paths' => sub {
    my $group = $api->call('GET', '/d/acme/groups/eng');
    is $group->{status}, 200, 'one with arguments';
    is_deeply $group->{json}{arguments}, { org => 'acme', group => 'eng' }, 'which are told apart';
    is $api->call('GET', '/d/a%63me/groups/%2e%2e%2e')->{json}{arguments}{group}, '...', 'decoded after it is split';
    my %not_found = (
        'a slash at the end'         => '/d/acme/groups/eng/',
        'two slashes'                => '/d//acme/groups/eng',
        'two slashes at the front'   => '//d/acme/groups/eng',
        'an encoded slash'           => '/d/acme%2Fgroups/eng',
        'an encoded slash, small'    => '/d/ac%2fme/groups/eng',
        'one that would fit decoded' => '/d/acme%2Fgroups%2Feng',
        'an encoded NUL'             => '/d/acme/groups/eng%00',
        'a dot'                      => '/d/acme/groups/.',
        'two dots'                   => '/d/acme/groups/..',
        'encoded dots'               => '/d/acme/groups/%2e%2e',
        'dots that would lead on'    => '/d/x/../acme/groups/eng',
        'no identifier'              => '/d/acme/groups/a%20b',
        'a long one'                 => '/d/acme/groups/' . 'a' x 65,
        'not UTF-8'                  => '/d/acme/groups/%ff',
        'a broken escape'            => '/d/acme/groups/%4',
        'no escape'                  => '/d/acme/groups/%zz',
        'another path'               => '/d/acme/groups',
        'a longer one'               => '/d/acme/groups/eng/x',
        'case'                       => '/D/acme/groups/eng',
        'a whole address'            => 'http://localhost/d/acme/groups/eng',
        'an asterisk'                => '*',
        'the root'                   => '/',
        'a fragment'                 => '/d/acme/groups/eng#x',
    );
    for my $what (sort keys %not_found) {
        is status_of('GET', $not_found{$what}), 404, $what;
    }
    is status_of('GET', "/healthz\0/d"), 404, 'a NUL';
    is status_of('GET', '/healthz%'), 404, 'a sign alone';
};

subtest 'methods' => sub {
    is $api->call('DELETE', '/d/acme/groups/eng')->{json}{method}, 'DELETE', 'another method';
    my $head = $api->call('HEAD', '/d/acme/groups/eng');
    my $get  = $api->call('GET',  '/d/acme/groups/eng');
    is $head->{status}, 200, 'HEAD';
    is $head->{headers}{'content-length'}, length($get->{body}) + 1, 'as GET';    # "HEAD" is longer
    for (qw(POST PUT PATCH OPTIONS TRACE CONNECT get PROPFIND)) {
        my $answer = $api->call($_, '/d/acme/groups/eng');
        is $answer->{status}, 405, $_;
        is $answer->{headers}{allow}, 'DELETE, GET, HEAD', 'what is allowed';
        is_deeply [ sort grep { /^access-control/ } keys %{ $answer->{headers} } ], [], 'no CORS';
    }
    is $api->call('HEAD', '/d/acme')->{status}, 405, 'HEAD without GET';
    is $api->call('GET', '/d/acme')->{headers}{allow}, 'POST', 'without GET, no HEAD';
};

subtest 'parameters' => sub {
    is_deeply $api->call('GET', '/d/acme/groups/eng?a=1&b=x+y%2Bz&c&&d=%E2%82%AC')->{json}{parameters},
        { a => '1', b => 'x y+z', c => '', d => "\x{20ac}" }, 'decoded';
    for ('a=1&a=2', 'a=%', 'a=%ff', 'a=%00', '%ff=1', join('&', map { "p$_=1" } 1 .. 33)) {
        my $answer = $api->call('GET', "/d/acme/groups/eng?$_");
        is $answer->{status}, 400, substr $_, 0, 20;
        is $answer->{json}{code}, 'query_invalid', 'the code';
    }
    my $answer = $api->call('GET', '/healthz?verbose=1&x=2');
    is_deeply $answer->{json}, {
        type => 'about:blank', title => 'Bad Request', status => 400, detail => '2 parameters are wrong.',
        code => 'query_invalid',
        errors => [ map { { field => $_, detail => 'is not known' } } qw(verbose x) ],
    }, 'unknown ones';
};

subtest 'every answer' => sub {
    my %requests = (
        200 => [ GET => '/healthz' ], 404 => [ GET => '/x' ], 405 => [ POST => '/healthz' ],
        400 => [ GET => '/healthz?a=1' ], 415 => [ POST => '/echo', body => 'x' ],
        500 => [ GET => '/broken' ], 413 => [ POST => '/echo', headers => { 'Content-Length' => 65537 } ],
    );
    for (sort keys %requests) {
        my $answer = $api->call(@{ $requests{$_} });
        is $answer->{status}, $_, "status $_";
        is $answer->{headers}{'cache-control'}, 'no-store', 'is not stored';
        is $answer->{headers}{'x-content-type-options'}, 'nosniff', 'is taken for what it says';
        is $answer->{headers}{'content-type'}, $_ == 200 ? 'text/plain; charset=utf-8' : 'application/problem+json', 'its type';
    }
    is $api->call('GET', '/x')->{body},
        '{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such thing.","code":"not_found"}',
        'a problem document';
    unlike $api->call('GET', '/broken')->{body}, qr/purpose/, 'a fault is not told to the client';
    like $api->log, qr/^tokenapi: broken on purpose$/m, 'but to the log';
};

subtest 'the client' => sub {
    is $api->call('GET', '/d/a/groups/b', headers => { 'X-Real-IP' => '192.0.2.1' })->{json}{address}, '192.0.2.1',
        'its address is what nginx says';
    is $api->call('GET', '/d/a/groups/b')->{json}{address}, '', 'none is none';
    is $api->call('GET', '/d/a/groups/b', headers => { 'X-Real-IP' => '192.0.2.1', 'x-real-ip' => '192.0.2.2' })
        ->{json}{address}, '', 'two are none';
};

subtest 'the description' => sub {
    is $api->call('GET', '/api/v1/openapi.json')->{body}, slurp(root_dir() . '/docs/openapi.json'), 'is the document';
};

is $api->stop, 0, 'it ends well';
done_testing;
