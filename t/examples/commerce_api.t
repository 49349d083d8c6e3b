use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use TokenAuth::Example;
use TokenAuth::Util qw(root_dir run_tool);

my $example = TokenAuth::Example->new('commerce-api', console => 1);
my $token = $example->token('TOKEN');
my @json = ('-H', 'Content-Type: application/json; charset=utf-8', '-d', '{"sku":"A-1","quantity":2}');

for my $value ("Token $token", "token $token", "Token  $token", "Token token=\"$token\"", "Bearer $token") {
    (my $form = $value) =~ s/\Q$token\E/…/;
    my ($status, $body) = $example->curl('-H', "Authorization: $value", '/api/products/');
    is $status, 200, $form;
    like $body, qr/org=shop .*credential= /, 'the upstream does not see it';
}
my ($status, $body) = $example->curl('-H', "Authorization: Token $token", @json, '/api/orders/');
is $status, 200, 'a POST with a JSON body';
like $body, qr/length=26 /, 'which reaches the upstream';

($status, $body) = $example->curl('-i', '-H', 'Authorization: Token nonsense', @json, '/api/orders/');
is $status, 401, 'an unknown token';
like $body, qr/"code":"token_unknown"/, 'with the code';
like $body, qr/^WWW-Authenticate: Token realm="shop", error="invalid_token"/m, 'and a challenge of its scheme';
($status, $body) = $example->curl('-H', 'Authorization: Token', '/api/products/');
is $status, 400, 'a scheme with nothing behind it';
like $body, qr/"code":"request_malformed"/, 'with the code';
($status) = $example->curl('/api/products/');
is $status, 401, 'no token';

# a token that the platform had issued before
my $old = '0123456789abcdef0123456789abcdef01234567';
open my $import, '|-', 'exec "$TOKEN_AUTH_BUILD/tokenctl" import - 2>/dev/null' or die "tokenctl: $!";
print $import '{"type":"token","id":"legacy-1","kind":"organization","organization":"shop","name":"Old key",'
    . '"role":"merchant","digest":"sha256:' . sha256_hex($old) . "\"}\n";
ok close($import), 'an old token is imported by its digest';
ok $example->becomes(200, '-H', "Authorization: Token $old", '/api/products/'), 'and goes on working';

# a token that a person's program retrieves, uses and revokes
my %env = (
    CONSOLE => $example->console, SHOP => 'http://127.0.0.1:' . $example->port, LOGIN => 'alice', PASSWORD => $example->token('PASSWORD'),
    # by which curl, requests and HTTPie, and Node trust the test's certificate
    CURL_CA_BUNDLE => $example->certificate, REQUESTS_CA_BUNDLE => $example->certificate, NODE_EXTRA_CA_CERTS => $example->certificate,
);
local @ENV{ keys %env } = values %env;
my $clients = root_dir() . '/examples/commerce-api/clients';
for (["$clients/curl.sh"], ["$clients/httpie.sh"], [ 'python3', "$clients/requests_client.py" ], [ 'node', "$clients/node.js" ]) {
    my ($name) = $_->[-1] =~ m{([^/]+)\z};
    my $result = run_tool($_);
    is $result->{status}, 0, "$name ends well" or diag $result->{err};
    is $result->{out} =~ s/^\s*\n//mgr, "200\n401\n", 'its token is let in, and refused once it is revoked';
}
{
    local $ENV{PASSWORD} = 'wrong';
    isnt run_tool(["$clients/curl.sh"])->{status}, 0, 'a wrong password gets none';
}
done_testing;
