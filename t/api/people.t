# What only the system manages: people and their passwords, roles, the catalogue of scopes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Login;

my $login = TokenAuth::Login->start;
my $password = 'correct horse battery';
$login->ctl(qw(org add root --system));
$login->ctl(qw(org add acme));
$login->ctl(qw(role set system auth:system));
$login->ctl(qw(role set reader agents:read));
my %tokens = (
    system => $login->token(qw(--org root --role system)),
    acme   => $login->token(qw(--org acme --scope auth:*)),
);

# A call by a token, "system" if none is named.
sub call {
    my ($method, $path, %options) = @_;
    return $login->call($method, $path, bearer => $tokens{ delete $options{by} // 'system' }, %options);
}
sub code { return "$_[0]{status} " . ($_[0]{json} // {})->{code} // '' }
sub errors { return { map { $_->{field} => $_->{detail} } @{ $_[0]{json}{errors} } } }
sub ids { return [ map { $_->{id} } @{ $_[0]{json}{items} } ] }

subtest 'a person' => sub {
    my $made = call('POST', '/users', json => { id => 'ann', display_name => 'Ann', email => 'ann@example.org' });
    is $made->{status}, 201, 'is added';
    is $made->{headers}{location}, '/api/v1/users/ann', 'where';
    is_deeply { %{ $made->{json} }, created => undef }, {
        id => 'ann', display_name => 'Ann', email => 'ann@example.org', sso_name => undef, disabled => JSON::PP::false,
        has_password => JSON::PP::false, created => undef,
    }, 'as it is';
    is code(call('POST', '/users', json => { id => 'ann' })), '409 exists', 'once';
    my $got = call('GET', '/users/ann');
    is $got->{body}, $made->{body}, 'is got';
    is $got->{headers}{etag}, $made->{headers}{etag}, 'with its tag';

    my $changed = call('PATCH', '/users/ann', json => { email => undef, sso_name => 'ann@corp' }, headers => { 'If-Match' => $got->{headers}{etag} });
    is $changed->{status}, 200, 'is changed';
    is $changed->{json}{email}, undef, 'what is null is taken away';
    is $changed->{json}{sso_name}, 'ann@corp', 'what is named is set';
    is $changed->{json}{display_name}, 'Ann', 'the rest stays';
    isnt $changed->{headers}{etag}, $got->{headers}{etag}, 'with another tag';
    is code(call('PATCH', '/users/ann', json => { display_name => 'x' }, headers => { 'If-Match' => $got->{headers}{etag} })),
        '412 changed_meanwhile', 'not by who did not see that';
    is code(call('DELETE', '/users/ann', headers => { 'If-Match' => $got->{headers}{etag} })), '412 changed_meanwhile', 'nor removed';
    is call('GET', '/users/ann')->{body}, $changed->{body}, 'and stays as it was';
    is_deeply $login->last_audit, [ 'update', 'user', 'ann', { email => { from => 'ann@example.org', to => undef }, sso_name => { from => undef, to => 'ann@corp' } } ],
        'the trail';
};

subtest 'what is wrong is told at once' => sub {
    my $answer = call('POST', '/users', json => { id => 'a b', display_name => '', email => 'nobody', sso_name => "x\x{200b}", disabled => 1 });
    is code($answer), '422 fields_invalid', 'refused';
    is_deeply [ sort keys %{ errors($answer) } ], [qw(disabled display_name email id sso_name)], 'each field';
    is errors($answer)->{disabled}, 'is not known', 'a new one is not disabled';
    is_deeply errors(call('POST', '/users', json => { sso_name => 'ann@corp', email => '' })),
        { id => 'is missing', email => 'must be an e-mail address', sso_name => 'is that of another person' }, 'what the registry finds, too';
    is_deeply errors(call('PATCH', '/users/ann', json => { id => 'x', disabled => undef, email => 1 })),
        { id => 'is not known', disabled => 'must not be null', email => 'must be a text' }, 'of a change';
    call('POST', '/users', json => { id => 'bob' });
    is_deeply errors(call('PATCH', '/users/bob', json => { sso_name => 'ann@corp' })), { sso_name => 'is that of another person' }, 'a name at single sign-on';
};

subtest 'a password' => sub {
    is call('PUT', '/users/ann/password', json => { new => $password })->{status}, 204, 'is set';
    is call('GET', '/users/ann')->{json}{has_password}, JSON::PP::true, 'and told of';
    is_deeply $login->last_audit, [ 'password', 'user', 'ann', { password => 'set' } ], 'the trail';
    my $cookie = TokenAuth::Login::cookie_of($login->log_in('ann', $password));
    is $login->call('GET', '/me', cookie => $cookie)->{status}, 200, 'it logs in';
    is call('PUT', '/users/ann/password', json => { new => "another $password" })->{status}, 204, 'another one';
    ok TokenAuth::Login::ended($login->call('GET', '/me', cookie => $cookie)), 'ends the sessions';
    is code(call('PUT', '/users/ann/password', json => { new => 'short' })), '422 fields_invalid', 'not a short one';
    is_deeply errors(call('PUT', '/users/ann/password', json => {})), { new => 'is missing' }, 'nor none';
    is call('PUT', '/users/ann/password', json => { new => undef })->{status}, 204, 'is taken away';
    is $login->log_in('ann', "another $password")->{status}, 401, 'and does not log in any more';
    is code(call('PUT', '/users/nobody/password', json => { new => $password })), '404 not_found', 'of nobody';
};

subtest 'disabled, enabled' => sub {
    call('PUT', '/users/ann/password', json => { new => $password });
    my $cookie = TokenAuth::Login::cookie_of($login->log_in('ann', $password));
    my $token = $login->token(qw(--user ann));
    my $me = sub { return $login->call('GET', '/me', @_) };
    is $me->(bearer => $token)->{status}, 200, 'a token before';
    is call('PATCH', '/users/ann', json => { disabled => JSON::PP::true })->{json}{disabled}, JSON::PP::true, 'is disabled';
    is code($me->(bearer => $token)), '401 token_revoked', 'the token';
    ok TokenAuth::Login::ended($me->(cookie => $cookie)), 'the session';
    is call('PATCH', '/users/ann', json => { disabled => JSON::PP::false })->{status}, 200, 'is enabled';
    is $me->(bearer => $token)->{status}, 200, 'the token works again';
    ok TokenAuth::Login::ended($me->(cookie => $cookie)), 'the session has ended';
    is code(call('DELETE', '/users/ann')), '409 not_empty', 'not removed with a token';
    is call('DELETE', '/users/ann?force=true')->{status}, 204, 'but on purpose';
    is code(call('GET', '/users/ann')), '404 not_found', 'is gone';
    is code($me->(bearer => $token)), '401 token_unknown', 'and so is the token';
};

subtest 'the list' => sub {
    $login->sql('UPDATE users SET created_at = 1000 WHERE technical = 0');
    call('POST', '/users', json => { id => "p$_", display_name => "Name $_" }) for 1 .. 5;
    $login->sql("UPDATE users SET created_at = 2000 WHERE id IN ('p2', 'p3', 'p4')");
    my @seen;
    my $path = '/users?limit=2';
    for (1 .. 4) {
        my $page = call('GET', $path . (@seen ? '&cursor=' . $seen[-1]{json}{next_cursor} : ''));
        push @seen, $page;
        call('POST', '/users', json => { id => "meanwhile$_" });
        last if !defined $page->{json}{next_cursor};
    }
    my @ids = map { @{ ids($_) } } @seen;
    is_deeply [ grep { /^(p|bob)/ } @ids ], [qw(p5 p1 p4 p3 p2 bob)], 'newest first, each once'
        or diag "@ids";
    is_deeply [ grep { /^tu-/ } @ids ], [], 'without technical users';
    is_deeply ids(call('GET', '/users?q=p')), [qw(p5 p1 p4 p3 p2)], 'by the id';
    is_deeply ids(call('GET', '/users?q=Name%203')), ['p3'], 'by the name';
    is code(call('GET', "/users?limit=2&q=p&cursor=$seen[0]{json}{next_cursor}")), '400 cursor_invalid', 'a cursor of another list';
    is code(call('GET', '/users?limit=201')), '400 query_invalid', 'too many';
    is code(call('GET', '/users?sort=name')), '400 query_invalid', 'what is no parameter';
    my ($technical) = @{ $login->sql('SELECT id FROM users WHERE technical = 1 LIMIT 1') };
    is code(call($_, "/users/$technical", $_ eq 'PATCH' ? (json => {}) : ())), '404 not_found', "$_ of a technical user" for qw(GET PATCH DELETE);
};

subtest 'roles' => sub {
    my $made = call('PUT', '/roles/writer', json => { scopes => [qw(agents:write agents:read agents:write)] });
    is $made->{status}, 201, 'one is made';
    is $made->{headers}{location}, '/api/v1/roles/writer', 'where';
    is_deeply $made->{json}, { id => 'writer', description => '', scopes => [qw(agents:read agents:write)] }, 'sorted, each scope once';
    is call('GET', '/roles/writer')->{body}, $made->{body}, 'is got';
    my $put = call('PUT', '/roles/writer', json => { scopes => ['agents:*'], description => 'Writes' }, headers => { 'If-Match' => $made->{headers}{etag} });
    is $put->{status}, 200, 'is replaced';
    is_deeply $put->{json}, { id => 'writer', description => 'Writes', scopes => ['agents:*'] }, 'as a whole';
    is_deeply call('PUT', '/roles/writer', json => { scopes => ['agents:*'] })->{json}{description}, '', 'what is left out becomes empty';
    is code(call('PUT', '/roles/writer', json => { scopes => ['x'] }, headers => { 'If-Match' => $made->{headers}{etag} })), '412 changed_meanwhile', 'seen by nobody';
    is code(call('PUT', '/roles/new', json => { scopes => ['x'] }, headers => { 'If-Match' => '*' })), '412 changed_meanwhile', 'nor one that is not there';
    is code(call('GET', '/roles/new')), '404 not_found', 'which is not made';
    is code(call('PUT', '/roles/writer', json => { scopes => ['x'] }, headers => { 'If-None-Match' => '*' })), '412 changed_meanwhile', 'nor is one replaced that should be new';
    is call('PUT', '/roles/fresh', json => { scopes => ['x'] }, headers => { 'If-None-Match' => '*' })->{status}, 201, 'as this one is';
    is call('DELETE', '/roles/fresh')->{status}, 204, 'until it is deleted';
    is_deeply [ sort keys %{ errors(call('PUT', '/roles/x', json => { scopes => [], description => "\x07", more => 1 })) } ],
        [qw(description more scopes)], 'what is wrong';
    is_deeply ids(call('GET', '/roles')), [qw(reader system writer)], 'the list';
    my $page = call('GET', '/roles?limit=2');
    is_deeply ids($page), [qw(reader system)], 'a page of it';
    is_deeply ids(call('GET', "/roles?limit=2&cursor=$page->{json}{next_cursor}")), ['writer'], 'and the next one';

    $login->ctl(qw(member add bob acme --role writer));
    is code(call('DELETE', '/roles/writer')), '409 in_use', 'not deleted if a member has it';
    $login->ctl(qw(member remove bob acme));
    $login->token(qw(--org acme --role writer));
    is code(call('DELETE', '/roles/writer')), '409 in_use', 'nor a token';
    is call('PUT', '/roles/idle', json => { scopes => ['x'] })->{status}, 201, 'one that nobody has';
    is code(call('DELETE', '/roles/idle', headers => { 'If-Match' => '"x"' })), '412 changed_meanwhile', 'not if it is another';
    is call('DELETE', '/roles/idle')->{status}, 204, 'is deleted';
    is code(call('DELETE', '/roles/idle')), '404 not_found', 'once';
};

subtest 'the catalogue' => sub {
    my @items = map { { scope => $_, description => "About $_" } } qw(b:read a:read);
    my $put = call('PUT', '/scopes', json => { items => \@items });
    is $put->{status}, 200, 'is set';
    is_deeply $put->{json}, { items => [ reverse @items ] }, 'sorted';
    my $got = call('GET', '/scopes');
    is $got->{body}, $put->{body}, 'is got';
    my $other = call('PUT', '/scopes', json => { items => [ { scope => 'a:read', description => '' }, { scope => 'c', description => 'C' } ] },
        headers => { 'If-Match' => $got->{headers}{etag} });
    is_deeply $other->{json}, { items => [ { scope => 'a:read', description => '' }, { scope => 'c', description => 'C' } ] }, 'as a whole';
    is_deeply $login->sql("SELECT action || key FROM audit WHERE entity = 'scope' ORDER BY seq DESC LIMIT 3"), [qw(addc updatea:read removeb:read)], 'the trail';
    is code(call('PUT', '/scopes', json => { items => [] }, headers => { 'If-Match' => $got->{headers}{etag} })), '412 changed_meanwhile', 'not if it changed';
    is_deeply errors(call('PUT', '/scopes', json => { items => [ { scope => 'a', description => "\x07" }, { scope => 'a b' }, { scope => 'a', description => '', x => 1 } ] })), {
        'items.0.description' => 'must be at most 1000 bytes of UTF-8 without control or invisible characters, not only spaces',
        'items.1.scope' => 'must hold scopes of 1 to 128 printable ASCII characters, without spaces, quotes and backslashes',
        'items.1.description' => 'is missing', 'items.2.scope' => 'must not come twice', 'items.2.x' => 'is not known',
    }, 'what is wrong';
    is_deeply call('PUT', '/scopes', json => { items => [] })->{json}, { items => [] }, 'is emptied';
};

subtest 'for the system alone' => sub {
    my $before = $login->sql("SELECT count(*) FROM audit");
    my %lists = ('GET /users' => undef, 'POST /users' => { id => 'x' }, 'GET /roles' => undef, 'PUT /roles/reader' => { scopes => ['x'] }, 'GET /scopes' => undef, 'PUT /scopes' => { items => [] });
    for (sort keys %lists) {
        my $answer = call(split(/ /), by => 'acme', defined $lists{$_} ? (json => $lists{$_}) : ());
        is code($answer), '403 scope_missing', $_;
        is $answer->{json}{scope}, 'auth:system', 'which scope';
    }
    my %entries = ('GET /users/bob' => undef, 'PATCH /users/bob' => { disabled => JSON::PP::true }, 'DELETE /users/bob' => undef, 'PUT /users/bob/password' => { new => $password },
        'GET /roles/reader' => undef, 'DELETE /roles/reader' => undef);
    for (sort keys %entries) {
        is code(call(split(/ /), by => 'acme', defined $entries{$_} ? (json => $entries{$_}) : ())), '404 not_found', $_;
    }
    is code($login->call('GET', '/users')), '401 credentials_missing', 'not for nobody';
    is_deeply $login->sql("SELECT count(*) FROM audit"), $before, 'nothing was changed';
};

is_deeply [ $login->misfits ], [], 'all of it is as docs/openapi.json says';
done_testing;
