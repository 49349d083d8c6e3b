# token_auth_error grpc with real gRPC: Python's grpcio as client and as server, through grpc_pass.
use strict;
use warnings;
use lib 't/lib';
use JSON::PP;
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually free_port slurp);
use Test::More;

my $python = '/usr/bin/python3';    # Debian's, which has Debian's grpcio
plan skip_all => 'no python3-grpcio' if system "$python -c 'import grpc' 2>/dev/null";

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";

# Answers each message with the call's metadata; a method whose name ends with "One" answers once.
spew("$dir/server.py", <<'END');
import concurrent.futures, grpc, json, sys

def echo(requests, context):
    seen = {key: value for key, value in context.invocation_metadata()}
    for request in requests:
        yield json.dumps(seen).encode() + request

def echo_one(requests, context):
    return list(echo(requests, context))[0]

class Echo(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method.endswith('One'):
            return grpc.stream_unary_rpc_method_handler(echo_one)
        return grpc.stream_stream_rpc_method_handler(echo)

server = grpc.server(concurrent.futures.ThreadPoolExecutor(), [Echo()])
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
END

# Makes calls, all on one channel: lines of JSON, [path, kind of call, metadata]. A failed call gives its code,
# message and trailing metadata.
spew("$dir/client.py", <<'END');
import grpc, json, sys

channel = grpc.insecure_channel(sys.argv[1])

def call(path, kind, metadata):
    invoke = getattr(channel, kind)(path + ('One' if kind.endswith('unary') else ''))
    request = b'' if kind.startswith('unary') else iter([b'x' * 10000] * 20)
    answer = invoke(request, metadata=list(metadata.items()), timeout=20)
    answers = [answer] if kind.endswith('unary') else list(answer)
    return {'code': 'OK', 'answers': len(answers), 'metadata': json.JSONDecoder().raw_decode(answers[0].decode())[0]}

for line in sys.stdin:
    try:
        result = call(*json.loads(line))
    except grpc.RpcError as error:
        trailing = {}
        for key, value in error.trailing_metadata() or ():
            trailing.setdefault(key, []).append(value)
        result = {'code': error.code().name, 'message': error.details(), 'metadata': trailing}
    print(json.dumps(result))
END

my ($store, $up) = (store_dir(), free_port());
my $upstream = TokenAuth::Server::spawn("$dir/server.log", $python, "$dir/server.py", "127.0.0.1:$up");
END {
    local $?;
    kill 'TERM', $upstream and waitpid $upstream, 0 if $upstream;
}
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    token_auth_error grpc;
    log_format result '\$status \$token_auth_result';
    server {
        listen 127.0.0.1:%PORT% http2;
        access_log $dir/access.log result;
        token_auth api;
        location / { grpc_pass grpc://127.0.0.1:$up; }
        location /scope/ { token_auth_scope sites:write; grpc_pass grpc://127.0.0.1:$up; }
        location /lost/ { token_auth_db $dir/nowhere; grpc_pass grpc://127.0.0.1:$up; }
        location /open/ { token_auth off; grpc_pass grpc://127.0.0.1:$up; }
        location /page/ { error_page 401 =403 /page; grpc_pass grpc://127.0.0.1:$up; }
        location = /page { token_auth off; add_header grpc-status 8 always; add_header grpc-message mine always; default_type application/grpc; return 204; }
    }
END

my $json = JSON::PP->new->canonical;
sub calls {
    my $calls = spew("$dir/calls", map { $json->encode($_) . "\n" } @_);
    return map { $json->decode($_) } `$python $dir/client.py 127.0.0.1:${\ $server->port} <$calls 2>$dir/client.log`;
}

ok eventually { (calls([ '/open/Call', 'unary_unary', {} ]))[0]{code} eq 'OK' }, 'the upstream serves';

sub bearer { return { authorization => "Bearer $_[0]" } }
my @cases = (
    [ '/a.B/Call', {}, 'UNAUTHENTICATED', 'Authentication is required.' ],
    [ '/a.B/Call', bearer('expired-token'), 'UNAUTHENTICATED', 'Token has expired.' ],
    [ '/a.B/Call', bearer('elsewhere-token'), 'PERMISSION_DENIED', 'Client address is not allowed for this token.' ],
    [ '/scope/Call', bearer('acme-token'), 'PERMISSION_DENIED', 'Token lacks the required scope.' ],
    [ '/a.B/Call', { authorization => 'Bearer' }, 'INVALID_ARGUMENT', 'Authorization header is malformed.' ],
    [ '/lost/Call', bearer('acme-token'), 'UNAVAILABLE', 'Token store is unavailable.' ],
    [ '/a.B/Call', bearer('acme-token'), 'OK' ],
    [ '/page/Call', {}, 'RESOURCE_EXHAUSTED', 'mine' ],
);
my @kinds = qw(unary_unary unary_stream stream_unary stream_stream);
my @got = calls(map { my ($path, $metadata) = @$_; map { [ $path, $_, $metadata ] } @kinds } @cases);
for my $case (@cases) {
    my ($path, undef, $code, $message) = @$case;
    for my $kind (@kinds) {
        my $got = shift @got;
        my $name = "$kind, " . ($message // 'let in');
        is $got->{code}, $code, "$name: code";
        is $got->{message}, $message, "$name: message" if defined $message;
        is $got->{answers}, $kind eq 'stream_stream' ? 20 : 1, "$name: answers" if $code eq 'OK';
        if ($code eq 'OK') {
            is $got->{metadata}{'x-token-id'}, 'acme', "$name: the upstream knows who calls";
            ok !exists $got->{metadata}{authorization}, "$name: and has no credential";
        } elsif ($path eq '/scope/Call') {
            is_deeply $got->{metadata}{'www-authenticate'},
                [ map { "$_ realm=\"api\", error=\"insufficient_scope\", error_description=\"$message\", scope=\"sites:write\"" } qw(Bearer Token) ],
                "$name: the challenges say which";
        }
    }
}
like slurp("$dir/access.log"), qr/^200 token_expired$/m, 'the log has the status that was sent, and the result';

done_testing;
