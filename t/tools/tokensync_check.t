# tokensync check and status: their findings and their output.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Sync;

my $world = TokenAuth::Sync->new;
$world->populate(3);
$world->ctl_ok('user', 'add', 'ann');
$world->ctl_ok('member', 'add', 'ann', 'acme', '--role', 'reader');
$world->import_lines(TokenAuth::Sync::token('p1', kind => 'user', user => 'ann', organization => undef));
$world->sync_ok('run');

# A token's key in hex: 63 bits of its digest, as a little-endian number.
sub token_key {
    my ($high, $low) = unpack 'N2', pack 'H*', sha256_hex("$_[0]-token");
    return unpack 'H*', pack 'V2', $low >> 1 | ($high & 1) << 31, $high >> 1;
}

# That of a bucket of organizations: its upper 20 bits of SHA-256.
sub suspension_key {
    my $number = unpack 'N', pack 'H*', sha256_hex($_[0]);
    return unpack 'H*', pack 'V2', $number >> 12, 0xffffffff;
}

subtest 'equal' => sub {
    my $check = $world->sync('check');
    is $check->{status}, 0, 'exit status';
    like $check->{out}, qr/^the store .*db and the registry hold the same$/, 'says so';
    is_deeply $world->json('check'),
        { equal => JSON::PP::true, total => 0, left_out => 0, held_back => 0, behind => JSON::PP::false, differences => [] },
        'as JSON';
};

subtest 'a store that was tampered with' => sub {
    $world->tamper(sub {
        my ($records) = @_;
        delete $records->{ token_key('t1') };                            # missing
        $records->{ '01' . '0' x 14 } = unpack 'H*', 'no record';        # extra and damaged
        $records->{ token_key('t2') } =~ s/^(.{80})(..)/$1 . sprintf '%02x', hex($2) | 4/e or die;    # flags: revoked
        my ($user) = grep { $records->{$_} =~ unpack 'H*', 'p1' } keys %$records;
        $records->{$user} =~ s/(0461636d65.{8})..../${1}ffff/ or die;         # another role
        $records->{ suspension_key('evil') } = '01000000' . '04' . unpack 'H*', 'evil';
    });
    my $check = $world->sync('check');
    is $check->{status}, 4, 'exit status';
    like $check->{out}, qr/^missing +token +t1 +-$/m, 'missing';
    like $check->{out}, qr/^differs +organization +evil +suspended$/m, 'a suspended organization';
    like $check->{out}, qr/^extra +record +with the key 0000000000000001 +damaged$/m, 'extra and damaged';
    like $check->{out}, qr/^differs +token +t2 +revoked$/m, 'a token';
    like $check->{out}, qr/^differs +token +p1 +memberships$/m, 'a user\'s membership';
    like $check->{out}, qr/^differs +record +meta +counts$/m, 'the counts';
    like $check->{out}, qr/^differs +record +meta +digests$/m, 'the digests by key';
    unlike $check->{out}, qr/t3/, 'nothing else';
    unlike $check->{out} . $check->{err}, qr/[0-9a-f]{32}/, 'no digest in full';
    like $check->{err}, qr/7 differences were found .*"tokensync run --full"/, 'the remedy';

    my $json = $world->sync('check', '--json');
    is $json->{status}, 4, 'exit status as JSON';
    my $found = decode_json($json->{out});
    is $found->{total}, 7, 'total';
    ok !$found->{equal}, 'not equal';
    is_deeply [ grep { $_->{id} eq 't2' } @{ $found->{differences} } ],
        [ { problem => 'differs', entity => 'token', id => 't2', fields => ['revoked'] } ], 'one';

    is $world->sync('run', '--full')->{status}, 0, 'the remedy';
    is $world->sync('check')->{status}, 0, 'mends it';
    is $world->decision('t1-token'), 'ok', 'a token that was missing';
};

subtest 'a change meets a damaged record' => sub {
    $world->tamper(sub { $_[0]{ token_key('t1') } = unpack 'H*', 'no record' });
    $world->ctl_ok('revoke', 't1');
    my $run = $world->json('run');
    ok $run->{full}, 'all is read anew';
    is $world->decision('t1-token'), 'token_revoked', 'and right';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'a store that is behind' => sub {
    $world->ctl_ok('restore', 't1');
    my $check = $world->sync('check');
    is $check->{status}, 4, 'exit status';
    like $check->{out}, qr/^differs +token +t1 +revoked$/m, 'what differs';
    like $check->{err}, qr/the store is behind: run "tokensync run"$/, 'the remedy';
    $world->sync_ok('run');
    is $world->sync('check')->{status}, 0, 'helps';
};

subtest 'status' => sub {
    my $status = $world->json('status');
    is_deeply $status->{counts},
        { tokens => 4, user_records => 0, suspended_organizations => 0, roles => 1 }, 'counts';
    is_deeply $status->{digests}, { sha256 => 4 }, 'digests';
    like $status->{position}, qr/^(?:sqlite:\d+:-?\d+|postgresql:\d+-\d+:\d+:\d+:\d+:\d+:\d+:\d+:[\d,]*)$/, 'position';
    like $status->{registry}, qr/^[0-9a-f]{32}$/, 'registry';
    cmp_ok $status->{age}, '<', 60, 'age';
    cmp_ok $status->{file_bytes}, '>', 0, 'size';

    my $key = $world->dir . '/key';
    TokenAuth::Sync::spew($key, 'k' x 40);
    $world->ctl_ok('create', '--org', 'acme', '--name', 'keyed', '--key', $key);
    $world->sync_ok('run');
    $status = $world->json('status');
    is_deeply [ sort values %{ $status->{digests} } ], [ 1, 4 ], 'keyed digests are counted apart';
    my ($name) = grep { /^hmac/ } keys %{ $status->{digests} };
    like $name, qr/^hmac-sha256:[0-9a-f]{8}$/, 'by the key\'s id';

    my $text = $world->sync_ok('status');
    like $text, qr/^tokens +5$/m, 'for people: tokens';
    like $text, qr/^synced +\d{4}-\d\d-\d\dT[\d:]+Z \(\d+\.\d s ago\)$/m, 'for people: age';
};

subtest 'beside a watch' => sub {
    my $watch = $world->watch;
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'up';
    is $world->sync('status')->{status}, 0, 'status';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'no store' => sub {
    my $none = { db => $world->dir . '/none' };
    for my $command ('status', 'check', 'explain') {
        my $result = $world->sync({ %$none, stdin => 't1-token' }, $command);
        is $result->{status}, 1, "$command: exit status";
        like $result->{err}, qr/the store .*none: .*run "tokensync run --db \S+none"/, "$command: remedy";
        is $result->{out}, '', "$command: nothing on standard output";
    }
    ok !-e $none->{db}, 'none is made';

    mkdir $none->{db} or die;
    for my $command ('status', 'check', 'explain') {
        is $world->sync({ %$none, stdin => 't1-token' }, $command)->{status}, 1, "$command: empty";
    }
    is_deeply [ glob "$none->{db}/*" ], [], 'and nothing is made in it';
};

subtest 'a damaged store' => sub {
    truncate $world->db . '/data.mdb', 9000 or die;
    for my $command ('status', 'check', 'explain') {
        my $result = $world->sync({ stdin => 't1-token' }, $command);
        is $result->{status}, 1, "$command: exit status";
        like $result->{err}, qr/it is damaged; run "tokensync run --rebuild --db \S+"/, "$command: remedy";
    }
};

done_testing;
