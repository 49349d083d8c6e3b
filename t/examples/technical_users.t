use strict;
use warnings;
use Test::More;
use TokenAuth::Example;

my $example = TokenAuth::Example->new('technical-users');
my %as = map { $_ => [ '-H', 'Authorization: Bearer ' . $example->token($_) ] }
    qw(ORGANIZATION_ADMIN ORGANIZATION_USER GROUP_ADMIN GROUP_USER);
my @put = ('-X', 'PUT', '-d', '{}');

# who, what, where, and the status and code that must come of it
my @calls = (
    [ ORGANIZATION_ADMIN => 'GET', '/orgs/acme/settings',                 200, '' ],
    [ ORGANIZATION_ADMIN => 'PUT', '/orgs/acme/settings',                 200, '' ],
    [ ORGANIZATION_ADMIN => 'PUT', '/orgs/acme/groups/sales/settings',    200, '' ],
    [ ORGANIZATION_ADMIN => 'GET', '/orgs/other/settings',                403, 'organization_mismatch' ],
    [ ORGANIZATION_USER  => 'GET', '/orgs/acme/settings',                 200, '' ],
    [ ORGANIZATION_USER  => 'PUT', '/orgs/acme/settings',                 403, 'scope_missing' ],
    [ GROUP_ADMIN        => 'PUT', '/orgs/acme/groups/research/settings', 200, '' ],
    [ GROUP_ADMIN        => 'GET', '/orgs/acme/groups/sales/settings',    403, 'scope_missing' ],
    [ GROUP_ADMIN        => 'GET', '/orgs/acme/settings',                 403, 'kind_not_allowed' ],
    [ GROUP_ADMIN        => 'GET', '/orgs/other/groups/research/x',       403, 'organization_mismatch' ],
    [ GROUP_USER         => 'GET', '/orgs/acme/groups/research/settings', 200, '' ],
    [ GROUP_USER         => 'PUT', '/orgs/acme/groups/research/settings', 403, 'scope_missing' ],
    [ GROUP_USER         => 'GET', '/lab/x',                              200, '' ],
    [ ORGANIZATION_ADMIN => 'GET', '/lab/x',                              403, 'group_missing' ],
);
for (@calls) {
    my ($who, $method, $path, $status, $code) = @$_;
    my ($got, $body) = $example->curl(@{ $as{$who} }, $method eq 'PUT' ? @put : (), $path);
    is $got, $status, "$who $method $path";
    like $body, qr/"code":"$code"/, "$code" if $code;
}

# What is decided about is what the upstream gets.
for my $path ('/orgs/other%2F..%2Facme/groups/research/x', '/orgs/acme/groups/sales%2F..%2Fresearch/x',
    '/orgs/acme/groups/research%2fx', '/orgs/%61cme/groups/research/a%20b%3Fc')
{
    my ($got, $body) = $example->curl(@{ $as{GROUP_USER} }, $path);
    is $got, 200, $path;
    like $body, qr{ uri=/orgs/acme/groups/research/(?:x|a%20b%3Fc)$}, 'as it was decided';
}

my ($id) = $example->token('GROUP_USER') =~ /_([^.]+)\./;
my ($status, $body) = $example->curl(@{ $as{GROUP_USER} }, '/lab/x');
like $body, qr/subject=tu-\Q$id\E org=acme group=research /, 'a technical user of its own';

my @group_user = (@{ $as{GROUP_USER} }, '/lab/x');
$example->tokenctl('revoke', $id);
ok $example->becomes(401, @group_user), 'revoked for a time';
like $example->tokenctl('list', '--status', 'revoked'), qr/\Q$id\E/, 'as the list says';
$example->tokenctl('restore', $id);
ok $example->becomes(200, @group_user), 'restored';
$example->tokenctl('delete', $id);
ok $example->becomes(401, @group_user), 'deleted for ever';
unlike $example->tokenctl('user', 'list', '--all'), qr/tu-\Q$id\E/, 'and its technical user with it';
done_testing;
