# CONNECT, which nginx 1.31 passes on: the fields and the status of a proxy. An older nginx answers 405.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Wire;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
my ($version) = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{/1\.(\d+)};
plan skip_all => 'this nginx has no tunnel_pass' if !defined $version || $version < 31;

spew("$dir/users", "acme:{PLAIN}acme\n");
my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        token_auth api;
        tunnel_pass 127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT};
    }
    server {
        listen 127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT};
        return 200 "tunnelled\\n";
    }
    server {
        listen unix:$dir/any.sock;
        satisfy any;
        token_auth api;
        auth_basic users;
        auth_basic_user_file $dir/users;
        tunnel_pass 127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT};
    }
END

# Connects; (status, head, body).
sub tunnel {
    my ($socket, @fields) = @_;
    my $head = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    print $socket "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n$head\r\n";
    return response($socket);
}

my @cases = (
    [ 407, 'credentials_missing' ],
    [ 407, 'credentials_missing', Authorization => 'Bearer acme-token' ],
    [ 407, 'token_expired', 'Proxy-Authorization' => 'Bearer expired-token' ],
    [ 400, 'request_malformed', 'Proxy-Authorization' => 'Bearer' ],
    [ 403, 'address_not_allowed', 'Proxy-Authorization' => 'Token elsewhere-token' ],
);
for my $case (@cases) {
    my ($wanted, $code, @fields) = @$case;
    my ($status, $head, $body) = tunnel($server->connect, @fields);
    is $status, $wanted, $code;
    like $body, qr/"title":"(?:Proxy Authentication Required|Bad Request|Forbidden)","status":$wanted,.*"code":"$code"/, 'its document';
    is_deeply [ map { /^(\w+) realm="api"/ } fields($head, 'Proxy-Authenticate') ], [qw(Bearer Token)], 'its challenges';
    unlike $head, qr/WWW-Authenticate/, 'none of an origin';
    like $head, qr/^Cache-Control: no-store\r$/m, 'not to be stored';
}
for my $scheme (qw(Bearer Token)) {
    my $socket = $server->connect;
    my ($status, $head) = tunnel($socket, 'Proxy-Authorization' => "$scheme acme-token");
    is $status, 200, "let in by $scheme";
    unlike $head, qr/Authenticate|no-store/, 'without a trace';
    is +(exchange($socket, 'GET', '/'))[2], "tunnelled\n", 'and tunnelled';
}

require IO::Socket::UNIX;
my ($status, $head) = tunnel(IO::Socket::UNIX->new("$dir/any.sock"), 'Proxy-Authorization' => 'Basic YWNtZTphY21l');
is $status, 200, 'satisfy any, let in by a password';
unlike $head, qr/Authenticate|no-store/, 'without a trace';
($status, $head) = tunnel(IO::Socket::UNIX->new("$dir/any.sock"));
is $status, 407, 'satisfy any, refused by both';
is_deeply [ map { /^(\w+)/ } fields($head, 'Proxy-Authenticate') ], [qw(Bearer Token Basic)], 'challenged by both';

unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
