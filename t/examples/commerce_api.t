use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use TokenAuth::Example;


my $example = TokenAuth::Example->new('commerce-api');
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
done_testing;
