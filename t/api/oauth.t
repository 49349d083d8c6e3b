# Tokens by their text: introspection (RFC 7662) and revocation (RFC 7009).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Login qw(cookie_of);

my $login = TokenAuth::Login->start;
$login->ctl(qw(org add root --system));
$login->ctl(qw(org add), $_) for qw(acme globex);
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set system auth:system));
$login->ctl(qw(role set gateway auth:tokens:read));
$login->ctl(qw(role set keeper auth:tokens:write));
$login->ctl(qw(role set reader agents:* models:read));
$login->person($_, 'correct horse battery') for qw(ann bob);
$login->ctl(qw(member add ann acme --role reader));
my %tokens = (
    system  => $login->token(qw(--org root --role system)),
    gateway => $login->token(qw(--org acme --role gateway)),
    ops     => $login->token(qw(--group acme/ops --role gateway)),
    keeper  => $login->token(qw(--org acme --role keeper)),
    other   => $login->token(qw(--org globex --role gateway)),
    plain   => $login->token(qw(--org acme --role reader --scope agents:read --expires 90d)),
    grouped => $login->token(qw(--group acme/ops --role reader --expires never)),
    local   => $login->token(qw(--org acme --role reader --allow 192.0.2.0/24)),
    ann     => $login->token(qw(--user ann --scope agents:read)),
    bob     => $login->token(qw(--user bob)),
);
sub id { my ($id) = ($tokens{ $_[0] } // $_[0]) =~ /_(.*?)\./; return $id }

# A call of one of them by another's token, or by what `by` is in %options.
sub ask {
    my ($what, $by, %form) = @_;
    my $token = exists $form{token} ? delete $form{token} : $tokens{$by->[1]};
    my %fields = (defined $token ? (token => $token) : (), %form);
    my $body = join '&', map { (my $value = $fields{$_}) =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ge; "$_=$value" } sort keys %fields;
    return $login->call('POST', "/oauth/$what", bearer => $tokens{ $by->[0] }, body => $body,
        headers => { 'Content-Type' => 'application/x-www-form-urlencoded' });
}
sub introspect { my ($by, $of, %form) = @_; return ask('introspect', [ $by, $of ], %form)->{json} }
sub revoke { my ($by, $of, %form) = @_; return ask('revoke', [ $by, $of ], %form) }
my $inactive = { active => JSON::PP::false };
sub active { return introspect(@_)->{active} ? 1 : 0 }
sub code { return "$_[0]{status} " . ($_[0]{json} // {})->{code} // '' }

subtest 'an active token' => sub {
    my $told = introspect('gateway', 'plain');
    my $iat = delete $told->{iat};
    ok abs($iat - time) < 60, 'since when';
    is delete($told->{exp}) - $iat, 90 * 86400, 'until when';
    is_deeply $told, {
        active => JSON::PP::true, scope => 'agents:read', client_id => id('plain'), jti => id('plain'), token_type => 'Bearer', sub => 'tu-' . id('plain'),
        kind => 'organization', organization => 'acme', role => 'reader',
    }, 'what it is and may do';
    $told = introspect('ops', 'grouped');
    delete $told->{iat};
    is_deeply $told, {
        active => JSON::PP::true, scope => 'agents:* models:read', client_id => id('grouped'), jti => id('grouped'), token_type => 'Bearer',
        sub => 'tu-' . id('grouped'), kind => 'group', organization => 'acme', group => 'ops', role => 'reader',
    }, "a group's, which never expires";
    my $answer = ask('introspect', [qw(gateway plain)], token_type_hint => 'access_token', more => 'x');
    is $answer->{json}{active}, JSON::PP::true, 'other fields are ignored';
    unlike $answer->{body}, qr/\Q$tokens{plain}\E/, 'the token is not in the answer';
};

subtest 'who knows of it' => sub {
    ok active('system', 'plain'), 'the system';
    ok active('gateway', 'grouped'), 'the organization';
    is_deeply introspect(@$_), $inactive, "@$_" for [qw(ops plain)], [qw(other plain)], [qw(plain gateway)], [qw(gateway other)], [qw(ann plain)];
    ok active($_, $_), "$_ knows itself" for qw(plain grouped ann bob);
    is_deeply introspect('gateway', 'plain', token => $_), $inactive, 'no token' for 'nonsense', "$tokens{plain}x", "\x{e2}\x{82}\x{ac}", 'x' x 5000;
};

subtest 'a personal token' => sub {
    my $told = introspect('gateway', 'ann');
    delete @{$told}{qw(iat exp)};
    is_deeply $told, {
        active => JSON::PP::true, scope => 'agents:read', client_id => id('ann'), jti => id('ann'), token_type => 'Bearer', sub => 'ann',
        kind => 'user', organization => 'acme', role => 'reader',
    }, "in the caller's organization, with its scopes there";
    is_deeply introspect('gateway', 'bob'), $inactive, 'not if its owner is no member';
    is_deeply introspect('gateway', 'ann', organization => 'globex'), $inactive, 'nor in another one';
    is_deeply introspect('other', 'ann', organization => 'acme'), $inactive, 'nor for another one';
    ok active('system', 'ann', organization => 'acme'), 'the system names one';
    is_deeply introspect('system', 'ann'), $inactive, 'or it is its own';
    is introspect('ann', 'ann', organization => 'acme')->{organization}, 'acme', 'itself, in one';
    is_deeply introspect('ann', 'ann', organization => 'globex'), $inactive, 'but not where its owner is none';
    my $alone = introspect('ann', 'ann');
    ok !exists $alone->{organization} && !exists $alone->{role}, 'itself, in none';
    is $alone->{scope}, 'agents:read', 'its own list';
    is introspect('bob', 'bob')->{scope}, '', 'which may be none';
};

subtest 'an address' => sub {
    ok active('gateway', 'local', address => '192.0.2.9'), 'one of them';
    is_deeply introspect('gateway', 'local', @$_), $inactive, 'another one, or none' for [], [ address => '198.51.100.1' ], [ address => 'nonsense' ];
};

subtest 'what is not active' => sub {
    $login->ctl('revoke', id('plain'));
    is_deeply introspect('gateway', 'plain'), $inactive, 'revoked';
    $login->ctl('restore', id('plain'));
    ok active('gateway', 'plain'), 'restored';
    for (['expires_at', 'expired'], ['not_before', 'not valid yet']) {
        my ($column, $what) = @$_;
        my ($old) = @{ $login->sql("SELECT $column FROM tokens WHERE id = '" . id('plain') . "'") };
        $login->sql("UPDATE tokens SET $column = " . ($column eq 'expires_at' ? time - 5 : time + 3600) . " WHERE id = '" . id('plain') . "'");
        is_deeply introspect('gateway', 'plain'), $inactive, $what;
        $login->sql("UPDATE tokens SET $column = $old WHERE id = '" . id('plain') . "'");
    }
    $login->ctl(qw(user disable ann));
    is_deeply introspect('gateway', 'ann'), $inactive, "a disabled person's";
    $login->ctl(qw(user enable ann));
    $login->ctl(qw(org suspend acme));
    is_deeply introspect('system', 'plain'), $inactive, 'of a suspended organization';
    is_deeply introspect('system', 'ann', organization => 'acme'), $inactive, 'a personal one there';
    is code(ask('introspect', [qw(gateway plain)])), '403 organization_suspended', 'whose tokens do not ask';
    $login->ctl(qw(org resume acme));
};

subtest 'revocation' => sub {
    my @before = @{ $login->sql('SELECT id FROM tokens WHERE revoked_at <> 0') };
    for ([qw(gateway plain)], [qw(other plain)], [qw(keeper other)], [qw(keeper ann)], [qw(gateway gateway nonsense)]) {
        my ($by, $of, $text) = @$_;
        my $answer = revoke($by, $of, defined $text ? (token => $text) : ());
        is $answer->{status}, 200, "@$_: the answer";
        is $answer->{body}, '', 'says nothing';
    }
    is_deeply $login->sql('SELECT id FROM tokens WHERE revoked_at <> 0'), \@before, 'and nothing was done';
    for ([qw(keeper plain)], [qw(keeper grouped)], [qw(system bob)], [qw(ann ann)], [qw(gateway gateway)]) {
        my ($by, $of) = @$_;
        is revoke($by, $of)->{status}, 200, "$by revokes $of";
        is $login->last_audit->[0] . ' ' . $login->last_audit->[2], 'revoke ' . id($of), 'which is in the trail';
        is code($login->call('GET', '/me', bearer => $tokens{$of})), '401 token_revoked', 'and is refused';
    }
    my $count = $login->sql('SELECT count(*) FROM audit');
    is revoke('keeper', 'plain')->{status}, 200, 'again';
    is_deeply $login->sql('SELECT count(*) FROM audit'), $count, 'does nothing';
};

subtest 'requests that are none' => sub {
    for my $what (qw(introspect revoke)) {
        for ({ token => undef }, { token => '' }) {
            my $answer = ask($what, [qw(keeper plain)], %$_);
            is $answer->{status}, 400, 'without a token';
            is_deeply $answer->{json}, { error => 'invalid_request' }, 'as OAuth says it';
        }
        my %form = (headers => { 'Content-Type' => 'application/x-www-form-urlencoded' });
        for ('token=a&token=b', 'token=%', 'token=%ff') {
            is_deeply $login->call('POST', "/oauth/$what", bearer => $tokens{keeper}, body => $_, %form)->{json}, { error => 'invalid_request' }, $_;
        }
        is code($login->call('POST', "/oauth/$what", bearer => $tokens{keeper}, json => { token => 'x' })), '415 media_type_unsupported', 'JSON';
        is code($login->call('POST', "/oauth/$what", body => 'token=x', %form)), '401 credentials_missing', 'nobody';
        my $cookie = cookie_of($login->log_in('bob', 'correct horse battery'));
        is code($login->call('POST', "/oauth/$what", body => 'token=x', cookie => $cookie, origin => 'https://localhost', %form)), '401 credentials_missing', 'a session';
        is code($login->call('POST', "/oauth/$what?token=$tokens{keeper}", bearer => $tokens{keeper}, body => 'token=x', %form)), '400 query_invalid', 'a token in the address';
        is $login->call('GET', "/oauth/$what", bearer => $tokens{keeper})->{status}, 405, 'GET';
    }
};

is_deeply [ $login->misfits ], [], 'all of it is as docs/openapi.json says';
done_testing;
