# The model of readers without a lock (README.md), verified: what the protocol promises holds, and
# each thing that it does is needed.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $model = abs_path(dirname(__FILE__)) . '/unlocked_readers.pml';
my $large = ($ENV{TOKEN_AUTH_MODEL} // '') eq 'large';

for (['spin', 'spin -V'], ['gcc', 'gcc --version']) {
    my ($package, $command) = @$_;
    BAIL_OUT("needs $package; install the package $package") if system("$command >/dev/null 2>&1") != 0;
}

# What the verifier says of the model with these defines.
sub verify {
    my @defines = map { "-D$_" } @_;
    my $dir = tempdir('token-auth-model-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $memory = $large ? 16_000 : 1_400;
    return scalar `exec 2>&1; cd $dir && spin -a @defines $model &&
        gcc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=$memory -o verify pan.c && ./verify -m100000`;
}

sub note_size {
    my ($output) = @_;
    my ($states) = $output =~ /^\s*(\d+) states, stored$/m;
    my ($seconds) = $output =~ /elapsed time (\S+) seconds/;
    note sprintf '%s states in %s s', $states // 'no', $seconds // '?';
}

# Complete, so that a search which was cut short does not pass.
sub holds {
    my ($name, @defines) = @_;
    my $output = verify(@defines);
    my $cut_short = $output =~ /truncated|out of memory|max search depth too small|interrupted/i;
    ok($output =~ /errors: 0$/m && !$cut_short,
        "$name: holds (@defines)") || diag $output;
    note_size($output);
}

sub fails {
    my ($name, $assertion, @defines) = @_;
    my $output = verify(@defines);
    my ($violated) = $output =~ /assertion violated (\w+)/;
    is($violated, $assertion, "$name: fails (@defines)") || diag $output;
    note_size($output);
}

# Whatever lies behind: for what must be shown to be torn.
my $any = 'LAG=7';

fails('without step 4', 'whole', 'TXNS=4', 'NO_STEP_4', $any);
fails('step 4 without its fence', 'whole', 'TXNS=4', 'NO_FENCE', $any);
fails('pages used again that the newest transaction freed', 'whole', 'TXNS=3', 'SPARE=4', 'REUSE_NEWEST', $any);
fails('no number in the meta record, only the number compared', 'whole', 'TXNS=4', 'NO_NAME', 'NUMBER_ONLY', $any);
fails('no number in the meta record, the root compared', 'not_behind', 'TXNS=4', 'NO_NAME');
holds('the same, whole and one commit behind', 'TXNS=5', 'NO_NAME', 'LAG=1', 'ORDERS=ONE_ORDER');
fails('only the number compared', 'whole', 'TXNS=4', 'NUMBER_ONLY', $any);
fails('the root compared after the numbers', 'whole', 'TXNS=5', 'ORDERS=META_FIRST', 'ROOT_LAST', $any);

holds('the protocol', 'TXNS=5', 'ORDERS=META_FIRST');
holds('the protocol, pages to spare', 'TXNS=3', 'SPARE=4');
holds('the protocol, more transactions', 'TXNS=6', 'ORDERS=ONE_ORDER');
holds('the protocol, the writer killed', 'TXNS=4', 'KILLS=1', 'ORDERS=ONE_ORDER');
if ($large) {
    holds('the protocol, pages in any order', 'TXNS=5');
    holds('the protocol, the writer killed twice', 'TXNS=4', 'KILLS=2', 'ORDERS=ONE_ORDER');
    holds('the protocol, the writer killed, five transactions', 'TXNS=5', 'KILLS=1', 'ORDERS=ONE_ORDER');
    holds('the protocol, seven transactions', 'TXNS=7', 'ORDERS=ONE_ORDER');
}

done_testing;
