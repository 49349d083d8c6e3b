# The section of scripts/bench gateway.
package Bench::Document::Gateway;

use strict;
use warnings;

use Bench::Plot qw(bar_plot);
use Bench::Report qw(table);

my %label = (
    unprotected => 'unprotected',
    organization => 'token_auth, organization tokens at random',
    usage => 'the same, their last use noted',
    no_zone => 'the same, without counters (`token_auth_zone off`)',
    user => 'token_auth, user tokens at random',
    hot => 'token_auth, 1,000 hot organization tokens',
    auth_request => 'auth_request, a service that looks nothing up',
    lua => 'access_by_lua, SHA-256, Redis',
);
my %content = (static => 'static file of 1 KiB', 204 => '`return 204`');
my %unprotected_bar = (
    static => { organization => 0.90, user => 0.87, hot => 0.95 },
    204 => { organization => 0.91, user => 0.88, hot => 0.96 },
);
my %other_bar = (auth_request => 2, lua => 2.5);
my %usage_bar = (usage => 0.98, no_zone => 0.99);
my @variants = qw(unprotected organization usage no_zone user hot auth_request lua);
my %instructions_bar = (organization => 1500, user => 1800, unknown => 2000);

sub find {
    my ($results, $variant, $content) = @_;
    my ($row) = grep { $_->{variant} eq $variant && $_->{content} eq $content } @{ $results->{rows} };
    return $row;
}

# A server that has its processor to itself answers as many requests as their processor time leaves room for, and that time
# is steadier than requests/s on a machine that has more to do: the bars on requests/s go by it.
sub bars {
    my ($results) = @_;
    my $allowance = $results->{machine}{sha} ? 0 : 0.07;
    my @bars;
    for my $content (qw(static 204)) {
        my %of = map { $_->{variant} => $_ } grep { $_->{content} eq $content } @{ $results->{rows} };
        push @bars, (map { [ "$label{$_} ÷ unprotected, $content{$content}", $unprotected_bar{$content}{$_} - $allowance, 'at least',
                $of{$_}{unprotected}{cpu}[1] ] } grep { $of{$_} } qw(organization user hot)),
            (map { [ "organization tokens ÷ $label{$_}, $content{$content}", $other_bar{$_}, 'at least',
                $of{$_}{exceeded}{cpu}[1] ] } grep { $of{$_} } qw(auth_request lua));
        push @bars, [ "organization tokens, last use noted ÷ not noted, $content{$content}", $usage_bar{usage}, 'at least',
            1 / $of{usage}{exceeded}{cpu}[1] ] if $of{usage};
        push @bars, [ "organization tokens, counted ÷ not counted, $content{$content}", $usage_bar{no_zone}, 'at least',
            $of{no_zone}{exceeded}{cpu}[1] ] if $of{no_zone};
    }
    my %added = %{ $results->{instructions} };
    return (@bars, map { [ "instructions added, $_ token", $instructions_bar{$_}, 'at most', $added{$_} ] }
        grep { defined $added{$_} } qw(organization user unknown));
}

sub number {
    my ($value) = @_;
    my $text = sprintf '%.0f', $value;
    1 while $text =~ s/^(\d+)(\d{3})/$1,$2/;
    return $text;
}

# "median (quartile to quartile)"
sub spread {
    my ($format, $quartiles) = @_;
    return sprintf "$format ($format to $format)", @$quartiles[ 1, 0, 2 ];
}

sub section {
    my ($results) = @_;
    my %o = %{ $results->{options} };
    my $text = '';
    my %plots;
    for my $content (qw(static 204)) {
        my @rows = grep { defined } map { find($results, $_, $content) } @variants;
        $text .= "### " . ucfirst("$content{$content}\n\n") . table(
            [ '', 'requests/s', '÷ unprotected', 'processor time, µs', 'ratio by it', 'instructions added' ],
            map {
                my $added = $results->{instructions}{ $_->{variant} };
                [ $label{ $_->{variant} }, number($_->{rate}[1]), spread('%.2f', $_->{unprotected}{rate}),
                    spread('%.1f', $_->{cpu}), spread('%.3f', $_->{unprotected}{cpu}), defined $added ? number($added) : '' ]
            } @rows) . "\n![requests/s](benchmarks/gateway-$content.svg)\n\n";
        $plots{"gateway-$content.svg"} = bar_plot("Requests/s, $content{$content}" =~ tr/`//dr, 'requests/s; behind it ÷ unprotected in the same round',
            map { [ $label{ $_->{variant} }, $_->{rate}[1], number($_->{rate}[1]) . sprintf('  (%.2f)', $_->{unprotected}{rate}[1]),
                $_->{variant} eq 'unprotected' ? '#999' : $_->{variant} =~ /auth_request|lua/ ? '#d1a06f' : undef ] } @rows);
    }
    $text .= number($o{tokens}) . " organization tokens and a third as many user tokens, $o{rounds} rounds of $o{slice} ms a row, "
        . "$o{connections} connections. Processor $results->{cpus}[0] is for the servers, $results->{cpus}[-1] for the load."
        . sprintf(" The servers were running for %.0f %% of the time; if that is not nearly all, requests/s depends on what else ran.\n\n",
            $results->{busy} * 100);
    return ($text, %plots);
}

1;
