use strict;
use warnings;
use Test::More;
use TokenAuth::Example;

my $example = TokenAuth::Example->new('carbon-registry');
my %bearer = map { $_ => [ '-H', 'Authorization: Bearer ' . $example->token("${_}_TOKEN") ] }
    qw(ORGANIZATION PERSONAL READ_ONLY);

my ($status, $body) = $example->curl(@{ $bearer{ORGANIZATION} }, '/api/projects');
is $status, 200, "an organization's token reads";
like $body, qr/org=verdant .*credential= /, 'the upstream learns the organization, not the token';
($status) = $example->curl(@{ $bearer{ORGANIZATION} }, '-X', 'POST', '-d', '{}', '/api/retirements');
is $status, 200, 'and writes what it was given';
($status, $body) = $example->curl(@{ $bearer{ORGANIZATION} }, '-X', 'POST', '-d', '{}', '/api/projects');
is $status, 403, 'but nothing else';
like $body, qr/"code":"scope_missing"/, 'with the code';
($status, $body) = $example->curl(@{ $bearer{PERSONAL} }, '/api/projects');
is $status, 200, "a person's token reads, without naming an organization";
like $body, qr/subject=mara org= /, 'as that person';
($status, $body) = $example->curl(@{ $bearer{PERSONAL} }, '-H', 'X-Organization: verdant', '/api/projects');
like $body, qr/subject=mara org=verdant .*role=member scopes=projects:read /, 'or for one of theirs';
($status) = $example->curl(@{ $bearer{READ_ONLY} }, '-X', 'POST', '-d', '{}', '/api/retirements');
is $status, 403, 'a token without the permission is refused';
($status, $body) = $example->curl('/api/projects');
is $status, 401, 'no token';
like $body, qr/"detail":"Authentication is required\."/, 'and what is asked for';
($status) = $example->curl('-H', 'Authorization: Token ' . $example->token('PERSONAL_TOKEN'), '/api/projects');
is $status, 401, 'only the Bearer scheme is taken';
($status) = $example->curl('/public/projects');
is $status, 200, 'public pages stay open';
($status, $body) = $example->curl('-H', 'X-Token-Subject: root', '/public/projects');
like $body, qr/subject= /, 'and nobody speaks for another there';
like $example->tokenctl('list'), qr/2126-01-01/, 'a token may live for a hundred years';
done_testing;
