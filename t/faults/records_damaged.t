# Records are damaged, each store in another way: every token gets the answer of its record as it is
# now, or 503. A damaged record lets nobody in, and the other records stay served.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(program);
use TokenAuth::Wire;
use Test::More;
use Time::HiRes qw(sleep time);

my $worlds = 30;
my $seed = $ENV{TOKEN_AUTH_SEED} // int(rand(2**31));
my $program = program('unit/mutated_store');
my $dir = gateway_dir() . '/nginx';
mkdir $_ or die "$_: $!" for $dir, "$dir/stores";
spew("$dir/secret", "secret\n");
spew("$dir/some.key", '0123456789abcdef0123456789abcdef');    # the key of mutated_store
note "to repeat it: TOKEN_AUTH_SEED=$seed";
my @cases = map { [ split ' ' ] } `$program $dir/stores $worlds $seed`;
is $?, 0, 'the stores are written' or BAIL_OUT('mutated_store failed');

my $locations = join "\n", map { "location = /$_ { alias $dir/secret; token_auth_db $dir/stores/$_; }" } 0 .. $worlds - 1;
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_key $dir/some.key;
    token_auth_db $dir/stores/0;
    token_auth api;
    token_auth_scope \$arg_scope;
    keepalive_requests 100000;
    server { listen 127.0.0.1:%PORT%; $locations }
END
my $socket = $server->connect;

sub code {
    my ($case) = @_;
    my ($store, $token, $organization, $scope) = @$case;
    my ($status, undef, $body) = exchange($socket, 'GET', "/$store" . ($scope eq '-' ? '' : "?scope=$scope"),
        Authorization => "Bearer $token", $organization eq '-' ? () : ('X-Org-Id' => $organization));
    return $status == 200 ? 'ok' : $body =~ /"code":"(\w+)"/ ? $1 : "status $status";
}

my @sound = grep { $_->[4] ne 'store_unavailable' } @cases;
my @broken = grep { $_->[4] eq 'store_unavailable' } @cases;
cmp_ok scalar(@sound), '>', 10 * $worlds, 'requests that run into no damage';
cmp_ok scalar(@broken), '>', 5 * $worlds, 'requests that do';
my %codes = map { $_->[4] => 1 } @sound;
cmp_ok scalar(keys %codes), '>=', 8, 'with many answers';

sub all_answered {
    my ($what) = @_;
    my @wrong = map { my $got = code($_); $got eq $_->[4] ? () : "@$_: $got" } @sound;
    is_deeply \@wrong, [], $what;
    return;
}

all_answered('each is answered by its own record');
# nginx closes a damaged store for a second: send one request to each store, then pause.
my %of_store;
push @{ $of_store{ $_->[0] } }, $_ for @broken;
for my $round (0 .. 4) {
    my @asked = map { $of_store{$_}[$round] // () } sort keys %of_store;
    is_deeply [ map { code($_) } @asked ], [ ('store_unavailable') x @asked ], "round $round: damage is answered with 503";
    sleep 2.1;
}
all_answered('and what is not damaged is served again');
$server->stop;
unlike $server->errors, qr/exited on signal|\[(?:alert|emerg|crit)\]/, 'no worker has ended';
like $server->errors, qr/a record is damaged; remove the directory and run "tokensync run"/, 'the log names the remedy';
done_testing;
