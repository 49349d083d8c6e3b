# The registry in PostgreSQL on another host: the packages' services reach it as their documents say, over TLS, and
# go on while the network is down.
use strict;
use warnings;

use Test::More;
use TokenAuth::Machine;
use TokenAuth::Postgres;
use TokenAuth::Util qw(eventually run_tool slurp spew);

# This process is the other host: a network of its own.
if (!$ENV{TOKEN_AUTH_OTHER_HOST}) {
    TokenAuth::Machine::base();
    local $ENV{TOKEN_AUTH_OTHER_HOST} = 1;
    exec 'unshare', '--net', $^X, (map { "-I$_" } @INC), $0 or die "unshare: $!";
}
my ($here, $there, $name) = ('10.77.0.1', '10.77.0.2', 'db.example.com');

my $server = TokenAuth::Postgres->start(settings => ["listen_addresses = '*'"]);
my $data = $server->data;
$server->as_server(qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj), "/CN=$name",
    '-addext', "subjectAltName=DNS:$name", '-keyout', "$data/server.key", '-out', "$data/server.crt");
spew("$data/pg_hba.conf", "local all all trust\nhostssl all all $there/32 scram-sha-256\n");
spew("$data/postgresql.conf", slurp("$data/postgresql.conf") . "ssl = on\n");
$server->down;
$server->up;
my $database = $server->database;
$server->sql('postgres', "CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'keeper-password'; GRANT CREATE ON DATABASE $database TO keeper");

my $machine = TokenAuth::Machine->new;
sub ip { my (@command) = @_; my $done = run_tool([ 'ip', @command ]); return $done->{status} == 0 || die "ip @command: $done->{err}" }
ip(qw(link add db0 type veth peer name host0 netns), $machine->init);
ip(qw(address add), "$here/24", qw(dev db0));
ip(qw(link set db0 up));
for my $command ([ qw(address add), "$there/24", qw(dev host0) ], [qw(link set host0 up)]) {
    run_tool([ $machine->beside, 'ip', @$command ])->{status} == 0 or die "ip @$command";
}

$machine->put('/etc/hosts', "127.0.0.1 localhost\n$here $name\n");
$machine->put('/etc/ssl/db.pem', slurp("$data/server.crt"));
$machine->install(TokenAuth::Machine::packages(), './token-auth-console_*.deb');
my $url = sub { my ($user) = @_; return "postgresql://$user\@$name/$database?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem" };
$machine->put('/root/.pgpass', "$name:5432:$database:keeper:keeper-password\n");
$machine->does('chmod 600 /root/.pgpass');
my $keeper = "tokenctl --registry '" . $url->('keeper') . "'";
my $ctl = sub { return $machine->does("$keeper $_[0]", "tokenctl $_[0]") };
$ctl->('init');
$server->sql($database, "CREATE ROLE tokensync LOGIN IN ROLE token_auth_reader, token_auth_reporter PASSWORD 'sync-password'");
$server->sql($database, "CREATE ROLE tokenapi LOGIN IN ROLE token_auth_api PASSWORD 'api-password'");
for ([ 'token-auth', 'tokensync', 'sync-password' ], [ 'tokenapi', 'tokenapi', 'api-password' ]) {
    my ($settings, $user, $password) = @$_;
    $machine->put("/root/$user.pgpass", "$name:5432:$database:$user:$password\n");
    $machine->does("install -m 600 -o $user /root/$user.pgpass /etc/$user.pgpass");
    # What the file has for this, with the name that is true here.
    my $text = slurp($machine->dir . "/etc/default/$settings");
    $text =~ s{^#(TOKEN_AUTH_REGISTRY="postgresql://\Q$user\E\@db\.example\.com/)tokens\?}{$1$database?}m or die "no URL in /etc/default/$settings";
    $text =~ s{^#(PGPASSFILE=)}{$1}m or die "no PGPASSFILE in /etc/default/$settings";
    $machine->put("/etc/default/$settings", $text);
    $machine->does("systemctl restart $user");
}

$machine->put('/etc/nginx/conf.d/api.conf', 'server { listen 8080; root /var/www/html; location /api/ { token_auth api; try_files /index.nginx-debian.html =404; } }');
$machine->does('nginx -t && systemctl reload nginx');
$ctl->('org add acme');
$ctl->('role set reader auth:tokens:read');
my ($token) = $ctl->('create --org acme --role reader --name one') =~ /^(ak_\S+)$/m or die 'no token';
my ($id) = $token =~ /_(\w+)\./;
my @request = ('-H', "Authorization: Bearer $token", 'http://127.0.0.1:8080/api/');
ok eventually(sub { $machine->get(@request)->{status} == 200 }, 10), 'the token is let in';
my $list = $machine->does("curl -s --unix-socket /run/token-auth/api.sock -H '$request[1]' http://localhost/api/v1/organizations/acme/tokens", 'the API');
like $list, qr/"id":"$id"/, 'lists it';
ok eventually(sub { $machine->run("$keeper --json show $id")->{out} =~ /"last_used":"\d/ }, 20), 'its last use arrives';
like $ctl->('--json hosts'), qr{"problems":\[\]}, 'the host reports, and has no problem';

ip(qw(link set db0 down));
$server->sql($database, "UPDATE token_auth.tokens SET revoked_at = extract(epoch FROM now())::bigint WHERE id = '$id'");
is $machine->get(@request)->{status}, 200, 'without the network nginx goes on';
sleep 3;
is $machine->does('systemctl is-active tokensync tokenapi'), "active\nactive\n", 'and so do the services';
ip(qw(link set db0 up));
ok eventually(sub { $machine->get(@request)->{status} == 401 }, 40), 'a revocation arrives once it is back';
my $journal = $machine->does('journalctl -u tokensync -u tokenapi --no-pager');
unlike $journal, qr/password authentication|denied|not permitted/, 'nothing is denied' or diag $journal;
done_testing;
