# A registry that lost more than half of its tokens: their removal is held back, and nothing else; what tokenctl
# removes is meant, and goes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Registry qw(on_postgresql);
use TokenAuth::Sync;

my $unchecked = on_postgresql() ? '' : 'PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = ON; ';
my @all = map { "t$_" } 1 .. 150;

sub new_world {
    my $world = TokenAuth::Sync->new;
    $world->import_lines({ type => 'organization', id => 'other' });
    $world->populate(150);
    $world->import_lines(map { TokenAuth::Sync::token($_, organization => 'other', role => 'reader') } qw(o1 o2));
    $world->sync_ok('run');
    return $world;
}

sub sql { my ($world, $statement) = @_; return $world->sql($unchecked . $statement) }

# status, as JSON; the exit status is the first value.
sub state_of {
    my ($world) = @_;
    my $run = $world->sync('status', '--json');
    return ($run->{status}, decode_json($run->{out}));
}

sub is_held {
    my ($world, $count, $what) = @_;
    my ($status, $state) = state_of($world);
    is $state->{held_back}, $count, "$what: how many are held back";
    is $status, $count == 0 ? 0 : 4, "$what: status says so";
    return;
}

sub runs {
    my ($world, $status, $text, $what, @arguments) = @_;
    my $run = $world->sync('run', @arguments);
    is $run->{status}, $status, "$what: exit status of run @arguments" or diag $run->{err};
    like $run->{err}, $text, "$what: what it says";
    return;
}

my $says = sub { qr/the removal of $_[0] tokens is held back in the store .*db: .*"tokensync run --force"; all else is synced\n\z/ };

subtest 'what SQL deletes is held back, and all else goes through' => sub {
    my $world = new_world();
    sql($world, "DELETE FROM tokens WHERE id NOT IN ('t1', 'o1', 'o2')");
    $world->ctl_ok('revoke', 'o1');
    $world->import_lines(TokenAuth::Sync::token('new'));
    runs($world, 3, $says->(149), 'deleted');
    is_held($world, 149, 'deleted');
    is $world->decision('t2-token'), 'ok', 'what is held back keeps its rights';
    is $world->decision('o1-token'), 'token_revoked', 'a revocation of the same run arrives';
    is $world->decision('new-token'), 'ok', 'and so does a new token';
    runs($world, 3, $says->(149), 'again, nothing having changed');
    $world->ctl_ok('revoke', 'o2');
    runs($world, 3, $says->(149), 'later');
    is $world->decision('o2-token'), 'token_revoked', 'later revocations arrive';
    for my $how ('--full', '--rebuild') {
        runs($world, 3, $says->(149), $how, $how);
        is_held($world, 149, $how);
        is $world->decision('t2-token', '--scope', 'agents:read'), 'ok', "$how: what is held back keeps its rights";
    }
    my $check = $world->sync('check', '--json');
    is $check->{status}, 4, 'check: exit status';
    $check = decode_json($check->{out});
    is $check->{held_back}, 149, 'check lists what is held back';
    is scalar(grep { $_->{problem} ne 'held back' } @{ $check->{differences} }), 0, 'and nothing else';

    sql($world, "UPDATE organizations SET suspended = 1 WHERE id = 'acme'");
    runs($world, 3, $says->(149), 'suspended');
    is $world->decision('t2-token'), 'organization_suspended', 'suspended: what can be read of it holds';
    sql($world, "UPDATE organizations SET suspended = 0 WHERE id = 'acme'");

    $world->import_lines(map { TokenAuth::Sync::token($_, role => 'reader') } 't3', 't4');
    runs($world, 3, $says->(147), 'given again');
    is_held($world, 147, 'given again');
    $world->import_lines(TokenAuth::Sync::token('t5', role => 'reader', token => 'another'));
    runs($world, 3, $says->(146), 'given again with another digest');
    is $world->decision('t5-token'), 'token_unknown', 'the old one is unknown';
    is $world->decision('another'), 'ok', 'the new one is let in';

    runs($world, 0, qr/\A\z/, 'forced', '--force');
    is_held($world, 0, 'forced');
    is $world->decision('t2-token'), 'token_unknown', 'it is removed';
    is $world->sync('check')->{status}, 0, 'and the store is equal';
};

subtest 'once it is forced, nothing is held back' => sub {
    my $world = new_world();
    sql($world, "DELETE FROM tokens WHERE id <> 't1'");
    runs($world, 0, qr/\A\z/, 'forced at once', '--force');
    is_held($world, 0, 'forced');
    is $world->json('status')->{counts}{tokens}, 1, 'they are removed';
};

subtest 'few, and half of them, may go' => sub {
    my $world = new_world();
    sql($world, "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens ORDER BY id LIMIT 76)");
    runs($world, 0, qr/\A\z/, 'half');
    is $world->json('status')->{counts}{tokens}, 76, 'went';
    sql($world, 'DELETE FROM tokens');
    runs($world, 0, qr/\A\z/, 'all of 100 and less');
    is $world->json('status')->{counts}{tokens}, 0, 'went';
};

subtest 'a full load holds back, too' => sub {
    for my $how ('--full', '--rebuild') {
        my $world = new_world();
        sql($world, "UPDATE organizations SET suspended = 1 WHERE id = 'acme'");
        $world->sync_ok('run');
        sql($world, 'DELETE FROM organizations');
        $world->import_lines({ type => 'organization', id => 'third' }, TokenAuth::Sync::token('third', organization => 'third'));
        runs($world, 3, $says->(152), $how, $how);
        is_held($world, 152, $how);
        is $world->decision('o1-token', '--scope', 'agents:read'), 'ok', "$how: the rights are kept";
        is $world->decision('t1-token'), 'organization_suspended', "$how: and so is a suspension";
        is $world->decision('third-token'), 'ok', "$how: what is new is there";
        runs($world, 3, $says->(152), "$how, then the other one", $how eq '--full' ? '--rebuild' : '--full');
        is $world->decision('t1-token'), 'organization_suspended', "$how: still";
        runs($world, 0, qr/\A\z/, "$how forced", $how, '--force');
        is $world->json('status')->{counts}{tokens}, 1, "$how: forced, they go";
        is $world->json('status')->{counts}{suspended_organizations}, 0, "$how: and so does the suspension";
        is $world->sync('check')->{status}, 0, "$how: equal";
    }
};

subtest 'what tokenctl removes is meant' => sub {
    my $world = new_world();
    my $removed = $world->ctl('org', 'remove', 'acme', '--force');
    like $removed->{err} . $removed->{out}, qr/^removed organization acme with 150 tokens, which tokensync removes at once/m,
        'it says so';
    runs($world, 0, qr/\A\z/, 'an organization');
    is $world->json('status')->{counts}{tokens}, 2, 'it is gone';
    is $world->decision('t1-token'), 'token_unknown', 'with its tokens';
    for my $how ('--full', '--rebuild') {
        $world = new_world();
        $world->ctl_ok('org', 'remove', 'acme', '--force');
        runs($world, 0, qr/\A\z/, $how, $how);
        is $world->json('status')->{counts}{tokens}, 2, "$how: it is gone";
    }
    $world = new_world();
    $world->ctl_ok('delete', @all[ 0 .. 139 ]);
    sql($world, "DELETE FROM tokens WHERE id IN ('t150', 't149')");
    runs($world, 0, qr/\A\z/, 'many tokens, beside a few by SQL');
    is $world->json('status')->{counts}{tokens}, 10, 'they are gone';
};

subtest 'what SQL removed and tokenctl then removes with its owner' => sub {
    for my $synced_between (1, 0) {
        my $world = new_world();
        sql($world, "DELETE FROM tokens WHERE organization = 'acme'");
        runs($world, 3, $says->(150), 'deleted');
        $world->ctl_ok(qw(org remove acme --force));
        runs($world, 0, qr/\A\z/, 'removed') if $synced_between;
        $world->ctl_ok(qw(org add acme));
        runs($world, 0, qr/\A\z/, 'and added anew');
        is_held($world, 0, 'nothing');
        is $world->decision('t1-token'), 'token_unknown', 'the new one has no tokens of the old one';
        is $world->sync('check')->{status}, 0, 'equal';
    }
};

subtest 'rows that are left out count, and are held back but for what can be read of them' => sub {
    for my $how ([], ['--full'], ['--rebuild']) {
        my $world = new_world();
        my $name  = "'" . 'x' x 300 . "'";
        if (on_postgresql()) {
            $world->sql(<<'END');
DO $$ DECLARE c RECORD; BEGIN
    FOR c IN SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'token_auth'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.of, c.name);
    END LOOP;
END $$
END
        }
        my $digest = '0123456789abcdef' x 4;
        sql($world, "UPDATE tokens SET name = $name WHERE organization = 'acme'; UPDATE tokens SET revoked_at = 1 WHERE id = 't1'; "
                . "UPDATE users SET disabled = 1 WHERE id = 'tu-t2'; UPDATE tokens SET digest = '$digest' WHERE id = 't3'");
        my $run = $world->sync('run', @$how);
        my ($status, $state) = state_of($world);
        is "$run->{status} $state->{left_out} $state->{held_back}", '3 150 149', "@$how: counted";
        is $run->{err} =~ s/^tokensync: (?:warning: )?left out: //mgr =~ tr/\n//, 22, "@$how: twenty rows are named, the others counted"
            or diag $run->{err};
        is $world->decision('t9-token', '--scope', 'agents:read'), 'ok', "@$how: held back";
        is $world->decision('t1-token'), 'token_revoked', "@$how: revoked";
        is $world->decision('t2-token'), 'token_revoked', "@$how: its user is disabled";
        is $world->decision('t3-token'), 'token_unknown', "@$how: a digest that changed";
        sql($world, "UPDATE tokens SET revoked_at = 1 WHERE id = 't4'; UPDATE tokens SET name = 't5' WHERE id = 't5'");
        $run = $world->sync('run');
        is $world->decision('t4-token'), 'token_revoked', "@$how: revoked later";
        ($status, $state) = state_of($world);
        is "$run->{status} $state->{left_out} $state->{held_back}", '3 149 148', "@$how: one was mended";
        sql($world, "UPDATE tokens SET name = id");
        is $world->sync('run')->{status}, 0, "@$how: all mended";
        is_held($world, 0, "@$how: mended");
        is $world->decision('t2-token'), 'token_revoked', "@$how: as the registry says";
        is $world->sync('check')->{status}, 0, "@$how: equal";
    }
};

subtest 'changed digests are no removals' => sub {
    my $world = new_world();
    my $new = on_postgresql() ? "encode(sha256(convert_to(id, 'UTF8')), 'hex')"
        : "lower(hex(randomblob(32)))";
    sql($world, "UPDATE tokens SET digest = $new");
    runs($world, 0, qr/\A\z/, 'all digests');
    is $world->decision('t1-token'), 'token_unknown', 'the old secret is worth nothing';
    is $world->json('status')->{counts}{tokens}, 152, 'and there are as many as before';
};

subtest 'a user who is disabled while their token is held back' => sub {
    my $world = new_world();
    $world->import_lines({ type => 'user', id => 'ann' }, { type => 'membership', user => 'ann', organization => 'acme', role => 'reader' },
        TokenAuth::Sync::token('personal', kind => 'user', organization => undef, user => 'ann'));
    $world->sync_ok('run');
    sql($world, 'DELETE FROM tokens');
    runs($world, 3, $says->(153), 'deleted');
    is $world->decision('personal-token', '--org', 'acme'), 'ok', 'held back';
    sql($world, "UPDATE users SET disabled = 1 WHERE id = 'ann'");
    runs($world, 3, $says->(153), 'disabled');
    is $world->decision('personal-token', '--org', 'acme'), 'token_revoked', 'refused';
};

subtest 'watch says it once, and goes on' => sub {
    my $world = new_world();
    my $watch = $world->watch('--heartbeat', '1h');
    my $logged = sub { my ($text) = @_; return TokenAuth::Sync::eventually(sub { $world->log_of($watch) =~ $text }) };
    ok $logged->(qr/up to date/), 'up';
    sql($world, "DELETE FROM tokens WHERE organization = 'acme'");
    ok $logged->(qr/the removal of 150 tokens is held back/), 'held back';
    $world->ctl_ok('revoke', 'o1');
    ok TokenAuth::Sync::eventually(sub { $world->decision('o1-token') eq 'token_revoked' }), 'revocations arrive';
    is scalar(() = $world->log_of($watch) =~ /is held back/g), 1, 'said once';
    is $world->decision('t1-token'), 'ok', 'still held back';
    $world->stop($watch);
    $watch = $world->watch('--force');
    ok $logged->(qr/full load/), 'forced';
    is $world->decision('t1-token'), 'token_unknown', 'gone';
    is_held($world, 0, 'forced');
};

done_testing;
