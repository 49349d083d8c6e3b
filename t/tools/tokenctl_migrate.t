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
my @adds   = (
    'names and e-mail addresses of users (users.display_name, users.email)',
    q{the database's account and its clock in the audit trail (audit.session_user)},
    'checks of what the tables take, and a table for rows that they refuse (set_aside)',
    'a log of what REPLACE and deletions without foreign keys remove',
    'what managing needs: the system organization, policies, memberships in groups, a catalogue of scopes, who made a token, and passwords and sessions for logging in',
    'who waits for the nginx hosts (waiting), and in PostgreSQL what the hosts report (hosts, token_usage)',
);
my $unseen = '  hosts with tokensync 0.1 do not report, and cannot be seen from here: see that none is left';
my $plan = qr{\Aregistry \S+: from version 1 to 2, in one transaction\n@{[ join '', map { "\Q$_\E\\n" } (map { "  adds $_" } @adds), $unseen ]}};

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
        adds => \@adds, set_aside => [], hosts_too_old => [],
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

subtest 'hosts that are too old' => sub {
    sqlite_only();    # a PostgreSQL registry of version 1 knows no hosts
    my $world = old_world();
    local $ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/usage.db';
    my $watches = { map { $_ => $world->watch({ db => $world->dir . "/$_" }, '--host', $_) } qw(web1 web2) };
    my $reports = sub { rows_of("sqlite:$ENV{TOKEN_AUTH_USAGE_DB}", @_) };
    ok eventually(sub { -e $ENV{TOKEN_AUTH_USAGE_DB} && $reports->('SELECT count(*) FROM hosts')->[0] == 2 }), 'two hosts';
    $world->stop($_) for values %$watches;
    $reports->(q(UPDATE hosts SET schema = 1 WHERE host = 'web2'));
    like $world->ctl_ok('hosts'), qr/^web2 .* its tokensync does not read registries of version 2: upgrade it before `tokenctl migrate`$/m, 'hosts says so';
    my $refused = $world->ctl('migrate');
    is $refused->{status}, 1, 'refused';
    like $refused->{err}, qr/not migrated: no change, .*, would reach these hosts, whose tokensync is too old: web2 \(\d+\.\d+\.\d+\); upgrade .* or use --force$/m,
        'by name';
    is version($world), 1, 'nothing is done';
    my $dry = done($world->ctl('migrate', '--dry-run'));
    like $dry->{err}, qr/^  hosts whose tokensync is too old: web2 \(/m, '--dry-run lists them';
    is scalar @{ decode_json($world->ctl_ok('migrate', '--dry-run', '--json'))->{hosts_too_old} }, 1, 'in JSON as well';
    spew("$ENV{TOKEN_AUTH_USAGE_DB}.noise", 'x' x 4096);
    is $world->ctl('--usage-db', "$ENV{TOKEN_AUTH_USAGE_DB}.noise", 'migrate')->{status}, 1, 'refused if nobody can say which they are';
    is version($world), 1, 'nothing is done';
    ok succeeds($world->ctl('migrate', '--force')), '--force';
    is version($world), 2, 'it is done';
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

    for my $none (on_postgresql() ? ('0', '', 'x', '1x', '-1') : (0, -1)) {
        set_version($world, $none);
        ok fails_with($world->ctl($_), 1, qr/its version is missing; restore it from a backup/), "version '$none': $_" for qw(list migrate init);
    }
};

# What a registry is made of, as its database tells.
sub structure {
    my ($world) = @_;
    return $world->sql(q{SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name}) if !on_postgresql();
    return [
        @{ $world->sql(q{SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default, is_identity FROM information_schema.columns WHERE table_schema = 'token_auth' ORDER BY 1, 2}) },
        @{ $world->sql(q{SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'token_auth'::regnamespace ORDER BY 1, 2}) },
        @{ $world->sql(q{SELECT oid::regprocedure, prosecdef, proacl, prosrc FROM pg_proc WHERE pronamespace = 'token_auth'::regnamespace ORDER BY 1}) },
        @{ $world->sql(q{SELECT tgrelid::regclass, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2}) },
        @{ $world->sql(q{SELECT indexdef FROM pg_indexes WHERE schemaname = 'token_auth' ORDER BY 1}) },
        @{ $world->sql(q{SELECT c.relname, a.attname, c.relacl, a.attacl FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL WHERE relnamespace = 'token_auth'::regnamespace AND relkind = 'r' ORDER BY 1, 2}) },
    ];
}

subtest 'a registry that was migrated is like a new one' => sub {
    my $world = old_world();
    $world->ctl_ok('migrate');
    is_deeply structure($world), structure(TokenAuth::Sync->new), 'in all that it is made of';
    is_deeply $world->sql('PRAGMA foreign_key_check'), [], 'and holds what it names' if !on_postgresql();
    is $world->sql('SELECT max(seq) FROM audit')->[0], 2, 'its trail goes on counting';
};

subtest 'rows that the new tables refuse' => sub {
    my $world = old_world();
    my $long  = 'x' x 256;
    my $rune  = on_postgresql() ? 'chr(8238)' : 'char(8238)';
    my %more  = map { $_ => sha256_hex("$_-token") } qw(m1 m2 m3 m4 m5);
    $world->sql(<<"END");
INSERT INTO roles VALUES ('bad', 'a "b'), ('..', 'a');
INSERT INTO organizations VALUES ('.', 0, 1), ('late', 0, 1700000000000);
INSERT INTO org_groups VALUES ('.', 'g', 1);
INSERT INTO users VALUES ('..', 0, 0, 1), ('tu-m1', 1, 0, 1), ('tu-m2', 1, 0, 1), ('tu-m4', 1, 0, 1), ('tu-m5', 1, 0, 1);
INSERT INTO memberships VALUES ('..', 'acme', 'reader', 1), ('ann', 'globex', '..', 1), ('bob', 'acme', 'bad', 1);
INSERT INTO tokens (id, digest, kind, user_id, organization, group_id, role, name, created_at)
    VALUES ('m1', '$more{m1}', 'organization', 'tu-m1', 'late', NULL, 'bad', 'a' || $rune, 1), ('m2', '$more{m2}', 'group', 'tu-m2', '.', 'g', NULL, 'n', 1),
    ('m3', '$more{m3}', 'user', '..', NULL, NULL, NULL, 'n', 1), ('m4', '$more{m4}', 'organization', 'tu-m4', 'acme', NULL, '..', 'n', 1),
    ('m5', '$more{m5}', 'organization', 'tu-m5', 'acme', NULL, NULL, '$long', 1);
UPDATE tokens SET scopes = 'a "b' WHERE id = 't1';
UPDATE tokens SET description = '$long$long$long$long' WHERE id = 't2';
END
    my %gone = (role => ['..'], organization => ['.'], group => ['./g'], user => ['..'], membership => [ '.. acme', 'ann globex' ], token => [qw(m2 m3 m4 m5 t1)]);
    my %mended = (role => ['bad'], organization => ['late'], token => [qw(m1 t2)]);
    my $before = content($world);
    my $dry = decode_json($world->ctl_ok('migrate', '--dry-run', '--json'));
    my %told;
    push @{ $told{ $_->{kept} ? 'mended' : 'gone' }{ $_->{entity} } }, $_->{key} for @{ $dry->{set_aside} };
    @$_ = sort @$_ for map { values %$_ } values %told;
    is_deeply \%told, { gone => \%gone, mended => \%mended }, '--dry-run tells all of them';
    my ($m5) = grep { $_->{key} eq 'm5' } @{ $dry->{set_aside} };
    is $m5->{reason}, 'name must be at most 255 bytes of UTF-8', 'and what is wrong';
    is_old($world, $before, 'after --dry-run');

    my $watch = $world->watch('--heartbeat', '1s');
    my $done  = done($world->ctl('--actor', 'root', 'migrate'))->{err};
    like $done, qr/^  sets aside token "?m5"?: name must be at most 255 bytes of UTF-8$/m, 'migrate tells, too';
    like $done, qr/^  sets aside group "?\.\/g"?: organization must be 1 to 64 letters.*$/m, 'with what hangs on it';
    like $done, qr/^  mends token "?m1"?: name must be without control/m, 'and what stays, mended';
    is version($world), 2, 'version 2';
    is_deeply $world->sql('SELECT entity, key FROM set_aside WHERE kept = 0 ORDER BY 1, 2'),
        [ map { my $entity = $_; map { "$entity|$_" } @{ $gone{$entity} } } sort keys %gone ], 'they are in a table of their own';
    my $row = decode_json($world->sql(q{SELECT content FROM set_aside WHERE key = 'm5'})->[0]);
    is_deeply [ @$row{qw(digest name group_id created_at)} ], [ $more{m5}, $long, undef, 1 ], 'whole';
    is_deeply $world->sql('SELECT id FROM tokens ORDER BY 1'), [qw(m1 t2 t3)], 'and no tokens any more';
    is_deeply $world->sql(q{SELECT name FROM tokens WHERE id = 'm1' UNION ALL SELECT description FROM tokens WHERE id = 't2' UNION ALL SELECT scopes FROM roles WHERE id = 'bad'}),
        [ 'm1', '', '' ], 'a wrong name, description or set of scopes lets nobody in: the rows stay';
    is_deeply $world->sql(q{SELECT actor, action FROM audit WHERE key = 'm5'}), ['root|set_aside'], 'the trail says so';
    is_deeply $world->sql('SELECT id FROM users WHERE technical = 1 ORDER BY 1'), [qw(tu-m1 tu-t2)], 'technical users went with their tokens';
    ok decided($world, 't1-token', 'token_unknown'), 'they stop working';
    ok decided($world, $_->[0], $_->[1]), "$_->[0]" for [ 'm5-token', 'token_unknown' ], [ 'm2-token', 'token_unknown' ], [ 'm3-token', 'token_unknown' ];
    is $world->decision('m1-token', '--org', 'late'), 'ok', 'the others go on';
    is $world->stop($watch), 0, 'watch ends';
    is $world->sync('check')->{status}, 0, 'equal';
    ok succeeds($world->ctl('migrate')), 'again';
    $world->ctl_ok('export');
};

subtest 'notices of the connection' => sub {
    plan skip_all => 'of PostgreSQL' if !on_postgresql();
    my $world  = TokenAuth::Sync->new;
    my $result = $world->run_program({}, $world->tool('tokenctl'), '--registry',
        $world->url . '&options=-c%20client_min_messages%3Ddebug5', 'org', 'list');
    is $result->{status}, 0, 'are no error';
    is $result->{err}, '', 'and are not shown';
};

subtest 'a statement that fails' => sub {
    my $world = old_world();
    $world->sql('CREATE TABLE set_aside (dishes TEXT)');
    my $before = content($world);
    my $result = $world->ctl('migrate');
    is $result->{status}, 1, 'fails';
    like $result->{err}, qr/${plan}tokenctl: registry \S+: .*(?:table |relation ")set_aside"? already exists/, 'and says why';
    is version($world), 1, 'version 1';
    is_deeply new_columns($world), [], 'the statements before it are undone';
    is_deeply content($world), $before, 'all rows are there';
};

subtest 'killed in the middle: a file' => sub {
    sqlite_only();
    my $world  = old_world();
    my $before = content($world);
    # SIGXFSZ kills it at that byte of the transaction's log, at last behind the commit.
    my @killed;
    for (my $kibibytes = 0; $kibibytes < 1000 && version($world) == 1; $kibibytes += 8) {
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
    ok fails_with($tool->($_, 'tokenctl', 'migrate'), 1, qr/only its owner may migrate it.*; connect as the registry's owner$/),
        "who only $_ may not, and is told so before anything else" for qw(writes reads);
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
