# The version is said in one place, and everything else agrees.
use strict;
use warnings;

use Test::More;
use TokenAuth::Util qw(build_dir lines_from root_dir slurp);

my $root = root_dir();
my ($version) = slurp("$root/include/token_auth/version.hpp") =~ /version\[\] = "([\d.]+)"/;
ok $version, "version $version" or BAIL_OUT('version.hpp has none');
for my $tool (grep { -x build_dir() . "/$_" } qw(tokenctl tokensync tokenapi)) {
    is +(lines_from(build_dir() . "/$tool", '--version'))[0], "$tool $version", "$tool --version";
}
my ($packages) = slurp("$root/debian/changelog") =~ /\Atoken-auth \(([^)]+)\)/;
is $packages, $version, 'debian/changelog';
like slurp("$root/CHANGELOG.md"), qr/^## \Q$version\E /m, 'CHANGELOG.md';
for my $page (glob build_dir() . '/docs/*.[1-9]') {
    like slurp($page), qr/^\.TH .*"token\\-auth \Q$version\E"/m, $page =~ s{.*/}{}r;
}
done_testing;
