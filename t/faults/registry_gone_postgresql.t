# PostgreSQL is gone: enforcement goes on, and the watch connects again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
BEGIN {
    $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql';
    delete $ENV{TOKEN_AUTH_TEST_POSTGRES};    # not the one that others use meanwhile
}
use TokenAuth::Faults;
use TokenAuth::Postgres;

my $world    = TokenAuth::Faults->new;
my $postgres = TokenAuth::Postgres->shared;
my ($database) = $world->url =~ m{\@/(\w+)};
$world->nginx;
my $watch = $world->watch('--heartbeat', '1s');
$world->run(rate => 30);
ok $world->mark, 'changes arrive' or diag $world->last_of($watch);

# Whether the watch says so, behind that place in its log.
sub said {
    my ($mark, $text) = @_;
    return TokenAuth::Sync::eventually(sub { substr($world->log_of($watch), $mark) =~ $text }, 40);
}

# The processes of the server, its first one last.
sub server_processes {
    my ($first) = split /\n/, TokenAuth::Sync::slurp($postgres->data . '/postmaster.pid');
    return ((map { s/\s+//gr } `ps -o pid= --ppid $first`), $first);
}

sub close_database {
    $postgres->sql('postgres', "ALTER DATABASE $database ALLOW_CONNECTIONS false;"
        . " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database'");
    return;
}

sub open_database { return $postgres->sql('postgres', "ALTER DATABASE $_[0] ALLOW_CONNECTIONS true") }

my @faults = (
    [ 'stopped' => sub { $postgres->down; 1 }, sub { $postgres->up; 1 } ],
    [ 'crashed' => sub { $postgres->down('immediate'); 1 }, sub { $postgres->up; 1 } ],
    [ 'its connections ended, and none allowed' => sub { close_database(); 1 }, sub { open_database($database); 1 } ],
    # Nobody can connect before it has another name.
    [ 'renamed' => sub {
            close_database();
            TokenAuth::Sync::eventually(sub {
                eval { $postgres->sql('postgres', "ALTER DATABASE $database RENAME TO elsewhere") } })
                && open_database('elsewhere') },
        sub { $postgres->sql('postgres', "ALTER DATABASE elsewhere RENAME TO $database"); 1 } ],
    # A server that hangs looks like one that has nothing to say.
    [ 'hanging' => sub { kill 'STOP', server_processes() }, sub { kill 'CONT', reverse server_processes() }, 'silent' ],
);

for my $round (1 .. $world->times(1, 10)) {
    for my $each (@faults) {
        my ($what, $break, $mend, $silent) = @$each;
        $world->pause_changes;
        my $mark = length $world->log_of($watch);
        ok $break->(), $what;
        $world->fault;
        $silent or ok said($mark, qr/; trying again\n/), 'it is missed' or diag $world->last_of($watch);
        sleep 0.5;
        ok $mend->(), 'and back';
        $silent or ok said($mark, qr/^recovered\n/m), 'it is seen again' or diag $world->last_of($watch);
        $world->resume_changes(rate => 30);
        ok $world->mark, 'changes arrive again' or diag $world->last_of($watch);
        sleep 0.3;
    }
}
is_deeply [ $world->judge ], [], 'without PostgreSQL: all answers are right';
is $world->stop($watch), 0, 'the watch is well';
ok $world->ends_equal, 'store and registry are equal at the end';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('registry gone, PostgreSQL');
done_testing;
