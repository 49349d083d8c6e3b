# /auth_token: a token for user name and password.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Util qw(eventually spew);

my $password = "correct horse b\xc3\xa4ttery: yes";
my $login = TokenAuth::Login->start(args => ['--auth-token']);
$login->person('ann', $password);
$login->ctl(qw(org add sys --system));
$login->ctl(qw(user add dan));

sub retrieve { return $login->call('POST', '/auth_token', @_) }
sub by_body  { return retrieve(body => qq({"username":"$_[0]","password":"$_[1]"}), headers => { 'Content-Type' => 'application/json' }) }
sub by_basic { return retrieve(headers => { Authorization => 'Basic ' . encode_base64("$_[0]:$_[1]", '') }) }
sub me { return $login->call('GET', '/me', headers => { Authorization => "Bearer $_[0]" }) }
sub rows { return $login->sql("SELECT $_[0] FROM tokens ORDER BY created_at, id") }
sub count { return $login->sql('SELECT count(*) FROM tokens')->[0] }

subtest 'a token' => sub {
    for ([ 'by JSON', \&by_body ], [ 'by Basic', \&by_basic ]) {
        my ($how, $ask) = @$_;
        $login->sql('DELETE FROM tokens');
        my $answer = $ask->('ann', $password);
        is $answer->{status}, 200, $how;
        like $answer->{json}{auth_token}, qr/\Apat_[A-Za-z0-9]{11}\.[A-Za-z0-9]{39}\z/, 'a token';
        is_deeply rows("kind || ' ' || user_id || ' ' || name || ' ' || created_by || ' ' || created_via || ' ' || (expires_at - created_at)"),
            [ 'user ann retrieved ann auth_token ' . 30 * 86400 ], 'a personal one, for 30 days';
        my $me = me($answer->{json}{auth_token});
        is $me->{json}{user}, 'ann', 'which can be used';
        is $me->{json}{via}, 'token', 'as a token';
        my ($id) = $answer->{json}{auth_token} =~ /_(.*?)\./;
        is $login->audit('create'), "create/token/$id/ann/auth_token/192.0.2.1", 'the audit trail';
        unlike $login->api->log, qr/pat_/, 'no token in the log';
        $login->ctl('revoke', $id);
        is me($answer->{json}{auth_token})->{json}{code}, 'token_revoked', 'until it is revoked';
    }
};

subtest 'who gets none' => sub {
    my $wrong = by_body('ann', 'x');
    is $wrong->{status}, 401, 'a wrong password';
    is $wrong->{json}{code}, 'login_failed', 'its code';
    is $wrong->{headers}{'www-authenticate'}, 'Basic realm="token-auth", charset="UTF-8"', 'its challenge';
    is by_basic(@$_)->{status}, 401, 'by Basic: ' . ($_->[0] || 'no name') for [ 'ann', 'x' ], [ 'nobody', $password ], [ 'dan', '' ], [ '', '' ];
    is $login->audit('login_failed'), 'login_failed/session/dan/dan/auth_token/192.0.2.1', 'the audit trail';
    is retrieve()->{status}, 401, 'without credentials';
    is retrieve(headers => { Authorization => 'Bearer x' })->{status}, 401, 'by a token';
    is retrieve(json => '{}')->{status}, 422, 'without fields';
    my $basic = 'Basic ' . encode_base64("ann:$password", '');
    for ([ 400, 'request_malformed', { Authorization => 'Basic' } ], [ 400, 'request_malformed', { Authorization => 'Basic !!!!' } ],
        [ 400, 'request_malformed', { Authorization => 'Basic YW5u' } ], [ 400, 'request_malformed', { Authorization => "Basic YW5uOv8=" } ],
        [ 400, 'request_malformed', { Authorization => 'Basic YW5uO' } ],
        [ 403, 'origin_not_allowed', { Authorization => $basic, Origin => 'https://localhost' } ],
        [ 403, 'origin_not_allowed', { Authorization => $basic, Origin => 'null' } ]) {
        my ($status, $code, $headers) = @$_;
        my $answer = retrieve(headers => $headers);
        is $answer->{status}, $status, join ' ', 'status of', %$headers;
        is $answer->{json}{code}, $code, 'its code';
    }
    is retrieve(headers => { Authorization => $basic }, json => { username => 'ann', password => 'x' })->{json}{code}, 'credentials_ambiguous', 'both ways';
    is count(), 1, 'and there is none';
    my $off = TokenAuth::Login->start(url => $login->url);
    is $off->call('POST', '/auth_token', headers => { Authorization => $basic })->{status}, 404, 'off by default';
};

subtest 'the newest 20' => sub {
    $login->sql('DELETE FROM tokens');
    my $own = $login->ctl(qw(create --user ann --name own));
    my @tokens;
    for (1 .. 22) {
        $login->forget_tries;
        $login->sql("UPDATE tokens SET created_at = created_at - 1 WHERE created_via = 'auth_token'");
        push @tokens, by_body('ann', $password)->{json}{auth_token};
    }
    is me($tokens[$_])->{status}, 401, 'older ones go' for 0, 1;
    is me($tokens[$_])->{status}, 200, 'they stay' for 2, 21;
    chomp $own;
    is me($own)->{status}, 200, 'as do others of that person';
    is count(), 21, 'how many there are';

    $login->ctl(qw(user password ann), { stdin => "$password\n" });
    is me($_)->{status}, 401, 'a new password ends them' for $tokens[21];
    is me($own)->{status}, 200, 'not the others';
};

subtest 'the policy' => sub {
    $login->sql('DELETE FROM tokens');
    my $life = sub { by_body('ann', $password); return rows('expires_at - created_at')->[-1] / 86400 };
    $login->ctl(qw(org set sys --default-life 40d));
    is $life->(), 40, 'its default life';
    $login->sql('DELETE FROM tokens');
    $login->ctl(qw(org set sys --max-life 20d --default-life 10d));
    is $life->(), 10, 'even a short one';
    $login->sql('DELETE FROM tokens');
    $login->sql('UPDATE organizations SET default_life = 0');
    is $life->(), 20, 'its longest one';
    $login->sql('DELETE FROM tokens');
    $login->ctl(qw(org set sys --require-allow));
    is by_body('ann', $password)->{status}, 200, 'where addresses are required';
    is_deeply rows('allow'), ['192.0.2.1'], 'it is the one that asks';
    is retrieve(body => qq({"username":"ann","password":"$password"}), headers => { 'Content-Type' => 'application/json' }, address => undef)->{status},
        403, 'none, none';
    $login->sql('DELETE FROM tokens');
    $login->ctl(qw(create --user ann --name own --expires 10d --allow 192.0.2.1));
    $login->ctl(qw(org set sys --max-tokens 2));
    my $first = by_body('ann', $password)->{json}{auth_token};
    my $second = by_body('ann', $password)->{json}{auth_token};
    is me($first)->{status}, 401, 'the oldest makes room';
    is me($second)->{status}, 200, 'for the next';
    $login->sql("UPDATE tokens SET created_via = ''");
    my $full = by_body('ann', $password);
    is $full->{status}, 409, 'none that could go';
    is $full->{json}{rule}, 'max_tokens', 'why';
};

subtest 'keyed digests' => sub {
    $login->sql('DELETE FROM tokens');
    $login->sql('UPDATE organizations SET max_life = 0, max_tokens = 0, require_allow = 0');
    my ($old, $new) = map { spew($login->api->dir . "/key$_", $_ x 32) } 1, 2;
    my $keyed = TokenAuth::Login->start(url => $login->url, args => [ '--auth-token', '--key', $new, '--key', $old ]);
    my $made = $keyed->call('POST', '/auth_token', headers => { Authorization => 'Basic ' . encode_base64("ann:$password", '') })->{json}{auth_token};
    chomp(my $older = $login->ctl(qw(create --user ann --name old --key), $old));
    chomp(my $plain = $login->ctl(qw(create --user ann --name plain)));
    for ([ 'new', $made ], [ 'under another key', $older ], [ 'plain', $plain ]) {
        is $keyed->call('GET', '/me', headers => { Authorization => "Bearer $_->[1]" })->{status}, 200, $_->[0];
    }
    is me($made)->{json}{code}, 'token_unknown', 'without the key it is unknown';
    is_deeply $login->sql("SELECT count(DISTINCT key_id) FROM tokens"), [3], 'digests by three keys';
};

subtest 'an answer that nobody gets' => sub {
    $login->sql('DELETE FROM tokens');
    my $count = sub { return $login->sql("SELECT count(*) FROM tokens WHERE revoked_at $_[0] 0")->[0] };
    # If the server sees the end before it has begun, it begins nothing.
    for (1 .. 20) {
        $login->forget_tries;
        my $connection = $login->api->connection;
        print $connection TokenAuth::Api::request_text('POST', '/api/v1/auth_token',
            headers => { Authorization => 'Basic ' . encode_base64("ann:$password", ''), 'X-Real-IP' => '192.0.2.1' });
        sleep 0.01;
        close $connection;
        last if eventually { $count->('<>') } 2;
    }
    ok $count->('<>') > 0, 'revokes the token';
    ok eventually(sub { $count->('=') == 0 }), 'and none stays valid';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
