# Statements in PostgreSQL stay prepared from one request to the next.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Login;
use TokenAuth::Postgres;
use TokenAuth::Util qw(program run_tool slurp);

my $postgres = TokenAuth::Postgres->start(settings => ["log_statement = 'all'"]);
my $database = $postgres->database;
my $url      = $postgres->url($database);
is run_tool([ program('tokenctl'), '--registry', $url, 'init' ])->{status}, 0, 'a registry';
my $login = TokenAuth::Login->start(url => $url);
$login->ctl(qw(org add acme));
$login->ctl(qw(role set admin auth:* agents:*));
my $token = $login->token(qw(--org acme --role admin --scope auth:* --scope agents:*));

# What the server logs of so many requests, one after the other.
sub logged {
    my ($count, $path) = @_;
    my $from = -s $postgres->dir . '/log';
    is $login->call('GET', $path, bearer => $token)->{status}, 200, $path for 1 .. $count;
    return substr slurp($postgres->dir . '/log'), $from;
}

logged(100, $_) for '/me', '/organizations/acme/tokens';    # all workers have asked the same twice
my $me = logged(5, '/me');
my @names = $me =~ /LOG:  execute ([^:]+):/g;
cmp_ok scalar(@names), '>', 5, 'statements';
is_deeply [ grep { !/\Atoken_auth_\d+\z/ } @names ], [], 'are prepared';
unlike $me, qr/\b(?:SET|DEALLOCATE)\b/, 'and nothing is set again';
my $page = logged(1, '/organizations/acme/tokens');
is_deeply [ $page =~ /LOG:  execute <unnamed>: (SELECT)/g ], ['SELECT'], 'but a page is planned anew';

done_testing;
