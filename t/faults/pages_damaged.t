# Pages of the store are damaged while nginx serves it: 503, few lines, the worker lives and recovers.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually overwrite);
use Test::More;
use Time::HiRes qw(sleep);

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/secret", "secret\n");

my $page_size = 4096;
my @damages = (
    [ 'cut to its meta pages'  => sub { truncate $_[0], 2 * $page_size } ],
    [ 'cut to nothing'         => sub { truncate $_[0], 0 } ],
    [ 'cut to half a page'     => sub { truncate $_[0], $page_size / 2 } ],
    [ 'noise all over'         => sub { overwrite($_[0], 0, noise(-s $_[0] > 1 << 20 ? 1 << 20 : -s $_[0])) } ],
    [ 'noise behind the meta pages' => sub { overwrite($_[0], 2 * $page_size, noise(60 * $page_size)) } ],
    [ 'zeros behind the meta pages' => sub { overwrite($_[0], 2 * $page_size, "\0" x (60 * $page_size)) } ],
    [ 'ones behind the meta pages'  => sub { overwrite($_[0], 2 * $page_size, "\xff" x (60 * $page_size)) } ],
    # md_root of the main database, in both meta pages
    [ 'a root page that is none'    => sub { overwrite($_[0], $_ * $page_size + 128, "\0" x 8) for 0, 1; 1 } ],
);
my @names = map { "store$_" } 0 .. $#damages;
sync_into("$dir/$_") for @names;

sub noise { return join '', map { chr(($_ * 7919 + ($_ >> 8) * 31) % 253) } 1 .. $_[0] }

my $locations = join "\n", map { "location = /$_ { alias $dir/html/secret; token_auth_db $dir/$_; }" } @names;
my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth api;
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        location / { root $dir/html; }
        location = /open { token_auth off; alias $dir/html/secret; }
        $locations
    }
END

sub status { return ($server->get("/$_[0]", Authorization => 'Bearer acme-token'))[0] }

for my $i (0 .. $#damages) {
    my ($what, $damage) = @{ $damages[$i] };
    is status($names[$i]), 200, "$what: served before";
    ok $damage->("$dir/$names[$i]/data.mdb"), 'the damage is done';
    # before and after nginx checks the store
    my %got;
    for my $pause (0, 0, 1.2, 0) {
        sleep $pause;
        ++$got{ status($names[$i]) };
    }
    is_deeply [ grep { !/\A(?:200|503)\z/ } keys %got ], [], 'no connection is lost';
    is status($names[$i]), 503, 'the answer is 503';
    is status('secret'), 200, 'another store is served';
    is(($server->get('/open'))[0], 200, 'and what is open');
    system 'rm', '-rf', "$dir/$names[$i]";
    sync_into("$dir/$names[$i]");
    ok eventually(sub { status($names[$i]) == 200 }, 5), 'mended, it is served again';
    my @lines = grep { /\Q$dir\/$names[$i]\E" is (?:unavailable|damaged)/ } split /\n/, $server->errors;
    ok @lines >= 1 && @lines <= 3, 'few lines say so' or diag explain \@lines;
}
unlike $server->errors, qr/exited on signal/, 'no worker has ended';
done_testing;
