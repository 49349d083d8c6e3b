# A request with a key that comes again makes nothing twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $login = TokenAuth::Login->start;
$login->person($_, 'correct horse battery') for qw(ann bob);
$login->ctl(qw(org add acme zoo));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set admin auth:*));
$login->ctl('member', 'add', @$_, '--role', 'admin') for [qw(ann acme)], [qw(ann zoo)], [qw(bob acme)];
my %cookie = map { $_ => cookie_of($login->log_in($_, 'correct horse battery')) } qw(ann bob);
my $path = '/organizations/acme/tokens';

sub create {
    my ($key, $body, %options) = @_;
    return $login->call('POST', $options{path} // $path, cookie => $cookie{ $options{as} // 'ann' }, origin => 'https://localhost', json => $body, headers => { 'Idempotency-Key' => $key });
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

sub count { return $login->sql('SELECT count(*) FROM tokens')->[0] }

my $made = create('k', '{"name":"x"}');
is $made->{status}, 201, 'made';
my $id = $made->{json}{id};
my $again = create('k', '{"name":"x"}');
is_deeply [ $again->{status}, $again->{headers}{'idempotent-replay'}, $again->{json}{id} ], [ 200, 'true', $id ], 'the same one';
ok !exists $again->{json}{token}, 'without the secret';
is count(), 1, 'one';
is code_of(create('k', '{"name":"y"}')), '422 idempotency_key_reused', 'another body';
is code_of(create('k', '{"name": "x"}')), '422 idempotency_key_reused', 'byte by byte';
is create('k', '{"name":"x"}', as => 'bob')->{status}, 201, "somebody else's key";
is create('k', '{"name":"x"}', path => '/organizations/zoo/tokens')->{status}, 201, 'elsewhere';
is create('k', '{"name":"x"}', path => "/organizations/acme/groups/ops/tokens")->{status}, 201, 'in a group';
is create('k', '{"name":"x"}', path => '/me/tokens')->{status}, 201, 'a personal one';
is create('k', '{"name":"x"}', path => '/organizations/%61cme/tokens')->{status}, 200, 'the same path, written otherwise';
is create('K', '{"name":"x"}')->{status}, 201, 'another key';
is code_of(create($_, '{"name":"x"}')), '400 query_invalid', 'no key: ' . length for '', 'x' x 65, "\xe9";
is create('x' x 64, '{"name":"x"}')->{status}, 201, 'a long one';

is code_of(create('refused', '{"name":""}')), '422 fields_invalid', 'what was refused';
is create('refused', '{"name":"x"}')->{status}, 201, 'has used no key';

$login->call('PATCH', "/tokens/$id", cookie => $cookie{ann}, origin => 'https://localhost', json => { name => 'renamed' });
is create('k', '{"name":"x"}')->{json}{name}, 'renamed', 'as it is now';
$login->ctl(qw(member remove ann acme));
is code_of(create('k', '{"name":"x"}')), '404 not_found', 'rights are asked anew';
$login->ctl(qw(role set lead auth:tokens:read));
$login->ctl(qw(member add ann acme --role lead));
is code_of(create('k', '{"name":"x"}')), '403 scope_missing', 'all of them';
$login->ctl(qw(member add ann acme --role admin));
is create('k', '{"name":"x"}')->{status}, 200, 'again';
$login->ctl('delete', $id);
is code_of(create('k', '{"name":"x"}')), '404 not_found', 'deleted since';
$login->sql('UPDATE idempotency_keys SET created_at = created_at - 86401');
is create('k', '{"name":"x"}')->{status}, 201, 'a day later it is a new request';
is $login->sql('SELECT count(*) FROM idempotency_keys')->[0], 1, 'old ones are gone';

subtest 'many at once' => sub {
    my $before = count();
    my $text = TokenAuth::Api::request_text('POST', "/api/v1$path", body => '{"name":"race"}',
        headers => { 'Idempotency-Key' => 'race', Cookie => $cookie{ann}, Origin => 'https://localhost', 'Content-Type' => 'application/json' });
    my @connections = map { $login->api->connection } 1 .. 16;
    print $_ $text for @connections;
    my @answers = map { TokenAuth::Api::read_answer($_) } @connections;
    is_deeply [ sort map { $_->{status} } @answers ], [ (200) x 15, 201 ], 'one makes it';
    is count(), $before + 1, 'one token';
    is scalar(keys %{ { map { $_->{json}{id} => 1 } @answers } }), 1, 'the same for all';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
