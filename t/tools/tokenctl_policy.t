# The policy of an organization's tokens, and of personal ones: created, rotated, restored.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use TokenAuth::Registry qw(rows_of);
use TokenAuth::Tools qw(done fails_with init_registry json_of new_dir succeeds tokenctl);

my $url;
my $day = 86400;

sub answer { return json_of(done(tokenctl(@_, '--json'))) }
sub ok_all { my @commands = @_; done(tokenctl(@$_)) for @commands; return }

sub populated {
    $url = init_registry(new_dir());
    ok_all([qw(org add acme free)], [qw(org add --system root)], [qw(group add acme/ops)], [qw(user add ann bob)]);
    return;
}

sub refused {
    my ($pattern, @command) = @_;
    my $before = tokenctl('export')->{out};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), 1, $pattern), "@command: refused");
    is(tokenctl('export')->{out}, $before, 'nothing changed');
    return;
}

# How long a token lives, in days.
sub days {
    my ($token) = @_;
    return 'never' if !defined $token->{expires};
    my ($from, $to) = map { my @t = /(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/; POSIX::mktime(@t[ 5, 4, 3, 2 ], $t[1] - 1, $t[0] - 1900) } @$token{qw(created expires)};
    return ($to - $from) / $day;
}
local $ENV{TZ} = 'UTC';
POSIX::tzset();

my $by = qr/says the policy of organization acme; `tokenctl org set` changes it$/;

subtest 'how long a token lives' => sub {
    populated();
    my @org = qw(create --org acme --name n);
    is days(answer(@org)), 90, 'without a policy: 90 days';
    ok_all([qw(org set acme --max-life 30d)]);
    is days(answer(@org)), 30, 'at most what the policy allows';
    is days(answer(qw(create --group acme/ops --name n))), 30, 'in its groups, too';
    is days(answer(qw(create --org free --name n))), 90, 'not in another organization';
    is days(answer(qw(create --user ann --name n))), 90, 'nor for people';
    is days(answer(@org, qw(--expires 30d))), 30, 'as long as that';
    refused(qr/expires must be at most 30d after the token's creation \(max_life\): so $by/, @org, '--expires', $_) for '721h', 'never', '2099-01-31';
    ok_all([qw(org set acme --default-life 7d)]);
    is days(answer(@org)), 7, 'the default';
    is days(answer(@org, qw(--expires 8d))), 8, 'only if nothing else is said';
    ok_all([qw(org set acme --max-life none --default-life 200d)]);
    is days(answer(@org)), 200, 'which may be longer than ours';
    ok_all([qw(org set root --max-life 10d)]);
    is days(answer(qw(create --user ann --name n))), 10, 'people keep to the policy of the system organization';
    ok fails_with(tokenctl(qw(create --user ann --name n --expires 11d)), 1, qr/says the policy of personal tokens, which is that of the system organization;/), 'and are told so';
    ok fails_with(tokenctl(@org, qw(--not-before 201d)), 2, qr/would expire .* before it is valid/), 'a token that begins after its end';
};

subtest 'rotating' => sub {
    populated();
    my ($long, $short, $never) = map { answer(qw(create --org acme --name n --expires), $_)->{id} } qw(60d 5d never);
    ok_all([qw(org set acme --max-life 30d)]);
    is days(answer('show', $long)), 60, 'a token that is there stays';
    is days(answer('rotate', $long)), 30, 'its successor is cut';
    is days(answer('rotate', $short)), 5, 'one that is short enough lives as long as before';
    refused(qr/expires must be at most 30d/, 'rotate', $never, '--expires', $_) for '31d', 'never';
    is days(answer('rotate', $never)), 30, 'one without an end gets one';
    my $bare = answer(qw(create --org acme --name n))->{id};
    ok_all([qw(org set acme --require-allow)]);
    refused(qr/allow must hold at least one address or block \(require_allow\): so $by/, 'rotate', $bare);
};

subtest 'addresses' => sub {
    populated();
    ok_all([qw(org set acme --require-allow)]);
    my @org = qw(create --org acme --name n);
    refused(qr/allow must hold at least one address or block \(require_allow\): so $by/, @org);
    refused(qr{allow must hold no block wider than /8, or /16 of IPv6 \(require_allow\)}, @org, map { ('--allow', $_) } @$_)
        for ['0.0.0.0/0'], ['10.0.0.0/7'], [ '192.0.2.0/24', '::/0' ], ['2000::/15'], ['::ffff:0.0.0.0/96'], [ '192.0.2.1', '128.0.0.0/1' ];
    ok succeeds(tokenctl(@org, '--allow', $_)), $_ for '10.0.0.0/8', '2001::/16', '192.0.2.1', '2001:db8::1', '::ffff:10.0.0.0/104';
    ok succeeds(tokenctl(qw(create --org free --name n --allow 0.0.0.0/0))), 'elsewhere any block will do';
    ok_all([qw(org set acme --max-life 1d)]);
    refused(qr/expires must be at most 1d .*\(max_life\); allow must hold at least one .*\(require_allow\): so $by/, @org, '--expires', '2d');
};

subtest 'how many' => sub {
    populated();
    ok_all([qw(org set acme --max-tokens 2)]);
    my @org  = qw(create --org acme --name n);
    my $full = qr/organization has 2 valid tokens already, and may have no more \(max_tokens\): so $by/;
    my $one  = answer(@org)->{id};
    my $two  = answer(qw(create --group acme/ops --name n))->{id};
    refused($full, @org);
    refused($full, qw(create --group acme/ops --name n));
    ok succeeds(tokenctl(qw(create --org free --name n))), 'another organization';
    refused($full, 'rotate', $one);
    my $successor = answer('rotate', $one, '--grace', '0s')->{id};
    refused($full, @org);
    ok_all([ 'revoke', $successor ]);
    my $three = answer(@org)->{id};
    refused($full, 'restore', $successor);
    is answer('restore', $three)->[0]{outcome}, 'unchanged', 'what is not revoked is no restored one';
    ok_all([ 'revoke', $three ], [ 'restore', $successor ]);
    rows_of($url, "UPDATE tokens SET expires_at = 1 WHERE id = '$successor'");
    ok succeeds(tokenctl('restore', $three)), 'what has expired does not count';
    refused($full, @org);
    ok_all([ 'revoke', $successor ], [ 'restore', $successor ]);
    ok_all([ 'delete', $three ]);
    ok succeeds(tokenctl(@org)), 'nor what is deleted';
    ok_all([qw(org set acme --max-tokens 1)]);
    is scalar(grep { $_->{status} eq 'active' } @{ answer(qw(list --org acme)) }), 2, 'tokens that are there stay';
    ok_all([qw(org set root --max-tokens 1)], [qw(create --user ann --name n)]);
    refused(qr/user has 1 valid token already/, qw(create --user ann --name n));
    ok succeeds(tokenctl(qw(create --user bob --name n))), 'of personal tokens, each person has so many';
    my $import = tokenctl({ stdin => '{"type":"token","id":"imported","digest":"sha256:' . 'a' x 64 . qq(","kind":"organization","organization":"acme","name":"n"}\n) }, 'import', '-');
    ok succeeds($import), 'what is imported is left alone';
};

done_testing;
