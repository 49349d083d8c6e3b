# Changes to a token's user, role or organization take effect in nginx, for a request that waits for its
# access phase, too; and allow-lists see the client's address after realip.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/secret", "secret\n");

import_lines(token_line('addresses', 'organization', organization => 'acme',
    allow => [ '192.0.2.0/24', '2001:db8::/32' ]));
tokensync('run');
my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    limit_req_zone \$token_auth_id zone=tokens:1m rate=30r/m;
    server {
        listen 127.0.0.1:%PORT%;
        root $dir/html;
        token_auth api;
        token_auth_db $store;
        location = /read { token_auth_scope agents:read; alias $dir/html/secret; }
        location = /later { limit_req zone=tokens burst=1; alias $dir/html/secret; }
        location = /write { token_auth_scope agents:write; alias $dir/html/secret; }
    }
END

# The code of the answer, or "let in".
sub code {
    my ($path, $token, @headers) = @_;
    my ($status, undef, $body) = $server->get($path, Authorization => "Bearer $token", @headers);
    return $status == 200 ? 'let in' : $body =~ /"code":"(\w+)"/ ? $1 : $status;
}

for (
    [ '192.0.2.7', 'let in' ], [ '198.51.100.7', 'address_not_allowed' ], [ '2001:db8::7', 'let in' ],
    [ '2001:db9::7', 'address_not_allowed' ], [ '::ffff:192.0.2.7', 'let in' ],
) {
    my ($address, $expected) = @$_;
    is code('/secret', 'addresses-token', 'X-Real-IP' => $address), $expected, "from $address";
}
is code('/secret', 'addresses-token'), 'address_not_allowed', 'from the address of the connection';

# Each change, a request, its answer, and the change that undoes it.
my @alice = ('/read', 'alice-token', 'X-Org-Id' => 'acme');
my @reader = ('/read', 'acme-devs-token');
for (
    [ [qw(org suspend acme)], \@reader, 'organization_suspended', [qw(org resume acme)] ],
    [ [qw(org suspend acme)], \@alice,  'organization_suspended', [qw(org resume acme)] ],
    [ [qw(user disable alice)], \@alice, 'token_revoked', [qw(user enable alice)] ],
    [ [qw(user disable tu-acme-devs)], \@reader, 'token_revoked', [qw(user enable tu-acme-devs)] ],
    [ [qw(role set reader sites:read)], \@reader, 'scope_missing', [qw(role set reader agents:read)] ],
    [ [qw(member remove alice acme)], \@alice, 'not_a_member', [qw(member add alice acme --role admin)] ],
    [ [qw(member add alice acme --role reader)], [ '/write', @alice[ 1 .. 3 ] ], 'scope_missing',
        [qw(member add alice acme --role admin)] ],
) {
    my ($change, $request, $expected, $undo) = @$_;
    is code(@$request), 'let in', 'before';
    tokenctl(@$change);
    tokensync('run');
    is code(@$request), $expected, "@$change";
    tokenctl(@$undo);
    tokensync('run');
    is code(@$request), 'let in', "@$undo";
}
is code('/later', 'globex-token'), 'let in', 'a request in time';
my $later = $server->connect;
print $later "GET /later HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer globex-token\r\nConnection: close\r\n\r\n";
sleep 1;    # nginx asks for the key, and lets the request wait for two seconds
tokenctl(qw(revoke globex));
tokensync('run');
my $answer = do { local $/; <$later> };
like $answer, qr/"code":"token_revoked"/, 'revoked while the request waited';

tokenctl(qw(user remove --force alice));
tokensync('run');
is code(@alice), 'token_unknown', 'a user who is gone';
tokenctl(qw(org remove --force acme));
tokensync('run');
is code(@reader), 'token_unknown', 'an organization that is gone';
done_testing;
