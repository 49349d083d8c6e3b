# Logging in: passwords, the pages that may, sessions and their ends, single sign-on; and that all of it
# is as docs/openapi.json says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of ended);
use TokenAuth::Util qw(program run_tool spew);

my $origin = 'https://console.example.com';
my $password = 'correct horse battery';
my $login = TokenAuth::Login->start(args => [ '--origin', $origin ]);
my $api = $login->api;
$login->person($_, $password) for qw(ann bob cyd eve);
$login->ctl(qw(user disable cyd));
$login->ctl(qw(user add dan));
$login->ctl(qw(org add acme));
$login->ctl(qw(group add acme/ops));
$login->ctl(qw(role set admin auth:tokens:write agents:read));
$login->ctl(qw(member add ann acme --role admin));

sub me     { return $login->call('GET', '/me', cookie => $_[0]) }
sub audit  { return $login->audit(@_) }

# What an answer tells.
sub told {
    my ($answer) = @_;
    my %headers = %{ $answer->{headers} };
    delete @headers{qw(date)};
    return { %headers, status => $answer->{status}, body => $answer->{body} };
}

subtest 'a password' => sub {
    my $answer = $login->log_in('ann', $password);
    is $answer->{status}, 200, 'logs in';
    is $answer->{json}{user}, 'ann', 'answers as /me';
    is $answer->{json}{via}, 'session', 'by a session';
    is_deeply $answer->{json}{organizations}[0]{may}, [qw(auth:tokens:read auth:tokens:write)], 'with what may be done where';
    like $answer->{headers}{'set-cookie'},
        qr{\A__Host-token_auth=[0-9a-f]{64}; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Strict\z}, 'the cookie';
    my $cookie = cookie_of($answer);
    my ($id) = $cookie =~ /=(.*)/;
    my $me = me($cookie);
    is $me->{status}, 200, 'the cookie names who calls';
    is $me->{body}, $answer->{body}, 'with the same answer';
    is $login->call('HEAD', '/me', cookie => $cookie)->{status}, 200, 'HEAD, too';
    is_deeply $login->sql("SELECT count(*) FROM sessions WHERE id = '$id'"), [0], 'the registry does not hold it';
    unlike $api->log, qr/\Q$id\E/, 'nor the log';
    is audit(), 'login/session/ann/ann/session/192.0.2.1', 'the audit trail';
};

subtest 'who cannot log in' => sub {
    my $wrong = $login->log_in('ann', 'wrong');
    is $wrong->{status}, 401, 'a wrong password';
    is $wrong->{json}{code}, 'login_failed', 'its code';
    like $wrong->{headers}{'www-authenticate'}, qr/\ABearer realm="token-auth", Token realm="token-auth"\z/, 'its challenges';
    my %others = (
        'an unknown name' => [ 'nobody', $password ], 'a disabled person' => [ 'cyd', $password ], 'one without a password' => [ 'dan', $password ],
        'an empty password' => [ 'bob', '' ], 'a long one' => [ 'bob', 'x' x 60000 ], 'a long name' => [ 'x' x 60000, 'x' ], 'no name' => [ '', '' ],
        'a name in another case' => [ 'ANN', $password ],
    );
    is_deeply told($login->log_in(@{ $others{$_} })), told($wrong), $_ for sort keys %others;
    is audit('login_failed'), 'login_failed/session/dan/dan/session/192.0.2.1', 'known people have it in the audit trail';
    is_deeply $login->sql("SELECT DISTINCT key FROM audit WHERE action = 'login_failed' ORDER BY key"), [qw(ann bob cyd dan)], 'nobody else';
    $login->ctl(qw(user enable cyd));
    is $login->log_in('cyd', $password)->{status}, 200, 'one who is enabled again';
    $login->ctl(qw(user password cyd --remove));
    is_deeply told($login->log_in('cyd', $password)), told($wrong), 'nor whose password was removed';
    for (
        [ '{"username":"ann"}', 'password' ], [ '{"username":1,"password":"x"}', 'username' ], [ '{"username":"ann","password":"a\u0000"}', 'password' ],
        [ '{"username":"ann","password":"x","more":1}', 'more' ],
    ) {
        my $answer = $login->call('POST', '/session', json => $_->[0], origin => $origin);
        is $answer->{status}, 422, "fields: $_->[0]";
        is $answer->{json}{errors}[0]{field}, $_->[1], 'which';
    }
};

subtest 'pages' => sub {
    $login->forget_tries;
    my %right = (
        'the console' => { Origin => $origin }, 'in upper case' => { Origin => 'HTTPS://Console.Example.com' },
        'Sec-Fetch-Site alone' => { 'Sec-Fetch-Site' => 'same-origin' },
    );
    is $login->log_in('bob', $password, headers => $right{$_}, origin => undef)->{status}, 200, $_ for sort keys %right;
    my %wrong = (
        none => {}, another => { Origin => 'https://evil.example' }, null => { Origin => 'null' }, 'http' => { Origin => 'http://console.example.com' },
        'a longer one' => { Origin => "$origin.evil.example" }, 'another port' => { Origin => "$origin:444" }, 'of the Host' => { Origin => 'https://localhost' },
        'same-site' => { 'Sec-Fetch-Site' => 'same-site' }, 'cross-site beside none' => { 'Sec-Fetch-Site' => 'cross-site' },
        'another, with Sec-Fetch-Site' => { Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'same-origin' },
    );
    my $cookie = cookie_of($login->log_in('bob', $password));
    for (sort keys %wrong) {
        my $answer = $login->log_in('bob', $password, headers => $wrong{$_}, origin => undef);
        is $answer->{status}, 403, "$_ does not log in";
        is $answer->{json}{code}, 'origin_not_allowed', 'its code';
        for my $change ([ 'PATCH', '/me', '{"display_name":"x"}' ], [ 'DELETE', '/session' ], [ 'DELETE', '/me/sessions' ], [ 'PUT', '/me/password', '{"old":"x","new":"y"}' ]) {
            my $refused = $login->call($change->[0], $change->[1], cookie => $cookie, headers => $wrong{$_}, (defined $change->[2] ? (json => $change->[2]) : ()));
            is $refused->{json}{code}, 'origin_not_allowed', "nor does $change->[0] $change->[1]";
        }
    }
    is me($cookie)->{status}, 200, 'reading needs none, and nothing was done';

    my $plain = TokenAuth::Login->start(url => $login->url);
    my %hosts = (
        'https://a.example' => 'a.example', 'https://a.example:8443' => 'a.example:8443', 'http://localhost:8080' => 'localhost:8080',
        'http://[::1]:8080' => '[::1]:8080', 'http://127.0.0.1' => '127.0.0.1',
    );
    is $plain->log_in('bob', $password, origin => $_, headers => { Host => $hosts{$_} })->{status}, 200, "without --origin: $_" for sort keys %hosts;
    %hosts = ('http://a.example' => 'a.example', 'https://b.example' => 'a.example', 'http://localhost.evil.example' => 'localhost.evil.example', 'https://' => '');
    is $plain->log_in('bob', $password, origin => $_, headers => { Host => $hosts{$_} })->{status}, 403, "not $_" for sort keys %hosts;
};

subtest 'credentials' => sub {
    $login->forget_tries;
    my $cookie = cookie_of($login->log_in('bob', $password));
    my ($id) = $cookie =~ /=(.*)/;
    my $token = $login->ctl(qw(create --org acme --name x));
    chomp $token;
    my %ambiguous = (
        'cookie and token' => { Cookie => $cookie, Authorization => "Bearer $token" },
        'two cookies'      => { Cookie => "$cookie; __Host-token_auth=other" },
    );
    for (sort keys %ambiguous) {
        my $answer = $login->call('GET', '/me', headers => $ambiguous{$_});
        is $answer->{status}, 400, $_;
        is $answer->{json}{code}, 'credentials_ambiguous', 'its code';
    }
    is $login->call('GET', '/me', headers => { Cookie => "a=b; $cookie;$cookie ; c" })->{status}, 200, 'the same one twice, among others';
    is $login->call('GET', '/me')->{json}{code}, 'credentials_missing', 'none';
    for my $other ('', 'x', "\L$id ", '0' x 64, "x$id") {
        is $login->call('GET', '/me', headers => { Cookie => "__Host-token_auth=$other" })->{json}{code},
            $other =~ /\A\Q$id\E\s*\z/ ? undef : 'session_ended', "a cookie of '" . length($other) . ' bytes';
    }
    is me($_)->{json}{code}, 'credentials_missing', "$_ is no cookie of ours" for "xx$cookie", "token_auth=$id";
};

subtest 'sessions end' => sub {
    $login->forget_tries;
    my $first = cookie_of($login->log_in('bob', $password));
    my $second = cookie_of($login->log_in('bob', $password, cookie => $first));
    isnt $second, $first, 'a new session at each log-in';
    ok ended(me($first)), 'which ends the one that came along';
    is me($second)->{status}, 200, 'and begins another';
    my $others = cookie_of($login->log_in('eve', $password, cookie => $second));
    ok ended(me($second)), "another person's, too";
    is $login->call('GET', '/me', cookie => $others)->{json}{user}, 'eve', 'who is somebody else then';

    my $out = $login->call('DELETE', '/session', cookie => $others, origin => $origin);
    is $out->{status}, 204, 'logging out';
    like $out->{headers}{'set-cookie'}, qr/\A__Host-token_auth=; Path=\/; Max-Age=0; /, 'ends the cookie';
    ok ended(me($others)), 'and the session';
    is $login->call('DELETE', '/session', cookie => $others, origin => $origin)->{json}{code}, 'session_ended', 'once';
    is(audit('logout'), 'logout/session/eve/eve/session/192.0.2.1', 'the audit trail');

    my @all = map { $login->forget_tries; cookie_of($login->log_in('bob', $password)) } 1 .. 2;
    is $login->call('DELETE', '/me/sessions', cookie => $all[1], origin => $origin)->{status}, 204, 'out everywhere';
    ok ended(me($_)), 'is ended' for @all;

    my $cookie = cookie_of($login->log_in('bob', $password));
    $login->sql("UPDATE sessions SET used_at = used_at - 3500, created_at = created_at - 42000");
    is me($cookie)->{status}, 200, 'used within an hour';
    is me($cookie)->{status}, 200, 'which counts from then on';
    is_deeply $login->sql('SELECT count(*) FROM sessions WHERE user_id = \'bob\' AND used_at < created_at + 41000'), [0], 'and is written down';
    $login->sql('UPDATE sessions SET used_at = used_at - 3600');
    ok ended(me($cookie)), 'not used for an hour';
    $cookie = cookie_of($login->log_in('bob', $password));
    $login->sql('UPDATE sessions SET created_at = created_at - 12 * 3600');
    ok ended(me($cookie)), 'after twelve hours';

    my @sessions;
    for (1 .. 21) {
        $login->sql('UPDATE sessions SET created_at = created_at - 1, used_at = used_at - 1');
        push @sessions, cookie_of($login->log_in('bob', $password));
    }
    ok ended(me($sessions[0])), 'the 21st one ends the oldest';
    is me($_)->{status}, 200, 'the others stay' for @sessions[ 1, 20 ];

    $login->ctl(qw(user disable bob));
    $login->ctl(qw(user enable bob));
    ok ended(me($sessions[20])), 'disabling a person ends all';
    $cookie = cookie_of($login->log_in('bob', $password));
    is me($cookie)->{status}, 200, 'a new one';
    $login->ctl(qw(user remove bob));
    $login->person('bob', $password);
    ok ended(me($cookie)), 'removing a person, too';
    $cookie = cookie_of($login->log_in('bob', $password));
    $login->ctl(qw(user password bob), { stdin => "$password\n" });
    ok ended(me($cookie)), 'tokenctl user password, too';
};

subtest 'a new password' => sub {
    $login->forget_tries;
    my $new = 'another long password';
    my ($kept, $other) = map { cookie_of($login->log_in('bob', $password)) } 1, 2;
    my $change = sub { return $login->call('PUT', '/me/password', cookie => $kept, origin => $origin, json => { old => $_[0], new => $_[1] }) };
    is $change->($password, $_)->{json}{errors}[0]{field}, 'new', 'wrong: ' . length for 'x' x 11, 'x' x 1025;
    my $refused = $change->('wrong', $new);
    is $refused->{status}, 401, 'a wrong old one';
    is $refused->{json}{code}, 'login_failed', 'its code';
    is me($other)->{status}, 200, 'changes nothing';
    is $change->($password, $new)->{status}, 204, 'the right one';
    is me($kept)->{status}, 200, 'the session stays';
    ok ended(me($other)), 'the others end';
    is $login->log_in('bob', $password)->{status}, 401, 'the old one is of no use';
    is $login->log_in('bob', $new)->{status}, 200, 'the new one is';
    is audit('password'), 'password/user/bob/bob/session/192.0.2.1', 'the audit trail';
    my $dump = join "\n", @{ $login->sql('SELECT detail FROM audit') }, $api->log;
    unlike $dump, qr/\Q$_\E/, 'no password in trail and log' for $password, $new, 'argon2';
};

subtest 'one\'s name' => sub {
    $login->forget_tries;
    my $cookie = cookie_of($login->log_in('ann', $password));
    my $patch = sub { return $login->call('PATCH', '/me', cookie => $cookie, origin => $origin, json => $_[0], headers => $_[1] // {}) };
    my $before = me($cookie);
    my $changed = $patch->({ display_name => 'Ann' });
    is $changed->{json}{display_name}, 'Ann', 'is set';
    isnt $changed->{headers}{etag}, $before->{headers}{etag}, 'with another tag';
    is $patch->({ display_name => 'B' }, { 'If-Match' => $before->{headers}{etag} })->{status}, 412, 'not over another change';
    is $patch->({}, { 'If-Match' => $changed->{headers}{etag} })->{json}{display_name}, 'Ann', 'stays if it is not given';
    is $patch->({ display_name => $_ })->{status}, 422, 'wrong ones' for '', ' ', 'x' x 256, "a\nb", 1;
    is $patch->({ email => 'a@b.example' })->{status}, 422, 'nothing else';
    is $patch->({ display_name => undef })->{json}{display_name}, undef, 'is taken away';
    like audit('update'), qr{update/user/ann/ann/session/192\.0\.2\.1}, 'the audit trail';
};

subtest 'single sign-on' => sub {
    is $login->call('POST', '/session/sso', origin => $origin)->{status}, 404, 'is off by default';
    is_deeply $login->call('GET', '/session')->{json}, { passwords => JSON::PP::true, sso => JSON::PP::false }, 'as anybody learns';
    my $secret = 'x' x 40;
    spew($api->dir . '/secret', "$secret\n");
    $login->person($_) for qw(fay gus hal);
    $login->ctl(qw(user set fay --sso fay@corp.example));
    $login->ctl(qw(user set gus --sso hal));
    $login->ctl(qw(user disable hal));
    my $sso = TokenAuth::Login->start(
        url => $login->url, args => [ '--sso-header', 'X-Remote-User', '--sso-secret', $api->dir . '/secret', '--no-passwords' ]);
    my $as = sub {
        my ($name, %more) = @_;
        return $sso->call('POST', '/session/sso', origin => 'https://localhost',
            headers => { 'X-Remote-User' => $name, 'X-Sso-Secret' => $secret, %more });
    };
    my $answer = $as->('fay@corp.example');
    is $answer->{status}, 200, 'by the name there';
    is $answer->{json}{user}, 'fay', 'who that is';
    is $sso->call('GET', '/me', cookie => cookie_of($answer))->{json}{user}, 'fay', 'begins a session';
    is $as->('ann')->{json}{user}, 'ann', 'by the id, if there is no such name';
    is $as->('hal')->{json}{user}, 'gus', 'the name comes first';
    my %wrong = (
        'an unknown name' => ['nobody'], 'the id of one who has another name' => ['fay'], 'no name' => [''], 'no UTF-8' => ["\xff"],
        'a wrong secret' => [ 'ann', 'X-Sso-Secret', 'y' x 40 ], 'a part of it' => [ 'ann', 'X-Sso-Secret', 'x' x 39 ], 'an empty one' => [ 'ann', 'X-Sso-Secret', '' ],
    );
    for (sort keys %wrong) {
        my $refused = $as->(@{ $wrong{$_} });
        is $refused->{status}, 401, $_;
        is $refused->{json}{code}, 'login_failed', 'its code';
    }
    $login->ctl(qw(user disable gus));
    is $as->('hal')->{status}, 401, 'a disabled person';
    is audit('login_failed'), 'login_failed/session/gus/gus/session/192.0.2.1', 'the audit trail';
    is $as->('ann', Origin => 'https://evil.example')->{status}, 403, 'from another page';
    is $sso->call('POST', '/session/sso', origin => 'https://localhost', json => '{"a":1}', headers => { 'X-Remote-User' => 'ann', 'X-Sso-Secret' => $secret })->{status}, 422, 'with fields';
    is $sso->log_in('ann', $password, origin => 'https://localhost')->{status}, 404, 'passwords are off there';
    is_deeply $sso->call('GET', '/session')->{json}, { passwords => JSON::PP::false, sso => JSON::PP::true }, 'as anybody learns';
    is $sso->call('GET', '/session?a=1')->{status}, 400, 'who asks rightly';
    is $sso->call('PUT', '/me/password', json => { old => $password, new => 'x' x 12 }, origin => 'https://localhost')->{status}, 404, 'and cannot be changed';
    my $tool = sub { return run_tool([ program('tokenapi'), '--registry', $login->url, @_, 'check' ]) };
    for (
        [ qr/go together/, '--sso-header', 'X-A' ], [ qr/no name of a field/, '--sso-header', 'X A', '--sso-secret', $api->dir . '/secret' ],
        [ qr/cannot be read/, '--sso-header', 'X-A', '--sso-secret', '/nowhere' ], [ qr/holds no secret/, '--sso-header', 'X-A', '--sso-secret', '/dev/null' ],
        [ qr/needs passwords/, '--no-passwords', '--auth-token' ], [ qr/--origin .* is none/, '--origin', 'console.example.com' ],
        [ qr/--origin .* is none/, '--origin', 'https://a.example/' ], [ qr/holds no key/, '--key', '/dev/null' ],
        (map { [ qr/--example-url .* is none/, '--example-url', $_ ] } 'api.example.com', q{https://a/'b}, 'https://a/ b'),
        (map { [ qr/--organization-field .* is no name/, '--organization-field', $_ ] } 'X Org', q{X-'}),
    ) {
        my ($message, @options) = @$_;
        my $result = $tool->(@options);
        isnt $result->{status}, 0, "check: @options";
        like $result->{err}, $message, 'says why';
    }
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
