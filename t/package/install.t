# A new host: what README.md says under "Use it", with the packages, on a bare Debian with a real systemd.
use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use TokenAuth::Machine;
use TokenAuth::Util qw(eventually root_dir slurp);

my $readme = slurp(root_dir() . '/README.md');

sub block {
    my ($sentence) = @_;
    my ($text) = $readme =~ /\Q$sentence\E.*?\n```\w+\n(.*?)^```\n/ms or die "README.md has no block behind: $sentence";
    return $text =~ s/\bsudo //gr;
}

my $machine = TokenAuth::Machine->new;
my $begin = time;
my $said = $machine->install(TokenAuth::Machine::packages());
note sprintf 'installed after %.1f s', time - $begin;
unlike $said, qr/\b(warning|error|fail\w*|cannot)\b/i, 'without a complaint' or diag $said;

my ($version) = slurp(root_dir() . '/include/token_auth/version.hpp') =~ /"(.*)"/;
for my $tool (qw(tokenctl tokensync)) {
    is $machine->does("$tool --version"), "$tool $version\n", "$tool has the tree's version";
}
is $machine->does('systemctl is-enabled tokensync'), "enabled\n", 'the service is enabled';
is $machine->does('systemctl is-active tokensync'), "active\n", 'it runs';

$begin = time;
my ($token) = $machine->does(block('Create a registry, an organization') . 'echo "TOKEN=$TOKEN"', 'registry, organization, token')
    =~ /^TOKEN=(\S+)$/m;
$machine->put('/etc/nginx/conf.d/api.conf', block('Protect a location'));
$machine->put('/etc/nginx/conf.d/upstream.conf',
    'server { listen 127.0.0.1:9000; token_auth_forward off; return 200 "org=$http_x_token_org credential=$http_authorization"; }');
my ($reload) = block('With your API listening') =~ /\A(.*)\n/;
$machine->does($reload);
my $url = 'http://127.0.0.1:8080/api/agents';
my @credential = ('-H', "Authorization: Bearer $token");
my $answer;
# tokensync looks for a registry every five seconds
ok eventually(sub { ($answer = $machine->get(@credential, $url))->{status} == 200 }, 6), 'the first request is let in'
    or diag $machine->does('systemctl status tokensync; cat /var/log/nginx/error.log');
note sprintf 'first request %.2f s after "tokenctl init" began', time - $begin;
is $answer->{body}, 'org=acme credential=', 'the API learns the organization, and no credential';
is $machine->get($url)->{status}, 401, 'no token';

my ($id) = $token =~ /_(\w+)\./;
$machine->does("tokenctl revoke $id");
ok eventually(sub { $machine->get(@credential, $url)->{body} =~ /Token is revoked\./ }, 5), 'a revoked token is refused';

subtest 'who may do what' => sub {
    my $modes = $machine->does('stat -c "%n %a %U:%G" /var/lib/token-auth /var/lib/token-auth/* /var/lib/tokensync /var/lib/tokensync/db{,/*} /run/token-auth /run/token-auth/nginx');
    is $modes, <<'END', 'directories and files' or diag $modes;
/var/lib/token-auth 2750 root:tokensync
/var/lib/token-auth/registry.db 640 root:tokensync
/var/lib/token-auth/registry.db-shm 640 root:tokensync
/var/lib/token-auth/registry.db-wal 640 root:tokensync
/var/lib/tokensync 751 tokensync:tokensync
/var/lib/tokensync/db 2750 tokensync:www-data
/var/lib/tokensync/db/data.mdb 640 tokensync:www-data
/run/token-auth 755 root:root
/run/token-auth/nginx 750 root:tokensync
END
    my $as = sub { my ($user, $command) = @_; return $machine->run("setpriv --reuid=$user --regid=$user --init-groups $command")->{status} };
    isnt $as->('www-data', 'cat /var/lib/token-auth/registry.db'), 0, 'nginx cannot read the registry';
    isnt $as->('tokensync', 'touch /var/lib/token-auth/registry.db-journal'), 0, 'tokensync can plant nothing beside it';
    isnt $as->('nobody', 'cat /var/lib/tokensync/db/data.mdb'), 0, 'others cannot read the store';
    isnt $as->('nobody', 'curl -s --unix-socket /run/token-auth/nginx/status.sock http://localhost/metrics'), 0, 'nor ask for the counters';
    is $as->('tokensync', 'curl -sf --unix-socket /run/token-auth/nginx/status.sock http://localhost/usage'), 0, 'tokensync asks for last use';
};

subtest 'the snippet' => sub {
    my $metrics = $machine->does('curl -s --unix-socket /run/token-auth/nginx/status.sock http://localhost/metrics', 'counters');
    like $metrics, qr/^token_auth_build_info\{version="\Q$version\E",/m, "with the tree's version";
    like $metrics, qr/^token_auth_requests_total\{label="default",result="ok"\} 1$/m, 'of the request that was let in';
    my ($usage, $cursor) = ('', '');
    do {
        $usage .= $machine->does("curl -s --unix-socket /run/token-auth/nginx/status.sock 'http://localhost/usage$cursor'", 'last use');
        $cursor = $usage =~ /"cursor":"([^"]+)","epoch":"[^"]+","more":true[^\n]*\Z/ ? "?cursor=$1" : '';
    } while ($cursor);
    like $usage, qr/"id":"$id"/, 'of the token';
    $machine->does('kill -9 $(cat /run/nginx.pid); sleep 1; systemctl restart nginx', 'nginx starts again after a crash, which leaves the socket');
};

subtest 'the service, by systemd' => sub {
    my $main = sub { return $machine->does('systemctl show -P MainPID tokensync', 'its process') };
    my $before = $main->();
    $machine->does('systemctl kill -s KILL tokensync');
    ok eventually(sub { $main->() !~ /^(0|\Q$before\E)$/ && $machine->run('systemctl is-active tokensync')->{out} eq "active\n" }, 20),
        'is started again';
    is $machine->does('systemctl show -P WatchdogUSec tokensync'), "5min\n", 'has a watchdog';
    $machine->does('systemctl reload tokensync');
    $machine->does("tokenctl restore $id");
    ok eventually(sub { $machine->get(@credential, $url)->{status} == 200 }, 5), 'changes arrive';
    # An exchange of directories, which the sandbox must not forbid.
    my $inode = $machine->does('stat -c %i /var/lib/tokensync/db');
    $machine->does('dd if=/dev/zero of=/var/lib/tokensync/db/data.mdb bs=64k count=1 conv=notrunc status=none; systemctl restart tokensync');
    ok eventually(sub { $machine->get(@credential, $url)->{status} == 200 }, 20), 'a damaged store is replaced';
    isnt $machine->does('stat -c %i /var/lib/tokensync/db'), $inode, 'by another directory';
    $machine->does('systemd-analyze verify --man=no tokensync.service');
    my $security = $machine->does('systemd-analyze security --no-pager tokensync.service');
    my ($score) = $security =~ /exposure level for tokensync\.service: ([\d.]+)/;
    cmp_ok $score, '<', 2.5, 'exposure of the unit' or diag $security;
    note "exposure $score";
    my $journal = $machine->does('journalctl -u tokensync --no-pager');
    unlike $journal, qr/denied|not permitted|Read-only/, 'nothing is denied to it' or diag $journal;
};

subtest 'what a person looks for' => sub {
    for my $page (qw(man1/tokenctl.1 man1/tokensync.1 man5/ngx_http_token_auth_module.5)) {
        $machine->does("zgrep -q '^.SH' /usr/share/man/$page.gz", $page);
    }
    $machine->does('. /usr/share/bash-completion/completions/tokensync && complete -p tokenctl tokensync');
};

my ($size) = $machine->does('stat -c %s /usr/lib/nginx/modules/ngx_http_token_auth_module.so') =~ /(\d+)/;
cmp_ok $size, '<', 300 * 1024, "the module's size";
note "module $size bytes";

# What autopkgtest runs.
$machine->does('mkdir -p /root/tree/debian');
system('cp', '-r', root_dir() . '/debian/tests', $machine->dir . '/root/tree/debian/') == 0 or die 'cp';
$machine->does('cd /root/tree && AUTOPKGTEST_TMP=$(mktemp -d) debian/tests/gateway', 'debian/tests/gateway');
done_testing;
