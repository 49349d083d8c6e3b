# Three nginx hosts share one PostgreSQL registry: a revocation reaches all of them; a host that was cut off
# catches up by itself; while PostgreSQL is stopped, all hosts go on enforcing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
BEGIN { $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql' }
use TokenAuth::Hosts;
use TokenAuth::Postgres;
use TokenAuth::Sync;
use Time::HiRes qw(sleep time);

# Seconds that the network is cut and PostgreSQL is stopped.
my $seconds = $ENV{TOKEN_AUTH_CUT_SECONDS} // 8;

my $network = TokenAuth::Hosts::network();
my $port    = do { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)->sockport };
my $server  = TokenAuth::Postgres->start(
    settings => [ "port = $port", $network ? "listen_addresses = '" . $network->address . "'" : () ]);
TokenAuth::Postgres::sql_at(sprintf('postgresql://postgres@/postgres?host=%s&port=%d', $server->dir, $port), 'CREATE DATABASE tokens');
my $url = sprintf 'postgresql://postgres@/tokens?host=%s&port=%d', $server->dir, $port;
if ($network) {
    my $hba = $server->data . '/pg_hba.conf';
    open my $out, '>>', $hba or die "$hba: $!";
    print {$out} 'host all all ' . $network->address . "/30 trust\n";
    close $out;
    TokenAuth::Postgres::sql_at($url, 'SELECT pg_reload_conf()');
}

my $world = TokenAuth::Sync->new(registry => 0);
$world->{url} = $url;
$world->ctl_ok('init');
$world->populate(40);
my $hosts = TokenAuth::Hosts->start(world => $world, count => 3, network => $network,
    # so that it notices within the time that it is cut off
    far_url => $network && sprintf('postgresql://postgres@%s:%d/tokens?tcp_user_timeout=3000', $network->address, $port));

# All hosts (or the named ones) come to that answer.
sub reaches {
    my ($token, $wanted, $name, @which) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @took = $hosts->until_status("$token-token", $wanted, 40, @which);
    ok(!(grep { !defined } @took), $name) or diag map { $hosts->log_of($_) } 0 .. 2;
    return;
}

reaches('t1', 200, 'all serve');
for my $token (map { "t$_" } 1 .. 10) {
    $world->ctl_ok('revoke', $token);
    reaches($token, 401, "$token: all refuse it");
}

SKIP: {
    skip 'no network namespace can be made here (needs root)', 1 if !$network;
    subtest 'one is cut off' => sub {
        ok $network->cut, 'cut';
        my $end = time + $seconds;
        my $number = 11;
        while (time < $end || $number < 15) {
            $world->ctl_ok('revoke', "t$number") if $number <= 30;
            reaches("t$number", 401, "t$number reaches the others", 0, 1) if $number <= 30;
            is $hosts->status(2, 't11-token'), 200, 'the one that is cut off serves what it knows' if $number < 15;
            is $hosts->status(2, 't1-token'),  401, 'and refuses what it knows' if $number < 15;
            ++$number;
            sleep $seconds / 20;
        }
        like $hosts->log_of(2), qr/cannot be reached/, 'and says that it is';
        ok $network->mend, 'mended';
        reaches("t$_", 401, "t$_: it has caught up", 2) for 11 .. ($number > 30 ? 30 : $number - 1);
        unlike $hosts->log_of(2), qr/full load.*full load/s, 'with what had changed only';
    };
}

subtest 'PostgreSQL is stopped' => sub {
    $server->down('fast');
    my ($end, $wrong) = (time + $seconds, 0);
    while (time < $end) {
        for my $host (0 .. 2) {
            ++$wrong if $hosts->status($host, 't40-token') != 200;
            ++$wrong if $hosts->status($host, 't1-token') != 401;
            ++$wrong if $hosts->status($host, 'no-such-token') != 401;
        }
        sleep 0.02;
    }
    is $wrong, 0, 'all go on enforcing';
    $server->up;
    $world->ctl_ok('revoke', 't40');
    reaches('t40', 401, 'and take up changes when it is back');
};

done_testing;
