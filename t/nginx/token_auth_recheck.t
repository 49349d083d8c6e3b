# The directive token_auth_recheck: streams end with their token.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Http2;
use TokenAuth::Server;
use TokenAuth::Util qw(slurp);
use TokenAuth::Wire;
use Digest::SHA qw(sha1_base64);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/large", 'x' x (8 << 20));

# An upstream that leaves its streams open.
my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!";
my $upstream = fork // die "fork: $!";
if ($upstream == 0) {
    $SIG{CHLD} = 'IGNORE';
    while (my $client = $listener->accept) {
        next if fork;
        alarm 60;
        my %fields;
        my $path = (split / /, <$client> // POSIX::_exit(0))[1];
        open my $asked, '>>', "$dir/asked" or die "asked: $!";
        print $asked "$path\n";
        close $asked;
        while (defined(my $line = <$client>)) {
            last if $line eq "\r\n";
            $fields{ lc $1 } = $2 if $line =~ /\A([^:]+): (.*)\r\n/;
        }
        $client->autoflush;
        if ($path =~ /ws/) {
            my $accept = sha1_base64("$fields{'sec-websocket-key'}258EAFA5-E914-47DA-95CA-C5AB0DC85B11") . '=';
            print $client "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                "Sec-WebSocket-Accept: $accept\r\n\r\n";
            print $client $_ while sysread $client, $_, 4096;    # an echo
        } elsif ($path =~ /accel/) {
            print $client "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /limited\r\nContent-Length: 0\r\n\r\n";
        } elsif ($path =~ /poll|quiet/) {
            print $client "HTTP/1.1 200 OK\r\n\r\nx" if $path =~ /quiet/;
            1 while sysread $client, $_, 4096;    # until nginx gives up
        } else {
            print $client "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
            sleep 0.1 while print $client "data: x\n\n";
        }
        POSIX::_exit(0);
    }
}
END { local $?; kill 'KILL', $upstream if $upstream }
my $to = 'proxy_pass http://127.0.0.1:' . $listener->sockport . ';';

my @names = qw(ws sse poll download upload page accel h2-sse h2-poll h2-quiet reloaded argument off second);
import_lines(map { token_line("live-$_", 'organization', organization => 'acme') } @names);
my $soon = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 6));
import_lines(token_line('live-expiring', 'organization', organization => 'acme', expires => $soon));
tokensync('run');
my $store = store_dir();
for my $copy (qw(aging spoiled)) {
    system('cp', '-r', $store, "$dir/$copy") == 0 or die 'cannot copy the store';
}
sync_into("$dir/aging");

my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    log_format ended 'ended: \$token_auth_id,\$token_auth_result,\$token_auth_org, \$status';
    proxy_http_version 1.1;
    proxy_buffering off;
    limit_req_zone \$uri zone=uris:1m rate=1r/m;
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        listen unix:$dir/h2.sock http2;
        root $dir/html;
        access_log $dir/access.log ended;
        token_auth api;
        token_auth_recheck 500ms;
        location / { $to }
        location = /ws { proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade; $to }
        location = /status { token_auth off; token_auth_status prometheus; }
        location = /large { limit_rate 50k; }
        location = /page { error_page 401 = /instead; $to }
        location = /instead { internal; token_auth off; proxy_ignore_client_abort on; $to }
        location = /limited { internal; token_auth off; limit_req zone=uris burst=9; alias $dir/html/small; }
        location = /argument { token_auth api token=\$arg_token; $to }
        location = /off { token_auth_recheck 0; $to }
        location = /first { try_files /nothing /off; }
        location = /aging { token_auth_db $dir/aging; token_auth_max_age 3s; $to }
        location = /spoiled { token_auth_db $dir/spoiled; $to }
    }
END

sub open_stream {
    my ($method, $path, $token, @more) = @_;
    my $socket = $server->connect;
    print $socket request($method, $path, $token ? (Authorization => "Bearer $token") : (), @more);
    return $socket;
}

# What comes within some seconds, or until the end: (text, whether it ended).
sub watch {
    my ($socket, $seconds) = @_;
    my $select = IO::Select->new($socket);
    my $until = time + $seconds;
    my $text = '';
    while ((my $left = $until - time) > 0) {
        next if !$select->can_read($left);
        return ($text, 1) if !sysread $socket, $text, 65536, length $text;
    }
    return ($text, 0);
}

$server->get('/accel', Authorization => 'Bearer acme-token');    # so that the next one has to wait for a minute
my %open = (
    ws => open_stream('GET', '/ws', 'live-ws-token', Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Version' => 13, 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ=='),
    sse      => open_stream('GET', '/sse', 'live-sse-token'),
    poll     => open_stream('GET', '/poll', 'live-poll-token'),
    download => open_stream('GET', '/large', 'live-download-token'),
    upload   => open_stream('POST', '/upload', 'live-upload-token', 'Content-Length' => 1000),
    page     => open_stream('POST', '/page', 'live-page-token', 'Content-Length' => 1000),
    accel    => open_stream('GET', '/accel', 'live-accel-token'),
    reloaded => open_stream('GET', '/sse', 'live-reloaded-token'),
    argument => open_stream('GET', '/argument?token=live-argument-token'),
    expiring => open_stream('GET', '/sse', 'live-expiring-token'),
    off      => open_stream('GET', '/off', 'live-off-token'),
    second   => open_stream('GET', '/first', 'live-second-token'),
    others   => open_stream('GET', '/sse', 'acme-token'),
    aging    => open_stream('GET', '/aging', 'acme-token'),
    spoiled  => open_stream('GET', '/spoiled', 'acme-token'),
);
my $begun = time;
my $h2 = IO::Socket::UNIX->new("$dir/h2.sock") or die "h2.sock: $!";
my $bearer = sub { return authorization => "Bearer $_[0]-token" };
print $h2 preface(), headers_frame(1, 1, 'GET', '/sse', $bearer->('live-h2-sse')),
    headers_frame(3, 1, 'GET', '/poll', $bearer->('live-h2-poll')), headers_frame(5, 1, 'GET', '/sse', $bearer->('acme'));
my $quiet = IO::Socket::UNIX->new("$dir/h2.sock") or die "h2.sock: $!";
print $quiet preface(), headers_frame(1, 1, 'GET', '/quiet', $bearer->('live-h2-quiet')), headers_frame(3, 1, 'GET', '/quiet', $bearer->('acme'));

like((watch($open{ws}, 1))[0], qr{\AHTTP/1.1 101 .*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=}s, 'a WebSocket');
syswrite $open{ws}, "\x81\x82abcd\x09\x0b";
is((watch($open{ws}, 0.5))[0], "\x81\x82abcd\x09\x0b", 'that goes on after some rechecks');
open my $spoiled, '+<', "$dir/spoiled/data.mdb" or die "data.mdb: $!";
print $spoiled 'noise' x 10_000;
close $spoiled;
$server->reload;
sleep 0.5;

tokenctl('revoke', "live-$_") for @names;
tokensync('run');

my ($text, $ended) = watch($open{ws}, 5);
is $ended, 1, 'a WebSocket ends';
($text, $ended) = watch($open{sse}, 5);
is $ended, 1, 'SSE ends';
like $text, qr/data: x/, 'of which some came';
($text, $ended) = watch($open{reloaded}, 5);
is $ended, 1, 'and so in a worker that is shutting down';
($text, $ended) = watch($open{poll}, 5);
is $ended, 1, 'a long poll ends';
like $text, qr{\AHTTP/1.1 401 .*error="invalid_token".*"code":"token_revoked"}s, 'with its answer';
($text, $ended) = watch($open{upload}, 5);
is $ended, 1, 'an upload ends';
like $text, qr{\AHTTP/1.1 401 .*"code":"token_revoked"}s, 'with its answer';
like((watch($open{page}, 1))[0], qr{\AHTTP/1.1 200 .*data: x}s, "or an error_page's");
print { $open{page} } 'x' x 1000;
cmp_ok length((watch($open{page}, 1))[0]), '>', 20, 'which goes on once the rest of the body comes';
is scalar(grep { $_ eq '/page' || $_ eq '/instead' } split /\n/, slurp("$dir/asked")), 1, 'and asks the upstream once';
is((watch($open{accel}, 5))[1], 1, 'a request that waits for its rate ends');
($text, $ended) = watch($open{download}, 5);
is $ended, 1, 'a slow download ends';
cmp_ok length $text, '<', 4 << 20, 'before its end';
is((watch($open{argument}, 5))[1], 1, 'a stream whose token is an argument ends');
is((watch($open{expiring}, 10))[1], 1, 'a stream ends when its token expires');
is((watch($open{off}, 1))[1], 0, 'without recheck, a stream goes on');
is((watch($open{second}, 1))[1], 0, 'and so if the last location that let it in has none');
is((watch($open{others}, 1))[1], 0, 'a stream of another token goes on');

# HTTP/2: streams end, their connection does not.
my %h2;
my $until = time + 5;
while (time < $until && (my ($type, $flags, $stream, $payload) = next_frame($h2))) {
    $h2{$stream}{text} .= $payload if $type == 0;
    $h2{$stream}{reset} = unpack 'N', $payload if $type == 3;
    $h2{$stream}{ended} = 1 if $type <= 1 && $flags & 1;
    last if $h2{1}{reset} && $h2{3}{ended} && $h2{5}{text} && $h2{5}{more}++ > 20;
}
is $h2{1}{reset}, 2, 'a stream of HTTP/2 is reset';
is $h2{3}{ended}, 1, 'a long poll over HTTP/2 ends';
like $h2{3}{text}, qr/"code":"token_revoked"/, 'with its answer';
is $h2{5}{reset} // $h2{5}{ended}, undef, 'the other stream of the connection goes on';

# So that its client knows at once, whatever the others do.
my $frames = (watch($quiet, 2))[0];
my %reset;
while (length $frames >= 9) {
    my ($length, $type, undef, $stream) = unpack 'NCCN', "\0$frames";
    $reset{$stream} = 1 if $type == 3;
    substr $frames, 0, 9 + $length, '';
}
is_deeply [ keys %reset ], [1], 'a stream of HTTP/2 is reset though its connection is quiet';

# A store that is out of date, or not there, ends nothing at once.
is((watch($open{spoiled}, 0.1))[1], 0, 'a store that is unavailable ends no stream for a minute');
is((request_status('/spoiled')), 503, 'although it refuses new ones');
(undef, $ended) = watch($open{aging}, 10);
my $lived = time - $begun;
is $ended, 1, 'a store that is out of date ends a stream';
cmp_ok $lived, '>', 5, 'once it has been so for token_auth_max_age';

sub request_status { return ($server->get($_[0], Authorization => 'Bearer acme-token'))[0] }

my (undef, undef, $metrics) = $server->get('/status');
my %rechecks = $metrics =~ /^token_auth_rechecks_total[{]label="default",result="(\w+)"[}] (\d+)$/mg;
is_deeply [ @rechecks{qw(token_revoked token_expired)} ], [ 12, 1 ], 'rechecks are counted by their results';
cmp_ok $rechecks{ok}, '>', 10, 'those that end nothing, too';

close $open{$_} for qw(upload page);    # until then, nginx lingers
sleep 1;
my %logged = slurp("$dir/access.log") =~ /^ended: ([\w-]+),(\w+,\w*, \d+)$/mg;
is_deeply { map { ($_ => $logged{"live-$_"}) } qw(ws sse poll download upload expiring h2-sse h2-poll) }, {
    (map { ($_ => 'token_revoked,, 200') } qw(sse download h2-sse)),
    (map { ($_ => 'token_revoked,, 401') } qw(poll upload h2-poll)),
    ws => 'token_revoked,, 101', expiring => 'token_expired,, 200',
}, 'the log holds who it was, and the reason';
is $logged{acme}, 'store_stale,, 200', 'that of an old store, too';
my $errors = $server->errors;
like $errors, qr/token_auth: stream ended by token_revoked, token id live-ws while .*client: 127/, 'a line for each stream that ends';
like $errors, qr/token_auth: stream ended by token_revoked, token id live-argument$/m, 'without the request line that holds the token';
my %workers = map { ($_ => 1) } $errors =~ m{(\d+)#\d+: token store "[^"]*/spoiled" is unavailable}g;
is keys %workers, 2, 'both workers saw the store that is spoiled';
unlike $errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
