# From the commit of a revocation to nginx's first 401, and nginx's own latency while changes are synced.
package Bench::Sync::Latency;

use strict;
use warnings;

use Bench::Process qw(cpus);
use Exporter qw(import);
use POSIX ();
use TokenAuth::Server;
use Time::HiRes qw(clock_nanosleep clock_gettime CLOCK_MONOTONIC sleep time);

our @EXPORT_OK = qw(gateway percentile revocations latency pinned);

# Read at the start: this process moves itself later.
my @cpus = cpus();

# The prefix of a command that pins it to one processor: that of "nginx" (and of the measurement) or of all
# "others"; or to "all" of them.
sub pinned {
    my ($which) = @_;
    return @cpus < 2 ? () : ('taskset', '-c', $which eq 'nginx' ? $cpus[0] : $which eq 'others' ? $cpus[-1] : join ',', @cpus);
}

# nginx in front of a static page, with one store.
sub gateway {
    my ($dir, $db) = @_;
    mkdir $dir and mkdir "$dir/html" or die "$dir: $!\n";
    chmod 0755, $dir;
    open my $page, '>', "$dir/html/index.html" or die "index.html: $!\n";
    print {$page} "ok\n";
    close $page;
    my $server = TokenAuth::Server->start(dir => $dir, main => 'worker_processes 1;', http => "server { listen 127.0.0.1:%PORT%; "
            . "root $dir/html; token_auth api; token_auth_org off; token_auth_db $db; keepalive_requests 100000000; }");
    my ($worker) = split ' ', `ps -o pid= --ppid $server->{pid}`;
    my @pin = pinned('nginx');
    system "$pin[0] -pc $pin[2] $worker >/dev/null 2>&1" if @pin;
    return $server;
}

sub percentile {
    my ($share, @values) = @_;
    @values = sort { $a <=> $b } @values;
    my $index = POSIX::ceil($share * @values) - 1;
    return $values[ $index < 0 ? 0 : $index ];
}

# Seconds from the end of each revocation's commit to the first 401.
sub revocations {
    my ($registry, $server, $tries, $first) = @_;
    my $db = $registry->connect;
    my $revoke = $db->prepare('UPDATE tokens SET revoked_at = 1 WHERE id = ?');
    my $socket = $server->connect;
    my @took;
    for my $number ($first .. $first + $tries - 1) {
        # odd ones are organizations' and need no organization in the request
        my $id = 't' . (2 * $number + 1);
        die "$id does not open the page\n" if TokenAuth::Server::status_on($socket, "$id-token") != 200;
        $revoke->execute($id);
        my $begun = time;
        until (TokenAuth::Server::status_on($socket, "$id-token") == 401) {
            die "$id: no 401 within 20 s\n" if time - $begun > 20;
            sleep 0.0005;    # leave the processor to the measured programs
        }
        push @took, time - $begun;
        sleep 0.02 + rand 0.02;
    }
    undef $revoke;
    $db->disconnect;
    return \@took;
}

# Seconds that requests took, one after the other at $rate a second, for so many seconds.
sub latency {
    my ($server, $rate, $seconds, $token) = @_;
    my $socket = $server->connect;
    my @took;
    my $begun = clock_gettime(CLOCK_MONOTONIC);
    for my $number (1 .. $rate * $seconds) {
        my $due = $begun + $number / $rate;
        my $ahead = $due - clock_gettime(CLOCK_MONOTONIC);
        sleep $ahead if $ahead > 0;
        my $sent = clock_gettime(CLOCK_MONOTONIC);
        die "the page is not open\n" if TokenAuth::Server::status_on($socket, $token) != 200;
        push @took, clock_gettime(CLOCK_MONOTONIC) - $sent;
    }
    return @took;
}

1;
