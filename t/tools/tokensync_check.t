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
$world->sync_ok('run');

# Rewrites the store behind tokensync's back: `edit` gets a map of keys to values, in hex.
sub tamper {
    my ($edit) = @_;
    my $dump = $world->run_program({}, 'mdb_dump', $world->db)->{out};
    my ($head, $data) = $dump =~ /\A(.*HEADER=END\n)(.*)DATA=END\n\z/s or die 'no dump';
    $head =~ s/^db_pagesize=.*\n//m;
    my @lines = map { s/^ //r } split /\n/, $data;
    my %records = @lines;
    $edit->(\%records);
    my $file = $world->dir . '/dump';
    TokenAuth::Sync::spew($file,
        join '', $head, (map { " $_\n $records{$_}\n" } sort keys %records), "DATA=END\n");
    unlink $world->db . '/data.mdb', $world->db . '/lock.mdb';
    my $load = $world->run_program({}, 'mdb_load', '-f', $file, $world->db);
    $load->{status} eq '0' or die $load->{err};
    return;
}

sub hex_of { return unpack 'H*', $_[0] }
sub token_key { return hex_of('t') . sha256_hex("$_[0]-token") }

subtest 'equal' => sub {
    my $check = $world->sync('check');
    is $check->{status}, 0, 'exit status';
    like $check->{out}, qr/^the store .*db and the registry hold the same$/, 'says so';
    is_deeply $world->json('check'),
        { equal => JSON::PP::true, total => 0, behind => JSON::PP::false, differences => [] },
        'as JSON';
};

subtest 'a store that was tampered with' => sub {
    tamper(sub {
        my ($records) = @_;
        delete $records->{ token_key('t1') };                           # missing
        $records->{ hex_of('oevil') } = hex_of("\x01o\x00");            # extra
        $records->{ hex_of('t' . "\0" x 32) } = hex_of('no record');    # extra and damaged
        $records->{ token_key('t2') } =~ s/^(0174..)00/${1}01/ or die;    # flags: revoked
        $records->{ hex_of('uann') } = hex_of("\x01u\x01");             # disabled
        $records->{ hex_of("mann\0acme") } = hex_of("\x01m\x05admin");
    });
    my $check = $world->sync('check');
    is $check->{status}, 4, 'exit status';
    like $check->{out}, qr/^missing +token +t1 +-$/m, 'missing';
    like $check->{out}, qr/^extra +organization +evil +-$/m, 'extra';
    like $check->{out}, qr/^extra +token +with the digest 00000000… +-$/m, 'extra and damaged';
    like $check->{out}, qr/^differs +token +t2 +revoked$/m, 'a token';
    like $check->{out}, qr/^differs +user +ann +disabled$/m, 'a user';
    like $check->{out}, qr/^differs +membership +ann acme +role$/m, 'a membership';
    like $check->{out}, qr/^differs +record +meta +counts$/m, 'the counts';
    like $check->{out}, qr/^differs +record +meta +digests$/m, 'the digests by key';
    unlike $check->{out}, qr/t3/, 'nothing else';
    unlike $check->{out} . $check->{err}, qr/[0-9a-f]{32}/, 'no digest in full';
    like $check->{err}, qr/8 differences were found .*"tokensync run --full"/, 'the remedy';

    my $json = $world->sync('check', '--json');
    is $json->{status}, 4, 'exit status as JSON';
    my $found = decode_json($json->{out});
    is $found->{total}, 8, 'total';
    ok !$found->{equal}, 'not equal';
    is_deeply [ grep { $_->{id} eq 't2' } @{ $found->{differences} } ],
        [ { problem => 'differs', entity => 'token', id => 't2', fields => ['revoked'] } ], 'one';

    is $world->sync('run', '--full')->{status}, 0, 'the remedy';
    is $world->sync('check')->{status}, 0, 'mends it';
    is $world->decision('t1-token'), 'ok', 'a token that was missing';
};

subtest 'a change meets a damaged record' => sub {
    tamper(sub { $_[0]{ token_key('t1') } = hex_of('no record') });
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
        { tokens => 3, users => 1, organizations => 1, memberships => 1, roles => 1 }, 'counts';
    is_deeply $status->{digests}, { sha256 => 3 }, 'digests';
    like $status->{position}, qr/^(?:sqlite:\d+:-?\d+|postgresql:\d+-\d+:\d+:\d+:\d+:\d+:\d+:\d+:[\d,]*)$/, 'position';
    like $status->{registry}, qr/^[0-9a-f]{32}$/, 'registry';
    cmp_ok $status->{age}, '<', 60, 'age';
    is $status->{max_readers}, 2048, 'reader slots';
    is $status->{readers}, 0, 'readers';
    cmp_ok $status->{file_bytes}, '>', 0, 'size';

    my $key = $world->dir . '/key';
    TokenAuth::Sync::spew($key, 'k' x 40);
    $world->ctl_ok('create', '--org', 'acme', '--name', 'keyed', '--key', $key);
    $world->sync_ok('run');
    $status = $world->json('status');
    is_deeply [ sort values %{ $status->{digests} } ], [ 1, 3 ], 'keyed digests are counted apart';
    my ($name) = grep { /^hmac/ } keys %{ $status->{digests} };
    like $name, qr/^hmac-sha256:[0-9a-f]{8}$/, 'by the key\'s id';

    my $text = $world->sync_ok('status');
    like $text, qr/^tokens +4$/m, 'for people: tokens';
    like $text, qr/^synced +\d{4}-\d\d-\d\dT[\d:]+Z \(\d+\.\d s ago\)$/m, 'for people: age';
    like $text, qr/^readers +0 of 2048$/m, 'for people: readers';
};

subtest 'readers are counted' => sub {
    my $watch = $world->watch;    # its writer has the store open, but reads no snapshot
    ok TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ /up to date/ }), 'up';
    is $world->sync('status')->{status}, 0, 'beside a watch';
    is $world->stop($watch), 0, 'ends well';
};

subtest 'no store' => sub {
    my $none = { db => $world->dir . '/none' };
    for my $command ('status', 'check', 'explain') {
        my $result = $world->sync({ %$none, stdin => 't1-token' }, $command);
        is $result->{status}, 1, "$command: exit status";
        like $result->{err}, qr/the store .*none: .*run "tokensync run"/, "$command: remedy";
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
        like $result->{err}, qr/remove the directory and run "tokensync run"/, "$command: remedy";
    }
};

done_testing;
