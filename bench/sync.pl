# tokensync at the size of production: loads, changes, revocations, and nginx meanwhile.
use strict;
use warnings;

use Bench::Process qw(run);
use Bench::Report qw(machine median record);
use Bench::Sync::Latency qw(gateway latency percentile pinned revocations);
use Bench::Sync::Load qw(apply_changes load_by_mdb_load load_by_tokensync);
use Bench::Sync::Registry;
use File::Temp qw(tempdir);
use Getopt::Long;
use TokenAuth::Hosts;
use TokenAuth::Postgres;
use TokenAuth::Server;
use TokenAuth::Sync;
use Time::HiRes qw(sleep time);

my %options = (sizes => '1000000,10000000', sqlite => 10_000_000, tries => 200, rate => 5000, seconds => 10, rounds => 5, changes => 100_000);
GetOptions(\%options, qw(sizes=s sqlite=i tries=i rate=i seconds=i rounds=i changes=i record smoke)) && !@ARGV
    && $options{sizes} =~ /\A\d+(?:,\d+)*\z/
    or do { print STDERR "bench sync: see scripts/bench --help\n"; exit 2 };
@options{qw(sizes tries rate seconds rounds changes record)} = ('20000', 3, 500, 1, 1, 1000, 0) if $options{smoke};

sub say_that { printf STDERR "%s\n", sprintf shift, @_; return }

my $scratch = tempdir('token-auth-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $scratch;
my %results = (options => \%options);
my @group = $> == 0 ? ('--group', 'www-data') : ();

# Percentiles in milliseconds.
sub summary {
    my @took = @_;
    return { map { ("p$_" => 1000 * percentile($_ / 100, @took)) } 50, 90, 99, 100 };
}

sub loads {
    my ($registry, $size) = @_;
    my $engine = $registry->{engine};
    say_that('%s, %d tokens: full load', $engine, $size);
    my $db = "$scratch/db-$engine";
    my $load = load_by_tokensync($registry, $db);
    say_that('  %.1f s, %.0f MiB of private memory, %.0f MiB on disk; mdb_load of the same pairs', $load->{seconds},
        $load->{private} / 2**20, $load->{disk} / 2**20);
    $load->{mdb_load} = load_by_mdb_load($db, "$scratch/plain")->{seconds};
    say_that('  %.1f s; %d changes', $load->{mdb_load}, $options{changes});
    $load->{applied} = median(map { apply_changes($registry, $db, $options{changes}) } 1 .. 2);
    say_that('  %.0f changes/s', $load->{applied});
    $results{loads}{$engine}{$size} = $load;
    return $db;
}

# Moves processes, and what they start from now on, to processors.
sub keep_on {
    my ($taskset, $option, $cpus, @pids) = @_;
    return if !defined $taskset;
    for my $pid (@pids) {
        my @children = split ' ', `ps -o pid= --ppid $pid`;
        system "$taskset -apc $cpus $_ >/dev/null 2>&1" for $pid, @children;
    }
    return;
}

# Revocations, and nginx's latency, at rest and while changes are synced.
sub service {
    my ($registry, $db, $server_pid) = @_;
    my $engine = $registry->{engine};
    # the SQLite registry is a copy of the other, with what was revoked there
    my $first = $engine eq 'sqlite' ? 5000 : 1;
    my $dir = "$scratch/nginx-$engine";
    my $server = gateway($dir, $db);
    my $watch = TokenAuth::Server::spawn("$scratch/watch-$engine.log", TokenAuth::Util::program('tokensync'),
        '--registry', $registry->url, '--db', $db, 'watch', @group);
    my $log = "$scratch/watch-$engine.log";
    TokenAuth::Sync::eventually(sub { -e $log && TokenAuth::Sync::slurp($log) =~ /generation/ }, 60) or die "watch is not up\n";
    # nginx may have found a store that its group could not read yet
    TokenAuth::Sync::eventually(sub { TokenAuth::Server::status_on($server->connect, 't1-token') == 200 }) or die "the page does not open\n";
    say_that('%s: revocations at rest', $engine);
    my %found = (idle => summary(@{ revocations($registry, $server, $options{tries}, $first) }));
    say_that('  p99 %.1f ms; nginx at rest and under %d changes/s', $found{idle}{p99}, $options{rate});
    # Here alone nginx has a processor to itself, and whoever asks it.
    keep_on(pinned('nginx'), $$);    # with what it started, so this comes first
    keep_on(pinned('others'), $watch, $server_pid // ());
    my (@idle, @busy, @rates);
    for my $round (1 .. $options{rounds}) {
        my @at_rest = latency($server, 1000, $options{seconds}, 't1-token');
        my $stream = $registry->stream($options{rate}, pinned('others'));
        sleep 0.5;
        my @meanwhile = latency($server, 1000, $options{seconds}, 't1-token');
        push @rates, Bench::Sync::Registry::stop_stream($stream);
        push @idle, summary(@at_rest);
        push @busy, summary(@meanwhile);
        say_that('  p99 %.3f ms at rest, %.3f ms at %.0f changes/s', $idle[-1]{p99}, $busy[-1]{p99}, $rates[-1]);
        sleep 0.5;
    }
    for my $part (qw(p50 p90 p99)) {
        $found{latency}{$part} = { idle => median(map { $_->{$part} } @idle), busy => median(map { $_->{$part} } @busy) };
    }
    $found{latency}{ratio} = median(map { $busy[$_]{p99} / $idle[$_]{p99} } 0 .. $#idle);
    $found{rate} = median(@rates);
    say_that('%s: revocations under %d changes/s', $engine, $options{rate});
    keep_on(pinned('all'), $$, $watch, $server_pid // ());
    keep_on(pinned('nginx'), $server->pid);
    my $stream = $registry->stream($options{rate});
    sleep 1;
    $found{busy} = summary(@{ revocations($registry, $server, $options{tries}, $first + $options{tries}) });
    Bench::Sync::Registry::stop_stream($stream);
    say_that('  p99 %.1f ms', $found{busy}{p99});
    kill 'TERM', $watch;
    waitpid $watch, 0;
    die "watch ended with status $?\n" if $? != 0;
    $server->stop;
    $results{service}{$engine} = \%found;
    return;
}

# Three hosts of one registry: the time until each refuses, and until the last one does.
sub hosts {
    my ($registry) = @_;
    say_that('three hosts');
    my $world = bless { dir => "$scratch/hosts", url => $registry->url, number => 0, watches => [] }, 'TokenAuth::Sync';
    mkdir $world->dir or die;
    chmod 0755, $world->dir;
    my $hosts = TokenAuth::Hosts->start(world => $world, count => 3);
    my $db = $registry->connect;
    my $revoke = $db->prepare('UPDATE tokens SET revoked_at = 1 WHERE id = ?');
    my (@each, @last);
    for my $number (1 .. $options{tries}) {
        my $id = 't' . (2 * ($number + 2 * $options{tries}) + 1);
        $revoke->execute($id);
        my @took = $hosts->until_status("$id-token", 401, 20);
        die "$id: no 401 within 20 s\n" if grep { !defined } @took;
        push @{ $each[$_] }, $took[$_] for 0 .. 2;
        push @last, (sort { $b <=> $a } @took)[0];
        sleep 0.02 + rand 0.02;
    }
    $results{hosts} = { each => [ map { summary(@$_) } @each ], last => summary(@last) };
    say_that('  p99 %.1f ms', $results{hosts}{last}{p99});
    return;
}

my @sizes = sort { $a <=> $b } split /,/, $options{sizes};
for my $size (@sizes) {
    say_that('makes registries of %d tokens', $size);
    my $postgres = TokenAuth::Postgres->start(fsync => 1,
        settings => [ 'shared_buffers = 512MB', 'max_wal_size = 4GB', 'maintenance_work_mem = 256MB' ]);
    my $registry = Bench::Sync::Registry->in_postgresql($postgres, $size);
    my $db = loads($registry, $size);
    if ($size == $sizes[0]) {
        my ($pid) = split /\n/, TokenAuth::Sync::slurp($postgres->data . '/postmaster.pid');
        service($registry, $db, $pid);
        hosts($registry);
    }
    run('rm', '-rf', $db);
    if ($size > $options{sqlite}) {
        undef $postgres;
        next;
    }
    my $sqlite = Bench::Sync::Registry->in_sqlite($registry, "$scratch/registry-$size.db");
    undef $postgres;
    $db = loads($sqlite, $size);
    service($sqlite, $db) if $size == $sizes[0];
    run('rm', '-rf', $db, map { "$scratch/registry-$size.db$_" } '', '-wal', '-shm');
}
if ($options{smoke}) {
    print "every part ran; nothing was timed\n";
    exit 0;
}
$results{machine} = machine();
record('sync', \%results, $options{record});
