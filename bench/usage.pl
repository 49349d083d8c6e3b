# Tokens' last use on its way into PostgreSQL: nginx notes it, tokensync asks and writes. The server's own log says how
# long the statement that writes an answer took.
use strict;
use warnings;

use Bench::Sync::Registry;
use File::Temp qw(tempdir);
use Getopt::Long;
use TokenAuth::Postgres;
use TokenAuth::Server;
use TokenAuth::Util qw(eventually program slurp spew);
use Time::HiRes qw(time);

my %options = (tokens => 100_000);
GetOptions(\%options, qw(tokens=i)) && !@ARGV && $options{tokens} > 0 or do { print STDERR "bench usage: see scripts/bench --help\n"; exit 2 };

my $dir = tempdir('token-auth-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir "$dir/html" or die;
chmod 0755, $dir, "$dir/html";
spew("$dir/html/index.html", "ok\n");
my @group    = $> == 0 ? ('--group', 'www-data') : ();
my $postgres = TokenAuth::Postgres->start(fsync => 1, settings => [ 'shared_buffers = 512MB', 'log_min_duration_statement = 0' ]);
# (every other token there belongs to an organization)
my $registry = Bench::Sync::Registry->in_postgresql($postgres, 2 * $options{tokens});
my @command  = (program('tokensync'), '--registry', $registry->url, '--db', "$dir/db");
system({ $command[0] } @command, 'run', @group) == 0 or die "tokensync run failed\n";
my $nginx = TokenAuth::Server->start(dir => $dir, main => 'worker_rlimit_nofile 4096;', http => <<"END");
token_auth_db $dir/db;
token_auth_zone 64m;
keepalive_requests 1000000;
server {
    listen 127.0.0.1:%PORT%;
    listen unix:$dir/nginx.sock;
    root $dir/html;
    token_auth api;
    location = /usage { token_auth off; token_auth_usage; }
}
END

# Each token once, a hundred requests at a time.
sub use_all {
    my $socket = $nginx->connect;
    for (my $first = 0; $first < $options{tokens}; $first += 100) {
        my @ids = grep { $_ <= 2 * $options{tokens} } map { 2 * ($first + $_) + 1 } 0 .. 99;
        print {$socket} map { "HEAD / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t$_-token\r\n\r\n" } @ids;
        for (@ids) {
            my $head = do { local $/ = "\r\n\r\n"; <$socket> } // die "nginx closed\n";
            $head =~ /\A\S+ 200 / or die $head;
        }
    }
    return;
}

sub count { return $postgres->sql($registry->{database}, "SELECT coalesce(sum(count), 0) FROM token_auth.token_usage")->[0] }

# The milliseconds of the statements since that place in the log, and how many they were.
sub statements {
    my ($from) = @_;
    my ($sum, $count) = (0, 0);
    my $log = substr slurp($postgres->dir . '/log'), $from;
    while ($log =~ /duration: ([\d.]+) ms  (parse|bind|execute) [^\n]*INSERT INTO token_auth\.token_usage/g) {
        $sum += $1;
        ++$count if $2 eq 'execute';
    }
    return ($sum, $count);
}

# Waits until nothing more arrives; a few tokens may find no room beside those that share their place.
sub arrived {
    my ($before) = @_;
    my ($last, $since) = ($before, time);
    eventually {
        my $now = count();
        ($last, $since) = ($now, time) if $now != $last;
        $now != $before && time - $since > 3;
    } 120 or die "nothing arrives\n";
    return $last - $before;
}

printf "%-24s %12s %12s %12s\n", '', 'rows', 'statements', 'rows/s';
for my $what ('first uses (INSERT)', 'later uses (UPDATE)') {
    use_all();
    my ($from, $before) = (-s $postgres->dir . '/log', count());
    my $watch = TokenAuth::Server::spawn("$dir/watch.log", @command, 'watch', @group, '--usage', "unix:$dir/nginx.sock:/usage");
    my $rows = arrived($before);
    kill 'TERM', $watch;
    waitpid $watch, 0;
    my ($took, $statements) = statements($from);
    printf "%-24s %12d %12d %12.0f\n", $what, $rows, $statements, 1000 * $rows / $took;
}
