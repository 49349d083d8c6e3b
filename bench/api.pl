# tokenapi with a million tokens: lists, making tokens, memory, connections, slow clients of nginx, and its end.
use strict;
use warnings;

use Bench::Api::Load qw(ask callers request summary);
use Bench::Api::Slow;
use Bench::Api::World;
use Bench::Report qw(machine median missed record);
use Getopt::Long;
use JSON::PP qw(decode_json);
use List::Util qw(max sum0);
use TokenAuth::Api;
use TokenAuth::Console;
use TokenAuth::Postgres;
use TokenAuth::Util qw(eventually slurp);
use Time::HiRes qw(sleep time);

my %options = (tokens => 1_000_000, callers => 32, seconds => 0.8, rounds => 11, connections => 1000, slow => 10_000);
GetOptions(\%options, qw(tokens=i callers=i seconds=f rounds=i connections=i slow=i record smoke)) && !@ARGV
    && !grep({ $_ <= 0 } @options{qw(tokens callers seconds rounds connections slow)}) && $options{callers} <= 50
    or do { print STDERR "bench api: see scripts/bench --help\n"; exit 2 };
@options{qw(tokens seconds rounds connections slow record)} = (20_000, 0.3, 1, 100, 100, 0) if $options{smoke};

sub say_that { printf STDERR "%s\n", sprintf shift, @_; return }

my $plain = 1;    # without real-time priority

# Lets processes go before all others of this machine, and what they start from now on.
sub prefer {
    my (@pids) = @_;
    for my $pid (map { ($_, split ' ', `ps -o pid= --ppid $_`) } @pids) {
        $plain &= system("chrt --rr --all-tasks --pid 1 $pid 2>/dev/null") != 0 ? 1 : 0;
    }
    return;
}

Bench::Api::Slow::need_files(max(@options{qw(slow connections)}) + 200);
say_that('makes a registry of %d tokens', $options{tokens});
my $postgres = TokenAuth::Postgres->start(fsync => 1,
    settings => [ 'shared_buffers = 512MB', 'max_wal_size = 4GB', 'maintenance_work_mem = 256MB' ]);
my $registry = Bench::Api::World::in_postgresql($postgres, $options{tokens});
my @managers = Bench::Api::World::managers($options{callers});
my $api      = TokenAuth::Api->start(url => $registry->url);
my ($server) = split /\n/, slurp($postgres->data . '/postmaster.pid');
my %results  = (options => \%options);
my $place    = '/api/v1/organizations/acme/tokens';

sub connection { return $api->connection }

# As many callers as are wanted, for a round.
sub round {
    my ($next, %other) = @_;
    return callers(connect => \&connection, count => $options{callers}, next => $next, seconds => $options{seconds}, %other);
}

# The medians of rounds, of each of some sorts of requests: [ name => sub of a caller's number ], …
sub measure {
    my ($status, @sorts) = @_;
    my %rounds;
    for my $round (1 .. $options{rounds}) {
        for (@sorts) {
            my ($name, $next) = @$_;
            my $found = round($next);
            die "$name: " . join(' ', %{ $found->{statuses} }) . ": $found->{last}\n" if $found->{cut} || keys %{ $found->{statuses} } != 1 || !$found->{statuses}{$status};
            push @{ $rounds{$name} }, summary($found);
            sleep 0.3;    # others of this machine have waited, and the kernel lets none go first all the time
        }
    }
    return map { my $name = $_->[0]; { name => $name, map { my $part = $_; ($part => median(map { $_->{$part} } @{ $rounds{$name} })) } qw(p50 p99 max rate) } } @sorts;
}

sub get {
    my ($target) = @_;
    my ($status, $body) = ask(connection(), request('GET', $target, $managers[0]));
    die "$target: $status $body\n" if $status != 200;
    return decode_json($body);
}

# Cursors of pages far behind the first one.
sub cursors {
    my ($pages) = @_;
    my ($cursor, @cursors);
    for (1 .. $pages) {
        $cursor = get("$place?limit=200" . (defined $cursor ? "&cursor=$cursor" : ''))->{next_cursor} // last;
        push @cursors, $cursor;
    }
    return @cursors > 100 ? @cursors[ -100 .. -1 ] : @cursors;
}

sub lists {
    say_that('%d callers: lists', $options{callers});
    my @cursors = cursors($options{smoke} ? 5 : 1250);
    my $list    = sub { my ($query) = @_; return sub { return request('GET', $place . (ref $query ? $query->() : $query), $managers[ $_[0] ]) } };
    my $some    = sub { return 2 * int(rand $options{tokens} / 2) + 1 };
    my @found   = measure(200,
        [ 'the first page',             $list->('') ],
        [ 'one in the middle',          $list->(sub { '?cursor=' . $cursors[ rand @cursors ] }) ],
        [ 'q=, few',                    $list->(sub { '?q=Deploy%20script%20' . $some->() }) ],
        [ 'q=, all',                    $list->('?q=Deploy') ],
        (map { [ "status=$_", $list->("?status=$_") ] } qw(active expired revoked pending suspended)),
        [ 'expiring=7d',                $list->('?expiring=7d') ],
        [ 'expiring=7d, sort=expires',  $list->('?expiring=7d&sort=expires') ],
        [ 'created_by=',                $list->(sub { '?created_by=user' . ($some->() % 100_000) }) ],
        [ 'sort=name',                  $list->('?sort=name') ]);
    say_that('  %-26s p50 %6.1f  p99 %6.1f ms  %6.0f/s', @$_{qw(name p50 p99 rate)}) for @found;
    $results{lists} = \@found;
    return;
}

my $number = 0;

sub creation {
    my ($caller) = @_;
    return request('POST', $place, $managers[$caller], '{"name":"Made ' . ++$number . '","role":"reader","scopes":["agents:read"],"expires":"90d"}');
}

sub tokens_made { return $postgres->sql($registry->{database}, q{SELECT count(*) FROM token_auth.tokens WHERE name LIKE 'Made %'})->[0] }

sub creations {
    say_that('%d callers: creation', $options{callers});
    ($results{creation}) = measure(201, [ 'creation', \&creation ]);
    say_that('  p50 %.1f  p99 %.1f ms  %.0f/s', @{ $results{creation} }{qw(p50 p99 rate)});
    return;
}

# As many connections as there may be, each with a request at the same time, and the memory after that.
sub connections {
    say_that('%d connections', $options{connections});
    my $found = callers(connect => \&connection, count => $options{connections}, until => sub { 1 }, next => sub { return request('GET', '/api/v1/me', $managers[0]) });
    my ($peak) = slurp('/proc/' . $api->pid . '/status') =~ /^VmHWM:\s+(\d+) kB/m;
    $results{connections} = { answered => $found->{statuses}{200} // 0, seconds => $found->{seconds}, longest => max(@{ $found->{took} }) };
    $results{memory} = $peak / 1024;
    say_that('  %d answered, the last after %.2f s; %.1f MiB of memory at most so far', @{ $results{connections} }{qw(answered longest)}, $results{memory});
    return;
}

# One caller through nginx, without and with clients that are slow.
sub slow_clients {
    say_that('%d slow clients of nginx', $options{slow});
    my $nginx = TokenAuth::Console->start(api => $api, connections => $options{slow} + 500, main => 'worker_rlimit_nofile ' . ($options{slow} + 1000) . ';');
    prefer($nginx->pid);
    my $latency = sub {
        return summary(callers(connect => sub { $nginx->connect }, count => 1, seconds => $options{seconds},
            next => sub { return request('GET', "$place?limit=10", $managers[0]) }));
    };
    $latency->();
    my @rest = map { $latency->() } 1 .. $options{rounds};
    my $slow = Bench::Api::Slow->start($nginx->port, $options{slow});
    my @meanwhile = map { $latency->() } 1 .. $options{rounds};
    my $taken = $api->metrics->{token_auth_api_connections};
    my $open = $slow->stop;
    $results{slow} = { open => $open, taken => $taken - 1, map { my $part = $_; ($part => { rest => median(map { $_->{$part} } @rest), slow => median(map { $_->{$part} } @meanwhile) }) } qw(p50 p99) };
    say_that('  p99 %.1f ms without them, %.1f ms with %d of them', @{ $results{slow}{p99} }{qw(rest slow)}, $open);
    return;
}

# SIGTERM while tokens are made: whatever was sent before is answered, and nothing done of which nobody is told.
sub the_end {
    say_that('SIGTERM');
    my $before = tokens_made();
    my $begun  = time;
    my $found  = round(\&creation, until => sub { return time - $begun > 1 && kill 'TERM', $api->pid });
    my $asked  = time;
    my $status = $api->ended(40) // 'none';
    $results{end} = { answered => $found->{statuses}{201} // 0, cut => $found->{cut}, untold => tokens_made() - $before - ($found->{statuses}{201} // 0), status => $status, seconds => time - $asked };
    say_that('  %d answered, %d cut off, %d made without an answer, exit status %s', @{ $results{end} }{qw(answered cut untold status)});
    return;
}

prefer($server, $api->pid, $$);
say_that('real-time priority needs root: without it, other programs disturb the figures') if $plain;
$results{realtime} = $plain ? 0 : 1;
lists();
creations();
connections();
slow_clients();
the_end();
if ($options{smoke}) {
    print "every part ran; nothing was timed\n";
    exit 0;
}
$results{machine} = machine();
record('api', \%results, $options{record});
exit(missed('api', \%results) ? 1 : 0);
