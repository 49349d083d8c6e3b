# The store's disk fills up during a sync: nginx serves the old content, tokensync says so, and goes on
# by itself once there is room.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

# The test runs in its own mount namespace, so that nothing stays mounted however it ends.
my $fault = 'disk full during a sync';
if (!$ENV{TOKEN_AUTH_FAULTS_UNSHARED}) {
    TokenAuth::Faults->cannot($fault, 'needs root, to mount a small file system') if $> != 0;
    TokenAuth::Faults->cannot($fault, 'no file system can be mounted here (no right to unshare)')
        if system('unshare -m mount -t tmpfs tmpfs /mnt 2>/dev/null') != 0;
    $ENV{TOKEN_AUTH_FAULTS_UNSHARED} = 1;
    exec 'unshare', '-m', $^X, "$FindBin::Bin/$FindBin::Script";
}

my $mount;
my $world = TokenAuth::Faults->new(
    ballast => 1000,
    store => sub {
        my ($self) = @_;
        mkdir($mount = $self->dir . '/small') or die "small: $!";
        chmod 0755, $mount;
        system('mount', '-t', 'tmpfs', '-o', 'size=48m,mode=755', 'tmpfs', $mount) == 0 or die 'mount';
        return "$mount/db";
    });
# Workers write nothing, so a full disk is nothing to them, whatever their number.
my $server = $world->nginx(workers => 40);
my $watch = $world->watch('--heartbeat', '1s', $world->group);
$world->run(rate => 30);
ok $world->mark, 'changes arrive';

sub fill {
    open my $out, '>', "$mount/ballast" or die "ballast: $!";
    for my $size (1 << 20, 4096) {
        while (defined syswrite $out, 'x' x $size) { }
    }
    close $out;
    return;
}

# In one commit.
sub add_tokens {
    my ($count) = @_;
    my $added = $world->run_program({ stdin => <<"END" }, 'sqlite3', '-batch', '-bail', $world->registry);
PRAGMA busy_timeout = 20000;
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $count)
INSERT INTO tokens (id, digest, kind, user_id, organization, role, name, created_at)
    SELECT 'more' || lower(hex(randomblob(12))), lower(hex(randomblob(32))), kind, user_id, organization, role, name, 0
    FROM tokens, numbers WHERE id = 'ballast1';
END
    $added->{status} eq '0' or die "sqlite3: $added->{err}";
    return;
}

for my $i (1 .. $world->times(2, 20)) {
    my $mark = length $world->log_of($watch);
    fill();
    my $generation = $world->json('status')->{generation};
    # Add tokens all over the store until LMDB needs more pages than it has free.
    my $said = 0;
    for (1 .. 8) {
        add_tokens(2000);
        $said = TokenAuth::Sync::eventually(
            sub { substr($world->log_of($watch), $mark) =~ /the old content is still being served; make room on its disk, .*"tokensync watch" then goes on by itself/ }, 3);
        last if $said;
    }
    ok $said, 'tokensync says so, and what to do' or diag $world->last_of($watch);
    $world->fault;
    my $run = $world->sync('status');
    is $run->{status}, 0, 'the store can be read';
    $server->reload if $i % 2;
    sleep 1;
    my ($status, undef, $body) = $server->get('/secret', Authorization => 'Bearer nobody');
    is $status, 401, 'and is served' or diag $body;
    unlink "$mount/ballast" or die "ballast: $!";
    ok $world->mark, 'with room, changes arrive again' or diag $world->last_of($watch);
    cmp_ok $world->json('status')->{generation}, '>', $generation, 'a new generation';
}
is_deeply [ $world->judge ], [], 'with a full disk: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
system 'umount', '-l', $mount;
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report($fault);
done_testing;
