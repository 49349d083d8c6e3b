# Rows that no record can hold, written by SQL: each is left out by itself, in the refusing direction, logged
# once, counted by status and listed by check; all else of the same transaction arrives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Registry qw(on_postgresql);
use TokenAuth::Sync;
use TokenAuth::Util qw(slurp);

my $unchecked = on_postgresql() ? '' : 'PRAGMA ignore_check_constraints = ON; ';

# What a registry of another release, or a damaged one, may hold: the tables check nothing.
sub without_checks {
    my ($world) = @_;
    if (on_postgresql()) {
        $world->sql(<<'END');
DO $$ DECLARE c RECORD; BEGIN
    FOR c IN SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint
        WHERE contype IN ('c', 'f') AND connamespace = 'token_auth'::regnamespace ORDER BY contype DESC LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.of, c.name);
    END LOOP;
    FOR c IN SELECT attrelid::regclass AS of, attname AS name FROM pg_attribute a JOIN pg_class t ON t.oid = attrelid
        WHERE attnotnull AND attnum > 0 AND relkind = 'r' AND relnamespace = 'token_auth'::regnamespace
        AND relname IN ('roles', 'organizations', 'org_groups', 'users', 'memberships', 'tokens')
        AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey)) LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', c.of, c.name);
    END LOOP;
END $$
END
        return;
    }
    # NULLs, too
    my $definitions = join ";\n", map {
        "UPDATE sqlite_schema SET sql = replace(replace(replace(sql, 'TEXT NOT NULL', 'TEXT'), "
            . "'BIGINT NOT NULL', 'BIGINT'), 'INTEGER NOT NULL', 'INTEGER') WHERE name = '$_'"
    } qw(roles organizations org_groups users memberships tokens);
    $world->sql("PRAGMA writable_schema = ON; $definitions; PRAGMA writable_schema = RESET");
    return;
}

sub new_world {
    my $world = TokenAuth::Sync->new;
    without_checks($world);
    $world->import_lines(
        { type => 'role', id => 'reader', scopes => ['agents:read'] },
        { type => 'role', id => 'odd',    scopes => ['agents:read'] },
        (map { { type => 'organization', id => $_ } } qw(acme other globex)),
        { type => 'group', organization => 'acme', id => 'ops' },
        { type => 'user',  id           => 'ann' },
        (map { { type => 'membership', user => 'ann', organization => $_, role => 'reader' } } qw(acme globex)),
        (map { TokenAuth::Sync::token($_, role => 'reader') } qw(bad good), map { "t$_" } 1 .. 5),
        TokenAuth::Sync::token('other', organization => 'other', role => 'odd'),
        TokenAuth::Sync::token('grouped', kind => 'group', group => 'ops', role => 'reader'),
        TokenAuth::Sync::token('personal', kind => 'user', organization => '', user => 'ann'));
    return $world;
}

my $long = sub { return "'" . 'x' x $_[0] . "'" };
my $bytes = sub {
    my ($text) = @_;
    return on_postgresql() ? undef : "CAST(x'" . unpack('H*', $text) . "' AS TEXT)";
};
my $sqlite = sub { return on_postgresql() ? () : @_ };
my $bad = sub { return "UPDATE tokens SET $_[0] WHERE id = 'bad'" };

# what, statement, the token it is about, its decision (with arguments), what the log and check say, entity
my @token_cases = (
    [ 'a name of 256 bytes',       'name = ' . $long->(256), 'has a name of more than 255 bytes' ],
    [ 'a name that is NULL',       'name = NULL', 'has nothing, or a value of another type, as its name' ],
    [ 'a scope with a quote',      q(scopes = 'a "b'), 'has a scope that is none' ],
    [ 'a scope of 200 bytes',      'scopes = ' . $long->(200), 'has a scope that is none' ],
    [ 'too many bytes of scopes',  q(scopes = ') . join(' ', map { "scope:$_" . 'x' x 100 } 1 .. 100) . q('),
        'has more than 8192 bytes of scopes' ],
    [ 'scopes that are NULL',      'scopes = NULL', 'value of another type, as its scopes' ],
    [ 'a bad CIDR',                q(allow = '10.0.0.0/33'), 'allows an address block that is none' ],
    [ 'too many blocks',           q(allow = ') . join(' ', map { "10.0.0.$_" } 1 .. 65) . q('), 'allows more than 64 address blocks' ],
    [ 'a negative key id',         'key_id = -1', 'has a key_id that is out of range' ],
    [ 'a key id of 33 bits',       'key_id = 4294967296', 'has a key_id that is out of range' ],
    [ 'an expiry in milliseconds', 'expires_at = 1795558351150', 'has a time that is none' ],
    [ 'a negative expiry',         'expires_at = -1', 'has a time that is none' ],
    [ 'an expiry that is NULL',    'expires_at = NULL', 'as its expires_at' ],
    [ 'not_before far away',       'not_before = 9223372036854775807', 'has a time that is none' ],
    [ 'a revocation that is NULL', 'revoked_at = NULL', 'as its revoked_at' ],
    [ 'an unknown kind',           q(kind = 'robot'), 'has an unknown kind' ],
    [ 'a kind that does not fit',  q(kind = 'group'), 'does not go with its kind' ],
    [ 'a user token of an organization', q(kind = 'user'), 'does not go with its kind' ],
    [ 'a role of 200 bytes',       'role = ' . $long->(200), 'has a role that is no identifier' ],
    [ 'an organization with a slash', q(organization = 'a/b'), 'names an organization that is not there' ],
    [ 'an organization that is not there', q(organization = 'nowhere'), 'names an organization that is not there' ],
    [ 'no organization',           'organization = NULL', 'does not go with its kind' ],
    [ 'a group that is not there', q(kind = 'group', group_id = 'nowhere'), 'names a group that is not there' ],
    [ 'a user that is not there',  q(user_id = 'nobody'), 'names a user that is not there' ],
    [ 'an id that may be a secret', "id = 'ak_" . 'S3cr3t' x 9 . "!'", 'the token with the digest [0-9a-f]{8}… has an id that is no ident' ],
    [ 'an id with a space',        q(id = 'b ad'), 'has an id that is no identifier' ],
    [ 'an id of 65 bytes',         'id = ' . $long->(65), 'has an id that is no identifier' ],
    [ 'an upper-case digest',      'digest = upper(digest)', 'has a digest that is not 64 lower-case hex digits' ],
    [ 'a short digest',            q(digest = 'abc'), 'has a digest that is not 64 lower-case hex digits' ],
    [ 'an endless digest',         'digest = ' . $long->(10_000), 'has a digest that is not 64 lower-case hex digits' ],
    $sqlite->(
        [ 'a name that is no UTF-8', "name = CAST(x'ff61' AS TEXT)", 'has a name that is no text in UTF-8' ],
        [ 'a name with a NUL',       "name = CAST(x'610062' AS TEXT)", 'has a name that is no text in UTF-8' ],
        [ 'a name that is a blob',   "name = x'61'", 'as its name' ],
        [ 'a scope with a NUL',      "scopes = CAST(x'610062' AS TEXT)", 'has a scope that is none' ],
        [ 'scopes that are a blob',  "scopes = x'61'", 'as its scopes' ],
        [ 'an expiry in words',      "expires_at = 'never'", 'as its expires_at' ],
        [ 'an expiry with a fraction', 'expires_at = 1.5', 'as its expires_at' ],
        [ 'an expiry that is a blob', "expires_at = x'00'", 'as its expires_at' ],
        [ 'a revocation in words',   "revoked_at = 'yes'", 'as its revoked_at' ],
        [ 'a key id in words',       "key_id = 'none'", 'as its key_id' ],
        [ 'an id that is a blob',    "id = CAST(id AS BLOB)", 'as its id' ],
        [ 'an id with a NUL',        "id = CAST(x'620061' AS TEXT)", 'has an id that is no identifier' ],
        [ 'a digest that is a blob', "digest = x'00ff'", 'has a digest|as its digest' ],
        [ 'a digest that is no UTF-8', "digest = CAST(x'ff' AS TEXT)", 'has a digest' ],
        [ 'a digest with a NUL',     "digest = CAST(x'610062' AS TEXT)", 'has a digest' ],
        [ 'a role that is a blob',   "role = CAST(role AS BLOB)", 'as its role' ],
        [ 'an organization that is a blob', "organization = CAST(organization AS BLOB)", 'organization' ],
    ),
);
my @cases = (
    (map { { what => $_->[0], sql => $bad->($_->[1]), says => $_->[2] } } @token_cases),
    { what => 'an organization neither suspended nor active', sql => "UPDATE organizations SET suspended = 7 WHERE id = 'other'",
        token => 'other', entity => 'organization', says => 'the organization "other" says neither suspended nor active' },
    { what => 'a suspension that is NULL', sql => "UPDATE organizations SET suspended = NULL WHERE id = 'other'",
        token => 'other', entity => 'organization', says => 'says neither suspended nor active' },
    { what => 'a membership in such an organization', sql => "UPDATE organizations SET suspended = 7 WHERE id = 'globex'",
        token => 'personal', for => 'globex', code => 'not_a_member', entity => 'organization', says => 'says neither' },
    { what => 'an organization with a bad id', sql => "INSERT INTO organizations (id, suspended, created_at) VALUES ('a/b', 0, 0)",
        entity => 'organization', says => 'the organization "a/b" has an id that is no identifier' },
    { what => 'a group with a bad id', sql => "INSERT INTO org_groups VALUES ('acme', 'o ps', 0); UPDATE tokens SET group_id = 'o ps' WHERE id = 'grouped'",
        token => 'grouped', says => 'the token "grouped" has a group that is no identifier' },
    { what => 'a user neither disabled nor enabled', sql => "UPDATE users SET disabled = 7 WHERE id = 'ann'",
        token => 'personal', for => 'acme', says => 'the token "personal" is of a user \(ann\) whose row says neither' },
    { what => 'a technical user like that', sql => "UPDATE users SET disabled = 7 WHERE id = (SELECT user_id FROM tokens WHERE id = 'bad')",
        says => 'whose row says neither disabled nor enabled' },
    { what => 'a user that is NULL in it', sql => "UPDATE users SET disabled = NULL WHERE id = 'ann'",
        token => 'personal', for => 'acme', says => 'whose row says neither' },
    { what => 'a user with a bad id', sql => "INSERT INTO users (id, created_at) VALUES ('ann b', 0); UPDATE tokens SET user_id = 'ann b' WHERE id = 'personal'",
        token => 'personal', for => 'acme', says => 'the token "personal" has a user that is no identifier' },
    { what => 'a membership with a role that would name another', token => 'personal', for => 'globex', code => 'not_a_member',
        sql => "DELETE FROM memberships WHERE organization = 'globex'; UPDATE memberships SET role = 'reader,globex reader'",
        entity => 'membership', says => 'the membership of "ann" in "acme" has a user, an organization or a role that is no' },
    { what => 'a membership with a role of 200 bytes', sql => 'UPDATE memberships SET role = ' . $long->(200) . " WHERE organization = 'acme'",
        token => 'personal', for => 'acme', code => 'not_a_member', entity => 'membership', says => 'the membership of "ann" in "acme"' },
    { what => 'a membership without a role', sql => "UPDATE memberships SET role = NULL WHERE organization = 'acme'",
        token => 'personal', for => 'acme', code => 'not_a_member', entity => 'membership', says => 'the membership of "ann" in "acme"' },
    { what => 'a membership in no organization', sql => "UPDATE memberships SET organization = 'nowhere' WHERE organization = 'acme'",
        token => 'personal', for => 'acme', code => 'not_a_member', entity => 'membership', says => 'names an organization that is not there' },
    { what => 'a role with a bad scope', sql => q(UPDATE roles SET scopes = 'a "b' WHERE id = 'odd'),
        token => 'other', code => 'scope_missing', with => [ '--scope', 'agents:read' ], entity => 'role', says => 'the role "odd" has a scope that is none' },
    { what => 'a role without scopes', sql => "UPDATE roles SET scopes = NULL WHERE id = 'odd'",
        token => 'other', code => 'scope_missing', with => [ '--scope', 'agents:read' ], entity => 'role', says => 'the role "odd" has no id, or no scopes' },
    { what => 'a role of 200 bytes', sql => 'INSERT INTO roles (id, scopes) VALUES (' . $long->(200) . ", 'x')",
        entity => 'role', says => 'the role \(200 bytes, not shown\) has an id that is no identifier' },
    $sqlite->(
        { what => 'a suspension in words', sql => "UPDATE organizations SET suspended = 'yes' WHERE id = 'other'",
            token => 'other', entity => 'organization', says => 'says neither suspended nor active' },
        { what => 'a user disabled in words', sql => "UPDATE users SET disabled = 'yes' WHERE id = 'ann'",
            token => 'personal', for => 'acme', says => 'whose row says neither' },
        { what => 'scopes of a role that are a blob', sql => "UPDATE roles SET scopes = x'61' WHERE id = 'odd'",
            token => 'other', code => 'scope_missing', with => [ '--scope', 'agents:read' ], entity => 'role', says => 'the role "odd" has no id, or no' },
        { what => 'a membership with a NUL', sql => "UPDATE memberships SET role = CAST(x'720065' AS TEXT) WHERE organization = 'acme'",
            token => 'personal', for => 'acme', code => 'not_a_member', entity => 'membership', says => 'the membership of "ann" in "acme"' },
        { what => 'an organization without an id', sql => "INSERT INTO organizations (id, suspended, created_at) VALUES (x'00ff', 0, 0)",
            entity => 'organization', says => 'the organization .* has no id' },
    ),
);

# The decision of a case's token.
sub decided {
    my ($world, $case) = @_;
    my $id = $case->{token} // 'bad';
    return $world->decision("$id-token", $case->{for} ? ('--org', $case->{for}) : (), @{ $case->{with} // [] });
}

sub run_status {
    my ($world, @arguments) = @_;
    my $run = $world->sync('run', @arguments);
    return ($run->{status}, $run->{err});
}

my $base = new_world();
$base->sync_ok('run');
is $base->sync('check')->{status}, 0, 'the store is equal before';

for my $case (@cases) {
    subtest $case->{what} => sub {
        my $world = $base;
        is decided($world, $case), 'ok', 'let in before' if $case->{token} || $case->{sql} =~ /'bad'/;
        save($world);
        $world->sql($unchecked . 'BEGIN; ' . $case->{sql} . "; UPDATE tokens SET revoked_at = 1 WHERE id = 'good'; COMMIT");
        my ($status, $err) = run_status($world);
        is $status, 0, 'run' or diag $err;
        like $err, qr/left out: in the registry, .*$case->{says}.*; mend or delete it there/, 'logged, with the remedy';
        unlike $err, qr/S3cr3t/, 'without what may be a secret';
        is $world->decision('good-token'), 'token_revoked', 'a revocation of the same transaction arrives';
        is $world->decision('t1-token'), 'ok', 'others are let in';
        my $touches = $case->{token} || $case->{sql} =~ /WHERE id = 'bad'|user_id FROM tokens/;
        is decided($world, $case), $case->{code} // 'token_unknown', 'what it is about is refused' if $touches;
        ($status, $err) = run_status($world);
        is "$status$err", '0', 'logged once';
        my $state = $world->sync('status', '--json');
        is $state->{status}, 4, 'status: exit status';
        is decode_json($state->{out})->{left_out}, 1, 'status counts it';
        my $check = $world->sync('check', '--json');
        is $check->{status}, 4, 'check: exit status';
        my $found = decode_json($check->{out})->{differences};
        is @$found, 1, 'check lists it, and nothing else' or diag $check->{out};
        is "$found->[0]{problem} $found->[0]{entity}", 'left out ' . ($case->{entity} // 'token'), 'as what it is';
        like $found->[0]{fields}[0], qr/\A(?:has|names|says|is|allows) /, 'and says what is wrong';

        for my $how ('--full', '--rebuild') {
            ($status, $err) = run_status($world, $how);
            is "$status$err", '0', "$how: the same, not logged again";
            is decode_json($world->sync('status', '--json')->{out})->{left_out}, 1, "$how: counted";
            is decided($world, $case), $case->{code} // 'token_unknown', "$how: refused" if $touches;
            is $world->sync('check', '--json')->{out} =~ tr/{//, $check->{out} =~ tr/{//, "$how: check lists the same";
        }

        restore($world);
        ($status, $err) = run_status($world);
        is "$status$err", '0', 'mended';
        is $world->json('status')->{left_out}, 0, 'by its own change: nothing is left out any more';
        is decided($world, $case), 'ok', 'let in again' if $touches;
        is $world->sync('check')->{status}, 0, 'and the store is equal' or diag $world->sync('check')->{out};
    };
}

subtest 'a name with invisible characters' => sub {
    my $world = new_world();
    my %codes = (u202e => "\xe2\x80\xae", u200b => "\xe2\x80\x8b", u2028 => "\xe2\x80\xa8", u0085 => "\xc2\x85", u0007 => "\x07");
    my @names = sort keys %codes;
    $world->sql("${unchecked}UPDATE tokens SET name = '" . join('', map { "$_$codes{$_}." } @names) . "\xc3\xa9' WHERE id = 'bad'");
    $world->sync_ok('run');
    my $store = slurp($world->db . '/data.mdb');
    like $store, qr/\Q${\ join '', map { "$_?." } @names}\E\xc3\xa9/, 'question marks in their place, for the sake of logs and terminals';
    is $world->decision('bad-token'), 'ok', 'the token stays';
    is $world->sync('check')->{status}, 0, 'and check expects that';
};

subtest 'more roles than a store can number' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(3);
    $world->sync_ok('run');
    my $numbers = on_postgresql() ? 'generate_series(1, 65540) AS s(n)'
        : '(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 65540) SELECT n FROM s)';
    $world->sql("BEGIN; INSERT INTO roles (id, scopes) SELECT 'a' || n, 'x' FROM $numbers; UPDATE tokens SET revoked_at = 1 WHERE id = 't1'; COMMIT");
    my $run = $world->sync('run');
    is $run->{status}, 0, 'run' or diag $run->{err};
    is $world->decision('t1-token'), 'token_revoked', 'a revocation arrives';
    my $left_out = decode_json($world->sync('status', '--json')->{out})->{left_out};
    is $left_out, 6, 'what is beyond is left out';
    like $run->{err}, qr/is beyond the number of roles that a store can hold/, 'and named';
    is $world->decision('t2-token', '--scope', 'agents:read'), 'ok', 'but no role that a token has';
    $world->sql("UPDATE tokens SET revoked_at = 1 WHERE id = 't3'; UPDATE roles SET scopes = 'y' WHERE id = 'a65540'");
    $run = $world->json('run');
    ok !$run->{full}, 'and changes are applied as usual';
    is $world->decision('t3-token'), 'token_revoked', 'revocations too';
    $world->sql("DELETE FROM roles WHERE id LIKE 'a%'");
    is $world->sync('run', '--rebuild')->{status}, 0, 'mended, and made anew';
    is $world->json('status')->{left_out}, 0, 'nothing is left out';
    is $world->decision('t2-token'), 'ok', 'and all are let in';
};

subtest 'more keys of digests than a store can number' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(20);
    $world->sync_ok('run');
    my $number = on_postgresql() ? 'substr(id, 2)::int' : 'CAST(substr(id, 2) AS INTEGER)';
    $world->sql("UPDATE tokens SET key_id = $number WHERE id <> 't1'; UPDATE tokens SET revoked_at = 1 WHERE id = 't1'");
    my $run = $world->sync('run');
    is $run->{status}, 0, 'run' or diag $run->{err};
    is $world->decision('t1-token'), 'token_revoked', 'a revocation arrives';
    is decode_json($world->sync('status', '--json')->{out})->{left_out}, 4, 'what is beyond is left out';
    is $world->sync('run', '--full')->{status}, 0, 'run --full';
    is decode_json($world->sync('status', '--json')->{out})->{left_out}, 4, 'the same';
};

# All rows, to be put back as they were.
my @tables;
BEGIN { @tables = qw(roles organizations org_groups users memberships tokens) }

sub save {
    my ($world) = @_;
    $world->sql(join '; ', map { ("DROP TABLE IF EXISTS saved_$_", "CREATE TABLE saved_$_ AS SELECT * FROM $_") } @tables);
    return;
}

sub restore {
    my ($world) = @_;
    $world->sql($unchecked . join '; ', 'BEGIN', (map { "DELETE FROM $_" } reverse @tables),
        (map { "INSERT INTO $_ SELECT * FROM saved_$_" } @tables), 'COMMIT');
    return;
}

done_testing;
