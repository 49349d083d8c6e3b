# scripts/lib/openapi.py finds what is wrong with docs/openapi.json, and what does not fit it.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IPC::Open2;
use JSON::PP;
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $checker = "$root/scripts/lib/openapi.py";
my $path = "$root/docs/openapi.json";
my $dir = tempdir('token-auth-openapi-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->canonical;

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return <$in>;
}

my $text = slurp($path);

# The document, changed by a function, and what the checker says.
sub check {
    my ($change) = @_;
    my $document = $json->decode($text);
    $change->($document);
    open my $out, '>:raw', "$dir/openapi.json" or die "openapi.json: $!";
    print $out $json->encode($document);
    close $out or die "openapi.json: $!";
    my $said = `/usr/bin/python3 '$checker' '$dir/openapi.json' 2>&1`;
    return ($? >> 8, $said);
}

is system('/usr/bin/python3', $checker, $path), 0, 'the document is as it should be';

my @faults = (
    ['a reference to nothing' => qr/Nowhere is not there/,
        sub { $_[0]{components}{schemas}{Group}{properties}{id} = { '$ref' => '#/components/schemas/Nowhere' } }],
    ['a component that nobody uses' => qr/Spare: is not used/,
        sub { $_[0]{components}{schemas}{Spare} = { type => 'string' } }],
    ['a schema that is none' => qr/Status: .*strin/,
        sub { $_[0]{components}{schemas}{Status}{type} = 'strin' }],
    ['an example that lacks a field' => qr/Group\/examples\/0: .*created/,
        sub { delete $_[0]{components}{schemas}{Group}{examples}[0]{created} }],
    ['an example with a field too many, of a schema made of two' => qr/Token\/examples\/0: .*more/,
        sub { $_[0]{components}{schemas}{Token}{examples}[0]{more} = 1 }],
    ['an example of a body that does not fit' => qr/roles.*example: .*scopes/,
        sub { $_[0]{paths}{'/api/v1/roles/{role}'}{put}{requestBody}{content}{'application/json'}{example} = {} }],
    ['an object that is open' => qr/Group: says nothing of additionalProperties/,
        sub { delete $_[0]{components}{schemas}{Group}{additionalProperties} }],
    ['two operations of one name' => qr/getMe is another operation's/,
        sub { $_[0]{paths}{'/api/v1/roles'}{get}{operationId} = 'getMe' }],
    ["a path's parameter that is not declared" => qr/parameters are not those/,
        sub { delete $_[0]{paths}{'/api/v1/organizations/{org}'}{parameters} }],
    ['a code under a status that is not its own' => qr/not_found has the status 40[49] elsewhere/,
        sub { $_[0]{paths}{'/api/v1/me'}{get}{responses}{409} = { '$ref' => '#/components/responses/NotFound' } }],
    ['a refusal without a problem document' => qr/409: has no problem document/,
        sub { $_[0]{paths}{'/api/v1/me'}{get}{responses}{409} = { description => 'No.' } }],
);
for my $fault (@faults) {
    my ($what, $message, $change) = @$fault;
    my ($status, $said) = check($change);
    ok $status == 1 && $said =~ $message, "finds $what" or diag $said;
}

# Exchanges, each as a change of one that fits.
my $pid = open2(my $answers, my $exchanges, '/usr/bin/python3', $checker, $path, '--exchanges');

sub errors_of {
    my ($exchange) = @_;
    print $exchanges $json->encode($exchange), "\n";
    $exchanges->flush;
    my $answer = $json->decode(scalar <$answers>);
    return ($answer->{operation}, join "\n", @{ $answer->{errors} });
}

my %always = ('Cache-Control' => 'no-store', 'X-Content-Type-Options' => 'nosniff');
my $group = '{"organization":"acme","id":"research","created":null}';

sub exchange {
    my (%change) = @_;
    return {
        method => 'POST',
        target => '/api/v1/organizations/acme/groups',
        headers => { 'content-type' => 'application/json; charset=utf-8' },
        body => '{"id":"research"}',
        status => 201,
        answer_headers =>
            { %always, 'Content-Type' => 'application/json', Location => '/api/v1/organizations/acme/groups/research' },
        answer => $group,
        %change,
    };
}

sub problem {
    my ($status, $code, %more) = @_;
    return $json->encode({ type => 'about:blank', title => 'No', detail => 'No.', status => $status, code => $code, %more })
        =~ s/"status":(\d+)/"status":$1/r;
}
my %problem = (%always, 'Content-Type' => 'application/problem+json');

my @fit = (
    ['as documented', exchange()],
    ['HEAD', exchange(method => 'HEAD', target => '/api/v1/me', body => '', status => 200, answer => '',
        answer_headers => { %always, ETag => '"1"' })],
    ['a number, a boolean and a word in the query', exchange(method => 'DELETE', body => '', answer => '',
        target => '/api/v1/organizations/acme?force=true', status => 204, answer_headers => {%always})],
    ['what was refused may be wrong', exchange(body => '{', status => 400, answer => problem(400, 'body_malformed'),
        answer_headers => \%problem)],
    ['a path that is none', exchange(target => '/api/v1/nothing', status => 404, answer => problem(404, 'not_found'),
        answer_headers => \%problem)],
    ['a form', exchange(target => '/oauth/introspect', body => 'token=ak_7Hq.this-is-no-token&more=1', status => 200,
        headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }, answer => '{"active":false}',
        answer_headers => { %always, 'Content-Type' => 'application/json' })],
);
for my $fit (@fit) {
    my ($operation, $errors) = errors_of($fit->[1]);
    is $errors, '', "fits: $fit->[0]";
}
is((errors_of(exchange()))[0], 'createGroup', 'the operation is named');

my @unfit = (
    ['an operation that the document does not have' => qr/does not have this operation/,
        exchange(target => '/api/v1/organizations/acme/teams')],
    ['a status that it does not have' => qr/202 is not in the document/, exchange(status => 202)],
    ['an answer without a field' => qr/created/, exchange(answer => '{"organization":"acme","id":"research"}')],
    ['an answer with a field too many' => qr/more/, exchange(answer => $group =~ s/}/,"more":1}/r)],
    ['a name twice' => qr/twice/, exchange(answer => $group =~ s/}/,"id":"x"}/r)],
    ['an answer that is no JSON' => qr/no JSON/, exchange(answer => '<p>')],
    ['no answer' => qr/has no body/, exchange(answer => '')],
    ['a body where there is none' => qr/has a body/, exchange(method => 'DELETE', target => '/api/v1/tokens/7Hq', body => '',
        status => 204, answer_headers => {%always}, answer => '{}')],
    ['a media type' => qr/text\/html is not/, exchange(answer_headers => { %{ exchange()->{answer_headers} }, 'Content-Type' => 'text/html' })],
    ['no Location' => qr/has no location/i, exchange(answer_headers => { %always, 'Content-Type' => 'application/json' })],
    ['an ETag that is not documented' => qr/etag is not/, exchange(answer_headers => { %{ exchange()->{answer_headers} }, ETag => '"1"' })],
    ['no no-store' => qr/cache-control/, exchange(answer_headers => { 'Content-Type' => 'application/json', Location => '/api/v1/x' })],
    ['a request with a field too many' => qr/request: .*more/, exchange(body => '{"id":"research","more":1}')],
    ['a request without a body' => qr/has no body/, exchange(body => '')],
    ['a parameter that is not documented' => qr/parameter more/, exchange(target => '/api/v1/organizations/acme/groups?more=1')],
    ['a parameter out of range' => qr/limit/, exchange(method => 'GET', target => '/api/v1/organizations?limit=201', body => '',
        status => 200, answer => '{"items":[],"next_cursor":null}', answer_headers => { %always, 'Content-Type' => 'application/json' })],
    ['an id that is none' => qr/request: org/, exchange(target => '/api/v1/organizations/a%20b/groups')],
    ['a code that the operation does not give' => qr/answer: /, exchange(status => 409, answer => problem(409, 'in_use'), answer_headers => \%problem)],
    ['a problem without the member of its code' => qr/answer: /, exchange(status => 403, answer => problem(403, 'scope_missing'),
        answer_headers => \%problem)],
    ['a problem of another status' => qr/answer: /, exchange(status => 409, answer => problem(404, 'exists'), answer_headers => \%problem)],
    ['a retry that is not told' => qr/has no retry-after/, exchange(status => 503, answer => problem(503, 'overloaded'), answer_headers => \%problem)],
);
for my $unfit (@unfit) {
    my ($what, $message, $exchange) = @$unfit;
    my ($operation, $errors) = errors_of($exchange);
    like $errors, $message, "does not fit: $what";
}
close $exchanges;
waitpid $pid, 0;
done_testing;
