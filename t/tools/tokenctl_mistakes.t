# Mistakes of an administrator: none may widen the rights of a token or leave a secret behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Registry qw(on_postgresql unchecked);
use TokenAuth::Tools qw(done fails_with files_hold finish_tool init_registry json_of new_dir program
    run_tool spew
    start_tool succeeds token_parts tokenctl);

my $dir = new_dir();
my $url = init_registry($dir);
ok(succeeds(tokenctl(@$_)), "@$_") for [qw(org add acme)], [qw(role set reader a:read)];

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = tokenctl('export')->{out};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), $status, $pattern), "@command[0, 1]: refused");
    is(tokenctl('export')->{out}, $before, 'nothing changed');
    return;
}

subtest 'an empty value is no value left out' => sub {
    my @create = qw(create --org acme --name n);
    refused(2, qr/--allow/, @create, '--allow', '');
    refused(2, qr/--scope/, @create, '--role', 'reader', '--scope', '');
    refused(2, qr/--key/, @create, '--key', '');
};

subtest 'a blank value, too' => sub {
    my @create = qw(create --org acme --name n);
    for my $blank (' ', "\t", '  ') {
        refused(2, qr/$_: must not be empty or blank/, @create, '--role', 'reader', $_, $blank)
            for qw(--allow --scope --key --prefix --expires --not-before);
        refused(2, qr/--role: must not be empty or blank/, @create, '--role', $blank);
        refused(2, qr/name must be 1 to 255 bytes/,        qw(create --org acme --name), $blank);
        refused(2, qr/description must be at most/,        @create, '--description', $blank);
        refused(2, qr/scopes must/, qw(role set reader a:read), $blank);
    }
    refused(2, qr/scopes must hold at least one in each value/, qw(role set reader a:read), $_) for '', ' ';
    refused(2, qr/argument "b" is not known/, @create, '--scope', 'a', 'b');
};

subtest 'an empty value behind "="' => sub {
    ok(succeeds(tokenctl(qw(user add ann --name Ann --email ann@example.org))), 'a user');
    is(json_of(done(tokenctl(qw(user set ann --name= --email= --json))))->{$_}, '', "$_ is taken away") for qw(display_name email);
    refused(2, qr/--scope: must not be empty/, qw(create --scope= --org acme --name n));
    refused(2, qr/argument "acme" is not known/, qw(list --org= acme));
    is(done(tokenctl(qw(org list --json)))->{out}, done(tokenctl(qw(--json org list)))->{out}, 'flags as before');
};

subtest 'a secret in the wrong place is not shown' => sub {
    my $hex   = 'ab' x 32;
    my ($token) = done(tokenctl(qw(create --org acme --name n)))->{out} =~ /\A(\S+)\n/;
    for my $secret ($hex, $token) {
        for my $case (
            [ 1, {}, qw(create --org acme --name n --key), $secret ], [ 1, {}, qw(create --org acme --name n --key), "$dir/$secret" ],
            [ 1, { TOKEN_AUTH_KEY => $secret }, qw(create --org acme --name n) ],
            [ 1, {}, 'import', $secret ], [ 1, {}, 'import', "$dir/$secret" ],
            (map { [ 1, {}, 'list', '--registry', $_ ], [ 1, {}, 'init', '--registry', $_ ] }
                "sqlite:$secret/r.db", "postgresql://$secret\@127.0.0.1:1/d", "postgresql://127.0.0.1:1/$secret",
                "postgresql://$secret:1/d", "postgresql://127.0.0.1:$secret/d", "postgresql:///d?host=/$secret",
                "postgresql://127.0.0.1:1/d?sslmode=verify-full&sslrootcert=$secret"),
            [ 2, {}, 'list', '--registry', $secret ], [ 2, {}, qw(list --status), $secret ], [ 2, {}, qw(audit --since), $secret ],
            [ 2, {}, $secret ], [ 2, {}, "--$secret" ], [ 2, {}, 'org', $secret ])
        {
            my ($status, $env, @command) = @$case;
            my $result = tokenctl({ env => $env }, @command);
            unlike("$result->{out}$result->{err}", qr/\Q$hex\E|\Q@{[ token_parts($token)->{secret} ]}\E/,
                "$command[0]: not shown") or diag $result->{err};
            isnt($result->{status}, 0, 'fails');
        }
        my $result = run_tool([ program('tokenctl'), 'list' ], env => { TOKEN_AUTH_REGISTRY => "sqlite:$secret" });
        ok(fails_with($result, 1, qr/\(\d+ bytes, not shown\): there is no such file/), 'in the environment');
    }
    spew("$dir/$hex", "{}\n");
    my $result = tokenctl('import', "$dir/$hex");
    ok(fails_with($result, 1, qr{\Q$dir\E/\(64 bytes, not shown\) line 1: }), 'of a file, its directory and the line are named');
};

subtest 'text that a terminal would obey' => sub {
    ok(succeeds(tokenctl(qw(create --org acme --name odd))), 'a token');
    my $bad = on_postgresql() ? '' : q{ || CAST(x'ff' AS TEXT)};    # PostgreSQL takes UTF-8 alone
    TokenAuth::Tools::sql($url, unchecked "UPDATE tokens SET name = 'a\e\xc2\x9b\xe2\x80\xae\xe2\x80\x8bb'$bad WHERE name = 'odd'");
    my $shown = 'a\x1b\u{9b}\u{202e}\u{200b}b' . ($bad ? '\xff' : '');
    like(done(tokenctl('list'))->{out}, qr/ \Q$shown\E$/m, 'is escaped in tables');
    my $json = done(tokenctl(qw(list --json)))->{out};
    like($json, qr/"name":"a\\u001b\\u009b\\u202e\\u200bb/, 'in JSON as JSON does');
    my ($odd) = grep { $_->{name} =~ /\Aa/ } @{ json_of(done(tokenctl(qw(list --json)))) };
    is($odd->{name}, "a\e\x{9b}\x{202e}\x{200b}b" . ($bad ? "\x{fffd}" : ''), 'which is the same text');
    TokenAuth::Tools::sql($url, unchecked "UPDATE tokens SET name = 'odd', successor = 'x\e' WHERE id = '$odd->{id}'");
    ok(fails_with(tokenctl('rotate', $odd->{id}), 1, qr/rotate its successor x\\x1b$/), 'and in messages');
};

subtest 'what nobody sees is refused, wherever it is given' => sub {
    my %invisible = (
        'bidi override' => "\xe2\x80\xae", 'bidi isolate' => "\xe2\x81\xa6", 'zero-width space' => "\xe2\x80\x8b",
        'zero-width joiner' => "\xe2\x80\x8d", 'byte order mark' => "\xef\xbb\xbf", 'line separator' => "\xe2\x80\xa8",
        'paragraph separator' => "\xe2\x80\xa9", 'next line (C1)' => "\xc2\x85", 'CSI (C1)' => "\xc2\x9b", 'a control' => "\x07",
    );
    ok(succeeds(tokenctl(qw(user add eve))), 'a user');
    my $before = tokenctl('export')->{out};
    my $line = sub { qq({"type":"token","id":"t9","kind":"organization","organization":"acme","digest":"sha256:) . '0' x 64 . qq(",$_[0]}\n) };
    for my $what (sort keys %invisible) {
        my $text = "a$invisible{$what}b";
        my @given = (
            [qw(create --org acme --name), $text], [qw(create --org acme --name n --description), $text],
            [qw(user set eve --name), $text], [qw(user add new --name), $text], [qw(org suspend acme --actor), $text],
            [ { env => { SUDO_USER => $text } }, qw(org suspend acme) ], [qw(org add), $text], [qw(role set), $text, 'x'],
            [qw(role set reader), $text], [qw(user set eve --email), "$text\@example.org"], [qw(create --org acme --name n --prefix), $text],
            (map { [ { stdin => $_ }, qw(import -) ] } $line->(qq("name":"$text")), $line->(qq("name":"n","description":"$text")),
                qq({"type":"user","id":"eve","display_name":"$text"}\n), qq({"type":"user","id":"$text"}\n)),
        );
        my @taken = grep { tokenctl(@$_)->{status} eq '0' } @given;
        is(@taken, 0, $what) or diag map { ref $_->[0] ? "@$_[1 .. $#$_]\n" : "@$_\n" } @taken;
    }
    is(tokenctl('export')->{out}, $before, 'nothing changed');
};

subtest 'help' => sub {
    my $create = done(tokenctl(qw(create --help)))->{out};
    like($create, qr/^ +--scope SCOPE  /m, 'one scope for each --scope');
    like($create, qr/^ +--allow CIDR  /m,  'one block for each --allow');
    like($create, qr/--prefix .*default: ak, gk or pat/, 'the prefix of a new token');
    like(done(tokenctl(qw(rotate --help)))->{out}, qr/--prefix .*default: that of its predecessor/, 'and of a successor');
    ok(fails_with(tokenctl(@$_), 2, qr/\Atokenctl: name a command; see `tokenctl @$_ ?--help`/), "no command: @$_") for [], ['user'];
};

subtest 'init, several at once' => sub {
    for my $round (1 .. 5) {
        my @all = map { start_tool([ program('tokenctl'), '--registry', "sqlite:$dir/$round.db", 'init' ]) } 1 .. 6;
        my @results = map { finish_tool($_) } @all;
        is((grep { $_->{status} == 0 } @results), 1, 'one makes it');
        my @others = grep { $_->{err} !~ /is a registry already \(version \d+\); nothing was changed\n\z/ && $_->{status} != 0 } @results;
        is(@others, 0, 'the others say that it is there') or diag map { $_->{err} } @others;
    }
};

subtest 'a time that would count as none' => sub {
    my $digest = 'sha256:' . '0' x 64;
    for my $field (qw(expires revoked)) {
        spew("$dir/old.jsonl", qq({"type":"token","id":"old","kind":"organization","organization":"acme",)
            . qq("name":"n","digest":"$digest","$field":"1970-01-01T00:00:00Z"}\n));
        refused(1, qr/line 1: $field /, 'import', "$dir/old.jsonl");
    }
};

subtest 'a token in place of a scope' => sub {
    my ($token) = done(tokenctl(qw(create --org acme --name n)))->{out} =~ /\A(\S+)\n/;
    refused(2, qr/token/, qw(create --org acme --name n --scope), $token);
    refused(2, qr/token/, qw(role set other), $token);
    ok !files_hold($dir, token_parts($token)->{secret}), 'it is nowhere';
};

subtest 'each error of the system has its own remedy' => sub {
    plan skip_all => 'is about a file' if $url !~ /\Asqlite:(.*)/;
    my $file = $1;
    my ($tokenctl, $tokensync) = (program('tokenctl'), program('tokensync'));
    my $says = sub {
        my ($pattern, $command) = @_;
        my $err = `$command 2>&1 >/dev/null`;
        like $err, $pattern, $command;
        isnt $?, 0, 'fails';
    };
    spew("$dir/name", 'x');
    symlink 'loop', "$dir/loop" or die "loop: $!";
    my $long = join '/', ('x' x 200) x 25;
    my @paths = (
        [ "$dir/name/registry.db", qr/Not a directory; a part of the path is a file/ ],
        [ "$dir/loop/registry.db", qr/Too many levels of symbolic links; a symbolic link in the path/ ],
        [ "$dir/$long", qr/File name too long; the path is too long/ ],
    );
    for my $path (@paths) {
        $says->($path->[1], "$_ --registry 'sqlite:$path->[0]' " . (/sync/ ? "run --db '$dir/db'" : 'org list'))
            for $tokenctl, $tokensync;
        $says->($path->[1], "$tokensync --source '$path->[0]' run --db '$dir/db'");
        $says->($path->[1], "$tokenctl --registry '$url' create --org acme --name n --key '$path->[0]'");
        $says->($path->[1], "$tokenctl --registry '$url' import '$path->[0]'");
    }
    $says->(qr/too many files open: raise its limit \(ulimit -n, LimitNOFILE/, "prlimit --nofile=4 $tokenctl --registry '$url' org list");
    $says->(qr/too many files open/, "prlimit --nofile=4 $tokensync --source '$dir/name' run --db '$dir/db'");
    SKIP: {
        my $bind = "mount --bind '$dir' '$dir' && mount -o remount,ro,bind '$dir'";
        skip 'no file system can be mounted here', 4 if $> != 0 || system("unshare -m sh -c \"$bind\" 2>/dev/null") != 0;
        $says->(qr/its file system is read-only: mount it writable/, qq(unshare -m sh -c "$bind && $tokenctl --registry '$_'"))
            for "$url' org add 'other", "sqlite:$dir/new.db' 'init";
    }
};

subtest 'standard error that cannot be written' => sub {
    my $tokenctl = program('tokenctl');
    for my $to ('2>/dev/full', '2>&-') {
        my $out = `$tokenctl --registry '$url' create --org acme --name n $to`;
        is $? >> 8, 0, "$to: done";
        like $out, qr/\Aak_\S+\n\z/, 'and the token is there';
    }
};

done_testing;
