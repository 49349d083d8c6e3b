# The time from a revocation with tokenctl to the first 401, under "tokensync watch".
use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(time sleep);
use TokenAuth::Gateway;
use TokenAuth::Server;

my $bar = 0.100;    # seconds, at the 99th percentile
my $tries = 200;
if (@ARGV == 2 && $ARGV[0] eq '--tries' && $ARGV[1] =~ /\A[1-9][0-9]*\z/) {
    $tries = $ARGV[1];
} elsif (@ARGV) {
    print STDERR "bench revocation: only --tries N is known\n";
    exit 2;
}

my @group = $> == 0 ? ('--group', 'www-data') : ();
tokensync('run', @group);
my $server = TokenAuth::Server->start(
    dir => gateway_dir(),
    http => 'server { listen 127.0.0.1:%PORT%; root ' . gateway_dir() . '/html; token_auth api; '
        . 'token_auth_org off; token_auth_db ' . store_dir() . '; keepalive_requests 1000000; }');
mkdir gateway_dir() . '/html' or die "html: $!";
open my $page, '>', gateway_dir() . '/html/index.html' or die "index.html: $!";
print $page "ok\n";
close $page or die "index.html: $!";
$server->watch('--registry', registry_url(), '--db', store_dir(), @group);

my $socket = $server->connect;

# Runs tokenctl in the background while requests go on; (seconds since it was started, seconds
# since it had ended) at the first answer with that status.
sub until_status {
    my ($wanted, @command) = @_;
    my $begin = time;
    my $pid = TokenAuth::Server::spawn(gateway_dir() . '/tools.log', "$ENV{TOKEN_AUTH_BUILD}/tokenctl",
        '--registry', registry_url(), @command);
    my $ended;
    while (TokenAuth::Server::status_on($socket, 'acme-token') != $wanted) {
        $ended //= time if waitpid($pid, 1) == $pid;    # WNOHANG
        die "no $wanted within 10 s\n" if time - $begin > 10;
    }
    my $now = time;
    if (!defined $ended) {
        waitpid $pid, 0;
        $ended = $now;    # the answer changed before tokenctl had ended
    }
    return ($now - $begin, $now - $ended);
}

sub percentile {
    my ($share, @values) = @_;
    @values = sort { $a <=> $b } @values;
    my $index = int($share * @values + 0.999999) - 1;
    return $values[$index < 0 ? 0 : $index];
}

sleep 0.2;
die "the token does not open the site\n" unless TokenAuth::Server::status_on($socket, 'acme-token') == 200;
my (@from_start, @from_end);
for (1 .. $tries) {
    my ($start, $end) = until_status(401, 'revoke', 'acme');
    push @from_start, $start;
    push @from_end, $end;
    until_status(200, 'restore', 'acme');
}
$server->stop;

printf "revocation to first 401, %d tries, milliseconds\n", $tries;
printf "%-28s %8s %8s %8s %8s\n", '', 'p50', 'p90', 'p99', 'max';
for (['from the start of tokenctl', \@from_start], ['from the end of tokenctl', \@from_end]) {
    my ($what, $values) = @$_;
    printf "%-28s %8.1f %8.1f %8.1f %8.1f\n", $what,
        map { 1000 * percentile($_, @$values) } 0.5, 0.9, 0.99, 1;
}
if ($tries < 100) {
    print "bar: p99 <= 100 ms; too few tries to tell\n";
    exit 0;
}
my $p99 = percentile(0.99, @from_start);
printf "bar: p99 from the start of tokenctl <= %.0f ms: %s\n", 1000 * $bar,
    $p99 <= $bar ? 'held' : 'missed';
exit($p99 <= $bar ? 0 : 1);
