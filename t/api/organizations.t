# Organizations with their policy, groups and members.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $login = TokenAuth::Login->start;
$login->person($_, 'correct horse battery') for qw(root ann bob);
$login->ctl(qw(org add sys --system));
$login->ctl(qw(role set reader agents:read));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(role set root auth:system));
$login->ctl(qw(member add root sys --role root));
my %cookie = map { $_ => cookie_of($login->log_in($_, 'correct horse battery')) } qw(root ann bob);

sub as {
    my ($who, $method, $path, %options) = @_;
    return $login->call($method, $path, cookie => $cookie{$who}, origin => 'https://localhost', %options);
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

sub wrong {
    my ($answer) = @_;
    return code_of($answer) . ': ' . join ' ', sort map { $_->{field} } @{ $answer->{json}{errors} // [] };
}

sub detail {
    my ($action, $entity) = @_;
    return JSON::PP->new->decode($login->sql("SELECT detail FROM audit WHERE action = '$action' AND entity = '$entity' ORDER BY seq DESC LIMIT 1")->[0]);
}

subtest 'organizations' => sub {
    my $made = as('root', 'POST', '/organizations', json => { id => 'acme', display_name => 'Acme', policy => { max_life => '90d', default_life => '36h' } });
    is $made->{status}, 201, 'made' or diag $made->{body};
    is $made->{headers}{location}, '/api/v1/organizations/acme', 'where it is';
    is_deeply $made->{json}{policy}, { max_life => '90d', default_life => '36h', require_allow => JSON::PP::false, max_tokens => undef }, 'its policy';
    is as('root', 'GET', '/organizations/acme')->{headers}{etag}, $made->{headers}{etag}, 'its tag';
    is $login->audit('add'), 'add/organization/acme/root/session/192.0.2.1', 'in the trail';
    is code_of(as('root', 'POST', '/organizations', json => { id => 'acme' })), '409 exists', 'once';
    is wrong(as('root', 'POST', '/organizations', json => { id => '.', display_name => ' ', suspended => JSON::PP::true, policy => { max_life => 5, max_tokens => 0, x => 1 } })),
        '422 fields_invalid: display_name id policy.max_life policy.max_tokens policy.x suspended', 'all that is wrong';
    is wrong(as('root', 'POST', '/organizations', json => { id => 'zoo', policy => { max_life => '1d', default_life => '2d', max_tokens => 'x' } })),
        '422 fields_invalid: policy.default_life policy.max_tokens', 'by the registry, too';
    is wrong(as('root', 'POST', '/organizations', json => { id => 'zoo', policy => { max_life => '0s' } })), '422 fields_invalid: policy.max_life', 'no life';
    my $refused = as('ann', 'POST', '/organizations', json => { id => 'mine' });
    is code_of($refused), '403 scope_missing', "the system's";
    is $refused->{json}{scope}, 'auth:system', 'the scope';

    my $changed = as('root', 'PATCH', '/organizations/acme', json => { display_name => undef, policy => { max_tokens => 7, default_life => undef } }, headers => { 'If-Match' => $made->{headers}{etag} });
    is_deeply [ $changed->{status}, $changed->{json}{display_name}, $changed->{json}{policy} ],
        [ 200, undef, { max_life => '90d', default_life => undef, require_allow => JSON::PP::false, max_tokens => 7 } ], 'a merge patch';
    is_deeply detail('update', 'organization')->{'policy.max_tokens'}, { from => undef, to => 7 }, 'from and to';
    is code_of(as('root', 'PATCH', '/organizations/acme', json => { display_name => 'x' }, headers => { 'If-Match' => $made->{headers}{etag} })), '412 changed_meanwhile', 'by an old tag';
    is as('root', 'PATCH', '/organizations/acme', json => { policy => undef })->{json}{policy}{max_life}, undef, 'no policy';
    is_deeply [ map { $_->{json}{suspended} ? 1 : 0 } as('root', 'PATCH', '/organizations/acme', json => { suspended => JSON::PP::true }), as('root', 'PATCH', '/organizations/acme', json => { suspended => JSON::PP::false }) ],
        [ 1, 0 ], 'suspended and back';
    is wrong(as('root', 'PATCH', '/organizations/acme', json => { suspended => undef, id => 'x', system => JSON::PP::true })), '422 fields_invalid: id suspended system', 'what is no field of it';
    is code_of(as('root', 'PATCH', '/organizations/sys', json => { suspended => JSON::PP::true })), '409 system_organization', 'the system is not suspended';
    is code_of(as('root', 'DELETE', '/organizations/sys?force=true')), '409 system_organization', 'nor deleted';
    is as('root', 'PATCH', '/organizations/sys', json => { policy => { max_life => '30d' } })->{status}, 200, 'but has a policy';
    is code_of(as('ann', 'GET', '/organizations/acme')), '404 not_found', 'nobody else sees it';
    is code_of(as('root', 'GET', '/organizations/none')), '404 not_found', 'nor one that is not there';
};

subtest 'groups' => sub {
    $login->ctl(qw(member add ann acme --role admin));
    my $made = as('ann', 'POST', '/organizations/acme/groups', json => { id => 'ops' });
    is_deeply [ $made->{status}, $made->{headers}{location}, @{ $made->{json} }{qw(organization id)} ], [ 201, '/api/v1/organizations/acme/groups/ops', 'acme', 'ops' ], 'made';
    is code_of(as('ann', 'POST', '/organizations/acme/groups', json => { id => 'ops' })), '409 exists', 'once';
    is wrong(as('ann', 'POST', '/organizations/acme/groups', json => { id => 'a/b', name => 'x' })), '422 fields_invalid: id name', 'what is wrong';
    is code_of(as('bob', 'POST', '/organizations/acme/groups', json => { id => 'x' })), '404 not_found', 'of others: not there';
    as('ann', 'POST', '/organizations/acme/groups/ops/tokens', json => { name => 'x' });
    is code_of(as('ann', 'DELETE', '/organizations/acme/groups/ops')), '409 not_empty', 'not with tokens in it';
    is as('ann', 'DELETE', '/organizations/acme/groups/ops?force=true')->{status}, 204, 'but on purpose';
    is_deeply $login->sql("SELECT count(*) FROM tokens WHERE group_id = 'ops'"), [0], 'with them';
    is code_of(as('ann', 'GET', '/organizations/acme/groups/ops')), '404 not_found', 'gone';
    is as('ann', 'POST', '/organizations/acme/groups', json => { id => 'ops' })->{status}, 201, 'and made anew';
    is as('ann', 'DELETE', '/organizations/acme/groups/ops')->{status}, 204, 'an empty one goes';
};

subtest 'members' => sub {
    as('ann', 'POST', '/organizations/acme/groups', json => { id => 'ops' });
    my $path = '/organizations/acme/members/bob';
    my $made = as('ann', 'PUT', $path, json => { role => 'reader' });
    is_deeply [ $made->{status}, $made->{headers}{location}, @{ $made->{json} }{qw(user organization group role)} ], [ 201, "/api/v1$path", 'bob', 'acme', undef, 'reader' ], 'added' or diag $made->{body};
    is as('ann', 'PUT', $path, json => { role => 'reader' })->{status}, 200, 'as it was';
    my $changed = as('ann', 'PUT', $path, json => { role => 'admin' }, headers => { 'If-Match' => $made->{headers}{etag} });
    is_deeply [ $changed->{status}, $changed->{json}{role} ], [ 200, 'admin' ], 'another role';
    is_deeply detail('update', 'membership'), { role => { from => 'reader', to => 'admin' } }, 'from and to';
    is code_of(as('ann', 'PUT', $path, json => { role => 'reader' }, headers => { 'If-Match' => $made->{headers}{etag} })), '412 changed_meanwhile', 'by an old tag';
    is code_of(as('ann', 'DELETE', $path, headers => { 'If-Match' => $made->{headers}{etag} })), '412 changed_meanwhile', 'nor removed';
    is code_of(as('ann', 'PUT', $path, json => { role => 'reader' }, headers => { 'If-None-Match' => '*' })), '412 changed_meanwhile', 'nor made anew';
    is as('ann', 'GET', $path)->{json}{role}, 'admin', 'nothing was done';
    is code_of(as('ann', 'PUT', '/organizations/acme/groups/ops/members/bob', json => { role => 'reader' }, headers => { 'If-Match' => '*' })), '412 changed_meanwhile', 'a tag of what is not there';
    is as('ann', 'PUT', '/organizations/acme/groups/ops/members/bob', json => { role => 'reader' })->{status}, 201, 'in a group';
    is wrong(as('ann', 'PUT', $path, json => { role => 'nobody', more => 1 })), '422 fields_invalid: more role', 'what is wrong';
    is code_of(as('ann', 'PUT', '/organizations/acme/members/nobody', json => { role => 'reader' })), '404 not_found', 'nobody';
    my $exceeds = as('ann', 'PUT', $path, json => { role => 'root' });
    is code_of($exceeds), '403 grant_exceeds', 'more than she holds';
    is as('bob', 'DELETE', $path)->{status}, 204, 'everybody may leave';
    is_deeply $login->sql("SELECT count(*) FROM group_memberships WHERE user_id = 'bob'"), [0], 'and leaves the groups';
    is code_of(as('bob', 'GET', '/organizations/acme')), '404 not_found', 'and sees it no more';
};

subtest 'an organization that goes' => sub {
    is as('ann', 'POST', '/organizations/acme/tokens', json => { name => 'x' })->{status}, 201, 'a token in it';
    is code_of(as('ann', 'DELETE', '/organizations/acme?force=true')), '403 scope_missing', "not its admin's to delete";
    is code_of(as('root', 'DELETE', '/organizations/acme')), '409 not_empty', 'not with tokens in it';
    is code_of(as('root', 'DELETE', '/organizations/acme?force=yes')), '400 query_invalid', 'nor by a word that is none';
    is code_of(as('root', 'DELETE', '/organizations/acme?force=true', headers => { 'If-Match' => '"x"' })), '412 changed_meanwhile', 'nor by another tag';
    is as('root', 'DELETE', '/organizations/acme?force=true')->{status}, 204, 'but on purpose';
    is_deeply $login->sql("SELECT (SELECT count(*) FROM tokens WHERE organization = 'acme') + (SELECT count(*) FROM memberships WHERE organization = 'acme')"), [0], 'with all in it';
    is code_of(as('ann', 'GET', '/organizations/acme')), '404 not_found', 'gone';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
