# What managing needs of the registry: the system organization, policies, memberships in groups, names of
# single sign-on, the catalogue of scopes, who made a token, where a change was; and the tables for logging in.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Registry qw(on_postgresql rows_of);
use TokenAuth::Tools qw(done fails_with init_registry json_of new_dir spew succeeds tokenctl);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $url;

sub answer { return json_of(done(tokenctl(@_, '--json'))) }
sub ok_all { my @commands = @_; done(tokenctl(@$_)) for @commands; return }
sub export { return done(tokenctl('export'))->{out} }
sub sql    { my ($statements) = @_; return rows_of($url, $statements) }

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = export();
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), $status, $pattern), "@command: refused");
    is(export(), $before, 'nothing changed');
    return;
}

sub sql_refused {
    my ($statements, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    # the message goes to the test's own standard error
    open my $kept, '>&', \*STDERR or die $!;
    open STDERR, '>', '/dev/null' or die $!;
    my $passed = eval { sql($statements); 1 };
    open STDERR, '>&', $kept or die $!;
    return ok(!$passed, "the tables refuse $what");
}

# Acme with its group ops, beta; ann and bob; the roles reader and admin.
sub populated {
    $url = init_registry(new_dir());
    ok_all([qw(org add acme beta)], [qw(group add acme/ops beta/ops)], [qw(user add ann bob)],
        [qw(role set reader a:read)], [qw(role set admin auth:* *)]);
    return;
}

subtest 'the system organization' => sub {
    populated();
    my $made = answer(qw(org add --system root));
    is_deeply([ map { $_->{system} } @$made ], [$true], 'org add --system');
    like(done(tokenctl(qw(org list)))->{out}, qr/^root +active, system +\d/m, 'org list says which it is');
    is_deeply([ map { $_->{system} ? $_->{id} : () } @{ answer(qw(org list)) } ], ['root'], 'in JSON as well');
    refused(1, qr/organization "root" is the system organization already/, qw(org add --system other));
    refused(1, qr/organization "acme" exists already/, qw(org add --system acme));
    refused(2, qr/there is only one system organization/, qw(org add --system x y));
    sql_refused(q{UPDATE organizations SET system = 1 WHERE id = 'acme'}, 'a second one');
    sql_refused(q{INSERT OR REPLACE INTO organizations (id, created_at, system) VALUES ('x', 1, 1)}, 'one that would replace it') if !on_postgresql();
    is_deeply(sql('SELECT id FROM organizations WHERE system = 1'), ['root'], 'it is there');
    is(json_of(tokenctl(qw(audit --json)))->[-1]{detail}{system}, $true, 'the trail says so');
    ok_all([qw(org remove root)], [qw(org add --system other)]);
};

subtest 'org set' => sub {
    populated();
    is(done(tokenctl(qw(org set acme --max-life 90d --default-life 36h --require-allow --max-tokens 12 --display-name), 'Acme Inc.'))->{err},
        "organization acme is changed\n", 'says so');
    my %policy = (max_life => '90d', default_life => '36h', require_allow => $true, max_tokens => 12);
    my ($acme) = grep { $_->{id} eq 'acme' } @{ answer(qw(org list)) };
    is_deeply([ @$acme{qw(display_name policy)} ], [ 'Acme Inc.', \%policy ], 'all of it');
    like(done(tokenctl(qw(org list)))->{out}, qr/^acme .* Acme Inc\. +longest life 90d, default life 36h, addresses needed, at most 12 tokens$/m, 'for people');
    is(answer(qw(org set acme --max-tokens 12))->{outcome}, 'unchanged', 'the same again');
    is_deeply(
        json_of(tokenctl(qw(audit --json)))->[-1]{detail},
        {   display_name => { from => undef, to => 'Acme Inc.' },
            map { +"policy.$_" => { from => undef, to => $policy{$_} } } keys %policy
        },
        'the trail names each rule'
    );
    is_deeply(answer(qw(org set acme --max-life 30d))->{policy}, { %policy, max_life => '30d' }, 'one alone leaves the others');
    refused(1, qr/policy\.default_life must not be longer than policy\.max_life/, qw(org set acme --default-life 31d));
    refused(1, qr/policy\.default_life must not be longer than policy\.max_life/, qw(org set acme --max-life 1h));
    refused(1, qr/display_name must be at most 255 bytes/, qw(org set acme --display-name), "a\nb");
    refused(2, qr/--max-life "long" is not understood/, qw(org set acme --max-life long));
    refused(2, qr/--max-life must be a second at least/, qw(org set acme --max-life 0s));
    refused(2, qr/--max-tokens "$_" is not understood/, qw(org set acme --max-tokens), $_) for '0', '-1', 'x', '1x', '1000000001', '01';
    refused(2, qr/name what to set/, qw(org set acme));
    refused(2, qr/excludes/, qw(org set acme --require-allow --no-require-allow));
    refused(1, qr/organization "nix" does not exist/, qw(org set nix --max-tokens 1));
    is_deeply(answer(qw(org set acme --max-life none --default-life none --no-require-allow --max-tokens none --display-name), '')->{policy},
        {}, 'each can be taken off');
    is_deeply([ grep { /acme/ && /policy|display/ } split /\n/, export() ], [], 'and then stands nowhere');
    sql_refused("UPDATE organizations SET $_ WHERE id = 'acme'", $_)
        for 'max_life = 5, default_life = 6', 'max_life = -1', 'max_tokens = 1000000001', 'require_allow = 2', 'system = 2', 'default_life = 253402300800',
        "display_name = ' '";
};

subtest 'user, role and scope' => sub {
    populated();
    is(answer(qw(user set ann --sso ann@IDP))->{sso_name}, 'ann@IDP', 'user set --sso');
    refused(1, qr/sso_name is that of user "ann" already; take it off there first/, qw(user set bob --sso ann@IDP));
    refused(1, qr/sso_name must not begin or end with a space/, qw(user set bob --sso), ' bob');
    is(answer(qw(user set bob --sso bob@IDP))->{sso_name}, 'bob@IDP', 'another one is well');
    sql_refused(q{UPDATE users SET sso_name = 'ann@IDP' WHERE id = 'bob'}, 'the same name twice');
    if (!on_postgresql()) {
        sql_refused(q{UPDATE OR REPLACE users SET sso_name = 'ann@IDP' WHERE id = 'bob'}, 'one that would replace the other person');
        sql_refused(q{INSERT OR REPLACE INTO users (id, created_at, sso_name) VALUES ('eve', 1, 'ann@IDP')}, 'somebody new who would');
    }
    is_deeply(sql('SELECT id FROM users ORDER BY id'), [qw(ann bob)], 'both are there');
    is(answer(qw(user set ann --sso), '')->{sso_name}, '', 'taken off');
    is(answer(qw(user set bob --sso ann@IDP))->{sso_name}, 'ann@IDP', 'and given to another');
    my $tu = 'tu-' . answer(qw(create --org acme --name n))->{id};
    refused(1, qr/sso_name is for people/, 'user', 'set', $tu, qw(--sso x));
    sql_refused("UPDATE users SET sso_name = 'x' WHERE id = '$tu'", 'one of a technical user');

    is(answer(qw(role set reader a:read --description), 'Reads')->{description}, 'Reads', 'role set --description');
    is(answer(qw(role set reader a:read b:read))->{description}, 'Reads', 'left out, it stays');
    is(answer(qw(role set reader a:read --description), '')->{description}, '', 'an empty one takes it off');
    refused(2, qr/description must be at most 1000 bytes/, qw(role set reader a --description), 'x' x 1001);

    is(done(tokenctl(qw(scope set agents:read), 'Read agents'))->{err}, "added scope agents:read to the catalogue\n", 'scope set');
    is(answer(qw(scope set agents:read), 'Read all agents')->{outcome}, 'updated', 'again');
    is(answer(qw(scope set agents:read), 'Read all agents')->{outcome}, 'unchanged', 'and again');
    ok_all([qw(scope set Agents:write)]);
    is(done(tokenctl(qw(scope list)))->{out}, "SCOPE         DESCRIPTION\nAgents:write  -\nagents:read   Read all agents\n", 'scope list');
    is_deeply(answer(qw(scope list)), [ { scope => 'Agents:write', description => '' }, { scope => 'agents:read', description => 'Read all agents' } ], 'in JSON');
    refused(2, qr/scope must be 1 to 128/, qw(scope set), $_) for '', 'a b', 'a"b', 'x' x 129;
    refused(2, qr/description must be at most 1000 bytes/, qw(scope set a), "a\nb");
    refused(1, qr/scope "nix" is not in the catalogue/, qw(scope remove agents:read nix));
    sql_refused("INSERT INTO scopes (scope) VALUES ('$_')", "the scope '$_'") for '', 'a b', 'a"';
    is(answer(qw(scope remove agents:read))->[0]{outcome}, 'removed', 'scope remove');
    is_deeply([ map { "$_->{action} $_->{key}" } grep { $_->{entity} eq 'scope' } @{ json_of(tokenctl(qw(audit --json))) } ],
        [ 'set agents:read', 'set agents:read', 'set Agents:write', 'remove agents:read' ], 'in the trail');
};

subtest 'members of groups' => sub {
    populated();
    is(done(tokenctl(qw(member add ann acme/ops --role reader)))->{err}, "added ann in group acme/ops with role reader\n", 'member add USER ORG/GROUP');
    is(done(tokenctl(qw(member add ann acme/ops --role admin)))->{err}, "changed the role of ann in group acme/ops from reader to admin\n", 'changed');
    is(answer(qw(member add ann acme/ops --role admin))->{outcome}, 'unchanged', 'the same again');
    my $name = sub { [ map { "$_->{user} $_->{organization}/" . ($_->{group} // '') . " $_->{role}" } @{ answer(qw(member list), @_) } ] };
    is_deeply($name->(), ['ann acme/ops admin'], 'without a membership in the organization');
    ok_all([qw(member add ann acme --role reader)], [qw(member add bob acme/ops --role reader)], [qw(member add ann beta/ops --role reader)]);
    is_deeply($name->(), [ 'ann acme/ reader', 'ann acme/ops admin', 'ann beta/ops reader', 'bob acme/ops reader' ], 'member list');
    is_deeply($name->(qw(--org acme)), [ 'ann acme/ reader', 'ann acme/ops admin', 'bob acme/ops reader' ], '--org');
    is_deeply($name->(qw(--group acme/ops)), [ 'ann acme/ops admin', 'bob acme/ops reader' ], '--group');
    is_deeply($name->(qw(--user bob)), ['bob acme/ops reader'], '--user');
    refused(1, qr/group "acme\/nix" does not exist/, qw(member add ann acme/nix --role reader));
    refused(2, qr/must be written ORG\/GROUP/, qw(member add ann acme/ --role reader));
    refused(1, qr/user bob is no member of organization acme;/, qw(member remove bob acme));
    refused(1, qr/user bob is no member of group beta\/ops;/, qw(member remove bob beta/ops));
    refused(1, qr/role "admin" is in use by 1 membership and 0 tokens/, qw(role remove admin));

    is(done(tokenctl(qw(member remove ann acme)))->{err}, "removed ann from organization acme and its groups\n", 'who leaves an organization');
    is_deeply($name->(), [ 'ann beta/ops reader', 'bob acme/ops reader' ], 'leaves its groups');
    is_deeply([ map { "$_->{action} $_->{key} $_->{organization}/$_->{group}" } @{ json_of(tokenctl(qw(audit --json --limit 2))) } ],
        [ 'remove ann acme/ops acme/ops', 'remove ann acme acme/' ], 'each with a row in the trail');
    is(done(tokenctl(qw(member remove bob acme/ops)))->{err}, "removed bob from group acme/ops\n", 'who leaves a group');
    ok_all([qw(member add bob acme/ops --role reader)], [qw(member add bob acme --role reader)], [qw(group remove acme/ops)]);
    is_deeply($name->(), [ 'bob acme/ reader', 'ann beta/ops reader' ], 'a group takes its members along');
    ok_all([qw(user remove bob)], [qw(org remove beta)]);
    is_deeply($name->(), [], 'as do users and organizations');
    is_deeply([ map { $_->{key} } grep { $_->{entity} eq 'membership' && $_->{action} eq 'remove' } @{ json_of(tokenctl(qw(audit --json --limit 0))) } ],
        [ 'ann acme/ops', 'ann acme', 'bob acme/ops', 'bob acme/ops', 'bob acme', 'ann beta/ops' ], 'all of that is in the trail');
};

subtest 'by SQL' => sub {
    populated();
    my $member = sub { sql("DELETE FROM group_memberships; DELETE FROM memberships; INSERT INTO memberships (user_id, organization, role, created_at) VALUES ('ann', 'acme', 'reader', 1), ('ann', 'beta', 'reader', 1);"
            . "INSERT INTO group_memberships (user_id, organization, group_id, role, created_at) VALUES ('ann', 'acme', 'ops', 'reader', 1), ('ann', 'beta', 'ops', 'reader', 1)") };
    my $left = sub { return join ' ', @{ sql('SELECT organization FROM group_memberships ORDER BY 1') } };
    my @careless = on_postgresql() ? ('') : ('', 'PRAGMA foreign_keys = OFF;');
    for my $pragma (@careless) {
        $member->();
        sql("$pragma DELETE FROM memberships WHERE organization = 'acme'");
        is $left->(), 'beta', "who leaves an organization leaves its groups $pragma";
        $member->();
        sql("$pragma DELETE FROM memberships WHERE organization = 'beta'; UPDATE memberships SET organization = 'beta'");
        is $left->(), '', 'also by an update';
        $member->();
        sql("$pragma UPDATE memberships SET role = 'admin'");
        is $left->(), 'acme beta', 'a change of roles is no leaving';
        sql("$pragma DELETE FROM org_groups WHERE organization = 'beta'");
        is $left->(), 'acme', 'a group takes its members along';
        sql("INSERT INTO org_groups VALUES ('beta', 'ops', 1)");
        $member->();
        sql("$pragma DELETE FROM organizations WHERE id = 'acme'");
        is $left->(), 'beta', 'and an organization';
        sql("INSERT INTO organizations (id, created_at) VALUES ('acme', 1); INSERT INTO org_groups VALUES ('acme', 'ops', 1)");
        is $left->(), 'beta', 'a new one of its name has none';
        $member->();
        my $hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2g';
        my $log_in = sub {
            sql("DELETE FROM passwords; DELETE FROM sessions; DELETE FROM login_addresses; INSERT INTO passwords VALUES ('ann', '$hash', 1);"
                . "INSERT INTO sessions VALUES ('" . 'a' x 64 . "', 'ann', 1, 1, '192.0.2.1'); INSERT INTO login_addresses VALUES ('ann', '192.0.2.1', 1)");
        };
        my $secrets = sub { return sql('SELECT (SELECT count(*) FROM passwords), (SELECT count(*) FROM sessions), (SELECT count(*) FROM login_addresses)')->[0] };
        $log_in->();
        sql("$pragma UPDATE users SET display_name = 'Ann' WHERE id = 'ann'");
        is $secrets->(), '1|1|1', 'a password, a session';
        sql("$pragma UPDATE users SET disabled = 1 WHERE id = 'ann'");
        is $secrets->(), '1|0|1', 'disabling ends sessions';
        sql("$pragma UPDATE users SET disabled = 0 WHERE id = 'ann'");
        is $secrets->(), '1|0|1', 'for good';
        $log_in->();
        sql("$pragma DELETE FROM users WHERE id = 'ann'");
        is $secrets->(), '0|0|0', 'a user takes along all that logs in';
        is $left->(), '', 'and memberships in groups';
        sql("INSERT INTO users (id, created_at) VALUES ('ann', 1)");
    }
    my $hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2g';
    sql_refused($_->[0], $_->[1])
        for [ "INSERT INTO passwords VALUES ('ann', 'secret', 1)", 'a password that is no hash' ],
        [ "INSERT INTO passwords VALUES ('ann', '\$argon2i\$v=19\$x', 1)", 'a hash of another kind' ],
        [ (on_postgresql() ? '' : 'PRAGMA foreign_keys = ON; ') . "INSERT INTO passwords VALUES ('nix', '$hash', 1)", 'a password of nobody' ],
        [ "INSERT INTO sessions VALUES ('cookie', 'ann', 1, 1, '')", 'a session that is no digest' ],
        [ "INSERT INTO throttle (key, tries, at) VALUES ('ann', 1, 1)", 'a name in the throttle' ],
        [ "INSERT INTO idempotency_keys VALUES ('user ann', '/x', '', '" . 'a' x 64 . "', 't', 1)", 'an empty key' ],
        [ "INSERT INTO idempotency_keys VALUES ('user ann', '/x', 'k', 'body', 't', 1)", 'a body that is no digest' ];
    sql("INSERT INTO throttle (key, tries, at) VALUES ('" . 'b' x 64 . "', 1, 1); INSERT INTO idempotency_keys VALUES ('user ann', '/x', 'k', '" . 'a' x 64 . "', 't', 1); INSERT INTO passwords VALUES ('ann', '$hash', 1)");
    unlike export(), qr/argon2id|aaaaaaaa|bbbbbbbb/, 'nothing of that is exported';
};

subtest 'who made a token' => sub {
    populated();
    my $made = answer(qw(create --org acme --name n --actor eve));
    is_deeply([ @$made{qw(created_by created_via)} ], [qw(eve tokenctl)], 'create');
    my $two = answer('rotate', $made->{id}, qw(--actor bob));
    is_deeply([ @$two{qw(created_by created_via)} ], [qw(bob tokenctl)], 'rotate');
    like(done(tokenctl('show', $made->{id}))->{out}, qr/^created by +eve\ncreated via +tokenctl$/m, 'show');
    is(answer('show', $made->{id})->{created_by}, 'eve', 'stays');
    sql_refused("UPDATE tokens SET created_via = 'magic'", 'a way that is none');
    my ($row) = grep { $_->{action} eq 'rotate' } @{ json_of(tokenctl(qw(audit --json))) };
    is_deeply([ @$row{qw(actor via token address organization group)} ], [ qw(bob tokenctl), '', '', 'acme', '' ], 'the trail says how and where');
    ok_all([qw(create --group acme/ops --name g)], [qw(create --user ann --name p)], [ 'revoke', $made->{id} ], [ 'delete', $two->{id} ]);
    is_deeply(
        [ map { "$_->{action} $_->{organization}/$_->{group}" } @{ json_of(tokenctl(qw(audit --json --limit 5))) } ],
        [ 'create acme/ops', 'create /', 'revoke acme/', 'unlink acme/', 'delete acme/' ], 'of every change'
    );
    is(scalar(grep { $_->{organization} ne 'acme' } @{ json_of(tokenctl(qw(audit --json --org acme --limit 0))) }), 0, 'audit --org');
    is(scalar @{ json_of(tokenctl(qw(audit --json --org acme --limit 0))) }, 9, 'finds them all');
    ok_all([qw(org remove --force acme)]);
    cmp_ok(scalar @{ json_of(tokenctl(qw(audit --json --org acme --limit 0))) }, '>', 9, 'and outlives what it names');
};

subtest 'JSON Lines' => sub {
    populated();
    ok_all([qw(org add --system root)], [qw(org set acme --max-life 36h --default-life 90s --require-allow --max-tokens 3 --display-name Acme)],
        [qw(user set ann --sso ann@idp)], [qw(role set reader a:read --description Reads)], [qw(scope set a:read), 'Reads a'],
        [qw(member add ann acme --role reader)], [qw(member add ann acme/ops --role admin)], [qw(create --org acme --name n --allow 192.0.2.0/24 --expires 1h)]);
    my $whole = export();
    is_deeply([ map { JSON::PP->new->decode($_)->{type} } split /\n/, $whole ],
        [ qw(role role scope organization organization organization group group user user user membership membership token) ], 'in order');
    like($whole, qr/^\{"type":"organization","id":"acme","created":"[^"]+","display_name":"Acme","policy":\{"max_life":"36h","default_life":"90s","require_allow":true,"max_tokens":3\}\}$/m, 'a policy');
    like($whole, qr/^\{"type":"membership","user":"ann","organization":"acme","group":"ops","role":"admin","created":"[^"]+"\}$/m, 'a membership in a group');
    my $file = spew(new_dir() . '-export.jsonl', $whole);
    my $old  = $url;
    $url = init_registry(my $dir = new_dir());
    ok(succeeds(tokenctl('import', $file)), 'into an empty registry');
    is(export(), $whole, 'all of it comes back');
    is(answer('import', $file)->{updated}, 0, 'again, nothing changes');

    my $import = sub { my ($mode, @lines) = @_; return tokenctl({ stdin => join '', map { "$_\n" } @lines }, 'import', '-', @$mode) };
    ok(succeeds($import->([], '{"type":"organization","id":"acme","policy":{"max_tokens":4}}', '{"type":"user","id":"ann"}', '{"type":"role","id":"reader","scopes":["b"]}', '{"type":"organization","id":"root"}')), 'a part');
    my ($acme) = grep { $_->{id} eq 'acme' } @{ answer(qw(org list)) };
    is_deeply($acme->{policy}, { max_life => '36h', default_life => '90s', require_allow => $true, max_tokens => 4 }, 'changes what it says and leaves the rest');
    like(export(), qr/"sso_name":"ann\@idp"/, 'a name of single sign-on');
    like(export(), qr/"scopes":\["b"\],"description":"Reads"/, 'a description');
    like(export(), qr/"id":"root","created":"[^"]+","system":true/, 'the system organization');
    ok(succeeds($import->(['--replace'], '{"type":"organization","id":"acme"}', '{"type":"organization","id":"root"}')), '--replace');
    unlike(export(), qr/"policy"|"system"/, 'takes what is left out for its default');
    ok(succeeds(tokenctl('import', '--replace', $file)), 'the whole file with --replace');
    is(export(), $whole, 'brings all of it back');

    ok_all([qw(member remove ann acme)]);
    ok(succeeds(tokenctl('import', $file)), 'an older file');
    is_deeply(answer(qw(member list)), [], 'brings no membership back, in a group either');
    for my $case (
        [ '{"type":"organization","id":"acme","policy":{"max_life":"0s"}}', qr/policy\.max_life must be a duration such as/ ],
        [ '{"type":"organization","id":"acme","policy":{"max_life":90}}', qr/policy\.max_life must be a string/ ],
        [ '{"type":"organization","id":"acme","policy":{"max_tokens":0}}', qr/policy\.max_tokens must be a whole number from 1/ ],
        [ '{"type":"organization","id":"acme","policy":{"max_tokens":1.5}}', qr/policy\.max_tokens must be a whole number/ ],
        [ '{"type":"organization","id":"acme","policy":{"most":1}}', qr/field "most" is not known for this field/ ],
        [ '{"type":"organization","id":"acme","policy":[]}', qr/policy must be an object/ ],
        [ '{"type":"organization","id":"acme","policy":{"default_life":"90d"}}', qr/policy\.default_life must not be longer/ ],
        [ '{"type":"organization","id":"beta","system":true}', qr/organization "root" is the system organization already/ ],
        [ '{"type":"user","id":"bob","sso_name":"ann@idp"}', qr/sso_name is that of user "ann" already/ ],
        [ '{"type":"scope","scope":"a b"}', qr/scope must be 1 to 128/ ],
        [ '{"type":"scope"}', qr/scope is missing/ ],
        [ '{"type":"membership","user":"ann","organization":"acme","group":"nix","role":"reader"}', qr/group "acme\/nix" does not exist/ ],
        [ '{"type":"membership","user":"ann","organization":"acme","group":"a b","role":"reader"}', qr/group must be 1 to 64/ ],
        [ '{"type":"token","id":"t","digest":"sha256:' . 'a' x 64 . '","kind":"organization","organization":"acme","name":"n","created_via":"magic"}', qr/created_via must be session/ ],
    ) {
        my $before = export();
        ok(fails_with($import->([], $case->[0]), 1, $case->[1]), $case->[0]);
        is(export(), $before, 'nothing changed');
    }
    ok(fails_with($import->([], ('{"type":"scope","scope":"x"}') x 2), 1, qr/scope "x" is in the file twice/), 'a scope twice');
    ok(fails_with($import->([], ('{"type":"membership","user":"ann","organization":"acme","group":"ops","role":"reader"}') x 2), 1, qr/membership "ann acme\/ops" is in the file twice/), 'a membership twice');
};

done_testing;
