# What token_auth_recheck costs: the processor time of a worker whose streams are open and quiet.
use strict;
use warnings;

use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);
use TokenAuth::Gateway;
use TokenAuth::Http2;
use TokenAuth::Metrics;
use TokenAuth::Server;
use TokenAuth::Util qw(slurp);

my $bar = 0.01;    # of a processor, for 10,000 streams at an interval of 30 s
my ($streams, $interval, $rounds) = (10_000, 30, 2);
my $per_connection = 100;
if (@ARGV == 1 && $ARGV[0] eq '--smoke') {
    ($streams, $interval, $rounds) = (200, 1, 2);
} elsif (@ARGV) {
    print STDERR "bench streams: only --smoke is known\n";
    exit 2;
}

import_lines(map { token_line("stream-$_", 'organization', organization => 'acme', scopes => ['agents:read']) } 1 .. $streams);
tokensync('run');

# Seconds on a processor so far.
sub worker_seconds {
    my ($server) = @_;
    my ($worker) = split ' ', slurp("/proc/${\ $server->pid}/task/${\ $server->pid}/children");
    return (split ' ', slurp("/proc/$worker/schedstat"))[0] / 1e9;
}

sub rechecks { return results(metrics($_[0]), 'default', 'token_auth_rechecks_total')->{ok} // 0 }

# (processor time of the worker for each second, rechecks for each second), with requests whose bodies do not come.
sub measure {
    my ($recheck) = @_;
    my $dir = gateway_dir() . "/recheck-$recheck";
    mkdir $dir or die "$dir: $!";
    my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    client_body_timeout 1h;
    client_body_buffer_size 1k;
    server {
        listen 127.0.0.1:%PORT%;
        listen unix:$dir/h2.sock http2;
        token_auth_db ${\ store_dir()};
        token_auth api;
        token_auth_scope agents:read;
        token_auth_recheck ${recheck}s;
        location / { proxy_pass http://127.0.0.1:1; }
        location = /metrics { token_auth off; token_auth_status prometheus; }
    }
END
    my @connections;
    for my $first (map { $_ * $per_connection } 0 .. $streams / $per_connection - 1) {
        push @connections, my $connection = IO::Socket::UNIX->new("$dir/h2.sock") // die "h2.sock: $!";
        print $connection preface(), map {
            headers_frame(1 + 2 * $_, 0, 'POST', '/', authorization => 'Bearer stream-' . ($first + 1 + $_) . '-token', 'content-length' => 1000)
        } 0 .. $per_connection - 1;
    }
    sleep 1;
    my ($begun, $before, $checks) = (time, worker_seconds($server), rechecks($server));
    sleep $interval * $rounds;
    my $seconds = time - $begun;
    my @is = ((worker_seconds($server) - $before) / $seconds, (rechecks($server) - $checks) / $seconds);
    $server->stop;
    die "nginx: $1\n" if $server->errors =~ /(\[(?:error|crit|alert|emerg)\].*)/;
    return @is;
}

my ($idle) = measure(0);
my ($busy, $rate) = measure($interval);
die sprintf "%.0f rechecks a second instead of %.0f\n", $rate, $streams / $interval if $rate < 0.5 * $streams / $interval;
my $share = $busy - $idle;
printf "%d open streams, each decided anew every %d s: %.0f decisions a second\n", $streams, $interval, $rate;
printf "%.3f %% of a processor, %.1f microseconds a decision (%.3f %% without token_auth_recheck)\n", 100 * $share, 1e6 * $share / $rate, 100 * $idle;
exit 0 if $streams < 10_000;
printf "bar: < %.0f %% of a processor: %s\n", 100 * $bar, $share < $bar ? 'held' : 'missed';
exit($share < $bar ? 0 : 1);
