# tokensync's command line: help, wrong usage, registries that cannot be read; and accounts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Sync;

my $world = TokenAuth::Sync->new;
$world->populate(1);
my $tool = $world->tool('tokensync');

# Runs the tool with these arguments alone.
sub bare { return $world->run_program({}, $tool, @_) }

subtest 'help and version' => sub {
    like bare('--version')->{out}, qr/^tokensync \d+\.\d+\.\d+$/, 'version';
    for my $command ('', qw(run watch status check explain compact)) {
        my $help = bare(grep({ $_ } $command), '--help');
        is $help->{status}, 0, "$command --help: exit status";
        like $help->{out}, qr/Usage: tokensync/, "$command --help: on standard output";
        is $help->{err}, '', "$command --help: nothing else";
    }
};

subtest 'wrong usage' => sub {
    my @cases = (
        [[], qr/name a command/],
        [['sync'], qr/--help/],
        [['run', 'now'], qr/now/],
        [['run', '--db'], qr/--db/],
        [['run', '--heartbeat', '5s'], qr/--heartbeat/],
        [['status', '--force'], qr/--force/],
        [['run', '--group', 'no-such-group'], qr/no group "no-such-group" .* with --group/],
        [['watch', '--heartbeat', 'often'], qr/--heartbeat "often" is not understood: write 30s/],
        [['watch', '--log-format', 'xml'], qr/--log-format "xml" is not known: write text or json/],
        [['compact', '--source', 'x'], qr/--source is not for compact, which reads only the store/],
        [['compact', '--force'], qr/--force/],
        [['explain', '--at', 'noon'], qr/--at "noon" is not understood: write 2027/],
        [['explain', '--max-age', '1'], qr/--max-age "1" is not understood: write/],
        [['explain', '--kind', 'robot'], qr/--kind "robot" is not known: write organization/],
        [['explain', '--org-mode', 'x'], qr/"x" is not known: write required/],
        [['explain', '--address', 'here'], qr/--address "here" is no IP address: write/],
        [['explain', '--scope', "caf\xe9"], qr/--scope \(4 bytes, not shown\) is not a/],
        [['explain', '--role', 'a/b'], qr/--role "a\/b" is not a role's name/],
        [['explain', '--group', 'a/b/c'], qr/--group "a\/b\/c" is not a group: write/],
    );
    for my $case (@cases) {
        my ($arguments, $text) = @$case;
        my $result = $world->sync(@$arguments);
        is $result->{status}, 2, "@$arguments: exit status";
        like $result->{err}, $text, "@$arguments: names it";
        is $result->{out}, '', "@$arguments: nothing on standard output";
        is $result->{err} =~ tr/\n//, 1, "@$arguments: one line";
    }
    ok !-e $world->db, 'no store was made';
};

subtest 'registries that are none' => sub {
    my $file = $world->dir . '/file';
    TokenAuth::Sync::spew($file, 'a text');
    my @cases = (
        ['mysql://x', 2, qr/write sqlite:<path>/],
        ["sqlite:$file.none", 1, qr/file\.none: there is no such file; make a registry by/],
        ["sqlite:$file", 1, qr/file: .*no token-auth registry; name another/],
        ['sqlite:' . $world->dir, 1, qr/is not a regular file; name the registry's file/],
    );
    for my $case (@cases) {
        my ($registry, $status, $text) = @$case;
        my $result = bare('--registry', $registry, '--db', $world->db, 'run');
        is $result->{status}, $status, "run $registry: exit status";
        like $result->{err}, $text, "run $registry: remedy";
    }
    ok !-e $world->db, 'no store was made';
    $world->sync_ok('run');
    for my $case (@cases) {
        my ($registry, $status, $text) = @$case;
        my $result = bare('--registry', $registry, '--db', $world->db, 'check');
        is $result->{status}, $status, "check $registry: exit status";
        like $result->{err}, $text, "check $registry: remedy";
    }
    my $result = bare('--registry', 'mysql://x', '--db', $world->db, 'watch');
    is $result->{status}, 2, 'watch does not wait for what is wrong usage';
    is $world->decision('t1-token', '--key', "$file.none") =~ /cannot read the key file/, 1,
        'a key file that is none';
    is $world->decision('t1-token', '--key', $file) =~ /a key is 32 to 1024 bytes/, 1,
        'a key that is too short';
};

subtest 'the environment' => sub {
    local $ENV{TOKEN_AUTH_REGISTRY} = 'sqlite:' . $world->registry;
    local $ENV{TOKEN_AUTH_DB} = $world->db;
    is bare('run')->{status}, 0, 'names registry and store';
    is bare('check')->{status}, 0, 'for every command';
};

subtest 'an account that may only read the registry' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my ($uid, $gid) = (getpwnam 'nobody')[ 2, 3 ];
    plan skip_all => 'needs the account nobody' if !defined $uid;
    my @as = ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups');
    plan skip_all => 'that account cannot run the tool'
        if $world->run_program({}, @as, $tool, '--version')->{status} ne '0';
    my $sync = sub {
        return $world->run_program({}, @as, $tool, $world->locations($world->dir . '/nobody/db'), @_);
    };

    my $run = $sync->('run');
    is $run->{status}, 1, 'a registry it may not read: exit status';
    like $run->{err}, qr/registry\.db: cannot be read: Permission denied; run as/, 'remedy';

    my @files = map { $world->registry . $_ } '', '-wal', '-shm';
    chown 0, $gid, @files;
    $run = $sync->('run');
    is $run->{status}, 1, 'a store it cannot make: exit status';
    like $run->{err}, qr{/nobody/db: No such file or directory; make the directory above}, 'remedy';

    mkdir $world->dir . '/nobody' or die;
    chown $uid, $gid, $world->dir . '/nobody';
    $run = $sync->('run');
    is $run->{status}, 0, 'with read permission and a place of its own' or diag $run->{err};
    is $sync->('check')->{status}, 0, 'it can check';

    chown 0, 0, glob $world->dir . '/nobody/db/*.mdb';
    $run = $sync->('run');
    is $run->{status}, 0, 'a file that it may not read: exit status';
    like $run->{err}, qr/cannot read and write .*: Permission denied; a new one took its place/, 'it is replaced';
    my $store = $world->dir . '/nobody/db';
    is $world->sync({ db => $store }, 'run')->{status}, 0, 'root';
    is((stat "$store/data.mdb")[4], $uid, 'works as the directory\'s owner');
    is $sync->('run')->{status}, 0, 'so that the account goes on';

    my $watch = $world->watch({ db => $store, as => \@as });
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date: 1 token/ }),
        'it can watch';
    $world->ctl_ok('revoke', 't1');
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /applied changes: 1 record/ }),
        'and sees changes';
    is $world->stop($watch), 0, 'ends well';
    $run = $sync->('run', '--group', 'www-data');
    if (defined getgrnam 'www-data') {
        is $run->{status}, 1, 'a group that is not its own: exit status';
        like $run->{err}, qr/cannot give .*db to the group www-data: .* run tokensync as root once, or as an/,
            'remedy';
    }
};

done_testing;
