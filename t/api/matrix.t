# Every operation on an organization, by those who are none of its people: nothing is there for them,
# and nothing changes. Suspended organizations; callers who lose their rights between two requests.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Util qw(root_dir slurp);

my $login = TokenAuth::Login->start;
$login->person($_, 'correct horse battery') for qw(ann eve bob);
$login->ctl(qw(org add acme zoo));
$login->ctl(qw(org add sys --system));
$login->ctl(qw(group add acme/ops zoo/dev));
$login->ctl(qw(role set reader agents:read));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl('member', 'add', @$_, '--role', 'admin') for [qw(ann acme)], [qw(eve zoo)], [qw(bob acme)], [qw(bob acme/ops)];
my %cookie = map { $_ => cookie_of($login->log_in($_, 'correct horse battery')) } qw(ann eve);

sub token {
    my (@options) = @_;
    chomp(my $token = $login->ctl('create', '--name', 'x', @options));
    my ($id) = $token =~ /_(.*?)\./;
    return ($token, $id);
}

my ($other, $other_id) = token(qw(--org zoo --role admin));
my ($personal) = token(qw(--user eve --scope auth:*));
my (undef, $target) = token(qw(--org acme --role reader));
my (undef, $of_group) = token(qw(--group acme/ops --role reader));
my (undef, $of_ann) = token(qw(--user ann));

# What the document has about an organization, a group or a token, with a body that would do.
my $document = JSON::PP->new->utf8->decode(slurp(root_dir() . '/docs/openapi.json'));
my %bodies = (
    createOrganizationToken => { name => 'x' }, createGroupToken => { name => 'x' }, createGroup => { id => 'new' },
    updateOrganization => { display_name => 'x' }, putOrganizationMember => { role => 'reader' }, putGroupMember => { role => 'reader' },
    updateToken => { name => 'stolen' },
);
my @operations;
for my $path (sort keys %{ $document->{paths} }) {
    next if $path !~ m{\A/api/v1/(?:organizations/\{org\}|tokens/)};
    for my $method (sort keys %{ $document->{paths}{$path} }) {
        my $operation = $document->{paths}{$path}{$method};
        next if ref $operation ne 'HASH' || !$operation->{operationId};
        for my $id ($path =~ /\{id\}/ ? ($target, $of_group, $of_ann) : '') {
            my %names = (org => 'acme', group => 'ops', user => 'bob', id => $id);
            push @operations, { id => $operation->{operationId}, method => uc $method, path => $path =~ s/\{(\w+)\}/$names{$1}/gr, of => $id };
        }
    }
}
cmp_ok scalar @operations, '==', 21 + 3 * 6, 'operations';

# All that is in the registry but for sessions and throttle.
sub state {
    my %tables = (
        tokens => 'id, name, revoked_at, expires_at, role, successor', organizations => 'id, suspended, display_name', org_groups => 'organization, id',
        memberships => 'user_id, organization, role', group_memberships => 'user_id, organization, group_id, role', audit => 'count(*)');
    return join "\n", map { my $table = $_; map { "$table $_" } sort @{ $login->sql("SELECT $tables{$table} FROM $table") } } sort keys %tables;
}

sub run {
    my ($operation, %options) = @_;
    my $body = $bodies{ $operation->{id} };
    return $login->call($operation->{method}, $operation->{path} . ($operation->{id} =~ /\Adelete(?:Group|Organization)/ ? '?force=true' : ''), %options, $body ? (json => $body) : ());
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

my %callers = (
    "another organization's admin" => { cookie => $cookie{eve}, origin => 'https://localhost' },
    "another organization's token" => { headers => { Authorization => "Bearer $other" } },
    "another organization's admin's token" => { headers => { Authorization => "Bearer $personal" } },
);

for my $caller (sort keys %callers) {
    subtest $caller => sub {
        my $before = state();
        for my $operation (@operations) {
            is code_of(run($operation, %{ $callers{$caller} })), '404 not_found', "$operation->{id} $operation->{of}";
        }
        is state(), $before, 'nothing has changed';
    };
}

subtest 'nobody' => sub {
    my $before = state();
    is code_of(run($_)), '401 credentials_missing', $_->{id} for @operations;
    is state(), $before, 'nothing has changed';
};

subtest 'names that are not there answer alike' => sub {
    for my $operation (grep { $_->{of} eq '' || $_->{of} eq $target } @operations) {
        my %none = (%$operation, path => $operation->{path} =~ s{/organizations/acme}{/organizations/none}r =~ s{/tokens/\Q$target\E}{/tokens/none}r);
        my ($one, $two) = map { run($_, %{ $callers{"another organization's admin"} }) } $operation, \%none;
        is $one->{body}, $two->{body}, $operation->{id};
    }
};

subtest 'callers that may not' => sub {
    my $before = state();
    my ($revoked, $id) = token(qw(--org acme --role admin));
    $login->ctl('revoke', $id);
    my ($expired, $expired_id) = token(qw(--org acme --role admin));
    $login->sql("UPDATE tokens SET expires_at = 1 WHERE id = '$expired_id'");
    $before = state();
    is code_of(run($_, headers => { Authorization => "Bearer $revoked" })), '401 token_revoked', "revoked: $_->{id}" for @operations;
    is code_of(run($_, headers => { Authorization => "Bearer $expired" })), '401 token_expired', "expired: $_->{id}" for @operations;
    is state(), $before, 'nothing has changed';
};

subtest 'a suspended organization' => sub {
    my ($own) = token(qw(--org acme --role admin));
    $login->ctl(qw(org suspend acme));
    my $before = state();
    is code_of(run($_, headers => { Authorization => "Bearer $own" })), '403 organization_suspended', "its token: $_->{id}" for @operations;
    my %ann = (cookie => $cookie{ann}, origin => 'https://localhost');
    for my $operation (@operations) {
        next if $operation->{of} eq $of_ann || $operation->{id} =~ /Organization\z/ && $operation->{method} ne 'GET';
        next if $operation->{id} =~ /\A(?:revoke|delete|remove)/;
        my $answer = run($operation, %ann);
        if ($operation->{method} eq 'GET') {
            is $answer->{status}, 200, "people read: $operation->{id}";
        } else {
            is code_of($answer), '403 organization_suspended', "and do not: $operation->{id}";
        }
    }
    is state(), $before, 'nothing has changed';
    is $login->call('POST', "/tokens/$target/revoke", %ann)->{status}, 200, 'they revoke';
    is $login->call('DELETE', "/tokens/$target", %ann)->{status}, 204, 'delete';
    is $login->call('DELETE', '/organizations/acme/groups/ops/members/bob', %ann)->{status}, 204, 'remove members';
    is $login->call('DELETE', '/organizations/acme/groups/ops?force=true', %ann)->{status}, 204, 'and groups';
    $login->ctl(qw(org resume acme));
};

# Whoever is locked out while requests are under way: what is answered well was done before, what was
# done after that does not exist.
subtest 'in the middle of requests' => sub {
    for my $how ('revoke', 'disable', 'leave') {
        $login->ctl(qw(member add ann acme --role admin));
        my ($token, $id) = token(qw(--org acme --role admin --scope auth:tokens:write));
        my %headers = $how eq 'revoke' ? (Authorization => "Bearer $token")
            : (Cookie => cookie_of($login->log_in('ann', 'correct horse battery')), Origin => 'https://localhost');
        my $text = TokenAuth::Api::request_text('POST', '/api/v1/organizations/acme/tokens', body => qq({"name":"during $how"}),
            headers => { %headers, 'Content-Type' => 'application/json' });
        my @connections = map { $login->api->connection } 1 .. 60;
        print {$_} $text for @connections[ 0 .. 29 ];
        $login->ctl($how eq 'revoke' ? ('revoke', $id) : $how eq 'disable' ? qw(user disable ann) : qw(member remove ann acme));
        print {$_} $text for @connections[ 30 .. 59 ];
        my @answers = map { TokenAuth::Api::read_answer($_) } @connections;
        is_deeply [ grep { $_->{status} == 201 } @answers[ 30 .. 59 ] ], [], "$how: none of what came afterwards";
        is $login->sql("SELECT count(*) FROM tokens WHERE name = 'during $how'")->[0], scalar(grep { $_->{status} == 201 } @answers), 'what was answered was done';
        is_deeply [ grep { $_->{status} != 201 && $_->{status} != 401 && $_->{status} != 404 } @answers ], [], 'nothing else';
        $login->ctl(qw(user enable ann)) if $how eq 'disable';
    }
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
