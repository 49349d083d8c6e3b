# The decision inside a process, with Google Benchmark (bench/decision.cpp).
use strict;
use warnings;

use File::Path qw(make_path);
use Getopt::Long;
use JSON::PP;

use Bench::Process qw(on_cpu run);
use Bench::Report qw(machine median record);
use TokenAuth::Util qw(slurp);

my %options = (sizes => '1000,100000,1000000,10000000', repetitions => 9, time => 0.1);
GetOptions(\%options, qw(sizes=s repetitions=i time=f record smoke)) && !@ARGV
    && $options{sizes} =~ /\A\d+(?:,\d+)*\z/
    or do { print STDERR "bench decision: see scripts/bench --help\n"; exit 2 };

@options{qw(sizes repetitions time record)} = ('1000', 1, 0.001, 0) if $options{smoke};
my $build = $ENV{TOKEN_AUTH_BUILD};
my $stores = "$build/bench/stores";
my $made = "$build/bench/decision.json";
make_path($stores);
my @sizes = split /,/, $options{sizes};
for my $tokens (@sizes) {
    # a new one: the record format may have changed
    run('rm', '-rf', "$stores/$tokens");
    print STDERR "makes a store of $tokens tokens in $stores/$tokens\n";
    run("$build/bench/make_store", '--tokens', $tokens, '--db', "$stores/$tokens");
}
print STDERR "measures\n";
run(on_cpu('measured'), "$build/bench/decision", $stores, @sizes,
    "--benchmark_min_time=$options{time}", "--benchmark_repetitions=$options{repetitions}",
    '--benchmark_enable_random_interleaving=true', "--benchmark_out=$made",
    '--benchmark_out_format=json');

my %times;
for my $each (@{ decode_json(slurp($made))->{benchmarks} }) {
    next if $each->{run_type} ne 'iteration';
    my ($part, $tokens, $access) = split m{/}, $each->{name};
    push @{ $times{$part}{$access}{$tokens} }, $each->{cpu_time};    # nanoseconds
}
for my $of_part (values %times) {
    for my $of_access (values %$of_part) {
        $_ = median(@$_) for values %$of_access;
    }
}
my %opening = map { $_ => decode_json(run(on_cpu('measured'), "$build/bench/opening", $stores, $_)) } @sizes;
run('rm', '-rf', $stores);
if ($options{smoke}) {
    print "every part ran; nothing was timed\n";
    exit 0;
}
record('decision', { options => \%options, machine => machine(), sizes => \@sizes, nanoseconds => \%times, opening => \%opening },
    $options{record});
