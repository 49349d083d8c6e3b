# The section of scripts/bench decision.
package Bench::Document::Decision;

use strict;
use warnings;

use Bench::Plot qw(line_plot);
use Bench::Report qw(table);

my @parts = (
    [ 'credential', 'taking the Authorization field apart' ],
    [ 'digest', 'SHA-256 of the token' ],
    [ 'snapshot', 'a snapshot, begun and ended' ],
    [ 'lookup', 'a snapshot, and token, organization and role in it' ],
    [ 'decide', 'deciding' ],
    [ 'whole', '**the whole: organization token**' ],
    [ 'whole-user', 'the whole: user token, membership, role' ],
    [ 'whole-unknown', 'the whole: unknown token' ],
    [ 'floor-digest', 'floor: SHA-256' ],
    [ 'floor-get', 'floor: a bare mdb_get' ],
    [ 'floor', '**floor: both**' ],
);

sub quotient {
    my ($a, $b) = @_;
    return defined $a && $b ? $a / $b : undef;
}

sub bars {
    my ($results) = @_;
    my $times = $results->{nanoseconds};
    my @bars = map {
        my ($size, $part, $name, $bar) = @$_;
        [ "decision ÷ (SHA-256 + mdb_get), $name, " . size_name($size) . ' tokens at random', $bar, 'at most',
            quotient($times->{$part}{random}{$size}, $times->{floor}{random}{$size}) ]
    } map { [ $_, 'whole', 'organization token', 0.8 ], [ $_, 'whole-user', 'user token', 0.9 ] } 1_000_000, 10_000_000;
    return (@bars, [ 'decision at 10 M tokens ÷ at 1 k, 1000 hot tokens', 1.2, 'at most',
        quotient($times->{whole}{hot}{10_000_000}, $times->{whole}{hot}{1000}) ]);
}

sub size_name {
    my ($tokens) = @_;
    return $tokens % 1_000_000 == 0 ? $tokens / 1_000_000 . ' M' : $tokens % 1000 == 0 ? $tokens / 1000 . ' k' : $tokens;
}

sub section {
    my ($results) = @_;
    my @sizes = @{ $results->{sizes} };
    my $times = $results->{nanoseconds};
    my $text = '';
    my @names = map { size_name($_) } @sizes;
    for my $access ([ 'hot', '1000 hot tokens' ], [ 'random', 'Tokens at random' ]) {
        my $of = sub { $times->{ $_[0] }{ $access->[0] }{ $_[1] } };
        $text .= "### $access->[1], nanoseconds\n\n" . table([ 'tokens in the store', @names ],
            (map { my ($part, $what) = @$_; [ $what, map { sprintf '%.0f', $of->($part, $_) // 0 } @sizes ] } @parts),
            [ 'whole ÷ floor', map { sprintf '%.2f', quotient($of->('whole', $_), $of->('floor', $_)) // 0 } @sizes ]) . "\n";
    }
    my $begin = sub { my ($what, $key, $format) = @_; [ $what, map { sprintf $format, $results->{opening}{$_}{$key} } @sizes ] };
    $text .= "### A worker's beginning\n\n" . table([ 'tokens in the store', @names ],
        $begin->('opening the store, µs', 'open_us', '%.0f'),
        $begin->('memory that is the worker\'s own, KiB', 'private_kib', '%d'),
        $begin->('its first 1000 lookups at random, ns each', 'first_ns', '%.0f'),
        $begin->('the same again', 'again_ns', '%.0f')) . "\n";
    my @lines = map {
        my ($part, $access, $name) = @$_;
        [ $name, [ map { $times->{$part}{$access}{$_} } @sizes ] ]
    } [ 'whole', 'hot', 'the decision, 1000 hot tokens' ], [ 'floor', 'hot', 'the floor, 1000 hot tokens' ],
        [ 'whole', 'random', 'the decision, at random' ], [ 'floor', 'random', 'the floor, at random' ],
        [ 'whole-user', 'random', 'a user token, at random' ];
    $text .= "![nanoseconds by number of tokens](benchmarks/decision.svg)\n\n"
        . "Medians of $results->{options}{repetitions} repetitions of $results->{options}{time} s, interleaved at random.\n\n";
    return ($text, 'decision.svg' => line_plot('A decision, by number of tokens in the store', 'ns', \@names, @lines));
}

1;
