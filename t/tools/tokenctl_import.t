# tokenctl import and export.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Tools qw(done fails_with init_registry json_of lines_of new_dir spew sql succeeds
    tokenctl);

my $json = JSON::PP->new->utf8->canonical;

sub export { return done(tokenctl('export'))->{out} }

sub imported {
    my ($lines, @options) = @_;
    return tokenctl({ stdin => $lines }, 'import', '-', @options);
}

sub counts { return [ @{ json_of(done(imported($_[0], '--json'))) }{qw(added updated unchanged)} ] }

my $digest = 'sha256:' . sha256_hex('one');
my $other  = 'sha256:' . sha256_hex('two');
my $world  = <<"END";
{"type":"role","id":"reader","scopes":["a:read","b:read"]}
{"type":"organization","id":"acme","created":"2026-01-31T08:00:00Z"}
{"type":"organization","id":"beta","suspended":true,"created":"2026-01-31T08:00:01Z"}
{"type":"group","organization":"acme","id":"ops","created":"2026-01-31T08:00:02Z"}
{"type":"user","id":"ann","created":"2026-01-31T08:00:03Z","display_name":"Ann","email":"ann\@example.org"}
{"type":"user","id":"bob","disabled":true,"created":"2026-01-31T08:00:03Z"}
{"type":"user","id":"robot","technical":true,"disabled":true,"created":"2026-01-31T08:00:03Z"}
{"type":"membership","user":"ann","organization":"acme","role":"reader","created":"2026-01-31T08:00:04Z"}
{"type":"token","id":"t1","prefix":"gk","digest":"$digest","kind":"group","user":"robot","organization":"acme","group":"ops","role":"reader","scopes":["a:read"],"name":"Zoë’s","description":"d \\"q\\"","allow":["2001:db8::/32","192.0.2.0/24"],"created":"2026-01-31T08:00:05Z","not_before":"2026-02-01T00:00:00Z","expires":"2099-12-31T23:59:59Z","revoked":"2026-03-01T00:00:00Z","predecessor":"t0","successor":"t2"}
{"type":"token","id":"t2","digest":"hmac-sha256:0a0b0c0d:@{[ sha256_hex('three') ]}","kind":"user","user":"ann","name":"n","created":"2026-01-31T08:00:05Z"}
END

subtest 'there and back' => sub {
    init_registry(new_dir());
    is(done(imported($world))->{err}, "10 added, 0 updated, 0 unchanged\n",
        'says what was done');
    is(export(), $world, 'export gives the same bytes');
    is_deeply(counts($world), [ 0, 0, 10 ], 'once more: nothing to do');

    # entries that tokenctl itself made
    my $keys = new_dir();
    ok(succeeds(tokenctl(@$_)), "@$_")
        for [qw(create --org acme --name n --scope x --allow 192.0.2.1)],
        [qw(create --group acme/ops --name n --expires never)], [qw(create --user ann --name n)],
        [qw(rotate t2 --grace 1h --key), spew("$keys/key", 'k' x 32)];
    my $all = export();
    my $dir = new_dir();
    my $file = spew("$dir/all.jsonl", $all);
    init_registry($dir);
    ok(succeeds(tokenctl('import', $file)), 'import FILE');
    is(export(), $all, 'the same bytes from another registry');
    is(export(), export(), 'and each time');
};

subtest 'tokens that are let in nowhere' => sub {
    init_registry(new_dir());
    my $line = qq({"type":"token","id":"n1","digest":"$other","kind":"organization","organization":"acme","name":"n"}\n);
    my $first = done(imported($world . $line))->{err};
    like($first, qr/warning: 1 token that was imported has neither a role nor scopes/, 'are warned of');
    unlike(done(imported($world . $line))->{err}, qr/neither/, 'not of those that were there');
    unlike(done(imported($line =~ s/"name"/"scopes":["a:read"],"name"/r))->{err}, qr/neither/, 'nor of one that has');
};

subtest 'the change log' => sub {
    my $url = init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    my $log = sub { sql($url, 'SELECT entity, key FROM changes ORDER BY seq') };
    my $before = $log->();
    is_deeply(
        $before,
        [   'role|reader', 'organization|acme', 'organization|beta', 'user|ann', 'user|bob',
            'membership|ann acme', 'token|' . sha256_hex('one'), 'token|' . sha256_hex('three'),
        ],
        'a row for all that the store holds'
    );
    ok(succeeds(imported($world)), 'import again');
    is_deeply($log->(), $before, 'no row where nothing changed');
    ok(succeeds(tokenctl(qw(user enable robot))), 'a technical user');
    is($log->()->[-1], 'token|' . sha256_hex('one'), 'changes its token');
    ok(succeeds(tokenctl(qw(role set reader a:read))), 'role set');
    is($log->()->[-1], 'role|reader', 'changes the role alone');
};

subtest 'changes' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    my $changed = $world;
    $changed =~ s/"suspended":true,/"suspended":false,/;
    $changed =~ s/"name":"n"/"name":"m"/;
    $changed =~ s/"scopes":\["a:read","b:read"\]/"scopes":["c"]/;
    is_deeply(counts($changed), [ 0, 3, 7 ], 'what differs is updated');
    $changed =~ s/"suspended":false,//;
    is(export(), $changed, 'to what the file says');
    is_deeply(counts(qq({"type":"organization","id":"acme"}\n\n \t\r\n{"type":"user","id":"new"}\r\n)),
        [ 1, 0, 1 ], 'created may be left out; blank lines and CR LF do not matter');
    like(export(), qr/"id":"acme","created":"2026-01-31T08:00:00Z"/, 'and stays');
    is_deeply(counts('{"type":"user","id":"last"}'), [ 1, 0, 0 ], 'nor does a missing last newline');
    is_deeply(counts(''), [ 0, 0, 0 ], 'nor an empty file');
};

subtest 'tokens made elsewhere' => sub {
    init_registry(new_dir());
    my $lines = <<"END";
{"type":"organization","id":"acme"}
{"type":"group","organization":"acme","id":"ops"}
{"type":"token","id":"o","digest":"\U$digest\E","kind":"organization","organization":"acme","name":"n"}
{"type":"token","id":"g","digest":"$other","kind":"group","organization":"acme","group":"ops","name":"n","scopes":["b","a","b"]}
END
    $lines =~ s/SHA256:/sha256:/;
    is_deeply(counts($lines), [ 4, 0, 0 ], 'import');
    is_deeply(counts($lines), [ 0, 0, 4 ], 'again');
    my $all = export();
    like($all, qr/"type":"user","id":"tu-$_","technical":true/, "a technical user for $_") for qw(o g);
    like($all, qr/"id":"o","digest":"$digest","kind":"organization","user":"tu-o"/, 'that it acts for');
    like($all, qr/"scopes":\["a","b"\]/, 'scopes are sorted, each once');
    is_deeply([ map { $_->{status} } @{ json_of(tokenctl(qw(list --json))) } ], [qw(active active)],
        'both are active');
};

subtest 'bad lines' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    my $before = export();
    my $secret = 'ak_0123456789abcdef.' . 'Z' x 49;
    my $token  = sub {
        my %fields = (type => 'token', id => 't9', digest => $other, kind => 'organization',
            organization => 'acme', name => 'n', @_);
        return $json->encode({ map { $_ => $fields{$_} } grep { defined $fields{$_} } keys %fields });
    };
    my @bad = (
        [ '{',                                qr/is not JSON \(at byte \d+/ ],
        [ 'not json ' . $secret,              qr/is not JSON/ ],
        [ '[]',                               qr/is not a JSON object/ ],
        [ '42',                               qr/is not a JSON object/ ],
        [ '{}',                               qr/type must be role, scope, organization/ ],
        [ qq({"type":"$secret"}),             qr/type must be/ ],
        [ '{"type":7}',                       qr/type must be/ ],
        [ '{"type":"organization"}',          qr/id is missing/ ],
        [ '{"type":"organization","id":7}',   qr/id must be a string/ ],
        [ '{"type":"organization","id":"a b"}', qr/id must be 1 to 64/ ],
        [ qq({"type":"organization","id":"$secret"}), qr/id must be 1 to 64/ ],
        [ '{"type":"organization","id":"x","id":"y"}', qr/field "id" is there twice/ ],
        [ '{"type":"organization","id":"x","suspended":1}', qr/suspended must be true or false/ ],
        [ '{"type":"organization","id":"x","created":1}',   qr/created must be a string/ ],
        [ '{"type":"organization","id":"x","created":"today"}', qr/created must be a time/ ],
        [ '{"type":"organization","id":"x","nonesuch":1}',  qr/field "nonesuch" is not known.*known are type, id, suspended, created/ ],
        [ qq({"type":"organization","id":"x","token":"$secret"}), qr/field "token" is not known/ ],
        [ qq({"type":"organization","id":"x","$secret":1}), qr/field \(69 bytes, not shown\) is not known/ ],
        [ qq({"type":"user","id":"\xff"}),    qr/is not JSON/ ],
        [ '{"type":"role","id":"x"}',         qr/scopes must hold at least one/ ],
        [ '{"type":"role","id":"x","scopes":"a b"}', qr/scopes must be an array of strings/ ],
        [ '{"type":"role","id":"x","scopes":[1]}',   qr/scopes must be an array of strings/ ],
        [ '{"type":"role","id":"x","scopes":["a b"]}', qr/scopes must be 1 to 128/ ],
        [ '{"type":"group","id":"x"}',        qr/organization is missing/ ],
        [ '{"type":"group","organization":"nix","id":"x"}', qr/organization "nix" does not exist/ ],
        [ '{"type":"user","id":"robot","technical":false}', qr/user "robot" is a technical user already/ ],
        [ '{"type":"user","id":"bob","technical":true}', qr/user "bob" is a person already/ ],
        [ '{"type":"user","id":"idle","technical":true}', qr/no token acts for technical user "idle"/ ],
        [ '{"type":"membership","user":"ann","organization":"beta"}', qr/role is missing/ ],
        [ '{"type":"membership","user":"ann","organization":"acme","role":"nix"}', qr/role "nix" does not exist/ ],
        [ '{"type":"membership","user":"nix","organization":"acme","role":"reader"}', qr/user "nix" does not exist/ ],
        [ '{"type":"membership","user":"robot","organization":"acme","role":"reader"}', qr/user "robot" is a technical user/ ],
        [ $token->(id => undef),              qr/id is missing/ ],
        [ $token->(digest => undef),          qr/digest is missing/ ],
        [ $token->(digest => 'sha256:00'),    qr/digest must be sha256:<64 hex digits>/ ],
        [ $token->(digest => 'md5:' . '0' x 32), qr/digest must be/ ],
        [ $token->(digest => $secret),        qr/digest must be/ ],
        [ $token->(digest => 'hmac-sha256:' . '0' x 64), qr/digest must be/ ],
        [ $token->(digest => 'sha256:' . 'g' x 64), qr/digest must be/ ],
        [ $token->(digest => $digest),        qr/digest is that of token "t1" already/ ],
        [ $token->(kind => 'robot'),          qr/kind must be organization, group or user/ ],
        [ $token->(kind => undef),            qr/kind is missing/ ],
        [ $token->(name => undef),            qr/name is missing/ ],
        [ $token->(name => ''),               qr/name must be 1 to 255/ ],
        [ $token->(name => "my $secret"),     qr/name holds a token/ ],
        [ $token->(description => "a\nb"),    qr/description must be at most/ ],
        [ $token->(prefix => 'a b'),          qr/prefix must be 1 to 16/ ],
        [ $token->(organization => undef),    qr/organization is needed/ ],
        [ $token->(organization => 'nix'),    qr/organization "nix" does not exist/ ],
        [ $token->(group => 'ops'),           qr/group is for group tokens only/ ],
        [ $token->(kind => 'group'),          qr/group is needed/ ],
        [ $token->(kind => 'group', group => 'nix'), qr/group "acme\/nix" does not exist/ ],
        [ $token->(role => 'nix'),            qr/role "nix" does not exist/ ],
        [ $token->(user => 'ann'),            qr/user "ann" is a person, but/ ],
        [ $token->(user => 'nix'),            qr/user "nix" does not exist/ ],
        [ $token->(id => 'x' x 62),           qr/id is too long for its technical user/ ],
        [ $token->(kind => 'user', user => 'ann'), qr/organization is not for user tokens/ ],
        [ $token->(kind => 'user', organization => undef), qr/user is needed for a user token/ ],
        [ $token->(kind => 'user', organization => undef, user => 'robot'), qr/user "robot" is a technical user, which has no personal/ ],
        [ $token->(kind => 'user', organization => undef, user => 'ann', role => 'reader'), qr/role is not for user tokens/ ],
        [ $token->(scopes => ['a"']),         qr/scopes must be 1 to 128/ ],
        [ $token->(allow => ['192.0.2.1/24']), qr/allow must be addresses or CIDR/ ],
        [ $token->(allow => '192.0.2.1'),     qr/allow must be an array/ ],
        [ $token->(expires => 'never'),       qr/expires must be a time/ ],
        [ $token->(expires => 'sooner ' . $secret), qr/expires must be a time/ ],
        [ $token->(not_before => 5),          qr/not_before must be a string/ ],
        [ $token->(predecessor => 'a b'),     qr/predecessor must be 1 to 64/ ],
        [ $token->(successor => 'a b'),       qr/successor must be 1 to 64/ ],
        [ '{"type":"token","id":"t1","name":""}', qr/name must be 1 to 255/ ],
        [ '{"type":"organization","id":"new"}', qr/organization "new" is in the file twice/ ],
        [ $token->(name => 'x' x 140_000),    qr/is longer than 131072 bytes/ ],
        [ '{"type":"role","id":"x","scopes":1e999}', qr/is not JSON .it holds a number/ ],
        [ '[' x 100_000,                      qr/is not JSON/ ],
    );
    for my $case (@bad) {
        my ($line, $pattern) = @$case;
        my $name   = length $line > 100 ? substr($line, 0, 100) . '...' : $line;
        my $result = imported(qq({"type":"organization","id":"new"}\n\n$line\n));
        my $place  = $line =~ /idle/ ? qr/standard input: / : qr/standard input line 3: /;
        ok(fails_with($result, 1, qr/\Atokenctl: $place$pattern/), "line: $name");
        unlike($result->{err}, qr/Z{20}/, 'shows no token');
    }
    is(export(), $before, 'nothing changed');
};

# Changes all that an administrator can lock out or remove, after an export.
sub lock_out {
    ok(succeeds(tokenctl(@$_)), "@$_") for [qw(org suspend acme)], [qw(user disable ann)],
        [qw(user disable tu-kept)], [qw(revoke kept)], [qw(rotate turned --grace 0s)], [qw(delete lost)],
        [qw(member remove ann beta)], [qw(user remove bob --force)], [qw(org remove gone --force)];
    return;
}

my $lockable = join '', map { $json->encode($_) . "\n" }
    { type => 'role', id => 'reader', scopes => ['a:read'] },
    (map { { type => 'organization', id => $_ } } qw(acme beta gone)),
    { type => 'group', organization => 'gone', id => 'ops' },
    { type => 'user', id => 'ann', display_name => 'Ann', email => 'ann@example.org' },
    { type => 'user', id => 'bob' },
    (map { { type => 'membership', user => $_->[0], organization => $_->[1], role => 'reader' } }
        [qw(ann acme)], [qw(ann beta)], [qw(bob beta)]),
    (map { { type => 'token', digest => 'sha256:' . sha256_hex($_->{id}), name => 'n', kind => 'organization',
        expires => '2099-01-01T00:00:00Z', %$_ } } (map { { id => $_, organization => 'acme' } } qw(kept turned lost)),
        { id => 'g', kind => 'group', organization => 'gone', group => 'ops' },
        { id => 'bobs', kind => 'user', user => 'bob' });

subtest 'an older file' => sub {
    my $url = init_registry(new_dir());
    ok(succeeds(imported($lockable)), 'import');
    my $older = export();
    lock_out();
    my $now = export();
    is_deeply(counts($older), [ 3, 0, 9 ], 'brings organizations, groups and users back');
    my $after = export();
    my $gone = qr/^\{"type":"(?:organization","id":"gone"|group"|user","id":"bob").*\n/m;
    is($after =~ s/$gone//gr, $now, 'and no token, no membership, and undoes nothing');
    my $log = sql($url, 'SELECT count(*) FROM audit')->[0];
    is_deeply(counts($older), [ 0, 0, 12 ], 'once more');
    is(export(), $after, 'changes nothing');
    is(sql($url, 'SELECT count(*) FROM audit')->[0], $log, 'and says so in the audit trail');
    like(done(imported($older))->{err}, qr/, 5 left out that the registry has deleted or removed since; --replace brings/,
        'what was left out is counted');
    is(json_of(done(imported($older, '--json')))->{left_out}, 5, 'in JSON, too');

    ok(succeeds(imported($older, '--replace')), '--replace');
    my $successor = qr/^.*"predecessor":"turned".*\n/m;
    is(export() =~ s/$successor//r, $older, 'undoes all of it');
    is(json_of(done(imported($older, '--replace', '--json')))->{updated}, 0, 'once');
};

subtest 'the end of a rotation' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($lockable)), 'import');
    my ($new) = done(tokenctl(qw(rotate turned --json)))->{out} =~ /"id":"(\w+)"/;
    my $end = json_of(tokenctl(qw(show turned --json)))->{expires};
    my $after = sub {
        my ($line) = @_;
        ok(succeeds(imported(qq({"type":"token","id":"turned",$line}))), $line);
        return json_of(tokenctl(qw(show turned --json)))->{expires};
    };
    is($after->('"expires":"2099-01-01T00:00:00Z"'), $end, 'stays for a line that does not know of it');
    is($after->('"expires":"2098-01-01T00:00:00Z","successor":"other"'), $end, 'or of another one');
    is($after->(qq("name":"m","successor":"$new")), $end, 'stays if the line says nothing of it');
    is($after->(qq("expires":"2098-01-01T00:00:00Z","successor":"$new")), '2098-01-01T00:00:00Z',
        'is put off by a line that knows of it');
    ok(succeeds(tokenctl('delete', $new)), 'the successor is deleted');
    is($after->('"expires":"2099-01-01T00:00:00Z"'), '2098-01-01T00:00:00Z', 'then the end stays, too');
    is($after->('"expires":"2026-02-01T00:00:00Z"'), '2026-02-01T00:00:00Z', 'comes sooner for any line');
};

subtest 'fields that are left out' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    my @bare = map { my %bare = %{ $json->decode($_) };
        delete @bare{ grep { !/^(?:type|id|user|organization)$/ || $_ eq 'user' && $bare{type} eq 'token' } keys %bare };
        $json->encode(\%bare) . "\n" } split /\n/, $world;
    is_deeply(counts(join '', @bare), [ 0, 0, 10 ], 'a line that says nothing');
    is(export(), $world, 'changes nothing, of any type');
    my @fields = map { my %whole = %{ $json->decode($_) };
        my %key = map { $_ => $whole{$_} } grep { defined $whole{$_} } qw(type id organization),
            $whole{type} eq 'membership' ? 'user' : ();
        map { { line => $json->encode({ %key, $_ => $whole{$_} }), of => "$whole{type} $_" } } sort keys %whole
    } split /\n/, $world;
    ok(counts($_->{line})->[2] == 1, "a line with its $_->{of} alone") for @fields;
    is(export(), $world, 'changes nothing either');
    ok(succeeds(imported(qq({"type":"user","id":"ann","email":"new\@example.org"}))), 'one field');
    like(export(), qr/"display_name":"Ann","email":"new\@/, 'changes alone');
    ok(succeeds(imported(qq({"type":"token","id":"t1","description":"","scopes":[]}))), 'emptied fields');
    unlike(export(), qr/"id":"t1".*"(?:description|scopes)"/, 'are empty');
    ok(fails_with(imported('{"type":"token","id":"t1","name":"m"}', '--replace'), 1, qr/line 1: digest is missing/),
        'with --replace, they are needed');
    ok(succeeds(imported($world, '--replace')), 'the whole with --replace');
    is(export(), $world, 'is as it was');
};

subtest 'twice in a file' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    for my $line (split /\n/, $world) {
        my ($type) = $line =~ /"type":"(\w+)"/;
        ok(fails_with(imported("$line\n$line\n"), 1, qr/line 2: $type .* is in the file twice; leave out/), $type);
    }
    my ($t1) = $world =~ /(.*"id":"t1".*)\n/;
    ok(fails_with(imported("$t1\n" . ($t1 =~ s/"id":"t1"/"id":"t3"/r)), 1, qr/line 2: digest is in the file twice/),
        'a digest');
    is(export(), $world, 'nothing changed');
};

subtest 'an id that comes again' => sub {
    init_registry(new_dir());
    ok(succeeds(imported($world)), 'import');
    ok(succeeds(tokenctl(qw(delete t1))), 'delete');
    my ($robot, $t1) = $world =~ /(.*"id":"robot".*\n)[\s\S]*?(.*"id":"t1".*\n)/;
    my $other = $t1 =~ s/"id":"t1"/"id":"t3"/r =~ s/$digest/$other/r;
    is_deeply(counts($robot . $t1 . $other), [ 2, 0, 0 ], 'its technical user comes with another token');
    like(export(), qr/"id":"robot","technical":true,"disabled":true/, 'disabled as it was');
    ok(succeeds(tokenctl(qw(member remove ann acme))), 'member remove');
    is_deeply(counts('{"type":"membership","user":"ann","organization":"acme","role":"reader"}'), [ 1, 0, 0 ],
        'a membership that does not say since when is a new one');
};

subtest 'bad files' => sub {
    my $dir = new_dir();
    init_registry($dir);
    ok(fails_with(tokenctl('import', "$dir/no"), 1, qr{cannot read \Q$dir\E/no: No such file}), 'a missing file');
    ok(fails_with(tokenctl('import', "$dir"), 1, qr{\Q$dir\E: cannot be read; check that it is a file}),
        'a directory');
    spew("$dir/bad", qq({"type":"user","id":"a"}\n{"type":"user"}\n));
    ok(fails_with(tokenctl('import', "$dir/bad"), 1, qr{\Q$dir\E/bad line 2: id is missing}),
        'names file and line');
    is(export(), '', 'an empty registry exports nothing');
};

done_testing();
