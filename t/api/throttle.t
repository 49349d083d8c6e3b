# Guessing passwords is held up: by name and address, by name, by address, within an hour.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);

my $password = 'correct horse battery';
my $login = TokenAuth::Login->start(args => ['--auth-token']);
$login->person($_, $password) for qw(ann bob);
$login->ctl(qw(user add dan));

sub try {
    my ($name, $given, @address) = @_;
    my $answer = $login->log_in($name, $given, @address ? (address => $address[0]) : ());
    return $answer->{status} == 429 ? "429 $answer->{headers}{'retry-after'}" : $answer->{status};
}

# Counts that many failures a second ago, as the server would.
sub count_failures {
    my ($what, $count) = @_;
    my $key = sha256_hex($what);
    my $at = time - 1;
    $login->sql("INSERT INTO throttle (key, at, tries) VALUES ('$key', $at, $count) ON CONFLICT (key, at) DO UPDATE SET tries = $count");
    return;
}

subtest 'a name from an address' => sub {
    is try('ann', 'x'), 401, 'a failure' for 1 .. 5;
    my $held = $login->log_in('ann', $password);
    is $held->{status}, 429, 'then the right one is held up, too';
    is $held->{json}{code}, 'throttled', 'its code';
    like $held->{headers}{'retry-after'}, qr/\A(?:30|29|28)\z/, 'for 30 seconds';
    is $login->call('POST', '/auth_token', json => { username => 'ann', password => $password })->{status}, 429, 'at auth_token as well';
    is try('ann', 'x', '192.0.2.2'), 401, 'not from another address';
    is try('bob', 'x'), 401, 'nor another name from this one';
    my $held_for = 30;
    for my $hold (60, 120, 240, 480, 900, 900) {
        $login->wait_for_tries($held_for);
        is try('ann', 'x'), 401, 'one more is let through';
        like try('ann', 'x'), qr/\A429 (?:$hold|@{[ $hold - 1 ]}|@{[ $hold - 2 ]})\z/, "then it is held up for $hold seconds";
        $held_for = $hold;
    }
    $login->wait_for_tries(900);
    is try('ann', $password), 200, 'the right one, in its turn';
    is try('ann', 'x'), 401, 'clears it' for 1 .. 4;
    is try('ann', $password), 200, 'the fifth is right';
    is try('ann', 'x'), 401, 'so there are five more' for 1 .. 5;
    like try('ann', 'x'), qr/\A429/, 'and no sixth';
    is_deeply $login->sql("SELECT count(*) FROM throttle WHERE key NOT GLOB '*[^0-9a-f]*' AND length(key) = 64"),
        $login->sql('SELECT count(*) FROM throttle'), 'names are kept as digests'
        if $login->url =~ /\Asqlite/;
};

subtest 'an hour that slides' => sub {
    $login->forget_tries;
    is try('ann', 'x'), 401, 'a failure';
    $login->wait_for_tries(3500);
    is try('ann', 'x'), 401, 'four more, much later' for 1 .. 4;
    like try('ann', 'x'), qr/\A429/, 'that is five within the hour';
    $login->wait_for_tries(110);
    is try('ann', 'x'), 401, 'four after it';
    like try('ann', 'x'), qr/\A429/, 'that is five again';
};

subtest 'who is not there' => sub {
    $login->forget_tries;
    for my $name ('nobody', 'dan', '') {
        is try($name, 'x', '192.0.2.9'), 401, "'$name' fails" for 1 .. 5;
        like try($name, 'x', '192.0.2.9'), qr/\A429 (?:30|29|28)\z/, 'and is held up alike';
    }
};

subtest 'an address' => sub {
    $login->forget_tries;
    count_failures("address\0" . '192.0.2.1', 48);
    is try('bob', $password), 200, 'right tries take themselves back' for 1 .. 3;
    is try("name$_", 'x'), 401, 'up to 50 failures' for 1 .. 2;
    like try('bob', $password), qr/\A429/, 'then everybody is held up';
    is try('bob', $password, '192.0.2.2'), 200, 'but from elsewhere';
    $login->wait_for_tries(30);
    is try('bob', $password), 200, 'until the time is over';

    count_failures("address\0" . '2001:db8:1:2::/64', 50);
    like try('bob', $password, $_), qr/\A429/, "$_ is of the same network" for '2001:db8:1:2::1', '2001:DB8:1:2:ffff::';
    is try('bob', $password, $_), 200, "$_ is not" for '2001:db8:1:3::1';
    count_failures("address\0" . '192.0.2.77', 50);
    like try('bob', $password, '::ffff:192.0.2.77'), qr/\A429/, 'IPv4 in IPv6';
    count_failures("address\0", 50);
    like try('bob', $password, $_), qr/\A429/, 'all without an address count together' for undef, 'unix:', 'x';
};

subtest 'a name' => sub {
    $login->forget_tries;
    is try('ann', $password, '198.51.100.7'), 200, 'who has logged in from there';
    count_failures("name\0ann", 99);
    is try('ann', $password, '198.51.100.8'), 200, 'right ones take themselves back' for 1 .. 2;
    is try('ann', 'x', '198.51.100.9'), 401, 'the 100th failure, wherever from';
    like try('ann', $password, '203.0.113.1'), qr/\A429/, 'holds the name up';
    is try('ann', $password, '198.51.100.7'), 200, 'but not from where they logged in before';
    $login->sql('UPDATE login_addresses SET at = at - 30 * 86400');
    like try('ann', $password, '198.51.100.7'), qr/\A429/, 'which counts for 30 days';
};

subtest 'a password to be changed' => sub {
    $login->forget_tries;
    my $cookie = cookie_of($login->log_in('bob', $password));
    my $change = sub {
        return $login->call('PUT', '/me/password', cookie => $cookie, origin => 'https://localhost', json => { old => $_[0], new => 'x' x 12 });
    };
    is $change->('wrong')->{status}, 401, 'fails' for 1 .. 3;
    is try('bob', 'x'), 401, 'together with log-ins' for 1 .. 2;
    is $change->($password)->{status}, 429, 'and is held up';
    $login->forget_tries;
    is $change->($password)->{status}, 204, 'until it is not';
};

subtest 'two servers at once' => sub {
    $login->forget_tries;
    my $second = TokenAuth::Login->start(url => $login->url);
    my $text = TokenAuth::Api::request_text('POST', '/api/v1/session', body => '{"username":"ann","password":"x"}',
        headers => { 'Content-Type' => 'application/json', Origin => 'https://localhost', 'X-Real-IP' => '192.0.2.50' });
    my @connections = map { ($login->api->connection, $second->api->connection) } 1 .. 12;
    print $_ $text for @connections;
    my %count;
    $count{ TokenAuth::Api::read_answer($_)->{status} }++ for @connections;
    is_deeply \%count, { 401 => 5, 429 => 19 }, 'do not let more through';
};

subtest 'what is old' => sub {
    $login->forget_tries;
    is try('ann', 'x'), 401, 'a failure';
    $login->wait_for_tries(3600);
    my $fresh = TokenAuth::Login->start(url => $login->url);
    $fresh->log_in('bob', 'x' x 12);
    my $left = $login->sql('SELECT count(*) FROM throttle WHERE at < ' . (time - 100));
    is_deeply $left, $login->sql('SELECT count(*) FROM throttle WHERE at = 0'), 'goes with the next log-ins';
    ok $left->[0] <= 3, 'and what stood for it';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
