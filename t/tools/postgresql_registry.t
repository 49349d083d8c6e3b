# A registry in PostgreSQL: connections, rights, and two writers at once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp ();
use IO::Socket::INET;
use Test::More;
use TokenAuth::Postgres;
use TokenAuth::Tools qw(done fails_with finish_tool json_of new_dir program run_tool spew
    start_tool succeeds tokenctl use_registry);

my $port = do {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die "port: $!";
    $socket->sockport;
};
my $certificates = new_dir();
my $made = run_tool([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
        '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$certificates/key.pem", '-out', "$certificates/cert.pem" ]);
$made->{status} == 0 or BAIL_OUT("openssl: $made->{err}");
chown +(getpwnam 'postgres')[2], -1, "$certificates/key.pem" if $> == 0;
chmod 0600, "$certificates/key.pem";

my $server = TokenAuth::Postgres->start(settings => [
        "listen_addresses = '127.0.0.1'", "port = $port", 'ssl = on', "ssl_cert_file = '$certificates/cert.pem'",
        "ssl_key_file = '$certificates/key.pem'" ]);
# The socket's name depends on the port.
{
    no warnings 'redefine';
    *TokenAuth::Postgres::url = sub {
        my ($self, $database, $user) = @_;
        return sprintf 'postgresql://%s@/%s?host=%s&port=%d', $user // 'postgres', $database, $self->dir, $port;
    };
}

my $store = new_dir();

sub tokensync {
    my ($url, @arguments) = @_;
    return run_tool([ program('tokensync'), '--registry', $url, '--db', "$store/db", @arguments ]);
}

subtest 'init' => sub {
    my $database = $server->database;
    use_registry($server->url($database));
    ok(fails_with(tokenctl(qw(org list)), 1, qr/holds no token-auth registry; make one by `tokenctl init`/),
        'none yet');
    ok(fails_with(tokensync($server->url($database), 'run'), 1, qr/holds no token-auth registry/),
        'for tokensync either');
    my $made = json_of(done(tokenctl(qw(init --json))));
    like $made->{registry}, qr{\Apostgresql://postgres\@:$port/$database\?host=/\S+\z}, 'names it';
    like $made->{id}, qr/\A[0-9a-f]{32}\z/, 'and its id';
    ok(fails_with(tokenctl('init'), 1, qr/is a registry already .*; nothing was changed/), 'once only');
    ok(fails_with(tokenctl('--registry', $server->url('nonesuch'), 'init'), 1, qr/cannot be reached: .*"nonesuch" does not exist.*createdb/),
        'a database that is not there');
    $server->sql($database, "UPDATE token_auth.meta SET value = '99' WHERE name = 'schema_version'");
    for my $result (tokenctl(qw(org list)), tokensync($server->url($database), 'run')) {
        ok(fails_with($result, 1, qr/has version 99, made by a newer release; this release knows versions up to 2/),
            'of another release');
    }
};

subtest 'several at once in a new cluster' => sub {
    my $other = TokenAuth::Postgres->start;
    my @names = map { "db$_" } 1 .. 6;
    my $url   = sub { sprintf 'postgresql://postgres@/%s?host=%s', $_[0], $other->dir };
    TokenAuth::Postgres::sql_at($url->('postgres'), "CREATE DATABASE $_") for @names;
    my @inits = map { start_tool([ program('tokenctl'), '--registry', $url->($_), 'init' ]) } @names;
    ok succeeds(finish_tool($_)), 'makes its registry' for @inits;
};

subtest 'an owner who may not make roles' => sub {
    # another cluster: roles belong to a cluster
    my $other = TokenAuth::Postgres->start;
    # this file's url() names the other server
    my $url = sub { sprintf 'postgresql://%s@/%s?host=%s', $_[0], $_[1], $other->dir };
    TokenAuth::Postgres::sql_at($url->('postgres', 'postgres'), 'CREATE ROLE owner LOGIN; CREATE DATABASE mine OWNER owner');
    my $made = tokenctl('--registry', $url->('owner', 'mine'), 'init');
    is $made->{status}, 0, 'the registry is made';
    like $made->{err}, qr/group roles \(token_auth_reader and the like\) could not be made, which needs CREATEROLE/, 'and it is said';
    use_registry($url->('owner', 'mine'));
    ok(succeeds(tokenctl(qw(org add acme))), 'its owner can use it');
    ok(succeeds(tokensync($url->('owner', 'mine'), 'run', '--force')), 'for syncing, too');
    my $docs = TokenAuth::Tools::slurp("$FindBin::Bin/../../docs/TOKENCTL.md");
    my ($statements) = $docs =~ /```sql\n(CREATE ROLE token_auth_reader;.*?)```/s or die 'no statements in the docs';
    TokenAuth::Postgres::sql_at($url->('postgres', 'mine'), $statements
            . 'CREATE ROLE r LOGIN IN ROLE token_auth_reader, token_auth_reporter; CREATE ROLE w LOGIN IN ROLE token_auth_writer');
    ok(succeeds(tokenctl('--registry', $url->('w', 'mine'), qw(org add globex))),
        'once an administrator has made the roles, a writer');
    ok(succeeds(tokensync($url->('r', 'mine'), 'run')), 'and a reader, too');
};

my $database = $server->database;
my $url      = $server->url($database);
use_registry($url);
ok(succeeds(tokenctl('init')), 'a registry');
ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
$server->sql($database, "CREATE ROLE reads LOGIN IN ROLE token_auth_reader; CREATE ROLE writes LOGIN IN ROLE token_auth_writer; "
    . "CREATE ROLE stranger LOGIN; CREATE ROLE dashboard LOGIN IN ROLE token_auth_writer");

subtest 'least privilege' => sub {
    my %as = map { $_ => $server->url($database, $_) } qw(reads writes stranger);
    ok(succeeds(tokensync($as{reads}, 'run', '--force')), 'a reader syncs');
    ok(succeeds(tokensync($as{reads}, 'check')), 'and checks');
    ok(fails_with(tokenctl('--registry', $as{reads}, qw(org add globex)), 1, qr/permission denied .*; connect as a role that is in token_auth_writer/),
        'and does not write');
    ok(fails_with(tokenctl('--registry', $as{reads}, 'audit'), 1, qr/permission denied/), 'nor read the trail');
    ok(fails_with(tokensync($as{stranger}, 'run'), 1, qr/permission denied .*; connect as a role/),
        'a stranger does nothing');

    my @ids;
    for my $command (
        [qw(org add w1)], [qw(group add w1/devs)], [qw(user add ann)], [qw(role set reader a:read)],
        [qw(member add ann w1 --role reader)], [qw(org suspend w1)], [qw(org resume w1)], [qw(user disable ann)],
        [qw(user enable ann)], [qw(create --org w1 --name n)], [qw(create --group w1/devs --name n)],
        [qw(create --user ann --name n)], ['list'], ['audit'], ['export'],
    ) {
        my $result = done(tokenctl('--registry', $as{writes}, @$command));
        push @ids, $result->{out} =~ /_(\w+)\./ if $command->[0] eq 'create';
    }
    ok(succeeds(tokenctl('--registry', $as{writes}, @$_)), "a writer: $_->[0]")
        for ['revoke', @ids], ['restore', @ids], [ 'rotate', $ids[0] ], [ 'delete', @ids[ 1, 2 ] ],
        [qw(member remove ann w1)], [qw(org remove --force w1)], [qw(user remove --force ann)], [qw(role remove reader)];
    ok(succeeds(tokensync($as{writes}, 'run')), 'and syncs');
    for my $forbidden ('UPDATE token_auth.audit SET actor = \'x\'', 'DELETE FROM token_auth.audit',
        'INSERT INTO token_auth.changes (entity, key) VALUES (\'role\', \'x\')', 'DELETE FROM token_auth.changes',
        'UPDATE token_auth.meta SET value = \'x\'', 'TRUNCATE token_auth.tokens')
    {
        my $result = run_tool([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $as{writes}, '-c', $forbidden ]);
        like $result->{err}, qr/permission denied/, "but not: $forbidden";
    }
    is $server->sql($database, "SELECT count(*) FROM token_auth.audit WHERE action = 'rotate'")->[0], 1, 'the trail holds it all';
    is_deeply $server->sql($database, q{SELECT DISTINCT "session_user" FROM token_auth.audit ORDER BY 1}), [qw(postgres writes)], 'with the account of each';
};

subtest 'what is for logging in' => sub {
    $server->sql($database, 'CREATE ROLE api LOGIN IN ROLE token_auth_api');
    my $psql = sub { my ($who, $sql) = @_; return run_tool([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $server->url($database, $who), '-c', "SET search_path = token_auth; $sql" ]) };
    my $hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
    $server->sql($database, "SET search_path = token_auth; INSERT INTO users (id, created_at) VALUES ('eve', 0); INSERT INTO passwords VALUES ('eve', '$hash', 0)");
    my @secret = qw(passwords sessions throttle login_addresses idempotency_keys);
    for my $who (qw(reads writes stranger)) {
        for my $table (@secret) {
            like $psql->($who, $_)->{err}, $who eq 'stranger' ? qr/does not exist|permission denied/ : qr/permission denied/, "$who: $_"
                for "SELECT * FROM $table", "SELECT count(*) FROM $table", "DELETE FROM $table", "COPY $table TO STDOUT", "TABLE $table", "LOCK TABLE $table IN ACCESS SHARE MODE";
        }
    }
    like $psql->('reads', "SELECT * FROM $_")->{err}, qr/permission denied/, "reads: $_" for qw(audit group_memberships scopes set_aside);
    like $psql->('writes', 'CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN RETURN NULL; END $_$; '
            . 'CREATE TRIGGER peek AFTER UPDATE ON passwords FOR EACH ROW EXECUTE FUNCTION peek()')->{err}, qr/permission denied/, 'nor by a trigger';

    my $x = 'a' x 64;
    for my $sql (
        "UPDATE passwords SET changed_at = 1", "INSERT INTO sessions VALUES ('$x', 'eve', 1, 1, '')", 'SELECT * FROM sessions', 'DELETE FROM sessions',
        "INSERT INTO throttle (key, tries, at) VALUES ('$x', 1, 1) ON CONFLICT (key, at) DO UPDATE SET tries = throttle.tries + 1",
        "INSERT INTO login_addresses VALUES ('eve', '192.0.2.1', 1)", "INSERT INTO idempotency_keys VALUES ('user eve', '/', 'k', '$x', 't', 1)",
    ) {
        ok succeeds($psql->('api', $sql)), "api: $sql";
    }
    my $as = $server->url($database, 'api');
    ok succeeds(tokenctl('--registry', $as, @$_)), "api: @$_"
        for [qw(org add fromapi)], [qw(org set fromapi --max-life 90d --display-name X)], [qw(org suspend fromapi)], [qw(org resume fromapi)], [qw(group add fromapi/g)],
        [qw(user add zoe --email z@example.org)], [qw(user disable zoe)], [qw(user enable zoe)], [qw(role set apirole a:read)], [qw(scope set a:read), 'Reads'],
        [qw(member add zoe fromapi --role apirole)], [qw(member add zoe fromapi/g --role apirole)], [qw(create --org fromapi --name n)], [qw(create --group fromapi/g --name n)],
        ['list'], ['audit'], ['export'], [qw(member remove zoe fromapi)], [qw(scope remove a:read)], [qw(org remove --force fromapi)], [qw(user remove zoe)], [qw(role remove apirole)];
    ok fails_with(tokenctl('--registry', $as, qw(org add --system mine)), 1, qr/permission denied/), 'api: makes no system organization';
    ok fails_with(tokensync($as, 'run'), 1, qr/permission denied/), 'nor does it sync';
    like $psql->('api', $_)->{err}, qr/permission denied/, "api: $_"
        for "UPDATE organizations SET system = 1", "INSERT INTO organizations (id, created_at, system) VALUES ('s', 0, 1)", "UPDATE organizations SET id = 'other'",
        'SELECT * FROM changes', 'SELECT * FROM set_aside', "UPDATE audit SET actor = 'x'", 'DELETE FROM audit', 'TRUNCATE sessions', "UPDATE meta SET value = 'x'",
        "INSERT INTO audit (at, actor, action, entity, key, detail) VALUES (1, 'x', 'x', 'x', 'x', '{}')", "INSERT INTO changes (entity, key) VALUES ('role', 'x')";
    ok succeeds($psql->('writes', "UPDATE users SET disabled = 1 WHERE id = 'eve'")), 'a dashboard that disables somebody ends the sessions that it cannot see';
    ok succeeds($psql->('writes', "DELETE FROM users WHERE id = 'eve'")), 'and removes people with their passwords';
    is $server->sql($database, 'SELECT count(*) FROM token_auth.passwords')->[0], 0, 'which are gone';
};

subtest 'what a writer may claim in the trail' => sub {
    my $as   = $server->url($database, 'writes');
    my $psql = sub { run_tool([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $as, '-c', $_[0] ]) };
    my %row  = (actor => "'root'", action => "'delete'", entity => "'token'", key => "'forged'", detail => "'{}'");
    my $insert = sub {
        my ($overriding, %values) = @_;
        my @names = sort keys %values;
        return sprintf 'INSERT INTO token_auth.audit (%s) %s VALUES (%s)', join(', ', @names), $overriding, join ', ', @values{@names};
    };
    for my $case ([ '', at => 1 ], [ '', '"session_user"' => "'root'" ], [ 'OVERRIDING SYSTEM VALUE', seq => 1 ], [ 'OVERRIDING USER VALUE', seq => 1 ]) {
        my ($overriding, @more) = @$case;
        like $psql->($insert->($overriding, %row, @more))->{err}, qr/permission denied/, "not $more[0] $overriding";
    }
    like $psql->("INSERT INTO token_auth.audit VALUES (DEFAULT, 1, 'x', 'x', 'x', 'x', '{}', 'root')")->{err}, qr/permission denied/, 'nor whole rows';
    like $psql->('COPY token_auth.audit (at, actor, action, entity, key, detail) FROM STDIN')->{err}, qr/permission denied/, 'nor by COPY';
    like $psql->("INSERT INTO token_auth.set_aside (entity, reason, kept, content) VALUES ('x', 'x', 0, 'x')")->{err}, qr/permission denied/, 'nor rows that are set aside';
    my $before = time;
    is $psql->('SET TIME ZONE 12; SET ROLE token_auth_writer; BEGIN; SELECT pg_sleep(2); ' . $insert->('', %row) . '; COMMIT')->{status}, 0, 'but who did what';
    my ($row) = grep { $_->{key} eq 'forged' } @{ json_of(done(tokenctl(qw(audit --json)))) };
    is_deeply [ @$row{qw(session_user actor)} ], [qw(writes root)], 'beside who that was';
    cmp_ok $server->sql($database, "SELECT at FROM token_auth.audit WHERE key = 'forged'")->[0], '>=', $before + 2, 'and when it was';
    is $server->sql($database, "SELECT seq = max FROM token_auth.audit, (SELECT max(seq) FROM token_auth.audit) AS last WHERE key = 'forged'")->[0], 't', 'the latest';
};

subtest 'passwords' => sub {
    $server->sql($database, "CREATE ROLE secretive LOGIN PASSWORD 'p\@ss w0rd''\"=x' IN ROLE token_auth_writer");
    my $hba = TokenAuth::Tools::slurp($server->data . '/pg_hba.conf');
    my $owner = (stat $server->data . '/pg_hba.conf')[4];
    spew($server->data . '/pg_hba.conf', "local all secretive scram-sha-256\nhostssl all secretive all scram-sha-256\nhost all secretive all reject\n$hba");
    chown $owner, -1, $server->data . '/pg_hba.conf';
    $server->sql('postgres', 'SELECT pg_reload_conf()');
    select undef, undef, undef, 0.2;
    my $plain = $server->url($database, 'secretive');
    my $file  = spew("$certificates/pgpass", '*:*:*:secretive:p@ss w0rd\'"=x' . "\n");
    chmod 0600, $file;
    ok(fails_with(tokenctl('--registry', $plain, qw(org list)), 1, qr/cannot be reached: .*no password supplied.*; check the URL/),
        'without one');
    ok(succeeds(tokenctl({ env => { PGPASSFILE => $file } }, '--registry', $plain, qw(org list))),
        'of a password file');
    ok(succeeds(run_tool([ program('tokensync'), '--registry', $plain, '--db', "$store/db", 'run' ],
            env => { PGPASSFILE => $file })), 'for tokensync, too');
    ok(succeeds(tokenctl({ env => { PGPASSWORD => 'p@ss w0rd\'"=x' } }, '--registry', $plain, qw(org list))),
        'of the environment');
    my $inline = $plain =~ s/secretive@/secretive:p%40ss%20w0rd%27%22%3Dx@/r;
    ok(succeeds(tokenctl('--registry', $inline, qw(org list))), 'in the URL');
    ok(succeeds(tokensync($inline, 'run')), 'for tokensync, too');
    my $wrong = $plain =~ s/secretive@/secretive:hunter2@/r;
    for my $result (tokenctl('--registry', $wrong, qw(org list)), tokensync($wrong, 'run')) {
        ok(fails_with($result, 1, qr/cannot be reached: .*password authentication failed/), 'a wrong one');
        unlike $result->{err}, qr/hunter2/, 'which is not shown';
    }

    # TLS as libpq does it
    my $tls = sub { "postgresql://secretive\@$_[0]:$port/$database?hostaddr=127.0.0.1&$_[1]" };
    my %env = (PGPASSFILE => $file);
    my $root = "sslrootcert=$certificates/cert.pem";
    ok(succeeds(tokenctl({ env => \%env }, '--registry', $tls->('localhost', "sslmode=verify-full&$root"), qw(org list))),
        'TLS, verified');
    ok(succeeds(run_tool([ program('tokensync'), '--registry', $tls->('localhost', "sslmode=verify-full&$root"), '--db',
            "$store/db", 'run' ], env => \%env)), 'for tokensync, too');
    ok(fails_with(tokenctl({ env => \%env }, '--registry', $tls->('other', "sslmode=verify-full&$root"), qw(org list)), 1, qr/cannot be reached: .*does not match host name "other"/),
        'another host name');
    ok(fails_with(tokenctl({ env => \%env }, '--registry', $tls->('localhost', 'sslmode=disable'), qw(org list)), 1, qr/cannot be reached: .*no encryption/),
        'without TLS');
};

# An SQL session that runs beside the test.
sub session {
    my $fifo = File::Temp::tempnam('/tmp', 'token-auth-fifo-');
    require POSIX;
    POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
    my $psql = start_tool([ 'sh', '-c', 'exec psql -X -q -v ON_ERROR_STOP=1 -d "$0" < "$1"', $url, $fifo ]);
    open my $commands, '>', $fifo or die "fifo: $!";
    $commands->autoflush(1);
    unlink $fifo;
    return ($psql, $commands);
}

# Waits until a session has run its statements.
sub settled {
    for (1 .. 500) {
        return if $server->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")->[0] > 0;
        select undef, undef, undef, 0.02;
    }
    die "the session does not get on\n";
}

# Whether a statement waits for a lock.
sub waits {
    for (1 .. 500) {
        return 1 if $server->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")->[0] > 0;
        select undef, undef, undef, 0.02;
    }
    return 0;
}

subtest 'a registry that is locked' => sub {
    my ($psql, $commands) = session();
    print {$commands} "BEGIN; LOCK TABLE token_auth.write_lock IN ACCESS EXCLUSIVE MODE;\n";
    settled();
    my $waiting = start_tool([ program('tokenctl'), '--registry', $url, qw(org add late) ]);
    ok waits(), 'one waits';
    ok(succeeds(tokenctl(qw(org list))), 'readers do not');
    ok(succeeds(tokensync($url, 'run')), 'nor does tokensync');
    print {$commands} "COMMIT;\n";
    is(finish_tool($waiting)->{status}, 0, 'then it is its turn');

    print {$commands} "BEGIN; LOCK TABLE token_auth.write_lock IN ACCESS EXCLUSIVE MODE;\n";
    settled();
    ok(fails_with(tokenctl(qw(org add later)), 1, qr/another program has been using it for 10 seconds; try again/),
        'not for ever');
    close $commands;
    finish_tool($psql);
};

subtest 'a backup beside tokenctl' => sub {
    my ($psql, $commands) = session();
    print {$commands} 'BEGIN; LOCK TABLE token_auth.write_lock, token_auth.tokens, token_auth.changes IN ACCESS SHARE MODE; '
        . "SELECT pg_current_xact_id();\n";
    settled();
    ok(succeeds(tokenctl(qw(org add beside-a-backup))), 'pg_dump and its like hold nobody up');
    close $commands;
    finish_tool($psql);
};

subtest 'a dashboard that changes the same row' => sub {
    my ($token) = done(tokenctl(qw(create --org acme --name before)))->{out} =~ /_(\w+)\./;
    my ($psql, $commands) = session();
    print {$commands} "BEGIN; UPDATE token_auth.tokens SET name = 'after' WHERE id = '$token';\n";
    settled();
    my $waiting = start_tool([ program('tokenctl'), '--registry', $url, 'revoke', $token ]);
    ok waits(), 'tokenctl waits for it';
    print {$commands} "COMMIT;\n";
    ok(succeeds(finish_tool($waiting)), 'and begins again');
    is_deeply [ @{ json_of(tokenctl('show', $token, '--json')) }{qw(name status)} ], [qw(after revoked)], 'both changes hold';
    close $commands;
    finish_tool($psql);
};

subtest 'the last token of a technical user is deleted while a successor comes' => sub {
    my ($token) = done(tokenctl(qw(create --org acme --name n)))->{out} =~ /_(\w+)\./;
    my ($psql, $commands) = session();
    print {$commands} "BEGIN; INSERT INTO token_auth.tokens (id, digest, kind, user_id, organization, name, created_at) "
        . "VALUES ('heir', repeat('7', 64), 'organization', 'tu-$token', 'acme', 'n', 0);\n";
    settled();
    my $waiting = start_tool([ program('tokenctl'), '--registry', $url, 'delete', $token ]);
    ok waits(), 'the deletion waits';
    print {$commands} "COMMIT;\n";
    my $deleted = finish_tool($waiting);
    is $server->sql($database, "SELECT count(*) FROM token_auth.tokens WHERE id = 'heir'")->[0], 1, 'the successor lives'
        or diag($deleted->{err});
    ok(succeeds(tokenctl('delete', $token)), 'tried again') if $deleted->{status} != 0;
    is $server->sql($database, "SELECT count(*) FROM token_auth.users WHERE id = 'tu-$token'")->[0], 1, 'and its user';
    close $commands;
    finish_tool($psql);
};

subtest 'what the docs have a dashboard do' => sub {
    my ($statements) = TokenAuth::Tools::slurp("$FindBin::Bin/../../docs/TOKENCTL.md") =~ /```sql\n(UPDATE token_auth\.tokens SET revoked_at.*?)```/s
        or die 'no statements in the docs';
    $statements =~ s/<SHA-256[^>]*>/'5' x 64/e;
    $statements =~ s/\bID\b/bysql/g;
    ok(succeeds(tokenctl(qw(role set reader a:read))), 'a role');
    $server->sql($database, $statements, 'dashboard');
    my $token = json_of(done(tokenctl('show', 'bysql', '--json')));
    is $token->{status}, 'active', 'is one';
    ok(succeeds(tokensync($url, 'run')), 'and syncs');
    like done(tokenctl(qw(audit --token bysql)))->{out}, qr/Z +dashboard +dashboard/, 'is in the trail';
    $server->sql($database, (split /\n/, $statements)[0], 'dashboard');
    is json_of(tokenctl('show', 'bysql', '--json'))->{status}, 'revoked', 'revoked by SQL';
};

subtest 'what is not escaped in a URL' => sub {
    for my $bad ('postgresql://user:pa/ss@localhost/db', 'postgresql://user:p@ss@localhost/db', 'postgresql://user:p@ss/x@localhost/db') {
        my $result = tokenctl('--registry', $bad, qw(org list));
        ok(fails_with($result, 2, qr/special characters, also those of a password, as %XX/), 'refused');
        unlike $result->{err}, qr/ss@|pa\/|\bss\b/, 'and nothing of it shown';
    }
};

done_testing;
