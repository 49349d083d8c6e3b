# tokenctl org, group, user, member and role.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Tools qw(done fails_with init_registry json_of new_dir succeeds tokenctl);

my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my $long = 'x' x 65;

# A command's answer with --json.
sub answer { return json_of(done(tokenctl(@_, '--json'))) }

# The content of the registry, to see that a failed command changed nothing.
sub everything { return tokenctl('export')->{out} }

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = everything();
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), $status, $pattern), "@command: refused");
    is(everything(), $before, 'nothing changed');
    return;
}

subtest 'org' => sub {
    my $dir = new_dir();
    init_registry($dir);
    is(done(tokenctl(qw(org list)))->{out}, "ORGANIZATION  STATUS  CREATED  NAME  POLICY\n",
        'is a header alone');
    is_deeply(answer(qw(org list)), [], 'or an empty array');

    my $added = done(tokenctl(qw(org add zeta Alpha a.b_c-1)));
    is($added->{out}, '', 'nothing on standard output');
    is($added->{err}, "added organization zeta\nadded organization Alpha\nadded organization a.b_c-1\n",
        'a line each on standard error');
    my $list = answer(qw(org list));
    is_deeply([ map { $_->{id} } @$list ], [qw(Alpha a.b_c-1 zeta)], 'in byte order');
    like($list->[0]{created}, $time, 'created');
    is_deeply([ sort keys %{ $list->[0] } ], [qw(created display_name id policy suspended system)], 'these keys');

    my $new = answer(qw(org add list));
    is($new->[0]{outcome}, 'added', 'a word that is a command may be a name');
    is(ref $new->[0]{suspended}, 'JSON::PP::Boolean', 'suspended is a boolean');

    my $suspended = answer(qw(org suspend zeta Alpha));
    is_deeply([ map { [ @$_{qw(id outcome)}, $_->{suspended} ? 1 : 0 ] } @$suspended ],
        [ [ 'zeta', 'updated', 1 ], [ 'Alpha', 'updated', 1 ] ], 'suspended');
    is(answer(qw(org suspend zeta))->[0]{outcome}, 'unchanged', 'again: unchanged');
    like(done(tokenctl(qw(org list)))->{out}, qr/^zeta +suspended /m, 'the table says so');
    is(done(tokenctl(qw(org resume zeta)))->{err},
        "organization zeta is now not suspended\n", 'resumed');
    is(done(tokenctl(qw(org resume zeta)))->{err},
        "organization zeta is not suspended already\n", 'again: said so');

    refused(1, qr/organization "Alpha" exists already/, qw(org add new Alpha));
    refused(1, qr/organization "new" exists already/,   qw(org add new new));
    refused(2, qr/organization \(65 bytes, not shown\) must be 1 to 64/, qw(org add new), $long);
    refused(2, qr/organization "a b" must be 1 to 64/, qw(org add new), 'a b');
    refused(2, qr/organization "" must be 1 to 64/,    qw(org add), '');
    for my $verb (qw(suspend resume remove)) {
        refused(1, qr/organization "nix" does not exist; `tokenctl org list`/, 'org', $verb, qw(Alpha nix));
        refused(2, qr/organization "a\/b" must be/, 'org', $verb, 'a/b');
    }

    ok(succeeds(tokenctl(qw(group add zeta/g))), 'a group');
    ok(succeeds(tokenctl(qw(user add ann))), 'a user');
    ok(succeeds(tokenctl(qw(role set r s))), 'a role');
    ok(succeeds(tokenctl(qw(member add ann zeta --role r))), 'a member');
    ok(succeeds(tokenctl(qw(create --org zeta --name n))), 'a token');
    ok(succeeds(tokenctl(qw(create --group zeta/g --name n))), 'a token of the group');
    refused(1, qr/organization "zeta" has 2 tokens.*--force/, qw(org remove list zeta));
    is(answer(qw(org remove zeta --force))->[0]{outcome}, 'removed', 'org remove --force');
    is_deeply(answer('list'),            [], 'its tokens are gone');
    is_deeply(answer(qw(group list)),    [], 'its groups');
    is_deeply(answer(qw(member list)),   [], 'its memberships');
    is_deeply(answer(qw(user list --technical)), [], 'and its technical users');
    is_deeply([ map { $_->{id} } @{ answer(qw(user list)) } ], ['ann'], 'people stay');
    ok(succeeds(tokenctl(qw(org remove Alpha))), 'one without tokens needs no --force');
};

subtest 'group' => sub {
    my $dir = new_dir();
    init_registry($dir);
    ok(succeeds(tokenctl(qw(org add a b))), 'organizations');
    is(done(tokenctl(qw(group add a/x b/x a/w)))->{err},
        "added group a/x\nadded group b/x\nadded group a/w\n", 'a line each');
    is_deeply([ map { "$_->{organization}/$_->{id}" } @{ answer(qw(group list)) } ],
        [qw(a/w a/x b/x)], 'in order');
    is_deeply([ map { $_->{id} } @{ answer(qw(group list a)) } ], [qw(w x)], 'of one organization');
    like(done(tokenctl(qw(group list b)))->{out}, qr{\AGROUP +CREATED\nb/x +\d.*\n\z},
        'a table');
    refused(1, qr/group "a\/x" exists already/,               qw(group add a/new a/x));
    refused(1, qr/organization "c" does not exist/,           qw(group add a/new c/x));
    refused(2, qr/group "a" must be written ORG\/GROUP/,      qw(group add a/new a));
    refused(2, qr/group "a\/b\/c" must be written ORG\/GROUP/, qw(group add a/b/c));
    refused(2, qr/group "a\/" must be written ORG\/GROUP/,    qw(group remove a/));
    refused(1, qr/group "a\/nix" does not exist; `tokenctl group list`/, qw(group remove a/x a/nix));
    ok(fails_with(tokenctl(qw(group list nix)), 1, qr/organization "nix" does not exist/), 'group list nix');
    ok(fails_with(tokenctl('group', 'list', 'n x'), 2, qr/organization "n x" must be/), 'group list "n x"');
    ok(succeeds(tokenctl(qw(create --group a/x --name n))), 'a token');
    ok(succeeds(tokenctl(qw(create --group b/x --name n))), 'a token of another');
    refused(1, qr/group "a\/x" has 1 token,.*--force/, qw(group remove a/x));
    ok(succeeds(tokenctl(qw(group remove a/x --force a/w))), 'group remove --force');
    is_deeply([ map { $_->{organization} } @{ answer('list') } ], ['b'], 'with its tokens');
    is_deeply([ map { "$_->{organization}/$_->{id}" } @{ answer(qw(group list)) } ], ['b/x'], 'gone');
};

subtest 'user' => sub {
    my $dir = new_dir();
    init_registry($dir);
    is(done(tokenctl(qw(user add ann bob)))->{err}, "added user ann\nadded user bob\n",
        'a line each');
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    my $id = answer(qw(create --org acme --name n))->{id};
    is_deeply([ map { $_->{id} } @{ answer(qw(user list)) } ], [qw(ann bob)], 'people');
    my $technical = answer(qw(user list --technical));
    is_deeply([ map { $_->{id} } @$technical ], ["tu-$id"], 'technical users');
    ok($technical->[0]{technical}, 'technical');
    is(scalar @{ answer(qw(user list --all)) }, 3, 'all');
    like(done(tokenctl(qw(user list --all)))->{out}, qr/^tu-$id +active +technical +\d/m,
        'says which');

    is(done(tokenctl(qw(user set ann --name), 'Ann Zoë', qw(--email ann@example.org)))->{err},
        "user ann is changed\n", 'says so');
    is(answer(qw(user set ann --email ann@example.org))->{outcome}, 'unchanged', 'again');
    is_deeply([ @{ answer(qw(user list))->[0] }{qw(id display_name email)} ], [ 'ann', "Ann Zo\x{eb}", 'ann@example.org' ],
        'name and address');
    like(done(tokenctl(qw(user list)))->{out}, qr/^ann .* ann\@example\.org +Ann Zo/m, 'in the table as well');
    like(tokenctl('export')->{out}, qr/"id":"ann",.*"display_name":"Ann Zo[^"]*","email":"ann\@example.org"/, 'in the export');
    is_deeply(json_of(tokenctl(qw(audit --json)))->[-1]{detail},
        { display_name => { from => undef, to => "Ann Zo\x{eb}" }, email => { from => undef, to => 'ann@example.org' } },
        'and in the audit trail');
    is(answer(qw(user set ann --email), '')->{email}, '', 'an empty text takes it away');
    is(answer(qw(user add cy --name Cy --email cy@localhost))->[0]{display_name}, 'Cy', 'user add takes them too');
    done(tokenctl(qw(user remove cy)));
    refused(2, qr/name one user/, qw(user add x y --name Both));
    refused(2, qr/name what to set/, qw(user set ann));
    refused(1, qr/user "nix" does not exist/, qw(user set nix --name n));
    refused(1, qr/display_name is for people/, 'user', 'set', "tu-$id", qw(--name n));
    refused(1, qr/email must be an address such as/, qw(user set ann --email), $_)
        for 'ann', '@example.org', 'ann@', 'a b@example.org', 'ann@exa_mple.org', 'ann@-example.org', 'ann@example..org',
        'ann@b@example.org', '..@b', '.a@b', 'a.@b', 'a..b@c', 'x' x 65 . '@example.org', 'a@' . join '.', ('x' x 60) x 5;
    refused(1, qr/display_name must be at most 255 bytes of UTF-8 without control or invisible/, qw(user set ann --name), $_)
        for 'x' x 256, "a\nb", "a\xc2\x85b", "a\xe2\x80\x8bb", "a\xe2\x80\xaeb", "a\xe2\x80\xa8b", "a\xe2\x81\xa6b",
        "a\xef\xbb\xbfb", "a\xd8\x9cb", "\xff", "\xed\xa0\x80", "a\xc2\xadb", "\xe1\x85\x9f", "\xe3\x85\xa4", "\xef\xb8\x8f",
        "a\xf3\xa0\x81\x81", ' ', "\xc2\xa0", " \xe3\x80\x80\xe2\x80\x83";
    is(answer(qw(user set ann --name), 'a.b@c')->{display_name}, 'a.b@c', 'single dots and a space are well');

    is(answer(qw(user disable ann))->[0]{outcome}, 'updated',   'disable');
    is(answer(qw(user disable ann))->[0]{outcome}, 'unchanged', 'again');
    is(done(tokenctl('user', 'disable', "tu-$id"))->{err},
        "user tu-$id is now disabled\n", 'may be disabled');
    is(answer('show', $id)->{status}, 'disabled', 'and so is its token');
    is(done(tokenctl('user', 'enable', "tu-$id", 'ann'))->{err},
        "user tu-$id is now enabled\nuser ann is now enabled\n", 'both are enabled');
    is(answer('show', $id)->{status}, 'active', 'the token is active');

    refused(1, qr/user "ann" exists already/,     qw(user add new ann));
    refused(1, qr/user "tu-$id" exists already/,  'user', 'add', "tu-$id");
    refused(2, qr/user "a\+b" must be 1 to 64/,   qw(user add a+b));
    for my $verb (qw(disable enable remove)) {
        refused(1, qr/user "nix" does not exist; `tokenctl user list`/, 'user', $verb, qw(ann nix));
        refused(2, qr/user "a b" must be/, 'user', $verb, 'a b');
    }
    ok(succeeds(tokenctl(qw(create --user ann --name n))), 'a personal token');
    refused(1, qr/user "ann" has 1 token,.*--force/, qw(user remove bob ann));
    ok(succeeds(tokenctl(qw(user remove ann bob --force))), 'user remove --force');
    is_deeply([ map { $_->{id} } @{ answer('list') } ], [$id], 'with the tokens');
    refused(1, qr/user "tu-$id" has 1 token,.*--force/, 'user', 'remove', "tu-$id");
    ok(succeeds(tokenctl('user', 'remove', "tu-$id", '--force')), 'a technical user');
    is_deeply(answer('list'), [], 'takes its token along');
    is_deeply(answer(qw(user list --all)), [], 'nobody is left');
};

subtest 'member' => sub {
    my $dir = new_dir();
    init_registry($dir);
    ok(succeeds(tokenctl(qw(org add acme beta))), 'organizations');
    ok(succeeds(tokenctl(qw(user add ann bob))), 'users');
    ok(succeeds(tokenctl(qw(role set reader a:read))), 'a role');
    ok(succeeds(tokenctl(qw(role set admin a:*))), 'another');
    my $added = answer(qw(member add ann acme --role reader));
    is_deeply([ @$added{qw(outcome user organization role)} ], [qw(added ann acme reader)], 'member add');
    is(done(tokenctl(qw(member add ann acme --role admin)))->{err},
        "changed the role of ann in organization acme from reader to admin\n", 'says so');
    is(done(tokenctl(qw(member add ann acme --role admin)))->{err},
        "ann in organization acme has role admin already\n", 'says so');
    ok(succeeds(tokenctl(qw(member add bob acme --role reader))), 'bob');
    ok(succeeds(tokenctl(qw(member add ann beta --role reader))), 'ann elsewhere');
    my $name = sub { [ map { "$_->{user} $_->{organization} $_->{role}" } @{ $_[0] } ] };
    is_deeply($name->(answer(qw(member list))), [ 'ann acme admin', 'ann beta reader', 'bob acme reader' ],
        'in order');
    is_deeply($name->(answer(qw(member list --user ann))), [ 'ann acme admin', 'ann beta reader' ],
        'of a user');
    is_deeply($name->(answer(qw(member list --org acme))), [ 'ann acme admin', 'bob acme reader' ],
        'of an organization');
    like(done(tokenctl(qw(member list --user bob)))->{out},
        qr/\AUSER +ORGANIZATION +GROUP +ROLE +CREATED\nbob +acme +- +reader +\d.*\n\z/, 'for people');

    my $id = answer(qw(create --org acme --name n))->{id};
    refused(1, qr/user "nix" does not exist/,         qw(member add nix acme --role reader));
    refused(1, qr/organization "nix" does not exist/, qw(member add ann nix --role reader));
    refused(1, qr/role "nix" does not exist/,         qw(member add ann acme --role nix));
    refused(1, qr/technical user/, 'member', 'add', "tu-$id", qw(acme --role reader));
    refused(2, qr/--role is required/,                qw(member add ann acme));
    refused(2, qr/ORG is required/,                   qw(member add ann --role reader));
    refused(2, qr/user "a b" must be/, qw(member add), 'a b', qw(acme --role reader));
    refused(2, qr/role "a b" must be/, qw(member add ann acme --role), 'a b');
    refused(1, qr/user "bob" is no member|user bob is no member of organization beta/,
        qw(member remove bob beta));
    refused(1, qr/user "nix" does not exist/,         qw(member remove nix beta));
    refused(1, qr/organization "nix" does not exist/, qw(member remove ann nix));
    ok(fails_with(tokenctl(qw(member list --user nix)), 1, qr/user "nix" does not exist/), 'list --user nix');
    ok(fails_with(tokenctl(qw(member list --org nix)), 1, qr/organization "nix" does not exist/), 'list --org nix');
    is(answer(qw(member remove ann acme))->{outcome}, 'removed', 'member remove');
    is_deeply($name->(answer(qw(member list --user ann))), ['ann beta reader'], 'gone');
    ok(succeeds(tokenctl(qw(user remove ann))), 'user remove');
    is_deeply($name->(answer(qw(member list))), ['bob acme reader'], 'takes memberships along');
};

subtest 'role' => sub {
    my $dir = new_dir();
    init_registry($dir);
    my $set = answer(qw(role set reader b:read a:read), 'c d', 'a:read');
    is($set->{outcome}, 'added', 'role set');
    is_deeply($set->{scopes}, [qw(a:read b:read c d)], 'sorted, each once');
    is(done(tokenctl(qw(role set reader a:*)))->{err}, "changed role reader to: a:*\n",
        'says so');
    is(answer(qw(role set reader a:*))->{outcome}, 'unchanged', 'the same again');
    ok(succeeds(tokenctl(qw(role set Admin *))), 'another');
    is_deeply(answer(qw(role list)),
        [ { id => 'Admin', scopes => ['*'], description => '' }, { id => 'reader', scopes => ['a:*'], description => '' } ], 'role list');
    is(done(tokenctl(qw(role list)))->{out},
        "ROLE    SCOPES  DESCRIPTION\nAdmin   *       -\nreader  a:*     -\n", 'for people');
    refused(2, qr/SCOPE is required/,           qw(role set reader));
    refused(2, qr/scopes must hold at least one/, qw(role set reader), '');
    refused(2, qr/scopes must be 1 to 128/,     qw(role set reader), 'a"b');
    refused(2, qr/scopes must be 1 to 128/,     qw(role set reader), 's' x 129);
    refused(2, qr/role "a b" must be/,          qw(role set), 'a b', 's');
    refused(2, qr/scopes must be at most/,      qw(role set reader), map { sprintf '%0128d', $_ } 1 .. 64);
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    ok(succeeds(tokenctl(qw(user add ann))), 'a user');
    ok(succeeds(tokenctl(qw(member add ann acme --role reader))), 'a member');
    ok(succeeds(tokenctl(qw(create --org acme --name n --role reader))), 'a token');
    refused(1, qr/role "reader" is in use by 1 membership and 1 token/, qw(role remove Admin reader));
    refused(1, qr/role "nix" does not exist/, qw(role remove nix));
    refused(2, qr/role "a b" must be/,        qw(role remove), 'a b');
    is(done(tokenctl(qw(role remove Admin)))->{err}, "removed role Admin\n", 'gone');
};

done_testing();
