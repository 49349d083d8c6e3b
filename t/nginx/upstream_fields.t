# The include file token_auth_params: the fields that the upstream gets, byte for byte, and that a
# client cannot add any.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Wire;
use IO::Socket::INET;
use Test::More;

# An upstream that answers with the header of the request.
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
my $upstream = fork // die "fork: $!";
if ($upstream == 0) {
    while (my $client = $listener->accept) {
        my $head = '';
        while (defined(my $line = <$client>)) {
            last if $line eq "\r\n";
            $head .= $line;
        }
        print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n$head";
        close $client;
    }
    require POSIX;
    POSIX::_exit(0);
}
END { local $?; kill 'KILL', $upstream and waitpid $upstream, 0 if $upstream; }

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
spew("$dir/users", "acme:{PLAIN}acme\n");

my ($store, $root, $to) = (store_dir(), $ENV{TEST_NGINX_ROOT}, 'http://127.0.0.1:' . $listener->sockport);
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    underscores_in_headers on;
    ignore_invalid_headers off;
    map \$request_method \$realm { default api; OPTIONS off; }
    include $root/conf/token_auth_params;
    server {
        listen 127.0.0.1:%PORT%;
        location / { token_auth api; proxy_pass $to; }
        location /anonymous { token_auth api; token_auth_anonymous on; proxy_pass $to; }
        location /off { proxy_pass $to; }
        location /realm { token_auth \$realm; proxy_pass $to; }
        location /key { token_auth api token=\$http_x_api_key; proxy_pass $to; }
        location /satisfy {
            satisfy any;
            token_auth api;
            auth_basic users;
            auth_basic_user_file $dir/users;
            proxy_pass $to;
        }
        location /address { satisfy any; token_auth api; allow all; proxy_pass $to; }
        location /redirected { token_auth api; try_files /nothing \@named; }
        location \@named { proxy_pass $to; }
        location /subrequest { auth_request /auth; token_auth api; proxy_pass $to; }
        location = /auth { internal; proxy_pass_request_body off; proxy_pass $to; }
        location /error { token_auth api; error_page 401 = \@open; proxy_pass $to; }
        location \@open { token_auth off; proxy_pass $to; }
    }
END

# The fields that the upstream got, without nginx's own.
sub upstream_got {
    my ($method, $path, @fields) = @_;
    my (undef, undef, $body) = exchange($server->connect, $method, $path, @fields);
    $body =~ s/\A[^\n]*\n//;
    return join '', grep { !/^(?:Host|Connection): / } split /^/, $body =~ s/\r//gr;
}

my @acme = (Authorization => 'Bearer acme-token');
is upstream_got('GET', '/', @acme), <<'END', "an organization's token";
X-Token-Id: acme
X-Token-Kind: organization
X-Token-Subject: tu-acme
X-Token-Org: acme
X-Token-Scopes: agents:read agents:write
END

is upstream_got('GET', '/', Authorization => 'Token acme-devs-token'), <<'END', "a group's token";
X-Token-Id: acme-devs
X-Token-Kind: group
X-Token-Subject: tu-acme-devs
X-Token-Org: acme
X-Token-Group: devs
X-Token-Role: reader
X-Token-Scopes: agents:read sites:read
END

is upstream_got('GET', '/', Authorization => 'Bearer alice-token', 'X-Org-Id' => 'acme'), <<'END', "a user's token";
X-Token-Id: alice
X-Token-Kind: user
X-Token-Subject: alice
X-Token-Org: acme
X-Token-Role: admin
X-Token-Scopes: *
X-Org-Id: acme
END

is upstream_got('GET', '/anonymous'), '', 'anonymous: nothing';
is upstream_got('GET', '/off', @acme), '', 'off: nothing, and no credential';
is upstream_got('GET', '/redirected', @acme), upstream_got('GET', '/', @acme), 'after an internal redirect';
like upstream_got('GET', '/key', 'X-Api-Key' => 'acme-token'), qr/^X-Token-Id: acme$/m,
    'a token from a field of its own';
is upstream_got('GET', '/satisfy', Authorization => 'Basic YWNtZTphY21l'), '', 'let in by a password';
is upstream_got('GET', '/error', Authorization => 'Bearer expired-token'), '',
    'denied, and sent on by error_page: a refused token speaks for nobody';
is upstream_got('GET', '/address', Authorization => 'Bearer revoked-token'), '',
    'revoked, and let in by its address: nor does it here';

# Every spelling that an upstream may take for the same name.
my @names = qw(Id Kind Subject Org Group Role Scopes);
my @spoofs;
for my $name (@names) {
    push @spoofs, map { $_ => 'spoofed' } "X-Token-$name", "x-token-\L$name", "X-TOKEN-\U$name", "X_Token_$name",
        "X.Token.$name", "X-Token_$name", "x_token-\L$name", "X~Token~$name", "X-Token+$name", "X!TOKEN-\U$name";
}

my %places = (
    '/'           => [ 'let in',                          'GET',     @acme ],
    '/anonymous'  => [ 'anonymous',                       'GET' ],
    '/off'        => [ 'enforcement off',                 'GET' ],
    '/realm'      => [ 'a realm that evaluates to off',   'OPTIONS' ],
    '/satisfy'    => [ 'let in by a password',            'GET', Authorization => 'Basic YWNtZTphY21l' ],
    '/address'    => [ 'let in by an address',            'GET' ],
    '/redirected' => [ 'after an internal redirect',      'GET', @acme ],
    '/key'        => [ 'a token from a field of its own', 'GET', 'X-Api-Key' => 'acme-token' ],
    '/subrequest' => [ 'beside auth_request',             'GET', @acme ],
    '/error'      => [ 'denied, and sent on by error_page', 'GET' ],
);
for my $path (sort keys %places) {
    my ($name, $method, @fields) = @{ $places{$path} };
    my $expected = upstream_got($method, $path, @fields);
    is upstream_got($method, $path, @fields, @spoofs), $expected, "$name: no field of the client's gets through";
    is upstream_got($method, $path, @spoofs, @fields), $expected, "$name: nor in front of the credential";
}

# The credential: stripped, whatever its scheme.
unlike upstream_got('GET', $_, Authorization => 'Bearer acme-token'), qr/^Authorization:/mi,
    "$_: no Authorization field"
    for qw(/ /off /anonymous /redirected);

# Other fields stay as they are.
is upstream_got('GET', '/off', 'X-Token' => 'a', 'X-Token-Ids' => 'b', 'X-Tokens-Id' => 'c', 'X-Token-I' => 'd',
    'Xtoken-Id' => 'e', 'X_Request_Id' => 'f'), <<'END', 'other fields pass';
X-Token: a
X-Token-Ids: b
X-Tokens-Id: c
X-Token-I: d
Xtoken-Id: e
X_Request_Id: f
END

unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
