# Two tokenapi on one registry, as behind two nginx: what one does, the other one knows at once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $password = 'correct horse battery';
my $one = TokenAuth::Login->start(args => ['--auth-token']);
my $two = TokenAuth::Login->start(url => $one->url, args => ['--auth-token']);
my @both = ($one, $two);
$one->person($_, $password) for qw(ann bob);
$one->ctl(qw(org add acme));
$one->ctl(qw(role set admin auth:* agents:*));
$one->ctl(qw(member add ann acme --role admin));
my $cookie = cookie_of($one->log_in('ann', $password));
my %ann = (cookie => $cookie, origin => 'https://localhost');
my $place = '/organizations/acme/tokens';

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

# The same request to both, so many times, at the same time; the answers.
sub race {
    my ($times, $method, $path, $body, %headers) = @_;
    my $text = TokenAuth::Api::request_text($method, "/api/v1$path", body => $body, headers => {
        Cookie => $cookie, Origin => 'https://localhost', 'Content-Type' => 'application/json', 'X-Real-IP' => '192.0.2.1', %headers });
    my @connections = map { my $login = $both[ $_ % 2 ]; $login->api->connection } 1 .. $times;
    print {$_} $text for @connections;
    return map { TokenAuth::Api::read_answer($_) } @connections;
}

subtest 'sessions and tokens' => sub {
    is $two->call('GET', '/me', %ann)->{json}{user}, 'ann', 'a session of the one is known to the other';
    my $made = $two->call('POST', $place, %ann, json => { name => 'x', scopes => ['agents:read'] })->{json};
    my $path = "/tokens/$made->{id}";
    is $one->call('GET', $path, bearer => $made->{token})->{status}, 200, 'a token, too';
    is $one->call('POST', "$path/revoke", %ann)->{status}, 200, 'revoked here';
    is code_of($two->call('GET', $path, bearer => $made->{token})), '401 token_revoked', 'is revoked there';
    is $two->call('DELETE', '/session', %ann)->{status}, 204, 'logged out there';
    is code_of($one->call('GET', '/me', %ann)), '401 session_ended', 'is logged out here';
    $cookie = $ann{cookie} = cookie_of($two->log_in('ann', $password));
};

subtest 'a key that comes to both' => sub {
    my @answers = race(16, 'POST', $place, '{"name":"once"}', 'Idempotency-Key' => 'k');
    is_deeply [ sort map { $_->{status} } @answers ], [ (200) x 15, 201 ], 'one makes it';
    is $one->sql(q{SELECT count(*) FROM tokens WHERE name = 'once'})->[0], 1, 'one token';
};

subtest 'a rotation that both are asked for' => sub {
    my $id = $one->call('POST', $place, %ann, json => { name => 'rotated' })->{json}{id};
    my @answers = race(8, 'POST', "/tokens/$id/rotate", '{}');
    is_deeply [ sort map { code_of($_) } @answers ], [ '201 ', ('409 not_rotatable') x 7 ], 'one does it';
    is $one->sql(q{SELECT count(*) FROM tokens WHERE name = 'rotated'})->[0], 2, 'one successor';
};

subtest 'a limit' => sub {
    my ($valid) = @{ $one->sql(q{SELECT count(*) FROM tokens WHERE organization = 'acme' AND revoked_at = 0}) };
    $one->ctl(qw(org set acme --max-tokens), $valid + 3);
    my @answers = race(12, 'POST', $place, '{"name":"limited"}');
    is_deeply [ sort map { code_of($_) } @answers ], [ ('201 ') x 3, ('409 limit_reached') x 9 ], 'holds for both together';
};

subtest 'changes' => sub {
    my $made = $one->call('POST', '/me/tokens', %ann, json => { name => 'a' });
    my @answers = race(8, 'PATCH', "/tokens/$made->{json}{id}", '{"name":"b"}', 'If-Match' => $made->{headers}{etag});
    is_deeply [ sort map { code_of($_) } @answers ], [ '200 ', ('412 changed_meanwhile') x 7 ], 'by If-Match: one';
};

subtest 'failures' => sub {
    my @answers = race(16, 'POST', '/session', '{"username":"bob","password":"wrong"}', Cookie => 'a=b');
    is_deeply [ sort map { code_of($_) } @answers ], [ ('401 login_failed') x 5, ('429 throttled') x 11 ], 'count together';
    is code_of($_->log_in('bob', $password)), '429 throttled', 'for the right one, too' for @both;
};

is_deeply [ $one->misfits ], [], 'all of it is as the document says';
done_testing;
