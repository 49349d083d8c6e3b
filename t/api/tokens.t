# Tokens of organizations and groups, and personal ones: made, shown once, changed, revoked, rotated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Util qw(eventually spew);

my $login = TokenAuth::Login->start;
$login->person('ann', 'correct horse battery');
$login->ctl(qw(org add acme));
$login->ctl(qw(org add sys --system));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set reader agents:read));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(role set root auth:system));
$login->ctl(qw(member add ann acme --role admin));
my $cookie = cookie_of($login->log_in('ann', 'correct horse battery'));

# As ann, in her session.
sub ann {
    my ($method, $path, %options) = @_;
    return $login->call($method, $path, cookie => $cookie, origin => 'https://localhost', %options);
}

sub by {
    my ($token, $method, $path, %options) = @_;
    return $login->call($method, $path, %options, headers => { %{ $options{headers} // {} }, Authorization => "Bearer $token" });
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

sub wrong {
    my ($answer) = @_;
    return code_of($answer) . ': ' . join ' ', map { $_->{field} . ($_->{rule} ? "($_->{rule})" : '') } sort { $a->{field} cmp $b->{field} } @{ $answer->{json}{errors} // [] };
}

sub create { return ann('POST', '/organizations/acme/tokens', json => { name => 'Deploy', @_ }) }

subtest 'made, and shown once' => sub {
    my $made = create(role => 'reader', scopes => [ 'agents:read', 'agents:write', 'agents:read' ], description => 'd', allow => ['192.0.2.0/24'], expires => '7d');
    is $made->{status}, 201, 'created' or diag $made->{body};
    my $token = $made->{json};
    is $made->{headers}{location}, "/api/v1/tokens/$token->{id}", 'where it is';
    like $token->{token}, qr/\Aak_\Q$token->{id}\E\./, 'the token';
    is_deeply [ @$token{qw(kind name description user organization group role created_by created_via status)} ],
        [ 'organization', 'Deploy', 'd', "tu-$token->{id}", 'acme', undef, 'reader', 'ann', 'session', 'active' ], 'what it is';
    is_deeply $token->{scopes}, [ 'agents:read', 'agents:write' ], 'its list, sorted, each once';
    is_deeply $token->{effective_scopes}, ['agents:read'], 'what both allow';
    is by($token->{token}, 'GET', "/tokens/$token->{id}")->{status}, 200, 'it works, and sees itself';
    my $seen = ann('GET', "/tokens/$token->{id}");
    ok !exists $seen->{json}{token}, 'and is shown no more';
    is $seen->{headers}{etag}, $made->{headers}{etag}, 'the same tag';
    my ($secret) = $token->{token} =~ /\.(.*)/;
    unlike $login->api->log, qr/\Q$secret\E/, 'in no log';
    is scalar(grep { /\Q$secret\E/ } @{ $login->sql('SELECT detail FROM audit') }, @{ $login->sql('SELECT name || digest FROM tokens') }), 0, 'in no table';
    is $login->audit('create'), "create/token/$token->{id}/ann/session/192.0.2.1", 'in the trail';
};

subtest 'in a group, and personal' => sub {
    my $of_group = ann('POST', '/organizations/acme/groups/ops/tokens', json => { name => 'g', role => 'reader' });
    is_deeply [ $of_group->{status}, @{ $of_group->{json} }{qw(kind organization group)} ], [ 201, 'group', 'acme', 'ops' ], "a group's";
    like $of_group->{json}{token}, qr/\Agk_/, 'its prefix';
    my $mine = ann('POST', '/me/tokens', json => { name => 'Laptop', scopes => ['auth:tokens:read'], expires => undef });
    is_deeply [ $mine->{status}, @{ $mine->{json} }{qw(kind user role expires effective_scopes)} ], [ 201, 'user', 'ann', undef, undef, undef ], 'a personal one';
    is code_of(by($mine->{json}{token}, 'POST', '/me/tokens', json => { name => 'x' })), '403 session_required', 'no token makes one';
    is code_of(by($mine->{json}{token}, 'GET', '/me/tokens')), '403 session_required', 'nor lists them';
    is_deeply [ map { $_->{id} } @{ ann('GET', '/me/tokens')->{json}{items} } ], [ $mine->{json}{id} ], 'in the list of her own';
    is by($mine->{json}{token}, 'GET', '/organizations/acme/tokens')->{status}, 200, 'it manages by what its list names';
};

subtest 'what is wrong, all at once' => sub {
    is wrong(create(name => '', description => 5, role => 'nobody', scopes => [], expires => '2020-01-01', allow => ['x'], prefix => 'ab')),
        '422 fields_invalid: allow description expires name prefix role scopes', 'fields';
    is wrong(create(not_before => '8d', expires => '7d')), '422 fields_invalid: expires', 'an end before it begins';
    is wrong(ann('POST', '/organizations/acme/tokens', json => {})), '422 fields_invalid: name', 'none';
    is wrong(ann('POST', '/me/tokens', json => { name => 'x', role => 'reader' })), '422 fields_invalid: role', 'a personal one has no role';
    is code_of(ann('POST', '/organizations/acme/tokens', json => '{"name":')), '400 body_malformed', 'no JSON';
    is code_of($login->call('POST', '/organizations/acme/tokens', json => '{"name":')), '401 credentials_missing', 'but first who calls';
    is code_of(ann('POST', '/organizations/none/tokens', json => { name => '' })), '404 not_found', 'and where';
    is wrong(ann('POST', '/organizations/acme/tokens?x=1', json => { name => 'x' })), '400 query_invalid: x', 'a parameter';
    my $secret = 'ak_0123456789ab.' . 'x' x 40;
    unlike ann('POST', '/organizations/acme/tokens', json => { name => 'x', $secret => 1 })->{body}, qr/x{40}/, 'nothing that may be secret is repeated';
    my $exceeds = create(scopes => ['billing:write']);
    is code_of($exceeds), '403 grant_exceeds', 'more than she holds';
    is_deeply $exceeds->{json}{scopes}, ['billing:write'], 'what is missing';
};

subtest 'the policy' => sub {
    $login->ctl(qw(org set acme --max-life 30d --require-allow));
    is wrong(create(expires => '31d', role => 'reader')), '422 fields_invalid: allow(require_allow) expires(max_life)', 'what it forbids';
    is wrong(create(expires => undef, allow => ['0.0.0.0/0'])), '422 fields_invalid: allow(require_allow) expires(max_life)', 'never, and from everywhere';
    is create(allow => ['192.0.2.1'])->{status}, 201, 'what it allows';
    $login->ctl(qw(org set acme --max-life none --no-require-allow));
    $login->ctl(qw(org set acme --max-tokens 1));
    my $full = create();
    is code_of($full), '409 limit_reached', 'too many';
    is $full->{json}{rule}, 'max_tokens', 'the rule';
    $login->ctl(qw(org set acme --max-tokens none));
};

subtest 'changed' => sub {
    my $token = create(role => 'reader', description => 'd', allow => ['192.0.2.1'])->{json};
    my $path = "/tokens/$token->{id}";
    my $tag = ann('GET', $path)->{headers}{etag};
    my $changed = ann('PATCH', $path, json => { name => 'New', description => undef, allow => undef, expires => undef }, headers => { 'If-Match' => $tag });
    is $changed->{status}, 200, 'changed' or diag $changed->{body};
    is_deeply [ @{ $changed->{json} }{qw(name description allow expires role)} ], [ 'New', '', [], undef, 'reader' ], 'null takes away, the rest stays';
    isnt $changed->{headers}{etag}, $tag, 'another tag';
    my $stale = ann('PATCH', $path, json => { name => 'Lost' }, headers => { 'If-Match' => $tag });
    is code_of($stale), '412 changed_meanwhile', 'by an old tag';
    is ann('GET', $path)->{json}{name}, 'New', 'nothing was changed';
    is code_of(ann('DELETE', $path, headers => { 'If-Match' => $tag })), '412 changed_meanwhile', 'nor deleted';
    is ann('PATCH', $path, json => {}, headers => { 'If-Match' => qq("x", $changed->{headers}{etag}) })->{status}, 200, 'one of several tags, nothing named';
    is wrong(ann('PATCH', $path, json => { name => undef, scopes => [], role => 7, id => 'x' })), '422 fields_invalid: id name role scopes', 'all that is wrong';
    is $login->audit('update'), "update/token/$token->{id}/ann/session/192.0.2.1", 'in the trail';
    is_deeply(JSON::PP->new->decode($login->sql("SELECT detail FROM audit WHERE action = 'update' AND key = '$token->{id}'")->[0])->{name},
        { from => 'Deploy', to => 'New' }, 'from and to');

    my $after = ann('GET', $path)->{headers}{etag};
    is_deeply [ map { [ $_->{status}, $_->{json}{status} ] } ann('POST', "$path/revoke"), ann('POST', "$path/revoke", json => {}) ], [ ([ 200, 'revoked' ]) x 2 ], 'revoked, and again';
    is ann('GET', $path)->{headers}{etag}, $after, 'which is no change of its tag';
    is code_of(by($token->{token}, 'GET', $path)), '401 token_revoked', 'it is refused';
    is_deeply [ map { [ $_->{status}, $_->{json}{status} ] } ann('POST', "$path/restore"), ann('POST', "$path/restore") ], [ ([ 200, 'active' ]) x 2 ], 'restored, and again';
    is wrong(ann('POST', "$path/revoke", json => { why => 'x' })), '422 fields_invalid: why', 'no field is known there';
    is ann('GET', $path)->{json}{status}, 'active', 'and nothing done';
    is ann('DELETE', $path, headers => { 'If-Match' => $after })->{status}, 204, 'deleted';
    is code_of(ann($_->[0], $path . $_->[1])), '404 not_found', "gone: @$_" for [ GET => '' ], [ DELETE => '' ], [ POST => '/revoke' ], [ POST => '/rotate' ];
};

subtest 'rotated' => sub {
    my $token = create(role => 'reader', expires => '10d')->{json};
    my $path = "/tokens/$token->{id}";
    is wrong(ann('POST', "$path/rotate", json => { grace => '31d', expires => 'x', more => 1 })), '422 fields_invalid: expires grace more', 'what is wrong';
    is wrong(ann('POST', "$path/rotate", json => { grace => '31d' })), '422 fields_invalid: grace', 'grace';
    my $rotated = ann('POST', "$path/rotate", json => { grace => '1h' });
    is $rotated->{status}, 201, 'rotated' or diag $rotated->{body};
    my $next = $rotated->{json};
    is $next->{predecessor}, $token->{id}, 'the predecessor';
    is by($_, 'GET', '/me')->{status}, 200, 'both work' for $token->{token}, $next->{token};
    my $before = ann('GET', $path)->{json};
    is $before->{successor}, $next->{id}, 'the successor';
    my $again = ann('POST', "$path/rotate");
    is code_of($again), '409 not_rotatable', 'once';
    is $again->{json}{successor}, $next->{id}, 'rotate that one';
    is code_of(ann('PATCH', $path, json => { expires => '90d' })), '409 token_final', 'its expiry is not moved on';
    is ann('POST', "/tokens/$next->{id}/rotate")->{status}, 201, 'without a body';
    ann('POST', "/tokens/$next->{id}/revoke");
    my $revoked = ann('POST', "/tokens/$next->{id}/rotate");
    is_deeply [ code_of($revoked), $revoked->{json}{successor} ], [ '409 not_rotatable', undef ], 'not a revoked one';
    is ann('DELETE', "/tokens/$next->{id}")->{status}, 204, 'the successor goes';
    is ann('GET', $path)->{json}{successor}, undef, 'and the link';

    my $bot = create(scopes => ['agents:read'], expires => '10d')->{json};
    is code_of(by($bot->{token}, 'POST', "/tokens/$bot->{id}/rotate")), '403 scope_missing', 'itself: only with auth:rotate';
    chomp(my $able = $login->ctl(qw(create --org acme --name r --scope auth:rotate --scope agents:read --expires 10d)));
    my ($id) = $able =~ /_(.*?)\./;
    is wrong(by($able, 'POST', "/tokens/$id/rotate", json => { expires => '90d' })), '422 fields_invalid: expires', 'its life is not its own to say';
    is by($able, 'POST', "/tokens/$id/rotate")->{status}, 201, 'itself';
};

subtest 'a keyed digest, without the key' => sub {
    my $key = spew($login->api->dir . '/key', 'k' x 32);
    chomp(my $token = $login->ctl(qw(create --org acme --name keyed --role reader --key), $key));
    my ($id) = $token =~ /_(.*?)\./;
    my $refused = ann('POST', "/tokens/$id/rotate");
    is_deeply [ code_of($refused), $refused->{json}{successor} ], [ '409 not_rotatable', undef ], 'gets no successor with a plain one';
    like $refused->{json}{detail}, qr/keyed/, 'says why';
    is $login->sql("SELECT count(*) FROM tokens WHERE name = 'keyed'")->[0], 1, 'nothing is made';
};

subtest 'an answer that cannot be written' => sub {
    my $count = sub { return $login->sql("SELECT count(*) FROM tokens WHERE name = 'Lost' AND revoked_at = 0")->[0] };
    my $send = sub {
        my ($path, $body) = @_;
        my $connection = $login->api->connection;
        shutdown $connection, 0;  # it reads nothing
        print $connection TokenAuth::Api::request_text('POST', "/api/v1$path", body => $body,
            headers => { Cookie => $cookie, Origin => 'https://localhost', 'Content-Type' => 'application/json', 'X-Real-IP' => '192.0.2.1' });
        return $connection;
    };
    my @connections = map { $send->('/organizations/acme/tokens', '{"name":"Lost"}') } 1 .. 5;
    ok eventually(sub { $login->sql("SELECT count(*) FROM tokens WHERE name = 'Lost'")->[0] == 5 }), 'they were made';
    ok eventually(sub { $count->() == 0 }), 'none that nobody has seen is left' or diag $count->();
    my $token = create()->{json};
    push @connections, $send->("/tokens/$token->{id}/rotate", '{}');
    ok eventually(sub { $login->sql("SELECT count(*) FROM audit WHERE action = 'unrotate' AND key = '$token->{id}'")->[0] == 1 }), 'a rotation is taken back';
    is_deeply [ @{ ann('GET', "/tokens/$token->{id}")->{json} }{qw(successor expires)} ], [ undef, $token->{expires} ], 'as it was';
};

subtest 'last use' => sub {
    my $token = create()->{json};
    is $token->{last_used}, undef, 'none is told';
};

subtest 'what may be given' => sub {
    $login->ctl(qw(scope set agents:read), 'Read agents');
    $login->ctl(qw(scope set billing:read), 'Read bills');
    my $grants = ann('GET', '/organizations/acme/grants')->{json};
    is_deeply [ map { "$_->{id} " . ($_->{administrative} ? 1 : 0) } @{ $grants->{roles} } ], [ 'admin 1', 'reader 0' ], 'roles';
    is_deeply $grants->{scopes}, [ { scope => 'agents:read', description => 'Read agents' } ], 'scopes of the catalogue';
    is ann('GET', '/organizations/acme/groups/ops/grants')->{status}, 200, 'in a group';
    is_deeply ann('GET', '/me/grants')->{json}{roles}, [], 'personal ones have no role';
    is_deeply $grants->{example}, { url => undef, organization_field => 'X-Org-Id' }, 'nothing to try it with but the API';
    my $named = TokenAuth::Login->start(url => $login->url,
        args => [ '--example-url', 'https://api.example.com/v1/agents?a=$b', '--organization-field', 'X-Anyreach-Org' ]);
    is_deeply $named->call('GET', '/organizations/acme/grants', cookie => $cookie)->{json}{example},
        { url => 'https://api.example.com/v1/agents?a=$b', organization_field => 'X-Anyreach-Org' }, 'what the operator names';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
