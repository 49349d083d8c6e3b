# An older store at the path, after a worker's death, a reload and a gap: no token that was revoked since
# is let in, and "tokensync run --rebuild" makes a store that is taken up. A store that is gone is served
# for ten seconds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Faults;
use TokenAuth::Util qw(eventually);

my $link;
my $world = TokenAuth::Faults->new(
    store => sub {
        my ($self) = @_;
        $link = $self->dir . '/current';
        mkdir $self->dir . "/$_" or die for qw(older newer);
        symlink $self->dir . '/older', $link or die "$link: $!";
        return $link;
    });
my ($older, $newer) = map { $world->dir . "/$_" } qw(older newer);
my $server = $world->nginx;

my ($one, $two) = qw(one two);
$world->import_lines(map { TokenAuth::Sync::token($_, organization => 'calm', scopes => ['agents:read']) } $one, $two);
$world->sync_ok('run', $world->group);

sub turn {
    my ($to) = @_;
    symlink $to, "$link.new" or die "$link.new: $!";
    rename "$link.new", $link or die "$link: $!";
    return;
}

sub status { return ($server->get('/secret', Authorization => "Bearer $_[0]-token"))[0] }
# All that the workers answer for a while.
sub statuses {
    my ($token, $seconds) = @_;
    my ($end, %seen) = time + $seconds;
    while (time < $end) { ++$seen{ status($token) }; sleep 0.02 }
    return join ' ', sort keys %seen;
}
# Ends all workers by a signal, or by a reload, and waits for others.
sub new_workers {
    my ($end) = @_;
    my %old = map { $_ => 1 } $world->workers;
    $end->();
    return eventually(sub { my @now = $world->workers; @now == 2 && !grep { $old{$_} } @now });
}

is status($one), 200, 'a token is let in';
$world->ctl_ok('revoke', $one);
$world->sync_ok({ db => $newer }, 'run', $world->group);
turn($newer);
ok eventually(sub { statuses($one, 0.5) eq '401' }), 'then it is revoked';

turn($older);
$world->fault;
is statuses($one, 2), '401', 'the store before it is not taken up';
for my $round (1 .. $world->times(1, 20)) {
    ok new_workers(sub { kill 'KILL', $world->workers }), 'the workers die';
    $world->fault;
    is statuses($one, 1.5), '503', 'workers that never saw the newer store do not take it up';
    ok new_workers(sub { $server->reload }), 'a reload';
    is statuses($one, 1.5), '503', 'neither do those after a reload';
    unlink $link or die "$link: $!";
    is statuses($one, 1.5), '503', 'a gap';
    turn($older);
    is statuses($one, 1.5), '503', 'nor after a gap';
}
is scalar(grep { !/run "tokensync run --rebuild --db \S+"/ } $world->logged(qr/has generation \d+, but \d+ was served/)), 0,
    'the line names the remedy';
cmp_ok scalar($world->logged(qr/has generation \d+, but \d+ was served/)), '>', 0, 'there is one';

$world->sync_ok('run', '--rebuild', $world->group);
ok eventually(sub { statuses($one, 0.3) eq '401' && statuses($two, 0.3) eq '200' }), 'a rebuilt store is taken up'
    or diag $server->errors;

# Gone for a while, and for good.
rename $link, "$link.away" or die "$link: $!";
is statuses($two, 5), '200', 'a store that is gone is served on';
rename "$link.away", $link or die "$link: $!";
is statuses($two, 1.5), '200', 'it is back';
rename $link, "$link.away" or die "$link: $!";
my $gone = time;
is statuses($two, 8), '200', 'gone again';
sleep $gone + 12.5 - time;
is statuses($two, 1), '503', 'ten seconds later it is not served any more';
rename "$link.away", $link or die "$link: $!";
ok eventually(sub { statuses($two, 0.3) eq '200' }), 'it is back, and served';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('an older store at the path, and none');
done_testing;
