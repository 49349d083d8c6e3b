# token_auth_recheck as real clients see it: curl, Python's websockets and grpcio.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually free_port slurp);
use Test::More;

my $python = '/usr/bin/python3';    # Debian's, which has Debian's modules
plan skip_all => 'no python3-grpcio or python3-websockets' if system "$python -c 'import grpc, websockets' 2>/dev/null";

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
my %port = map { $_ => free_port() } qw(http ws grpc h2);

# An event each tenth of a second, at /poll never one; an echo; an echo of each message of a call.
spew("$dir/servers.py", <<'END');
import asyncio, concurrent.futures, grpc, http.server, sys, threading, time, websockets

class Events(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        while self.path == '/poll':
            time.sleep(1)
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.end_headers()
        while True:
            self.wfile.write(b'data: x\n\n')
            time.sleep(0.1)

class Echo(grpc.GenericRpcHandler):
    def service(self, call):
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)

calls = grpc.server(concurrent.futures.ThreadPoolExecutor(), [Echo()])
calls.add_insecure_port('127.0.0.1:' + sys.argv[3])
calls.start()
events = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Events)
threading.Thread(target=events.serve_forever, daemon=True).start()

async def echo(socket):
    async for message in socket:
        await socket.send(message)

async def main():
    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[2])):
        await asyncio.Future()

asyncio.run(main())
END

spew("$dir/websocket.py", <<'END');
import asyncio, sys, websockets

async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        for message in ('first', 'second'):
            await socket.send(message)
            print(await socket.recv(), flush=True)
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            print(type(closed).__name__, flush=True)

asyncio.run(main())
END

# Calls on one channel. Once those of the first token have ended, one in its midst and one that has no answer
# yet, the other goes on.
spew("$dir/grpc_client.py", <<'END');
import grpc, queue, sys

channel = grpc.insecure_channel(sys.argv[1])

class Call:
    def __init__(self, token):
        self.messages = queue.Queue()
        self.answers = channel.stream_stream('/a.B/Call')(iter(self.messages.get, None), metadata=[('authorization', 'Bearer ' + token)], timeout=30)

    def say(self, message):
        self.messages.put(message)
        return next(self.answers).decode()

ending, silent, other = Call(sys.argv[2]), Call(sys.argv[2]), Call(sys.argv[3])
print(ending.say(b'first'), other.say(b'first'), flush=True)
for call in (ending, silent):
    try:
        next(call.answers)
    except grpc.RpcError as error:
        print(error.code().name, error.details(), flush=True)
print(other.say(b'second'), flush=True)
END

import_lines(map { token_line("live-$_", 'organization', organization => 'acme') } qw(curl websocket grpc));
tokensync('run');
my $store = store_dir();
my $servers = TokenAuth::Server::spawn("$dir/servers.log", $python, "$dir/servers.py", @port{qw(http ws grpc)});
END {
    local $?;
    kill 'KILL', $servers and waitpid $servers, 0 if $servers;
}
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    token_auth_recheck 300ms;
    proxy_http_version 1.1;
    proxy_buffering off;
    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:$port{h2} http2;
        token_auth api;
        location / { proxy_pass http://127.0.0.1:$port{http}; }
        location = /ws { token_auth api token=\$arg_token; proxy_pass http://127.0.0.1:$port{ws};
            proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade; }
        location /a.B/ { token_auth_error grpc; grpc_pass grpc://127.0.0.1:$port{grpc}; }
    }
END

# Starts a client, whose output goes to a file of its name.
my %client;
sub client {
    my ($name, @command) = @_;
    $client{$name} = TokenAuth::Server::spawn("$dir/$name.out", @command);
    return;
}

sub printed { return -e "$dir/$_[0].out" ? slurp("$dir/$_[0].out") : '' }

# Waits for a client's end; (its output, its exit status).
sub ended {
    my ($name) = @_;
    my $is_over = eventually { waitpid($client{$name}, 1) == $client{$name} };    # WNOHANG
    kill 'KILL', $client{$name} if !$is_over;
    return (printed($name), $is_over ? $? >> 8 : 'never');
}

my $base = '127.0.0.1:' . $server->port;
my $h2 = "127.0.0.1:$port{h2}";
my @curl = (qw(curl -sSN -H), 'Authorization: Bearer live-curl-token');
my @python = ($python, '-u');
ok eventually { grep { !system "$python -c 'import socket; socket.create_connection((\"127.0.0.1\", $_))' 2>/dev/null" } @port{qw(http ws grpc)} },
    'the upstreams serve';

client('events',      @curl, "http://$base/");
client('events-http2', @curl, '--http2-prior-knowledge', "http://$h2/");
client('poll',        @curl, '-w', ' %{http_code}', "http://$base/poll");
client('poll-http2',  @curl, '--http2-prior-knowledge', '-w', ' %{http_code}', "http://$h2/poll");
client('websocket',   @python, "$dir/websocket.py", "ws://$base/ws?token=live-websocket-token");
client('grpc',        @python, "$dir/grpc_client.py", $h2, 'live-grpc-token', 'acme-token');
ok eventually { printed('events') =~ /x.*x/s && printed('events-http2') =~ /x.*x/s && printed('websocket') =~ /second/ && printed('grpc') =~ /first/ },
    'all of them have their streams' or diag map { "$_: " . printed($_) } keys %client, 'servers';
sleep 1;
is scalar(grep { waitpid($_, 1) != 0 } values %client), 0, 'which go on after some rechecks';
tokenctl('revoke', "live-$_") for qw(curl websocket grpc);
tokensync('run');

my ($text, $status) = ended('events');
is $status, 18, 'curl, events: a partial file';
like $text, qr/transfer closed with outstanding read data remaining/, 'as it says';
($text, $status) = ended('events-http2');
is $status, 92, 'curl over HTTP/2: a stream that was not closed cleanly';
like $text, qr/INTERNAL_ERROR/, 'as it says';
for my $name (qw(poll poll-http2)) {
    ($text, $status) = ended($name);
    is $status, 0, "curl, $name: an answer";
    like $text, qr/"code":"token_revoked".* 401\z/, 'the refusal';
}
is_deeply [ ended('websocket') ], [ "first\nsecond\nConnectionClosedError\n", 0 ], 'websockets: closed, not by a close frame';
($text, $status) = ended('grpc');
is $status, 0, 'grpcio: the other call of the channel goes on' or diag $text;
is $text, "first first\n" . "UNAUTHENTICATED Token is revoked.\n" x 2 . "second\n", 'the calls end, with code and message';
unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
