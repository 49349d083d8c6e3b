# A registry that others write by SQL: what its tables refuse, and that every change of theirs arrives, whatever
# statement makes it and however the connection is set.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Registry qw(on_postgresql sqlite_only unchecked);
use TokenAuth::Sync;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

# What a client without settings has.
my $careless = on_postgresql() ? '' : 'PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF;';

# Tokens: t1 of organization acme, t2 of its group ops, t3 of user ann, who is a member of acme; u1 of organization other.
my %columns = (t1 => [ 'organization', 'tu-t1', 'acme', undef ], t2 => [ 'group', 'tu-t2', 'acme', 'ops' ],
    t3 => [ 'user', 'ann', undef, undef ], u1 => [ 'organization', 'tu-u1', 'other', undef ]);

sub quoted { return defined $_[0] ? "'$_[0]'" : 'NULL' }
sub row_of { my ($id) = @_; return join ', ', map { quoted($_) } $id, sha256_hex("$id-token"), @{ $columns{$id} } }

sub new_world {
    my $world = TokenAuth::Sync->new;
    $world->sql(<<"END");
INSERT INTO roles (id, scopes) VALUES ('reader', 'agents:read');
INSERT INTO organizations (id, suspended, created_at) VALUES ('acme', 0, 1), ('other', 0, 1);
INSERT INTO org_groups VALUES ('acme', 'ops', 1);
INSERT INTO users (id, technical, created_at) VALUES ('ann', 0, 1), ('tu-t1', 1, 1), ('tu-t2', 1, 1), ('tu-u1', 1, 1);
INSERT INTO memberships VALUES ('ann', 'acme', 'reader', 1);
INSERT INTO tokens (id, digest, kind, user_id, organization, group_id, name, created_at)
    VALUES @{[ join ', ', map { '(' . row_of($_) . ", 'n', 1)" } sort keys %columns ]};
END
    $world->sync_ok('run');
    return $world;
}

sub decisions { my ($world, @ids) = @_; return join ' ', map { "$_=" . $world->decision("$_-token", '--org', 'acme') } @ids }

# Runs statements, syncs what changed, and compares.
sub changed {
    my ($world, $statements, $want, $what) = @_;
    $world->sql("$careless $statements");
    my $run = $world->sync('run');
    is $run->{status}, 0, "$what: synced" or diag $run->{err};
    is decisions($world, map { /(\w+)=/ } split ' ', $want), $want, $what;
    is $world->sync('check')->{status}, 0, "$what: the store is equal";
    # TRUNCATE is for tables that are filled again.
    is_deeply $statements =~ /TRUNCATE/ ? [] : $world->sql('SELECT id FROM users WHERE technical = 1 AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = users.id)'),
        [], "$what: no technical user is left over";
    return;
}

sub refused {
    my ($world, $statement, $what) = @_;
    open my $errors, '>&', \*STDERR or die "dup: $!";
    open STDERR, '>', '/dev/null' or die "/dev/null: $!";
    my $done = eval { $world->sql("$careless $statement"); 1 };
    open STDERR, '>&', $errors or die "dup: $!";
    return ok !$done, "$what is refused";
}

my $new  = sha256_hex('new-token');
my $ghost = sha256_hex('ghost');

subtest 'rows that go take along what belongs to them' => sub {
    my %gone = (
        'an organization'  => [ q{DELETE FROM organizations WHERE id = 'acme'}, 't1=token_unknown t2=token_unknown t3=not_a_member' ],
        'a group'          => [ q{DELETE FROM org_groups}, 't1=ok t2=token_unknown t3=ok' ],
        'a user'           => [ q{DELETE FROM users WHERE id = 'ann'}, 't1=ok t3=token_unknown' ],
        'a technical user' => [ q{DELETE FROM users WHERE id = 'tu-t1'}, 't1=token_unknown t2=ok' ],
        'a token'          => [ q{DELETE FROM tokens WHERE id = 't1'}, 't1=token_unknown t2=ok' ],
        'a membership'     => [ q{DELETE FROM memberships}, 't1=ok t3=not_a_member' ],
    );
    for my $what (sort keys %gone) {
        my $world = new_world();
        changed($world, @{ $gone{$what} }, $what);
        $world->sql("$careless INSERT INTO organizations (id, suspended, created_at) VALUES ('acme', 0, 1)") if $what eq 'an organization';
        $world->sql("$careless INSERT INTO users (id, technical, created_at) VALUES ('ann', 0, 1)") if $what eq 'a user';
        $world->sql("$careless INSERT INTO org_groups VALUES ('acme', 'ops', 1)") if $what eq 'a group';
        changed($world, '', $gone{$what}[1], "$what, and a new one of that name");
    }
};

subtest 'REPLACE' => sub {
    sqlite_only();
    my $replace = 'REPLACE INTO tokens (id, digest, kind, user_id, organization, name, created_at) VALUES';
    changed(new_world(), "$replace ('t1', '$new', 'organization', 'tu-t1', 'acme', 'n', 1)", 't1=token_unknown new=ok', 'a new digest');
    changed(new_world(), "$replace ('t1', '$new', 'organization', 'tu-u1', 'other', 'n', 1)", 't1=token_unknown t2=ok', 'another user, too');
    changed(new_world(), "$replace ('t9', '" . sha256_hex('t1-token') . "', 'organization', 'tu-u1', 'acme', 'n', 1)", 't1=ok', 'another id');
    changed(new_world(), "$replace ('t1', '" . sha256_hex('u1-token') . "', 'organization', 'tu-t1', 'acme', 'n', 1)", 't1=token_unknown u1=ok', 'two rows at once');
    changed(new_world(), "UPDATE OR REPLACE tokens SET digest = '" . sha256_hex('t1-token') . "' WHERE id = 'u1'", 't1=organization_mismatch u1=token_unknown', 'UPDATE of a digest');
    changed(new_world(), q{UPDATE OR REPLACE tokens SET id = 't1' WHERE id = 'u1'}, 't1=token_unknown u1=organization_mismatch', 'UPDATE of an id');
    changed(new_world(), q{REPLACE INTO roles (id, scopes) VALUES ('reader', 'other')}, 't3=ok', 'a role');
    changed(new_world(), q{REPLACE INTO memberships VALUES ('ann', 'acme', 'reader', 2)}, 't3=ok', 'a membership');
    changed(new_world(), q{REPLACE INTO organizations (id, suspended, created_at) VALUES ('acme', 0, 2)}, 't1=token_unknown t2=token_unknown t3=not_a_member', 'an organization');
    changed(new_world(), q{REPLACE INTO org_groups VALUES ('acme', 'ops', 2)}, 't1=ok t2=token_unknown', 'a group');
    changed(new_world(), q{REPLACE INTO users (id, technical, created_at) VALUES ('ann', 0, 2)}, 't1=ok t3=token_unknown', 'a user');
    changed(new_world(), q{REPLACE INTO users (id, technical, created_at) VALUES ('tu-t1', 1, 2); DELETE FROM users WHERE id = 'tu-t1'}, 't1=token_unknown', 'a technical user');
    changed(new_world(), q{DELETE FROM tokens WHERE id = 't3'; DELETE FROM memberships; UPDATE OR REPLACE users SET id = 'tu-t1', technical = 0 WHERE id = 'ann'}, 't1=token_unknown', 'UPDATE of a user');
    changed(new_world(), q{DELETE FROM tokens WHERE id = 'u1'; UPDATE OR REPLACE organizations SET id = 'acme' WHERE id = 'other'}, 't1=token_unknown t2=token_unknown t3=not_a_member', 'UPDATE of an organization');
    changed(new_world(), "PRAGMA recursive_triggers = ON; $replace ('t1', '$new', 'organization', 'tu-u1', 'other', 'n', 1)", 't1=token_unknown t2=ok', 'with recursive_triggers');
    my $world = new_world();
    for my $table (qw(roles organizations org_groups users memberships tokens)) {
        my $columns = join ', ', @{ $world->sql("SELECT name FROM pragma_table_info('$table')") };
        my $newest = "(SELECT max(rowid) FROM $table)";
        refused($world, "REPLACE INTO $table (rowid, $columns) SELECT $newest, $columns FROM $table LIMIT 1", "$table: a rowid that is taken");
        refused($world, "UPDATE OR REPLACE $table SET rowid = $newest + 1", "$table: another rowid");
    }
    changed(new_world(), q{PRAGMA foreign_keys = ON; REPLACE INTO organizations (id, suspended, created_at) VALUES ('acme', 0, 2)}, 't1=token_unknown t2=token_unknown t3=not_a_member', 'with foreign_keys');
    changed(new_world(), "INSERT OR IGNORE INTO tokens (id, digest, kind, user_id, organization, name, created_at) VALUES ('t1', '$new', 'organization', 'tu-u1', 'acme', 'n', 1)", 't1=ok new=token_unknown', 'a row that is ignored');
};

subtest 'ids that change' => sub {
    my $world = new_world();
    changed($world, q{UPDATE tokens SET id = 't9' WHERE id = 't1'}, 't1=ok', "a token's");
    changed($world, "UPDATE tokens SET digest = '$new' WHERE id = 't9'", 't1=token_unknown new=ok', "a token's digest");
    changed($world, q{UPDATE tokens SET user_id = 'tu-u1' WHERE id = 't9'}, 'new=ok', "a token's user");
    refused($world, q{UPDATE organizations SET id = 'acme2' WHERE id = 'acme'}, 'of an organization that is in use');
    refused($world, q{UPDATE org_groups SET id = 'ops2'}, 'of a group that is in use');
    refused($world, q{UPDATE users SET id = 'bob' WHERE id = 'ann'}, 'of a user with tokens');
    changed($world, q{INSERT INTO organizations (id, suspended, created_at) VALUES ('free', 1, 1); UPDATE organizations SET id = 'free2' WHERE id = 'free'}, 't2=ok', 'of an organization');
};

subtest 'what is left over under a name does not come to life' => sub {
    sqlite_only();
    my $world = new_world();
    $world->sql("$careless INSERT INTO users (id, technical, created_at) VALUES ('tu-g', 1, 1);
        INSERT INTO tokens (id, digest, kind, user_id, organization, name, created_at) VALUES ('g', '$ghost', 'organization', 'tu-g', 'ghosts', 'n', 1)");
    $world->ctl_ok('org', 'add', 'ghosts');
    changed($world, '', 't1=ok', 'a token of an organization that comes later');
    is $world->decision('ghost'), 'token_unknown', 'is gone';
};

subtest 'TRUNCATE and COPY' => sub {
    plan skip_all => 'of PostgreSQL' if !on_postgresql();
    my %left = (organizations => 't1=token_unknown', users => 't3=token_unknown', org_groups => 't2=token_unknown', tokens => 't1=token_unknown');
    changed(new_world(), "TRUNCATE $_ CASCADE", $left{$_}, "of $_") for sort keys %left;
    changed(new_world(), 'TRUNCATE memberships', 't1=ok t3=not_a_member', 'of memberships');
    changed(new_world(), "COPY tokens (id, digest, kind, user_id, organization, name, created_at) FROM STDIN;\nt9\t$new\torganization\ttu-t1\tacme\tn\t1\n\\.\n", 't1=ok new=ok', 'COPY');
};

# Values of columns that no table takes, and some that all take.
my $long = 'x' x 300;
my %id_of = (roles => 'reader', organizations => 'acme', users => 'ann', tokens => 't1');
my %wrong = (
    roles         => { id => [ '', '.', '..', 'a b', 'é', 'a/b', 'x' x 65 ], scopes => [ 'a "b', 'a\\b', "a\tb", 'é', 'x' x 129, 'x ' x 5000 ] },
    organizations => { id => [ '.', 'a b' ], suspended => [ 2, -1 ], created_at => [ -1, 253402300800 ] },
    users         => { technical => [2], disabled => [2], display_name => [ 'x' x 256, "a\nb", "\x{202e}a", ' ' ], email => [ 'ann', 'a@b@c', 'a b@c', 'ann@' . 'x' x 254 ] },
    tokens        => {
        id => [ '.', 'a b', 'x' x 65 ], digest => [ 'x', 'A' x 64, 'g' x 64, 'a' x 63, 'a' x 65 ], key_id => [ -1, 4294967296 ], kind => [ '', 'other', 'user', 'group' ],
        prefix => ['a b'], scopes => [ 'a "b', 'x' x 129, "a\nb" ], name => [ '', ' ', 'x' x 256, "\x{e9}" x 128, "a\nb", "a\x{7f}", "a\x{85}", "\x{202e}a", "a\x{200b}", "a\x{2028}b", "\x{feff}a" ],
        description => [ 'x' x 1001, "a\x{1b}[m", "a\x{2066}b", ' ' ], allow => [ 'here', '10.0.0.0/', '10.0.0.0/a', '300.0.0.1', '10.0.0.1,10.0.0.2', '10.0.0.0/1000', ('10.0.0.1 ' x 65) ],
        created_at => [-1], not_before => [ -1, 253402300800 ], expires_at => [ -1, 1700000000000 ], revoked_at => [ -1, 253402300800 ], predecessor => ['a b'], successor => ['..'],
    },
);
my %right = (
    roles  => { scopes => [ '', 'a', 'agents:* ! ~ # [ ] ^', 'x' x 128, join ' ', ('x' x 127) x 64 ] },
    users  => { display_name => [ '', "Zo\x{eb}", 'x' x 255 ], email => [ '', 'ann@example.org', q{a.b+c'd@x} ] },
    tokens => { id => [ 'a', 'x' x 64, '...', '_-.' ], name => [ 'a', "\x{e9}" x 127, "\x{1f5dd}", "\x{fffd}", '"\\%_[]*?' ], description => [ '', 'x' x 1000 ], key_id => [ 0, 4294967295 ],
        allow => [ '', '10.0.0.0/8', '255.255.255.255/32', '::1', '2001:db8::/32', '::ffff:192.0.2.0/120', '::', '1:2:3:4:5:6:7:8/128', '10.0.0.1 ::1', (join ' ', ('10.0.0.1') x 64) ],
        expires_at => [ 0, 253402300799 ] },
);
push @{ $wrong{tokens}{allow} }, '10.0.0', '10.0.0.0/33', '::/129', ':' if on_postgresql();
# More that only SQLite would take: it knows no types.
if (!on_postgresql()) {
    push @{ $wrong{tokens}{$_} }, \q{'soon'}, \q{1.5}, \q{x'31'}, \q{NULL} for qw(key_id not_before expires_at revoked_at created_at);
    push @{ $wrong{tokens}{$_} }, \q{x'6162'}, \q{'a' || char(0) || 'b'}, \q{NULL} for qw(id name scopes allow description prefix);
    push @{ $wrong{tokens}{name} }, \q{CAST(x'61ff62' AS TEXT)}, \q{CAST(x'c328' AS TEXT)}, \q{CAST(x'eda080' AS TEXT)};
    push @{ $wrong{$_}{id} }, \q{NULL}, \q{x'6162'}, \q{'a' || char(0)} for qw(roles organizations users);
}

sub literal { my ($value) = @_; return $$value if ref $value; utf8::encode($value); $value =~ s/'/''/g; return "'$value'" }

subtest 'what no record can hold' => sub {
    my $world = new_world();
    $world->sql(q{INSERT INTO users (id, technical, created_at) VALUES ('idle', 0, 1); INSERT INTO organizations (id, suspended, created_at) VALUES ('idle', 0, 1); INSERT INTO roles (id, scopes) VALUES ('idle', 'a')});
    my %idle = (%id_of, roles => 'idle', organizations => 'idle', users => 'idle');
    for my $table (sort keys %wrong) {
        for my $column (sort keys %{ $wrong{$table} }) {
            refused($world, "UPDATE $table SET $column = " . literal($_) . " WHERE id = '$idle{$table}'", "$table.$column = " . substr ref $_ ? $$_ : "'$_'", 0, 50)
                for @{ $wrong{$table}{$column} };
        }
    }
    refused($world, q{UPDATE tokens SET role = 'reader' WHERE id = 't3'}, 'a role of a user token');
    refused($world, q{UPDATE users SET email = 'a@example.org' WHERE id = 'tu-t1'}, "a technical user's address");
    refused($world, q{INSERT INTO memberships VALUES ('ann', 'other', 'a b', 1)}, 'a role that is no identifier');
    changed($world, '', 't1=ok t2=ok t3=ok', 'nothing has changed');
};

subtest 'what one can hold' => sub {
    my $world = new_world();
    for my $table (sort keys %right) {
        for my $column (sort grep { $_ ne 'id' } keys %{ $right{$table} }) {
            for my $value (@{ $right{$table}{$column} }) {
                ok eval { $world->sql("UPDATE $table SET $column = " . literal($value) . " WHERE id = '$id_of{$table}'"); 1 }, "$table.$column = " . substr $value, 0, 50;
            }
        }
    }
    $world->sql("UPDATE tokens SET id = '$_' WHERE digest = '" . sha256_hex('t1-token') . q{'}) for @{ $right{tokens}{id} };
    is $world->sync('run')->{status}, 0, 'and is synced';
    is $world->sync('check')->{status}, 0, 'as it is';
};

# A check would not let such rows in; without it, or before it was there, they are.
subtest 'revoking needs nothing but the id' => sub {
    sqlite_only();
    my $world = new_world();
    $world->sql(unchecked($_)) for
        q{UPDATE tokens SET name = '} . 'x' x 300 . q{', scopes = 'a "b', allow = 'here', key_id = -1, kind = 'odd', not_before = 'soon', expires_at = x'00', description = char(8238), created_at = 'x' WHERE id = 't1'},
        q{UPDATE tokens SET id = 'a b', digest = 'odd' WHERE id = 't2'}, q{UPDATE tokens SET id = '..' WHERE id = 'u1'},
        q{DELETE FROM tokens WHERE id = 't3'; DELETE FROM memberships; UPDATE users SET id = 'b c', technical = 7, created_at = 'x', display_name = char(10) WHERE id = 'ann'}, q{UPDATE organizations SET created_at = 'x' WHERE id = 'acme'},
        q{INSERT INTO organizations (id, suspended, created_at) VALUES ('a/b', 0, 'x')};
    for my $id ('t1', 'a b', '..') {
        is $world->ctl('revoke', $id)->{status}, 0, "token '$id'" or diag $world->ctl('revoke', $id)->{err};
        is_deeply $world->sql("SELECT count(*) FROM tokens WHERE id = '$id' AND revoked_at > 1"), [1], 'is revoked';
    }
    like $world->ctl('revoke', 'a c')->{err}, qr/"a c" is no token id/, 'an id that is none and not there';
    is $world->ctl('user', 'disable', 'b c')->{status}, 0, 'a user';
    is_deeply $world->sql(q{SELECT disabled FROM users WHERE id = 'b c'}), [1], 'is disabled';
    is $world->ctl('org', 'suspend', 'a/b')->{status}, 0, 'an organization';
    is_deeply $world->sql(q{SELECT suspended FROM organizations WHERE id = 'a/b'}), [1], 'is suspended';
    like $world->ctl('user', 'disable', 'b d')->{err}, qr/user "b d" must be 1 to 64/, 'a user that is not there';
    like $world->ctl('org', 'suspend', 'b d')->{err}, qr/organization "b d" must be 1 to 64/, 'an organization that is not there';
    is $world->ctl('delete', $_)->{status}, 0, "token '$_' can be deleted" or diag $world->ctl('delete', $_)->{err} for 'a b', 't1';
    is $world->ctl('org', 'remove', 'acme', '--force')->{status}, 0, 'the organization can be removed';
    is_deeply $world->sql('SELECT id FROM tokens ORDER BY id'), ['..'], 'with its tokens';
};

done_testing;
