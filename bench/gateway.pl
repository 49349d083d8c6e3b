# nginx under load: unprotected, protected by this module, and by what else one could put before it.
use strict;
use warnings;

use Digest::SHA qw(sha256);
use File::Path qw(make_path remove_tree);
use Getopt::Long;
use IO::Socket::INET;
use IPC::Open2;
use List::Util qw(shuffle);
use Time::HiRes qw(time);

use Bench::Process qw(on_cpu cpus start_nginx start_server run);
use Bench::Report qw(machine median quartiles record);
use TokenAuth::Util qw(slurp spew);
use TokenAuth::Wire;

my %options = (tokens => 1_000_000, rounds => 100, slice => 12, connections => 32);
GetOptions(\%options, qw(tokens=i rounds=i slice=i connections=i only=s record smoke)) && !@ARGV
    && !(grep { $_ <= 0 } @options{qw(tokens rounds slice connections)}) && !($options{only} && $options{record})
    or do { print STDERR "bench gateway: see scripts/bench --help\n"; exit 2 };

my $root = $ENV{TOKEN_AUTH_ROOT} // die "run scripts/bench\n";
my $build = $ENV{TOKEN_AUTH_BUILD};
@options{qw(tokens record)} = (2000, 0) if $options{smoke};
my %only = map { $_ => 1 } qw(unprotected organization), split /,/, $options{only} // '';
sub is_asked { return !$options{only} || $only{ $_[0] } }
$options{smoke} || cpus() > 1 or die "bench gateway: needs two processors, one for the servers and one for the load\n";
my $dir = "$build/bench/gateway";
remove_tree($dir);
make_path("$dir/html");
my $tokens = $options{tokens};
my $begun = time;

sub progress { printf STDERR "%4.0f s  %s\n", time - $begun, $_[0]; return }

# The figures of scripts/bench instructions: kind of token => instructions that the module adds.
sub instructions {
    progress('counts instructions');
    my $text = run($^X, (map { "-I$_" } @INC), "$root/bench/instructions.pl");
    return { $text =~ /^(organization|user|unknown) +(\d+)/mg };
}
my $instructions = $options{smoke} || $options{only} ? {} : instructions();

# A store with that many organization tokens and a third as many user tokens, and lists of both.
my $all = int(($tokens * 4 + 2) / 3);
my %lists = map { $_ => "$dir/$_.txt" } qw(organization user);
my $make_store = "$build/bench/make_store";
progress("makes a store of $tokens organization tokens and a third as many user tokens");
run($make_store, '--tokens', $all, '--db', "$dir/db", '--list', $lists{organization}, '--lines', $tokens);
run($make_store, '--users', '--list', $lists{user}, '--lines', int($all / 4));
spew("$dir/html/file", 'x' x 1024);
chmod 0755, $dir, "$dir/html";

# Redis with the digests of all organization tokens.
sub start_redis {
    progress('starts Redis');
    my $socket = "$dir/redis.sock";
    my $redis = start_server(
        socket => $socket, log => "$dir/redis.log",
        command => [ on_cpu('measured'), 'redis-server', '--port', 0, '--unixsocket', $socket, '--save', '',
            '--appendonly', 'no', '--dir', $dir ]);
    open my $pipe, '|-', "redis-cli -s '$socket' --pipe >'$dir/redis-load.log'" or die "redis-cli: $!";
    open my $in, '<', $lists{organization} or die "$lists{organization}: $!";
    binmode $pipe;
    while (my $token = <$in>) {
        chomp $token;
        print $pipe "*3\r\n\$3\r\nSET\r\n\$34\r\nt:" . sha256($token) . "\r\n\$1\r\n1\r\n";
    }
    close $pipe or die "redis-cli failed: " . slurp("$dir/redis-load.log");
    return ($redis, $socket);
}

# The servers that others ask run on nginx's processor, as on a machine whose processors are all busy.
my ($redis, $socket) = is_asked('lua') ? start_redis() : ();
my $service = start_nginx(dir => "$dir/service", cpu => 'measured', http => <<"END");
    server { listen 127.0.0.1:%PORT%; location = /grant { return 204; } }
END
my $service_port = $service->port;

my $modules = '/usr/lib/nginx/modules';
my %token_auth = (
    main => "load_module $build/ngx_http_token_auth_module.so;", http => "token_auth_db $dir/db;",
    protection => 'token_auth api; token_auth_scope agents:read;', refuses => 1);
my @variants = (
    { name => 'unprotected', protection => '' },
    { name => 'organization', %token_auth },
    { name => 'usage', %token_auth, server => 'location = /usage { token_auth_usage public; }' },
    { name => 'no_zone', %token_auth, http => "token_auth_db $dir/db; token_auth_zone off;" },
    { name => 'user', %token_auth, list => $lists{user}, lines => int($all / 4) },
    { name => 'hot', %token_auth, lines => 1000 },
    { name => 'auth_request', protection => 'auth_request /auth;', beside => $service,
      http => "upstream service { server 127.0.0.1:$service_port; keepalive 64; }",
      server => 'location = /auth { internal; proxy_pass http://service/grant; proxy_http_version 1.1; '
          . 'proxy_set_header Connection ""; proxy_pass_request_body off; proxy_set_header Content-Length ""; }' },
    { name => 'lua', beside => $redis, refuses => 1,
      main => "load_module $modules/ndk_http_module.so; load_module $modules/ngx_http_lua_module.so;",
      http => "lua_package_path '$root/bench/gateway/?.lua;/usr/share/lua/5.1/?.lua;;';",
      protection => "access_by_lua_block { require('auth').by_redis('unix:" . ($socket // '') . "') }" },
);
my @unknown = grep { my $name = $_; !grep { $_->{name} eq $name } @variants } keys %only;
!@unknown or die "bench gateway: no variant @unknown; there are: @{[ map { $_->{name} } @variants ]}\n";
@variants = grep { is_asked($_->{name}) } @variants;
my %statuses = (static => 200, 204 => 204);

# An nginx of a variant's own. "return" answers before the access phase; behind try_files it comes after it.
sub start_variant {
    my ($variant) = @_;
    my ($protection, $http, $server) = map { $_ // '' } @$variant{qw(protection http server)};
    return start_nginx(dir => "$dir/$variant->{name}", cpu => 'measured', main => $variant->{main}, http => <<"END");
$http
server {
    listen 127.0.0.1:%PORT%;
    $server
    location = /static { $protection alias $dir/html/file; }
    location = /204    { $protection try_files /none \@204; }
    location \@204      { return 204; }
}
END
}

# The status that a request with a line of a list gets.
sub status {
    my ($port, $path, $line) = @_;
    my ($token, $organization) = split / /, $line;
    my $connection = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    my ($status) = exchange($connection, 'GET', $path, Authorization => "Bearer $token",
        defined $organization ? ('X-Org-Id' => $organization) : ());
    return $status;
}

# A protection that lets everybody in would be quick, too. (The service of auth_request does: it looks nothing up.)
sub check {
    my ($row, $refuses) = @_;
    my $wrong = status(@$row{qw(port path)}, 'ak_wrong.token');
    my $expected = $refuses ? 401 : $row->{status};
    $wrong == $expected or die "$row->{variant} $row->{path}: $wrong for an unknown token, not $expected\n";
    return;
}

# The rows: variant, content, and what bench/load.cpp needs.
my (@rows, @kept);
for my $variant (@variants) {
    progress("starts nginx: $variant->{name}");
    my $nginx = start_variant($variant);
    push @kept, $nginx;
    for my $content (sort keys %statuses) {
        push @rows, {
            variant => $variant->{name}, content => $content, port => $nginx->port, path => "/$content",
            status => $statuses{$content}, list => $variant->{list} // $lists{organization},
            lines => $variant->{lines} // $tokens,
            pids => join(' ', map { $_->worker } grep { defined } $nginx, $variant->{beside}),
        };
        check($rows[-1], $variant->{refuses});
    }
}
spew("$dir/rows", map { join(' ', @$_{qw(port path status list lines pids)}) . "\n" } @rows);
my $load_pid = open2(my $replies, my $orders, on_cpu('other'), "$build/bench/load", "$dir/rows", $options{connections});

# A slice of a row: its requests, seconds, and seconds of processor time.
sub slice {
    my ($row, $milliseconds) = @_;
    print $orders "$row $milliseconds\n";
    my $line = <$replies> // die "the load ended: see above\n";
    my ($requests, $elapsed, $used) = split ' ', $line;
    return ($requests, $elapsed / 1e9, $used / 1e9);
}

if ($options{smoke}) {
    slice($_, $options{slice}) for 0 .. $#rows;
    print scalar(@rows), " locations let in and refuse whom they should; nothing was timed\n";
    exit 0;
}

# Worker by worker maps the store, and compiles Lua.
progress('warms up');
for my $row (0 .. $#rows) {
    slice($row, 100) for 1 .. 20;
}

# Other programs wait during a slice. (Between slices they run, and the kernel keeps 5 % for them.)
my @processes = ($$, $load_pid, map { split / /, $_->{pids} } @rows);
for my $pid (@processes) {
    system("chrt --fifo --all-tasks --pid 1 $pid 2>/dev/null") == 0
        or do { progress('real-time priority needs root: without it, other programs disturb the figures'); last };
}

# Rounds in which every row has its turn. A slice that does not count goes before each, to fill the caches.
progress(scalar(@rows) . " rows, $options{rounds} rounds");
my @busy;            # shares of the time that the servers were running
my (@rate, @cpu);    # by row and round: requests/s, microseconds of processor time a request
for my $round (0 .. $options{rounds} - 1) {
    for my $row (shuffle 0 .. $#rows) {
        slice($row, $options{slice});
        my ($requests, $elapsed, $used) = slice($row, $options{slice});
        $rate[$row][$round] = $requests / $elapsed;
        push @busy, $used / $elapsed;
        $cpu[$row][$round] = $used * 1e6 / $requests;
    }
}
close $orders;
waitpid $load_pid, 0;

# The row of that variant beside another one: by requests/s, and by processor time, round by round.
sub compared {
    my ($row, $other) = @_;
    my @rounds = 0 .. $options{rounds} - 1;
    return { rate => [ quartiles(map { $rate[$row][$_] / $rate[$other][$_] } @rounds) ],
        cpu => [ quartiles(map { $cpu[$other][$_] / $cpu[$row][$_] } @rounds) ] };
}

my %index = map { ("$rows[$_]{variant} $rows[$_]{content}" => $_) } 0 .. $#rows;
my @results = map {
    my ($variant, $content) = @{ $rows[$_] }{qw(variant content)};
    +{ variant => $variant, content => $content, rate => [ quartiles(@{ $rate[$_] }) ], cpu => [ quartiles(@{ $cpu[$_] }) ],
        unprotected => compared($_, $index{"unprotected $content"}),
        exceeded => compared($index{"organization $content"}, $_) };
} 0 .. $#rows;
record('gateway', { options => \%options, machine => machine(), cpus => [ cpus() ], instructions => $instructions,
    busy => median(@busy), rows => \@results }, $options{record});
undef @kept;
remove_tree($dir);
exit 0;
