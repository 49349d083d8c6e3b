# tokensync run: first load, changes, files and their modes, positions that are lost.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Registry qw(on_postgresql sqlite_only);
use TokenAuth::Sync;

my $world = TokenAuth::Sync->new;
$world->populate(3);
my $db = $world->db;

sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

subtest 'the first load makes the store, whatever the umask' => sub {
    my $run = $world->sync({ umask => 077 }, 'run');
    is $run->{status}, 0, 'exit status';
    like $run->{out}, qr/^full load: 4 records written, 0 erased; 3 tokens, generation \d+, /,
        'says what was done';
    is $run->{err}, '', 'nothing else';
    is mode($db), '2750', 'directory';
    is mode("$db/data.mdb"), '0640', 'data';
    is_deeply [ map { s{.*/}{}r } glob "$db/*" ], ['data.mdb'], 'and nothing else';
    is mode("$db.sync"), '0600', 'the tool\'s own lock, beside it';
    is $world->decision('t1-token'), 'ok', 'a token is let in';
};

subtest 'nothing to do is noted in the store' => sub {
    my $before = $world->json('status');
    my $run = $world->sync('run');
    is $run->{status}, 0, 'exit status';
    like $run->{out}, qr/^up to date: 3 tokens, generation \d+, /, 'says so';
    my $after = $world->json('status');
    cmp_ok $after->{generation}, '>', $before->{generation}, 'a higher generation';
    is $after->{position}, $before->{position}, 'the same position';
    is $after->{created}, $before->{created}, 'the same store';
};

subtest 'changes are applied, and only they' => sub {
    $world->ctl_ok('revoke', 't1');
    my $run = $world->json('run');
    is_deeply [ @$run{qw(full written erased tokens)} ], [ JSON::PP::false, 1, 0, 3 ], 'revoke';
    is $world->decision('t1-token'), 'token_revoked', 'seen';
    $world->ctl_ok('restore', 't1');
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'ok', 'restore';
    $world->ctl_ok('delete', 't2');
    $run = $world->json('run');
    is_deeply [ @$run{qw(full written erased tokens)} ], [ JSON::PP::false, 0, 1, 2 ], 'delete';
    is $world->decision('t2-token'), 'token_unknown', 'seen';
    $world->ctl_ok('role', 'set', 'reader', 'agents:write');
    $world->sync_ok('run');
    is $world->decision('t1-token', '--scope', 'agents:read'), 'scope_missing', 'role';
    $world->ctl_ok('org', 'suspend', 'acme');
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'organization_suspended', 'organization';
    $world->ctl_ok('org', 'resume', 'acme');
    $world->ctl_ok('user', 'disable', 'tu-t1');
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'token_revoked', 'technical user';
    is $world->decision('t3-token'), 'ok', 'the others are what they were';
    is $world->sync('check')->{status}, 0, 'and store and registry are equal';
};

subtest 'people and their memberships' => sub {
    $world->ctl_ok('user', 'add', 'ann');
    $world->ctl_ok('member', 'add', 'ann', 'acme', '--role', 'reader');
    $world->import_lines(TokenAuth::Sync::token('p1', kind => 'user', user => 'ann',
        organization => undef));
    $world->sync_ok('run');
    my @acme = ('--org', 'acme');
    is $world->decision('p1-token', @acme), 'ok', 'a member';
    $world->ctl_ok('user', 'disable', 'ann');
    $world->sync_ok('run');
    is $world->decision('p1-token', @acme), 'token_revoked', 'disabled';
    $world->ctl_ok('user', 'enable', 'ann');
    $world->ctl_ok('member', 'remove', 'ann', 'acme');
    $world->sync_ok('run');
    is $world->decision('p1-token', @acme), 'not_a_member', 'no member';
    $world->ctl_ok('user', 'remove', 'ann', '--force');
    $world->sync_ok('run');
    is $world->decision('p1-token', @acme), 'token_unknown', 'gone';
    is $world->json('status')->{counts}{tokens}, 2, 'and not counted';
};

subtest 'a registry restored from a backup is read anew' => sub {
    sqlite_only();
    my $backup = $world->dir . '/backup.db';
    $world->copy_registry($world->registry, $backup);
    $world->ctl_ok('revoke', 't3');
    $world->ctl_ok('role', 'set', 'lost', 'x');
    $world->sync_ok('run');
    is $world->decision('t3-token'), 'token_revoked', 'before';
    $world->copy_registry($backup, $world->registry);
    my $run = $world->json('run');
    ok $run->{full}, 'the position is beyond the log';
    is $world->decision('t3-token'), 'ok', 'as in the backup';
    is $world->sync('check')->{status}, 0, 'equal';

    $world->copy_registry($world->registry, $backup);
    $world->ctl_ok('revoke', 't3');
    $world->sync_ok('run');
    $world->copy_registry($backup, $world->registry);
    $world->ctl_ok('role', 'set', 'other', 'x');    # takes the same number in the log
    $run = $world->json('run');
    ok $run->{full}, 'the position is a row of the same number, but another one';
    is $world->decision('t3-token'), 'ok', 'as in the backup';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'run --full reads everything and writes what differs' => sub {
    my $run = $world->json('run', '--full');
    ok $run->{full}, 'full';
    is $run->{written} + $run->{erased}, 0, 'nothing differed';
};

subtest 'a store that was deleted is newer when it is built again' => sub {
    my $before = $world->json('status')->{generation};
    unlink glob "$db/*";
    rmdir $db or die "$db: $!";
    my $run = $world->json('run');
    ok $run->{full}, 'full load';
    cmp_ok $run->{generation}, '>', $before, 'generation';

    TokenAuth::Sync::spew("$db/lock.mdb", 'somebody\'s');
    is $world->sync('run')->{status}, 0, 'a lock file of LMDB\'s is no obstacle';
    is $world->decision('t3-token'), 'ok', 'the store is served';
    ok !-e "$db/lock.mdb", 'and it is removed';
    unlink "$db/data.mdb";
    is $world->sync('run')->{status}, 0, 'an empty directory is none either';
    is $world->decision('t3-token'), 'ok', 'built again';
};

subtest 'a registry of the version before' => sub {
    my $old = TokenAuth::Sync->new(registry => 0);
    $old->sql(TokenAuth::Sync::slurp("$FindBin::Bin/schema_1." . (on_postgresql() ? 'postgresql' : 'sqlite') . '.sql'));
    $old->sql("INSERT INTO organizations VALUES ('acme', 0, 1); INSERT INTO users VALUES ('tu-t1', 1, 0, 1);
        INSERT INTO tokens (id, digest, kind, user_id, organization, name, created_at)
            VALUES ('t1', '" . sha256_hex('t1-token') . "', 'organization', 'tu-t1', 'acme', 'n', 1)");
    is $old->sync('run')->{status}, 0, 'is read';
    is $old->decision('t1-token'), 'ok', 'its token is let in';
    $old->sql("UPDATE tokens SET revoked_at = 1");
    is $old->sync('run')->{status}, 0, 'its changes are';
    is $old->decision('t1-token'), 'token_revoked', 'and a revocation arrives';
    my $list = $old->ctl('list');
    is $list->{status}, 1, 'tokenctl needs the present version';
    like $list->{err}, qr/has version 1, made by an older release; bring it to version 2 by `tokenctl migrate`/, 'and says so';
};

subtest 'the group by its number' => sub {
    plan skip_all => 'needs root' if $> != 0;
    for my $number (scalar getgrnam('www-data') // 33, 54321) {
        is $world->sync('run', '--group', $number)->{status}, 0, "$number: exit status";
        is +(stat $world->db . '/data.mdb')[5], $number, 'its group';
    }
    for my $wrong ('4294967295', '99999999999', '-1', '33x', 'nonesuch') {
        my $result = $world->sync('run', "--group=$wrong");
        is $result->{status}, 2, "$wrong: exit status";
        like $result->{err}, qr/there is no group "\Q$wrong\E" on this host; .*or give its number/, 'remedy';
    }
    like $world->sync('run', '--group', '')->{err}, qr/--group: must not be empty/, 'an empty one';
};

subtest 'the group' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my ($name, $gid) = (getgrnam 'www-data')[ 0, 2 ];
    plan skip_all => 'needs the group www-data' if !defined $name;
    is $world->sync('run', '--group', $name)->{status}, 0, 'exit status';
    is_deeply [ map { (stat $_)[5] } $db, "$db/data.mdb" ], [ ($gid) x 2 ],
        'is given to directory and data';
    is mode($db), '2750', 'the directory\'s mode';
    is $world->sync('run')->{status}, 0, 'without --group';
    is((stat "$db/data.mdb")[5], $gid, 'it stays');
    chmod 0777, $db, "$db/data.mdb", "$db.sync";
    $world->sync_ok('run');
    is_deeply [ map { mode($_) } $db, "$db/data.mdb", "$db.sync" ], [ '2750', '0640', '0600' ],
        'modes are set each time';
};

subtest 'a membership in a group' => sub {
    my $world = TokenAuth::Sync->new;
    $world->ctl_ok(@$_) for [qw(org add acme)], [qw(group add acme/ops)], [qw(user add ann)], [qw(role set reader a:read)];
    my ($token) = $world->ctl_ok(qw(create --user ann --name n)) =~ /(\S+)/;
    $world->sync_ok('run');
    $world->ctl_ok(qw(member add ann acme/ops --role reader));
    ok !$world->json('run')->{written}, 'is for managing: the store knows nothing of it';
    is $world->decision($token, '--org', 'acme'), 'not_a_member', 'and lets nobody in';
    is $world->sync('check')->{status}, 0, 'equal';
};

done_testing;
