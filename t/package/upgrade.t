# The version before, with a registry of version 1, is upgraded while nginx is asked: no request fails. Then the
# registry is migrated; and nginx itself is exchanged for one with another ABI, which apt refuses.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use TokenAuth::Machine;
use TokenAuth::Util qw(eventually finish_tool root_dir slurp start_tool);

my ($version) = slurp(root_dir() . '/include/token_auth/version.hpp') =~ /"(.*)"/;
my $machine = TokenAuth::Machine->new;
$machine->install(TokenAuth::Machine::earlier());
my ($earlier) = $machine->does('tokenctl --version') =~ /([\d.]+)$/;
isnt $earlier, $version, "the version before: $earlier";

# A registry that an older release made, as its tokenctl would have left it.
my $token = 'upgrade-token';
my $digest = sha256_hex($token);
# (tokenctl keeps the files beside it, for readers that may not write; sqlite3 does if it is told to.)
$machine->put('/root/registry.sql', ".filectrl persist_wal 1\n" . slurp(root_dir() . '/t/tools/schema_1.sqlite.sql') . <<"END");
INSERT INTO organizations VALUES ('acme', 0, 1700000001);
INSERT INTO users VALUES ('tu-t1', 1, 0, 1700000006);
INSERT INTO tokens (id, digest, kind, user_id, organization, name, created_at)
    VALUES ('t1', '$digest', 'organization', 'tu-t1', 'acme', 'one', 1700000009);
END
$machine->does('cd /var/lib/token-auth && umask 027 && sqlite3 registry.db </root/registry.sql >/dev/null && chmod 640 registry.db*', 'a registry of version 1');
$machine->put('/etc/nginx/conf.d/api.conf', 'server { listen 8080; root /var/www/html; location /api/ { token_auth api; try_files /index.nginx-debian.html =404; } }');
$machine->does('nginx -t && systemctl reload nginx');
my @request = ('-H', "Authorization: Bearer $token", 'http://127.0.0.1:8080/api/');
ok eventually(sub { $machine->get(@request)->{status} == 200 }, 20), 'the old version serves it';
my $runs = sub {
    return $machine->does('curl -s --unix-socket /run/token-auth/nginx/status.sock http://localhost/metrics', 'the module that nginx runs')
        =~ /build_info\{version="([\d.]+)"/ ? $1 : '';
};
is $runs->(), $earlier, 'with the old module';

my @load = map { start_tool([$machine->beside, $^X, root_dir() . '/t/package/load.pl', 8080, $token]) } 1 .. 3;
sleep 1;
my $begin = time;
my $said = $machine->install(TokenAuth::Machine::packages());
note sprintf 'upgraded after %.1f s', time - $begin;
is $runs->(), $version, 'nginx runs the new module';
unlike $said, qr/still runs the earlier/, 'and nothing is left to do' or diag $said;
$machine->does('tokenctl migrate');
$machine->does('tokenctl revoke t1 && tokenctl restore t1', 'the registry takes changes');
sleep 1;
kill 'TERM', $_->{pid} for @load;
my ($requests, $slowest, @wrong) = (0, 0);
for my $load (@load) {
    my $done = finish_tool($load);
    my $counted = eval { decode_json($done->{out}) } or do { fail "the load: $done->{err}"; next };
    $requests += $counted->{requests};
    push @wrong, @{ $counted->{wrong} };
    $slowest = $counted->{slowest} if $counted->{slowest} > $slowest;
}
# Between revoke and restore it is refused, by right.
@wrong = grep { $_ ne 'HTTP/1.1 401' } @wrong;
cmp_ok $requests, '>', 500, 'under load';
is scalar @wrong, 0, 'no request failed' or diag join "\n", @wrong[0 .. ($#wrong > 9 ? 9 : $#wrong)];
note sprintf '%d requests, the slowest %.0f ms', $requests, $slowest * 1000;
is $machine->get(@request)->{status}, 200, 'all is well afterwards';
is $machine->does('systemctl is-active tokensync nginx'), "active\nactive\n", 'both services run';
ok eventually(sub { $machine->run('pgrep -c -f "^nginx: master"')->{out} == 1 }, 30), 'one nginx';

subtest 'installed again' => sub {
    my $before = $machine->does('cat /run/nginx.pid');
    $machine->install(TokenAuth::Machine::packages(), '--reinstall');
    isnt $machine->does('cat /run/nginx.pid'), $before, 'nginx takes up the file that is there';
    is $machine->get(@request)->{status}, 200, 'and serves';
};

subtest 'an administrator removed the link' => sub {
    $machine->does('mv /etc/nginx/conf.d/token-auth.conf /root/ && echo "token_auth_db /var/lib/tokensync/db;" >/etc/nginx/conf.d/store.conf');
    $machine->install(TokenAuth::Machine::packages(), '--reinstall');
    isnt $machine->run('test -e /etc/nginx/conf.d/token-auth.conf')->{status}, 0, 'it stays removed';
    $machine->does('mv /root/token-auth.conf /etc/nginx/conf.d/ && rm /etc/nginx/conf.d/store.conf && nginx -t && systemctl reload nginx');
};

subtest 'downgrade' => sub {
    my $said = $machine->install(TokenAuth::Machine::earlier(), '--allow-downgrades');
    like $said, qr/the registry keeps the form that \Q$version\E gave it.*restore the backup/s, 'says what it cannot do';
    is $machine->get(@request)->{status}, 200, 'a registry of a version that it knows is served';
    is $runs->(), $earlier, 'by the old module';
    $machine->install(TokenAuth::Machine::packages());
};

# An nginx with another ABI, as a new release of Debian's would be.
subtest 'another nginx' => sub {
    $machine->does(<<'END', 'a package of an nginx with another ABI');
set -e
mkdir -p /root/other/DEBIAN && cd /root
package=$(dpkg -S /usr/sbin/nginx | cut -d: -f1)
dpkg-query -W -f 'Package: ${Package}\nVersion: 99-1\nArchitecture: ${Architecture}\nMaintainer: nobody <nobody@localhost>\nDepends: ${Depends}\nProvides: httpd, nginx-abi-99-1\nDescription: another nginx\n' "$package" >other/DEBIAN/control
dpkg-deb --build other other.deb
END
    my $done = $machine->run('apt-get install -y --no-remove /root/other.deb 2>&1');
    isnt $done->{status}, 0, 'apt does not install it unless the module may be removed';
    like $done->{out}, qr/REMOVED:\n  libnginx-mod-http-token-auth/, 'and says so' or diag $done->{out};
    like $machine->does('apt-get -s install /root/other.deb libnginx-mod-http-token-auth 2>&1 || true', 'both'),
        qr/libnginx-mod-http-token-auth : Depends: nginx-abi-\S+/, 'it names what is missing';
    is $machine->get(@request)->{status}, 200, 'nginx serves as before';
};
done_testing;
