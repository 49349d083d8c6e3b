# tokensync --source: a JSON Lines file in place of a registry.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::FileWorld qw(organization role some_lines token user);

my @some = some_lines();
my @base = @some[ 0, 1 ];

sub counts { return [ @{ $_[0] }{qw(full written erased tokens)} ] }

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);

subtest 'it is loaded, and edits of it are applied' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(@some);
    is_deeply counts($world->json('run')), [ $yes, 4, 0, 3 ], 'the first load';
    is $world->decision('t1-token'), 'ok', 'a token is let in';
    like $world->store_only({ stdin => "t1-token\n" }, 'explain')->{out},
        qr/^store .*cannot be asked: the store is of a file; see "tokensync check --source FILE"$/m, 'explain asks no registry';
    my $status = $world->status;
    like $status->{position}, qr/^file:[0-9a-f]{64}$/, 'position';
    is $status->{registry}, 'file-tokens.jsonl', 'identity';

    is_deeply counts($world->json('run')), [ $no, 0, 0, 3 ], 'nothing to do';
    cmp_ok $world->status->{generation}, '>', $status->{generation}, 'is noted in the store';

    $world->put(@some[ 0 .. 3 ], token('t3', role => 'reader', revoked => '2026-01-01T00:00:00Z'));
    is_deeply counts($world->json('run')), [ $yes, 1, 0, 3 ], 'one record is written for one edit';
    is $world->decision('t3-token'), 'token_revoked', 'and in effect';
    is $world->decision('t1-token'), 'ok', 'the others are what they were';

    $world->put(@some[ 0 .. 3 ]);
    is_deeply counts($world->json('run')), [ $yes, 0, 1, 2 ], 'one is erased for a line less';
    is $world->decision('t3-token'), 'token_unknown', 'and gone';

    $world->put('', "  \t", reverse(@some[ 0 .. 3 ]), '');
    is_deeply counts($world->json('run')), [ $yes, 0, 0, 2 ], 'the order of lines is free';
    is_deeply counts($world->json('run', '--full')), [ $yes, 0, 0, 2 ], '--full';
};

subtest 'what is for managing' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(
        @base, user('ann'), { type => 'group', organization => 'acme', id => 'ops' }, { type => 'scope', scope => 'a:read', description => 'Reads' },
        { type => 'membership', user => 'ann', organization => 'acme', group => 'ops', role => 'reader' }, token('p1', kind => 'user', user => 'ann', organization => undef),
    );
    $world->sync_ok('run');
    is $world->decision('p1-token', '--org', 'acme'), 'not_a_member', 'lets nobody in';
};

subtest 'all sorts of entities' => sub {
    my $world = TokenAuth::FileWorld->new;
    my @lines = (
        token('p1', kind => 'user', user => 'ann', organization => undef),
        { type => 'membership', user => 'ann', organization => 'acme', role => 'reader' },
        token('g1', kind => 'group', group => 'ops', role => 'reader'),
        token('t1', role => 'reader'),
        { type => 'group', organization => 'acme', id => 'ops' },
        user('ann'), @base,
    );
    $world->put(@lines);
    $world->sync_ok('run');
    my @acme = ('--org', 'acme');
    is $world->decision('p1-token', @acme), 'ok', 'a member';
    is $world->decision('p1-token', '--org', 'other'), 'not_a_member', 'elsewhere';
    is $world->decision('g1-token', '--group', 'ops'), 'ok', 'a group';
    is_deeply $world->status->{counts},
        { tokens => 3, user_records => 0, suspended_organizations => 0, roles => 1 }, 'counts';

    $world->put(@lines, user('tu-t1', technical => $yes, disabled => $yes));
    is_deeply counts($world->json('run')), [ $yes, 1, 0, 3 ], 'a technical user is in its tokens';
    is $world->decision('t1-token'), 'token_revoked', 'disabled, though the token names none';

    $world->put(grep({ ($_->{id} // '') ne 'ann' } @lines), user('ann', disabled => $yes));
    $world->sync_ok('run');
    is $world->decision('p1-token', @acme), 'token_revoked', 'a person';
    is $world->decision('t1-token'), 'ok', 'enabled again';
    $world->put(grep({ ($_->{id} // '') !~ /^(?:p1|ann)$/ && $_->{type} ne 'membership' } @lines));
    $world->sync_ok('run');
    is $world->decision('p1-token', @acme), 'token_unknown', 'gone with their token';
};

subtest 'what is wrong in the file is named, and changes nothing' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(@some, 'no JSON');
    is $world->sync('run')->{status}, 1, 'before the first load';
    ok !-e $world->db, 'no store is made';
    $world->put(@some);
    $world->sync_ok('run');
    my $generation = $world->status->{generation};
    my $secret     = 'ak_0123456789abcdef.' . 'S3cr3t' x 8 . 'x';
    my $member     = { type => 'membership', user => 'ann', organization => 'acme', role => 'reader' };
    my @cases = (
        ['{"type":"token",', qr/line 6: is not JSON \(at byte/],
        ['[]', qr/line 6: is not a JSON object/],
        ['{"type":"role"}', qr/line 6: id is missing/],
        ['{"type":"robot"}', qr/line 6: type must be role, scope, organization/],
        [organization(id => 'other', colour => 'red'), qr/line 6: field "colour" is not known/],
        [organization(id => 'a/b'), qr/line 6: id must be 1 to 64 letters/],
        [token('t4', digest => 'sha256:12'), qr/line 6: digest must be sha256:/],
        [token('t4', name => $secret), qr/line 6: name /],
        [token('t4', allow => ['10.0.0.0/33']), qr/line 6: allow must be addresses/],
        [token('t4', expires => 'soon'), qr/line 6: expires must be a time/],
        [role('reader', 'x'), qr/line 6: id "reader" is that of a role already \(line 1\)/],
        [organization(), qr/line 6: id "acme" is that of an organization already \(line 2\)/],
        [token('t2', digest => 'sha256:' . '0' x 64), qr/line 6: id "t2" is that of a token .*4\)/],
        [token('t4', digest => token('t2')->{digest}), qr/line 6: digest is that of token "t2" .*4/],
        [token('t4', organization => 'other'), qr/line 6: organization "other" has no line in/],
        [token('t4', role => 'writer'), qr/line 6: role "writer" has no line in the file; add/],
        [token('t4', kind => 'group', group => 'ops'), qr{line 6: group "acme/ops" has no line}],
        [token('t4', user => 'tu-x'), qr/line 6: user "tu-x" has no line/],
        [token('t4', user => $secret), qr/line 6: user must be/],
        [token('x' x 62), qr/line 6: id is too long for its technical user to be named tu-<id>/],
        [{ type => 'group', organization => 'other', id => 'ops' },
            qr/line 6: organization "other" has no line/],
        [$member, qr/line 6: user "ann" has no line/],
        [user('tu-x', technical => $yes), qr/line 6: id "tu-x" is that of a technical user for wh/],
        [[ user('ann'), user('ann') ], qr/line 7: id "ann" is that of a user already \(line 6\)/],
        [[ user('ann'), token('t4', user => 'ann') ], qr/line 7: user "ann" is a person \(line 6/],
        [[ user('tu-t1'), ], qr/line 3: user "tu-t1" is a person \(line 6\)/],
        [[ user('ann'), $member, $member ], qr/line 8: user "ann" is a member .* already \(line 7/],
        [[ user('ann'), { %$member, role => 'x' } ], qr/line 7: role "x" has no line/],
        [[ user('ann'), { %$member, organization => 'x' } ], qr/line 7: organization "x" has no/],
        [[ user('tu-t1', technical => $yes), { %$member, user => 'tu-t1' } ],
            qr/line 7: user "tu-t1" is a technical user \(line 6\), which is a member of nothing/],
        [[ user('tu-t1', technical => $yes),
            token('t4', kind => 'user', user => 'tu-t1', organization => undef) ],
            qr/line 7: user "tu-t1" is a technical user \(line 6\), which has no personal tokens/],
        [[ map { { type => 'group', organization => 'acme', id => 'ops' } } 1 .. 2 ],
            qr/line 7: id "ops" is that of a group of organization "acme" already \(line 6\)/],
        [ 'x' x 140_000, qr/line 6: is longer than 131072 bytes/ ],
    );
    for my $case (@cases) {
        my ($lines, $text) = @$case;
        $world->put(@some, ref $lines eq 'ARRAY' ? @$lines : $lines);
        my $run = $world->sync('run');
        is $run->{status}, 1, "$text: exit status";
        like $run->{err}, qr/^tokensync: \S+tokens\.jsonl $text/, 'named';
        is $run->{err} =~ tr/\n//, 1, 'in one line';
        unlike $run->{err}, qr/S3cr3t/, 'without a secret';
    }
    is $world->sync('check')->{status}, 1, 'check says so, too';
    for my $content ('', "\n  \n") {
        TokenAuth::Sync::spew($world->file, $content);
        $world->age;
        like $world->sync('run', '--force')->{err}, qr/tokens\.jsonl: holds no line; where no/,
            'a file without a line is one that is about to be written';
    }
    is $world->status->{generation}, $generation, 'nothing was changed';
    $world->put(@base);
    is_deeply counts($world->json('run')), [ $yes, 0, 3, 0 ], 'no tokens can be meant';
};

subtest 'a file that is none' => sub {
    my $world  = TokenAuth::FileWorld->new;
    my $secret = 'ak_0123456789abcdef.' . 'S3cr3t' x 8 . 'x';
    my @cases  = (
        [ $world->dir . '/none', 1, qr/none: there is no such file; name a JSON Lines file/ ],
        [ $world->dir, 1, qr/is not a regular file; name a JSON Lines file/ ],
        [ '/dev/null', 1, qr{/dev/null: is not a regular file} ],
        [ '', 2, qr/--source is empty: name a JSON Lines file/ ],
        [ $secret, 1, qr/--source \(\d+ bytes, not shown\): there is no such file/ ],
        [ './' . 'ab' x 32, 1, qr{--source \./\(64 bytes, not shown\): there is no such file} ],
    );
    for my $case (@cases) {
        my ($file, $status, $text) = @$case;
        local $world->{file} = $file;
        my $run = $world->sync('run');
        is $run->{status}, $status, "$text: exit status";
        like $run->{err}, $text, 'remedy';
        unlike $run->{err}, qr/S3cr3t/, 'no secret';
    }
    ok !-e $world->db, 'no store is made';
};

subtest 'wrong usage' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(@some);
    for my $command (qw(run watch check)) {
        my $result = $world->sync($command, '--registry', 'sqlite:' . $world->registry);
        is $result->{status}, 2, "$command with both: exit status";
        like $result->{err}, qr/--registry and --source are both given/, 'named';
    }
    for my $command (qw(status explain)) {
        my $result = $world->sync($command);
        is $result->{status}, 2, "$command: exit status";
        like $result->{err}, qr/--source is not for $command/, 'named';
    }
    my $twice = $world->sync('run', '--source', $world->file);
    is $twice->{status}, 2, 'twice: exit status';
    like $twice->{err}, qr/--source is given twice/, 'named';
    ok !-e $world->db, 'no store was made';
    local $ENV{TOKEN_AUTH_REGISTRY} = 'sqlite:' . $world->registry;
    is $world->sync('run')->{status}, 0, 'the environment\'s registry is only a default';
};

subtest 'a store of another source' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(@some);
    $world->sync_ok('run');
    my $file = $world->file;

    mkdir $world->dir . '/checkout' or die;
    $world->{file} = $world->dir . '/checkout/tokens.jsonl';
    $world->put(@some);
    is_deeply counts($world->json('run')), [ $no, 0, 0, 3 ], 'the file in another directory is none';

    $world->{file} = $world->dir . '/staging.jsonl';
    $world->put(@base);
    my $run = $world->sync('run');
    is $run->{status}, 3, 'a file of another name: exit status';
    like $run->{err}, qr/\(file-tokens\.jsonl, not file-staging\.jsonl\); check .*--source, and --db/,
        'named';
    is $world->sync('check')->{status}, 4, 'check tells them apart';
    $world->{file} = $world->dir . '/t k.jsonl';
    $world->put(@some);
    like $world->sync('run')->{err}, qr/not file-[0-9a-f]{32}\)/, 'a name that is no identifier';
    is $world->sync('run', '--force')->{status}, 0, '--force';
    is $world->sync('run')->{status}, 0, 'takes the store over';

    $world->{file} = $file;
    $world->ctl_ok('init');
    my @registry = ('--registry', 'sqlite:' . $world->registry);
    is $world->store_only({}, 'run', @registry)->{status}, 3, 'a registry is another one, too';
    is $world->decision('t1-token'), 'ok', 'nothing was changed';
};

subtest 'a file that lost most of its tokens' => sub {
    my $world  = TokenAuth::FileWorld->new;
    my @tokens = map { token("t$_") } 1 .. 101;
    $world->put(@base, @tokens);
    $world->sync_ok('run');
    $world->put(@base, @tokens[ 0 .. 49 ]);
    my $run = $world->sync('run');
    is $run->{status}, 3, 'exit status';
    like $run->{err}, qr/the removal of 51 tokens is held back .*; check the file .*tokens\.jsonl, and if/,
        'named';
    is $world->decision('t60-token'), 'ok', 'they are served';
    is $world->sync('run', '--force')->{status}, 0, '--force';
    is $world->decision('t60-token'), 'token_unknown', 'removes them';
};

subtest 'check' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->put(@some);
    $world->sync_ok('run');
    like $world->sync_ok('check'), qr/^the store \S+ and the file \S+tokens\.jsonl hold the same$/,
        'equal';
    $world->put(@some[ 0 .. 3 ], token('t4'));
    my $check = $world->sync('check');
    is $check->{status}, 4, 'exit status where they differ';
    like $check->{out}, qr/^missing +token +t4 +-$/m, 'missing';
    like $check->{out}, qr/^extra +token +t3 +-$/m, 'extra';
    like $check->{err}, qr/the store is behind: run "tokensync run"$/, 'remedy';
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'equal again';
};

subtest 'an export makes the same store as its registry' => sub {
    my $world = TokenAuth::FileWorld->new;
    $world->ctl_ok('init');
    $world->import_lines(@some, user('ann'),
        { type => 'membership', user => 'ann', organization => 'acme', role => 'reader' },
        { type => 'group', organization => 'acme', id => 'ops' },
        token('g1', kind => 'group', group => 'ops', scopes => ['agents:*'], allow => ['::1/128']),
        token('p1', kind => 'user', user => 'ann', organization => undef, description => 'words'));
    $world->ctl_ok('user', 'disable', 'tu-t2');
    $world->ctl_ok('revoke', 't3');
    (my $rotated = $world->ctl_ok('rotate', 't1')) =~ s/\n//;
    TokenAuth::Sync::spew($world->file, $world->ctl_ok('export'));
    $world->age;
    $world->sync_ok('run');

    my $dump = sub {
        my @lines = grep { /^ / } split /\n/, $world->run_program({}, 'mdb_dump', $_[0])->{out};
        my %records = @lines;
        delete $records{ ' ' . 'ff' x 8 };
        return \%records;
    };
    my $other = $world->dir . '/other';
    my $run = $world->run_program({}, $world->tool('tokensync'), '--registry',
        'sqlite:' . $world->registry, '--db', $other, 'run');
    is $run->{status}, 0, 'from the registry';
    my $records = $dump->($world->db);
    is scalar(keys %$records), 7, 'records';
    is_deeply $records, $dump->($other), 'are the same';
    is $world->decision($rotated), 'ok', 'a successor';
    is $world->decision('t2-token'), 'token_revoked', 'a disabled technical user';
};

done_testing;
