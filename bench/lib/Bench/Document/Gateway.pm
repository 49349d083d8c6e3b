# The section of scripts/bench gateway.
package Bench::Document::Gateway;

use strict;
use warnings;

use Bench::Plot qw(bar_plot line_plot);
use Bench::Report qw(table);

my %label = (
    'token_auth organization' => 'token_auth, organization token, of a million',
    'token_auth hot' => 'token_auth, one of 1000 organization tokens',
    'token_auth one' => 'token_auth, always one organization token',
    'token_auth user' => 'token_auth, user token, membership, scope',
    'token_auth unknown' => 'token_auth, unknown token (401)',
    'auth_basic basic' => 'auth_basic, 1 user, {SHA}',
    'map-1 map' => 'map, 1 token',
    'map-10000 map' => 'map, 10,000 tokens',
    'auth_request request' => 'auth_request, a service that looks nothing up',
    'auth_request-beside request' => 'the same, service on the same processor',
    'lua-dict lua' => 'access_by_lua, SHA-256, shared dict',
    'lua-redis lua' => 'access_by_lua, SHA-256, Redis',
    'lua-redis-beside lua' => 'the same, Redis on the same processor',
    'njs njs' => 'njs, SHA-256, map of 10,000 digests',
    'haproxy haproxy' => 'HAProxy, SHA-256, map file',
);
my %content = (static => 'static file of 1 KiB', 204 => '`return 204`', proxied => 'proxied, 1 KiB');

sub find {
    my ($results, $way, $variant, $content) = @_;
    my ($row) = grep { $_->{way} eq $way && $_->{variant} eq $variant && $_->{content} eq $content } @{ $results->{rows} };
    return $row // {};
}

sub quotient {
    my ($a, $b) = @_;
    return defined $a && $b ? $a / $b : undef;
}

sub bars {
    my ($results) = @_;
    my $own = sub { find($results, 'token_auth', 'organization', $_[0]) };
    my @bars = ([ 'protected ÷ unprotected, static file of 1 KiB', 0.95, 'at least', $own->('static')->{ratio} ],
        [ 'protected ÷ unprotected, `return 204`', 0.90, 'at least', $own->('204')->{ratio} ]);
    for my $other ([ 'auth_request-beside', 'request', 'auth_request to a local service' ],
        [ 'auth_request', 'request', 'the same, with a processor more for the service' ],
        [ 'lua-redis-beside', 'lua', 'access_by_lua with SHA-256 and Redis' ],
        [ 'lua-redis', 'lua', 'the same, with a processor more for Redis' ]) {
        for my $content (qw(static 204)) {
            push @bars, [ "requests/s ÷ $other->[2], " . $content{$content}, 2, 'at least',
                quotient($own->($content)->{rate}, find($results, @$other[ 0, 1 ], $content)->{rate}) ];
        }
    }
    return @bars;
}

sub number {
    my ($value) = @_;
    my $text = sprintf '%.0f', $value;
    1 while $text =~ s/^(\d+)(\d{3})/$1,$2/;
    return $text;
}

sub section {
    my ($results) = @_;
    my %o = %{ $results->{options} };
    my $text = '';
    my %plots;
    for my $content ('static', '204', 'proxied') {
        my @rows = grep { $_->{content} eq $content && $_->{variant} ne 'open' } @{ $results->{rows} };
        my $open = find($results, 'token_auth', 'open', $content);
        $text .= "### A $content{$content}\n\n" . table(
            [ 'protected by', 'requests/s', '÷ unprotected', 'CPU µs', 'unprotected', 'p50 ms', 'p90', 'p99', 'p99.9' ],
            map {
                my $row = $_;
                my $base = find($results, $row->{way}, 'open', $content);
                [ $label{"$row->{way} $row->{variant}"} // $row->{way}, number($row->{rate}), sprintf('%.2f', $row->{ratio}),
                    (map { defined $_ ? sprintf('%.1f', $_) : '' } $row->{cpu}, $base->{cpu}),
                    map { sprintf '%.2f', $_ } @{ $row->{latency} } ]
            } @rows) . "\n![requests/s](benchmarks/gateway-$content.svg)\n\n";
        $plots{"gateway-$content.svg"} = bar_plot("Requests/s, $content{$content}" =~ tr/`//dr, 'requests/s; behind it ÷ unprotected in the same round',
            [ 'unprotected', $open->{rate}, number($open->{rate}), '#999' ],
            map { [ $label{"$_->{way} $_->{variant}"} // $_->{way}, $_->{rate},
                number($_->{rate}) . sprintf('  (%.2f)', $_->{ratio}), $_->{way} eq 'token_auth' ? undef : '#d1a06f' ] } @rows);
    }
    my @proxied = grep { $_->{content} eq 'proxied' } @{ $results->{rows} };
    $plots{'gateway-latency.svg'} = line_plot('Latency, proxied', 'ms', [qw(p50 p90 p99 p99.9)],
        (map { [ 'unprotected', $_->{latency} ] } grep { $_->{way} eq 'token_auth' && $_->{variant} eq 'open' } @proxied),
        map { [ $label{"$_->{way} $_->{variant}"} // $_->{way}, $_->{latency} ] } grep { $_->{variant} ne 'open' } @proxied);
    $text .= "### Latency\n\n![latency percentiles](benchmarks/gateway-latency.svg)\n\n"
        . number($o{tokens}) . " tokens, $o{rounds} rounds of $o{seconds} s, $o{connections} connections. Processors: "
        . (@{ $results->{cpus} } > 1 ? "$results->{cpus}[0] for the server that is measured, $results->{cpus}[-1] for wrk and, but where said, all other servers."
            : 'one, for all.') . "\n\n";
    return ($text, %plots);
}

1;
