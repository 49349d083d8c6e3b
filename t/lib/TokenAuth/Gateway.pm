# The world that the t/*.t run against: a registry and a store made by the real tools, with tokens
# that are known beforehand, so that tests can write them down. A token here is its name and
# "-token": "acme-token" and so on; they open nothing but this.
package TokenAuth::Gateway;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;

our @EXPORT = qw(gateway_dir registry_url store_dir tokenctl tokensync token_line
    import_lines sync_into free_port load_modules);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $build = $ENV{TOKEN_AUTH_BUILD} // "$root/build";
my $dir;

sub gateway_dir  { return $dir }
sub registry_url { return "sqlite:$dir/registry.db" }
sub store_dir    { return "$dir/db" }

# Standard output of a tool; what it says on standard error is shown only where it fails.
sub run_tool {
    my ($tool, @args) = @_;
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>>"$0"', "$dir/tools.log", "$build/$tool",
        '--registry', registry_url(), @args
        or die "cannot run $build/$tool: $!";
    my $text = do { local $/; <$out> };
    close $out or die "$tool @args failed with status " . ($? >> 8) . ":\n" . `cat $dir/tools.log`;
    return $text;
}

sub tokenctl  { return run_tool('tokenctl', @_) }
sub tokensync { return run_tool('tokensync', '--db', store_dir(), @_) }

# Brings another store, in the directory given, up to the registry.
sub sync_into { return run_tool('tokensync', '--db', $_[0], 'run') }

# A line of JSON for a token whose secret is "<id>-token".
sub token_line {
    my ($id, $kind, %fields) = @_;
    my $token = delete $fields{token} // "$id-token";
    my $line = {
        type => 'token', id => $id, kind => $kind, name => $id,
        digest => 'sha256:' . sha256_hex($token), expires => '2100-01-01T00:00:00Z', %fields,
    };
    delete $line->{expires} unless defined $line->{expires};    # never
    return $line;
}

sub import_lines {
    my $json = JSON::PP->new->canonical->utf8;
    my $file = "$dir/import.jsonl";
    open my $out, '>', $file or die "$file: $!";
    print $out $json->encode($_), "\n" for @_;
    close $out or die "$file: $!";
    tokenctl('import', $file);
    return;
}

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

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', ReuseAddr => 1)
        or die "no free port: $!";
    return $socket->sockport;
}

# The lines of a configuration that load the module, none where nginx has it built in
# (TEST_NGINX_LOAD_MODULES is set and empty).
sub load_modules { return join '', map { "load_module $_;\n" } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} }

sub make {
    $dir = tempdir('token-auth-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;    # nginx's workers may be of another user
    tokenctl('init');
    import_lines(world());
    tokensync('run');
    $ENV{TEST_NGINX_DB}  = store_dir();
    $ENV{TEST_NGINX_DIR} = $dir;
    $ENV{TEST_NGINX_ROOT} = $root;
    $ENV{TEST_NGINX_LOAD_MODULES} //= "$build/ngx_http_token_auth_module.so";
    $ENV{TEST_NGINX_BINARY} //= '/usr/sbin/nginx';
    # Of its own, so that files can run at the same time.
    $ENV{TEST_NGINX_SERVROOT} //= "$dir/servroot";
    $ENV{TEST_NGINX_SERVER_PORT} //= free_port();
    return;
}

make();

1;
