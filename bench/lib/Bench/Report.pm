# Writes the figures of a benchmark to a file, and the document from all such files.
#
# A benchmark NAME calls record(NAME, results, --record or not). Bench::Document::NAME turns results
# into text and plots: section(results) gives Markdown and a hash of file name => SVG, and bars(results)
# a list of [ what, bar, "at least" | "at most", measured ].
package Bench::Report;

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use JSON::PP;
use POSIX qw(strftime);
use TokenAuth::Util qw(slurp spew);


our @EXPORT_OK = qw(machine median missed quartiles record render table);

my $root = $ENV{TOKEN_AUTH_ROOT} // die "run scripts/bench\n";
my $document = "$root/docs/BENCHMARKS.md";
my $figures = "$root/docs/benchmarks";

sub median {
    my @values = sort { $a <=> $b } grep { defined } @_ or return;
    return @values % 2 ? $values[ $#values / 2 ] : ($values[ @values / 2 - 1 ] + $values[ @values / 2 ]) / 2;
}

# Lower quartile, median, upper quartile.
sub quartiles {
    my @values = sort { $a <=> $b } @_ or return;
    return map { $values[ int($#values * $_ + 0.5) ] } 0.25, 0.5, 0.75;
}

sub version_of {
    my ($package) = @_;
    my $version = `dpkg-query -W -f '\${Version}' $package 2>/dev/null`;
    return $version eq '' ? () : ($package => $version);
}

# The machine of the measurement.
sub machine {
    my $lscpu = `LC_ALL=C lscpu 2>/dev/null`;
    my ($model) = $lscpu =~ /^Model name:\s*(.*?)\s*$/m;
    my ($flags) = slurp('/proc/cpuinfo') =~ /^(?:flags|Features)\s*:(.*)/m ? $1 : '';
    my ($memory) = -r '/proc/meminfo' ? slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m : ();
    return {
        cpu => $model // 'unknown', sha => $flags =~ /\b(?:sha_ni|sha2)\b/ ? 1 : 0, cpus => `nproc` + 0, hypervisor => $lscpu =~ /^Hypervisor vendor/m ? 1 : 0,
        caches => [ $lscpu =~ /^(L\d\w* cache:.*?)\s*$/mg ],
        memory => defined $memory ? sprintf('%.0f GiB', $memory / 1024 / 1024) : 'unknown',
        kernel => (POSIX::uname())[2], date => strftime('%Y-%m-%d', gmtime),
        load => (split ' ', -r '/proc/loadavg' ? slurp('/proc/loadavg') : '?')[0],
        versions => { map { version_of($_) } qw(nginx liblmdb0 libssl3 redis-server libnginx-mod-http-lua libbenchmark1) },
    };
}

# A Markdown table with aligned columns.
sub table {
    my ($head, @rows) = @_;
    my @width = map { my $i = $_; my ($most) = sort { $b <=> $a } 3, map { length $_->[$i] } $head, @rows; $most } 0 .. $#$head;
    my $line = sub { '| ' . join(' | ', map { $_ ? sprintf("%$width[$_]s", $_[$_]) : sprintf("%-$width[0]s", $_[0]) } 0 .. $#_) . " |\n" };
    return join '', $line->(@$head), '| ' . join(' | ', map { ('-' x ($width[$_] - ($_ ? 1 : 0))) . ($_ ? ':' : '') } 0 .. $#width) . " |\n",
        map { $line->(@$_) } @rows;
}

sub held {
    my ($bar, $sense, $measured) = @_;
    return 'not measured' if !defined $measured;
    return ($sense eq 'at least' ? $measured >= $bar : $measured <= $bar) ? 'held' : 'missed';
}

sub bars_table {
    my @bars = @_;
    return '' if !@bars;
    return table([ 'bar', '', 'measured', '' ],
        map { my ($what, $bar, $sense, $measured) = @$_;
            [ $what, "$sense $bar", !defined $measured ? '' : $measured =~ /\A\d+\z/ ? $measured : sprintf('%.2f', $measured), held($bar, $sense, $measured) ] } @bars) . "\n";
}

sub machine_text {
    my ($machine) = @_;
    my %versions = %{ $machine->{versions} };
    return "Measured on $machine->{date}: $machine->{cpus} processors ($machine->{cpu}"
        . (!defined $machine->{sha} ? '' : $machine->{sha} ? ', with SHA instructions' : ', without SHA instructions')
        . ($machine->{hypervisor} ? ', a virtual machine' : '') . "), $machine->{memory} of memory, Linux $machine->{kernel}, "
        . "load average $machine->{load} at the end.\n" . join(', ', map { "$_ $versions{$_}" } sort keys %versions) . ".\n\n";
}

sub module_of {
    my ($name) = @_;
    my $module = 'Bench::Document::' . ucfirst $name;
    eval "require $module; 1" or die $@;
    return $module;
}

# How many bars of a benchmark are missed.
sub missed {
    my ($name, $results) = @_;
    return scalar grep { held(@$_[ 1 .. 3 ]) eq 'missed' } module_of($name)->can('bars')->($results);
}

# Prints the results; records them and updates the document if $keep is true.
sub record {
    my ($name, $results, $keep) = @_;
    my $module = module_of($name);
    my ($text) = $module->can('section')->($results);
    print machine_text($results->{machine}), bars_table($module->can('bars')->($results)), $text;
    my $directory = $keep ? $figures : "$ENV{TOKEN_AUTH_BUILD}/bench/results";
    make_path($directory);
    spew("$directory/$name.json", JSON::PP->new->canonical->pretty->encode($results));
    print STDERR "written: $directory/$name.json\n";
    render() if $keep;
    return;
}

# Writes the section of each recorded benchmark between its markers in the document.
sub render {
    my $text = slurp($document);
    for my $file (sort glob "$figures/*.json") {
        my ($name) = $file =~ m{([a-z]+)\.json\z} or next;
        my $module = module_of($name);
        my $results = decode_json(slurp($file));
        my ($section, %plots) = $module->can('section')->($results);
        $section = machine_text($results->{machine}) . bars_table($module->can('bars')->($results)) . $section;
        for my $plot (sort keys %plots) {
            spew("$figures/$plot", $plots{$plot});
            print STDERR "written: $figures/$plot\n";
        }
        $text =~ s/(<!-- $name: made by scripts\/bench -->\n).*?(<!-- $name: end -->)/$1\n$section$2/s
            or die "$document has no place for the section \"$name\"\n";
    }
    spew($document, $text);
    print STDERR "written: $document\n";
    return;
}

1;
