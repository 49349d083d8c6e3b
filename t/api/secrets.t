# Nothing that logs somebody in, or in by a token, is in a log, a table or any other file: whatever
# was done with it, and wherever it was written by mistake.
use strict;
use warnings;

use File::Find qw(find);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use MIME::Base64 qw(encode_base64);
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Postgres;
use TokenAuth::Registry qw(on_postgresql);
use TokenAuth::Util qw(slurp spew);

my $dir = tempdir('token-auth-secrets-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my %secrets;

# A new one of that kind, as nobody else has it.
sub secret {
    my ($what) = @_;
    open my $random, '<', '/dev/urandom' or die "urandom: $!";
    read $random, my $bytes, 18;
    my $text = unpack 'H*', $bytes;
    $secrets{$what} = $text;
    return $text;
}

# What follows the id, and all that may be looked for.
sub keep {
    my ($what, $token) = @_;
    ($secrets{$what}) = $token =~ /\.(.{20,})/ or die "no token: $token";
    return $token;
}

spew("$dir/sso", secret('sign-on') . "\n");
chmod 0600, "$dir/sso";
my $login = TokenAuth::Login->start(args => [ '--auth-token', '--sso-header', 'X-Remote-User', '--sso-secret', "$dir/sso" ]);
my $password = secret('password');
$login->person('ann', $password);
$login->ctl(qw(org add acme));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(member add ann acme --role admin));
my $cookie = cookie_of($login->log_in('ann', $password));
($secrets{session}) = $cookie =~ /=(.*)/;

sub ann {
    my ($method, $path, %options) = @_;
    return $login->call($method, $path, cookie => $cookie, origin => 'https://localhost', %options);
}

subtest 'what they are for' => sub {
    my $made = ann('POST', '/organizations/acme/tokens', json => { name => 'x', role => 'admin' }, headers => { 'Idempotency-Key' => 'k' })->{json};
    my $token = keep('token', $made->{token});
    ann('POST', '/organizations/acme/tokens', json => { name => 'x', role => 'admin' }, headers => { 'Idempotency-Key' => 'k' });
    is $login->call('GET', '/me', bearer => $token)->{status}, 200, 'a token';
    keep('successor', ann('POST', "/tokens/$made->{id}/rotate")->{json}{token});
    keep('personal token', ann('POST', '/me/tokens', json => { name => 'x' })->{json}{token});
    my $basic = encode_base64("ann:$password", '');
    keep('retrieved token', $login->call('POST', '/auth_token', headers => { Authorization => "Basic $basic" })->{json}{auth_token});
    $secrets{basic} = $basic;
    for my $path (qw(/oauth/introspect /oauth/revoke)) {
        is $login->call('POST', $path, bearer => $token, body => "token=$token", headers => { 'Content-Type' => 'application/x-www-form-urlencoded' })->{status}, 200, $path;
    }
    my $sso = $login->call('POST', '/session/sso', origin => 'https://localhost', headers => { 'X-Remote-User' => 'ann', 'X-Sso-Secret' => $secrets{'sign-on'} });
    is $sso->{status}, 200, 'single sign-on';
    ($secrets{'second session'}) = cookie_of($sso) =~ /=(.*)/;
    is ann('PUT', '/me/password', json => { old => $password, new => secret('new password') })->{status}, 204, 'a new password';
    is $login->log_in('ann', secret('wrong password'))->{status}, 401, 'a wrong password';
};

subtest 'where they were written by mistake' => sub {
    is $login->log_in(secret('password as a name'), 'x')->{status}, 401, 'as the name of nobody';
    is $login->log_in('ann', 'x', headers => { 'X-Sso-Secret' => secret('another secret') })->{status}, 401, 'a field';
    my $token = 'ak_7Hq.' . secret('token elsewhere');
    my %codes = (
        "/tokens/$token" => 404, "/tokens?$token" => 404, "/me?$token=1" => 400, "/organizations/acme/tokens?q=$token" => 200,
        "/organizations/acme/tokens?sort=$token" => 400, "/organizations/acme/tokens?cursor=$token" => 400, "/organizations/$token" => 404);
    is ann('GET', $_)->{status}, $codes{$_}, $_ =~ s/$token/TOKEN/r for sort keys %codes;
    for my $body (qq({"$token":1}), qq({"name":"x","role":"$token"}), qq({"name":"x","expires":"$token"}), qq({"name":"x","allow":["$token"]}), qq({"name":"x","scopes":["a b $token"]}), qq({"name":"$token), $token) {
        my $answer = ann('POST', '/organizations/acme/tokens', json => $body);
        like $answer->{status}, qr/\A4(?:00|22)\z/, $body =~ s/\Q$token\E/TOKEN/r;
        unlike $answer->{body}, qr/\Q$secrets{'token elsewhere'}\E/, 'which is not repeated';
    }
    is $login->call('GET', '/me', bearer => $token)->{status}, 401, 'an unknown token';
};

subtest 'an export' => sub {
    my $export = $login->ctl('export');
    is_deeply [ sort keys %{ { map { $_ => 1 } $export =~ /^\{"type":"(\w+)"/mg } } ], [qw(membership organization role token user)], 'holds what is managed';
    unlike $export, qr/argon2|session_|throttle|idempotency/, 'nothing that logs somebody in';
};

# A registry that does not answer is named in the log, without its password.
subtest 'in a URL' => sub {
    my $away = TokenAuth::Api->start(url => 'postgresql://ann:' . secret('URL') . "\@127.0.0.1:1/registry");
    is $away->call('GET', '/api/v1/me', headers => { Authorization => 'Bearer ak_7Hq.x' })->{status}, 503, 'there is none';
    like $away->log, qr/registry/, 'the log says so';
    unlike $away->log, qr/\Q$secrets{URL}\E/, 'without the password';
};

my $database;
if (on_postgresql()) {
    $database = TokenAuth::Postgres->shared;
    $login->sql('CHECKPOINT');
}
my @files;
find({ no_chdir => 1, wanted => sub { push @files, $_ if -f && $_ ne "$dir/sso" } }, $login->api->dir, $dir, $database ? $database->dir : ());
cmp_ok scalar(@files), '>=', 2, 'there are files';
for my $what (sort keys %secrets) {
    my @with = grep { index(slurp($_), $secrets{$what}) >= 0 } @files;
    is "@with", '', "$what: in no file";
}

# The process dies of a fault with all of it in its memory.
subtest 'no core' => sub {
    my $pid = $login->api->pid;
    is $login->api->stop('ABRT'), 'signal 6', 'a fault';
    ok !grep({ -e } "core", "core.$pid", $login->api->dir . '/core'), 'leaves none';
};

done_testing;
