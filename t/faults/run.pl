# Runs the fault tests (t/faults) and prints the table of faults: each fault, how often it was made,
# how many requests ran meanwhile, and how many of them got a wrong answer. A test under
# TokenAuth::Faults opens its row when it begins and fills it at its end; the other tests have no row.
# Exits with 1 if any answer was wrong, any test failed, or any row was not filled.
# usage: run.pl [--full] [--seed N] [TEST…]
use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Temp ();
use Getopt::Long;

my ($full, $seed);
GetOptions(full => \$full, 'seed=i' => \$seed) or exit 2;
chdir dirname(__FILE__) . '/../..' or die "chdir: $!";
my @tests = @ARGV ? @ARGV : sort glob 't/faults/*.t';

my $table = File::Temp->new;
$ENV{TOKEN_AUTH_FAULT_TABLE} = "$table";
$ENV{TOKEN_AUTH_FAULTS} = $full ? 'full' : 'short';
$ENV{TOKEN_AUTH_FAULT_SEED} = $seed // int rand 2**31;
print "seed $ENV{TOKEN_AUTH_FAULT_SEED} (--seed $ENV{TOKEN_AUTH_FAULT_SEED} makes the same draws again)\n";

# Several at a time: the tests mostly wait.
my $proved = system('prove', '-It/lib', '--timer', $full ? '-j3' : '-j2', @tests) == 0;

my %rows;
for (<$table>) {
    chomp;
    my ($test, @row) = split /\t/;
    $rows{$test} = \@row;
}
my $wrong = !$proved;
my @lines = (['fault', 'faults', 'requests', 'wrong answers', 'connections lost', 'verdict']);
for my $test (grep { $rows{$_} } map { basename($_) } @tests) {
    my $row = $rows{$test};
    $wrong = 1 if $row->[5] =~ /FAILED/ || $row->[3] ne '0';
    push @lines, $row;
}
my @widths;
for my $line (@lines) {
    for my $i (0 .. $#$line) {
        $widths[$i] = length $line->[$i] if length $line->[$i] > ($widths[$i] // 0);
    }
}
print "\n";
for my $line (@lines) {
    my @cells = map { $_ == 0 || $_ == 5 ? sprintf('%-*s', $widths[$_], $line->[$_])
            : sprintf('%*s', $widths[$_], $line->[$_]) } 0 .. $#$line;
    print join('  ', @cells) =~ s/\s+\z//r, "\n";
}
exit $wrong;
