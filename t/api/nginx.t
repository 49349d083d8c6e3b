# tokenapi behind a real nginx with conf/token_auth_console.conf.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Api;
use TokenAuth::Console;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Util qw(spew);

# Slow clients: 10,000, or as many as nginx may have open (it closes idle ones when few
# more fit). With its own timeouts they would not last as long as the test on a slow machine.
my ($files) = `sh -c 'ulimit -Hn'` =~ /(\d+)/ ? $1 : 1e6;
my $slow_clients = $files > 13_000 ? 10_000 : int($files / 1.3);
my $nginx_files = int($slow_clients * 1.2 + 100);
if (!$ENV{TOKEN_AUTH_TEST_FILES}) {
    $ENV{TOKEN_AUTH_TEST_FILES} = 1;
    exec 'sh', '-c', qq(ulimit -Sn $nginx_files && exec "\$0" "\$@"), $^X, "-I$FindBin::Bin/../lib", $0;
}

# in place of the console's files
my $console = tempdir('token-auth-files-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $console;
mkdir "$console/assets";
spew("$console/index.html", 'the page');
spew("$console/assets/main-1.js", 'x' x 1000);

my $password = 'correct horse battery';
my $secret = File::Temp->new;
print $secret "the secret of single sign-on, 32 bytes\n";
$secret->flush;
my $login = TokenAuth::Login->start(args => [ '--sso-header', 'X-Remote-User', '--sso-secret', $secret->filename, '--auth-token' ]);
my $api = $login->api;
$login->person('ann', $password);
$login->ctl(qw(org add acme));
$login->ctl(qw(role set maker auth:tokens:write agents:read));
$login->ctl(qw(member add ann acme --role maker));
my $token = $login->token(qw(--org acme --role maker --scope * --scope auth:*));
my $local = $login->token(qw(--org acme --role maker --scope agents:read --allow 127.0.0.1));
# The server above must not reach this one.
my $nginx = TokenAuth::Console->start(api => $api, console => $console, connections => $nginx_files, edit => sub { s/(client_(?:header|body)_timeout +)10s/${1}60s/g }, http => <<'END');
token_auth_db off.mdb;
token_auth "all";
gzip on;
gzip_types *;
gzip_min_length 1;
gzip_proxied any;
END
my $origin = 'http://127.0.0.1:' . $nginx->port;

# One request; options as of TokenAuth::Api->call.
sub call {
    my ($method, $target, %options) = @_;
    my %headers = (Host => '127.0.0.1:' . $nginx->port, %{ $options{headers} // {} });
    $headers{Authorization} = "Bearer $options{bearer}" if defined $options{bearer};
    $headers{Cookie} = $options{cookie} if defined $options{cookie};
    $headers{Origin} = $options{origin} if defined $options{origin};
    if (exists $options{json}) {
        $options{body} = JSON::PP->new->utf8->encode($options{json});
        $headers{'Content-Type'} = 'application/json';
    }
    my $connection = $nginx->connect;
    print $connection TokenAuth::Api::request_text($method, $target, %options, headers => \%headers);
    return TokenAuth::Api::read_answer($connection, head => $method eq 'HEAD') // { status => 0 };
}
sub code { return "$_[0]{status} " . ($_[0]{json} // {})->{code} // '' }

subtest 'requests go through' => sub {
    is call('GET', '/healthz')->{body}, "ok\n", 'without a token, whatever the other servers want';
    my $me = call('GET', '/api/v1/me', bearer => $token, headers => { 'Accept-Encoding' => 'gzip' });
    is $me->{status}, 200, 'a token';
    is $me->{headers}{'content-encoding'}, undef, 'not compressed';
    is $me->{headers}{'cache-control'}, 'no-store', 'nor to be kept';
    is code(call('GET', '/api/v1/me', headers => { 'X-Token-Subject' => 'ann' })), '401 credentials_missing', 'nobody';
    is call('POST', '/oauth/introspect', bearer => $token, body => "token=$token", headers => { 'Content-Type' => 'application/x-www-form-urlencoded' })->{json}{active},
        JSON::PP::true, 'a form';
    my $made = call('POST', '/api/v1/organizations/acme/tokens', bearer => $token, json => { name => 'New', scopes => ['agents:read'], expires => '1d' });
    is $made->{status}, 201, 'a token is made';
    is call('GET', '/api/v1/me', bearer => $made->{json}{token})->{status}, 200, 'and works';
    is code(call('PUT', '/api/v1/me', bearer => $token)), '405 method_not_allowed', 'problem documents';
    is code(call('POST', '/api/v1/organizations/acme/tokens', bearer => $token, json => {})), '422 fields_invalid', 'with their codes';
};

subtest 'the client' => sub {
    is call('GET', '/api/v1/me', bearer => $local)->{status}, 200, 'its address is known';
    is code($login->call('GET', '/me', bearer => $local)), '403 address_not_allowed', 'as it is not without nginx';
    is code(call('GET', '/api/v1/me', bearer => $login->token(qw(--org acme --role maker --allow 192.0.2.1)), headers => { 'X-Real-IP' => '192.0.2.1' })),
        '403 address_not_allowed', 'and cannot be claimed';
};

subtest 'single sign-on' => sub {
    my %fields = ('X-Remote-User' => 'ann', 'X-Sso-Secret' => 'the secret of single sign-on, 32 bytes');
    is $login->call('POST', '/session/sso', origin => 'https://localhost', headers => \%fields)->{status}, 200, 'by its fields';
    is code(call('POST', '/api/v1/session/sso', origin => $origin, headers => \%fields)), '401 login_failed', 'which clients do not pass on';
    is code(call('POST', '/api/v1/session/sso', origin => $origin, headers => { map { (lc, $fields{$_}) } keys %fields })), '401 login_failed', 'in any case';
};

my $cookie;
subtest 'a session' => sub {
    my $answer = call('POST', '/api/v1/session', json => { username => 'ann', password => $password }, origin => $origin);
    is $answer->{status}, 200, 'begins, from a page with a port';
    $cookie = cookie_of($answer);
    is call('GET', '/api/v1/me', cookie => $cookie)->{json}{user}, 'ann', 'is known';
    is code(call('PATCH', '/api/v1/me', cookie => $cookie, json => {}, origin => 'http://127.0.0.1:1')), '403 origin_not_allowed', 'but to no other page';
    is call('PATCH', '/api/v1/me', cookie => $cookie, json => { display_name => 'Ann' }, origin => $origin)->{status}, 200, 'than ours';
};

subtest 'paths' => sub {
    my $before = $api->metrics->{'token_auth_api_requests_total{operation="getMetrics",status="200"}'} // 0;
    for ('/metrics', '/metrics?x', '/%6detrics', '//metrics', '/./metrics', '/api/../metrics', '/api/v1/..%2f..%2fmetrics', '/api/v1/%2e%2e/%2e%2e/metrics',
        '/oauth/..//metrics', '/healthz/../metrics', "http://127.0.0.1/metrics", '/metrics/', '/loginx', '/index.html', '/assets/', '/assets/..%2findex.html') {
        is call('GET', $_)->{status}, 404, "$_ is not public";
    }
    is $api->metrics->{'token_auth_api_requests_total{operation="getMetrics",status="200"}'}, $before + 1, 'nor asked for';
    is code(call('GET', $_, bearer => $token)), '404 not_found', "$_ goes on as it is"
        for '/api/v1//me', '/api/v1/me/', '/api/v1/tokens/a%2Fb', '/api/v1/../v1/me', '/api/v1/organizations/%2e%2e/me', '/oauth/../api/v1/me';
    is call('GET', '/api/v1/m%65', bearer => $token)->{status}, 200, 'encoded or not';
};

subtest 'the console' => sub {
    for ('/', '/login', '/account/tokens', '/organizations/acme.org/groups/ops/tokens?status=active', '/admin/users') {
        my $answer = call('GET', $_);
        is "$answer->{status} $answer->{body}", '200 the page', $_;
    }
    my $page = call('GET', '/login')->{headers};
    is $page->{'content-security-policy'}, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        'it loads and does no more than it must';
    is $page->{'cache-control'}, 'no-cache', 'and is asked for anew';
    like qx{curl -s -D - -o /dev/null --compressed $origin/assets/main-1.js}, qr/^Content-Encoding: gzip/m, 'its files are compressed';
    my $file = call('GET', '/assets/main-1.js')->{headers};
    like $file->{'cache-control'}, qr/immutable/, 'and kept';
    is_deeply [ map { $_->{'content-type'} } $page, $file ], [ 'text/html', 'text/javascript' ], 'they say what they are';
    is $_->{'x-content-type-options'}, 'nosniff', 'nothing is guessed' for $page, $file;
    is call('GET', '/assets/none.js')->{status}, 404, 'no page in place of a file';
};

subtest 'bodies' => sub {
    my $url = '/api/v1/organizations/acme/tokens';
    my %json = (bearer => $token, headers => { 'Content-Type' => 'application/json' });
    my $body = '{"name":"' . 'x' x (64 * 1024 - 11) . '"}';
    is length $body, 64 * 1024, '64 KiB';
    is code(call('POST', $url, %json, body => $body)), '422 fields_invalid', 'arrive';
    my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack('(a100)*', $body), '';
    $json{headers}{'Transfer-Encoding'} = 'chunked';
    is code(call('POST', $url, %json, body => $chunked, unframed => 1)), '422 fields_invalid', 'in chunks, too';
    delete $json{headers}{'Transfer-Encoding'};
    my $refused = call('POST', $url, %json, body => "$body ");
    is code($refused), '413 body_too_large', 'a byte more does not';
    is_deeply [ @{ $refused->{headers} }{qw(content-type cache-control x-content-type-options)} ], [ 'application/problem+json', 'no-store', 'nosniff' ], 'as tokenapi says it';
    is $refused->{body}, $login->call('POST', '/organizations/acme/tokens', %json, body => "$body ")->{body}, 'word for word';
    unlike $nginx->errors, qr/temporary file/, 'nothing is written to a file';
};

subtest 'many log-ins from an address' => sub {
    my ($served, $refused) = (0, undef);
    for (1 .. 40) {
        my $answer = call('POST', '/api/v1/auth_token', json => {});
        $answer->{status} == 429 ? ($refused = $answer) : $served++;
    }
    ok $served >= 15, "some go through ($served)";
    is code($refused), '429 throttled', 'not all';
    is $refused->{headers}{'retry-after'}, 2, 'when to come again';
    like code(call('POST', '/api/v1/session', json => {}, origin => $origin)), qr/\A429 /, 'of all kinds together';
    like code(call('PUT', '/api/v1/me/password', json => {}, cookie => $cookie, origin => $origin)), qr/\A429 /, 'passwords, too';
    is call('DELETE', '/api/v1/session', cookie => $cookie, origin => $origin)->{status}, 204, 'logging out is none';
    is call('GET', '/api/v1/me', bearer => $token)->{status}, 200, 'nor anything else';
};

subtest 'slow clients' => sub {
    my @beginnings = (
        "PATCH /api/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n",
        "PATCH /api/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        "PATCH /api/v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{",
        'GET /api/v1/me HT', '',
    );
    my @slow = map { my $connection = $nginx->connect; print $connection $beginnings[ $_ % @beginnings ]; $connection } 1 .. $slow_clients;
    my @took = map { my $begin = time; call('GET', '/api/v1/me', bearer => $token)->{status} == 200 ? time - $begin : 1000 } 1 .. 100;
    my ($median, $longest) = (sort { $a <=> $b } @took)[ 50, 99 ];
    note sprintf '%d slow clients: %.1f ms, at most %.1f ms', scalar @slow, 1000 * $median, 1000 * $longest;
    cmp_ok $longest, '<', 1, 'keep nobody waiting';
    cmp_ok $median, '<', 0.1, 'at all';
    cmp_ok $api->metrics->{token_auth_api_connections}, '<', 20, 'nor do they reach tokenapi';
    my @ended = IO::Select->new(@slow)->can_read(0);
    cmp_ok scalar @ended, '<', @slow / 10, 'while they are there';
};

subtest 'without tokenapi' => sub {
    $api->stop;
    my $answer = call('GET', '/api/v1/me', bearer => $token);
    is code($answer), '503 overloaded', 'a problem document';
    is $answer->{headers}{'retry-after'}, 5, 'when to come again';
    unlike $nginx->errors, qr/\Q$token\E|\Q$password\E/, 'the log holds no secret';
};

done_testing;
