# Full loads, beside mdb_load of the same pairs, and changes applied in one go.
package Bench::Sync::Load;

use strict;
use warnings;

use Bench::Process qw(run);
use Exporter qw(import);
use JSON::PP;
use POSIX ();
use TokenAuth::Util ();
use Time::HiRes qw(sleep time);
use TokenAuth::Util qw(slurp);

our @EXPORT_OK = qw(load_by_mdb_load load_by_tokensync apply_changes);

# Runs a command and watches its memory: { seconds, private } (bytes of anonymous memory at its highest).
sub watched {
    my (@command) = @_;
    my $begun = time;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    # before exec, the child has the memory of this process
    my $name = substr $command[0] =~ s{.*/}{}r, 0, 15;
    my $most = 0;
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        my $status = eval { slurp("/proc/$pid/status") } // '';
        $most = $1 if $status =~ /^Name:\s*\Q$name\E$/m && $status =~ /^RssAnon:\s*(\d+)/m && $1 > $most;
        sleep 0.02;
    }
    die "@command failed\n" if $? != 0;
    return { seconds => time - $begun, private => 1024 * $most };
}

sub tokensync {
    my ($registry, $db, @arguments) = @_;
    return (TokenAuth::Util::program('tokensync'), '--registry', $registry->url, '--db', $db, @arguments);
}

sub load_by_tokensync {
    my ($registry, $db) = @_;
    run('rm', '-rf', $db);
    my $result = watched(tokensync($registry, $db, 'run'));
    $result->{disk} = 1024 * (split ' ', run('du', '-k', '-s', $db))[0];
    return $result;
}

# The store's pairs, written by mdb_load into another directory.
sub load_by_mdb_load {
    my ($db, $scratch) = @_;
    run('rm', '-rf', $scratch);
    mkdir $scratch or die "$scratch: $!\n";
    # mdb_dump of LMDB 0.9 writes a line that its mdb_load does not know
    run('sh', '-c', 'mdb_dump "$1" | grep -v "^db_pagesize=" > "$2"', 'sh', $db, "$scratch.dump");
    my $result = watched('mdb_load', '-f', "$scratch.dump", $scratch);
    run('rm', '-rf', $scratch, "$scratch.dump");
    return $result;
}

# Changes per second of one run, with that many committed before it.
sub apply_changes {
    my ($registry, $db, $changes) = @_;
    my $connection = $registry->connect;
    $registry->change($connection, $changes, int rand 1e6);
    $connection->disconnect;
    my $outcome = decode_json(run(tokensync($registry, $db, '--json', 'run')));
    die "that was a full load\n" if $outcome->{full};
    return $changes / ($outcome->{milliseconds} / 1000);
}

1;
