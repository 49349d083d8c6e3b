# What README.md says under "Use it", where module and tools were built and installed as docs/INSTALL.md says under
# "By hand": in a private copy of Debian's own /etc/nginx. (t/package/install.t does it with the packages.)
use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Util qw(build_dir free_port root_dir slurp spew);

-e '/etc/nginx/modules-enabled' && -e '/etc/debian_version' or plan skip_all => "this is about Debian's nginx";
plan skip_all => 'needs root, for the paths compiled into nginx' if $> != 0;

my $readme = slurp(root_dir() . '/README.md');
my $install = slurp(root_dir() . '/docs/INSTALL.md');
my $dir = tempdir('token-auth-readme-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my ($port, $upstream, $other) = map { free_port() } 1 .. 3;

# The fenced block behind a sentence, with this test's paths and ports.
sub block {
    my ($from, $sentence) = @_;
    my ($text) = $from =~ /\Q$sentence\E.*?\n```\w+\n(.*?)^```\n/ms or die "there is no block behind: $sentence";
    $text =~ s{/etc/nginx}{$dir/etc}g;
    $text =~ s{/var/(lib|log)}{$dir/$1}g;
    $text =~ s/\bsudo //g;
    $text =~ s/\b8080\b/$port/g;
    $text =~ s/\b9000\b/$upstream/g;
    return $text;
}

sub shell {
    my ($commands) = @_;
    local $ENV{PATH} = build_dir() . ":$ENV{PATH}";
    my $out = `set -e\nexec 2>&1\n$commands`;
    is $?, 0, (split /\n/, $commands)[0] or diag $out;
    return $out;
}

sub call {
    my (@arguments) = @_;
    my $out = `curl -sS -w '\n%{http_code}' @arguments`;
    return $out =~ /\A(.*)\n(\d+)\z/s;
}

# Debian's configuration; only paths and ports change. (nginx's prefix leads to its modules.)
system("cp -r /etc/nginx '$dir/etc' && mkdir -p '$dir/log/nginx' '$dir/modules' && ln -s /usr/lib/nginx/modules/* '$dir/modules/'") == 0 or die 'cp';
unlink "$dir/modules/ngx_http_token_auth_module.so", glob "$dir/etc/{conf.d,modules-enabled}/*token*auth*";
symlink build_dir() . '/ngx_http_token_auth_module.so', "$dir/modules/ngx_http_token_auth_module.so" or die "symlink: $!";
for my $file ("$dir/etc/nginx.conf", "$dir/etc/sites-available/default") {
    my $text = slurp($file);
    $text =~ s{/etc/nginx}{$dir/etc}g;
    $text =~ s{/var/log}{$dir/log}g;
    $text =~ s{/run/nginx.pid}{$dir/nginx.pid};
    $text =~ s/^\s*listen \[::\].*\n//mg;
    $text =~ s/listen 80\b/listen 127.0.0.1:$other/g;
    spew($file, $text);
}
unlink "$dir/etc/sites-enabled/default";
symlink "$dir/etc/sites-available/default", "$dir/etc/sites-enabled/default" or die "symlink: $!";
spew("$dir/etc/conf.d/upstream.conf", "server { listen 127.0.0.1:$upstream; token_auth_forward off; return 200 'org=\$http_x_token_org credential=\$http_authorization'; }\n");

$ENV{TOKEN_AUTH_REGISTRY} = "sqlite:$dir/lib/token-auth/registry.db";
$ENV{TOKEN_AUTH_DB} = "$dir/lib/tokensync/db";
mkdir $_ or die "$_: $!" for "$dir/lib", "$dir/lib/token-auth", "$dir/lib/tokensync";
my ($token) = shell(block($readme, 'Create a registry, an organization') . 'echo "TOKEN=$TOKEN"') =~ /^TOKEN=(\S+)$/m;
my $sync = block($install, 'Without systemd') =~ s/ watch / run /r;
shell($sync);
shell(block($install, 'Load the module'));
spew("$dir/etc/conf.d/token-auth.conf", block($install, 'Name the store'));
spew("$dir/etc/conf.d/api.conf", block($readme, 'Protect a location'));

my @nginx = ('/usr/sbin/nginx', '-p', $dir, '-c', "$dir/etc/nginx.conf", '-e', "$dir/log/nginx/error.log");
my $tested = `@nginx -t 2>&1`;
is $?, 0, 'nginx -t takes it' or diag $tested;
unlike $tested, qr/token_auth/, 'without a warning about it';
my $pid = fork // die "fork: $!";
if ($pid == 0) {
    exec @nginx, '-g', 'daemon off;';
}
for (1 .. 200) {
    last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    sleep 0.05;
}

my $url = "http://127.0.0.1:$port/api/agents";
my ($body, $status) = call('-H', "'Authorization: Bearer $token'", $url);
is $status, 200, 'the token is let in';
is $body, 'org=acme credential=', 'the API learns the organization, and no credential';
($body, $status) = call($url);
is $status, 401, 'no token';
like $body, qr/"code":"credentials_missing"/, 'with a problem document';
my ($id) = $token =~ /_(\w+)\./;
shell("tokenctl revoke $id\n$sync");
($body, $status) = call('-H', "'Authorization: Bearer $token'", $url);
like $body, qr/Token is revoked\./, 'a revoked token';
unlike slurp("$dir/log/nginx/error.log"), qr/token_revoked/, "Debian's error log has other things";
($body, $status) = call("http://127.0.0.1:$other/");
is $status, 200, "Debian's own site is as it was";

# The level that README.md names.
my ($line) = $readme =~ /Add `(error_log \S+ notice;)` to the server/ or die 'no error_log in README.md';
$line =~ s{/var/log}{$dir/log};
spew("$dir/etc/conf.d/api.conf", slurp("$dir/etc/conf.d/api.conf") =~ s/(listen .*\n)/$1    $line\n/r);
kill 'HUP', $pid;
my $told = '';
for (1 .. 100) {
    call('-H', "'Authorization: Bearer $token'", $url);
    $told = -e "$dir/log/nginx/api-error.log" ? slurp("$dir/log/nginx/api-error.log") : '';
    last if $told =~ /token_revoked/;
    sleep 0.05;
}
like $told, qr/\[notice\] .* token_auth: 401 token_revoked, token id $id/, 'then the error log tells of refusals';
kill 'TERM', $pid;
waitpid $pid, 0;
done_testing;
