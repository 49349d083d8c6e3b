# A denial keeps the connection usable: nginx reads the rest of the request and answers the next one.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Wire;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/secret", "secret\n");

my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    client_max_body_size 32m;
    server {
        listen 127.0.0.1:%PORT%;
        root $dir/html;
        location / { token_auth api; }
        location /html/ { token_auth api; token_auth_error html; alias $dir/html/; }
        location /grpc/ { token_auth api; token_auth_error grpc; alias $dir/html/; }
        location = /verify { token_auth api; token_auth_verify; }
        location /page/ { token_auth api; error_page 400 401 403 /denied.txt; alias $dir/html/; }
        location /closing/ { token_auth api; error_page 400 /closed.txt; alias $dir/html/; }
        location = /closed.txt { keepalive_timeout 0; return 200 "closed\n"; }
        location /last/ { token_auth api; error_page 400 /last.txt; alias $dir/html/; }
        location = /last.txt { keepalive_requests 1; return 200 "last\n"; }
        location = /denied.txt { return 200 "denied\\n"; }
        location = /lost { token_auth api; token_auth_db $dir/nowhere; }
    }
END

my @token = (Authorization => 'Bearer acme-token');
my @expired = (Authorization => 'Bearer expired-token');
my $large = 'x' x (4 << 20);

# Sends a request that is denied and one that is let in, over the same connection.
sub goes_on {
    my ($name, $status, @request) = @_;
    my $socket = $server->connect;
    my ($got, $head) = eval { exchange($socket, @request) };
    my ($next, undef, $body) = eval { exchange($socket, 'GET', '/secret', @token) };
    is_deeply [ $got, $next, $body ], [ $status, 200, "secret\n" ], "$name: the connection goes on"
        or diag $@ || $head;
    return;
}

goes_on('GET', 401, 'GET', '/secret');
goes_on('HEAD', 401, 'HEAD', '/secret');
goes_on('HEAD in html', 401, 'HEAD', '/html/secret');
for my $place ('/secret', '/html/secret', '/page/secret') {
    goes_on("POST $place", 401, 'POST', $place, body => 'x');
    goes_on("POST $place without a body", 401, 'POST', $place, body => '');
    goes_on("POST $place, large", 401, 'POST', $place, body => $large);
    goes_on("POST $place, chunked", 401, 'POST', $place, chunked => [ 'x', 'y' x 100 ]);
    goes_on("POST $place, chunked and large", 401, 'POST', $place, chunked => [ ($large) x 2 ]);
    goes_on("POST $place, 403", 403, 'POST', $place, body => $large,
        Authorization => 'Bearer elsewhere-token');
    goes_on("POST $place, 400", 400, 'POST', $place, body => 'x', Authorization => 'Bearer');
    goes_on("POST $place, 400 and large", 400, 'POST', $place, body => $large,
        Authorization => 'Bearer');
    goes_on("POST $place, malformed organization", 400, 'POST', $place, chunked => [$large],
        Authorization => 'Bearer bob-token', 'X-Org-Id' => 'a b');
    goes_on("GET $place, 400", 400, 'GET', $place, Authorization => 'Bearer');
}
for my $case ([ 'no credentials' ], [ 'a malformed one', Authorization => 'Bearer' ]) {
    my ($name, @fields) = @$case;
    goes_on("gRPC, $name", 200, 'POST', '/grpc/secret', body => $large, 'Content-Type' => 'application/grpc', @fields);
    goes_on("token_auth_verify, $name", 401, 'POST', '/verify', body => $large, @fields);
}
goes_on('token_auth_verify, let in', 200, 'POST', '/verify', body => $large, @token);
goes_on('POST, 503', 503, 'POST', '/lost', body => $large, @token);
goes_on('POST of a client that waits for 100 Continue', 401, 'POST', '/secret', body => 'x' x 1000,
    Expect => '100-continue');

# A body that comes after the answer.
{
    my $socket = $server->connect;
    print $socket "POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345";
    my ($status, undef, $body) = response($socket);
    is $status, 401, 'the answer does not wait for the body';
    like $body, qr/credentials_missing/, 'it is whole';
    print $socket '67890', request('GET', '/secret', @token);
    is_deeply [ (response($socket))[ 0, 2 ] ], [ 200, "secret\n" ], 'the rest is read off';
}

# An error_page whose location keeps no connection: the answer says what nginx does.
for my $path (qw(/closing/secret /last/secret)) {
    my $socket = $server->connect;
    my ($status, $head) = exchange($socket, 'GET', $path, Authorization => 'Bearer');
    is_deeply [ $status, field($head, 'Connection') ], [ 400, 'close' ], "$path: announced";
    is eval { (response($socket))[0] }, 0, "$path: and closed";
}

# Pipelined.
{
    my $socket = $server->connect;
    print $socket request('GET', '/secret'), request('GET', '/secret', @token),
        request('POST', '/secret', body => 'GET /secret HTTP/1.1', @expired),
        request('HEAD', '/secret'), request('GET', '/secret', Authorization => 'Bearer'),
        request('POST', '/secret', chunked => ['abc'], @expired), request('GET', '/secret', @token);
    my @status = map { (response($socket, $_))[0] } qw(GET GET POST HEAD GET POST GET);
    is_deeply \@status, [ 401, 200, 401, 401, 400, 401, 200 ], 'pipelined requests';
}

# A token counts for its request, not for the connection.
{
    my $socket = $server->connect;
    my @status = map { (exchange($socket, 'GET', '/secret', @$_))[0] } \@token, [], \@token, \@expired, [];
    is_deeply \@status, [ 200, 401, 200, 401, 401 ], 'no credentials are kept';
}

unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
