# The instructions that the module adds to a request: nginx under callgrind serves 1,000 different tokens protected,
# and the same requests unprotected; what SHA-256 takes is left out. Unlike times, instructions repeat on any machine
# and beside any load.
use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use Getopt::Long;
use IO::Socket::INET;
use JSON::PP;

use Bench::Process qw(run start_server);
use TokenAuth::Util qw(free_port slurp spew);
use TokenAuth::Wire;

my %options = (tokens => 1_000_000);
GetOptions(\%options, qw(check keep tokens=i)) && !@ARGV
    or do { print STDERR "bench instructions: see scripts/bench --help\n"; exit 2 };

my $build = $ENV{TOKEN_AUTH_BUILD};
my $baseline = "$ENV{TOKEN_AUTH_ROOT}/bench/instructions.json";
my $dir = "$build/bench/instructions";
my $requests = 1000;
alarm 600;    # nothing may hang forever
remove_tree($dir);
make_path("$dir/html");
spew("$dir/html/file", 'x' x 1024);
run("$build/bench/make_store", '--tokens', $options{tokens}, '--db', "$dir/db", '--list', "$dir/organization", '--lines', $requests);
run("$build/bench/make_store", '--users', '--list', "$dir/user", '--lines', $requests);
run("$build/bench/make_store", '--list', "$dir/unknown", '--lines', $requests, '--first', $options{tokens});

# The realm of nginx's own 401, so that it is as long as the module's, header and all.
my $padding = 'x' x 136;
my $port = free_port();
my $user = $> == 0 ? 'user root;' : '';
my $temp = join ' ', map { "${_}_temp_path $dir/temp_$_;" } qw(client_body proxy fastcgi uwsgi scgi);
spew("$dir/nginx.conf", <<"END");
load_module $build/ngx_http_token_auth_module.so;
$user
daemon off;
master_process off;
pid $dir/nginx.pid;
error_log $dir/error.log crit;
events { worker_connections 64; }
http {
    access_log off;
    keepalive_requests 100000;
    $temp
    token_auth_db $dir/db;
    server {
        listen 127.0.0.1:$port;
        location = /exposed { alias $dir/html/file; }
        location = /refused { auth_basic $padding; auth_basic_user_file /dev/null; alias $dir/html/file; }
        location = /guarded { token_auth api; token_auth_scope agents:read; alias $dir/html/file; }
        location = /count { return 200 "\$arg_x\\n"; }
    }
}
END

# Only /count calls that function of nginx: callgrind then writes down what was counted since the last time.
my $counts = "$dir/callgrind.out";
my $server = start_server(
    port => $port, log => "$dir/output.log",
    command => [ 'valgrind', '-q', '--tool=callgrind', '--dump-before=ngx_http_arg', "--callgrind-out-file=$counts",
        'nginx', '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/nginx.conf" ]);
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
my $dumps = 0;

sub ask {
    my ($location, $line, $expected) = @_;
    my ($token, $organization) = split / /, $line;
    my ($status, $head, $body) = exchange($socket, 'GET', "/$location", Authorization => "Bearer $token",
        defined $organization ? ('X-Org-Id' => $organization) : ());
    $status == $expected or die "not $expected but $status\n";
    return length($head) + length $body;
}

# The instructions of a dump but for libcrypto's, which are SHA-256's.
sub counted {
    my ($file) = @_;
    my ($object, $sum, $is_call, %names) = ('', 0, 0);
    open my $in, '<', $file or die "$file: $!\n";
    while (my $line = <$in>) {
        if ($line =~ /^ob=\((\d+)\)(?: (.*))?/) {
            $names{$1} = $2 if defined $2;
            $object = $names{$1};
        } elsif ($line =~ /^cob=\((\d+)\) (.*)/) {
            $names{$1} = $2;
        } elsif ($line =~ /^calls=/) {
            $is_call = 1;
        } elsif ($line =~ /^[-+*\d]\S* (\d+)$/) {
            $sum += $1 if !$is_call && $object !~ /libcrypto/;
            $is_call = 0;
        }
    }
    return $sum;
}

sub count {
    exchange($socket, 'GET', '/count?x=y');
    return counted("$counts." . ++$dumps);
}

# The instructions of a request to a location, for the tokens of a list in turn.
sub instructions {
    my ($location, $list, $status) = @_;
    my @lines = split /\n/, slurp("$dir/$list");
    ask($location, $_, $status) for @lines[ 0 .. 9 ];
    count();
    ask($location, $_, $status) for @lines;
    return count() / @lines;
}

my ($first) = split /\n/, slurp("$dir/unknown");
my @lengths = map { ask($_, $first, 401) } qw(guarded refused);
abs($lengths[0] - $lengths[1]) < 16 or die "the module's 401 is $lengths[0] bytes long, nginx's own one $lengths[1]\n";

my %added;
for my $case ([ 'organization', 'exposed', 200 ], [ 'user', 'exposed', 200 ], [ 'unknown', 'refused', 401 ]) {
    my ($list, $beside, $status) = @$case;
    $added{$list} = int(instructions('guarded', $list, $status) - instructions($beside, $list, $status) + 0.5);
}
close $socket;
$server->stop;
remove_tree($dir) if !$ENV{TOKEN_AUTH_KEEP};

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
