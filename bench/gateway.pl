# nginx under load: an unprotected location, and the same one under each kind of protection.
use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex sha1_base64);
use File::Path qw(make_path remove_tree);
use Getopt::Long;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

use Bench::Process qw(on_cpu cpus cpu_seconds start_nginx start_server run);
use Bench::Report qw(machine median record);
use TokenAuth::Util qw(free_port slurp spew);

my %options = (tokens => 1_000_000, rounds => 5, seconds => 1, connections => 32);
GetOptions(\%options, qw(tokens=i rounds=i seconds=i connections=i record smoke)) && !@ARGV
    or do { print STDERR "bench gateway: see scripts/bench --help\n"; exit 2 };

my $root = $ENV{TOKEN_AUTH_ROOT} // die "run scripts/bench\n";
@options{qw(tokens rounds record)} = (2000, 0, 0) if $options{smoke};
my $build = $ENV{TOKEN_AUTH_BUILD};
my $dir = "$build/bench/gateway";
remove_tree($dir);
make_path("$dir/html");
my $tokens = $options{tokens};
my $few = $tokens < 10_000 ? $tokens : 10_000;
my $begun = time;

sub progress { printf STDERR "%4.0f s  %s\n", time - $begun, $_[0]; return }

# A store with that many organization tokens and a third as many user tokens; lists of both, and of as
# many unknown tokens.
my $all = int(($tokens * 4 + 2) / 3);
my %lists = map { $_ => "$dir/$_.txt" } qw(organization user unknown);
my $make_store = "$build/bench/make_store";
progress("makes a store of $tokens organization tokens and a third as many user tokens");
run($make_store, '--tokens', $all, '--db', "$dir/db", '--list', $lists{organization}, '--lines', $tokens);
run($make_store, '--users', '--list', $lists{user}, '--lines', int($all / 4));
run($make_store, '--list', $lists{unknown}, '--lines', $few, '--first', $all);

open my $in, '<', $lists{organization} or die "$lists{organization}: $!";
chomp(my @tokens = <$in>);
close $in;

# The tokens for the other kinds of protection.
progress('makes what the other ways look tokens up in');
spew("$dir/map_1", qq{"Bearer $tokens[0]" 1;\n});
spew("$dir/map_few", map { qq{"Bearer $_" 1;\n} } @tokens[ 0 .. $few - 1 ]);
spew("$dir/haproxy.map", map { uc(sha256_hex($_)) . " 1\n" } @tokens);
spew("$dir/map_digests", map { sha256_hex($_) . " 1;\n" } @tokens[ 0 .. $few - 1 ]);
spew("$dir/basic.txt", encode_base64("client:$tokens[0]", '') . "\n");
spew("$dir/htpasswd", 'client:{SHA}' . sha1_base64($tokens[0]) . "=\n");
spew("$dir/html/file", 'x' x 1024);
chmod 0755, $dir, "$dir/html";

# Redis with all the digests, on one of the processors.
sub start_redis {
    my ($cpu) = @_;
    my $name = "redis-$cpu";
    my $socket = "$dir/$name.sock";
    progress("starts Redis ($cpu)");
    my $redis = start_server(
        socket => $socket, log => "$dir/$name.log",
        command => [ on_cpu($cpu), 'redis-server', '--port', 0, '--unixsocket', $socket, '--save', '',
            '--appendonly', 'no', '--dir', $dir ]);
    open my $pipe, '|-', "redis-cli -s '$socket' --pipe >'$dir/$name-load.log'" or die "redis-cli: $!";
    binmode $pipe;
    for my $token (@tokens) {
        print $pipe "*3\r\n\$3\r\nSET\r\n\$34\r\nt:" . sha256($token) . "\r\n\$1\r\n1\r\n";
    }
    close $pipe or die "redis-cli failed: " . slurp("$dir/$name-load.log");
    return ($redis, $socket);
}

# A service for auth_request that lets everybody in without a look-up.
sub start_service {
    my ($cpu) = @_;
    progress("starts a service for auth_request ($cpu)");
    return start_nginx(dir => "$dir/service-$cpu", cpu => $cpu, http => <<"END");
    server { listen 127.0.0.1:%PORT%; location = /grant { return 204; } }
END
}

# The servers that others need beside nginx: on the load's processor, and on nginx's, as on a machine whose
# processors are all busy.
my %redis = map { $_ => [ start_redis($_) ] } qw(other measured);
my %service = map { $_ => start_service($_) } qw(other measured);

my $origin = start_nginx(dir => "$dir/origin", cpu => 'other', http => <<"END");
    server { listen 127.0.0.1:%PORT%; root $dir/html; }
END

# One nginx for each way, with the contents twice: at /open/ as they are, at /<way>/ protected.
sub gateway {
    my ($name, %way) = @_;
    my $upstream = "upstream origin { server 127.0.0.1:" . $origin->port . "; keepalive 64; }";
    my $contents = sub {
        my ($prefix, $protection) = @_;
        return <<"END";
        location = /$prefix/static  { $protection alias $dir/html/file; }
        location = /$prefix/204     { $protection %RETURN% }
        location = /$prefix/proxied { $protection proxy_pass http://origin/file; proxy_http_version 1.1; proxy_set_header Connection ""; }
END
    };
    my $locations = join '', $contents->('open', ''),
        map { $contents->($_, $way{locations}{$_}) } sort keys %{ $way{locations} };
    # "return" answers before the access phase; behind try_files it comes after it.
    $locations =~ s/%RETURN%/try_files \/none \@204;/g;
    my $http = join "\n", $upstream, $way{http} // '',
        'server { listen 127.0.0.1:%PORT%;', $way{server} // '', $locations,
        'location @204 { return 204; } }';
    progress("starts nginx with $name");
    return start_nginx(dir => "$dir/$name", cpu => 'measured', main => $way{main}, http => $http);
}

my $modules = '/usr/lib/nginx/modules';
my $lua = "load_module $modules/ndk_http_module.so; load_module $modules/ngx_http_lua_module.so;";
my $lua_path = "lua_package_path '$root/bench/gateway/?.lua;/usr/share/lua/5.1/?.lua;;';";
my $map = sub {
    my ($file, $variable) = @_;
    $variable //= '$http_authorization';
    return "map_hash_max_size 262144; map_hash_bucket_size 256; "
        . "map $variable \$known { default 0; include $dir/$file; }";
};
my $refuse = 'if ($known = 0) { return 401; }';

sub auth_request_to {
    my ($name, $cpu) = @_;
    my $port = $service{$cpu}->port;
    return { name => $name, locations => { request => 'auth_request /auth;' }, beside => [ $service{$cpu}->worker ],
        http => "upstream service { server 127.0.0.1:$port; keepalive 64; }",
        server => 'location = /auth { internal; proxy_pass http://service/grant; proxy_http_version 1.1; '
            . 'proxy_set_header Connection ""; proxy_pass_request_body off; proxy_set_header Content-Length ""; }' };
}

sub lua_with_redis {
    my ($name, $cpu) = @_;
    my ($redis, $socket) = @{ $redis{$cpu} };
    return { name => $name, main => $lua, http => $lua_path, beside => [ $redis->worker ],
        locations => { lua => "access_by_lua_block { require('auth').by_redis('unix:$socket') }" } };
}

my @ways = (
    { name => 'token_auth',
      main => "load_module $build/ngx_http_token_auth_module.so;", http => "token_auth_db $dir/db;",
      locations => {
          organization => 'token_auth api;',
          one => 'token_auth api;',
          hot => 'token_auth api;',
          user => 'token_auth api; token_auth_scope agents:read;',
          unknown => 'token_auth api;',
      },
      presents => {
          user => [ $lists{user}, int($all / 4), 'user' ],
          unknown => [ $lists{unknown}, $few, 'bearer' ],
          one => [ $lists{organization}, 1, 'bearer' ],
          hot => [ $lists{organization}, 1000, 'bearer' ],
      } },
    { name => 'auth_basic', locations => { basic => "auth_basic api; auth_basic_user_file $dir/htpasswd;" },
      presents => { all => [ "$dir/basic.txt", 1, 'basic' ] } },
    { name => 'map-1', http => $map->('map_1'), locations => { map => $refuse },
      presents => { all => [ $lists{organization}, 1, 'bearer' ] } },
    { name => 'map-10000', http => $map->('map_few'), locations => { map => $refuse },
      presents => { all => [ $lists{organization}, $few, 'bearer' ] } },
    auth_request_to('auth_request', 'other'),
    auth_request_to('auth_request-beside', 'measured'),
    { name => 'lua-dict', main => $lua, locations => { lua => 'access_by_lua_block { require("auth").by_dict() }' },
      http => "$lua_path lua_shared_dict tokens " . (int($tokens / 4000) + 16) . 'm; '
          . "init_by_lua_block { require('auth').load('$lists{organization}') }" },
    lua_with_redis('lua-redis', 'other'),
    lua_with_redis('lua-redis-beside', 'measured'),
    { name => 'njs', main => "load_module $modules/ngx_http_js_module.so;",
      http => "js_path $root/bench/gateway; js_import auth from auth.js; js_set \$digest auth.digest; "
          . $map->('map_digests', '$digest'),
      locations => { njs => $refuse }, presents => { all => [ $lists{organization}, $few, 'bearer' ] } },
);

# The measurements: { way, variant, content, url, process, presents }; "open" ones are the base of
# those of the same way and content.
my (@measured, @kept);
for my $way (@ways) {
    my $server = gateway($way->{name}, %$way);
    push @kept, $server;
    my $base = [ $lists{organization}, $tokens, 'bearer' ];
    for my $content (qw(static 204 proxied)) {
        for my $variant ('open', sort keys %{ $way->{locations} }) {
            my $presents = $way->{presents}{$variant} // $way->{presents}{all} // $base;
            push @measured, {
                way => $way->{name}, variant => $variant, content => $content,
                processes => [ $server->worker, $variant eq 'open' ? () : @{ $way->{beside} // [] } ],
                url => 'http://127.0.0.1:' . $server->port . "/$variant/$content", presents => $presents,
            };
        }
    }
}

progress('starts HAProxy');
my @ports = (free_port(), free_port());
my $origin_port = $origin->port;
my $frontend = sub {
    my ($name, $port, $check) = @_;
    return <<"END";
frontend $name
    bind 127.0.0.1:$port
    $check
    http-request return status 204 if { path /204 }
    default_backend origin
END
};
spew("$dir/haproxy.cfg", <<"END", $frontend->('open', $ports[0], ''), $frontend->('haproxy', $ports[1],
global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout client 300s
    timeout server 300s
    timeout connect 5s
    timeout http-keep-alive 300s
backend origin
    http-request set-path /file
    http-reuse always
    server origin 127.0.0.1:$origin_port
END
    "http-request deny deny_status 401 unless { http_auth_bearer,sha2(256),hex,map_str($dir/haproxy.map) -m found }"));
my $haproxy = start_server(port => $ports[1], log => "$dir/haproxy.log",
    command => [ on_cpu('measured'), 'haproxy', '-db', '-f', "$dir/haproxy.cfg" ]);
for my $content (qw(204 proxied)) {
    for my $i (0, 1) {
        push @measured, {
            way => 'haproxy', variant => ('open', 'haproxy')[$i], content => $content, processes => [ $haproxy->{pid} ],
            url => "http://127.0.0.1:$ports[$i]/$content", presents => [ $lists{organization}, $tokens, 'bearer' ],
        };
    }
}

# The loader would go on without it.
my $awake = "$build/bench/awake.so";
-e $awake or die "$awake is missing\n";

# One run of wrk; (requests/s, CPU microseconds a request or undef, [latencies in ms]).
sub load {
    my ($what) = @_;
    my $before = cpu_seconds(@{ $what->{processes} });
    my $text = run(on_cpu('other'), 'env', "LD_PRELOAD=$awake", 'wrk', '-t1', "-c$options{connections}", "-d$options{seconds}s",
        '-s', "$root/bench/gateway/present.lua", $what->{url}, '--', @{ $what->{presents} });
    my $after = cpu_seconds(@{ $what->{processes} });
    my ($requests, $duration, $refused, $failed, @latency) = $text =~ /^result ([\d ]+)$/m
        ? split ' ', $1 : die "wrk said nothing of use:\n$text";
    my $expected = $what->{variant} eq 'unknown' ? $requests : 0;
    die "$what->{url}: $refused of $requests answers were refusals, $failed requests failed\n"
        if $failed || $requests == 0 || $refused != $expected;
    return ($requests / ($duration / 1e6), defined $after ? ($after - $before) * 1e6 / $requests : undef,
        [ map { $_ / 1000 } @latency ]);
}

# The status that one request gets, with a line of the list in it.
sub status {
    my ($what, $line) = @_;
    my ($port, $path) = $what->{url} =~ m{:(\d+)(/.*)};
    my ($token, $organization) = split / /, $line;
    my $scheme = $what->{presents}[2] eq 'basic' ? 'Basic' : 'Bearer';
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: $scheme $token\r\n"
        . (defined $organization ? "X-Org-Id: $organization\r\n" : '') . "\r\n";
    my $text = do { local $/; <$socket> } // '';
    return $text =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0;
}

# A protection that lets everybody in, or nobody, would be quick, too.
for my $what (@measured) {
    my $ok = $what->{content} eq '204' ? 204 : 200;
    my $good = $what->{variant} eq 'unknown' ? 401 : $ok;
    my ($line) = split /\n/, slurp($what->{presents}[0]);
    my $got = status($what, $line);
    $got == $good or die "$what->{way} $what->{url}: $got for who is to get $good\n";
    my $bad = $what->{variant} eq 'open' || $what->{variant} eq 'request' ? $ok : 401;    # see /grant
    my $wrong = $what->{presents}[2] eq 'basic' ? encode_base64('client:wrong', '') : 'ak_wrong.token';
    $got = status($what, $wrong);
    $got == $bad or die "$what->{way} $what->{url}: $got for who is to get $bad\n";
}
if ($options{smoke}) {
    load($measured[1]);
    print scalar(@measured), " locations let in and refuse whom they should; nothing was timed\n";
    exit 0;
}

progress(scalar(@measured) . " measurements, $options{rounds} rounds");
my %base;
for my $round (0 .. $options{rounds}) {
    for my $what (@measured) {
        my ($rate, $cpu, $latency) = load($what);
        next if $round == 0;    # the first round maps memory and compiles code
        push @{ $what->{rate} }, $rate;
        push @{ $what->{cpu} }, $cpu if defined $cpu;
        push @{ $what->{latency} }, $latency;
        my $key = "$what->{way} $what->{content}";
        $base{$key} = $rate if $what->{variant} eq 'open';
        push @{ $what->{ratio} }, $rate / $base{$key};
    }
    progress($round == 0 ? 'warmed up' : "round $round of $options{rounds}");
}

my @rows = map {
    my $what = $_;
    +{
        (map { $_ => $what->{$_} } qw(way variant content)),
        (map { $_ => median(@{ $what->{$_} // [] }) } qw(rate cpu ratio)),
        latency => [ map { my $i = $_; median(map { $_->[$i] } @{ $what->{latency} }) } 0 .. 3 ],
    };
} @measured;

record('gateway', { options => \%options, machine => machine(), cpus => [ cpus() ], rows => \@rows },
    $options{record});
undef @kept;
remove_tree($dir);
exit 0;
