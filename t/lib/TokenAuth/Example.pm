# Runs a directory of examples/: its setup with the real tools, its nginx.conf in a real nginx. Only
# paths and ports change.
package TokenAuth::Example;

use strict;
use warnings;

use File::Temp qw(tempdir);
use TokenAuth::Api;
use TokenAuth::Console qw(console_conf);
use TokenAuth::Server;
use TokenAuth::Util qw(build_dir eventually free_port root_dir run_tool slurp);

my ($root, $build) = (root_dir(), build_dir());

# With console => 1, tokenapi is there, too, behind the same nginx, with TLS.
sub new {
    my ($class, $name, %options) = @_;
    my $dir = tempdir('token-auth-example-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    my $self = bless { dir => $dir, name => $name }, $class;
    local $ENV{PATH} = "$build:$ENV{PATH}";
    $ENV{TOKEN_AUTH_BUILD} = $build;
    $ENV{TOKEN_AUTH_REGISTRY} = "sqlite:$dir/registry.db";
    $ENV{TOKEN_AUTH_DB} = "$dir/db";
    for (split /\n/, `$root/examples/$name/setup 2>$dir/setup.log`) {
        my ($key, $token) = split /=/, $_, 2;
        $self->{tokens}{$key} = $token;
    }
    die "the setup of $name failed:\n" . `cat $dir/setup.log` if $?;

    my @group = $> == 0 ? qw(--group www-data) : ();
    system("$build/tokensync run @group 2>>$dir/setup.log") == 0
        or die "tokensync failed:\n" . `cat $dir/setup.log`;
    my $http = $self->_http . ($options{console} ? $self->_console : '');
    $self->{server} = TokenAuth::Server->start(dir => $dir, http => $http);
    $self->{server}->watch(@group);
    return $self;
}

# The http block of the example, and a second server that answers as the upstream.
sub _http {
    my ($self) = @_;
    my ($http) = slurp("$root/examples/$self->{name}/nginx.conf") =~ /^http \{\n(.*)^\}\n\z/ms or die "no http block in nginx.conf";
    my $upstream = $self->{upstream} = free_port();
    $http =~ s{/var/lib/tokensync/db}{$self->{dir}/db}g or die 'no store named';
    $http =~ s{127\.0\.0\.1:9000}{127.0.0.1:$upstream};    # a gateway that only decides has none
    $http =~ s{127\.0\.0\.1:8080}{127.0.0.1:%PORT%} or die 'no listen';
    return $http . <<"END";
    server {
        listen 127.0.0.1:$upstream;
        token_auth_forward off;
        return 200 "subject=\$http_x_token_subject org=\$http_x_token_org group=\$http_x_token_group role=\$http_x_token_role scopes=\$http_x_token_scopes credential=\$http_authorization length=\$content_length uri=\$request_uri\\n";
    }
END
}

# conf/token_auth_console.conf with a certificate for this machine.
sub _console {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $api = $self->{api} = TokenAuth::Api->start(url => $ENV{TOKEN_AUTH_REGISTRY}, args => ['--auth-token']);
    # nginx's workers may be another account
    chmod 0755, $api->dir;
    chmod 0666, $api->socket;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 "
        . "-addext subjectAltName=IP:127.0.0.1 -keyout $dir/key.pem -out $dir/certificate.pem 2>>$dir/setup.log") == 0
        or die "openssl failed:\n" . slurp("$dir/setup.log");
    $self->{console} = free_port();
    my $conf = console_conf(listen => "127.0.0.1:$self->{console} ssl", socket => $api->socket);
    return "    ssl_certificate $dir/certificate.pem;\n    ssl_certificate_key $dir/key.pem;\n$conf";
}

sub console     { return "https://127.0.0.1:$_[0]{console}" }
sub certificate { return "$_[0]{dir}/certificate.pem" }

sub dir      { return $_[0]{dir} }
sub port     { return $_[0]{server}->port }
sub upstream { return $_[0]{upstream} }

sub token { return $_[0]{tokens}{ $_[1] } // die "the setup printed no $_[1]" }

# Calls curl; the last argument is a path, or a whole address. Returns (status, body).
sub curl {
    my ($self, @arguments) = @_;
    my $path = pop @arguments;
    open my $out, '-|', 'curl', '-sS', '-w', "\n%{http_code}", @arguments,
        $path =~ /^http:/ ? $path : 'http://127.0.0.1:' . $self->port . $path
        or die "curl: $!";
    my $text = do { local $/; <$out> };
    close $out;
    my ($body, $status) = $text =~ /\A(.*)\n(\d+)\z/s or die "curl said: $text";
    return ($status, $body);
}

# Runs tokenctl; returns its standard output.
sub tokenctl {
    my ($self, @arguments) = @_;
    my $result = run_tool([ "$build/tokenctl", @arguments ]);
    die "tokenctl @arguments failed:\n$result->{err}" if $result->{status} ne '0';
    return $result->{out};
}

# Calls until it gets that status; false after five seconds.
sub becomes {
    my ($self, $status, @arguments) = @_;
    return eventually(sub { ($self->curl(@arguments))[0] == $status }, 5);
}

1;
