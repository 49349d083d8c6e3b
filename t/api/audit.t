# The audit trail: who reads what of it, filters, pages.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX qw(strftime);
use Test::More;
use TokenAuth::Login qw(cookie_of);

my $login = TokenAuth::Login->start;
my $password = 'correct horse battery';
$login->ctl(qw(org add root --system));
$login->ctl(qw(org add), $_) for qw(acme globex);
$login->ctl(qw(group add), $_) for qw(acme/ops acme/dev globex/ops);
$login->ctl(qw(role set system auth:system));
$login->ctl(qw(role set auditor auth:audit:read));
$login->ctl(qw(role set reader agents:read));
$login->person($_, $password) for qw(ann bob cyd);
$login->ctl(qw(member add ann acme --role auditor));
$login->ctl(qw(member add bob acme --role reader));
$login->ctl(qw(member add cyd acme/ops --role auditor));
my %tokens = (
    system => $login->token(qw(--org root --role system)),
    acme   => $login->token(qw(--org acme --role auditor)),
    ops    => $login->token(qw(--group acme/ops --role auditor)),
    plain  => $login->token(qw(--org acme --role reader)),
);
my ($acme_id) = $tokens{acme} =~ /_(.*?)\./;
my %cookies = map { $_ => cookie_of($login->log_in($_, $password)) } qw(ann bob cyd);

# A call by a token or by a person's session.
sub audit {
    my ($by, $query) = @_;
    return $login->call('GET', '/audit' . ($query // ''), $cookies{$by} ? (cookie => $cookies{$by}) : (bearer => $tokens{$by}));
}
sub code { return "$_[0]{status} " . ($_[0]{json} // {})->{code} // '' }
sub rows { return $_[0]{json}{items} }
sub told { return [ map { join ' ', @{$_}{qw(action entity key)} } @{ rows($_[0]) } ] }
sub each_has {
    my ($answer, $test, $what) = @_;
    is $answer->{status}, 200, $what;
    my @rows = @{ rows($answer) };
    ok @rows > 0, 'some';
    is_deeply [ grep { !$test->() } @rows ], [], 'and no others';
    return;
}

subtest 'an entry' => sub {
    $login->call('PATCH', '/me', cookie => $cookies{ann}, origin => 'https://localhost', json => { display_name => 'Ann' });
    my $entry = rows(audit('ann'))->[0];
    like delete $entry->{at}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'when';
    like delete $entry->{id}, qr/\A\d+\z/, 'its number';
    is_deeply $entry, {
        actor => 'ann', via => 'session', token => undef, address => '192.0.2.1', action => 'update', entity => 'user', key => 'ann',
        organization => undef, group => undef, detail => { display_name => { from => undef, to => 'Ann' } },
    }, 'who, by what, from where, what';
    $login->call('POST', '/users', bearer => $tokens{system}, json => { id => 'made' });
    my $by_token = rows(audit('system'))->[0];
    is $by_token->{via}, 'token', 'a token';
    is $by_token->{token}, ($tokens{system} =~ /_(.*?)\./)[0], 'which one';
    $login->sql(q{INSERT INTO audit (actor, action, entity, key, detail) VALUES ('a tool', 'x', 'y', 'z', '[]')});
    is_deeply rows(audit('system'))->[0]{detail}, {}, 'what a tool wrote';
};

subtest 'without an organization' => sub {
    each_has(audit('ann'), sub { $_->{actor} eq 'ann' && $_->{via} eq 'session' }, "a person's own acts");
    $login->ctl_as('bob', qw(org add by-a-tool));
    unlike join("\n", @{ told(audit('bob')) }), qr/by-a-tool/, 'not those of a tool that says so';
    is_deeply told(audit('bob')), ['login session bob'], 'but those that are';
    is_deeply told(audit('acme')), [], "a token's own acts: none";
    is scalar @{ rows(audit('system', '?limit=200')) }, $login->sql('SELECT count(*) FROM audit')->[0], "the system's, all";
};

subtest 'of an organization' => sub {
    for my $by (qw(ann acme)) {
        each_has(audit($by, '?organization=acme'), sub { $_->{organization} eq 'acme' }, "$by reads it");
        each_has(audit($by, '?organization=acme&group=ops'), sub { $_->{group} eq 'ops' }, 'and of a group');
        is code(audit($by, '?organization=globex')), '404 not_found', 'not of another one';
        is code(audit($by, '?organization=globex&group=ops')), '404 not_found', 'nor of its group';
        is code(audit($by, '?organization=nothing')), '404 not_found', 'nor of none';
    }
    for my $by (qw(cyd ops)) {
        each_has(audit($by, '?organization=acme&group=ops'), sub { $_->{group} eq 'ops' }, "$by reads a group's");
        is code(audit($by, '?organization=acme')), '403 scope_missing', "not the organization's";
        is code(audit($by, '?organization=acme&group=dev')), '404 not_found', "nor another group's";
        is code(audit($by, '?organization=acme&group=gone')), '404 not_found', 'nor of what is not there';
    }
    for my $by (qw(bob plain)) {
        my $answer = audit($by, '?organization=acme');
        is code($answer), '403 scope_missing', "$by may not";
        is $answer->{json}{scope}, 'auth:audit:read', 'without the scope';
    }
    $login->ctl(qw(group remove acme/dev));
    each_has(audit('ann', '?organization=acme&group=dev'), sub { $_->{group} eq 'dev' }, 'entries outlive a group');
    $login->ctl(qw(org remove globex));
    each_has(audit('system', '?organization=globex'), sub { $_->{organization} eq 'globex' }, 'and an organization');
};

subtest 'filters' => sub {
    my $id = ($tokens{plain} =~ /_(.*?)\./)[0];
    $login->ctl('revoke', $id);
    $login->ctl('restore', $id);
    is_deeply told(audit('ann', "?organization=acme&token=$id")), [ map { "$_ token $id" } qw(restore revoke create) ], 'what was done to a token';
    my $system = ($tokens{system} =~ /_(.*?)\./)[0];
    is_deeply told(audit('system', "?token=$system")), [ 'add user made', "create token $system" ], 'or by it';
    each_has(audit('system', '?actor=ann'), sub { $_->{actor} eq 'ann' }, 'of an actor');
    is_deeply told(audit('ann', '?actor=bob')), [], "none of another's without an organization";
    $login->sql(q{UPDATE audit SET at = 1000 WHERE entity = 'role'});
    each_has(audit('system', '?until=1970-01-02'), sub { $_->{entity} eq 'role' }, 'until');
    is_deeply told(audit('system', '?since=1970-01-01T00:16:40Z&until=1970-01-01T00:16:40Z')), [], 'before it';
    each_has(audit('system', '?since=1970-01-01T00:16:40Z&until=1970-01-01T00:16:41Z'), sub { $_->{entity} eq 'role' }, 'since, and then');
    each_has(audit('system', '?since=1h&limit=200'), sub { $_->{entity} ne 'role' }, 'a duration counts back');
    is_deeply told(audit('system', '?until=1d&since=2d')), [], 'from now';
    my $wrong = audit('ann', '?group=ops&since=x&until=2027&actor=&token=a%20b&limit=0&q=1');
    is code($wrong), '400 query_invalid', 'what is wrong';
    is_deeply [ sort map { $_->{field} } @{ $wrong->{json}{errors} } ], [qw(actor group limit q since token until)], 'at once';
};

subtest 'pages' => sub {
    my @all = @{ told(audit('system', '?organization=acme')) };
    my (@seen, $cursor);
    for (1 .. @all) {
        my $page = audit('system', '?organization=acme&limit=3' . (defined $cursor ? "&cursor=$cursor" : ''));
        push @seen, @{ told($page) };
        $login->ctl($_ % 2 ? 'revoke' : 'restore', $acme_id);    # an entry more
        $cursor = $page->{json}{next_cursor} // last;
    }
    is_deeply \@seen, \@all, 'each entry once, whatever comes meanwhile';
    my $page = audit('system', '?organization=acme&limit=1');
    is code(audit('system', "?limit=1&cursor=$page->{json}{next_cursor}")), '400 cursor_invalid', 'a cursor of another list';
    is code(audit('bob', "?organization=acme&limit=1&cursor=$page->{json}{next_cursor}")), '403 scope_missing', 'gives no rights';
};

subtest 'a suspended organization' => sub {
    $login->ctl('restore', $acme_id);
    $login->ctl(qw(org suspend acme));
    is audit('ann', '?organization=acme')->{status}, 200, 'a session reads it';
    is code(audit('acme', '?organization=acme')), '403 organization_suspended', 'a token does not';
};

is_deeply [ $login->misfits ], [], 'all of it is as docs/openapi.json says';
done_testing;
