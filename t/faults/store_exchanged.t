# The store is exchanged while nginx serves it, by a symbolic link or by renaming directories. Every
# request is answered; workers move over within two seconds; they refuse an older store.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;

my $link;
my $world = TokenAuth::Faults->new(
    store => sub {
        my ($self) = @_;
        mkdir $self->dir . "/generation$_" or die for 0, 1;
        $link = $self->dir . '/current';
        symlink $self->dir . '/generation0', $link or die "$link: $!";
        return $link;
    });
my @stores = map { $world->dir . "/generation$_" } 0, 1;
my $server = $world->nginx;
my $oracle = $world->run(rate => 0, ordered => 0);
my $revoked = 0;

sub turn {
    my ($to) = @_;
    symlink $to, "$link.new" or die "$link.new: $!";
    rename "$link.new", $link or die "$link: $!";
    return;
}

# Changes the registry and syncs the other store, which then takes the served one's place.
sub exchange {
    my ($next) = @_;
    $revoked = !$revoked;
    $world->ctl_ok($revoked ? 'revoke' : 'restore', 't1');
    $world->sync_ok({ db => $stores[$next] }, 'run', $world->group, rand() < 0.5 ? '--full' : ());
    my $begun = TokenAuth::Faults::now();
    turn($stores[$next]);
    my $done = TokenAuth::Faults::now();
    $oracle->version($begun, $done, t1 => $revoked ? 'token_revoked' : 'ok');
    $oracle->settle($done + 0.001, $done + 2);
    $world->fault;
    return;
}

for my $i (1 .. $world->times(4, 60)) {
    exchange($i % 2);
    sleep rand 2.5;
}
sleep 2.1;

# Back to the one before, which has an older generation.
my $now = readlink $link;
my ($older) = grep { $_ ne $now } @stores;
turn($older);
$world->fault;
ok TokenAuth::Sync::eventually(sub { $world->logged(qr/replaced by an older one, which is not taken up/) >= 2 }),
    'an older store is not taken up, and each worker says so';
sleep 1.2;
is scalar(() = $world->logged(qr/is not taken up/)), 2, 'once';
turn($now);
sleep 1.2;
is_deeply [ $world->judge ], [], 'while stores are exchanged: all answers are right';
is_deeply [ $world->logged(qr/is unavailable/) ], [], 'there was always one to serve';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('store exchanged');
done_testing;
