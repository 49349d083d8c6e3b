# Changes at the same time, in PostgreSQL: tokenctl locks rows, not the registry. None is lost, none is
# made on what is no longer so, and nobody is told to try again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use DBI;
use Digest::SHA qw(sha256_hex);
use Test::More;
BEGIN { $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql' }
use TokenAuth::Postgres;
use TokenAuth::Sync;
use TokenAuth::Tools qw(fails_with json_of succeeds);
use TokenAuth::Util qw(eventually finish_tool start_tool);

my $server = TokenAuth::Postgres->shared;
my $world  = TokenAuth::Sync->new;

sub start_ctl { return start_tool([ $world->tool('tokenctl'), '--registry', $world->url, @_ ]) }
sub answer { return json_of($world->ctl(@_, '--json')) }

# A connection whose statements are one transaction until commit().
sub session {
    my ($database, $host) = $world->url =~ m{@/(\w+)\?host=(.*)};
    return DBI->connect("dbi:Pg:dbname=$database;host=$host", 'postgres', '',
        { AutoCommit => 0, RaiseError => 1, PrintError => 0 });
}

sub waits {
    return eventually { $world->sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")->[0] > 0 };
}

# Runs tokenctl while somebody's statements are not committed yet; its result once they are.
sub beside {
    my ($statements, @command) = @_;
    my $session = session();
    $session->do($_) for 'SET search_path = token_auth', @$statements;
    my $tool = start_ctl(@command);
    ok waits(), "@command[ 0, 1 ] waits for the row" or diag(finish_tool($tool)->{err});
    $session->commit;
    my $result = finish_tool($tool);
    $session->disconnect;
    return $result;
}

sub new_token {
    my ($id, %columns) = @_;
    my %all = (id => $id, digest => sha256_hex($id), kind => 'organization', user_id => "tu-$id", organization => 'acme', name => 'n', created_at => 0, %columns);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    my @names = sort keys %all;
    return (
        $all{kind} eq 'user' ? () : ("INSERT INTO users (id, technical, created_at) VALUES ('tu-$id', 1, 0)"),
        sprintf 'INSERT INTO tokens (%s) VALUES (%s)', join(', ', @names), join ', ', map { "'$all{$_}'" } @names
    );
}

my $gone = sub { my ($id) = @_; return $world->sql("SELECT count(*) FROM tokens WHERE id = '$id'")->[0] == 0 };

$world->ctl_ok(@$_)
    for [qw(org add acme)], [qw(group add acme/ops)], [qw(user add ann bob)], [qw(role set reader a:read)], [qw(role set idle a:read)];

subtest 'writers go beside each other' => sub {
    my $session = session();
    # what a tokenctl in the middle of its transaction has locked
    $session->do('LOCK TABLE token_auth.write_lock IN ROW SHARE MODE');
    $session->do("UPDATE token_auth.users SET display_name = 'Bob' WHERE id = 'bob'");
    ok succeeds($world->ctl(qw(org add beside))), 'a change of something else waits for nobody';
    my $import = start_tool([ $world->tool('tokenctl'), '--registry', $world->url, 'import', '-' ], stdin => qq({"type":"organization","id":"imported"}\n));
    ok waits(), 'an import does';
    $session->commit;
    ok succeeds(finish_tool($import)), 'and has its turn';
    $session->do('LOCK TABLE token_auth.write_lock IN EXCLUSIVE MODE');
    my $late = start_ctl(qw(org add late));
    ok waits(), 'everybody waits for an import';
    $session->commit;
    ok succeeds(finish_tool($late)), 'and then goes on';
};

subtest 'two changes of one row' => sub {
    ok succeeds(beside(["UPDATE users SET email = 'ann\@example.org' WHERE id = 'ann'"], qw(user set ann --name Ann))), 'the second is made';
    is $world->sql(q{SELECT email || ' ' || display_name FROM users WHERE id = 'ann'})->[0], 'ann@example.org Ann', 'and leaves the first';
    my %fields = (name => 'Ann Example', email => 'a@example.org', sso => 'ann@idp');
    my @tools = map { start_ctl(qw(user set ann), "--$_", $fields{$_}) } sort keys %fields;
    ok succeeds(finish_tool($_)), 'one of several at once' for @tools;
    is $world->sql(q{SELECT display_name || ' ' || email || ' ' || sso_name FROM users WHERE id = 'ann'})->[0], join(' ', @fields{qw(name email sso)}), 'all of them hold';
    my $id = answer(qw(create --org acme --name n))->{id};
    my @rotations = map { start_ctl('rotate', $id) } 1 .. 5;
    my @results = map { finish_tool($_) } @rotations;
    is scalar(grep { $_->{status} eq '0' } @results), 1, 'one of five rotates a token';
    like $_->{err}, qr/was rotated already/, 'the others say why' for grep { $_->{status} ne '0' } @results;
    ok succeeds(beside(["UPDATE tokens SET name = 'renamed' WHERE id = '$id'"], 'revoke', $id)), 'a token that a dashboard changes is revoked';
    is_deeply [ @{ answer('show', $id) }{qw(name status)} ], [qw(renamed revoked)], 'both hold';
};

subtest 'what a new token names is removed meanwhile' => sub {
    $world->ctl_ok(qw(org add doomed));
    $world->ctl_ok(qw(group add acme/doomed doomed/doomed));
    $world->ctl_ok(qw(user add doomed));
    $world->ctl_ok(qw(role set doomed a));
    for my $case (
        [ "DELETE FROM org_groups WHERE organization = 'acme' AND id = 'doomed'", qr/group "acme\/doomed" does not exist/, qw(--group acme/doomed) ],
        [ "DELETE FROM organizations WHERE id = 'doomed'", qr/organization "doomed" does not exist/, qw(--org doomed) ],
        [ "DELETE FROM users WHERE id = 'doomed'", qr/user "doomed" does not exist/, qw(--user doomed) ],
        [ "DELETE FROM roles WHERE id = 'doomed'", qr/role "doomed" does not exist/, qw(--org acme --role doomed) ],
    ) {
        my ($statement, $pattern, @whose) = @$case;
        ok fails_with(beside([$statement], qw(create --name n), @whose), 1, $pattern), "create @whose: says what is not there";
    }
};

subtest 'what is removed gets a token meanwhile' => sub {
    $world->ctl_ok(qw(org add doomed));
    $world->ctl_ok(qw(group add acme/doomed));
    $world->ctl_ok(qw(user add doomed));
    $world->ctl_ok(qw(role set doomed a));
    ok succeeds(beside([ new_token('o1', organization => 'doomed') ], qw(org remove --force doomed))), 'an organization';
    ok succeeds(beside([ new_token('g1', kind => 'group', group_id => 'doomed') ], qw(group remove --force acme/doomed))), 'a group';
    ok succeeds(beside([ new_token('u1', kind => 'user', user_id => 'doomed', organization => undef) ], qw(user remove --force doomed))), 'a user';
    for my $id (qw(o1 g1 u1)) {
        ok $gone->($id), "$id goes along";
        is $world->sql("SELECT count(*) FROM audit WHERE entity = 'token' AND key = '$id' AND action = 'delete'")->[0], 1, 'with its row in the trail';
    }
    ok fails_with(beside([ new_token('r1', role => 'doomed') ], qw(role remove doomed)), 1, qr/role "doomed" is in use by 0 memberships and 1 token/), 'a role stays';
    ok !$gone->('r1'), 'with its token';
    $world->ctl_ok(qw(org add doomed));
    ok fails_with(beside([ new_token('o2', organization => 'doomed') ], qw(org remove doomed)), 1, qr/organization "doomed" has 1 token, which would be deleted/), 'without --force an organization, too';
};

subtest 'the same thing twice' => sub {
    ok fails_with(beside(["INSERT INTO organizations (id, created_at) VALUES ('twice', 0)"], qw(org add twice)), 1, qr/organization "twice" exists already/), 'an organization';
    ok succeeds(beside(["INSERT INTO roles (id, scopes) VALUES ('twice', 'a')"], qw(role set twice b))), 'a role';
    is $world->sql(q{SELECT scopes FROM roles WHERE id = 'twice'})->[0], 'b', 'is as it was set last';
    is_deeply answer(qw(audit --limit 1))->[0]{detail}, { scopes => { from => ['a'], to => ['b'] } }, 'and the trail knows from what';
    ok fails_with(beside(["UPDATE users SET sso_name = 'taken' WHERE id = 'bob'"], qw(user set ann --sso taken)), 1, qr/sso_name is that of user "bob" already/), 'a name of single sign-on';
    ok fails_with(beside(["INSERT INTO organizations (id, created_at, system) VALUES ('root', 0, 1)"], qw(org add --system other)), 1, qr/organization "root" is the system organization already/), 'the system organization';
    my @tools = map { start_ctl(qw(role set many), "a:$_") } 1 .. 8;
    ok succeeds(finish_tool($_)), 'one of eight that set a role' for @tools;
    my @rows = grep { $_->{key} eq 'many' } @{ answer(qw(audit --limit 0)) };
    my $chain = $rows[0]{detail}{scopes}[0];
    for my $row (@rows[ 1 .. $#rows ]) {
        is $row->{detail}{scopes}{from}[0], $chain, 'each goes on from the one before' or last;
        $chain = $row->{detail}{scopes}{to}[0];
    }
    is $world->sql(q{SELECT scopes FROM roles WHERE id = 'many'})->[0], $chain, 'the last one holds';
};

# How many of the commands were done; the others must name the limit.
sub done_of {
    my @results = map { finish_tool($_) } @_;
    like $_->{err}, qr/has \d+ valid tokens? already, and may have no more \(max_tokens\)/, 'one too many says so' for grep { $_->{status} ne '0' } @results;
    return scalar grep { $_->{status} eq '0' } @results;
}

subtest 'the last place under max_tokens' => sub {
    $world->ctl_ok(qw(org add full));
    $world->ctl_ok(qw(org set full --max-tokens 3));
    is done_of(map { start_ctl(qw(create --org full --name n)) } 1 .. 8), 3, 'eight create at once: three do';
    my @ids = map { $_->{id} } @{ answer(qw(list --org full)) };
    $world->ctl_ok('revoke', @ids);
    $world->ctl_ok(qw(create --org full --name n)) for 1 .. 2;
    is done_of(map { start_ctl('restore', $_) } @ids), 1, 'three are restored at once: one is';
    is $world->sql(q{SELECT count(*) FROM tokens WHERE organization = 'full' AND revoked_at = 0})->[0], 3, 'three are valid';
    $world->ctl_ok(qw(org set root --max-tokens 1));
    is done_of(map { start_ctl(qw(create --user ann --name n)) } 1 .. 4), 1, 'of personal tokens, each person has as many';
    ok succeeds($world->ctl(qw(create --user bob --name n))), 'another person';
};

subtest 'many at once' => sub {
    my $watch = $world->watch;
    ok eventually(sub { $world->log_of($watch) =~ /full load/ }), 'watch is up';
    my $script = <<'SH';
url=$1 n=$2
run() { "$tool" --registry "$url" "$@" || exit 1; }
tool=$0
for i in 1 2 3 4 5; do
    id=$(run create --json --org acme --role reader --name "w$n-$i" | sed 's/.*"id":"\([^"]*\)".*/\1/')
    run revoke "$id" && run restore "$id"
    run member add bob acme --role reader
    run role set shared "a:$n-$i"
    run user set ann --name "Ann $n $i"
    [ $i = 3 ] && run delete "$id"
done
exit 0
SH
    my @tools = map { start_tool([ '/bin/sh', '-c', $script, $world->tool('tokenctl'), $world->url, $_ ]) } 1 .. 6;
    my @results = map { finish_tool($_) } @tools;
    is $_->{status}, 0, 'all changes of a writer are made' or diag($_->{err}) for @results;
    is $world->sql(q{SELECT count(*) FROM audit WHERE action = 'create' AND detail LIKE '%"name":"w%'})->[0], 30, 'each is in the trail';
    is $world->sql(q{SELECT count(*) FROM tokens WHERE name LIKE 'w%-%'})->[0], 24, 'and in the table';
    my $check = $world->sync('check');
    is $check->{status}, 0, 'and none is lost on the way to the store' or diag $check->{out}, $check->{err};
    is $world->stop($watch), 0, 'watch ends';
    is(() = $world->log_of($watch) =~ /full load/g, 1, 'which read everything once only');
};

done_testing;
