# The directive token_auth_label: under which label requests are counted, and each of them once.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Metrics;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually slurp);
use TokenAuth::Wire;
use Test::More;

my $dir = gateway_dir() . '/server';
mkdir $dir or die "$dir: $!";
spew("$dir/secret", 'secret');
my $store = store_dir();

sub http {
    my ($label) = @_;
    return <<"END";
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:%PORT2% http2;
        root $dir;
        location = /metrics { token_auth off; token_auth_status prometheus; }
        token_auth api;
        $label
        location = /inherited { alias $dir/secret; }
        location = /own { alias $dir/secret; token_auth_label own; token_auth_scope nobody; }
        location = /open { token_auth off; token_auth_label open; return 204; }
        location = /anonymous { alias $dir/secret; token_auth_anonymous on; }
        location = /limited { alias $dir/secret; limit_except GET { token_auth_scope nobody; } }
        location = /again { try_files /nothing /own; }
        location = /satisfy { alias $dir/secret; satisfy any; allow all; }
        location = /page { alias $dir/secret; error_page 403 = /open; token_auth_scope nobody; }
        location = /sub { auth_request /ask; alias $dir/secret; }
        location = /ask { internal; return 204; }
        location = /lost { alias $dir/secret; token_auth_db $dir/nowhere; }
    }
END
}

my $port = free_port();
sub start {
    my ($label, %options) = @_;
    return TokenAuth::Server->start(dir => $dir, user => 'root', http => http($label) =~ s/%PORT2%/$port/r, %options);
}

my @acme = (Authorization => 'Bearer acme-token');
my $server = start('token_auth_label api-v1.x_2;');

subtest 'what requests count as' => sub {
    my $all = metrics($server);
    is_deeply [ sort grep { /requests_total\{label="own"/ } keys %$all ],
        [ sort map { qq(token_auth_requests_total{label="own",result="$_"}) }
            qw(ok anonymous preflight credentials_missing request_malformed token_malformed store_unavailable store_stale
            token_unknown token_revoked token_not_yet_valid token_expired address_not_allowed kind_not_allowed
            organization_missing organization_malformed organization_mismatch not_a_member organization_suspended group_missing
            role_missing scope_missing) ], 'every result of a label is there from the start';
    is_deeply results($all, 'own'), {}, 'and zero';
    is results($all, 'default')->{ok}, undef, 'no label that nobody is counted under';
    ok !(grep { /label="default"/ } keys %$all), 'not even its name';

    my %expected;
    for my $case (
        [ 'api-v1.x_2', 'ok',                  '/inherited', @acme ],
        [ 'api-v1.x_2', 'credentials_missing', '/inherited' ],
        [ 'api-v1.x_2', 'token_unknown',       '/inherited', Authorization => 'Bearer nobody' ],
        [ 'api-v1.x_2', 'token_revoked',       '/inherited', Authorization => 'Bearer revoked-token' ],
        [ 'own',        'scope_missing',       '/own',       @acme ],
        [ undef,        undef,                 '/open',      @acme ],
        [ 'api-v1.x_2', 'anonymous',           '/anonymous' ],
        [ 'api-v1.x_2', 'ok',                  '/limited',   @acme ],
        [ 'own',        'scope_missing',       '/again',     @acme ],    # checked twice
        [ 'api-v1.x_2', 'credentials_missing', '/satisfy' ],
        [ 'api-v1.x_2', 'scope_missing',       '/page',      @acme ],    # goes on where nobody checks
        [ 'api-v1.x_2', 'ok',                  '/sub',       @acme ],
        [ 'api-v1.x_2', 'store_unavailable',   '/lost',      @acme ],
        [ undef,        undef,                 '/metrics',   @acme ],
    ) {
        my ($label, $result, $path, @fields) = @$case;
        $server->get($path, @fields);
        $expected{$label}{$result}++ if defined $label;
        my $got = metrics($server);
        is_deeply { map { $_ => results($got, $_) } qw(api-v1.x_2 own) },
            { map { $_ => $expected{$_} // {} } qw(api-v1.x_2 own) }, "$path: " . ($result // 'not counted');
    }
    is_deeply results(metrics($server), 'open'), {}, 'nobody is counted where token_auth is off';
};

subtest 'kept-alive and HTTP/2 requests are counted one by one' => sub {
    my $before = results(metrics($server), 'own')->{scope_missing};
    my $socket = $server->connect;
    exchange($socket, 'GET', '/own', @acme) for 1 .. 3;
    close $socket;
    my $url = "http://127.0.0.1:$port/own";
    my $said = `curl -sS --http2-prior-knowledge -H 'Authorization: Bearer acme-token' $url 2>&1`;
    $? == 0 or die "curl: $said";
    is results(metrics($server), 'own')->{scope_missing}, $before + 4, 'three and one';
};

# Reloads with another label, and returns once new workers serve.
sub reload_with {
    my ($label) = @_;
    my $conf = slurp("$dir/nginx.conf");
    $conf =~ s/^ *token_auth api;\n.*\n/token_auth api;\n$label\n/m or die;
    spew("$dir/nginx.conf", $conf);
    my $ended = sub { return scalar(() = $server->errors =~ /worker process \d+ exited with code 0/g) };
    my $before = $ended->();
    $server->reload;
    eventually(sub { $ended->() > $before }) or die 'no reload: ' . $server->errors;
    return;
}

subtest 'kept over a reload, by name' => sub {
    my $before = metrics($server);
    reload_with('');
    my $after = metrics($server);
    is_deeply results($after, 'own'), results($before, 'own'), 'a label that stays';
    is_deeply results($after, 'default'), {}, 'a new one';
    ok !(grep { /label="api-v1/ } keys %$after), 'one that is gone is not shown';
    $server->get('/inherited', @acme);
    is_deeply results(metrics($server), 'default'), { ok => 1 }, 'the new one counts';
    reload_with('token_auth_label api-v1.x_2;');
    is_deeply results(metrics($server), 'api-v1.x_2'), results($before, 'api-v1.x_2'), 'one that is back has its numbers still';
};
$server->stop;

# 20 workers share 16 slots; each serves some of the requests, and each shows the sum.
subtest 'more workers than slots' => sub {
    $server = start('', main => 'worker_processes 20;');
    my @sockets = map { $server->connect } 1 .. 100;
    for my $socket (@sockets) {
        print $socket request('GET', '/inherited', @acme);
    }
    response($_) for @sockets;
    # A request is counted after it was answered.
    ok eventually(sub { results(metrics($server), 'default')->{ok} == 100 }), 'the sum, whoever is asked';
    is results(metrics($server), 'default')->{ok}, 100, 'again' for 1 .. 5;
    $server->stop;
};

subtest 'without a zone, requests go on uncounted' => sub {
    my $http = http('') =~ s/%PORT2%/$port/r =~ s/^.*token_auth_status.*\n//mr;
    $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => "token_auth_zone off;\n$http");
    is +($server->get('/inherited', @acme))[0], 200, 'let in';
    is +($server->get('/inherited'))[0], 401, 'refused';
    $server->stop;
};

subtest 'nginx -t' => sub {
    is nginx_t("token_auth_label $_; server { token_auth_label other; location / { token_auth_label $_; } }"), '', "label $_"
        for 'a', 'A.b_c-9', 'x' x 64;
    like nginx_t("token_auth_label $_;"),
        qr/\[emerg\] [^\n]*invalid name "[^\n]*" in "token_auth_label"; write 1 to 64 of A-Z a-z 0-9 \. _ - in [^\n]*test\.conf:\d+/, "label $_"
        for '""', '"a b"', 'ä', '$host', 'a/b', 'x' x 65;
    like nginx_t('token_auth_label a; token_auth_label b;'), qr/\[emerg\] [^\n]*"token_auth_label" directive is duplicate/, 'twice';
    like nginx_t('server { location / { limit_except GET { token_auth_label a; } } }'),
        qr/\[emerg\] [^\n]*"token_auth_label" directive is not allowed here/, 'in limit_except';
    my $labels = sub { return join ' ', map { "server { listen 127.0.0.1:1; server_name s$_; token_auth_label l$_; }" } 1 .. $_[0] };
    is nginx_t($labels->(64)), '', '64 labels';
    my $many = qr/\[emerg\] [^\n]*the label "(\w+)" of "token_auth_label" is one too many, there may be 64, "default" among them/;
    like nginx_t($labels->(65)), $many, '65 labels';
    like nginx_t($labels->(64) . ' server { token_auth api; }'), $many, '64 and the default one';
};

done_testing;
