# Plots as SVG: bars, and lines over a logarithmic scale.
package Bench::Plot;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(bar_plot line_plot);

my @colors = map { "#$_" } split ' ',
    '2f6fb0 d1711f 3a8f4d b03a3a 7a55a8 8a6a4f c2589a 666666 9a9a20 2a9aa8 50506f';

sub escaped {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    $text =~ s/([&<>"])/$entity{$1}/g;
    return $text;
}

sub text {
    my ($x, $y, $text, %options) = @_;
    my $anchor = $options{anchor} // 'start';
    my $size = $options{size} // 12;
    my $weight = $options{bold} ? ' font-weight="bold"' : '';
    return sprintf qq{<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d"%s>%s</text>\n},
        $x, $y, $anchor, $size, $weight, escaped($text);
}

sub line {
    my ($x1, $y1, $x2, $y2, $color) = @_;
    return sprintf qq{<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>\n}, $x1, $y1, $x2, $y2, $color;
}

sub document {
    my ($width, $height, @parts) = @_;
    return qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" }
        . qq{font-family="sans-serif" fill="#222">\n<rect width="$width" height="$height" fill="#fff"/>\n}
        . join('', @parts) . "</svg>\n";
}

# bar_plot(title, unit, [ label, value, text beside it ], …)
sub bar_plot {
    my ($title, $unit, @bars) = @_;
    my ($left, $width, $step) = (230, 860, 24);
    my ($most) = sort { $b <=> $a } map { $_->[1] } @bars;
    my $scale = ($width - $left - 150) / ($most || 1);
    my @parts = text($left, 22, "$title ($unit)", size => 15, bold => 1);
    my $y = 40;
    for my $bar (@bars) {
        my ($label, $value, $note, $color) = @$bar;
        push @parts, text($left - 8, $y + 14, $label, anchor => 'end'),
            sprintf(qq{<rect x="%d" y="%d" width="%.1f" height="17" fill="%s"/>\n}, $left, $y + 1, $value * $scale, $color // $colors[0]),
            text($left + $value * $scale + 6, $y + 14, $note);
        $y += $step;
    }
    return document($width, $y + 12, @parts);
}

# line_plot(title, y unit, [ x labels ], [ name, [ values ] ], …): the values stand on a logarithmic scale.
sub line_plot {
    my ($title, $unit, $labels, @lines) = @_;
    my ($left, $right, $top, $bottom, $width) = (70, 560, 40, 380, 860);
    my @values = sort { $a <=> $b } grep { defined && $_ > 0 } map { @{ $_->[1] } } @lines;
    my $floor = log($values[0] * 0.8);
    my $range = log($values[-1] * 1.25) - $floor;
    my $y = sub { $bottom - ($bottom - $top) * (log($_[0]) - $floor) / $range };
    my $x = sub { @$labels < 2 ? $left + 40 : $left + 30 + ($right - $left - 60) * $_[0] / $#$labels };
    my @parts = text($left, 22, "$title ($unit)", size => 15, bold => 1);
    for my $power (-3 .. 9) {
        for my $tick (map { $_ * 10**$power } 1, 2, 5) {
            next if $y->($tick) > $bottom || $y->($tick) < $top;
            push @parts, line($left, $y->($tick), $right, $y->($tick), '#ddd'),
                text($left - 6, $y->($tick) + 4, sprintf('%g', $tick), anchor => 'end', size => 11);
        }
    }
    push @parts, line($left, $bottom, $right, $bottom, '#222');
    push @parts, map { text($x->($_), $bottom + 18, $labels->[$_], anchor => 'middle') } 0 .. $#$labels;
    for my $i (0 .. $#lines) {
        my ($name, $points) = @{ $lines[$i] };
        my $color = $colors[ $i % @colors ];
        my @at = map { sprintf '%.1f,%.1f', $x->($_), $y->($points->[$_]) } grep { ($points->[$_] // 0) > 0 } 0 .. $#$points;
        push @parts, qq{<polyline points="@at" fill="none" stroke="$color" stroke-width="2"/>\n};
        push @parts, map { my ($cx, $cy) = split /,/; qq{<circle cx="$cx" cy="$cy" r="3" fill="$color"/>\n} } @at;
        my $row = $top + 8 + 20 * $i;
        push @parts, sprintf(qq{<rect x="%d" y="%d" width="14" height="4" fill="%s"/>\n}, $right + 20, $row, $color),
            text($right + 40, $row + 6, $name);
    }
    my $height = $bottom + 34;
    my $legend = $top + 20 + 20 * @lines;
    return document($width, $height > $legend ? $height : $legend, @parts);
}

1;
