# The figures of bench/sync.pl as text and plots.
package Bench::Document::Sync;

use strict;
use warnings;

use Bench::Plot qw(bar_plot);
use Bench::Report qw(table);

my @engines = ([ postgresql => 'PostgreSQL' ], [ sqlite => 'SQLite' ]);

sub number { my ($n) = @_; 1 while $n =~ s/^(\d+)(\d{3})/$1,$2/; return $n }
sub size { my ($n) = @_; return $n >= 1e6 ? $n / 1e6 . ' M' : $n >= 1e3 ? $n / 1e3 . ' k' : $n }

sub sizes { my ($results) = @_; return sort { $a <=> $b } keys %{ $results->{loads}{postgresql} } }

sub bars {
    my ($results) = @_;
    my ($largest) = reverse sizes($results);
    my @bars;
    for my $engine (@engines) {
        my ($key, $name) = @$engine;
        my $load = $results->{loads}{$key}{$largest};
        push @bars, [ "full load of " . size($largest) . " tokens from $name ÷ `mdb_load` of the same pairs", 2, 'at most',
            $load && $load->{seconds} / $load->{mdb_load} ],
            [ "its private memory, MiB", 256, 'at most', $load && $load->{private} / 2**20 ];
    }
    for my $engine (@engines) {
        my ($key, $name) = @$engine;
        my $found = $results->{service}{$key};
        push @bars, [ "committed revocation to the first 401, p99, ms, $name", 20, 'at most', $found->{idle}{p99} ],
            [ "the same while " . number($results->{options}{rate}) . " changes/s are synced", 100, 'at most', $found->{busy}{p99} ],
            [ "nginx's p99 latency while " . number($results->{options}{rate}) . " changes/s are synced ÷ at rest, $name", 1.2, 'at most',
            $found->{latency}{ratio} ];
    }
    push @bars, [ 'the same to the last of three hosts, p99, ms, PostgreSQL', 100, 'at most', $results->{hosts}{last}{p99} ];
    return @bars;
}

sub section {
    my ($results) = @_;
    my @sizes = sizes($results);
    my $text = "Full loads into an empty store (`tokensync run`), `mdb_load` of the same pairs, and " . number($results->{options}{changes})
        . " changes that one `run` applies:\n\n";
    $text .= table([ 'registry', 'tokens', 'load, s', 'tokens/s', 'mdb_load, s', 'ratio', 'private memory, MiB', 'store, MiB', 'changes/s' ],
        map { my $engine = $_; map { my $load = $results->{loads}{ $engine->[0] }{$_};
            $load ? [ $engine->[1], size($_), sprintf('%.1f', $load->{seconds}), number(sprintf '%.0f', $_ / $load->{seconds}),
                sprintf('%.1f', $load->{mdb_load}), sprintf('%.2f', $load->{seconds} / $load->{mdb_load}),
                sprintf('%.0f', $load->{private} / 2**20), sprintf('%.0f', $load->{disk} / 2**20),
                number(sprintf '%.0f', $load->{applied}) ] : () } @sizes } @engines) . "\n";
    $text .= "From a revocation's commit to nginx's first 401, milliseconds, " . $results->{options}{tries} . " tries each, with `tokensync watch` "
        . "and a store of " . size($sizes[0]) . " tokens:\n\n";
    my @rows = map { my ($key, $name) = @$_; my $found = $results->{service}{$key};
        ([ "$name, at rest", $found->{idle} ], [ sprintf('%s, at %s changes/s', $name, number(sprintf '%.0f', $found->{rate})), $found->{busy} ]) } @engines;
    push @rows, map { [ "PostgreSQL, host $_ of three", $results->{hosts}{each}[ $_ - 1 ] ] } 1 .. 3;
    push @rows, [ 'PostgreSQL, the last of three', $results->{hosts}{last} ];
    $text .= table([ '', 'p50', 'p90', 'p99', 'max' ],
        map { my ($name, $found) = @$_; [ $name, map { sprintf '%.1f', $found->{$_} } qw(p50 p90 p99 p100) ] } @rows) . "\n";
    $text .= "nginx's latency, milliseconds, at 1,000 requests a second over one connection; nginx and who asks it on one processor, all else on another; "
        . "medians of $results->{options}{rounds} rounds of $results->{options}{seconds} s each, with and without changes in turn:\n\n";
    $text .= table([ '', 'p50', 'p90', 'p99' ], map { my ($key, $name) = @$_; my $found = $results->{service}{$key};
        map { my $when = $_; [ "$name, " . ($when eq 'idle' ? 'at rest' : sprintf('at %s changes/s', number(sprintf '%.0f', $found->{rate}))),
            map { sprintf '%.3f', $found->{latency}{$_}{$when} } qw(p50 p90 p99) ] } qw(idle busy) } @engines) . "\n";
    $text .= "![time to the first 401](benchmarks/sync-revocation.svg)\n";
    return ($text, 'sync-revocation.svg' => bar_plot('Revocation to first 401, p99', 'milliseconds',
        map { [ $_->[0], $_->[1]{p99}, sprintf '%.1f', $_->[1]{p99} ] } @rows));
}

1;
