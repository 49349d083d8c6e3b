# revoke, disable and suspend work on every row that is there, whatever else SQL wrote into it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Sync;
use TokenAuth::Tools qw(done fails_with);

sub json { my ($world, @command) = @_; return decode_json($world->ctl_ok(@command, '--json')) }

sub last_of_trail {
    my ($world) = @_;
    my $row = json($world, 'audit', '--limit', 1)->[0];
    return [ @$row{qw(action entity key detail)} ];
}

subtest 'a person with a bad e-mail address' => sub {
    my $world = TokenAuth::Sync->new;
    $world->ctl_ok('user', 'add', 'ann');
    $world->sql(q{UPDATE users SET email = 'none', display_name = ' ' WHERE id = 'ann'});
    is done($world->ctl('user', 'disable', 'ann'))->{err}, "user ann is now disabled\n", 'is locked out';
    is_deeply last_of_trail($world), [ 'disable', 'user', 'ann', { disabled => { from => undef, to => JSON::PP::true } } ], 'the trail says so';
    is json($world, 'user', 'disable', 'ann')->[0]{outcome}, 'unchanged', 'again';
    my $enabled = json($world, 'user', 'enable', 'ann')->[0];
    is_deeply [ @$enabled{qw(outcome disabled)} ], [ 'updated', JSON::PP::false ], 'and let in again';
    ok fails_with($world->ctl('user', 'disable', 'ann', 'bob'), 1, qr/user "bob" does not exist/), 'with one who is not there';
    ok !json($world, 'user', 'list')->[0]{disabled}, 'neither is';
};

subtest 'an organization with a bad time' => sub {
    my $world = TokenAuth::Sync->new;
    $world->ctl_ok('org', 'add', 'acme');
    $world->sql(q{UPDATE organizations SET created_at = -1 WHERE id = 'acme'});
    is json($world, 'org', 'suspend', 'acme')->[0]{suspended}, JSON::PP::true, 'is suspended';
    is_deeply last_of_trail($world), [ 'suspend', 'organization', 'acme', { suspended => { from => undef, to => JSON::PP::true } } ],
        'the trail says so';
    is done($world->ctl('org', 'resume', 'acme'))->{err}, "organization acme is now not suspended\n", 'and resumed';
};

subtest 'a token that cannot be read' => sub {
    my $world = TokenAuth::Sync->new;
    $world->populate(2);
    $world->sql(q{UPDATE tokens SET key_id = 1099511627776 WHERE id = 't1'});
    ok fails_with($world->ctl('show', 't1'), 1, qr/token "t1" has a key_id that is out of range/), 'show';
    is done($world->ctl('revoke', 't1', 't2'))->{err}, "token t1 is now revoked\ntoken t2 is now revoked\n", 'is revoked';
    like $world->sql(q{SELECT revoked_at FROM tokens WHERE id = 't1'})->[0], qr/\A[1-9]\d+\z/, 'in the table';
    is_deeply json($world, 'revoke', 't1'), [ { outcome => 'unchanged', id => 't1' } ], 'again';
    is done($world->ctl('restore', 't1'))->{err}, "token t1 is now not revoked\n", 'and restored';
    my ($action, $entity, $key, $detail) = @{ last_of_trail($world) };
    is_deeply [ $action, $entity, $key, $detail->{revoked}{to} ], [ 'restore', 'token', 't1', undef ], 'the trail says so';
    like $detail->{revoked}{from}, qr/\A\d{4}-.*Z\z/, 'and since when it was revoked';
};

done_testing;
