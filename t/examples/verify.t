# Decisions for other proxies: a real second nginx, a real Caddy, and the requests that Traefik, Envoy and
# ingress-nginx send.
use strict;
use warnings;
use Test::More;
use TokenAuth::Example;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually free_port root_dir slurp spew);

my $example = TokenAuth::Example->new('verify');
my $dir = root_dir() . '/examples/verify';
sub bearer { return ('-H', 'Authorization: Bearer ' . $example->token("$_[0]_TOKEN")) }

# A file of the example, with this test's ports.
sub configuration {
    my ($name, $port) = @_;
    my ($gateway, $upstream) = ($example->port, $example->upstream);
    return slurp("$dir/$name") =~ s/\b8080\b/$gateway/gr =~ s/\b9000\b/$upstream/gr =~ s/\b8081\b/$port/gr;
}

# What every proxy that passes requests on must do.
sub guards {
    my ($proxy, $base, $passes_document) = @_;
    my ($status, $body) = $example->curl(bearer('REPORT'), "$base/agents/?a=%2F");
    is $status, 200, "$proxy: a token with the scope reads";
    like $body, qr/subject=tu-\S+ org=acme group= role= scopes=agents:read credential= /, 'the upstream learns who calls, and no credential';
    ($status, $body) = $example->curl(bearer('ANN'), '-H', 'X-Org-Id: acme', '-d', 'x=1', "$base/agents/");
    is $status, 200, 'a user writes';
    like $body, qr/subject=ann org=acme group= role=editor scopes=agents:\* sites:read .*length=3 /, 'as that user, with the body';
    my @forged = map { ('-H', "X-Token-$_: forged") } qw(Id Kind Subject Org Group Role Scopes);
    ($status, $body) = $example->curl(bearer('REPORT'), @forged, "$base/agents/");
    is $status, 200, 'with forged fields';
    unlike $body, qr/forged/, 'the upstream gets none of them';
    ($status, $body) = $example->curl(bearer('REPORT'), '-d', 'x=1', "$base/agents/");
    is $status, 403, 'a method without its scope';
    like $body, qr/"code":"scope_missing"/, 'with the document' if $passes_document;
    ($status) = $example->curl(bearer('REPORT'), '-H', 'X-Forwarded-Method: GET', '-H', 'X-Forwarded-Uri: /agents/', '-d', 'x=1', "$base/agents/");
    is $status, 403, 'whatever the client says of it';
    for my $path ('/sites/', '/', '/agents/../sites/', '/agents//', '/%61gents/', '/agentsx') {
        ($status) = $example->curl(bearer('REPORT'), '--path-as-is', "$base$path");
        is $status, 403, "no scope for $path";
    }
    ($status, $body) = $example->curl('-D', '-', "$base/agents/");
    is $status, 401, 'no token';
    like $body, qr/^WWW-Authenticate: Bearer realm="api"\r$/mi, 'the challenge comes through';
    ($status) = $example->curl('-H', 'Authorization: Bearer', "$base/agents/");
    is $status, 401, 'a malformed request';
    ($status) = $example->curl('-I', bearer('REPORT'), "$base/agents/");
    is $status, 200, 'HEAD';
    return;
}

{
    local $ENV{TEST_NGINX_LOAD_MODULES} = '';
    my $here = $example->dir . '/front';
    mkdir $here or die "$here: $!";
    my ($http) = configuration('front.conf', '%PORT%') =~ /^http \{\n(.*)^\}\n\z/ms or die 'no http block in front.conf';
    my $front = TokenAuth::Server->start(dir => $here, http => $http);
    guards('nginx', 'http://127.0.0.1:' . $front->port);
}

SKIP: {
    my ($version) = `caddy version 2>/dev/null` // '';
    skip 'no caddy', 1 unless $version;
    my $port = free_port();
    local $ENV{HOME} = $example->dir;
    my $caddyfile = spew($example->dir . '/Caddyfile', configuration('Caddyfile', $port));
    my $pid = TokenAuth::Server::spawn($example->dir . '/caddy.log', 'caddy', 'run', '--config', $caddyfile, '--adapter', 'caddyfile');
    ok eventually { `curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/` eq '401' }, 'caddy runs'
        or diag slurp($example->dir . '/caddy.log');
    guards('caddy', "http://127.0.0.1:$port", 1);
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

# The header of an answer, for proxies that are not here: what they would act on.
sub asked {
    my ($name, $expected, @arguments) = @_;
    my ($status, $text) = $example->curl('-D', '-', '-o', '/dev/null', @arguments);
    is $status, $expected, $name;
    return $text;
}

my @fields = qw(Id Kind Subject Org Group Role Scopes);
sub is_yes {
    my ($head, $name) = @_;
    is_deeply [ $head =~ /^X-Token-(\w+): /gm ], \@fields, "$name: all seven fields";
    like $head, qr/^X-Token-Org: acme\r$/m, "$name: the organization";
    like $head, qr/^X-Token-Group: \r$/m, "$name: an empty one";
    like $head, qr/^Content-Length: 0\r$/m, "$name: no body";
    return;
}

# pkg/middlewares/auth/forward.go: GET, the client's fields, and the X-Forwarded- ones.
sub traefik {
    my ($method, $uri, @client) = @_;
    return ('-A', 'curl/8.5.0', '-H', 'Accept-Encoding: gzip', @client, map({ ('-H', $_) } "X-Forwarded-Method: $method", 'X-Forwarded-Proto: https',
        'X-Forwarded-Host: api.example.com', "X-Forwarded-Uri: $uri", 'X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Server: traefik'), '/verify');
}
is_yes(asked('Traefik', 200, traefik('GET', '/agents/?x=1', bearer('REPORT'))), 'Traefik');
asked('Traefik, a method without its scope', 403, traefik('POST', '/agents/', bearer('REPORT'), '-H', 'Content-Type: application/grpc'));
asked('Traefik, another path', 403, traefik('GET', '/sites/', bearer('REPORT')));
like asked('Traefik, no token', 401, traefik('GET', '/agents/')), qr/^Content-Type: application\/problem\+json\r$/m, 'and the document';

# ext_authz over HTTP: the client's method and Host, the prefix and the client's path, no body, and of its fields those that are allowed.
sub envoy {
    my ($method, $path, @client) = @_;
    return ('--path-as-is', '-X', $method, @client, map({ ('-H', $_) } 'Host: api.example.com', 'Content-Length: 0', 'User-Agent:', 'Accept:',
        'x-envoy-internal: true', 'x-forwarded-for: 192.0.2.7', 'x-envoy-expected-rq-timeout-ms: 1000'), "/verify-envoy$path");
}
is_yes(asked('Envoy', 200, envoy('GET', '/agents/?x=1', bearer('REPORT'))), 'Envoy');
is_yes(asked('Envoy, a write', 200, envoy('DELETE', '/agents/1', bearer('ANN'), '-H', 'X-Org-Id: acme')), 'Envoy, a write');
asked('Envoy, a method without its scope', 403, envoy('DELETE', '/agents/1', bearer('REPORT')));
asked('Envoy, another path', 403, envoy('GET', '/sites/', bearer('REPORT')));
asked("Envoy, $_", 403, envoy('GET', $_, bearer('REPORT'), '-H', 'X-Forwarded-Method: GET', '-H', 'X-Forwarded-Uri: /sites/'))
    for '/agents/../sites/', '/../verify', '/other/';
asked('Envoy, no token', 401, envoy('GET', '/agents/'));

# The location that ingress-nginx makes of auth-url.
sub ingress {
    my ($method, $url, @client) = @_;
    return (@client, map({ ('-H', $_) } 'Host: gateway.default.svc.cluster.local', "X-Original-URL: $url", "X-Original-Method: $method",
        'X-Sent-From: nginx-ingress-controller', 'X-Real-IP: 192.0.2.7', 'X-Forwarded-For: 192.0.2.7', 'X-Auth-Request-Redirect: /',
        'X-Request-ID: 1', 'Connection: close'), '/verify-ingress');
}
is_yes(asked('ingress-nginx', 200, ingress('GET', 'https://api.example.com/agents/?x=1', bearer('REPORT'))), 'ingress-nginx');
asked('ingress-nginx, a method without its scope', 403, ingress('PUT', 'https://api.example.com/agents/', bearer('REPORT')));
asked("ingress-nginx, $_", 403, ingress('GET', "https://api.example.com$_", bearer('REPORT'))) for '/sites/agents/', '/', '/agents/%2e%2e/sites/';
asked('ingress-nginx, no token', 401, ingress('GET', 'https://api.example.com/agents/'));

# A token that is limited to addresses, by the address that the proxy saw.
my $limited = $example->tokenctl('create', '--org', 'acme', '--name', 'limited', '--scope', 'agents:read', '--allow', '192.0.2.7/32', '--expires', '30d');
chomp $limited;
my @limited = ('-H', "Authorization: Bearer $limited");
ok $example->becomes(200, traefik('GET', '/agents/', @limited)), "the client's address, not the proxy's";
asked('another address', 403, '-H', 'X-Forwarded-For: 192.0.2.8', '-H', 'X-Forwarded-Method: GET', '-H', 'X-Forwarded-Uri: /agents/', @limited, '/verify');

undef $example;
done_testing;
