# tokensync watch --usage, and a page that answers as nginx's never does: nothing of that is stored, it is said
# once, and watch goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Registry qw(on_postgresql rows_of);
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually slurp spew);

my $world = TokenAuth::Sync->new;
$world->populate(5);
$ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/usage.db';

sub reports { return rows_of(on_postgresql() ? $world->url : "sqlite:$ENV{TOKEN_AUTH_USAGE_DB}", @_) }
sub count_of { my ($id) = @_; return reports("SELECT count FROM token_usage WHERE token = '$id'")->[0] // 0 }

# Answers each request with what the file holds then, or "ENDLESS" or "SLOW".
my $answer   = $world->dir . '/answer';
my $asked    = $world->dir . '/asked';
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => 0) or die $!;
my $page     = 'http://127.0.0.1:' . $listener->sockport . '/usage';
spew($asked, '');
my $server = fork() // die $!;
if ($server == 0) {
    $SIG{PIPE} = 'IGNORE';
    while (my $client = $listener->accept) {
        my $head = '';
        $head .= <$client> // last until $head =~ /\r\n\r\n\z/;
        open my $log, '>>', $asked or POSIX::_exit(1);
        print {$log} $head =~ /^(\S+ \S+)/, "\n";
        close $log;
        my $what = slurp($answer);
        if ($what eq 'ENDLESS') {
            print {$client} "HTTP/1.1 200 OK\r\n\r\n";
            1 while print {$client} use_line('t1') x 1000;
        }
        elsif ($what eq 'SLOW') {
            print {$client} "HTTP/1.1 200 OK\r\n\r\n";
            $client->flush, sleep 0.1 while print {$client} '{';
        }
        else {
            print {$client} $what;
        }
        close $client;
    }
    POSIX::_exit(0);
}

sub use_line {
    my ($id, %with) = @_;
    my %field = (time => 1000, address => '"192.0.2.1"', count => 1, %with);
    return qq({"id":"$id","time":$field{time},"address":$field{address},"count":$field{count}}\n);
}

sub end_line {
    my (%with) = @_;
    my %field = (cursor => '"a-1"', epoch => '"a"', more => 'false', lost => 0, %with);
    return '{' . join(',', map { qq("$_":$field{$_}) } sort keys %field) . "}\n";
}

# As a whole, so that no request meets a part.
sub answer { spew("$answer.new", $_[0]); rename "$answer.new", $answer or die $!; return }
sub body   { return join '', "HTTP/1.1 200 OK\r\nContent-Length: ", length $_[0], "\r\nConnection: close\r\n\r\n", $_[0] }

# Watches while that is the answer, until it has been asked for twice more; its log.
sub log_for {
    my ($what) = @_;
    answer($what);
    spew($asked, '');
    my $watch = $world->watch('--host', 'web1', '--usage', $page, '--usage-interval', '1s');
    ok eventually(sub { (() = slurp($asked) =~ /\n/g) >= 2 || $world->log_of($watch) =~ /last use is not told/ }), 'is asked';
    ok eventually(sub { $world->log_of($watch) =~ /last use is not told/ }), 'says so';
    is $world->stop($watch), 0, 'and goes on, until it is ended';
    return $world->log_of($watch);
}

my $none = qr/^nginx's page \Q$page\E does not answer as token_auth_usage does; name a location that has it; tokens' last use is not told/m;

subtest 'answers that are none' => sub {
    my $use  = use_line('t1');
    my $end  = end_line();
    my @cases = (
        ['nothing', ''],
        ['a page', "<html>\n"],
        ['no end', $use],
        ['an end that is cut', $use . $end =~ s/\n//r],
        ['two ends', "$use$end$end"],
        ['a use behind the end', "$end$use"],
        ['a long line', $use =~ s/"192/(' ' x 5000) . '"192'/er . $end],
        ['a deep line', ('[' x 1_000_000) . "\n$end"],
        ['an id that is none', use_line('a b') . $end],
        ['a long id', use_line('x' x 300) . $end],
        ['a time before 1970', use_line('t1', time => -1) . $end],
        ['a time after 9999', use_line('t1', time => 253402300800) . $end],
        ['a time that is no number', use_line('t1', time => '"x"') . $end],
        ['an infinite time', use_line('t1', time => '1e300') . $end],
        ['a count below 0', use_line('t1', count => -1) . $end],
        ['a large count', use_line('t1', count => '18446744073709551615') . $end],
        ['an address that is none', use_line('t1', address => '"<b>"') . $end],
        ['an address that is a number', use_line('t1', address => '7') . $end],
        ['a cursor that adds to the question', $use . end_line(cursor => '"a&b=c"')],
        ['an empty cursor', $use . end_line(cursor => '""')],
        ['losses below 0', $use . end_line(lost => -1)],
    );
    for my $case (@cases) {
        my ($name, $text) = @$case;
        subtest $name => sub {
            like log_for(body($text)), $none, 'which';
            is count_of('t1'), 0, 'nothing is stored';
        };
    }
};

subtest 'other answers' => sub {
    like log_for("HTTP/1.1 302 Found\r\nLocation: $page\r\nContent-Length: 0\r\n\r\n"), qr/answers 302; name a location/, 'another place';
    like log_for("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00"), $none, 'gzip';
    like log_for("SSH-2.0-x\r\n"), qr/cannot be read: /, 'no HTTP';
    like log_for('ENDLESS'), $none, 'without an end';
    is count_of('t1'), 0, 'nothing is stored';
};

subtest 'a slow answer' => sub {
    answer('SLOW');
    spew($asked, '');
    my $watch = $world->watch('--host', 'web1', '--usage', $page, '--usage-interval', '1s');
    ok eventually(sub { slurp($asked) =~ /\n/ }), 'begun';
    my $begun = time;
    is $world->stop($watch), 0, 'ends';
    cmp_ok time - $begun, '<', 4, 'at once';
};

subtest 'a cursor that stands still' => sub {
    like log_for(body(use_line('t2') . end_line(more => 'true'))), $none, 'is none';
    is count_of('t2'), 1, 'and counts once';
};

subtest 'what is too much' => sub {
    my $max = '9223372036854775807';
    answer(body(use_line('t3', count => $max, time => 253402300799) x 2 . use_line('t4') . end_line()));
    my $watch = $world->watch('--host', 'web1', '--usage', $page, '--usage-interval', '1s');
    ok eventually(sub { count_of('t4') >= 3 }), 'holds up no other token' or diag $world->log_of($watch);
    is count_of('t3'), $max, 'a count stays at the most that can be';
    my $last = reports("SELECT last_used FROM token_usage WHERE token = 't3'")->[0];
    cmp_ok abs($last - time), '<', 60, 'a time that is ahead is cut to now';
    is $world->stop($watch), 0, 'ended';
    is $world->ctl('show', 't3')->{status}, 0, 'tokenctl shows it';
};

kill 'KILL', $server;
waitpid $server, 0;

done_testing;
