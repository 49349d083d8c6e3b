# The progress of a full load: shown on a terminal, and only there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Sync;

# Linux: unlocks a pseudo-terminal, and asks for its number.
my ($unlock, $number_of) = (0x40045431, 0x80045430);

sub terminal {
    open my $master, '+<', '/dev/ptmx' or return;
    my $number = pack 'i', 0;
    ioctl $master, $unlock, $number or return;
    ioctl $master, $number_of, $number or return;
    return ($master, '/dev/pts/' . unpack 'i', $number);
}

my $world = TokenAuth::Sync->new;
$world->populate(20_000);
my ($master, $terminal) = terminal();
plan skip_all => 'no pseudo-terminal can be had' unless defined $terminal && -e $terminal;

# The output of `run` on a terminal as standard error. The test holds it up to have time to look.
sub shown {
    my (@arguments) = @_;
    my $child = fork // die "fork: $!";
    if ($child == 0) {
        open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
        open STDERR, '>', $terminal or POSIX::_exit(126);
        my $tool = $world->tool('tokensync');
        exec { $tool } $tool, $world->locations, 'run', @arguments or POSIX::_exit(127);
    }
    my $text = '';
    my $end = time + 60;
    while (waitpid($child, POSIX::WNOHANG()) == 0 && time < $end) {
        kill 'CONT', $child;
        sleep 0.001;
        kill 'STOP', $child;
        sleep 0.04;
        $text .= available();
    }
    return $text . available();
}

sub available {
    my $text = '';
    my $ready = '';
    vec($ready, fileno $master, 1) = 1;
    while (select my $now = $ready, undef, undef, 0) {
        sysread $master, my $part, 4096 or last;
        $text .= $part;
    }
    return $text;
}

my $text = shown();
my @drawn = $text =~ /(\d+ of 20000 tokens \(\d+ %\), \d+\/s, \d+\w* left)/g;
cmp_ok scalar @drawn, '>', 1, 'drawn again and again' or diag $text;
my @done = map { /^(\d+)/ } @drawn;
is_deeply \@done, [ sort { $a <=> $b } @done ], 'it grows';
like $text, qr/\r\e\[K\z/, 'and is gone in the end';

is shown('--full', '--json'), '', 'nothing of it with --json';

my $run = $world->sync('run', '--full');
is $run->{err}, '', 'nor where there is no terminal';

done_testing;
