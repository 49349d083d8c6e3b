# Who calls by a token: as nginx lets it in, but by the registry; and what it holds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $login = TokenAuth::Login->start;
$login->person('ann', 'correct horse battery');
$login->ctl(qw(org add acme zoo));
$login->ctl(qw(org set acme --display-name Acme));
$login->ctl(qw(org add sys --system));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set admin auth:*));
$login->ctl(qw(role set lead auth:tokens:read));
$login->ctl(qw(role set root auth:system));

sub token {
    my (@options) = @_;
    chomp(my $token = $login->ctl('create', '--name', 'x', @options));
    my ($id) = $token =~ /_(.*?)\./;
    return ($token, $id);
}

sub me {
    my ($token, %options) = @_;
    return $login->call('GET', '/me', headers => { Authorization => "Bearer $token" }, %options);
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

subtest 'codes and challenges' => sub {
    my ($token, $id) = token(qw(--org acme));
    is me($token)->{status}, 200, 'a token';
    is $login->call('GET', '/me', headers => { Authorization => "Token $token" })->{status}, 200, 'by the scheme Token';
    my $none = $login->call('GET', '/me');
    is code_of($none), '401 credentials_missing', 'none';
    is $none->{headers}{'www-authenticate'}, 'Bearer realm="token-auth", Token realm="token-auth"', 'its challenges';
    is code_of($login->call('GET', '/me', headers => { Authorization => 'Basic YTpi' })), '401 credentials_missing', 'another scheme';
    is code_of($login->call('GET', '/me', headers => { Authorization => 'Bearer' })), '400 request_malformed', 'no token';
    is code_of(me('a, b')), '401 token_malformed', 'two';
    is code_of(me("a\x{7f}")), '401 token_malformed', 'none that could be one';
    my $unknown = me('ak_7Hq.secret');
    is code_of($unknown), '401 token_unknown', 'an unknown one';
    is $unknown->{headers}{'www-authenticate'},
        join(', ', map { qq($_ realm="token-auth", error="invalid_token", error_description="$unknown->{json}{detail}") } qw(Bearer Token)), 'its challenges';
    unlike $login->api->log, qr/secret/, 'it is in no log';

    $login->ctl('revoke', $id);
    is code_of(me($token)), '401 token_revoked', 'revoked';
    $login->ctl('restore', $id);
    is me($token)->{status}, 200, 'restored';
    $login->sql("UPDATE tokens SET expires_at = 1 WHERE id = '$id'");
    is code_of(me($token)), '401 token_expired', 'expired';
    $login->sql("UPDATE tokens SET expires_at = 0, not_before = 4000000000 WHERE id = '$id'");
    is code_of(me($token)), '401 token_not_yet_valid', 'not yet valid';
    $login->sql("UPDATE tokens SET not_before = 0, allow = '192.0.2.0/24 2001:db8::/32' WHERE id = '$id'");
    is me($token, address => $_)->{status}, 200, "from $_" for '192.0.2.200', '2001:db8::1', '::ffff:192.0.2.9';
    is code_of(me($token, address => $_)), '403 address_not_allowed', 'not from ' . ($_ // 'nowhere') for '198.51.100.1', '2001:db9::1', undef, 'unix:';
    $login->sql("UPDATE tokens SET allow = '' WHERE id = '$id'");
    $login->ctl(qw(org suspend acme));
    is code_of(me($token)), '403 organization_suspended', 'of a suspended organization';
    $login->ctl(qw(org resume acme));
    $login->ctl('delete', $id);
    is code_of(me($token)), '401 token_unknown', 'deleted';
    my ($personal) = token(qw(--user ann));
    is me($personal)->{status}, 200, 'a personal one';
    $login->ctl(qw(user disable ann));
    is code_of(me($personal)), '401 token_revoked', 'of a disabled person';
    $login->ctl(qw(user enable ann));
};

subtest 'what they hold' => sub {
    my ($token, $id) = token(qw(--org acme --role admin));
    my $me = me($token)->{json};
    is $me->{user}, "tu-$id", "an organization's token is its technical user";
    is_deeply [ @$me{qw(via token display_name email)} ], [ 'token', $id, undef, undef ], 'by a token';
    is_deeply $me->{organizations}, [ {
        id => 'acme', display_name => 'Acme', suspended => JSON::PP::false, role => 'admin', groups => [],
        may => [ map { "auth:$_" } qw(audit:read groups:write members:read members:write rotate tokens:read tokens:write) ] } ], 'where it is';
    my ($narrow) = token(qw(--org acme --role admin --scope auth:tokens:write));
    is_deeply me($narrow)->{json}{organizations}[0]{may}, [qw(auth:tokens:read auth:tokens:write)], 'what its own list leaves';
    my ($bare) = token(qw(--org acme));
    is_deeply me($bare)->{json}{organizations}[0]{may}, [], 'nothing without role and list';
    my ($group) = token(qw(--group acme/ops --scope auth:tokens:read));
    my $place = me($group)->{json}{organizations}[0];
    is_deeply [ @$place{qw(role may groups)} ], [ undef, [], [ { id => 'ops', role => undef, may => ['auth:tokens:read'] } ] ], "a group's token";
    my ($system) = token(qw(--org sys --role root));
    is me($system)->{json}{system}, JSON::PP::true, "a token of the system's organization";
    is me($token)->{json}{system}, JSON::PP::false, 'others are not';

    $login->ctl(qw(member add ann zoo --role lead));
    $login->ctl(qw(member add ann acme/ops --role lead));
    my $cookie = cookie_of($login->log_in('ann', 'correct horse battery'));
    my $of_person = $login->call('GET', '/me', cookie => $cookie)->{json}{organizations};
    is_deeply [ map { [ @$_{qw(id role may)}, map { @$_{qw(id role may)} } @{ $_->{groups} } ] } @$of_person ],
        [ [ 'acme', undef, [], 'ops', 'lead', ['auth:tokens:read'] ], [ 'zoo', 'lead', ['auth:tokens:read'] ] ], 'a person, in organizations and groups';
    my ($personal) = token(qw(--user ann));
    is_deeply [ map { $_->{may} } @{ me($personal)->{json}{organizations} } ], [ [], [] ], 'a personal token manages nothing without a list';
    ($personal) = token(qw(--user ann --scope auth:tokens:read));
    is_deeply me($personal)->{json}{organizations}[1]{may}, ['auth:tokens:read'], 'and what its list names';
    $login->ctl(qw(org suspend zoo));
    is $login->call('GET', '/me', cookie => $cookie)->{json}{organizations}[1]{suspended}, JSON::PP::true, 'suspended ones are shown to people';
    is me($personal)->{json}{organizations}[1]{suspended}, JSON::PP::true, 'and to their tokens';

    my %sessions_only = ('PATCH /me' => '{"display_name":"x"}', 'PUT /me/password' => '{"old":"x","new":"123456789012"}', 'DELETE /me/sessions' => undef, 'DELETE /session' => undef);
    for my $operation (sort keys %sessions_only) {
        my ($method, $path) = split ' ', $operation;
        my $answer = $login->call($method, $path, headers => { Authorization => "Bearer $personal" }, defined $sessions_only{$operation} ? (json => $sessions_only{$operation}) : ());
        is code_of($answer), '403 session_required', "$operation by a token";
    }
};

subtest 'many at once' => sub {
    my ($token) = token(qw(--user ann));
    my $text = TokenAuth::Api::request_text('GET', '/api/v1/me', headers => { Authorization => "Bearer $token" });
    my @connections = map { $login->api->connection } 1 .. 64;
    print $_ $text for @connections;
    is scalar(grep { TokenAuth::Api::read_answer($_)->{status} == 200 } @connections), 64, 'all are answered';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
