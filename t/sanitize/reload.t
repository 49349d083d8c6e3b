# Ten reloads under valgrind, every other one without the module: no leak, no error, and the master
# unloads the module whenever the configuration does not name it.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
chmod 01777, $dir or die "$dir: $!";
my $store = store_dir();
my $port = free_port();
my $user = $> == 0 ? 'user root;' : '';
my $temp = join ' ', map { "${_}_temp_path $dir/temp_$_;" } qw(client_body proxy fastcgi uwsgi scgi);

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}

spew("$dir/file", "file\n");
spew("$dir/some.key", '0' x 32);

# Writes a configuration with or without the module; its answers name its number.
sub configure {
    my ($number, $with) = @_;
    my $load = $with ? load_modules() : '';
    my $auth = $with ? <<"END" : '';
    token_auth_db $store;
    token_auth_key $dir/some.key;
    server {
        listen 127.0.0.1:$port;
        server_name protected;
        token_auth "the api";
        token_auth_scope \$arg_scope;
        location = /role { token_auth_role \$arg_role; alias $dir/file; }
        location = /file { alias $dir/file; add_header X-Scopes \$token_auth_scopes; }
        location = /html { token_auth_error html; alias $dir/file; }
    }
END
    spew("$dir/nginx.conf", <<"END");
$load
$user
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log notice;
events {}
http {
    access_log off;
    $temp
    server { listen 127.0.0.1:$port default_server; location / { return 200 "generation $number\\n"; } }
    $auth
}
END
    return;
}

sub get {
    my ($host, $path, @headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or return '';
    print $socket join("\r\n", "GET $path HTTP/1.1", "Host: $host", 'Connection: close', @headers), "\r\n\r\n";
    local $/;
    return <$socket> // '';
}

sub until_true {
    my ($condition) = @_;
    for (my $end = time + 60; time < $end; sleep 0.05) {
        return 1 if $condition->();
    }
    return 0;
}

configure(0, 1);
my $master = fork // die "fork: $!";
if ($master == 0) {
    open STDERR, '>>', "$dir/stderr.log";
    # The dynamic linker logs what it loads and unloads.
    @ENV{qw(LD_DEBUG LD_DEBUG_OUTPUT)} = ('files', "$dir/linker");
    exec 'valgrind', '-q', '--leak-check=full', '--show-leak-kinds=definite,indirect',
        '--errors-for-leak-kinds=definite,indirect', '--keep-debuginfo=yes', '--num-callers=20',
        '--suppressions=t/sanitize/valgrind.supp', '--gen-suppressions=all', "--log-file=$dir/valgrind.%p",
        $ENV{TEST_NGINX_BINARY}, '-p', $dir, '-c', "$dir/nginx.conf", '-e', "$dir/error.log";
    exit 127;
}
END { local $?; kill 'KILL', $master if defined $master && kill 0, $master }

until_true(sub { get('x', '/') =~ /generation 0\b/ }) or BAIL_OUT('nginx did not start: ' . slurp("$dir/stderr.log"));

my $loaded = 1;
for my $number (0 .. 10) {
    my $with = $number % 2 == 0;
    if ($number > 0) {
        configure($number, $with);
        kill 'HUP', $master;
        ok until_true(sub { get('x', '/') =~ /generation $number\b/ }), "reload $number, " . ($with ? 'with' : 'without');
        $loaded += $with;
    }
    next unless $with;
    for (
        [ 200, '/file', 'Authorization: Bearer acme-token' ],
        [ 200, '/file?scope=agents:read', 'Authorization: Bearer acme-reader-token' ],
        [ 401, '/file' ],
        [ 401, '/file', 'Authorization: Bearer expired-token' ],
        [ 400, '/html', 'Authorization: Bearer' ],
        [ 403, '/role?role=x', 'Authorization: Bearer acme-token' ],
        [ 403, '/file?scope=y', 'Authorization: Bearer acme-token' ],
        [ 403, '/html?scope=y', 'Authorization: Bearer alice-token', 'X-Org-Id: hooli' ],
    ) {
        my ($status, @request) = @$_;
        like get('protected', @request), qr{\AHTTP/1.1 $status }, "request: @request: $status";
    }
}

# The workers of earlier configurations end by themselves; then the whole.
kill 'QUIT', $master;
ok until_true(sub { waitpid($master, 1) == $master }), 'nginx ends';
is $?, 0, 'and all is well';

my $linker = slurp("$dir/linker.$master");
my $name = (split m{/}, $ENV{TEST_NGINX_LOAD_MODULES})[-1];
# Lines of the master: what it has loaded, and what it has given back.
sub told { my ($what) = @_; return scalar(() = $linker =~ /^\s*$master:\s$what$/mg) }
is told("calling init: \\S*\Q$name\E"), $loaded, 'the master has loaded the module each time it was named';
is told("calling fini: \\S*\Q$name\E \\[\\d+\\]"), $loaded, 'and has left it as often';
is told("file=\\S*\Q$name\E \\[\\d+\\];  destroying link map"), $loaded, 'and truly unloaded it';

my @reports = grep { -s } glob "$dir/valgrind.*";
is scalar(@reports), 0, 'valgrind has nothing to say'
    or diag map { substr(slurp($_), 0, 4000) . "\n" } grep { defined } @reports[ 0 .. 2 ];
cmp_ok scalar(() = glob "$dir/valgrind.*"), '>=', 1 + 2 * 11, 'about the master and every worker';
unlike slurp("$dir/error.log"), qr/exited on signal|\[alert\]/, 'no process ended otherwise';
done_testing;
