# With the module loaded but nothing turned on, answers are byte for byte those of nginx without it.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Wire;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
mkdir "$dir/html" and mkdir "$dir/html/d" or die "html: $!";

sub write_file {
    my ($path, $content) = @_;
    open my $out, '>', $path or die "$path: $!";
    print $out $content;
    close $out or die "$path: $!";
    utime 1_700_000_000, 1_700_000_000, $path;
    return;
}

write_file("$dir/html/secret", "secret\n" x 100);
write_file("$dir/html/page.html", '<!--# include virtual="/secret" -->');
write_file("$dir/html/404.html", "not here\n");
write_file("$dir/users", "acme:{PLAIN}acme\n");

my @nginx;
END { local $?; kill 'TERM', @nginx and waitpid $_, 0 for @nginx; }

# Starts nginx; its port.
sub start {
    my ($name, $main, $http) = @_;
    my ($port, $inner) = (free_port(), free_port());
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join ' ', map { "${_}_temp_path $dir/temp;" } qw(client_body proxy fastcgi uwsgi scgi);
    write_file("$dir/$name.conf", <<"END");
$main
$user
daemon off;
pid $dir/$name.pid;
events {}
http {
    access_log off;
    $temp
    $http
    server {
        listen 127.0.0.1:$port;
        root $dir/html;
        error_page 404 /404.html;
        location /plain/ { alias $dir/html/; }
        location = /basic { auth_basic users; auth_basic_user_file $dir/users; alias $dir/html/secret; }
        location = /forbidden { deny all; }
        location = /any { satisfy any; deny all; auth_basic users; auth_basic_user_file $dir/users; }
        location = /401 { return 401; }
        location = /page.html { ssi on; ssi_last_modified on; }
        location = /inner { return 503 "busy"; }
        location = /proxied { proxy_pass http://127.0.0.1:$inner/secret; }
        location = /accel { proxy_pass http://127.0.0.1:$inner/accel; }
        location = /challenged { proxy_pass http://127.0.0.1:$inner/challenged; }
        location = /request { auth_request /401; }
    }
    server {
        listen 127.0.0.1:$inner;
        root $dir/html;
        location = /accel { add_header X-Accel-Redirect /secret; return 200; }
        location = /challenged { add_header WWW-Authenticate 'Bearer realm="up"' always; return 401 "up"; }
    }
}
END
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>>', "$dir/$name.log";
        exec $ENV{TEST_NGINX_BINARY}, '-p', $dir, '-c', "$dir/$name.conf", '-e', "$dir/$name.log" or exit 127;
    }
    push @nginx, $pid;
    for (1 .. 200) {
        return $port if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
        sleep 0.02;
    }
    die "nginx did not start:\n" . `cat $dir/$name.log`;
}

my $load = "load_module $ENV{TEST_NGINX_LOAD_MODULES};";
my $store = store_dir();
my $without = start('without', '', '');
my %with = (
    loaded => start('loaded', $load, ''),
    off => start('off', $load, "token_auth_db $store; token_auth off; token_auth_scope x; token_auth_error problem;"),
    'realm off' => start('realm-off', $load, "token_auth_db $store; token_auth \$realm; map \$host \$realm { default off; }"),
);

my @basic = (Authorization => 'Basic YWNtZTphY21l');
my @requests = (
    [ 200, 'GET',  '/secret' ],
    [ 200, 'HEAD', '/secret' ],
    [ 200, 'GET',  '/secret', Authorization => 'Bearer acme-token', 'X-Org-Id' => 'globex' ],
    [ 200, 'GET',  '/secret', Authorization => 'Bearer' ],
    [ 404, 'GET',  '/nothing' ],
    [ 404, 'HEAD', '/nothing' ],
    [ 404, 'GET',  '/plain/nothing' ],
    [ 304, 'GET',  '/secret', 'If-Modified-Since' => 'Tue, 14 Nov 2023 22:13:20 GMT' ],
    [ 206, 'GET',  '/secret', Range => 'bytes=3-12' ],
    [ 416, 'GET',  '/secret', Range => 'bytes=99999-' ],
    [ 412, 'GET',  '/secret', 'If-Match' => '"x"' ],
    [ 401, 'GET',  '/basic' ],
    [ 401, 'HEAD', '/basic' ],
    [ 401, 'GET',  '/basic', Authorization => 'Bearer acme-token' ],
    [ 200, 'GET',  '/basic', @basic ],
    [ 403, 'GET',  '/forbidden' ],
    [ 401, 'GET',  '/any' ],
    [ 401, 'GET',  '/401' ],
    [ 401, 'GET',  '/request' ],
    [ 405, 'POST', '/secret', body => 'x' ],
    [ 405, 'PUT',  '/secret', chunked => ['x'] ],
    [ 405, 'POST', '/plain/secret', body => '' ],
    [ 503, 'GET',  '/inner' ],
    [ 200, 'GET',  '/page.html' ],
    [ 200, 'GET',  '/proxied', Authorization => 'Bearer acme-token' ],
    [ 200, 'GET',  '/accel' ],
    [ 401, 'GET',  '/challenged' ],
    [ 301, 'GET',  '/d' ],
    [ 400, 'GET',  '/secret', 'Content-Length' => 'x' ],
);

# What is sent for a request, the time of day and the port it was asked at taken out.
sub answer {
    my ($port, @request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or die "connect: $!";
    print $socket request(@request, Connection => 'close');
    my $text = do { local $/; <$socket> };
    $text =~ s/^Date: [^\r]*/Date: now/m;
    $text =~ s/127\.0\.0\.1:$port|localhost:$port/here/g;
    return $text;
}

for my $case (@requests) {
    my ($status, @request) = @$case;
    my $expected = answer($without, @request);
    like $expected, qr/\AHTTP\/1\.1 $status /, "$request[0] $request[1]: $status";
    is answer($with{$_}, @request), $expected, "$request[0] $request[1]: $_" for sort keys %with;
}

done_testing;
