# Lists: pages that are stable, orders, filters, cursors.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Login qw(cookie_of);
use TokenAuth::Registry qw(on_postgresql);
use TokenAuth::Util qw(spew);
use File::Temp qw(tempdir);

my $dir = tempdir('token-auth-lists-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $login = TokenAuth::Login->start(args => [ '--usage-db', "$dir/usage.db" ]);
$login->person('ann', 'correct horse battery');
$login->person('root', 'correct horse battery');
$login->ctl(qw(org add acme zoo empty));
$login->ctl(qw(org add sys --system));
$login->ctl(qw(group add acme/ops acme/dev));
$login->ctl(qw(role set reader agents:read));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(role set root auth:system));
$login->ctl(qw(member add ann acme --role admin));
$login->ctl(qw(member add root sys --role root));
my %cookie = map { $_ => cookie_of($login->log_in($_, 'correct horse battery')) } qw(ann root);

sub list {
    my ($path, %options) = @_;
    return $login->call('GET', $path, cookie => $cookie{ $options{as} // 'ann' });
}

sub code_of {
    my ($answer) = @_;
    return "$answer->{status} " . ($answer->{json}{code} // '');
}

# What all pages of a list hold, in their order.
sub pages {
    my ($path, %options) = @_;
    my ($cursor, @items);
    do {
        my $answer = list($path . ($path =~ /\?/ ? '&' : '?') . join('&', "limit=" . ($options{limit} // 3), defined $cursor ? "cursor=$cursor" : ()), %options);
        die "$path: $answer->{status} $answer->{body}" if $answer->{status} != 200;
        push @items, @{ $answer->{json}{items} };
        utf8::encode($_->{name}) for grep { defined $_->{name} } @{ $answer->{json}{items} };
        $cursor = $answer->{json}{next_cursor};
        $options{between}->() if $options{between};
    } while (defined $cursor);
    return @items;
}

sub names { return join ' ', map { $_->{name} } pages(@_) }

my $now = time;
my $number = 0;

# A token as it stands in the registry. Options: its columns.
sub token {
    my ($name, %columns) = @_;
    my $id = $columns{id} // sprintf 'T%03d', ++$number;
    my %row = (id => $id, digest => sprintf('%064x', 1000 + $number), kind => 'organization', user_id => "tu-$id", organization => 'acme',
        name => $name, created_at => $now - 1000 * 86400, %columns);
    my $technical = $row{kind} eq 'user' ? '' : "INSERT INTO users (id, technical, created_at) VALUES ('$row{user_id}', 1, 0);";
    my @names = sort keys %row;
    $login->sql("BEGIN; $technical INSERT INTO tokens (" . join(', ', @names) . ') VALUES (' . join(', ', map { "'$row{$_}'" } @names) . '); COMMIT;');
    return $id;
}

subtest 'orders and pages' => sub {
    # In two seconds: ties are told apart by the id.
    token("n$_", created_at => $now - 500 * 86400 + ($_ > 4 ? 1 : 0), expires_at => $_ % 2 ? 0 : $now + 86400 * (10 - $_)) for 1 .. 8;
    is names('/organizations/acme/tokens'), 'n8 n7 n6 n5 n4 n3 n2 n1', 'newest first';
    is names('/organizations/acme/tokens?sort=created'), 'n1 n2 n3 n4 n5 n6 n7 n8', 'oldest first';
    is names('/organizations/acme/tokens?sort=name'), 'n1 n2 n3 n4 n5 n6 n7 n8', 'by name';
    is names('/organizations/acme/tokens?sort=expires'), 'n8 n6 n4 n2 n1 n3 n5 n7', 'by expiry, never last';
    is names("/organizations/acme/tokens?sort=$_", limit => 1), names("/organizations/acme/tokens?sort=$_", limit => 200), "any size of page by $_" for '-created', 'created', 'name', 'expires';
    my $more = 0;
    my @seen = map { $_->{name} } pages('/organizations/acme/tokens', limit => 2, between => sub { token('new' . ++$more, created_at => $now - $more) if $more < 3 });
    is join(' ', grep { /\An/ && !/new/ } @seen), 'n8 n7 n6 n5 n4 n3 n2 n1', 'nothing twice or left out while others come';
    my @rest = map { $_->{name} } pages('/organizations/acme/tokens', limit => 2, between => sub { $login->sql("DELETE FROM tokens WHERE name LIKE 'new%'") });
    is join(' ', grep { !/new/ } @rest), 'n8 n7 n6 n5 n4 n3 n2 n1', 'nor while others go';
    is scalar(@{ list('/organizations/acme/tokens')->{json}{items} }), 8, 'a page of 50';
    is list('/organizations/acme/tokens?limit=8')->{json}{next_cursor}, undef, 'no cursor behind the last one';
};

subtest 'cursors and parameters that are none' => sub {
    my $cursor = list('/organizations/acme/tokens?limit=1')->{json}{next_cursor};
    is list("/organizations/acme/tokens?limit=2&cursor=$cursor")->{status}, 200, 'another size of page';
    for my $other ('/organizations/acme/tokens?sort=name', '/organizations/acme/tokens?q=n', '/organizations/acme/tokens?status=active', '/organizations/acme/groups/ops/tokens?', '/organizations/acme/tokens?include=groups', '/me/tokens?') {
        is code_of(list("$other&cursor=$cursor")), '400 cursor_invalid', "of another list: $other";
    }
    is code_of(list("/organizations/acme/tokens?cursor=$_")), '400 cursor_invalid', "cursor $_" for 'x', "${cursor}A", substr($cursor, 0, -2);
    my $wrong = list('/organizations/acme/tokens?limit=0&sort=x&status=disabled&role=%20&expiring=soon&unused=x&include=all&q=&more=1');
    is code_of($wrong), '400 query_invalid', 'parameters';
    is join(' ', sort map { $_->{field} } @{ $wrong->{json}{errors} }), 'expiring include limit more q role sort status unused', 'all that is wrong';
    is code_of(list('/organizations/acme/groups/ops/tokens?include=groups')), '400 query_invalid', 'a group has no groups';
    is code_of(list('/me/tokens?role=reader')), '400 query_invalid', 'a personal one has no role';
    is code_of(list('/organizations/acme/tokens?limit=201')), '400 query_invalid', 'too many';
};

subtest 'filters' => sub {
    $login->sql('DELETE FROM tokens');
    token('active');
    token('mine', created_by => 'ann', role => 'reader');
    token('Übung %_x');
    token('old', expires_at => $now - 5);
    token('gone', revoked_at => $now - 5, expires_at => $now - 5);
    token('soon', expires_at => $now + 86400);
    token('soon gone', expires_at => $now + 86400, revoked_at => 5);
    token('later', expires_at => $now + 86400 * 30);
    token('not yet', not_before => $now + 1000);
    token('of ops', kind => 'group', group_id => 'ops');
    token('of dev', kind => 'group', group_id => 'dev');
    my $all = '/organizations/acme/tokens?sort=name';
    is names("$all&status=active"), 'active later mine soon Übung %_x', 'active';
    is names("$all&status=expired"), 'old', 'expired';
    is names("$all&status=revoked"), 'gone soon gone', 'revoked';
    is names("$all&status=pending"), 'not yet', 'pending';
    is names("$all&status=suspended"), '', 'suspended';
    is_deeply { map { $_->{name} => $_->{status} } pages($all) },
        { active => 'active', mine => 'active', 'Übung %_x' => 'active', old => 'expired', gone => 'revoked', soon => 'active', 'soon gone' => 'revoked', later => 'active', 'not yet' => 'pending' },
        'as each says itself';
    is names("$all&expiring=7d"), 'soon', 'what expires, and is not revoked';
    is names("$all&expiring=7d&status=revoked"), 'soon gone', 'unless that is asked for';
    is names("$all&role=reader"), 'mine', 'by role';
    is names("$all&created_by=ann"), 'mine', 'by maker';
    is names("$all&q=so"), 'soon soon gone', 'by the beginning of the name';
    is names("$all&q=%C3%9Cbung%20%25_"), 'Übung %_x', 'which is no pattern';
    is names("$all&q=%25"), '', 'at all';
    is names("$all&q=S"), '', 'byte by byte';
    my ($id) = map { $_->{id} } grep { $_->{name} eq 'later' } pages($all);
    is names("$all&q=$id"), 'later', 'by the id';
    is names('/organizations/acme/groups/ops/tokens'), 'of ops', "a group's";
    is scalar(my @with = pages("$all&include=groups")), 11, 'with those of groups';
    is names("$all&include=groups&q=of"), 'of dev of ops', 'with a filter';
    $login->ctl(qw(org suspend acme));
    is names("$all&status=suspended"), 'active later mine not yet soon Übung %_x', 'of a suspended organization';
    is names("$all&status=active"), '', 'none is active';
    is names("$all&status=expired"), 'old', 'what has expired has expired';
    $login->ctl(qw(org resume acme));
};

subtest 'personal ones' => sub {
    my @made = map { $login->call('POST', '/me/tokens', cookie => $cookie{ann}, origin => 'https://localhost', json => { name => "p$_" })->{json}{id} } 1 .. 5;
    is join(' ', sort map { $_->{id} } pages('/me/tokens')), join(' ', sort @made), 'one\'s own';
    is scalar(my @others = pages('/me/tokens', as => 'root')), 0, 'of nobody else';
    is names('/me/tokens?sort=name&q=p1'), 'p1', 'by name';
};

subtest 'last use' => sub {
    is code_of(list('/organizations/acme/tokens?unused=90d')), '400 query_invalid', 'nobody tells';
    $login->sql('DELETE FROM tokens');
    my %id = map { $_ => token($_) } qw(never long lately);
    token('young', created_at => $now - 5);
    my $tag = list("/tokens/$id{long}")->{headers}{etag};
    my $usage = <<"SQL";
INSERT INTO hosts (host, seen, version, schema, generation, position, age, held_back, left_out, problem, usage_since, usage_lost, usage_problem) VALUES ('h', $now, '1', 2, 1, '', 0, 0, 0, '', 5, 0, '');
INSERT INTO token_usage (token, last_used, address, count) VALUES ('$id{long}', $now - 100 * 86400, '192.0.2.7', 3), ('$id{lately}', $now - 86400, '', 1);
SQL
    if (on_postgresql()) {
        $login->sql($usage);
    } else {
        my $tables = <<'SQL';
CREATE TABLE hosts (host TEXT PRIMARY KEY, seen BIGINT NOT NULL, version TEXT NOT NULL, schema BIGINT NOT NULL, generation BIGINT NOT NULL,
    position TEXT NOT NULL, age BIGINT NOT NULL, held_back BIGINT NOT NULL, left_out BIGINT NOT NULL, problem TEXT NOT NULL,
    usage_since BIGINT NOT NULL, usage_lost BIGINT NOT NULL, usage_problem TEXT NOT NULL, pruned BIGINT NOT NULL DEFAULT 0);
CREATE TABLE token_usage (token TEXT PRIMARY KEY, last_used BIGINT NOT NULL, address TEXT NOT NULL, count BIGINT NOT NULL) WITHOUT ROWID;
SQL
        TokenAuth::Registry::rows_of("sqlite:$dir/usage.db", $tables . $usage);
    }
    is names('/organizations/acme/tokens?sort=name&unused=90d'), 'long never', 'unused, and not young';
    is names('/organizations/acme/tokens?sort=name&unused=90d', limit => 1), 'long never', 'one by one';
    is names('/organizations/acme/tokens?sort=name&unused=200d'), 'never', 'for longer';
    my %seen = map { $_->{name} => $_ } pages('/organizations/acme/tokens');
    like $seen{long}{last_used}, qr/\A\d{4}-/, 'when';
    is $seen{long}{last_used_from}, '192.0.2.7', 'from where';
    is_deeply [ @{ $seen{never} }{qw(last_used last_used_from)} ], [ undef, undef ], 'never';
    my $one = list("/tokens/$id{long}");
    is $one->{json}{last_used}, $seen{long}{last_used}, 'by itself, too';
    is $one->{headers}{etag}, $tag, 'which is no change of its tag';
};

subtest 'organizations and groups' => sub {
    is_deeply [ map { $_->{id} } pages('/organizations') ], ['acme'], "one's own";
    is_deeply [ sort map { $_->{id} } pages('/organizations', as => 'root', limit => 1) ], [qw(acme empty sys zoo)], "the system's: all";
    is_deeply [ map { $_->{id} } pages('/organizations?q=z', as => 'root') ], ['zoo'], 'by the beginning of the id';
    is_deeply [ map { $_->{id} } pages('/organizations?q=z') ], [], 'of what one sees';
    is_deeply [ sort map { $_->{id} } pages('/organizations/acme/groups', limit => 1) ], [qw(dev ops)], 'groups';
    $login->person('gus', 'correct horse battery');
    $login->ctl(qw(member add gus acme/ops --role reader));
    $cookie{gus} = cookie_of($login->log_in('gus', 'correct horse battery'));
    is_deeply [ map { $_->{id} } pages('/organizations/acme/groups', as => 'gus') ], ['ops'], 'that one sees';
    is_deeply [ map { $_->{id} } pages('/organizations', as => 'gus') ], ['acme'], 'by a group alone';
    is code_of(list('/organizations/acme/groups/dev', as => 'gus')), '404 not_found', 'the other one is not there';
    is code_of(list('/organizations/acme/tokens', as => 'gus')), '403 scope_missing', 'tokens are not theirs to see';
};

subtest 'members' => sub {
    $login->ctl('user', 'add', $_) for qw(bea bob);
    $login->ctl(qw(user set bob --name), 'Robert');
    $login->ctl(qw(member add bob acme --role reader));
    $login->ctl(qw(member add bob acme/ops --role reader));
    $login->ctl(qw(member add bea acme --role reader));
    $login->ctl(qw(member add bea acme/dev --role reader));
    $login->sql('UPDATE memberships SET created_at = 5; UPDATE group_memberships SET created_at = 5');
    my $shown = sub { return join ' ', map { $_->{user} . ($_->{group} ? "/$_->{group}" : '') } pages(@_) };
    is $shown->('/organizations/acme/members', limit => 1), 'bob bea ann', 'of the organization';
    is $shown->('/organizations/acme/members?include=groups', limit => 1), 'gus/ops bob/ops bob bea/dev bea ann', 'and its groups';
    is $shown->('/organizations/acme/members?include=groups', limit => 200), 'gus/ops bob/ops bob bea/dev bea ann', 'in one page';
    is $shown->('/organizations/acme/groups/ops/members', limit => 1), 'gus bob' =~ s/(\w+)/$1\/ops/gr, 'of a group';
    is $shown->('/organizations/acme/members?q=Rob'), 'bob', 'by name';
    is $shown->('/organizations/acme/members?q=b'), 'bob bea', 'by id';
};

is_deeply [ $login->misfits ], [], 'all of it is as the document says';

done_testing;
