# The figures of bench/api.pl as text.
package Bench::Document::Api;

use strict;
use warnings;

use Bench::Report qw(table);
use List::Util qw(max);

sub number { my ($n) = @_; 1 while $n =~ s/^(\d+)(\d{3})/$1,$2/; return $n }

sub bars {
    my ($results) = @_;
    my $wanted = $results->{options};
    my %lists = map { $_->{name} => $_->{p99} } @{ $results->{lists} };
    my $most = sub { return max(@_) };
    return (
        [ 'list, the first page, p99, ms', 20, 'at most', $lists{'the first page'} ],
        [ 'list, a page in the middle, p99, ms', 20, 'at most', $lists{'one in the middle'} ],
        [ 'list, the slowest filter or order, p99, ms', 20, 'at most', max(values %lists) ],
        [ 'creation of a token, p99, ms', 20, 'at most', $results->{creation}{p99} ],
        [ 'memory at most, MiB', 64, 'at most', $results->{memory} ],
        [ 'of ' . number($wanted->{connections}) . ' requests at once, answered', $wanted->{connections}, 'at least', $results->{connections}{answered} ],
        [ 'list through nginx beside ' . number($wanted->{slow}) . ' slow clients, p99, ms', 20, 'at most', $results->{slow}{p99}{slow} ],
        [ "connections of tokenapi's that those take", 1, 'at most', $results->{slow}{taken} ],
        [ 'creations that SIGTERM cuts off, or of whose token nobody is told', 0, 'at most', $results->{end}{cut} + abs $results->{end}{untold} ],
    );
}

sub section {
    my ($results) = @_;
    my $wanted = $results->{options};
    my $text = "$wanted->{callers} callers, each with a connection to tokenapi's socket, ask again as soon as they have their answer; milliseconds, medians of "
        . "$wanted->{rounds} rounds of $wanted->{seconds} s. PostgreSQL, tokenapi and the callers share both processors"
        . ($results->{realtime} ? ', with real-time priority' : '') . ":\n\n";
    $text .= table([ '', 'p50', 'p99', 'max', 'answers/s' ],
        map { my $row = $_; [ $row->{name} eq 'creation' ? 'creation' : "list, $row->{name}", (map { sprintf '%.1f', $row->{$_} } qw(p50 p99 max)), number(sprintf '%.0f', $row->{rate}) ] }
            @{ $results->{lists} }, $results->{creation}) . "\n";
    $text .= sprintf "The last of %s requests at once was answered after %.2f s. One caller through nginx, ten tokens a page: p99 %.1f ms, beside %s slow clients %.1f ms. "
        . "After SIGTERM, in the middle of %s creations, it ended within %.2f s.\n",
        number($wanted->{connections}), $results->{connections}{longest}, $results->{slow}{p99}{rest}, number($results->{slow}{open}), $results->{slow}{p99}{slow},
        number($results->{end}{answered}), $results->{end}{seconds};
    return ($text);
}

1;
