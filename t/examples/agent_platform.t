use strict;
use warnings;
use Test::More;
use TokenAuth::Example;

my $example = TokenAuth::Example->new('agent-platform');
my @key = ('-H', 'Authorization: Bearer ' . $example->token('API_KEY'));
my @personal = ('-H', 'Authorization: Bearer ' . $example->token('PERSONAL_TOKEN'));
like $example->token('API_KEY'), qr/\Aak_[A-Za-z0-9]+\.[A-Za-z0-9]+\z/, 'an API key';
like $example->token('PERSONAL_TOKEN'), qr/\Apat_[A-Za-z0-9]+\.[A-Za-z0-9]+\z/, 'a personal token';

my ($status, $body) = $example->curl(@key, '/v1/agents');
is $status, 200, 'an API key carries its organization';
like $body, qr/org=org_2f7 /, 'which the upstream learns';
($status) = $example->curl(@key, '-X', 'POST', '-d', '{}', '/v1/agents');
is $status, 200, 'its role may write';
($status, $body) = $example->curl(@key, '-H', 'X-Anyreach-Org: org_9c1', '/v1/agents');
is $status, 403, 'but not for another organization';
like $body, qr/organization_mismatch/, 'with the code';

($status, $body) = $example->curl('-i', @personal, '/v1/agents');
is $status, 401, 'a personal token without the header field';
like $body, qr/"detail":"Token is missing organization claim\."/, 'the message of the platform';
like $body, qr/^WWW-Authenticate: Bearer realm="agent platform", error="invalid_token", error_description="Token is missing organization claim\."\r$/m,
    'the challenge';
($status, $body) = $example->curl(@personal, '-H', 'X-Anyreach-Org: org_2f7', '/v1/agents');
is $status, 200, 'with it';
like $body, qr/subject=dana org=org_2f7 group= role=viewer scopes=agents:read calls:read /, 'who and as what';
($status) = $example->curl(@personal, '-H', 'X-Anyreach-Org: org_2f7', '-X', 'POST', '-d', '{}', '/v1/agents');
is $status, 403, 'a viewer writes nothing';
($status, $body) = $example->curl(@personal, '-H', 'X-Anyreach-Org: org_9c1', '/v1/agents');
is $status, 403, 'no member of another organization';
like $body, qr/not_a_member/, 'with the code';
($status) = $example->curl(@personal, '/v1/me');
is $status, 200, 'an endpoint that is bound to none';

($status) = $example->curl('-X', 'POST', '-d', '{}', '/v1/webhooks/stripe');
is $status, 200, 'webhooks are public';
($status) = $example->curl('/v1/widget/x.js');
is $status, 200, 'and so is the widget';
($status, $body) = $example->curl('-H', 'X-Token-Subject: root', '-H', 'X-Token-Org: org_2f7',
    '-H', 'X-Token-Scopes: *', '-H', 'Authorization: Bearer x', '/v1/webhooks/stripe');
is $body, "subject= org= group= role= scopes= credential=Bearer x length= uri=/v1/webhooks/stripe\n",
    'nobody speaks for another there';

my ($id) = $example->token('API_KEY') =~ /_([^.]+)\./;
$example->tokenctl('delete', $id);
ok $example->becomes(401, @key, '/v1/agents'), 'a deleted key fails with 401';
($status, $body) = $example->curl(@key, '/v1/agents');
like $body, qr/"code":"token_unknown"/, 'as an unknown one';
done_testing;
