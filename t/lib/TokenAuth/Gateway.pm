# The world that t/nginx runs against: a registry and a store that the real tools make, with tokens
# that tests know beforehand: the token named "acme" is "acme-token", and so on.
package TokenAuth::Gateway;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use TokenAuth::Sync;
use TokenAuth::Util qw(free_port program root_dir spew token_line);

our @EXPORT = qw(gateway_dir registry_url store_dir tokenctl tokensync token_line import_lines sync_into
    free_port load_modules nginx_t spew);

my $gateway;

sub gateway_dir  { return $gateway->dir }
sub registry_url { return $gateway->url }
sub store_dir    { return $gateway->db }

# Run a tool, which must succeed; return its standard output.
sub tokenctl  { return $gateway->ctl_ok(@_) }
sub tokensync { return $gateway->sync_ok(@_) }

# Brings another store, in the directory given, up to the registry.
sub sync_into { return $gateway->sync_ok({ db => $_[0] }, 'run') }

sub import_lines { return $gateway->import_lines(@_) }

sub world {
    my $acme = 'acme';
    return (
        { type => 'role', id => 'admin',  scopes => ['*'] },
        { type => 'role', id => 'reader', scopes => [ 'agents:read', 'sites:read' ] },
        { type => 'role', id => 'writer', scopes => ['agents:*'] },
        (map { { type => 'organization', id => $_ } } qw(acme globex)),
        { type => 'organization', id => 'hooli', suspended => JSON::PP::true },
        (map { { type => 'group', organization => $_->[0], id => $_->[1] } }
            [qw(acme devs)], [qw(acme ops)], [qw(globex devs)]),
        (map { { type => 'user', id => $_ } } qw(alice bob)),
        { type => 'user', id => 'carol', disabled => JSON::PP::true },
        (map { { type => 'membership', user => $_->[0], organization => $_->[1], role => $_->[2] } }
            [qw(alice acme admin)], [qw(alice globex reader)], [qw(alice hooli reader)],
            [qw(bob acme reader)], [qw(carol acme reader)]),

        token_line('acme', 'organization', organization => $acme,
            scopes => [ 'agents:read', 'agents:write' ]),
        token_line('acme-admin', 'organization', organization => $acme, role => 'admin'),
        # effective scopes: agents:read
        token_line('acme-reader', 'organization', organization => $acme, role => 'reader',
            scopes => ['agents:*']),
        token_line('acme-bare', 'organization', organization => $acme),
        token_line('globex', 'organization', organization => 'globex', scopes => ['agents:read']),
        token_line('hooli', 'organization', organization => 'hooli', scopes => ['agents:read']),
        token_line('acme-devs', 'group', organization => $acme, group => 'devs', role => 'reader'),
        token_line('acme-ops', 'group', organization => $acme, group => 'ops', role => 'reader'),
        token_line('globex-devs', 'group', organization => 'globex', group => 'devs',
            role => 'reader'),
        token_line('alice', 'user', user => 'alice'),
        token_line('alice-limited', 'user', user => 'alice', scopes => ['agents:read']),
        token_line('bob', 'user', user => 'bob'),
        token_line('carol', 'user', user => 'carol'),

        token_line('revoked', 'organization', organization => $acme,
            revoked => '2026-01-01T00:00:00Z'),
        token_line('expired', 'organization', organization => $acme,
            expires => '2026-01-01T00:00:00Z'),
        token_line('future', 'organization', organization => $acme,
            not_before => '2099-01-01T00:00:00Z'),
        token_line('loopback', 'organization', organization => $acme,
            allow => [ '127.0.0.0/8', '::1/128' ]),
        token_line('elsewhere', 'organization', organization => $acme,
            allow => [ '192.0.2.0/24', '2001:db8::/32' ]),
        token_line('forever', 'organization', organization => $acme, expires => undef),
        token_line('long', 'organization', organization => $acme, token => 'x' x 4096),
    );
}

# The lines of a configuration that load the module; none if nginx has it built in
# (TEST_NGINX_LOAD_MODULES is set and empty).
sub load_modules { return join '', map { "load_module $_;\n" } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} }

# What nginx -t says of an http block that names the store.
sub nginx_t {
    my ($http) = @_;
    my $dir = gateway_dir() . '/nginx';
    mkdir $dir;
    my $store = store_dir();
    my $temp = join ' ', map { "${_}_temp_path $dir/temp;" } qw(client_body proxy fastcgi uwsgi scgi);
    spew("$dir/test.conf", load_modules() . <<"END");
pid $dir/test.pid;
events {}
http {
    access_log off;
    $temp
    token_auth_db $store;
    $http
}
END
    open my $in, '-|', 'sh', '-c', 'exec "$0" "$@" 2>&1', $ENV{TEST_NGINX_BINARY}, '-t', '-q', '-p', $dir, '-c', "$dir/test.conf",
        '-e', 'stderr'
        or die "nginx: $!";
    local $/;
    my $said = <$in> // '';
    close $in;
    return $said;
}

sub make {
    $gateway = TokenAuth::Sync->new;
    import_lines(world());
    tokensync('run');
    $ENV{TEST_NGINX_DB} = store_dir();
    $ENV{TEST_NGINX_DIR} = gateway_dir();
    $ENV{TEST_NGINX_ROOT} = root_dir();
    $ENV{TEST_NGINX_LOAD_MODULES} //= program('ngx_http_token_auth_module.so');
    $ENV{TEST_NGINX_TOKEN_AUTH_MODULE} //= '';
    $ENV{TEST_NGINX_TOKENSYNC} //= program('tokensync');
    $ENV{TEST_NGINX_BINARY} //= '/usr/sbin/nginx';
    # Each file has a server root and a port of its own, so that files can run at the same time.
    $ENV{TEST_NGINX_SERVROOT} //= gateway_dir() . '/servroot';
    $ENV{TEST_NGINX_SERVER_PORT} //= free_port();
    return;
}

make();

1;
