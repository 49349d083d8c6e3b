# The clock of tokensync's host runs 30 days ahead, and is set right again: the store that it made is stale
# for whoever asks for an age, revocations arrive before and after, and so does a rebuilt store.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Faults;
use TokenAuth::Util qw(eventually);

my $fault = 'a clock 30 days ahead, then right again';
my ($library) = grep { -e } map { "$_/faketime/libfaketime.so.1" } glob('/usr/lib/*-linux-gnu'), '/usr/lib';
TokenAuth::Faults->cannot($fault, 'needs libfaketime (the package libfaketime)') if !$library;

my $world = TokenAuth::Faults->new;
my $db = $world->db;
my $server = $world->nginx(
    locations => "location = /aged { token_auth api; token_auth_db $db; token_auth_max_age 30m;"
        . " alias $world->{dir}/html/secret; }");

my ($one, $two) = qw(one two);
$world->import_lines(map { TokenAuth::Sync::token($_, organization => 'calm', scopes => ['agents:read']) } $one, $two);
$world->sync_ok('run', $world->group);

# The statuses of both locations.
sub statuses { return join ' ', map { ($server->get($_, Authorization => "Bearer $_[0]-token"))[0] } qw(/secret /aged) }
sub run_ahead {
    local @ENV{qw(LD_PRELOAD FAKETIME DONT_FAKE_MONOTONIC)} = ($library, '+30d', 1);
    return $world->sync_ok('run', $world->group, @_);
}

is statuses($one), '200 200', 'a token is let in';
$world->ctl_ok('revoke', $one);
run_ahead();
$world->fault;
ok eventually(sub { statuses($one) eq '401 503' }), 'a revocation arrives by a clock that is ahead' or diag statuses($one);
is statuses($two), '200 503', 'nobody can say how old this store is';
my $status = $world->sync(qw(status --max-age 30m));
is $status->{status}, 4, 'nor can status';
like $status->{err}, qr/lies in the future; set the clock right and run "tokensync run"$/, 'which says so';
like $status->{out}, qr/^synced .* s in the future\)$/m, 'and by how much';

$world->ctl_ok('restore', $one);
$world->ctl_ok('revoke', $two);
$world->sync_ok('run', $world->group);
$world->fault;
ok eventually(sub { statuses($two) eq '401 401' }), 'a revocation arrives by the right clock' or diag statuses($two);
is statuses($one), '200 200', 'the store is up to date';

# A store that was built ahead, then one that is built after.
run_ahead('--rebuild');
ok eventually(sub { statuses($one) eq '200 503' }), 'a store is built by a clock that is ahead' or diag statuses($one);
$world->ctl_ok('revoke', $one);
$world->sync_ok('run', '--rebuild', $world->group);
$world->fault;
ok eventually(sub { statuses($one) eq '401 401' }), 'the one that is built later is taken up' or diag $server->errors;
is_deeply [ $world->logged(qr/not taken up|is unavailable/) ], [], 'none was refused';
is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report($fault);
done_testing;
