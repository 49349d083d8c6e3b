# tokensync explain: every decision, and that it never shows the token.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use IO::Pty;
use POSIX ();
use IO::Select;
use Test::More;
use TokenAuth::Sync;

sub token { return TokenAuth::Sync::token(@_) }

my $world = TokenAuth::Sync->new;
$world->import_lines(
    { type => 'role', id => 'reader', scopes => ['agents:read'] },
    { type => 'role', id => 'admin',  scopes => ['*'] },
    { type => 'organization', id => 'acme' },
    { type => 'organization', id => 'hooli', suspended => JSON::PP::true },
    { type => 'group', organization => 'acme', id => 'devs' },
    { type => 'user', id => 'ann' },
    { type => 'user', id => 'carl', disabled => JSON::PP::true },
    { type => 'membership', user => 'ann', organization => 'acme', role => 'reader' },
    token('plain', role => 'admin', scopes => ['agents:read']),
    token('bare'),
    token('scoped',  scopes => ['agents:read']),
    token('role',    role => 'reader'),
    token('gone',    revoked => '2026-01-01T00:00:00Z'),
    token('later',   not_before => '2099-01-01T00:00:00Z'),
    token('expired', expires => '2026-01-01T00:00:00Z'),
    token('bound',   allow => ['192.0.2.0/24']),
    token('hooli',   organization => 'hooli'),
    token('devs',    kind => 'group', group => 'devs'),
    token('ann',     kind => 'user', organization => undef, user => 'ann'),
    token('carl',    kind => 'user', organization => undef, user => 'carl'),
);
$world->sync_ok('run');

my @cases = (
    # [ line on standard input, options, decision, HTTP status, reason ]
    ['plain-token', [], 'ok', 0, qr/^the token "plain" is valid and meets all that was asked for$/],
    ['Bearer plain-token', [], 'ok', 0, qr/"plain"/],
    ['token  plain-token ', [], 'ok', 0, qr/"plain"/],
    ['Token token="plain-token"', [], 'ok', 0, qr/"plain"/],
    ['', [], 'credentials_missing', 401, qr/^the line is empty/],
    ['Basic cGxhaW4tdG9rZW4=', [], 'credentials_missing', 401, qr/scheme other than Bearer/],
    ['Bearer', [], 'request_malformed', 400, qr/no well-formed token behind it/],
    ['Token token="plain-token', [], 'request_malformed', 400, qr/no well-formed/],
    ['plain_token!', [], 'token_malformed', 401, qr/a character that is not allowed in tokens/],
    ['x' x 4097, [], 'token_malformed', 401, qr/longer than 4096 bytes/],
    ['other-token', [], 'token_unknown', 401, qr/no token with this digest/],
    ['gone-token', [], 'token_revoked', 401, qr/"gone" is revoked \(tokenctl restore/],
    ['carl-token', [], 'token_revoked', 401, qr/the user "carl" of the token "carl" is disabled/],
    ['later-token', [], 'token_not_yet_valid', 401, qr/valid from 2099-01-01T00:00:00Z on, and/],
    ['later-token', ['--at', '2099-01-01'], 'ok', 0, qr/valid/],
    ['expired-token', [], 'token_expired', 401, qr/expired at 2026-01-01T00:00:00Z, and it is/],
    ['expired-token', ['--at', '2025-12-31T23:59:59Z'], 'ok', 0, qr/valid/],
    ['bound-token', [], 'address_not_allowed', 403, qr/bound to addresses, and no --address/],
    ['bound-token', ['--address', '203.0.113.9'], 'address_not_allowed', 403,
        qr/blocks of the token "bound" do not hold 203\.0\.113\.9/],
    ['bound-token', ['--address', '192.0.2.77'], 'ok', 0, qr/valid/],
    ['plain-token', [qw(--kind user --kind group)], 'kind_not_allowed', 403,
        qr/of the kind organization, which is not among/],
    ['ann-token', [], 'organization_missing', 401, qr/the request names none \(--org\)/],
    ['ann-token', ['--org-mode', 'off'], 'ok', 0, qr/valid/],
    ['ann-token', ['--org-mode', 'optional'], 'ok', 0, qr/valid/],
    ['ann-token', ['--org', 'a b'], 'organization_malformed', 400,
        qr/organization "a b" is no identifier/],
    ['ann-token', ['--org', 'acme'], 'ok', 0, qr/valid/],
    ['plain-token', ['--org', 'hooli'], 'organization_mismatch', 403,
        qr/belongs to the organization "acme", and the request names "hooli"/],
    ['ann-token', ['--org', 'hooli'], 'not_a_member', 403,
        qr/"ann" is no member of "hooli", or there is no such/],
    ['hooli-token', [], 'organization_suspended', 403, qr/"hooli" is suspended/],
    ['plain-token', ['--group', 'devs'], 'group_missing', 403,
        qr/not for a group, and one of "devs" is asked for/],
    ['devs-token', ['--group', 'ops acme/ops'], 'group_missing', 403,
        qr{for the group "acme/devs", and one of "ops", "acme/ops"}],
    ['devs-token', ['--group', 'acme/devs'], 'ok', 0, qr/valid/],
    ['bare-token', ['--role', 'admin'], 'role_missing', 403, qr/has no role here/],
    ['role-token', [qw(--role admin --role owner)], 'role_missing', 403,
        qr/is "reader", and one of "admin", "owner" is asked for/],
    ['role-token', ['--role', 'reader'], 'ok', 0, qr/valid/],
    ['bare-token', ['--scope', 'a'], 'scope_missing', 403, qr/neither a role here nor scopes/],
    ['scoped-token', ['--scope', 'agents:read agents:write'], 'scope_missing', 403,
        qr/its own scopes \(agents:read\) do not cover "agents:write"$/],
    ['role-token', ['--scope-any', 'a b'], 'scope_missing', 403,
        qr/its role "reader" \(agents:read\) does not cover any of "a", "b"$/],
    ['plain-token', ['--scope', 'x'], 'scope_missing', 403,
        qr/its role "admin" \(\*\) and its own scopes \(agents:read\) do not both cover "x"/],
    ['plain-token', ['--scope', 'agents:read', '--scope-any', 'x agents:read'], 'ok', 0,
        qr/valid/],
);

my %reached;
for my $case (@cases) {
    my ($line, $options, $decision, $status, $reason) = @$case;
    my $what = length $line > 40 ? 'a long line' : "'$line' @$options";
    my $result = $world->sync({ stdin => "$line\n" }, 'explain', '--json', @$options);
    is $result->{status}, 0, "$what: exit status" or diag $result->{err};
    my $json = decode_json($result->{out} || '{}');
    is $json->{decision}, $decision, "$what: decision";
    is $json->{status}, $status, "$what: HTTP status";
    like $json->{reason}, $reason, "$what: reason";
    my $text = $world->sync({ stdin => $line }, 'explain', @$options);
    like $text->{out}, qr/^decision +$decision$/m, "$what: for people";
    my ($token) = $line =~ /([a-z]+[-_]token)/;
    unlike join('', map { @$_{qw(out err)} } $result, $text), qr/\Q$token\E/,
        "$what: the token is not shown" if defined $token;
    $reached{$decision} = 1;
}

subtest 'what it says of the token' => sub {
    my $result = $world->sync({ stdin => 'plain-token' }, 'explain', '--json');
    my $json = decode_json($result->{out});
    is_deeply { map { $_ => $json->{$_} }
            qw(token name kind subject organization group role scopes expires) },
        {
            token => 'plain', name => 'plain', kind => 'organization', subject => 'tu-plain',
            organization => 'acme', group => '', role => 'admin', scopes => 'agents:read',
            expires => '2100-01-01T00:00:00Z',
        }, 'as JSON';
    like $world->sync({ stdin => 'plain-token' }, 'explain')->{out},
        qr/^decision +ok\nstatus +let through\ntoken +plain\nname +plain\nkind +organization\n/,
        'for people';
};

subtest 'a typo' => sub {
    chomp(my $token = $world->ctl_ok(qw(create --org acme --name typo)));
    my ($id) = $token =~ /_(\w+)\./;
    $world->sync_ok('run');
    is $world->decision($token), 'ok', 'the token itself';
    my $middle = $token =~ s/(?<=\..{5})(.)/$1 eq 'x' ? 'y' : 'x'/er;
    my %typos = (replaced => $middle, 'too short' => substr($token, 0, -1), 'too long' => $token . 'x',
        'cut off' => substr($token, 0, 30), 'another prefix' => "x$token");
    for my $what (sort keys %typos) {
        my $json = decode_json($world->sync({ stdin => $typos{$what} }, qw(explain --json))->{out});
        is_deeply [ @$json{qw(decision id_in_token typo)} ], [ 'token_unknown', $id, JSON::PP::true ], $what;
        like $json->{reason}, qr/^a typo: .*it was to be the token "$id"$/, "$what: reason";
        unlike join('', %$json), qr/\Q@{[ substr $typos{$what}, 15 ]}\E/, "$what: not shown";
    }
    $world->ctl_ok('delete', $id);
    $world->sync_ok('run');
    my $text = $world->sync({ stdin => $token }, 'explain')->{out};
    like $text, qr/^id in token +$id$/m, 'one that was deleted: its id';
    like $text, qr/^reason +the store holds no token .*; it is no typo, and gives "$id"/m, 'and that it is no typo';
    unlike $world->sync({ stdin => 'other-token' }, 'explain')->{out}, qr/typo|id in token/, 'a token made elsewhere';
};

subtest 'a store that is behind' => sub {
    my $of = sub { return decode_json($world->sync({ stdin => 'plain-token' }, qw(explain --json))->{out}) };
    is $of->()->{behind}, JSON::PP::false, 'up to date';
    like $world->sync({ stdin => 'plain-token' }, 'explain')->{out}, qr/^store +up to date with the registry$/m, 'for people';
    $world->ctl_ok('revoke', 'plain');
    my $json = $of->();
    is_deeply [ @$json{qw(decision behind)} ], [ 'ok', JSON::PP::true ], 'a revocation that has not arrived';
    like $world->sync({ stdin => 'plain-token' }, 'explain')->{out},
        qr/^store +behind the registry, .*run "tokensync run --db \S+"/m, 'for people, with the remedy';
    $world->ctl_ok('restore', 'plain');
    $world->sync_ok('run');
    is $of->()->{behind}, JSON::PP::false, 'up to date again';
    my $alone = $world->run_program({ stdin => 'plain-token' }, $world->tool('tokensync'), '--db', $world->db,
        '--registry', 'sqlite:' . $world->dir . '/none', 'explain');
    is $alone->{status}, 0, 'without a registry there is a decision, too';
    like $alone->{out}, qr/^decision +ok\n.*^store +last synced at \S+Z; the registry cannot be asked: /ms, 'and when it was synced';
};

subtest 'a store that is too old' => sub {
    sleep 2;
    my $result = $world->sync({ stdin => 'plain-token' }, qw(explain --json --max-age 0s));
    my $json = decode_json($result->{out});
    is_deeply [ @$json{qw(decision status)} ], [ 'store_stale', 503 ], 'decision';
    $reached{store_stale} = 1;
    is $world->decision('plain-token', '--max-age', '1h'), 'ok', 'young enough';
};

subtest 'keyed digests' => sub {
    my ($key, $other) = map { $world->dir . "/$_" } qw(key other);
    TokenAuth::Sync::spew($key,   'k' x 40 . "\n");
    TokenAuth::Sync::spew($other, 'o' x 40 . "\n");
    chomp(my $token = $world->ctl_ok('create', '--org', 'acme', '--name', 'keyed', '--key', $key));
    $world->sync_ok('run');
    is $world->decision($token, '--key', $key), 'ok', 'with its key';
    is $world->decision($token, '--key', $other, '--key', $key), 'ok', 'with several keys';
    is $world->decision('plain-token'), 'ok', 'others need none';
    my $result = $world->sync({ stdin => $token }, 'explain', '--key', $other);
    is $result->{status}, 1, 'without its key there is no decision';
    like $result->{err}, qr/cannot decide: .* without the key [0-9a-f]{8}, .* give its file with/,
        'but the remedy';
    unlike $result->{err}, qr/\Q$token\E/, 'and not the token';
};

is_deeply [ sort keys %reached ], [ sort qw(ok credentials_missing request_malformed
    token_malformed store_stale token_unknown token_revoked token_not_yet_valid token_expired
    address_not_allowed kind_not_allowed organization_missing organization_malformed
    organization_mismatch not_a_member organization_suspended group_missing role_missing
    scope_missing) ], 'all codes but anonymous and store_unavailable were reached';

subtest 'a token on the command line is refused, and not repeated' => sub {
    for my $token ('short', 'ak_abcdefgh.' . 'S' x 49, 'pat_x.y') {
        for my $arguments ([$token], ["--token=$token"], ['--token', $token]) {
            my $result = $world->sync('explain', @$arguments);
            is $result->{status}, 2, 'exit status';
            unlike $result->{out} . $result->{err}, qr/\Q$token\E/, 'not repeated';
        }
    }
    like $world->sync('explain', 'short')->{err}, qr/read from standard input/, 'the remedy';
};

subtest 'more than a token on standard input' => sub {
    for my $input ("first-token\nsecond-token\n", 'x' x 20_000) {
        my $result = $world->sync({ stdin => $input }, 'explain');
        is $result->{status}, 2, 'exit status';
        like $result->{err}, qr/give one token on one line/, 'remedy';
        unlike $result->{err}, qr/first|second|xxxx/, 'not repeated';
    }
};

# What is typed at the prompt, how the tool ended, and whether the terminal shows typing again.
sub at_prompt {
    my ($typed) = @_;
    my $pty = IO::Pty->new;
    my $slave = $pty->slave;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $pty->make_slave_controlling_terminal;
        $SIG{INT} = 'DEFAULT';    # a background job of a shell ignores it
        my $terminal = $pty->slave;
        open STDIN, '<&', $terminal;
        open STDOUT, '>&', $terminal;
        open STDERR, '>&', $terminal;
        exec $world->tool('tokensync'), $world->locations, 'explain' or die;
    }
    my $echo = sub {
        my $settings = POSIX::Termios->new;
        $settings->getattr(fileno $slave);
        return $settings->getlflag & POSIX::ECHO() ? 1 : 0;
    };
    my $hidden = TokenAuth::Sync::eventually(sub { !$echo->() });
    syswrite $pty, $typed;
    waitpid $pid, 0;
    my $status = $?;
    my $shows = $echo->();
    my $output = '';
    # the terminal may hand on what was written in pieces
    1 while IO::Select->new($pty)->can_read(0.3) && sysread $pty, $output, 4096, length $output;
    return ($hidden, $status, $shows, $output);
}

subtest 'a terminal on standard input' => sub {
    my ($hidden, $status, $shows, $output) = at_prompt("plain-token\n");
    ok $hidden, 'typing is hidden';
    is $status, 0, 'exit status';
    ok $shows, 'typing shows again';
    like $output, qr/^decision +ok/m, 'decision';
    unlike $output, qr/plain-token/, 'the token is not shown';

    ($hidden, $status, $shows) = at_prompt("plain\x03");
    is $status & 127, POSIX::SIGINT(), 'Ctrl-C ends it';
    ok $shows, 'and typing shows again';
};

done_testing;
