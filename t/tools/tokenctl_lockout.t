# revoke, disable and suspend work on every row that is there, whatever else SQL wrote into it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Registry qw(on_postgresql sqlite_only unchecked);
use TokenAuth::Sync;
use TokenAuth::Tools qw(done fails_with);
use TokenAuth::Util qw(slurp token);

sub json { my ($world, @command) = @_; return decode_json($world->ctl_ok(@command, '--json')) }

sub last_of_trail {
    my ($world) = @_;
    my $row = json($world, 'audit', '--limit', 1)->[0];
    return [ @$row{qw(action entity key detail)} ];
}

# A row of a table goes, and nothing that belongs to it.
sub remove_alone {
    my ($world, $table, $id) = @_;
    my $entity = $table =~ s/s\z//r;
    $world->sql(on_postgresql() ? "SET session_replication_role = replica; DELETE FROM $table WHERE id = '$id'"
        : "PRAGMA foreign_keys = OFF; DROP TRIGGER IF EXISTS ${table}_deleted; DELETE FROM $table WHERE id = '$id';
            INSERT INTO changes (entity, key) VALUES ('$entity', '$id')");
    return;
}

# check lists these rows, and nothing else.
sub left_out_alone {
    my ($world, @rows) = @_;
    my $check = $world->sync('check');
    my (undef, @listed) = split /\n/, $check->{out};
    is $check->{status}, 4, 'check: exit status';
    is_deeply [ sort @listed ], [ sort @rows ], 'it lists what is left out, and the rest is equal';
    return;
}

subtest 'a person with a bad e-mail address' => sub {
    my $world = TokenAuth::Sync->new;
    $world->ctl_ok('user', 'add', 'ann');
    $world->sql(unchecked q{UPDATE users SET email = 'none', display_name = ' ' WHERE id = 'ann'});
    is done($world->ctl('user', 'disable', 'ann'))->{err}, "user ann is now disabled\n", 'is locked out';
    is_deeply last_of_trail($world), [ 'disable', 'user', 'ann', { disabled => { from => undef, to => JSON::PP::true } } ], 'the trail says so';
    is json($world, 'user', 'disable', 'ann')->[0]{outcome}, 'unchanged', 'again';
    my $enabled = json($world, 'user', 'enable', 'ann')->[0];
    is_deeply [ @$enabled{qw(outcome disabled)} ], [ 'updated', JSON::PP::false ], 'and let in again';
    ok fails_with($world->ctl('user', 'disable', 'ann', 'bob'), 1, qr/user "bob" does not exist/), 'with one who is not there';
    ok !json($world, 'user', 'list')->[0]{disabled}, 'neither is';
};

subtest 'an organization with a bad time' => sub {
    my $world = TokenAuth::Sync->new;
    $world->ctl_ok('org', 'add', 'acme');
    $world->sql(unchecked q{UPDATE organizations SET created_at = -1 WHERE id = 'acme'});
    is json($world, 'org', 'suspend', 'acme')->[0]{suspended}, JSON::PP::true, 'is suspended';
    is_deeply last_of_trail($world), [ 'suspend', 'organization', 'acme', { suspended => { from => undef, to => JSON::PP::true } } ],
        'the trail says so';
    is done($world->ctl('org', 'resume', 'acme'))->{err}, "organization acme is now not suspended\n", 'and resumed';
};

subtest 'a token that cannot be read' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sql(unchecked q{UPDATE tokens SET key_id = 1099511627776 WHERE id = 't1'});
    ok fails_with($world->ctl('show', 't1'), 1, qr/token "t1" has a key_id that is out of range/), 'show';
    is done($world->ctl('revoke', 't1', 't2'))->{err}, "token t1 is now revoked\ntoken t2 is now revoked\n", 'is revoked';
    like $world->sql(q{SELECT revoked_at FROM tokens WHERE id = 't1'})->[0], qr/\A[1-9]\d+\z/, 'in the table';
    is_deeply json($world, 'revoke', 't1'), [ { outcome => 'unchanged', id => 't1' } ], 'again';
    is done($world->ctl('restore', 't1'))->{err}, "token t1 is now not revoked\n", 'and restored';
    my ($action, $entity, $key, $detail) = @{ last_of_trail($world) };
    is_deeply [ $action, $entity, $key, $detail->{revoked}{to} ], [ 'restore', 'token', 't1', undef ], 'the trail says so';
    like $detail->{revoked}{from}, qr/\A\d{4}-.*Z\z/, 'and since when it was revoked';
};

subtest 'a token without its user' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(3);
    $world->ctl_ok('user', 'add', 'ann');
    $world->import_lines(token('p1', kind => 'user', user => 'ann', organization => undef));
    remove_alone($world, 'users', $_) for 'tu-t1', 'ann';
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'token_unknown', 'is refused';
    is $world->decision('p1-token'), 'token_unknown', 'a personal one, too';
    is $world->decision('t2-token'), 'ok', 'others are let in';
    $world->ctl_ok('revoke', 't1');
    $world->ctl_ok('restore', 't1');
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'token_unknown', 'after a change of it, too';
    left_out_alone($world, 'left out  token   t1  names a user that is not there',
        'left out  token   p1  names a user that is not there');

    is_deeply [ map { "$_->{id} $_->{status}" } @{ json($world, 'list') } ],
        [ 'p1 disabled', 't1 disabled', 't2 active', 't3 active' ], 'list';
    is json($world, 'show', 't1')->{status}, 'disabled', 'show';
    like $world->ctl_ok('export'), qr/"id":"t1"/, 'export';
    is json($world, 'revoke', 't1')->[0]{outcome}, 'updated', 'revoke';
    is json($world, 'delete', 't1')->[0]{outcome}, 'removed', 'delete';
    is_deeply $world->sql(q{SELECT count(*) FROM tokens WHERE id = 't1'}), [0], 'it is gone';
};

subtest 'tokens and memberships without their organization' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->ctl_ok(qw(user add ann bob));
    $world->ctl_ok(qw(role set member a:read));
    $world->ctl_ok('org', 'add', map { "org$_" } 1 .. 6);
    $world->ctl_ok('member', 'add', 'ann', 'acme', qw(--role member));
    $world->ctl_ok('member', 'add', 'bob', $_, qw(--role member)) for 'acme', map { "org$_" } 1 .. 6;
    $world->import_lines(map { token("p-$_", kind => 'user', user => $_, organization => undef) } qw(ann bob));
    $world->sync_ok('run');
    my $answers = sub {
        [ $world->decision('t1-token'), map { $world->decision("p-$_-token", '--org', 'acme') } qw(ann bob) ];
    };
    is_deeply $answers->(), [ ('ok') x 3 ], 'they are let in';
    remove_alone($world, 'organizations', 'acme');
    # PostgreSQL's triggers are off as well, so that only a full load can see it there
    $world->sync_ok('run', on_postgresql() ? '--full' : ());
    is_deeply $answers->(), [ 'token_unknown', ('not_a_member') x 2 ], 'and are not any more';
    is $world->decision('p-bob-token', '--org', 'org6'), 'ok', 'but where the organization is still there';
    left_out_alone($world, (map { "left out  token       $_           names an organization that is not there" } qw(t1 t2)),
        map { "left out  membership  $_ in acme  names an organization that is not there" } qw(ann bob));
    $world->sync_ok('run', '--full');
    is_deeply $answers->(), [ 'token_unknown', ('not_a_member') x 2 ], 'nor after a full load';
};

subtest 'what the docs have SQL do' => sub {
    sqlite_only();
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my ($statements) = slurp("$FindBin::Bin/../../docs/TOKENCTL.md") =~ /```sql\n(PRAGMA foreign_keys.*?)```/s or die 'no statements in the docs';
    $statements =~ s/<SHA-256[^>]*>/'5' x 64/e;
    $statements =~ s/\bID\b/bysql/g;
    $world->sql($statements);
    my $token = json($world, 'show', 'bysql');
    is_deeply [ @$token{qw(status user name)} ], [ 'active', 'tu-bysql', 'Deploy script' ], 'a token';
    my ($revoke) = $statements =~ /^(UPDATE.*)$/m;
    $world->sql($revoke);
    is json($world, 'show', 'bysql')->{status}, 'revoked', 'revoked';
};

done_testing;
