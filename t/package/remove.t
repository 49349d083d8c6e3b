# Removed, installed again, purged: nginx goes on, and the registry stays.
use strict;
use warnings;

use Test::More;
use TokenAuth::Machine;
use TokenAuth::Util qw(eventually);

my $machine = TokenAuth::Machine->new;
$machine->install(TokenAuth::Machine::packages());
my ($token) = $machine->does('tokenctl init && tokenctl org add acme && echo "TOKEN=$(tokenctl create --org acme --name one)"') =~ /^TOKEN=(\S+)$/m;
my $api = 'server { listen 8080; root /var/www/html; location /api/ { token_auth api; try_files /index.nginx-debian.html =404; } }';
my @request = ('-H', "Authorization: Bearer $token", 'http://127.0.0.1:8080/api/');
$machine->put('/etc/nginx/conf.d/api.conf', $api);
$machine->does('nginx -t && systemctl reload nginx');
ok eventually(sub { $machine->get(@request)->{status} == 200 }, 10), 'served';
my $remove = sub { return $machine->does("apt-get @_ -y libnginx-mod-http-token-auth token-auth-tools 2>&1", "apt-get @_") };

subtest 'removed while the configuration asks for tokens' => sub {
    my $said = $remove->('remove');
    like $said, qr/configuration still asks for tokens/, 'it says so';
    is $machine->get(@request)->{status}, 200, 'nginx goes on';
    is $machine->get($request[-1])->{status}, 401, 'and checks';
    like $machine->run('nginx -t')->{err}, qr/unknown directive "token_auth"/, 'nginx -t names the directive';
};

subtest 'installed again' => sub {
    $machine->install(TokenAuth::Machine::packages());
    $machine->does('nginx -t');
    is $machine->get(@request)->{status}, 200, 'the token that was made before is let in';
    is $machine->does('systemctl is-active tokensync'), "active\n", 'the service runs';
};

subtest 'removed' => sub {
    $machine->does('rm /etc/nginx/conf.d/api.conf');
    my $said = $remove->('remove');
    unlike $said, qr/still asks for tokens/, 'nothing to say';
    $machine->does('nginx -t && systemctl restart nginx', 'nginx starts without the module');
    is $machine->get('http://127.0.0.1/')->{status}, 200, 'and serves what it did';
    isnt $machine->run('systemctl is-active tokensync')->{status}, 0, 'no service';
};

subtest 'purged' => sub {
    my $said = $remove->('purge');
    like $said, qr{The registry stays in /var/lib/token-auth}, 'it says what stays';
    my $left = $machine->does('find / -xdev \( -name "*token-auth*" -o -name "*tokensync*" -o -name "*token_auth*" \) -not -path "/root/*" -not -path "/var/cache/*" -not -path "/proc/*"', 'what is left');
    is $left, "/var/lib/token-auth\n", 'the registry alone' or diag $left;
    $machine->does('test -s /var/lib/token-auth/registry.db');
    $machine->does('nginx -t && systemctl restart nginx');
    $machine->put('/etc/nginx/conf.d/api.conf', $api);
    $machine->install(TokenAuth::Machine::packages());
    $machine->does('nginx -t && systemctl reload nginx');
    ok eventually(sub { $machine->get(@request)->{status} == 200 }, 10), 'installed anew, its tokens are let in';
};
done_testing;
