# The instructions that the module adds to a request: one nginx process under callgrind serves the same
# number of requests unprotected and protected. Unlike times, instructions repeat on any machine and
# beside any load.
use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use Getopt::Long;
use IO::Socket::INET;
use JSON::PP;

use Bench::Process qw(run start_server);
use TokenAuth::Util qw(free_port slurp spew);
use TokenAuth::Wire;

my %options;
GetOptions(\%options, qw(check keep)) && !@ARGV
    or do { print STDERR "bench instructions: see scripts/bench --help\n"; exit 2 };

my $build = $ENV{TOKEN_AUTH_BUILD};
my $baseline = "$ENV{TOKEN_AUTH_ROOT}/bench/instructions.json";
my $dir = "$build/bench/instructions";
my $requests = 1000;
alarm 300;    # nothing may hang forever
remove_tree($dir);
make_path("$dir/html");
spew("$dir/html/file", 'x' x 1024);
run("$build/bench/make_store", '--tokens', 4000, '--db', "$dir/db", '--list', "$dir/organization", '--lines', 10);
run("$build/bench/make_store", '--users', '--list', "$dir/user", '--lines', 10);
run("$build/bench/make_store", '--list', "$dir/unknown", '--lines', 10, '--first', 4000);

# Serves that many requests with the tokens of a list in turn; the instructions of the process.
sub instructions {
    my ($location, $list, $status) = @_;
    my $port = free_port();
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join ' ', map { "${_}_temp_path $dir/temp_$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    spew("$dir/nginx.conf", <<"END");
load_module $build/ngx_http_token_auth_module.so;
$user
daemon off;
master_process off;
pid $dir/nginx.pid;
error_log $dir/error.log error;
events { worker_connections 64; }
http {
    access_log off;
    keepalive_requests 100000;
    $temp
    token_auth_db $dir/db;
    server {
        listen 127.0.0.1:$port;
        location = /open { alias $dir/html/file; }
        location = /protected { token_auth api; token_auth_scope agents:read; alias $dir/html/file; }
    }
}
END
    my $counts = "$dir/callgrind.out";
    my $server = start_server(
        port => $port, log => "$dir/output.log",
        command => [ 'valgrind', '-q', '--tool=callgrind', "--callgrind-out-file=$counts", 'nginx', '-p', $dir,
            '-e', "$dir/error.log", '-c', "$dir/nginx.conf" ]);
    my @lines = split /\n/, slurp($list);
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    for my $i (0 .. $requests - 1) {
        my ($token, $organization) = split / /, $lines[ $i % @lines ];
        my ($got) = exchange($socket, 'GET', "/$location", Authorization => "Bearer $token",
            defined $organization ? ('X-Org-Id' => $organization) : ());
        $got == $status or die "not $status but $got\n";
    }
    close $socket;
    $server->stop;
    my ($total) = slurp($counts) =~ /^(?:summary|totals): (\d+)/m or die "callgrind counted nothing\n";
    return $total;
}

my %added;
for my $case ([ 'organization', 200 ], [ 'user', 200 ], [ 'unknown', 401 ]) {
    my ($list, $status) = @$case;
    my $open = instructions('open', "$dir/$list", 200);
    $added{$list} = int((instructions('protected', "$dir/$list", $status) - $open) / $requests + 0.5);
}
remove_tree($dir);

if ($options{keep}) {
    spew($baseline, JSON::PP->new->canonical->pretty->encode({ allowance => 0.1, added => \%added }));
}
my $kept = decode_json(slurp($baseline));
my $status = 0;
printf "%-14s %8s %8s %8s\n", 'added by', 'now', 'kept', 'allowed';
for my $list (sort keys %added) {
    my $was = $kept->{added}{$list};
    my $allowed = int($was * (1 + $kept->{allowance}));
    my $fits = $added{$list} <= $allowed;
    printf "%-14s %8d %8d %8d%s\n", $list, $added{$list}, $was, $allowed, $fits ? '' : '  too many';
    $status = 1 if !$fits && $options{check};
}
print STDERR "bench instructions: the module takes more instructions for a request than it is allowed; make it cheaper, or, "
    . "where they are worth it, keep the new figures with scripts/bench instructions --keep\n" if $status;
exit $status;
