# tokenapi and PostgreSQL: statements stay prepared, changes are announced after the commit, sessions may end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use DBI;
use Test::More;
use TokenAuth::Login;
use TokenAuth::Postgres;
use TokenAuth::Util qw(eventually program run_tool slurp);

my $postgres = TokenAuth::Postgres->start(settings => ["log_statement = 'all'"]);
my $database = $postgres->database;
my $url      = $postgres->url($database);
is run_tool([ program('tokenctl'), '--registry', $url, 'init' ])->{status}, 0, 'a registry';
my $login = TokenAuth::Login->start(url => $url);
$login->ctl(qw(org add acme));
$login->ctl(qw(role set admin auth:* agents:*));
$login->ctl(qw(role set reader agents:read));
my $token = $login->token(qw(--org acme --role admin --scope auth:* --scope agents:*));

# What the server logs of so many requests, one after the other.
sub logged {
    my ($count, $path) = @_;
    my $from = -s $postgres->dir . '/log';
    is $login->call('GET', $path, bearer => $token)->{status}, 200, $path for 1 .. $count;
    return substr slurp($postgres->dir . '/log'), $from;
}

my $tokens = '/organizations/acme/tokens';
logged(100, $_) for '/me', $tokens, "$tokens?q=D";    # all workers have asked the same twice
my $me = logged(5, '/me');
my @names = $me =~ /LOG:  execute ([^:]+):/g;
cmp_ok scalar(@names), '>', 5, 'statements';
is_deeply [ grep { !/\Atoken_auth_\d+\z/ } @names ], [], 'are prepared';
unlike $me, qr/\b(?:SET|DEALLOCATE)\b/, 'and nothing is set again';
unlike logged(1, $tokens), qr/<unnamed>/, 'those of a page, too';
is_deeply [ logged(1, "$tokens?q=D") =~ /LOG:  execute <unnamed>: (SELECT)/g ], ['SELECT'], 'but one with filters is planned anew';

subtest 'how much is asked' => sub {
    # BEGIN, the token, its organization, role and user, the order, the page, uses and a role, COMMIT
    my @statements = logged(1, $tokens) =~ /LOG:  execute/g;
    cmp_ok scalar(@statements), '<=', 10, 'for a page';
};

subtest 'a change is announced after its commit' => sub {
    my $listener = DBI->connect("dbi:Pg:dbname=$database;host=" . $postgres->dir, 'postgres', '', { AutoCommit => 1, RaiseError => 1 });
    $listener->do('LISTEN token_auth');
    my $heard = sub { my $count = 0; ++$count while $listener->pg_notifies; return $count };
    my $from = -s $postgres->dir . '/log';
    my $made = $login->call('POST', $tokens, bearer => $token, json => { name => 'x', role => 'reader' });
    is $made->{status}, 201, 'a token';
    ok eventually(sub { $listener->ping && $heard->() }), 'heard of';
    like substr(slurp($postgres->dir . '/log'), $from), qr/execute token_auth_\d+: COMMIT\n(?:(?!BEGIN).)*pg_notify/s, 'behind COMMIT';
    is $login->call('POST', $tokens, bearer => $token, json => { name => '' })->{status}, 422, 'one that is refused';
    is $login->call('GET', $tokens, bearer => $token)->{status}, 200, 'a list';
    select undef, undef, undef, 0.3;
    $listener->ping;
    is $heard->(), 0, 'nothing to announce';
    $listener->do("UPDATE token_auth.tokens SET description = 'by SQL' WHERE id = ?", undef, $made->{json}{id});
    ok eventually(sub { $listener->ping && $heard->() }), 'by SQL: by the trigger';
};

sub all_answered { return join ' ', sort { $a <=> $b } keys %{ { map { ($login->call(@_, bearer => $token)->{status} => 1) } 1 .. 40 } } }

subtest 'sessions that end, plans that no longer fit' => sub {
    my $kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database' AND pid <> pg_backend_pid()";
    $postgres->sql($database, $kill);
    is all_answered('GET', $tokens), '200', 'lists after all were killed';
    $postgres->sql($database, $kill);
    is all_answered('POST', $tokens, json => { name => 'x', role => 'reader' }), '201', 'new tokens';
    $postgres->sql($database, 'ALTER TABLE token_auth.tokens ALTER COLUMN description TYPE VARCHAR');
    is all_answered('GET', $tokens), '200', 'after a column changed its type';
    unlike slurp($postgres->dir . '/log'), qr/ERROR:  (?!cached plan)/, 'no other error';
};

done_testing;
