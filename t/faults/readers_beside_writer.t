# Readers without a lock beside a writer at its full rate, stopped at every step: each lookup is whole
# and of one commit, or is tried again. Without the check that this rests on, the test must fail.
use strict;
use warnings;

use FindBin;
use Test::More;

my $build = $ENV{TOKEN_AUTH_BUILD} // "$FindBin::Bin/../../build";
my $lookups = ($ENV{TOKEN_AUTH_FAULTS} // '') eq 'full' ? 100_000_000 : 1_000_000;

my $told = `$build/unit/read_beside_writer $lookups`;
is $?, 0, "no lookup of $lookups is torn" or diag $told;
like $told, qr/ 0 wrong$/m, 'and that is what the program counted';
system("$build/unit/read_unvalidated 1000000 --must-fail >/dev/null 2>&1");
is $?, 0, 'lookups are torn without the check';

done_testing;
