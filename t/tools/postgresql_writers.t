# Many writers at once: 8 of them make 20,000 mixed changes to a PostgreSQL registry, some of which are held
# open for seconds, while "tokensync watch" follows. At each quiet point store and registry are equal, and the
# store never shows half of a commit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use DBI;
use Digest::SHA qw(sha256_hex);
use List::Util qw(max);
use Test::More;
BEGIN { $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql' }
use TokenAuth::Postgres;
use TokenAuth::Sync;
use Time::HiRes qw(sleep time);

my $writers = 8;
my $rounds  = 4;                                   # with a quiet point after each
my $changes = $ENV{TOKEN_AUTH_CHANGES} // 20_000;
my $pairs   = 200;
my $each    = int($changes / $writers / $rounds);
my $seed    = $ENV{TOKEN_AUTH_SEED} // time ^ $$;
note "seed $seed (TOKEN_AUTH_SEED)";

my $world = TokenAuth::Sync->new;
my ($database, $host) = $world->url =~ m{@/(\w+)\?host=(.*)};

# Every transaction gives both tokens of a pair the same name.
$world->import_lines(
    (map { { type => 'role', id => "r$_", scopes => ['a:read'] } } 1 .. 5),
    (map { { type => 'organization', id => $_ } } 'acme', map { "o$_" } 1 .. 20),
    (map { { type => 'user', id => "u$_" } } 1 .. 20),
    map { my $pair = $_; map { TokenAuth::Sync::token("pair$pair$_", name => 'v0', role => 'r1') } qw(a b) } 1 .. $pairs,
);

# One change: { statements and values } of one transaction.
sub draw {
    my ($writer, $number) = @_;
    my $kind = int rand 12;
    my $at   = "w$writer-$number";
    if ($kind < 5) {
        my $pair = 1 + int rand $pairs;
        # in the order of ids, like all writers: no deadlock
        return map { [ 'UPDATE token_auth.tokens SET name = ?, revoked_at = ? WHERE id = ?', "v$at", int rand 2, "pair$pair$_" ] } qw(a b);
    }
    my $user = "tu-$at";
    return (
        [ 'INSERT INTO token_auth.users (id, technical, created_at) VALUES (?, 1, 0)', $user ],
        [   'INSERT INTO token_auth.tokens (id, digest, kind, user_id, organization, name, created_at) VALUES (?, ?, ?, ?, ?, ?, 0)',
            $at, sha256_hex("$at-token"), 'organization', $user, 'acme', $at
        ]
    ) if $kind < 7;
    return [ 'DELETE FROM token_auth.tokens WHERE id = (SELECT id FROM token_auth.tokens WHERE id LIKE ? LIMIT 1)', "w$writer-%" ] if $kind == 7;
    return [ 'UPDATE token_auth.organizations SET suspended = ? WHERE id = ?', int rand 2, 'o' . (1 + int rand 20) ] if $kind == 8;
    return [ 'UPDATE token_auth.users SET disabled = ? WHERE id = ?', int rand 2, 'u' . (1 + int rand 20) ] if $kind == 9;
    return [ 'UPDATE token_auth.roles SET scopes = ? WHERE id = ?', "a:$at", 'r' . (1 + int rand 5) ] if $kind == 10;
    return [
        'INSERT INTO token_auth.memberships VALUES (?, ?, ?, 0) ON CONFLICT (user_id, organization) DO UPDATE SET role = excluded.role',
        'u' . (1 + int rand 20), 'o' . (1 + int rand 20), 'r' . (1 + int rand 5)
    ];
}

# A writer's part of a round; returns the number of its commits.
sub write_changes {
    my ($writer, $round) = @_;
    srand $seed + 1000 * $round + $writer;
    my $db = DBI->connect("dbi:Pg:dbname=$database;host=$host", 'postgres', '', { AutoCommit => 0, RaiseError => 1, PrintError => 0 });
    $db->do("SET lock_timeout = '30s'");
    my $done = 0;
    # Two writers hold a transaction open for seconds; it draws its numbers at the start.
    my $held = $writer <= 2 ? DBI->connect("dbi:Pg:dbname=$database;host=$host", 'postgres', '', { AutoCommit => 0, RaiseError => 1 }) : undef;
    $held->do('INSERT INTO token_auth.organizations (id, created_at) VALUES (?, 0)', undef, "held-$writer-$round") if $held;
    my $end_of_hold = time + 1 + rand 2;
    while ($done < $each) {
        my @statements = draw($writer, "$round-$done");
        my $rolled_back = rand() < 0.05;
        my $ok = eval {
            for (@statements) {
                my ($sql, @values) = @$_;
                $db->do($sql, undef, @values);
            }
            $rolled_back ? $db->rollback : $db->commit;
            1;
        };
        $db->rollback if !$ok;    # a deadlock; the next one
        ++$done if $ok && !$rolled_back;
        sleep rand(0.02) if rand() < 0.02;
    }
    if ($held) {
        sleep 0.05 while time < $end_of_hold;
        $held->commit;
        $held->disconnect;
    }
    $db->disconnect;
    return $done;
}

# The number of the newest commit of the store, from LMDB's two meta pages.
sub newest_commit {
    open my $file, '<:raw', $world->db . '/data.mdb' or die "data.mdb: $!";
    read $file, my $pages, 8192;
    return max map { unpack 'Q<', substr $pages, $_ + 144, 8 } 0, 4096;
}

# Pairs whose tokens differ in one snapshot of the store. tokensync does not wait for mdb_dump: once two
# commits have followed, the next one uses pages of the snapshot again, and the look counts for nothing.
sub torn_pairs {
    my %names;
    my $before = newest_commit();
    open my $dump, '-|', 'mdb_dump', $world->db or die "mdb_dump: $!";
    while (<$dump>) {
        next unless /\A [0-9a-f]+\s*\z/;
        my $value = pack 'H*', s/\s//gr;
        my ($id) = $value =~ /(pair\d+[ab])/ or next;
        my ($name) = $value =~ /(v0|vw\d+-\d+-\d+)/ or next;
        $names{$id} = $name;
    }
    close $dump;
    return { seen => 0, torn => [] } if newest_commit() > $before + 1;
    return { seen => scalar keys %names, torn => [ grep { ($names{"pair${_}a"} // '') ne ($names{"pair${_}b"} // '') } 1 .. $pairs ] };
}

my $watch = $world->watch;
ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'watch is up';
my ($looks, $torn, $written, $began) = (0, 0, 0, time);
for my $round (1 .. $rounds) {
    my %running;
    for my $writer (1 .. $writers) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my $ok = eval { write_changes($writer, $round) == $each };
            print STDERR $@ if !$ok;
            require POSIX;
            POSIX::_exit($ok ? 0 : 1);
        }
        $running{$pid} = 1;
    }
    my $failed = 0;
    while (%running) {
        my $seen = torn_pairs();
        ++$looks if $seen->{seen} == 2 * $pairs;
        if (@{ $seen->{torn} }) {
            ++$torn;
            diag "half of a transaction is seen: pairs @{ $seen->{torn} }";
        }
        sleep 0.05;
        while ((my $pid = waitpid -1, 1) > 0) {
            next unless delete $running{$pid};
            ++$failed if $? != 0;
        }
    }
    is $failed, 0, "round $round: all writers have written";
    # check waits for a store that is a moment behind
    my $check = $world->sync('check');
    is $check->{status}, 0, "round $round: store and registry are equal" or diag $check->{out}, $check->{err};
    is $world->sql("SELECT count(*) FROM organizations WHERE id LIKE 'held-%-$round'")->[0], 2, 'what was held open is there';
}
my $took = time - $began;
is $torn, 0, 'never was half a transaction seen';
cmp_ok $looks, '>', 10, 'in many looks';
is $world->stop($watch), 0, 'watch ends';
is(() = $world->log_of($watch) =~ /full load/g, 1, 'and has read everything once only');
note sprintf '%d changes by %d writers in %.1f s, %d looks at the store', $writers * $rounds * $each, $writers, $took, $looks;
done_testing;
