# tokenctl create, list, show, revoke, restore and delete.
use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX qw(strftime);
use Test::More;
use TokenAuth::Registry qw(on_postgresql rows_of unchecked);
use TokenAuth::Tools qw(done fails_with files_hold init_registry json_of new_dir slurp spew
    succeeds token_parts tokenctl);

my $day = 86400;

sub stamp { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub answer { return json_of(done(tokenctl(@_, '--json'))) }

# Makes a token; returns its parts, and the whole as {token}.
sub created {
    my $result = done(tokenctl('create', @_));
    my ($token) = $result->{out} =~ /\A([^\n]+)\n\z/;
    my $parts = token_parts($token // '') or fail("a token: $result->{out}");
    return { %$parts, token => $token, err => $result->{err} };
}

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = tokenctl('export')->{out};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result = tokenctl(@command);
    ok(fails_with($result, $status, $pattern), "@command: refused");
    is(tokenctl('export')->{out}, $before, 'nothing changed');
    return $result;
}

my $url;  # of the registry that populated() made

# Organizations acme and other, group acme/ops, users ann and bob, roles admin and reader.
sub populated {
    my $dir = new_dir();
    $url = init_registry($dir);
    ok(succeeds(tokenctl(@$_)), "@$_")
        for [qw(org add acme other)], [qw(group add acme/ops)], [qw(user add ann bob)],
        [qw(role set admin a:*)], [qw(role set reader a:read)];
    return $dir;
}

subtest 'the token' => sub {
    my $dir = populated();
    my %case = (
        ak  => [ '--org',   'acme',     'organization' ],
        gk  => [ '--group', 'acme/ops', 'group' ],
        pat => [ '--user',  'ann',      'user' ],
    );
    for my $prefix (sort keys %case) {
        my ($option, $owner, $kind) = @{ $case{$prefix} };
        my $made = created($option, $owner, '--name', 'n');
        is($made->{prefix}, $prefix, "prefix of kind $kind");
        like($made->{err}, qr/\Acreated token $made->{id} of $kind .*shown only this once\n(?:it has neither .*\n)?\z/,
            'one line on standard error');
        unlike($made->{err}, qr/$made->{secret}/, 'without the token');
        my $shown = answer('show', $made->{id});
        is($shown->{kind}, $kind, 'its kind');
        is($shown->{user}, $kind eq 'user' ? 'ann' : "tu-$made->{id}", 'whom it acts for');
        is($shown->{algorithm}, 'sha256', 'a plain digest');
        my ($line) = grep { /"id":"$made->{id}"/ } split /\n/, tokenctl('export')->{out};
        like($line, qr/"digest":"sha256:@{[ sha256_hex($made->{token}) ]}"/, 'of the whole token');
        is_deeply([ files_hold($dir, $made->{secret}) ], [], 'the secret is in no file');
    }
    my %seen;
    $seen{ created(qw(--org acme --name n))->{secret} }++ for 1 .. 5;
    is(scalar keys %seen, 5, 'every secret is another');

    my $json = json_of(done(tokenctl(qw(create --json --org acme --name n --prefix my-app))));
    my $parts = token_parts($json->{token});
    is($parts->{prefix}, 'my-app', '--prefix');
    is($parts->{id}, $json->{id}, 'id and token in one object');
    is($json->{status}, 'active', 'with what show tells');
    is(tokenctl(qw(create --json --org acme --name n))->{err}, '', '--json: nothing on standard error');
};

subtest 'what a token without scopes may do' => sub {
    my $none = qr/^it has neither a role nor scopes, so it is let in only where nginx asks for none; give/m;
    like(done(tokenctl(qw(create --name n), @$_))->{err}, $none, "@$_") for [qw(--org acme)], [qw(--group acme/ops)];
    unlike(done(tokenctl(qw(create --name n), @$_))->{err}, $none, "@$_")
        for [qw(--org acme --scope a)], [qw(--org acme --role admin)], [qw(--user ann)];
};

subtest 'a comma in a scope' => sub {
    my $comma = qr/^warning: "a,b" is one scope that holds a comma; to give several, put spaces between them$/m;
    for my $command ([qw(create --org acme --name n --scope)], [qw(role set comma)]) {
        like(done(tokenctl(@$command, 'a,b'))->{err}, $comma, "$command->[0]: a warning");
        unlike(done(tokenctl(@$command, 'a b'))->{err}, qr/holds a comma/, "$command->[0]: none with spaces");
    }
};

subtest 'a star that stands for nothing' => sub {
    for my $scope (qw(agents:r*d *a a* ** agents:* a:*:b)) {
        my $sound = $scope eq 'agents:*';
        my $result = tokenctl(qw(create --org acme --name n --scope), $scope);
        is($result->{status}, $sound ? 0 : 2, "$scope: create");
        like($result->{err}, qr/scopes must not hold a \* that stands for nothing/, 'why') if !$sound;
        is(tokenctl(qw(role set star), $scope)->{status}, $sound ? 0 : 2, "$scope: role set");
    }
    ok(succeeds(tokenctl(qw(role set star *))), 'a star alone');
};

subtest 'a keyed digest' => sub {
    populated();
    my $dir = new_dir();
    my $key = 'k3y' x 12;
    spew("$dir/key", "$key\n");
    my $made  = created(qw(--org acme --name n --key), "$dir/key");
    my $id    = unpack 'H8', hmac_sha256('token-auth key id', $key);
    my $shown = answer('show', $made->{id});
    is($shown->{algorithm}, 'hmac-sha256', 'algorithm');
    is($shown->{key_id},    $id,           'key id');
    like(tokenctl('export')->{out},
        qr/"digest":"hmac-sha256:$id:@{[ hmac_sha256_hex($made->{token}, $key) ]}"/, 'digest');
    like($made->{err} // tokenctl(qw(create --org acme --name n --key), "$dir/key")->{err},
        qr/^its digest is keyed: every nginx .* needs the key $id in token_auth_key$/m, 'says who needs the key');
    my $other = json_of(done(tokenctl({ env => { TOKEN_AUTH_KEY => "$dir/key" } },
        qw(create --org acme --name n --json))));
    is($other->{key_id}, $id, 'names the key too');
    refused(1, qr{key file \Q$dir\E/no cannot be read}, qw(create --org acme --name n --key), "$dir/no");
    refused(1, qr{key file \Q$dir\E cannot be read},    qw(create --org acme --name n --key), "$dir");
    spew("$dir/short", 'secret-and-short');
    my $result = refused(1, qr{key file .* holds no key: it must be 32 to 1024 bytes},
        qw(create --org acme --name n --key), "$dir/short");
    unlike($result->{err}, qr/secret-and-short/, 'no key in the message');
    spew("$dir/long", 'k' x 5000);
    refused(1, qr{holds no key}, qw(create --org acme --name n --key), "$dir/long");
};

subtest 'what a token can have' => sub {
    populated();
    my $made = answer(
        'create', '--group', 'acme/ops', '--name', 'Zoë’s "CI"', '--description', 'for tests',
        '--scope', 'b:read a:read', '--scope', 'a:read', '--role', 'admin', '--allow', '192.0.2.0/24',
        '--allow', '2001:db8::1', '--expires', '2099-01-31T10:00:00+02:00', '--not-before', '2098-12-31'
    );
    delete $made->{token};
    my $shown = answer('show', $made->{id});
    is_deeply($shown, $made, 'show tells the same as create');
    is_deeply(
        { map { $_ => $shown->{$_} } grep { $_ ne 'id' && $_ ne 'created' && $_ ne 'user' } keys %$shown },
        {   status => 'pending', prefix => 'gk', algorithm => 'sha256', kind => 'group',
            organization => 'acme', group => 'ops', role => 'admin', scopes => [qw(a:read b:read)],
            name => "Zo\x{eb}\x{2019}s \"CI\"", description => 'for tests',
            allow => [qw(192.0.2.0/24 2001:db8::1)],
            not_before => '2098-12-31T00:00:00Z', expires => '2099-01-31T08:00:00Z',
            created_by => scalar getpwuid($>), created_via => 'tokenctl',
        },
        'all of it'
    );
    my $table = done(tokenctl('show', $made->{id}))->{out};
    like($table, qr/^$_$/m, "show: $_")
        for 'id +' . $made->{id}, 'status +pending', 'of +group acme/ops', 'role +admin',
        'scopes +a:read b:read', 'addresses +192\.0\.2\.0/24 2001:db8::1',
        'expires +2099-01-31T08:00:00Z', "begins with +gk_$made->{id}";
};

subtest 'how long it lives' => sub {
    populated();
    my %life = ('30s' => 30, '15m' => 900, '24h' => $day, '90d' => 90 * $day, '52w' => 364 * $day);
    for my $text (sort keys %life) {
        my $before = time;
        my $made   = answer(qw(create --org acme --name n --expires), $text);
        my $after  = time;
        ok($made->{expires} ge stamp($before + $life{$text}) && $made->{expires} le stamp($after + $life{$text}),
            "--expires $text")
            or diag($made->{expires});
    }
    my $before = time;
    my $made   = answer(qw(create --org acme --name n));
    ok($made->{expires} ge stamp($before + 90 * $day) && $made->{expires} le stamp(time + 90 * $day),
        '90 days unless told otherwise');

    my $never = done(tokenctl(qw(create --org acme --name n --expires never --json)));
    ok(!exists json_of($never)->{expires}, 'has no end');
    like($never->{err}, qr/\Awarning: this token never expires[^\n]*\n\z/, 'is warned about in one line');
    my $long = done(tokenctl(qw(create --org acme --name n --json --expires 367d)));
    like($long->{err}, qr/\Awarning: this token lives for more than a year[^\n]*\n\z/, 'is warned about');
    is(done(tokenctl(qw(create --org acme --name n --json --expires 366d)))->{err}, '',
        'is not');

    for my $option (qw(--expires --not-before)) {
        refused(2, qr/$option .* is not understood: write/, qw(create --org acme --name n), $option, $_)
            for 'soon', '10', '-1d', '1y', '2027-02-30', '2027-13-01', '2027-01-31T25:00:00Z',
            '2027-01-31T10:00', '2027-01-31T10:00:00', '99999999999999999999d', '1.5d', '0x1d';
        refused(2, qr/beyond the year 9999/, qw(create --org acme --name n), $option, '3000000d');
    }
    refused(2, qr/--expires "$_" is in the past; name a later/, qw(create --org acme --name n --expires), $_)
        for '2001-01-01', '0s', '1970-01-01T00:00:00Z';
    refused(2, qr/would expire .* before it is valid/,
        qw(create --org acme --name n --not-before 2099-01-01 --expires 2098-01-01));
    refused(2, qr/would expire .* before it is valid/, qw(create --org acme --name n --not-before 91d));
};

subtest 'create refuses' => sub {
    populated();
    my $form = created(qw(--org acme --name n))->{token};
    refused(2, qr/name exactly one of --org, --group and --user/, 'create', @$_)
        for [qw(--name n)], [qw(--name n --org acme --user ann)],
        [qw(--name n --org acme --group acme/ops)];
    refused(2, qr/--name is required/, qw(create --org acme));
    refused(2, qr/name must be 1 to 255 bytes of UTF-8/, qw(create --org acme --name), $_)
        for '', "a\nb", "a\x7f", "\xc2\x85", "\xff", "\xc0\xaf", "\xed\xa0\x80", 'x' x 256;
    refused(2, qr/description must be at most 1000 bytes/, qw(create --org acme --name n --description), $_)
        for "a\tb", 'x' x 1001;
    for my $option (qw(--name --description)) {
        my @more   = $option eq '--name' ? () : qw(--name n);
        my $result = refused(2, qr/holds a token; tokens never go into a registry/,
            qw(create --org acme), @more, $option, "this: $form");
        unlike($result->{err}, qr/\Q$form\E/, 'which is not repeated');
    }
    refused(2, qr/scopes must be 1 to 128/, qw(create --org acme --name n --scope), $_) for 'a"b', 'é';
    refused(2, qr/allow must be addresses or CIDR/, qw(create --org acme --name n --allow), $_)
        for '192.0.2.1/24', '300.1.1.1', 'example.com', '::/129';
    refused(2, qr/allow must be at most 64 blocks/, qw(create --org acme --name n),
        map { ('--allow', "192.0.2.$_") } 1 .. 65);
    refused(2, qr/prefix must be 1 to 16 letters/, qw(create --org acme --name n --prefix), $_)
        for 'a b', 'x' x 17;
    refused(2, qr/--role is not for user tokens.*member add/, qw(create --user ann --name n --role admin));
    refused(1, qr/role "nix" does not exist/,         qw(create --org acme --name n --role nix));
    refused(1, qr/organization "nix" does not exist/, qw(create --org nix --name n));
    refused(1, qr/organization "nix" does not exist/, qw(create --group nix/ops --name n));
    refused(1, qr/group "acme\/nix" does not exist/,  qw(create --group acme/nix --name n));
    refused(1, qr/user "nix" does not exist/,         qw(create --user nix --name n));
    refused(2, qr/organization must be 1 to 64/,      qw(create --name n --org), 'a b');
    refused(2, qr/user must be 1 to 64/,              qw(create --name n --user), 'a b');
    refused(2, qr/must be written ORG\/GROUP/,        qw(create --name n --group ops));
    my ($technical) = map { $_->{id} } @{ answer(qw(user list --technical)) };
    refused(1, qr/is a technical user, which has no personal tokens/,
        qw(create --name n --user), $technical);
    ok(succeeds(tokenctl(qw(org suspend acme))), 'org suspend');
    like(created(qw(--org acme --name n))->{err}, qr/^warning: organization acme is suspended/m,
        'a suspended organization is warned about');
    ok(succeeds(tokenctl(qw(user disable ann))), 'user disable');
    like(created(qw(--user ann --name n))->{err}, qr/^warning: user ann is disabled/m,
        'so is a disabled user');
};

subtest 'list' => sub {
    populated();
    my %id = (
        org     => created(qw(--org acme --name org --role admin --expires 3d))->{id},
        group   => created(qw(--group acme/ops --name group))->{id},
        user    => created(qw(--user ann --name user --expires never))->{id},
        other   => created(qw(--org other --name other))->{id},
        pending => created(qw(--org acme --name pending --not-before 2d --expires 5d))->{id},
        revoked => created(qw(--org acme --name revoked --expires 2d))->{id},
        expired => created(qw(--org acme --name expired))->{id},
    );
    ok(succeeds(tokenctl('revoke', $id{revoked})), 'revoke');
    ok(succeeds(tokenctl(qw(rotate --grace 0s --expires 50d), $id{expired})), 'rotate, to have one expired');
    my ($successor) = map { $_->{successor} } answer('show', $id{expired});
    $id{successor} = $successor;
    my %name = reverse %id;
    my $is = sub {
        my ($filter, @wanted) = @_;
        my @got = sort map { $name{ $_->{id} } } @{ answer('list', @$filter) };
        is_deeply(\@got, [ sort @wanted ], "list @$filter");
    };
    $is->([], keys %id);
    $is->([qw(--org acme)],     qw(org group pending revoked expired successor));
    $is->([qw(--group acme/ops)], 'group');
    $is->([qw(--user ann)],     'user');
    $is->([ '--user', "tu-$id{org}" ], 'org');
    $is->([qw(--kind user)],    'user');
    $is->([qw(--kind group)],   'group');
    $is->([qw(--role admin)],   'org');
    $is->([qw(--role reader)]);
    $is->([qw(--status active)],  qw(org group user other successor));
    $is->([qw(--status pending)], 'pending');
    $is->([qw(--status revoked)], 'revoked');
    $is->([qw(--status expired)], 'expired');
    $is->([qw(--expiring 4d)],    'org');
    $is->([qw(--expiring 7d)],    qw(org pending));
    $is->([qw(--expiring 7d --status revoked)], 'revoked');
    $is->([qw(--org acme --status active --kind organization)], qw(org successor));
    my @ids = map { $_->{id} } @{ answer('list') };
    is_deeply(\@ids, [ sort @ids ], 'in the order of their ids');
    ok(succeeds(tokenctl(qw(org suspend other))), 'org suspend');
    $is->([qw(--status suspended)], 'other');
    ok(succeeds(tokenctl(qw(user disable ann))), 'user disable');
    $is->([qw(--status disabled)], 'user');
    my $table = done(tokenctl('list', '--org', 'acme', '--role', 'admin'));
    like($table->{out}, qr/\AID +STATUS +OF +ROLE +SCOPES +EXPIRES +NAME\n$id{org} +active +organization acme +admin +- +\d\S+ +org\n\z/,
        'for people');
    is($table->{err}, '', 'nothing on standard error');
    ok(fails_with(tokenctl('list', @$_[ 1, 2 ]), $_->[0], $_->[3]), "list $_->[1] $_->[2]")
        for [ 2, '--status', 'gone', qr/--status "gone" is not known; write one of active, / ],
        [ 2, '--kind',     'org',  qr/--kind "org" is not known/ ],
        [ 2, '--expiring', 'soon', qr/--expiring "soon" is not understood/ ],
        [ 2, '--group',    'ops',  qr/must be written ORG\/GROUP/ ],
        [ 1, '--org',      'nix',  qr/organization "nix" does not exist/ ],
        [ 1, '--group', 'acme/nix', qr/group "acme\/nix" does not exist/ ],
        [ 1, '--user',     'nix',  qr/user "nix" does not exist/ ],
        [ 1, '--role',     'nix',  qr/role "nix" does not exist/ ];
};

subtest 'revoke, restore, delete' => sub {
    populated();
    my @made = map { created(qw(--org acme --name n)) } 1 .. 3;
    my ($one, $two, $three) = map { $_->{id} } @made;
    my $revoked = done(tokenctl('revoke', $one, $two));
    is($revoked->{out}, '', 'nothing on standard output');
    is($revoked->{err}, "token $one is now revoked\ntoken $two is now revoked\n", 'a line each');
    my $shown = answer('show', $one);
    is($shown->{status}, 'revoked', 'the status');
    like($shown->{revoked}, qr/\A\d{4}-.*Z\z/, 'and since when');
    is_deeply([ map { [ @$_{qw(id outcome status)} ] } @{ answer('revoke', $one, $three) } ],
        [ [ $one, 'unchanged', 'revoked' ], [ $three, 'updated', 'revoked' ] ], 'again');
    is(answer('show', $one)->{revoked}, $shown->{revoked}, 'the first time counts');
    is_deeply([ map { [ @$_{qw(id outcome status)} ] } @{ answer('restore', $one, $one) } ],
        [ [ $one, 'updated', 'active' ], [ $one, 'unchanged', 'active' ] ], 'restore');
    ok(!exists answer('show', $one)->{revoked}, 'as if it had not been');
    is(done(tokenctl('delete', $one, $three))->{err},
        "deleted token $one\ndeleted token $three\n", 'a line each');
    ok(fails_with(tokenctl('show', $one), 1, qr/token "$one" does not exist/), 'gone');
    is_deeply([ map { $_->{id} } @{ answer(qw(user list --technical)) } ], ["tu-$two"],
        'with its technical user');

    rows_of($url, unchecked "UPDATE tokens SET name = 'a' || " . (on_postgresql() ? 'chr(10)' : 'char(10)')
        . " || 'b' WHERE id = '$two'");
    is(done(tokenctl('restore', $two))->{err}, "token $two is now active\n", 'restore of a row that no command would write');
    is(done(tokenctl('revoke', $two))->{err}, "token $two is now revoked\n", 'and revoke');
    is_deeply(json_of(tokenctl(qw(audit --json)))->[-1]{detail}{revoked}{from}, undef, 'with a row in the audit trail');

    my $whole = $made[1]{token};
    for my $verb (qw(show revoke restore delete rotate)) {
        refused(1, qr/token "nix" does not exist; `tokenctl list`/, $verb, 'nix');
        refused(2, qr/"a b" is no token id/, $verb, 'a b');
        my $result = refused(2, qr/that is a whole token, not a token's id/, $verb, $whole);
        unlike($result->{err}, qr/$made[1]{secret}/, 'which is not repeated');
        $result = refused(1, qr/token \(39 bytes, not shown\) does not exist/, $verb,
            $made[1]{secret} . $made[1]{check});
        $result = refused(2, qr/not known here/, $verb, $two, '--x' . $whole);
        unlike($result->{err}, qr/$made[1]{secret}/, 'nor is it in an unknown option');
    }
    refused(1, qr/token "nix" does not exist/, $_, $two, 'nix') for qw(revoke restore delete);
    refused(2, qr/whole token/, $_, $two, $whole) for qw(revoke restore delete);
    for my $command ([qw(org add)], [qw(user add)], [qw(group add)], [qw(role remove)],
        [qw(list --status)], [qw(list --org)], [qw(audit --since)], [qw(audit --limit)], [qw(audit --token)],
        [qw(create --name n --org acme --expires)], ['nonesuch'], [qw(--registry)]) {
        my $result = tokenctl(@$command, $whole);
        isnt($result->{status}, 0, "@$command with a token");
        unlike($result->{out} . $result->{err}, qr/$made[1]{secret}/, 'does not repeat it');
    }

    my $foreign = 'ghp_0123456789abcdefghijABCDEFGHIJ';
    my $digest  = sha256_hex($foreign);
    ok(succeeds(tokenctl({ stdin => qq({"type":"token","id":"theirs","digest":"sha256:$digest","kind":"user","user":"ann","name":"n"}\n) },
            qw(import -))), 'a token made elsewhere, that could be an id');
    my $result = refused(2, qr/that is a whole token, .*\(the id is theirs\)/, 'revoke', $foreign);
    unlike($result->{err}, qr/$foreign/, 'is recognised');
};

done_testing();
