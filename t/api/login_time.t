# How long a refused log-in takes tells nothing: medians of 200 tries each, within 10 %.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max min shuffle);
use Test::More;
use Time::HiRes qw(time);
use TokenAuth::Api;
use TokenAuth::Login;

plan skip_all => "the sanitizers take their own time" if $ENV{TOKEN_AUTH_TEST_SANITIZED};

my $tries = 200;
my $login = TokenAuth::Login->start;
$login->person($_, 'correct horse battery') for qw(ann cyd);
$login->person('dan');
$login->ctl(qw(user disable cyd));
my %names = ('wrong password' => 'ann', 'unknown' => 'eve', 'disabled' => 'cyd', 'no password' => 'dan');

my (%took, %median);

# Rounds, so that a busy moment of the machine is everybody's; an address each, so that nobody is held
# up.
sub measure {
    for my $round (1 .. $tries) {
        $login->forget_tries if $round % 50 == 0;
        my $address = 0;
        for my $who (shuffle keys %names) {
            my $at = time;
            my $answer = $login->log_in($names{$who}, 'a wrong password', address => '192.0.2.' . ($round % 50 * 4 + ++$address));
            my $took = time - $at;
            push @{ $took{$who} }, $took if $answer->{status} == 401;
        }
    }
    for my $who (keys %names) {
        my @sorted = sort { $a <=> $b } @{ $took{$who} };
        $median{$who} = $sorted[ @sorted / 2 ];
    }
    return max(values %median) <= 1.1 * min(values %median);
}

# On a machine that does other things, a median of 200 may be off by a few percent; one of 800 is less.
my $sets = 1;
++$sets until measure() || $sets == 4;
for my $who (sort keys %names) {
    is scalar @{ $took{$who} }, $sets * $tries, "$who: all of them were looked at";
    diag sprintf '%-16s median of %d: %.1f ms', $who, $sets * $tries, 1000 * $median{$who};
}
cmp_ok max(values %median), '<=', 1.1 * min(values %median), 'the medians are within 10 % of each other';

done_testing;
