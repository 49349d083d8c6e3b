# tokenctl migrate: registries of an older version, of a newer one, and what happens on the way.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Registry qw(on_postgresql open_registry rows_of sqlite_only);
use TokenAuth::Sync;
use TokenAuth::Tools qw(done fails_with succeeds);
use TokenAuth::Util qw(eventually finish_tool run_tool slurp spew start_tool);

my $engine = on_postgresql() ? 'postgresql' : 'sqlite';
my $plan   = qr{\Aregistry \S+: from version 1 to 2, in one transaction\n  adds names and e-mail addresses of users \(.*\)\n};

# Columns of version 1.
my %columns = (
    roles => 'id, scopes', organizations => 'id, suspended, created_at', org_groups => 'organization, id, created_at',
    users => 'id, technical, disabled, created_at', memberships => 'user_id, organization, role, created_at',
    tokens => 'id, prefix, digest, key_id, kind, user_id, organization, group_id, role, scopes, name, description, '
        . 'allow, created_at, not_before, expires_at, revoked_at, predecessor, successor',
    changes => 'seq, entity, key, mark',
);

# A world whose registry an older release made, with rows in all tables. Tokens: t1 of organization
# acme, t2 of its group ops, t3 of user ann.
sub old_world {
    my $world  = TokenAuth::Sync->new(registry => 0);
    my %digest = map { $_ => sha256_hex("$_-token") } qw(t1 t2 t3);
    $world->sql(slurp("$FindBin::Bin/schema_1.$engine.sql"));
    $world->sql(<<"END");
INSERT INTO roles VALUES ('reader', 'agents:read');
INSERT INTO organizations VALUES ('acme', 0, 1700000001), ('globex', 1, 1700000002);
INSERT INTO org_groups VALUES ('acme', 'ops', 1700000003);
INSERT INTO users VALUES ('ann', 0, 0, 1700000004), ('bob', 0, 1, 1700000005), ('tu-t1', 1, 0, 1700000006),
    ('tu-t2', 1, 0, 1700000007);
INSERT INTO memberships VALUES ('ann', 'acme', 'reader', 1700000008);
INSERT INTO tokens (id, prefix, digest, kind, user_id, organization, group_id, role, scopes, name, description, allow,
        created_at, not_before, expires_at, predecessor)
    VALUES ('t1', 'acme', '$digest{t1}', 'organization', 'tu-t1', 'acme', NULL, 'reader', '', 'one', 'the first', '',
        1700000009, 1700000010, 4102444800, 't0'),
    ('t2', '', '$digest{t2}', 'group', 'tu-t2', 'acme', 'ops', NULL, 'agents:read b', 'two', '', '192.0.2.0/24 2001:db8::/32',
        1700000011, 0, 0, NULL),
    ('t3', '', '$digest{t3}', 'user', 'ann', NULL, NULL, NULL, '', 'three', '', '', 1700000012, 0, 0, NULL);
INSERT INTO audit (at, actor, action, entity, key, detail) VALUES (1700000013, 'eve', 'add', 'user', 'ann', '{}');
END
    return $world;
}

sub content {
    my ($world) = @_;
    return { map { $_ => $world->sql("SELECT $columns{$_} FROM $_ ORDER BY 1, 2") } keys %columns };
}

sub version {
    my ($world) = @_;
    return $world->sql(on_postgresql() ? "SELECT value FROM meta WHERE name = 'schema_version'" : 'PRAGMA user_version')->[0];
}

sub set_version_statement {
    my ($version) = @_;
    return on_postgresql() ? "UPDATE meta SET value = '$version' WHERE name = 'schema_version'" : "PRAGMA user_version = $version";
}

sub set_version {
    my ($world, $version) = @_;
    $world->sql(set_version_statement($version));
    return;
}

# Of the columns that version 2 adds.
sub new_columns {
    my ($world) = @_;
    return $world->sql(on_postgresql()
        ? "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname IN ('display_name', 'email') ORDER BY 1"
        : "SELECT name FROM pragma_table_info('users') WHERE name IN ('display_name', 'email') ORDER BY 1");
}

# Whether the registry is as an older release left it, and can be used so.
sub is_old {
    my ($world, $before, $what) = @_;
    is version($world), 1, "$what: version 1";
    is_deeply new_columns($world), [], "$what: nothing is added";
    return is_deeply content($world), $before, "$what: all rows are there";
}

# A client that holds locks until it is told how to end.
sub hold {
    my ($world, $statements) = @_;
    my ($pid, $from, $to) = open_registry($world->url);
    $to->autoflush;
    print {$to} "$statements; SELECT 'held';\n";
    1 until <$from> =~ /held/;
    return sub { print {$to} "$_[0];\n"; close $to; waitpid $pid, 0 };
}

my $lock_for_writing = on_postgresql() ? 'BEGIN; LOCK TABLE write_lock IN EXCLUSIVE MODE' : 'BEGIN IMMEDIATE';

# Waits until that many tokenctl wait for it.
sub wait_for_waiting {
    my ($world, $count) = @_;
    return sleep 1 if !on_postgresql();
    return eventually { $world->sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'write_lock'::regclass")->[0] == $count };
}

sub start_ctl { my $world = shift; return start_tool([ $world->tool('tokenctl'), '--registry', $world->url, @_ ]) }
sub logged { my ($world, $watch, $text) = @_; return eventually { $world->log_of($watch) =~ $text } }
sub decided { my ($world, $token, $decision) = @_; return eventually { $world->decision($token) eq $decision } }

subtest 'an older registry' => sub {
    my $world  = old_world();
    my $before = content($world);
    ok fails_with($world->ctl('list'), 1, qr/registry \S+: has version 1, made by an older release; bring it to version 2 by `tokenctl migrate`$/),
        'tokenctl names the remedy';
    ok fails_with($world->ctl('init'), 1, qr/is a registry already \(version 1\), made by an older release; run `tokenctl migrate` to use it; nothing was changed/),
        'init, too';
    $world->sync_ok('run');
    is $world->decision('t1-token'), 'ok', 'tokensync reads it';

    my $dry = done($world->ctl('migrate', '--dry-run'));
    like $dry->{err}, qr/${plan}nothing was changed, as --dry-run says\n\z/, '--dry-run says what would be done';
    is_deeply decode_json($world->ctl_ok('migrate', '--dry-run', '--json')), {
        outcome => 'planned', registry => decode_json($world->ctl_ok('migrate', '--dry-run', '--json'))->{registry}, from => 1, to => 2,
        adds => ['names and e-mail addresses of users (users.display_name, users.email)'],
    }, 'in JSON as well';
    is_old($world, $before, 'after --dry-run');

    my $done = done($world->ctl('--actor', 'root', 'migrate'));
    like $done->{err}, qr/${plan}registry \S+: has version 2 now\n\z/, 'migrate says what it does';
    is version($world), 2, 'version 2';
    is_deeply content($world), $before, 'all rows are there';
    is_deeply $world->sql(q{SELECT count(*) FROM users WHERE display_name = '' AND email = ''}), [4], 'the new columns are empty';
    is_deeply $world->sql('SELECT actor, action, entity, key, detail FROM audit ORDER BY seq'),
        [ 'eve|add|user|ann|{}', 'root|migrate|registry|00112233445566778899aabbccddeeff|{"version":{"from":1,"to":2}}' ],
        'the trail, too, with one row more';

    ok succeeds($world->ctl('migrate')), 'again';
    like $world->ctl('migrate')->{err}, qr/\Aregistry \S+: is up to date \(version 2\)\n\z/, 'nothing is left to do';
    is decode_json($world->ctl_ok('migrate', '--json'))->{outcome}, 'unchanged', 'in JSON as well';
    ok fails_with($world->ctl('init'), 1, qr/is a registry already \(version 2\); nothing was changed/), 'init';

    my $exported = $world->ctl_ok('export');
    is scalar(split /\n/, $exported), 12, 'everything is exported';
    my $new = TokenAuth::Sync->new;
    $new->ctl_ok('import', spew($world->dir . '/export.jsonl', $exported));
    is $new->ctl_ok('export'), $exported, 'as from a new registry';
};

subtest 'the new columns' => sub {
    my $world = old_world();
    $world->ctl_ok('migrate');
    my $logged = sub { $world->sql('SELECT entity, key FROM changes ORDER BY seq DESC LIMIT 1')->[0] };
    $world->ctl_ok('org', 'add', 'x');
    $world->ctl_ok('user', 'set', 'ann', '--name', 'Ann Example', '--email', 'ann@example.org');
    is $logged->(), 'user|ann', 'a change is logged';
    like $world->ctl_ok('export'), qr/"id":"ann",.*"display_name":"Ann Example","email":"ann\@example\.org"/, 'and exported';
    $world->ctl_ok('org', 'add', 'y');
    $world->sql(q{UPDATE users SET display_name = 'Ann' WHERE id = 'ann'});
    is $logged->(), 'user|ann', 'of SQL, too';
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'the store is equal';
};

subtest 'a watch' => sub {
    my $world = old_world();
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'reads a registry of version 1';
    my ($writer, $from, $to) = open_registry($world->url);
    print {$to} map { "UPDATE users SET disabled = 1 - disabled WHERE id = 'ann';\n" } 1 .. 301;
    close $to;
    $world->ctl_ok('migrate');
    waitpid $writer, 0;
    is $?, 0, 'while somebody writes it';
    ok decided($world, 't3-token', 'token_revoked'), 'no change is lost';
    $world->ctl_ok('revoke', 't1');
    ok decided($world, 't1-token', 'token_revoked'), 'changes go on arriving';
    unlike $world->log_of($watch), qr/full load.*full load|trying again/s, 'without a full load or an error' or diag $world->log_of($watch);
    is $world->stop($watch), 0, 'ends well';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'a newer registry' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(1);
    my $watch = $world->watch('--heartbeat', '1s');
    ok logged($world, $watch, qr/full load/), 'watch is up';
    my $release = hold($world, $lock_for_writing);
    my $waits   = start_ctl($world, 'revoke', 't1');
    wait_for_waiting($world, 1);
    $release->(set_version_statement(3) . '; COMMIT');
    my $newer = qr/registry \S+: has version 3, made by a newer release; this release knows versions up to 2: upgrade token-auth on this host/;
    ok logged($world, $watch, $newer), 'which says so, while it runs';
    ok fails_with(finish_tool($waits), 1, $newer), 'a tokenctl that waited for the migration';
    my $before = content($world);
    ok fails_with($world->ctl(@$_), 1, $newer), "tokenctl @$_" for ['list'], [ 'revoke', 't1' ], ['migrate'], [ 'migrate', '--dry-run' ];
    ok fails_with($world->ctl('init'), 1, qr/is a registry already \(version 3\), made by a newer release; nothing was changed/), 'init';
    is_deeply [ content($world), version($world) ], [ $before, 3 ], 'nothing is changed';
    ok fails_with($world->sync('run'), 1, $newer), 'tokensync run';
    is $world->decision('t1-token'), 'ok', 'the store is served';
    sleep 2;
    is(() = $world->log_of($watch) =~ /trying again/g, 1, 'it was logged once');
    set_version($world, 2);
    ok logged($world, $watch, qr/^recovered\n/m), 'it goes on when it can';
    $world->ctl_ok('revoke', 't1');
    ok decided($world, 't1-token', 'token_revoked'), 'changes arrive';
    is $world->stop($watch), 0, 'ends well';

    set_version($world, 0);
    ok fails_with($world->ctl($_), 1, qr/its version is missing; restore it from a backup/), "no version: $_" for qw(list migrate);
};

subtest 'a statement that fails' => sub {
    my $world = old_world();
    $world->sql(q{ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT ''});
    my $before = content($world);
    my $result = $world->ctl('migrate');
    is $result->{status}, 1, 'fails';
    like $result->{err}, qr/${plan}tokenctl: registry \S+: .*(?:duplicate column name: email|column "email" of relation "users" already exists)/, 'and says why';
    is version($world), 1, 'version 1';
    is_deeply new_columns($world), ['email'], 'the first statement is undone';
    is_deeply content($world), $before, 'all rows are there';
};

subtest 'killed in the middle: a file' => sub {
    sqlite_only();
    my $world  = old_world();
    my $before = content($world);
    # SIGXFSZ kills it at that byte of the transaction's log, at last behind the commit.
    my @killed;
    for (my $kibibytes = 0; $kibibytes < 100 && version($world) == 1; ++$kibibytes) {
        my $result = run_tool([ 'bash', '-c', 'ulimit -c 0; ulimit -f "$1"; shift; exec "$@"', '-', $kibibytes,
                $world->tool('tokenctl'), '--registry', $world->url, 'migrate' ]);
        last if $result->{status} ne 'signal 25' || version($world) == 2;
        push @killed, "$kibibytes KiB";
        is_deeply [ new_columns($world), content($world) ], [ [], $before ], "after $killed[-1]: as before" or last;
    }
    cmp_ok @killed, '>', 5, 'killed at several places';
    is version($world), 2, 'until it is done';
    is_deeply new_columns($world), [qw(display_name email)], 'wholly';
    is $world->sql('PRAGMA integrity_check')->[0], 'ok', 'a sound file';
    is_deeply content($world), $before, 'all rows are there';
};

subtest 'killed in the middle: a server' => sub {
    plan skip_all => 'of PostgreSQL' if !on_postgresql();
    my $world   = old_world();
    my $before  = content($world);
    my $waiting = sub { $world->sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass")->[0] };
    my $release = hold($world, 'BEGIN; LOCK TABLE users IN ACCESS SHARE MODE');
    my $migrate = start_ctl($world, 'migrate');
    ok eventually(sub { $waiting->() == 1 }), 'migrate waits within its transaction';
    kill 'KILL', $migrate->{pid};
    is finish_tool($migrate)->{status}, 'signal 9', 'and is killed';
    $release->('COMMIT');
    ok eventually(sub { $world->sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")->[0] == 1 }), 'the server sees that';
    is_old($world, $before, 'after it');
    $world->ctl_ok('migrate');
    is version($world), 2, 'the next one does it';
};

subtest 'two at once' => sub {
    my $world   = old_world();
    my $release = hold($world, $lock_for_writing);
    my @both    = map { start_ctl($world, 'migrate', '--json') } 1 .. 2;
    wait_for_waiting($world, 2);
    $release->('COMMIT');
    my @results = map { done(finish_tool($_)) } @both;
    is_deeply [ sort map { decode_json($_->{out})->{outcome} } @results ], [qw(unchanged updated)], 'one does it, the other finds it done';
    is version($world), 2, 'version 2';
    is $world->sql("SELECT count(*) FROM audit WHERE action = 'migrate'")->[0], 1, 'one row in the trail';
};

subtest 'rights' => sub {
    plan skip_all => 'of PostgreSQL' if !on_postgresql();
    my $world  = old_world();
    my $before = content($world);
    $world->sql("CREATE ROLE reads$$ LOGIN IN ROLE token_auth_reader; CREATE ROLE writes$$ LOGIN IN ROLE token_auth_writer; CREATE ROLE stranger$$ LOGIN");
    my $as = sub { my ($who) = @_; return $world->url =~ s{//\w+@}{//$who$$@}r };
    my $tool = sub { my ($who, @arguments) = @_; return run_tool([ $world->tool(shift @arguments), '--registry', $as->($who), @arguments ]) };
    my $refused = $tool->('writes', 'tokenctl', 'migrate');
    is $refused->{status}, 1, 'a writer may not';
    like $refused->{err}, qr/must be owner of table users; connect as the registry's owner\n\z/, 'and is told who may';
    is_old($world, $before, 'after that');
    ok fails_with($tool->('stranger', 'tokenctl', 'init'), 1, qr/is a registry already, which this account may not read; nothing was changed/), 'init by a stranger';
    $world->ctl_ok('migrate');
    ok succeeds($tool->('writes', 'tokenctl', qw(user set ann --name Ann --email a@example.org))), 'a writer writes the new columns';
    ok succeeds($tool->('writes', 'tokenctl', 'export')), 'and reads them';
    ok succeeds($tool->('reads', 'tokensync', '--db', $world->db, 'run')), 'a reader syncs';
    is_deeply rows_of($as->('reads'), q{SELECT display_name, email FROM users WHERE id = 'ann'}), ['Ann|a@example.org'], 'and reads them';
    $world->sql("DROP ROLE reads$$; DROP ROLE writes$$; DROP ROLE stranger$$");
};

done_testing;
