# The HTTP API by its package: beside a registry that root made, behind nginx, with a real systemd.
use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Machine;
use TokenAuth::Util qw(eventually finish_tool run_tool start_tool);

my $host = 'console.example.com';
my $machine = TokenAuth::Machine->new;
$machine->install(TokenAuth::Machine::packages());
$machine->does('tokenctl init && tokenctl org add acme', 'a registry that root made');
my $said = $machine->install(TokenAuth::Machine::packages(), './token-auth-console_*.deb');
unlike $said, qr/\b(warning|error|fail\w*|cannot)\b/i, 'without a complaint' or diag $said;
is $machine->does('systemctl is-enabled tokenapi.socket tokenapi.service'), "enabled\nenabled\n", 'enabled';
is $machine->does('systemctl is-active tokenapi.socket tokenapi.service'), "active\nactive\n", 'running';
my $modes = $machine->does('stat -c "%n %a %U:%G" /var/lib/token-auth /var/lib/token-auth/* /run/token-auth /run/token-auth/nginx /run/token-auth/api.sock');
is $modes, <<'END', 'whose is what';
/var/lib/token-auth 2750 tokenapi:tokensync
/var/lib/token-auth/registry.db 640 tokenapi:tokensync
/var/lib/token-auth/registry.db-shm 640 tokenapi:tokensync
/var/lib/token-auth/registry.db-wal 640 tokenapi:tokensync
/run/token-auth 755 root:root
/run/token-auth/nginx 750 root:tokensync
/run/token-auth/api.sock 660 tokenapi:www-data
END

# The site, with a certificate where it looks for one.
$machine->does('mkdir -p /etc/ssl/private /etc/ssl/certs');
run_tool([qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj), "/CN=$host",
    '-keyout', $machine->dir . "/etc/ssl/private/$host.key", '-out', $machine->dir . "/etc/ssl/certs/$host.pem"]);
$machine->put('/etc/nginx/conf.d/protected.conf',
    'server { listen 8080; root /var/www/html; location /api/ { token_auth api; try_files /index.nginx-debian.html =404; } }');
$machine->does('ln -s ../sites-available/token_auth_console.conf /etc/nginx/sites-enabled/ && nginx -t && systemctl reload nginx', 'the site');
my @console = ('-k', '--resolve', "$host:443:127.0.0.1");
ok eventually(sub { $machine->get(@console, "https://$host/healthz")->{status} == 200 }, 10), 'tokenapi answers through nginx';

my $password = 'correct horse battery';
$machine->does("tokenctl role set maker auth:tokens:write auth:tokens:read agents:read && tokenctl user add ann && tokenctl member add ann acme --role maker && "
    . "echo '$password' | tokenctl user password ann", 'a person with a password');
my $jar = $machine->dir . '/root/jar';
my @json = ('-H', 'Content-Type: application/json', '-H', "Origin: https://$host", '-b', $jar, '-c', $jar);
my $logged = $machine->get(@console, @json, '-d', encode_json({ username => 'ann', password => $password }), "https://$host/api/v1/session");
like $logged->{status}, qr/^20[01]$/, 'she logs in' or diag $logged->{body};
my $made = $machine->get(@console, @json, '-d', '{"name":"Deploy","scopes":["agents:read"],"expires":"90d"}', "https://$host/api/v1/organizations/acme/tokens");
is $made->{status}, 201, 'and makes a token' or diag $made->{body};
my $token = (eval { decode_json($made->{body}) } // {})->{token} // '';
my @request = ('-H', "Authorization: Bearer $token", 'http://127.0.0.1:8080/api/');
ok eventually(sub { $machine->get(@request)->{status} == 200 }, 2), 'nginx lets it in';
my ($id) = $token =~ /_(\w+)\./;
ok eventually(sub { $machine->get(@console, @json, "https://$host/api/v1/tokens/$id")->{body} =~ /"last_used":"20/ }, 20), 'its last use shows';

subtest 'root administers beside it' => sub {
    $machine->does("tokenctl revoke $id");
    ok eventually(sub { $machine->get(@request)->{status} == 401 }, 2), 'a token that tokenctl revokes is refused';
    is $machine->does('stat -c %U /var/lib/token-auth/* | sort -u'), "tokenapi\n", 'the files stay as they are';
    is decode_json($machine->does('tokenctl --json audit'))->[0]{actor}, 'root', 'under its own name';
};

subtest 'who may do what' => sub {
    my $as = sub { my ($user, $command) = @_; return $machine->run("setpriv --reuid=$user --regid=$user --init-groups $command")->{status} };
    my $ask = 'curl -sf --unix-socket /run/token-auth/api.sock http://localhost/healthz';
    is $as->('www-data', $ask), 0, 'nginx reaches the socket';
    isnt $as->($_, $ask), 0, "$_ does not" for qw(nobody tokensync);
    isnt $as->('www-data', 'cat /var/lib/token-auth/registry.db'), 0, 'nginx cannot read the registry';
    isnt $as->('tokensync', 'touch /var/lib/token-auth/registry.db-journal'), 0, 'tokensync can plant nothing beside it';
    isnt $as->('tokenapi', 'cat /var/lib/tokensync/db/data.mdb'), 0, 'tokenapi cannot read the store';
};

# What those that ask meanwhile get.
sub under_load {
    my ($name, $command) = @_;
    my $loop = "while :; do curl -s -o /dev/null -w '%{http_code}\\n' -k --resolve $host:443:127.0.0.1 https://$host/healthz; done";
    my @load = map { start_tool([ $machine->beside, 'bash', '-c', "trap exit TERM; $loop" ]) } 1 .. 2;
    sleep 0.5;
    my $out = ref $command ? $command->() : $machine->does($command);
    sleep 0.5;
    kill 'TERM', $_->{pid} for @load;
    my @codes = map { split /\n/, finish_tool($_)->{out} } @load;
    cmp_ok scalar @codes, '>', 10, "$name: under load";
    is_deeply [ grep { $_ ne '200' } @codes ], [], 'no request fails';
    return $out;
}

subtest 'the service, by systemd' => sub {
    my $main = sub { return $machine->does('systemctl show -P MainPID tokenapi', 'its process') };
    under_load('a restart', 'systemctl restart tokenapi');
    under_load('installed again', sub { $machine->install(TokenAuth::Machine::packages(), '--reinstall', './token-auth-console_*.deb') });
    my $before = $main->();
    $machine->does('systemctl kill -s KILL tokenapi');
    ok eventually(sub { $main->() !~ /^(0|\Q$before\E)$/ && $machine->get(@console, "https://$host/healthz")->{status} == 200 }, 20), 'it is started again';
    is $machine->does('systemctl show -P WatchdogUSec tokenapi'), "1min\n", 'has a watchdog';
    $machine->does('systemctl stop tokenapi.service');
    is $machine->get(@console, "https://$host/healthz")->{status}, 200, 'the socket starts it';
    $machine->does('systemd-analyze verify --man=no tokenapi.service tokenapi.socket');
    my $security = $machine->does('systemd-analyze security --no-pager tokenapi.service');
    my ($score) = $security =~ /exposure level for tokenapi\.service: ([\d.]+)/;
    cmp_ok $score, '<', 2.5, 'exposure of the unit' or diag $security;
    note "exposure $score";
    my $journal = $machine->does('journalctl -u tokenapi -u tokenapi.socket --no-pager');
    unlike $journal, qr/denied|not permitted|Read-only/, 'nothing is denied to it' or diag $journal;
};

subtest 'removed, purged' => sub {
    $machine->does('rm /etc/nginx/sites-enabled/token_auth_console.conf && systemctl reload nginx');
    $machine->does('apt-get purge -y token-auth-console 2>&1', 'purged');
    is $machine->does('stat -c %U /var/lib/token-auth /var/lib/token-auth/* | sort -u'), "root\n", "the registry is root's again";
    is $machine->does('find / -xdev -name "*tokenapi*" -not -path "/proc/*" -not -path "/root/*"'), '', 'nothing is left';
    $machine->does('tokenctl org add globex');
    $machine->does('nginx -t && systemctl is-active tokensync');
};
done_testing;
