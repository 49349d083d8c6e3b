# The registry is gone: enforcement goes on, and the watch takes the registry up again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;
use TokenAuth::Tools ();

my $nobody = TokenAuth::Tools::as_nobody();
TokenAuth::Faults->cannot('registry gone', 'needs setpriv, to run as another account') if !$nobody;

my $world = TokenAuth::Faults->new;
# Root can read everything: the watch runs as another account.
if (@$nobody) {
    chown 65534, -1, $world->dir, glob($world->dir . '/registry.db*');
    chown 65534, -1, $world->db, glob($world->db . '/*'), $world->db . '.sync';
}
my $server = $world->nginx;
my ($watch, $mark);
sub start { $watch = $world->watch({ as => $nobody }, '--heartbeat', '1s'); $mark = 0; return 1 }
sub restart { return $world->stop($watch) eq '0' && start() }
start();
$world->run(rate => 30);
ok $world->mark, 'changes arrive' or diag $world->last_of($watch);

my $registry = $world->registry;
my @faults = (
    [ 'moved away' => sub { rename $registry, "$registry.away" }, sub { rename "$registry.away", $registry } ],
    # A watch that has it open reads on, so this starts another one.
    [ 'unreadable' => sub { chmod(0, $registry) && restart() }, sub { chmod 0644, $registry } ],
    [ 'a text file' => sub {
            rename $registry, "$registry.away"; TokenAuth::Sync::spew($registry, "no registry\n" x 500); 1 },
        sub { rename "$registry.away", $registry } ],
    [ 'behind a directory that is closed' => sub { rename($registry, "$registry.away") && mkdir $registry },
        sub { rmdir($registry) && rename "$registry.away", $registry } ],
    [ 'put back from a copy' => sub {
            rename($registry, "$registry.away") && system('cp', '-a', "$registry.away", "$registry.copy") == 0 },
        sub { unlink("$registry.away") && rename "$registry.copy", $registry } ],
);

for my $round (1 .. $world->times(1, 5)) {
    for my $each (@faults) {
        my ($what, $break, $mend) = @$each;
        # Move the whole registry out of its log into the file.
        $world->pause_changes;
        $world->run_program({}, 'sqlite3', '-batch', $registry, 'PRAGMA wal_checkpoint(TRUNCATE)');
        $mark = length $world->log_of($watch);
        ok $break->(), $what;
        $world->fault;
        ok TokenAuth::Sync::eventually(
            sub { substr($world->log_of($watch), $mark) =~ /; trying again\n/ }), 'it is missed'
            or diag $world->last_of($watch);
        sleep 0.3;
        ok $mend->(), 'and back';
        ok TokenAuth::Sync::eventually(
            sub { substr($world->log_of($watch), $mark) =~ /^recovered\n/m }), 'it is seen again'
            or diag $world->last_of($watch);
        $world->resume_changes(rate => 30);
        ok $world->mark, 'changes arrive again' or diag $world->last_of($watch);
        sleep 0.3;
    }
}
is_deeply [ $world->judge ], [], 'without the registry: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('registry gone');
done_testing;
