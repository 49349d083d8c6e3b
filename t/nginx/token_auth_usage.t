# The directive token_auth_usage: the tokens that were used since a cursor.
use strict;
use warnings;
use lib 't/lib';
use IO::Socket::UNIX;
use JSON::PP;
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
my $socket = "$dir/nginx.sock";

sub http {
    my (%with) = @_;
    $with{zone} //= '4m';
    $with{usage} //= 'token_auth_usage;';
    return <<"END";
    token_auth_db $store;
    token_auth_zone $with{zone};
    server {
        listen 127.0.0.1:%PORT%;
        listen [::1]:%PORT%;
        listen unix:$socket;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        location = /usage { $with{usage} }
        location = /public { token_auth_usage public; }
        location = /guarded { token_auth_usage public; token_auth api; }
        location = /metrics { token_auth_status prometheus; }
        location = /secret { alias $dir/secret; token_auth api; }
        location = /anonymous { alias $dir/secret; token_auth api; token_auth_anonymous on; }
        location = /again { token_auth api; try_files /nothing /secret; }
        location = /scope { alias $dir/secret; token_auth api; token_auth_scope nobody; }
        location = /satisfy { alias $dir/secret; token_auth api; token_auth_scope nobody; satisfy any; allow all; }
    }
END
}

sub start { my (%with) = @_; return TokenAuth::Server->start(dir => $dir, user => 'root', main => $with{main}, http => http(%with)) }

sub acme { return (Authorization => 'Bearer ' . ($_[0] // 'acme') . '-token') }

# One request through the Unix socket: (status, head, body).
sub local_get {
    my ($path, @fields) = @_;
    my $stream = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!";
    return exchange($stream, 'GET', $path, @fields);
}

# Asks a round: the lines' objects by id, and the last line. Counts of a token are added up.
sub round {
    my ($cursor) = @_;
    my (%uses, $end);
    do {
        my ($status, undef, $body) = local_get('/usage' . (defined $cursor ? "?cursor=$cursor" : ''));
        $status == 200 or die $status;
        my @lines = map { decode_json($_) } split /\n/, $body;
        $end = pop @lines;
        for my $line (@lines) {
            $uses{ $line->{id} } = { %$line, count => $line->{count} + ($uses{ $line->{id} }{count} // 0) };
        }
        $cursor = $end->{cursor};
    } while $end->{more};
    return (\%uses, $end);
}

# The same, once it is as wanted: other workers note what they let in at the end of their event loop's round.
sub round_when {
    my ($wanted, $cursor) = @_;
    my @round;
    eventually(sub { @round = round($cursor); $wanted->(@round) });
    return @round;
}

sub counts {
    my ($uses) = @_;
    return { map { $_ => $uses->{$_}{count} } keys %$uses };
}

my $server = start();

# Reloads, and returns once the workers before are gone.
sub reload {
    my $ended = sub { return scalar(() = $server->errors =~ /worker process \d+ exited with code 0/g) };
    my $before = $ended->();
    $server->reload;
    return eventually(sub { $ended->() > $before });
}

subtest 'who was let in' => sub {
    my ($uses, $end) = round();
    is_deeply $uses, {}, 'nobody so far';
    like $end->{cursor}, qr/\A[0-9a-f]+-\d+\z/, 'a cursor';
    $server->get('/secret', acme()) for 1 .. 3;
    $server->get('/secret', acme('bob'), 'X-Org-Id' => 'acme', 'X-Real-IP' => '192.0.2.9');
    $server->get('/secret', acme('acme-devs'), 'X-Real-IP' => '2001:db8::9');
    local_get('/secret', acme('globex'));
    $server->get('/again', acme('acme-admin'));    # checked twice
    $server->get('/anonymous', acme('acme-reader'));
    $server->get('/anonymous');
    $server->get('/secret', acme($_)) for qw(revoked expired elsewhere nobody);
    $server->get($_, acme('forever')) for qw(/scope /satisfy);
    my (undef, $head) = local_get('/usage');
    like $head, qr{^Content-Type: application/jsonl\r$}m, 'Content-Type';
    ($uses, my $next) = round($end->{cursor});
    is_deeply counts($uses),
        { acme => 3, bob => 1, 'acme-devs' => 1, globex => 1, 'acme-admin' => 1, 'acme-reader' => 1 }, 'and how often';
    is_deeply { map { $_ => $uses->{$_}{address} } qw(acme bob acme-devs globex) },
        { acme => '127.0.0.1', bob => '192.0.2.9', 'acme-devs' => '2001:db8::9', globex => undef }, 'from where';
    cmp_ok abs(time - $uses->{acme}{time}), '<', 60, 'when';
    is $next->{lost}, 0, 'none is lost';

    is_deeply counts((round($end->{cursor}))[0]), counts($uses), 'asking clears nothing';
    is_deeply +(round($next->{cursor}))[0], {}, 'nothing since';
    $server->get('/secret', acme());
    is_deeply counts((round($next->{cursor}))[0]), { acme => 1 }, 'what is new';
    is scalar(keys %{ (round())[0] }), 6, 'all, without a cursor';
    is_deeply counts((round('last'))[0]), { acme => 1 }, 'since the last cursor that was used';
};

subtest 'who may ask' => sub {
    is +($server->get('/usage'))[0], 403, 'nobody over TCP';
    is +($server->get('/usage', 'X-Real-IP' => 'unix:'))[0], 403, 'not by a field either';
    is +($server->get('/public'))[0], 200, 'but where it is public';
    is +($server->get('/guarded'))[0], 401, 'which may be guarded';
    is +($server->get('/guarded', acme()))[0], 200, 'by a token';
    my $stream = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!";
    is +(exchange($stream, 'POST', '/usage', body => 'x'))[0], 405, 'POST';
    is +(exchange($stream, 'HEAD', '/usage'))[0], 200, 'HEAD';
};

subtest 'cursors' => sub {
    my (undef, $end) = round();
    my $epoch = $end->{epoch};
    is +(local_get("/usage?cursor=$_"))[0], 400, "malformed: $_"
        for 'x', '-', '1', '1-', '1-2-', '1-2-3', '1-2-3-4-5', '1--2', "$epoch-999999", "$epoch-0-999999-1", "$epoch-3-2-1",
        "$epoch-0-1-16384", "$epoch-99999999999999999999", '1-2%20';
    my ($uses, $next) = round('1-7');
    is scalar(keys %$uses), 6, 'one of another epoch: the whole table';
    is $next->{epoch}, $epoch, 'and the epoch of this one';
    is +(local_get('/usage?cursor='))[0], 200, 'an empty one is none';
};

subtest 'a reload and a restart' => sub {
    my (undef, $end) = round();
    $server->get('/secret', acme());
    ok reload(), 'reloaded';
    my ($uses, $next) = round($end->{cursor});
    is_deeply counts($uses), { acme => 1 }, 'kept';
    is $next->{epoch}, $end->{epoch}, 'in the same epoch';
    $server->stop;
    $server = start();
    ($uses, $next) = round($end->{cursor});
    is_deeply $uses, {}, 'a restart begins anew';
    isnt $next->{epoch}, $end->{epoch}, 'which the epoch tells';
};

subtest 'more requests in a round of the event loop than are noted together' => sub {
    my ($worker) = split ' ', `ps -o pid= --ppid @{[ $server->pid ]}`;
    my @streams = map { $server->connect } 1 .. 200;
    (exchange($_, 'GET', '/anonymous'))[0] == 200 or die 'not let in' for @streams;
    my (undef, $end) = round();
    my %wanted;
    kill 'STOP', $worker;
    for my $i (0 .. $#streams) {
        my $token = (qw(acme acme-devs acme-admin))[ $i % 3 ];
        ++$wanted{$token};
        print { $streams[$i] } request('GET', '/secret', acme($token));
    }
    kill 'CONT', $worker;
    (response($_))[0] == 200 or die 'not let in' for @streams;
    my ($uses, $next) = round($end->{cursor});
    is_deeply counts($uses), \%wanted, 'each counts';
    is $next->{lost}, $end->{lost}, 'none is lost';
    kill 'STOP', $worker;
    print { $_ } request('GET', '/secret', acme()) for @streams[ 0 .. 9 ];
    $server->reload;
    kill 'CONT', $worker;
    (response($_))[0] == 200 or die 'not let in' for @streams[ 0 .. 9 ];
    ok eventually(sub { !kill 0, $worker }), 'a worker that is told to exit';
    is_deeply counts((round($next->{cursor}))[0]), { acme => 10 }, 'has noted what it let in';
};

subtest 'where nobody asks, nothing is noted' => sub {
    $server->stop;
    $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => http(usage => 'return 204;') =~ s/token_auth_usage public;/return 204;/gr);
    $server->get('/secret', acme());
    my $conf = slurp("$dir/nginx.conf") =~ s/(location = .usage \{).*/$1 token_auth_usage; }/r;
    spew("$dir/nginx.conf", $conf);
    ok reload(), 'a reload that adds the location';
    is_deeply +(round())[0], {}, 'what came before is not known';
    $server->get('/secret', acme());
    is_deeply counts((round())[0]), { acme => 1 }, 'what comes after is';
    $server->stop;
};

subtest 'more tokens than have room, over several workers' => sub {
    my @ids = map { "many$_" } 1 .. 400;
    import_lines(map { token_line($_, 'organization', organization => 'acme') } @ids);
    tokensync('run');
    $server = start(zone => '48k', main => 'worker_processes 20;');
    my @streams = map { $server->connect } 1 .. 40;
    for my $i (0 .. $#ids) {
        my $stream = $streams[ $i % @streams ];
        my ($status) = exchange($stream, 'GET', '/secret', acme($ids[$i]));
        $status == 200 or die $status;
    }
    my ($uses, $end) = round_when(sub { $_[1]{lost} + keys %{ $_[0] } >= 400 });
    cmp_ok scalar(keys %$uses), '<', 400, 'not all are kept';
    cmp_ok scalar(keys %$uses), '>', 100, 'many are';
    is $end->{lost} + keys %$uses, 400, 'the others are counted as lost';
    is metrics($server)->{token_auth_usage_lost_total}, $end->{lost}, 'by the status, too';
    my @known = keys %$uses;
    exchange($streams[ $_ % @streams ], 'GET', '/secret', acme($known[$_])) for 0 .. $#known;
    my ($again, $next) = round_when(sub { keys %{ $_[0] } >= @known }, $end->{cursor});
    is_deeply counts($again), { map { $_ => 1 } @known }, 'what has room is told of by any worker, once';
    my @others = (grep { !$uses->{$_} } @ids)[ 0 .. 9 ];
    exchange($streams[0], 'GET', '/secret', acme($_)) for @others;
    my $now = sub { return $_[1]{lost} >= $end->{lost} + 10 };
    is +(round_when($now, $next->{cursor}))[1]{lost}, $end->{lost} + 10, 'what no cursor has confirmed is lost if it makes room';
    my ($rest, $last) = round('last');
    exchange($streams[0], 'GET', '/secret', acme($_)) for (grep { !$rest->{$_} } @others, @ids)[ 0 .. 9 ];
    is +(round('last'))[1]{lost}, $last->{lost}, 'what was confirmed makes room and is not';
    $server->stop;
};

subtest 'nginx -t' => sub {
    like nginx_t('token_auth_usage;'), qr/"token_auth_usage" directive is not allowed here/, 'outside of a location';
    like nginx_t('server { location / { token_auth_usage all; } }'),
        qr/\[emerg\] [^\n]*invalid parameter "all" of "token_auth_usage", it takes "public" or nothing/, 'an unknown parameter';
    like nginx_t('server { location / { token_auth_usage; token_auth_usage public; } }'), qr/"token_auth_usage" directive is duplicate/, 'twice';
};

done_testing;
