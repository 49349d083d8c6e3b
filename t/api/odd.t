# Requests as no client writes them: fields and cookies twice, origins and hosts that are nearly ours, trailers,
# cursors of others, times and numbers at the edge, null in each field.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $password = 'correct horse battery';
my $login = TokenAuth::Login->start;
my $api = $login->api;
$login->person($_, $password) for qw(ann eve);
$login->ctl(qw(org add acme zoo));
$login->ctl(qw(org add sys --system));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(role set root auth:system));
$login->ctl('member', 'add', @$_, '--role', 'admin') for [qw(ann acme)], [qw(eve zoo)];
$login->ctl(qw(member add ann sys --role root));
my %cookie = map { $_ => cookie_of($login->log_in($_, $password)) } qw(ann eve);
my $token = $login->token(qw(--org acme --role admin --scope auth:tokens:write --scope agents:read));
my $place = '/organizations/acme/tokens';

sub ann {
    my ($method, $path, %options) = @_;
    return $login->call($method, $path, cookie => $cookie{ann}, origin => 'https://localhost', %options);
}

sub code_of {
    my ($answer) = @_;
    return 'none' if !$answer;
    return "$answer->{status} " . (($answer->{json} // {})->{code} // '');
}

sub fields_of { return join ' ', sort map { $_->{field} } @{ $_[0]{json}{errors} // [] } }

# Those lines behind a request line and Host; the answer.
sub raw {
    my ($method, $path, @lines) = @_;
    my $body = $lines[-1] =~ /\A(?:\{|\z)/ ? pop @lines : '';
    my $connection = $api->connection;
    print $connection join "\r\n", "$method $path HTTP/1.1", @lines, '', $body;
    my $answer = TokenAuth::Api::read_answer($connection, seconds => 5);
    return $answer;
}

subtest 'fields and cookies twice' => sub {
    my $me = '/api/v1/me';
    my ($host, $bearer, $ours) = ('Host: localhost', "Authorization: Bearer $token", "Cookie: $cookie{ann}");
    is code_of(raw('GET', $me, $host, $bearer, $bearer)), '200 ', 'one token twice is one';
    is code_of(raw('GET', $me, $host, $bearer, "$bearer.")), '400 credentials_ambiguous', 'two tokens';
    is code_of(raw('GET', $me, $host, "Authorization: Bearer $token, Bearer $token")), '401 token_malformed', 'two in one field';
    is code_of(raw('GET', $me, $host, $ours, $ours)), '200 ', 'one cookie twice is one';
    is code_of(raw('GET', $me, $host, "$ours; $cookie{ann}")), '200 ', 'in one field, too';
    is code_of(raw('GET', $me, $host, $ours, "Cookie: $cookie{eve}")), '400 credentials_ambiguous', 'two sessions';
    is code_of(raw('GET', $me, $host, "$ours; $cookie{eve}")), '400 credentials_ambiguous', 'in one field';
    is code_of(raw('GET', $me, $host, "$ours; __Host-token_auth=")), '400 credentials_ambiguous', 'one of them empty';
    is code_of(raw('GET', $me, $host, $ours, $bearer)), '400 credentials_ambiguous', 'session and token';
    is code_of(raw('GET', $me, $host, $ours =~ s/__Host/__host/r)), '401 credentials_missing', 'the name of the cookie in another case';
    is code_of(raw('GET', $me, $host, $ours =~ s/=/ =/r)), '401 credentials_missing', 'or with a space';
    is code_of(raw('GET', $me, $host, $ours =~ s/=(.*)/="$1"/r)), '401 session_ended', 'in quotes';
    is code_of(raw('GET', $me, $host, uc($ours =~ s/.*?=//r) =~ s/^/Cookie: __Host-token_auth=/r)), '401 session_ended', 'in capitals';
    my @change = ('PATCH', $me, $host, $ours, 'Content-Length: 2');
    is code_of(raw(@change, 'Origin: https://localhost', 'Content-Type: application/json', '{}')), '200 ', 'a change';
    is code_of(raw(@change, 'Origin: https://localhost', 'Content-Type: application/json', 'Content-Type: application/json', '{}')), '415 media_type_unsupported', 'two types';
    is code_of(raw(@change, 'Origin: https://localhost', 'Origin: https://localhost', 'Content-Type: application/json', '{}')), '403 origin_not_allowed', 'two origins';
    is code_of(raw(@change, 'Sec-Fetch-Site: same-origin', 'Content-Type: application/json', '{}')), '200 ', 'no origin, but a browser says so';
    is code_of(raw(@change, 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: same-origin', 'Content-Type: application/json', '{}')), '403 origin_not_allowed', 'twice';
    is code_of(raw(@change, 'Origin: https://evil.example', 'Sec-Fetch-Site: same-origin', 'Content-Type: application/json', '{}')), '403 origin_not_allowed', 'an origin counts first';
    my @create = ('POST', "/api/v1$place", $host, $bearer, 'Content-Type: application/json', 'Content-Length: 12');
    is code_of(raw(@create, 'Idempotency-Key: a', 'Idempotency-Key: a', '{"name":"a"}')), '400 query_invalid', 'two keys';
    is code_of(raw('GET', $me, 'Host: localhost', 'Host: localhost', $bearer)), '400 body_malformed', 'two hosts';
};

subtest 'origins and hosts' => sub {
    my $try = sub {
        my ($origin, $host) = @_;
        return raw('PATCH', '/api/v1/me', (defined $host ? "Host: $host" : ()), "Cookie: $cookie{ann}", 'Content-Length: 2', 'Content-Type: application/json', "Origin: $origin", '{}')->{status};
    };
    my $name = 'console.example.com';
    is $try->("https://$name", $name), 200, 'ours';
    is $try->("https://$name:8443", "$name:8443"), 200, 'with a port';
    is $try->("HTTPS://CONSOLE.example.com", $name), 200, 'in capitals';
    my @others = (
        'null', '', '*', "http://$name", "https://$name.", "https://$name:443", "https://$name/", "https://$name/x", "https://x.$name", "https://$name.evil.example",
        "https://evil.example#$name", "https://ann\@$name", "//$name", $name, "https://$name https://$name", "https://$name, https://evil.example", "https:\\\\$name",
        "https://consol\xc3\xa9.example.com", "ftp://$name", 'file://', 'chrome-extension://x', "https://$name\t.", "https://%63onsole.example.com",
    );
    is $try->($_, $name), 403, "not $_" for @others;
    is $try->("http://$_", $_), 200, "http://$_" for 'localhost', 'localhost:8080', '127.0.0.1:80', '[::1]:8080';
    is $try->("http://$_", $_), 403, "not http://$_" for 'localhost.evil.example', '127.0.0.1.evil.example', '127.0.0.2', '[::2]', 'localhost@evil.example', '[localhost';
    is $try->('https://', ''), 403, 'no host';
};

subtest 'targets' => sub {
    my $status = sub { return code_of($api->call('GET', $_[0], headers => { Authorization => "Bearer $token" })) };
    is $status->('/api/v1/me'), '200 ', 'ours';
    is $status->($_), '404 not_found', "not $_" for '/api/v1/me;x', '/api/v1/me%00', '/api/v1/me%00.json', '/api/v1/%2e%2e/v1/me', '/api/v1/./me', '/api/v1/me%20', '/api/v1/me%2F', '/api%2Fv1%2Fme',
        '/API/v1/me', '/api/v1/me%3Fx', '/api/v1/me/%2e', '/api/v1\\me', '/api/v1/m%u0065', "/api/v1/me\x7f", '/api/v1/%6de%E2%80%8B', 'localhost:80', 'https://localhost/api/v1/me', '*';
    is $status->('/api/v1/me?'), '200 ', 'an empty query';
    is $status->("/api/v1/me?$_"), '400 query_invalid', "not ?$_" for 'x', '=', '%', 'a=%0', 'x=1#y', '%00=1';
    is $status->("/api/v1$place?q=a+b%20c"), '200 ', 'spaces';
    is $status->("/api/v1$place?q=%2B"), '200 ', 'a plus';
    is code_of(raw('get', '/api/v1/me', 'Host: x', "Authorization: Bearer $token")), '405 method_not_allowed', 'methods have a case';
    my $connection = $api->connection;
    print $connection "GET /api/v1/me HTTP/1.0\r\nAuthorization: Bearer $token\r\n\r\n";
    is TokenAuth::Api::read_answer($connection)->{status}, 200, 'HTTP/1.0 needs no host';
    ok TokenAuth::Api::is_closed($connection), 'and ends there';
};

subtest 'chunks and trailers' => sub {
    my @head = ('POST', "/api/v1$place", 'Host: localhost', 'Content-Type: application/json', 'Transfer-Encoding: chunked');
    my $connection = $api->connection;
    print $connection join "\r\n", 'POST ' . "/api/v1$place HTTP/1.1", @head[ 2 .. 4 ], '', 'c;ext="x"', '{"name":"t"} ', '0', "Authorization: Bearer $token", "Cookie: $cookie{ann}", 'Content-Length: 7', '', '';
    my $answer = TokenAuth::Api::read_answer($connection);
    is $answer->{status}, 400, 'a chunk that is longer than it says';
    $connection = $api->connection;
    print $connection join "\r\n", 'POST ' . "/api/v1$place HTTP/1.1", @head[ 2 .. 4 ], '', 'c;ext="x"', '{"name":"t"}', '0', "Authorization: Bearer $token", "Cookie: $cookie{ann}", '', '';
    is code_of(TokenAuth::Api::read_answer($connection)), '401 credentials_missing', 'what comes in a trailer is no credential';
    $connection = $api->connection;
    print $connection join "\r\n", 'POST ' . "/api/v1$place HTTP/1.1", @head[ 2 .. 4 ], "Authorization: Bearer $token", '', 'c', '{"name":"t"}', '0', 'X-Real-IP: 192.0.2.9', '', '';
    is code_of(TokenAuth::Api::read_answer($connection)), '201 ', 'a trailer does no harm';
    is $login->sql(q{SELECT address FROM audit WHERE action = 'create' ORDER BY seq DESC LIMIT 1})->[0], '', 'and is no address';
};

subtest 'cursors' => sub {
    $login->token(qw(--org acme --role admin --scope agents:read)) for 1 .. 3;
    my $page = ann('GET', "$place?limit=1&sort=name")->{json};
    my $cursor = $page->{next_cursor};
    is ann('GET', "$place?limit=2&sort=name&cursor=$cursor")->{status}, 200, 'another length';
    my %wrong = (
        'another order' => "$place?sort=created&cursor=$cursor", 'a filter' => "$place?sort=name&q=a&cursor=$cursor", 'another list' => "/organizations/acme/members?cursor=$cursor",
        'another organization' => "/organizations/zoo/tokens?sort=name&cursor=$cursor", 'one of its groups' => "/organizations/acme/groups/ops/tokens?sort=name&cursor=$cursor",
        'changed' => "$place?sort=name&cursor=" . ($cursor =~ s/\A(.)/$1 eq 'A' ? 'B' : 'A'/er), 'longer' => "$place?sort=name&cursor=${cursor}A", 'shorter' => "$place?sort=name&cursor=" . substr($cursor, 0, -2),
        'padded' => "$place?sort=name&cursor=$cursor=", 'none' => "$place?sort=name&cursor=AAAA", 'blank' => "$place?sort=name&cursor=%20",
    );
    $login->ctl(qw(member add ann zoo --role admin));
    like code_of(ann('GET', $wrong{$_})), qr/\A400 (?:cursor_invalid|query_invalid)\z/, $_ for sort keys %wrong;
    is code_of($login->call('GET', "$place?limit=1&sort=name&cursor=$cursor", cookie => $cookie{eve})), '404 not_found', "nobody gets in by another one's";
    is code_of(ann('GET', "$place?cursor=" . 'A' x 14_000)), '400 query_invalid', 'a huge one';
    my $connection = $api->connection;
    print $connection "GET /api/v1$place?cursor=" . 'A' x (1 << 20) . " HTTP/1.1\r\nHost: x\r\n\r\n";
    is TokenAuth::Api::read_answer($connection)->{status}, 414, 'one of a megabyte';
    is code_of(ann('GET', "$place?limit=$_")), '400 query_invalid', "limit=$_" for 0, 201, -1, '1.0', '01x', '', '9' x 30, '+5', '0x10';
};

subtest 'JSON' => sub {
    my $create = sub { return ann('POST', $place, json => $_[0]) };
    is code_of($create->($_->[1])), '400 body_malformed', $_->[0] for
        [ 'a name twice, by an escape', '{"name":"a","\u006eame":"b"}' ], [ 'half a pair', '{"name":"\ud83d"}' ], [ 'the other half', '{"name":"\ude00x"}' ],
        [ 'halves the wrong way round', '{"name":"\ude00\ud83d"}' ], [ 'a mark in front', "\xef\xbb\xbf{\"name\":\"a\"}" ], [ 'an unescaped line feed', "{\"name\":\"a\nb\"}" ],
        [ 'a leading zero', '{"name":"a","x":01}' ], [ 'a plus', '{"name":"a","x":+1}' ], [ 'a form feed', "{\f}" ], [ "single quotes", "{'name':'a'}" ], [ 'too long a number', '{"x":1e400}' ],
        [ 'overlong UTF-8', "{\"name\":\"\xc0\xaf\"}" ], [ 'a surrogate in UTF-8', "{\"name\":\"\xed\xa0\x80\"}" ];
    is $create->('{"\u006eame":"pair \ud83d\ude00"}')->{json}{name}, "pair \x{1f600}", 'escapes';
    is fields_of($create->(qq({"name":$_}))), 'name', "name: $_" for '""', '" "', '"a\u0000b"', '"a\u000ab"', '"a\u202eb"', '"\u200b"', '1', 'true', '[]', '{}', 'null', '"' . 'x' x 256 . '"', '-0', '1e3';
    is fields_of(ann('POST', "/tokens/x/rotate", json => '{"grace":-0}')), '', 'what one does not see is looked for first';
    my $made = $create->('{"name":"g"}')->{json};
    is fields_of(ann('POST', "/tokens/$made->{id}/rotate", json => qq({"grace":$_}))), 'grace', "grace: $_" for '-0', '0', '1e2', '86400', '"-1h"', '"1.5h"', '"1h "', '"9999999999999999999h"', '"31d"', '[]';
    my $organization = sub { return ann('PATCH', '/organizations/acme', json => qq({"policy":{"max_tokens":$_[0]}})) };
    is fields_of($organization->($_)), 'policy.max_tokens', "max_tokens: $_" for '-1', '-0', '0', '1.5', '1e3', '18446744073709551616', '"5"', 'true';
    is $organization->('null')->{status}, 200, 'null takes it off';
};

subtest 'times' => sub {
    my $expires = sub { return ann('POST', $place, json => { name => 'times', expires => $_[0] }) };
    for ([ '2099-12-31T23:59:59Z', '2099-12-31T23:59:59Z' ], [ '2099-12-31t23:59:59z', '2099-12-31T23:59:59Z' ], [ '2099-12-31T23:59:59.999999999Z', '2099-12-31T23:59:59Z' ],
        [ '2100-01-01T00:30:00+01:00', '2099-12-31T23:30:00Z' ], [ '2099-12-31T00:00:00-23:59', '2099-12-31T23:59:00Z' ], [ '2096-02-29', '2096-02-29T00:00:00Z' ], [ '9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z' ], [ undef, undef ])
    {
        is $expires->($_->[0])->{json}{expires}, $_->[1], $_->[0] // 'null';
    }
    is fields_of($expires->($_)), 'expires', "not $_" for '', '0001-01-01', '1969-12-31T23:59:59Z', '2020-01-01', '10000-01-01', '2099-02-29', '2099-13-01', '2099-00-10', '2099-01-32', '2099-12-31T24:00:00Z',
        '2099-12-31T23:59:60Z', '2099-12-31T23:60:00Z', '2099-12-31T23:59:59', '2099-12-31T23:59:59+24:00', '2099-12-31T23:59:59+0100', '2099-12-31T23:59Z', '9999-12-31T23:59:59-00:01', '2099-12-31T23:59:59.Z',
        ' 2099-12-31', '2099-12-31 ', '20991231', '2099-1-1', '0s', '-1d', '1y', '1', '9999999999d', 'never', 1, JSON::PP::true, [];
};

subtest 'null in each field' => sub {
    my $made = ann('POST', $place, json => { name => 'n', description => 'd', role => 'admin', scopes => ['agents:read'], expires => '9d', allow => ['192.0.2.1'] })->{json};
    my $path = "/tokens/$made->{id}";
    is fields_of(ann('PATCH', $path, json => { name => undef })), 'name', 'a name there must be';
    my %after = (description => '', role => undef, scopes => undef, expires => undef, allow => []);
    for my $field (sort keys %after) {
        my $answer = ann('PATCH', $path, json => { $field => undef });
        is_deeply [ $answer->{status}, $answer->{json}{$field} ], [ 200, $after{$field} ], $field or diag $answer->{body};
    }
    is fields_of(ann('PATCH', $path, json => { map { $_ => undef } qw(id kind not_before created status user) })), 'created id kind not_before status user', 'what cannot be changed';
    is fields_of(ann('PATCH', '/organizations/acme', json => { suspended => undef })), 'suspended', 'an organization';
    my %policy = (max_life => '90d', default_life => '30d', max_tokens => 1000, require_allow => JSON::PP::true);
    my %none = (max_life => undef, default_life => undef, max_tokens => undef, require_allow => JSON::PP::false);
    for my $nulls ({ map { $_ => undef } keys %policy }, undef) {
        is_deeply ann('PATCH', '/organizations/acme', json => { policy => \%policy })->{json}{policy}, \%policy, 'its policy';
        is_deeply ann('PATCH', '/organizations/acme', json => { display_name => undef, policy => $nulls })->{json}{policy}, \%none, 'is taken off';
    }
    is fields_of(ann('PATCH', '/users/eve', json => { disabled => undef })), 'disabled', 'a person';
    is ann('PATCH', '/users/eve', json => { display_name => undef, email => undef, sso_name => undef })->{status}, 200, 'the rest';
    is ann('PATCH', '/me', json => { display_name => undef })->{status}, 200, 'oneself';
    is_deeply ann('PATCH', $path, json => {})->{json}{name}, 'n', 'nothing changes nothing';
};

subtest 'entity tags' => sub {
    my $made = ann('POST', $place, json => { name => 'e' });
    my ($path, $tag) = ("/tokens/$made->{json}{id}", $made->{headers}{etag});
    my $patch = sub { return ann('PATCH', $path, json => {}, headers => { 'If-Match' => $_[0] })->{status} };
    is $patch->($_), 200, "If-Match: $_" for $tag, '*', qq("x", $tag), qq($tag,"x"), qq("a,b" ,\t$tag), qq("W/", $tag);
    is $patch->($_), 412, "If-Match: $_" for "W/$tag", '"x"', '', $tag =~ tr/"//dr, uc $tag, "**", qq("$tag), '"*"', "*, \"x\"";
    is ann('PATCH', $path, json => {}, headers => { 'If-Match' => '"x"', 'if-match' => $tag })->{status}, 200, 'in two fields';
    is ann('GET', $path, headers => { 'If-Match' => '"x"' })->{status}, 200, 'of no use in reading';
    is ann('DELETE', $path, headers => { 'If-Match' => '"x"' })->{status}, 412, 'deleting';
    is ann('DELETE', $path, headers => { 'If-Match' => '*' })->{status}, 204, 'whatever it is';
    is code_of(ann('PATCH', $path, json => {}, headers => { 'If-Match' => '*' })), '404 not_found', 'not what is gone';
};

subtest 'keys' => sub {
    my $key = sub { return code_of(ann('POST', $place, json => { name => 'k' }, headers => { 'Idempotency-Key' => $_[0] })) };
    is $key->($_), '201 ', "key $_" for ' ~', '"quoted"', "'; DROP TABLE tokens; --", 'a b', '%00', 'ann';
    is $key->($_), '400 query_invalid', "no key: $_" for "\x7f", "\xc3\xa9", "a\tb";
    is code_of(ann('PATCH', '/me', json => {}, headers => { 'Idempotency-Key' => "\x7f" })), '200 ', 'of no use elsewhere';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';
is $api->stop, 0, 'it ends well';
done_testing;
