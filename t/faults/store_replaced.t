# compact, a rebuild and a backup replace the store under traffic, while "tokensync watch" applies
# changes: no request fails, the workers move over, and the data is right afterwards.
use strict;
use warnings;
use lib 't/lib';
use JSON::PP ();
use POSIX ();
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually json_lines program run_tool);
use TokenAuth::Wire;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/index.html", "ok\n");

my $www_data = $> == 0 ? (getgrnam 'www-data')[2] : undef;
my @group = defined $www_data ? ('--group', 'www-data') : ();
my $store = store_dir();
import_lines(map { token_line("b$_", 'organization', organization => 'acme', role => 'reader') } 1 .. 2_000);
tokensync('run', @group);
chmod 0755, gateway_dir();

my $server = TokenAuth::Server->start(dir => $dir, main => 'worker_processes 2;',
    user => defined $www_data ? 'www-data www-data' : 'root', http => <<"END");
    token_auth_db $store;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%PORT%;
        root $dir/html;
        token_auth api;
        add_header X-Generation \$token_auth_generation always;
    }
END
$server->watch('--registry', registry_url(), '--db', $store, '--heartbeat', '1s', @group);

# Sends requests on kept connections until told to stop, and counts all and those without a 200.
sub traffic {
    pipe my $from, my $to or die "pipe: $!";
    my $child = fork // die "fork: $!";
    if ($child == 0) {
        my $stop = 0;
        local $SIG{TERM} = sub { $stop = 1 };
        my @sockets = map { $server->connect } 1 .. 4;
        my ($count, $bad) = (0, 0);
        until ($stop) {
            for my $socket (@sockets) {
                ++$bad unless ask($socket, 'acme-token') == 200;
                ++$count;
            }
            sleep 0.002;
        }
        print $to "$count $bad\n";
        close $to;
        POSIX::_exit(0);
    }
    close $to;
    return { pid => $child, from => $from };
}

sub end_traffic {
    my ($traffic) = @_;
    kill 'TERM', $traffic->{pid};
    my ($count, $bad) = split ' ', readline $traffic->{from};
    waitpid $traffic->{pid}, 0;
    return ($count, $bad);
}

# The status of one request; in a list, the generation as well.
sub ask {
    my ($socket, $token) = @_;
    my ($status, $head) = exchange($socket, 'GET', '/', Authorization => "Bearer $token");
    return wantarray ? ($status, field($head, 'X-Generation') // 0) : $status;
}

# The lowest generation that both workers serve, asked on several connections.
sub generation {
    my @generations = sort { $a <=> $b } map { (ask($server->connect, 'acme-token'))[1] } 1 .. 8;
    return $generations[0];
}

# Seconds until it is true, within 15 seconds.
sub soon {
    my ($condition) = @_;
    my $begin = time;
    return eventually(\&$condition, 15) && time - $begin + 0.001;
}

sub status_of { return scalar ask($server->connect, $_[0]) }
sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }
sub stored { return JSON::PP::decode_json(tokensync('status', '--json')) }
sub replaced { return scalar(() = $server->errors =~ /was replaced: generation \d+ after \d+/g) }

# Does something under traffic, and checks everything that must hold afterwards.
sub under_traffic {
    my ($what, $do, $right) = @_;
    my $traffic = traffic();
    my ($inode, $told) = ((stat "$store/data.mdb")[1], replaced());
    umask 077;
    $do->();
    umask 022;
    ok soon(sub { (stat "$store/data.mdb")[1] != $inode }), "$what: another file is in place";
    my $took = soon(sub { generation() >= stored()->{generation} });
    ok $took, 'the workers move over';
    cmp_ok $took, '<', 5, 'soon';
    $right->();
    ok soon(sub { replaced() >= $told + 2 }), 'the log tells of it for both';
    my ($count, $bad) = end_traffic($traffic);
    cmp_ok $count, '>', 20, 'requests went on';
    is $bad, 0, 'and none of them failed';
    is_deeply [ map { mode($_) } $store, "$store/data.mdb" ], [qw(2750 0640)], 'modes';
    is_deeply [ map { (stat "$store/$_")[5] } qw(. data.mdb) ], [ ($www_data) x 2 ], 'the group'
        if defined $www_data;
    like tokensync('check'), qr/hold the same/, 'store and registry are equal';
    is_deeply [ grep { /tokensync/ } glob(gateway_dir() . '/.*') ], [], 'nothing is left';
    return;
}

ok soon(sub { status_of('acme-token') == 200 }), 'served';
system('cp', '-a', $store, gateway_dir() . '/backup') == 0 or die 'cp failed';
my $other = gateway_dir() . '/other.db';
for my $suffix ('', '-wal') {
    system('cp', gateway_dir() . "/registry.db$suffix", "$other$suffix") == 0 or die 'cp failed';
}

for my $round (1 .. 2) {
    my @before = map { 'b' . (20 * $round + $_) } 0 .. 9;
    my @after  = map { 'b' . (20 * $round + $_) } 10 .. 19;
    under_traffic("compact $round", sub {
        tokenctl('revoke', @before);
        my $pid = TokenAuth::Server::spawn("$dir/run.log", program('tokenctl'), '--registry',
            registry_url(), 'revoke', @after);
        tokensync('compact');
        waitpid $pid, 0;
    }, sub {
        ok soon(sub { !grep { status_of("$_-token") != 401 } @before, @after }),
            'what was revoked before and meanwhile is so';
    });
}

under_traffic('a backup is put in place', sub {
    rename $store, "$store.bad" or die "rename: $!";
    rename gateway_dir() . '/backup', $store or die "rename: $!";
}, sub {
    my $let_in = 0;
    my $end = time + 2;
    while (time < $end) {
        $let_in += grep { status_of("b$_-token") == 200 } 20, 59;
    }
    is $let_in, 0, 'what was revoked after it was made is never let in again';
});
system('rm', '-rf', "$store.bad");

# Another copy of the registry, from before all that, with many more tokens.
my $many = spew("$dir/many.jsonl",
    json_lines(map { token_line("n$_", 'organization', organization => 'acme', role => 'reader') } 1 .. 21_000));
my $imported = run_tool([ program('tokenctl'), '--registry', "sqlite:$other", 'import', $many ]);
die $imported->{err} if $imported->{status} ne '0';
# All of it in one file, so that the watch can never read a part of it.
system("sqlite3 -batch '$other' 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null") == 0 or die 'checkpoint failed';
under_traffic('a rebuild by the watch', sub {
    my $registry = gateway_dir() . '/registry.db';
    unlink "$registry-wal", "$registry-shm", "$other-wal", "$other-shm";
    rename $other, $registry or die "rename: $!";
}, sub {
    ok soon(sub { status_of('n21000-token') == 200 }), 'what is new is let in';
    ok soon(sub { status_of('b20-token') == 200 }), 'and what is valid again';
});

# The map grows while it is served.
my $traffic = traffic();
my $map = stored()->{map_bytes};
my @scopes = map { sprintf 'scope-%03d-%s', $_, 'x' x 53 } 1 .. 128;
import_lines(map { token_line("w$_", 'organization', organization => 'acme', scopes => \@scopes) } 1 .. 7_000);
ok soon(sub { status_of('w7000-token') == 200 }), 'many large tokens more: served';
cmp_ok stored()->{map_bytes}, '>', $map, 'the map has grown';
ok !(grep { status_of("w$_-token") != 200 } 1 .. 20), 'by all workers';
my ($count, $bad) = end_traffic($traffic);
is $bad, 0, "none of $count requests failed meanwhile";
unlike $server->errors, qr/\[(?:alert|crit|emerg)\]|is unavailable/, 'the log tells of no trouble';

done_testing;
