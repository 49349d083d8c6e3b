# tokenapi as a program: its options and check, its socket, systemd, and how it ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Api;
use TokenAuth::Util qw(build_dir eventually program run_tool slurp spew);

*request_text = \&TokenAuth::Api::request_text;
*read_answer = \&TokenAuth::Api::read_answer;
*is_closed = \&TokenAuth::Api::is_closed;

my $world = TokenAuth::Api->start;    # for its registry and its directory
my ($dir, $url) = ($world->dir, $world->url);

sub tokenapi { return run_tool([ program('tokenapi'), '--registry', $url, @_ ]) }

subtest 'check' => sub {
    my $checked = tokenapi('check');
    is $checked->{status}, 0, 'in order';
    like $checked->{err}, qr/\Athe options are in order, and the registry sqlite:\S+ can be used\n\z/, 'says so';
    my %wrong = (
        'another registry' => [ [ '--registry', "sqlite:$dir/none.db", 'check' ], 1, qr/none\.db/ ],
        'no registry'      => [ [ '--registry', 'x', 'check' ], 2, qr/--registry is not understood/ ],
        'TCP'              => [ [ '--listen', '127.0.0.1:80', 'check' ], 2, qr/--listen is not understood.*nginx does/ ],
        'a relative path'  => [ [ '--listen', 'unix:api.sock', 'check' ], 2, qr/--listen is not understood/ ],
        'a long path'      => [ [ '--listen', 'unix:/' . 'x' x 107, 'check' ], 2, qr/at most 107 bytes/ ],
        'no command'       => [ [], 2, qr/name a command/ ],
    );
    for (sort keys %wrong) {
        my ($arguments, $status, $message) = @{ $wrong{$_} };
        my $result = run_tool([ program('tokenapi'), ((grep { $_ eq '--registry' } @$arguments) ? () : ('--registry', $url)), @$arguments ]);
        is $result->{status}, $status, $_;
        like $result->{err}, qr/\Atokenapi: [^\n]*\n\z/, 'one line';
        like $result->{err}, $message, 'says why';
    }
};

subtest 'its socket' => sub {
    is sprintf('%o', (stat $world->socket)[2] & 0777), '660', 'its mode';
    my $again = tokenapi('--listen', 'unix:' . $world->socket, 'serve');
    is $again->{status}, 1, 'a second one does not start';
    like $again->{err}, qr/is in use/, 'says why';
    is $world->call('GET', '/healthz')->{status}, 200, 'the first one goes on';
    like slurp('/proc/' . $world->pid . '/limits'), qr/^Max open files\s+(?:1[1-9]\d\d|[2-9]\d{3}|\d{5,}) /m, 'enough descriptors';
    is $world->stop, 0, 'it ends well';
    ok !-e $world->socket, 'without a socket left';

    my $killed = TokenAuth::Api->start(url => $url);
    $killed->stop('KILL');
    ok -S $killed->socket, 'one that was killed leaves it';
    my $next = TokenAuth::Api->start(url => $url, socket => $killed->socket, wait => 0);
    ok eventually(sub { $next->connection }), 'the next one takes it over';
    is $next->stop('INT'), 0, 'SIGINT ends it, too';

    my $file = spew("$dir/file", 'precious');
    my $refused = tokenapi('--listen', "unix:$file", 'serve');
    is $refused->{status}, 1, 'a file that is no socket';
    like $refused->{err}, qr/is no socket/, 'says so';
    is slurp($file), 'precious', 'and stays';
};

# What systemd would hear.
sub manager {
    my $path = "$dir/notify" . ++$world->{number};
    return { path => $path, socket => IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path), told => '' };
}

sub told {
    my ($manager, $pattern) = @_;
    my $end = time + 10;
    while ($manager->{told} !~ $pattern) {
        return 0 if !IO::Select->new($manager->{socket})->can_read($end - time);
        $manager->{socket}->recv(my $text, 4096);
        $manager->{told} .= "$text\n";
    }
    return 1;
}

subtest 'systemd' => sub {
    my $manager = manager();
    my $path = "$dir/systemd.sock";
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 128) or die "$path: $!";
    my $api = TokenAuth::Api->start(url => $url, listener => $listener, socket => $path,
        env => { NOTIFY_SOCKET => $manager->{path}, WATCHDOG_USEC => 400000 });
    ok told($manager, qr/^READY=1$/m), 'ready';
    is $api->call('GET', '/healthz')->{status}, 200, 'on the socket that it was given';
    ok told($manager, qr/WATCHDOG=1.*WATCHDOG=1.*WATCHDOG=1/s), 'alive';
    is $api->stop, 0, 'it ends well';
    ok told($manager, qr/^STOPPING=1$/m), 'stopping';
    ok -S $path, 'the socket is not its own to remove';
};

subtest 'SIGTERM' => sub {
    my $api = TokenAuth::Api->start(url => $url, probe => 1);
    my %connections = map { $_ => $api->connection } qw(running sending idle silent hashing);
    syswrite $connections{running}, request_text('GET', '/slow?ms=1500');
    syswrite $connections{hashing}, request_text('GET', '/hashed?ms=1500');
    my $post = request_text('POST', '/echo', body => '{"a":1}', headers => { 'Content-Type' => 'application/json' });
    syswrite $connections{sending}, substr $post, 0, -3;
    syswrite $connections{idle}, request_text('GET', '/healthz');
    read_answer($connections{idle});
    eventually { $api->metrics->{token_auth_api_requests_running} == 2 };
    my @waiting = map { my $connection = $api->connection; syswrite $connection, request_text('GET', '/slow'); $connection } 1 .. 100;
    kill 'TERM', $api->pid;
    ok eventually(sub { !-e $api->socket }, 2), 'its socket goes at once';
    ok is_closed($connections{$_}, 1), "$_ ones are closed" for qw(idle silent);
    is_deeply [ map { (read_answer($_) // { status => 0 })->{status} } @waiting ], [ (200) x @waiting ], 'what had come is answered';
    syswrite $connections{sending}, substr $post, -3;
    for (qw(sending running hashing)) {
        my $answer = read_answer($connections{$_});
        is $answer && $answer->{status}, 200, "$_ ones are finished";
        is $answer->{headers}{connection}, 'close', 'and are the last on their connection';
    }
    is $api->ended, 0, 'it ends well';
    is $api->log, '', 'and says nothing';

    $api = TokenAuth::Api->start(url => $url, probe => 1);
    my $slow = $api->connection;
    syswrite $slow, substr $post, 0, -3;
    eventually { $api->metrics->{token_auth_api_connections} == 2 };
    my $begun = time;
    is $api->stop, 0, 'a client that never ends its request';
    cmp_ok time - $begun, '<', 11, 'does not hold it up for longer than it may take';
};

subtest 'its memory' => sub {
    my $api = TokenAuth::Api->start(url => $url);
    is((stat '/proc/' . $api->pid . '/mem')[4], 0, 'is not for others of its account');    # not dumpable: root's
    my $cores = slurp('/proc/' . $api->pid . '/coredump_filter');
    is $api->stop('ABRT'), 'signal 6', 'it ends as if by a fault';
    ok !-e "$dir/core" && !-e 'core', 'without a core';
};

done_testing;
