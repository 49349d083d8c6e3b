# tokensync rebuilds a store that is beyond repair or differs in most of its content: it makes a new one
# beside it, which takes its place.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Sync;
use TokenAuth::Util qw(overwrite);

sub inode { return (stat $_[0]->db . '/data.mdb')[1] }

sub beside { return -e $_[0]->dir . '/.db.tokensync' }

# Overwrites the data file from that page on.
sub over {
    my ($world, $page, $bytes) = @_;
    open my $out, '+<:raw', $world->db . '/data.mdb' or die "data.mdb: $!";
    seek $out, 4096 * $page, 0 or die "data.mdb: $!";
    print $out $bytes;
    return close $out;
}

sub noise { return join '', map { chr(($_ * 7919 + ($_ >> 8) * 31) % 253) } 1 .. $_[0] }

my %damages = (
    'cut short'                => sub { truncate $_[0]->db . '/data.mdb', 16_384 },
    'cut to half a page'       => sub { truncate $_[0]->db . '/data.mdb', 2_048 },
    'noise all over'           => sub { over($_[0], 0, noise(200_000)) },
    'noise behind the meta pages' => sub { over($_[0], 2, noise(400_000)) },
    'ones behind the meta pages'  => sub { over($_[0], 2, "\xff" x 400_000) },
);

for my $what (sort keys %damages) {
    subtest $what => sub {
        my $world = TokenAuth::Sync->new;
        $world->populate(300);
        $world->sync_ok('run');
        my $before = $world->json('status')->{generation};
        ok $damages{$what}->($world), 'damaged';
        is $world->sync('check')->{status}, 1, 'check ends with an error';
        my $run = $world->sync('run');
        is $run->{status}, 0, 'run: exit status';
        like $run->{err}, qr/^warning: [^;\n]+; a new one took its place$/, 'says what was wrong'
            or diag $run->{err};
        like $run->{out}, qr/^full load into a new store: 301 records written, \d+ erased; 300 tokens, /,
            'and what was done';
        cmp_ok $world->json('status')->{generation}, '>', $before, 'a higher generation';
        is $world->sync('check')->{status}, 0, 'equal to the registry';
        ok !beside($world), 'nothing is left beside it';

        my $watch = $world->watch;
        ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'watch is up';
        ok $damages{$what}->($world), 'damaged again';
        $world->ctl_ok('revoke', 't300');
        ok TokenAuth::Sync::eventually(sub { $world->decision('t300-token') eq 'token_revoked' }),
            'the watch makes a new one by itself';
        is $world->stop($watch), 0, 'and ends well' or diag $world->log_of($watch);
        is $world->sync('check')->{status}, 0, 'equal';
    };
}

subtest 'damage that only a look at everything shows' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2_000);
    $world->sync_ok('run');
    # A page of tokens, found by its content.
    my $data = TokenAuth::Sync::slurp($world->db . '/data.mdb');
    my $page = int(index($data, 't1500', 3 * 4096) / 4096);
    ok over($world, $page, noise(4096)), 'one page is noise';
    my $check = $world->sync('check');
    is $check->{status}, 4, 'check finds it: exit status';
    like $check->{out}, qr/store +a page that cannot be read +damaged/, 'what';
    like $check->{err}, qr/the store is damaged: run "tokensync run"/, 'the remedy';
    my $json = $world->json('run');
    ok $json->{rebuilt}, 'run makes a new one';
    like $json->{damage}, qr/damaged/, 'and says why';
    is $world->sync('check')->{status}, 0, 'equal';

    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'watch is up';
    $data = TokenAuth::Sync::slurp($world->db . '/data.mdb');
    ok over($world, int(index($data, 't1500', 3 * 4096) / 4096), noise(4096)), 'noise again';
    kill 'HUP', $watch->{pid};
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /damaged.*; a new one took its place/ }), 'SIGHUP: found';
    is $world->sync('check')->{status}, 0, 'and mended';
    is $world->stop($watch), 0, 'the watch ends well' or diag $world->log_of($watch);
};

subtest 'damage that only the writer meets' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2_000);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'watch is up';
    # The first places of nodes in some leaves of tokens lie behind their page.
    my $file = $world->db . '/data.mdb';
    my $data = TokenAuth::Sync::slurp($file);
    my @leaves = grep { substr($data, 4096 * $_, 4096) =~ /\A.{10}\x02\x00(?!.*TKAUTH).*acme/s } 2 .. 200;
    cmp_ok scalar(@leaves), '>', 30, 'there are leaves';
    overwrite($file, 4096 * $_ + 16, "\xf0\xff" x 20) for @leaves[5 .. 20];
    $world->ctl_ok('revoke', map { "t$_" } 1 .. 60);
    ok TokenAuth::Sync::eventually(sub { $world->decision('t60-token') eq 'token_revoked' }), 'a new store takes its place'
        or diag $world->log_of($watch);
    is $world->sync('check')->{status}, 0, 'equal to the registry';
    is $world->stop($watch), 0, 'the watch ends well';
};

subtest 'damage that only readers meet' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(3);
    my $watch = $world->watch('--heartbeat', '0');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'watch is up';
    sleep 1.5;    # it has looked at the store as a whole
    my $file = $world->db . '/data.mdb';
    my %meta = ('size of a page' => [ 40, 4 ], 'depth of the tree' => [ 94, 2 ]);
    for my $what (sort keys %meta) {
        my ($at, $size) = @{ $meta{$what} };
        overwrite($file, 4096 * $_ + $at, "\x77" x $size) for 0, 1;
        is $world->sync('status')->{status}, 1, "$what: no reader can open it";
        ok TokenAuth::Sync::eventually(sub { $world->sync('status')->{status} == 0 }), 'a new one takes its place'
            or diag $world->log_of($watch);
    }
    is $world->stop($watch), 0, 'the watch ends well';
};

subtest 'a watch goes on after any number of faults' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    my $watch = $world->watch;
    for my $fault (1 .. 3) {
        ok TokenAuth::Sync::eventually(sub { (() = $world->log_of($watch) =~ /full load/g) >= $fault }), 'up';
        kill 'SEGV', $watch->{pid};
        ok TokenAuth::Sync::eventually(sub { (() = $world->log_of($watch) =~ /beginning again with a new store/g) == $fault }),
            "fault $fault";
    }
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('t1-token') eq 'token_revoked' }), 'a revocation arrives';
    is $world->stop($watch), 0, 'and it ends well' or diag $world->log_of($watch);
};

subtest 'noise in a meta page is not called another format' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(3);
    $world->sync_ok('run');
    my $file = $world->db . '/data.mdb';
    my $data = TokenAuth::Sync::slurp($file);
    substr $data, $_ * 4096 + 88, 40, noise(40) for 0, 1;
    TokenAuth::Sync::spew($file, $data);
    my $run = $world->sync('run');
    is $run->{status}, 0, 'exit status' or diag $run->{err};
    unlike $run->{err}, qr/format 1,/, 'not of format 1';
    like $run->{err}, qr/a new one took its place/, 'replaced';
};

subtest 'a generation that no clock gives' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $before = $world->json('status')->{generation};
    my $sync = $world->db . '.sync';
    for my $far (2**43, '18446744073709551615') {
        my $content = TokenAuth::Sync::slurp($sync);
        $content =~ s/ \d{20} /sprintf ' %020s ', $far/e or die $content;
        TokenAuth::Sync::spew($sync, $content);
        $world->sync_ok('run');
        my $after = $world->json('status')->{generation};
        ok $after > $before && $after < 2**42, "in the lock file ($far): ignored";
        $before = $after;
        $world->tamper(sub { substr $_[0]{ 'ff' x 8 }, 32, 16, unpack 'H*', pack 'Q<', $far });
        my $run = $world->sync('run');
        is $run->{status}, 0, 'in the store: a new one' or diag $run->{err};
        like $run->{err}, qr/damaged.*; a new one took its place/, 'as the store is damaged';
        $after = $world->json('status')->{generation};
        ok $after > $before && $after < 2**42, 'of the clock';
        $before = $after;
    }
};

subtest 'a store of another version' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sync_ok('run');
    $world->tamper(sub { $_[0]{ 'ff' x 8 } =~ s/^(544b41555448)02/${1}7f/ or die 'no meta record' });
    my $run = $world->sync('run');
    is $run->{status}, 0, 'exit status' or diag $run->{err};
    like $run->{err}, qr/it has another format; a new one took its place/, 'is replaced';
    is $world->sync('check')->{status}, 0, 'equal';
};

# Large enough that a full load does not happen in place.
my $large = TokenAuth::Sync->new;
my $small_registry = $large->dir . '/small.db';
$large->populate(200);
$large->copy_registry($large->registry, $small_registry);
$large->import_lines(map { TokenAuth::Sync::token("n$_", role => 'reader') } 1 .. 22_000);
my $large_registry = $large->dir . '/large.db';
$large->copy_registry($large->registry, $large_registry);
$large->sync_ok('run');

subtest 'few differences are written in place' => sub {
    my $before = inode($large);
    my $run = $large->json('run', '--full');
    ok $run->{full} && !$run->{rebuilt}, 'none';
    $large->ctl_ok('revoke', 'n1');
    $run = $large->json('run', '--full');
    ok $run->{full} && !$run->{rebuilt}, 'one';
    is inode($large), $before, 'the file is the same';
};

subtest 'a new store holds removals back' => sub {
    my $before = $large->json('status');
    my $inode = inode($large);
    $large->copy_registry($small_registry, $large->registry);
    my $run = $large->sync('run');
    is $run->{status}, 3, 'held back';
    like $run->{err}, qr/the removal of 22000 tokens is held back .*"tokensync run --force"/, 'what';
    isnt inode($large), $inode, 'in a new store';
    is decode_json($large->sync('status', '--json')->{out})->{counts}{tokens}, $before->{counts}{tokens}, 'that has all tokens';
    ok !beside($large), 'nothing is left beside it';
    $run = $large->json('run', '--force');
    ok $run->{rebuilt}, 'with --force it is done';
    is $run->{erased}, 22_000, 'and says so';
    is $large->sync('check')->{status}, 0, 'equal';
};

subtest 'killed at any moment' => sub {
    my $killed = 0;
    $large->copy_registry($large_registry, $large->registry);
    for my $delay (map { 0.004 * 1.5**$_ } 0 .. 9) {
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
            open STDERR, '>', '/dev/null' or POSIX::_exit(126);
            my $tool = $large->tool('tokensync');
            exec { $tool } $tool, $large->locations, 'run' or POSIX::_exit(127);
        }
        sleep $delay;
        kill 'KILL', $child;
        waitpid $child, 0;
        $killed++ if $? & 127;
        is $large->decision('t1-token'), 'ok', sprintf 'after %.0f ms: served', 1000 * $delay;
    }
    cmp_ok $killed, '>', 0, 'some were killed';
    $large->sync_ok('run');
    is $large->json('status')->{counts}{tokens}, 22_200, 'all tokens';
    is $large->sync('check')->{status}, 0, 'equal';
    ok !beside($large), 'nothing is left beside it';
};

subtest 'a large part of the store changes at once' => sub {
    my $world = TokenAuth::Sync->new;
    my $sql = sub { return $world->run_program({ stdin => $_[0] }, 'sqlite3', $world->registry) };
    plan skip_all => 'needs the sqlite3 command' if $sql->('SELECT 1;')->{status} ne '0';
    $world->populate(101);
    $world->sync_ok('run');
    $world->ctl_ok('revoke', 't1');
    ok !$world->json('run')->{full}, 'a small part is applied change by change';
    my $filled = $sql->(<<'END');
PRAGMA synchronous = OFF;
BEGIN;
INSERT INTO users (id, technical, created_at) SELECT 'tu-m' || value, 1, 0 FROM generate_series(1, 101000);
INSERT INTO tokens (id, digest, kind, user_id, organization, role, name, created_at)
    SELECT 'm' || value, lower(hex(randomblob(32))), 'organization', 'tu-m' || value, 'acme', 'reader', 'many', 0
    FROM generate_series(1, 101000);
COMMIT;
END
    is $filled->{status}, 0, 'filled' or diag $filled->{err};
    my $run = $world->json('run');
    ok $run->{full} && $run->{rebuilt}, 'a large one by a new store';
    is $run->{tokens}, 101_101, 'with all of it';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'SIGTERM in the middle of a load ends a watch' => sub {
    my $world = TokenAuth::Sync->new(registry => 0);
    $world->copy_registry($large_registry, $world->registry);
    for my $delay (0.02, 0.05, 0.1) {
        my $watch = $world->watch;
        sleep $delay;
        my $status = $world->stop($watch);
        like $status, qr/^(0|signal 15)$/, "after $delay s";    # a signal that came before the handler
    }
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'the next run completes';
};

subtest 'where the directory above is not writable' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my $uid = (getpwnam 'nobody')[2];
    plan skip_all => 'needs the account nobody' if !defined $uid;
    $large->copy_registry($small_registry, $large->registry);
    unlink glob $large->db . '/*';
    $large->sync_ok('run');
    $large->copy_registry($large_registry, $large->registry);
    $large->ctl_ok('org', 'list');    # makes -wal and -shm
    chmod 0644, map { $large->registry . $_ } '', '-wal', '-shm';
    chown $uid, -1, $large->db, glob($large->db . '/*'), $large->db . '.sync';
    my @as = ('setpriv', "--reuid=$uid", '--regid=0', '--clear-groups');
    my $run = sub {
        return $large->run_program({}, @as, $large->tool('tokensync'), $large->locations, 'run', @_);
    };
    my $before = inode($large);
    my $done = $run->('--json');
    is $done->{status}, 0, 'all is written in place' or diag $done->{err};
    ok !JSON::PP::decode_json($done->{out})->{rebuilt}, 'and said so';
    is inode($large), $before, 'in the same file';
    is $large->sync('check')->{status}, 0, 'equal';

    truncate $large->db . '/data.mdb', 16_384 or die;
    $done = $run->();
    is $done->{status}, 1, 'a damaged one cannot be mended: exit status';
    like $done->{err}, qr/it is damaged; a new store cannot be put in its place: .* is not writable for this account/,
        'what to do';
    chown $uid, -1, $large->dir;
    is $large->sync('run')->{status}, 0, 'root can, if the directory above is that account\'s';
    is((stat $large->db)[4], $uid, 'and gives the new one to the same account');
    is $run->()->{status}, 0, 'which goes on with it';
};

done_testing;
