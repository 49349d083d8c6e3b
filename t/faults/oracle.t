# The oracle itself: it accepts right answers and finds wrong ones.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Oracle;

# a and b are let in; b is revoked at 10 to 11 (version 1), a and b change places at 20 to 21 (2).
sub oracle {
    my (%options) = @_;
    my $oracle = TokenAuth::Oracle->new(%options);
    $oracle->initially(a => 'ok', b => 'ok');
    $oracle->version(10, 11, b => 'no');
    $oracle->version(20, 21, a => 'no', b => 'ok');
    return $oracle;
}

sub wrong { my ($oracle, @requests) = @_; return scalar $oracle->judge(@requests) }

my @before = ([ 1, 2, a => 'ok' ], [ 3, 4, b => 'ok' ]);
is wrong(oracle(), @before), 0, 'what was there first';
is wrong(oracle(), [ 1, 2, a => 'no' ]), 1, 'a refusal that was never right';
is wrong(oracle(), [ 3, 9, b => 'no' ]), 1, 'before the change began';
is wrong(oracle(), [ 3, 10.5, b => 'no' ]), 0, 'while it is made';
is wrong(oracle(), [ 3, 10.5, b => 'ok' ], [ 12, 13, b => 'ok' ]), 0, 'not yet in force';
is wrong(oracle(), [ 3, 10.5, b => 'no' ], [ 12, 13, b => 'ok' ]), 1, 'back from what was seen';
is wrong(oracle(), [ 3, 10.5, b => 'no' ], [ 10.2, 13, b => 'ok' ]), 0, 'but for what was under way';
is wrong(oracle(), [ 22, 23, a => 'no' ], [ 24, 25, b => 'no' ]), 1, 'half of a commit';
is wrong(oracle(), [ 22, 23, a => 'no' ], [ 24, 25, b => 'ok' ]), 0, 'all of it';
is wrong(oracle(), [ 22, 23, b => 'no' ], [ 24, 25, a => 'no' ], [ 26, 27, a => 'ok' ]), 1, 'and back';
is wrong(oracle(ordered => 0), [ 22, 23, a => 'no' ], [ 24, 25, b => 'no' ]), 0,
    'where workers may differ, nothing is shown by answers';

for my $ordered (0, 1) {
    my $oracle = oracle(ordered => $ordered);
    $oracle->settle(12, 15);
    is wrong($oracle, [ 14, 14.5, b => 'ok' ]), 0, 'before it had to be in force';
    is wrong($oracle, [ 14, 15.5, b => 'ok' ]), 0, 'sent before it had to be';
    is wrong($oracle, [ 15.1, 15.5, b => 'ok' ]), 1, 'a let-through afterwards';
    is wrong($oracle, [ 15.1, 15.5, b => 'no' ], [ 30, 31, b => 'no' ]), 0, 'of the next one, nothing is known';
    $oracle = oracle(ordered => $ordered);
    $oracle->settle_within(5);
    is wrong($oracle, [ 25, 25.5, a => 'ok' ], [ 26.1, 27, a => 'ok' ]), 1, 'every change in its time';
    $oracle = oracle(ordered => $ordered);
    $oracle->settle(10.5, 15);
    is wrong($oracle, [ 15.1, 15.5, b => 'ok' ]), 0, 'what was under way when it began need not be';
}

my $oracle = oracle();
$oracle->excuse(unavailable => 5, 8, 'a');
is wrong($oracle, [ 4, 5.5, a => 'unavailable' ], [ 7.9, 9, a => 'unavailable' ]), 0, 'excused';
is wrong($oracle, [ 3, 4.9, a => 'unavailable' ], [ 8.1, 9, a => 'unavailable' ]), 2, 'outside of it';
is wrong($oracle, [ 6, 7, b => 'unavailable' ]), 1, 'another target';
is wrong($oracle, [ 6, 7, a => 'no' ]), 1, 'another answer';

done_testing;
