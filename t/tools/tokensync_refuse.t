# What tokensync refuses: a strange directory as its store, and the store of another registry.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Registry qw(new_registry on_postgresql);
use TokenAuth::Sync;

# Names, sizes and contents of all files below a directory.
sub listing {
    my ($dir) = @_;
    opendir my $handle, $dir or return 'none';
    return join "\n", map { "$_: " . (-f "$dir/$_" ? TokenAuth::Sync::slurp("$dir/$_") : 'no file') }
        sort grep { !/^\.\.?$/ } readdir $handle;
}

sub refused_directory {
    my ($world, $text, $what) = @_;
    my $before = listing($world->db);
    for my $arguments ([], ['--force']) {
        my $run = $world->sync('run', @$arguments);
        is $run->{status}, 1, "$what: exit status (run @$arguments)";
        like $run->{err}, $text, "$what: names thing and remedy";
        is $run->{err} =~ tr/\n//, 1, "$what: in one line";
        is listing($world->db), $before, "$what: nothing was changed";
    }
    return;
}

subtest 'a directory that holds something else' => sub {
    my $world = TokenAuth::Sync->new;
    mkdir $world->db or die;
    TokenAuth::Sync::spew($world->db . '/letter.txt', 'dear reader');
    refused_directory($world, qr/db holds "letter\.txt" and no token store; name an empty or a new/,
        'a file');
};

subtest 'the LMDB files of another program' => sub {
    my $world = TokenAuth::Sync->new;
    mkdir $world->db or die;
    my $dump = $world->dir . '/dump';
    TokenAuth::Sync::spew($dump, "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n"
            . " key\n value\nDATA=END\n");
    is $world->run_program({}, 'mdb_load', '-f', $dump, $world->db)->{status}, 0, 'made';
    refused_directory($world, qr/db holds the LMDB file of another program, .*; name an empty or/,
        'LMDB');
};

# Empty, with integer keys, and of a sort that tokensync never makes.
for my $case (['without a record', 'HEADER=END\n'], [ 'with integer keys', "integerkey=1\nHEADER=END\n 0102030405060708\n 41\n" ],
    [ 'with duplicates', "duplicates=1\nHEADER=END\n 41\n 42\n" ]) {
    subtest "another program's LMDB files, $case->[0]" => sub {
        my $world = TokenAuth::Sync->new;
        mkdir $world->db or die;
        my $dump = $world->dir . '/dump';
        TokenAuth::Sync::spew($dump, "VERSION=3\nformat=bytevalue\ntype=btree\n" . $case->[1] =~ s/\\n/\n/gr . "DATA=END\n");
        is $world->run_program({}, 'mdb_load', '-f', $dump, $world->db)->{status}, 0, 'made';
        refused_directory($world, qr/db holds the LMDB file of another program, .*; name an empty or/, 'LMDB');
        my $before = listing($world->db);
        is $world->sync('run', '--rebuild')->{status}, 1, '--rebuild does not take it over';
        is listing($world->db), $before, 'nor touch it';
    };
}

subtest 'a damaged store whose lock file was lost' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    for my $lost (sub { unlink $_[0] }, sub { TokenAuth::Sync::spew($_[0], 'noise') }) {
        $world->sync_ok('run');
        TokenAuth::Sync::spew($world->db . '/data.mdb', 'noise ' x 5000);
        $lost->($world->db . '.sync');
        my $run = $world->sync('run');
        is $run->{status}, 1, 'run: exit status';
        like $run->{err}, qr/not known here; .*, or run "tokensync run --rebuild" if it was this store/, 'the remedy';
        $run = $world->sync('run', '--rebuild');
        is $run->{status}, 0, 'run --rebuild' or diag $run->{err};
        is $world->decision('t1-token'), 'ok', 'mends it';
    }
};

subtest 'a lock file that cannot be used' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $file = $world->db . '.sync';
    my $fails = sub {
        my ($text, $what) = @_;
        my $run = $world->sync('run');
        is $run->{status}, 1, "$what: exit status";
        like $run->{err}, $text, "$what: what to do";
        return;
    };
    rename $file, "$file.kept" or die;
    mkdir $file or die;
    $fails->(qr/lock file \S+db\.sync is a directory; move it away/, 'a directory');
    rmdir $file or die;
    symlink "$file.kept", $file or die;
    $fails->(qr/lock file \S+db\.sync is not a regular file; move it away/, 'a link');
    unlink $file;
    TokenAuth::Sync::spew($world->dir . '/other', 'precious');
    link $world->dir . '/other', $file or die;
    $fails->(qr/lock file \S+db\.sync is a file that has another name, too; move it away/, 'a hard link');
    unlink $file;
    is TokenAuth::Sync::slurp($world->dir . '/other'), 'precious', 'the file is as it was';
    rename "$file.kept", $file or die;
SKIP: {
        my ($uid, $gid) = (getpwnam 'nobody')[ 2, 3 ];
        skip 'needs root and nobody', 4 if $> != 0 || !defined $uid;
        chown $uid, -1, $file or die;
        $fails->(qr/db\.sync belongs to another account \(user $uid, not 0\); run tokensync as that account, or give the store to this one \(chown -R 0 \S+db \S+db\.sync\)$/m, 'of another account');
        chown $uid, $gid, $world->dir, $world->db, $world->db . '/data.mdb' or die;
        chmod 0400, $file or die;
        $fails->(qr/db\.sync: Permission denied; give it the mode 0600 again/, 'read-only');
        chmod 0600, $file;
    }
    is $world->sync('run')->{status}, 0, 'mended';
};

subtest 'noise in a directory that is not known to be ours' => sub {
    my $world = TokenAuth::Sync->new;
    mkdir $world->db or die;
    TokenAuth::Sync::spew($world->db . '/data.mdb', 'noise ' x 5000);
    refused_directory($world, qr/db holds the LMDB file of another program, or a damaged store that is not known here/,
        'noise');
};

subtest 'a store that is a file, and one that has no place' => sub {
    my $world = TokenAuth::Sync->new;
    TokenAuth::Sync::spew($world->db, 'a file');
    my $run = $world->sync('run');
    is $run->{status}, 1, 'exit status';
    like $run->{err}, qr/cannot use as the store's directory .*db: Not a directory; name a dir/,
        'remedy';
    $run = $world->sync({ db => $world->dir . '/no/such/db' }, 'run');
    is $run->{status}, 1, 'exit status';
    like $run->{err}, qr{/no/such/db: No such file or directory; make the directory above it},
        'remedy';
};

subtest 'a store of another registry' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    $world->sync_ok('run');
    my $before = $world->json('status');
    $world->{url} = new_registry($world->dir . '/another.db');
    $world->ctl_ok('init');
    my $identity = $before->{registry};
    for my $command ('run', 'watch') {
        my $run = $world->sync($command);
        is $run->{status}, 3, "$command: exit status";
        like $run->{err},
            qr/db is a copy of another registry \($identity, not [0-9a-f]{32}\).*--force"; nothing/,
            "$command: names both and the remedy";
    }
    is_deeply $world->json('status')->{generation}, $before->{generation}, 'nothing was changed';
    is $world->decision('t1-token'), 'ok', 'what it holds is served';
    is $world->sync('check')->{status}, 4, 'check tells them apart';
    is $world->sync('run', '--force')->{status}, 0, '--force';
    is $world->decision('t1-token'), 'token_unknown', 'takes it over';
    isnt $world->json('status')->{registry}, $identity, 'for good';
};

subtest 'two at once' => sub {
    my $world = TokenAuth::Sync->new;
    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /full load/ }), 'watch is up';
    for my $command ('watch', 'run') {
        my $run = $world->sync($command);
        is $run->{status}, 1, "$command beside it: exit status";
        like $run->{err}, qr/another tokensync is writing the store .*db; wait until it is done/,
            "$command beside it: remedy";
    }
    is $world->stop($watch), 0, 'watch ends';
    is $world->sync('run')->{status}, 0, 'and then it may be done';
};

{
    my $world = TokenAuth::Sync->new;
    my $sql = sub { return eval { $world->sql($_[0]); 0 } // $@ };
    subtest 'the tables keep out what the store could not take' => sub {
        my $other = TokenAuth::Sync->new;
        $other->populate(1);
        for my $bad ("UPDATE tokens SET digest = upper(digest)", "UPDATE tokens SET id = 'a b'", "UPDATE tokens SET expires_at = 1795558351150",
            "UPDATE tokens SET revoked_at = -1", "INSERT INTO users (id, created_at) VALUES ('Bob Smith', 1)",
            "INSERT INTO roles (id, scopes) VALUES ('', 'x')", "INSERT INTO organizations (id, suspended, created_at) VALUES ('a/b', 0, 0)", "INSERT INTO org_groups VALUES ('acme', 'a b', 0)") {
            ok !eval { $other->sql($bad); 1 }, $bad;
        }
        is $other->sync('run')->{status}, 0, 'and it syncs';
    };

    subtest 'a log that was pruned' => sub {
        plan skip_all => 'PostgreSQL has a test of its own' if on_postgresql();
        $world->populate(2);
        $world->sync_ok('run');
        is $sql->('DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)'), '0', 'pruned';
        ok !$world->json('run')->{full}, 'the position is there';
        $world->ctl_ok('revoke', 't2');
        is $sql->('DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)'), '0', 'pruned';
        ok $world->json('run')->{full}, 'the position is gone: all is read';
        is $world->decision('t2-token'), 'token_revoked', 'and nothing is lost';
        is $sql->("INSERT INTO changes (seq, entity, key) SELECT max(seq) + 1000000, 'role', 'reader' FROM changes"), '0',
            'a million changes on';
        is $world->sql('SELECT count(*) FROM changes')->[0], 1, 'it prunes itself';
        ok $world->json('run')->{full}, 'and a store that was left behind reads all';
        ok !$world->json('run')->{full}, 'once';
        is $sql->('DELETE FROM changes'), '0', 'all of it pruned';
        is $world->sync('run')->{status}, 0, 'still syncs';
        is $world->sync('check')->{status}, 0, 'and is equal';
    };
}

done_testing;
