# What an upstream gets: the caller's identity, whatever the upstream, no credential, and none of the
# client's own X-Token-... fields.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Upstream;
use TokenAuth::Util qw(slurp);
use TokenAuth::Wire;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
mkdir "$dir/d" or die "$dir/d: $!";
spew("$dir/users", "acme:{PLAIN}acme\n");
spew("$dir/open-page", "page <!--# include virtual=\"/closed-part\" -->\n");
spew("$dir/$_", "page <!--# include virtual=\"/part\" -->\n") for qw(page d/index.html);

my $log = "$dir/upstream.log";
my $upstream = TokenAuth::Upstream->start;
my $mirrored = TokenAuth::Upstream->start($log);
my ($store, $root, $to) = (store_dir(), $ENV{TEST_NGINX_ROOT}, $upstream->address);
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    underscores_in_headers on;
    ignore_invalid_headers off;
    root $dir;
    map \$request_method \$realm { default api; OPTIONS off; }
    map \$http_x_other \$http_x_mapped { default \$http_x_other; }
    server {
        listen 127.0.0.1:%PORT%;
        token_auth_db $store;
        location / { token_auth api; proxy_pass http://$to; }
        location /include { token_auth api; include $root/conf/token_auth_params; proxy_pass http://$to; }
        location /own { token_auth api; proxy_set_header X-Own 1; proxy_pass http://$to; }
        location /wins { token_auth api; proxy_set_header X-Token-Id mine; proxy_pass http://$to; }
        location /fastcgi { token_auth api; fastcgi_pass $to; }
        location /scgi { token_auth api; scgi_pass $to; }
        location /uwsgi { token_auth api; uwsgi_pass $to; }
        location /grpc { token_auth api; grpc_pass grpc://unix:$dir/h2.sock; }
        location /anonymous { token_auth api; token_auth_anonymous on; proxy_pass http://$to; }
        location /off { proxy_pass http://$to; }
        location /realm { token_auth \$realm; proxy_pass http://$to; }
        location /bearer { token_auth api; token_auth_schemes Bearer; token_auth_anonymous on; proxy_pass http://$to; }
        location /key { token_auth api token=\$http_x_api_key; proxy_pass http://$to; }
        location /mapped { token_auth api token=\$http_x_mapped; proxy_pass http://$to; }
        location /places { token_auth api token=\$http_x_api_key token=authorization; proxy_pass http://$to; }
        location /cookie { token_auth api token=\$cookie_token; proxy_pass http://$to; }
        location /argument { token_auth api token=\$arg_token; proxy_pass http://$to; }
        location /tenant { token_auth api; token_auth_org optional from=\$http_x_tenant; proxy_pass http://$to; }
        location /no-org { token_auth api; token_auth_org off; proxy_pass http://$to; }
        location /untouched { token_auth api; token_auth_forward off; proxy_pass http://$to; }
        location /untouched-open { token_auth_forward off; proxy_pass http://$to; }
        location /early { set \$seen "\$http_x_token_org"; proxy_set_header X-Seen "<\$seen\$http_authorization>"; token_auth api; proxy_pass http://$to; }
        location /satisfy {
            satisfy any;
            token_auth api;
            auth_basic users;
            auth_basic_user_file $dir/users;
            proxy_pass http://$to;
        }
        location /address { satisfy any; token_auth api; allow all; proxy_pass http://$to; }
        location /redirected { token_auth api; try_files /nothing \@named; }
        location /anew { token_auth api; try_files /nothing \@anew; }
        location /to-off { token_auth api; try_files /nothing \@untouched; }
        location /from-off { token_auth_forward off; try_files /nothing \@named; }
        location \@named { proxy_pass http://$to; }
        location \@anew { token_auth api token=\$http_x_api_key; proxy_pass http://$to; }
        location \@untouched { token_auth_forward off; token_auth api token=\$http_x_api_key; proxy_pass http://$to; }
        location /accel { token_auth api; proxy_pass http://127.0.0.1:%PORT%/accelerated; }
        location /accel-anew { token_auth api; proxy_pass http://127.0.0.1:%PORT%/accelerated-anew; }
        location = /accelerated-anew { add_header X-Accel-Redirect \@anew; return 200; }
        location = /accelerated { add_header X-Accel-Redirect /off; return 200; }
        location /subrequest { auth_request /auth; token_auth api; proxy_pass http://$to; }
        location = /auth { internal; proxy_pass_request_body off; proxy_pass http://${\ $mirrored->address}; }
        location /mirror { token_auth api; mirror /copy; proxy_pass http://$to; }
        location = /file-mirror { token_auth api; mirror /copy; alias $dir/page; }
        location = /copy { internal; proxy_pass http://${\ $mirrored->address}; }
        location = /page { token_auth api; ssi on; ssi_types *; }
        location = /part { proxy_pass http://$to; }
        location /error { token_auth api; error_page 401 = \@open; proxy_pass http://$to; }
        location \@open { token_auth off; proxy_pass http://$to; }
        location /if { token_auth api; if (\$arg_up) { proxy_pass http://$to; } }
        location /d/ { token_auth api; }
        location /cached { if (\$http_authorization) { set \$any 1; } token_auth api; proxy_set_header X-Seen "<\$http_authorization>"; proxy_pass http://$to; }
        location = /open-page { ssi on; ssi_types *; alias $dir/open-page; }
        location = /closed-part { token_auth api; proxy_pass http://$to; }
        error_page 400 /unreadable;
        error_page 494 \@unreadable;
        location = /unreadable { set \$seen "\$http_x_token_org"; proxy_set_header X-Seen "<\$seen>"; proxy_pass http://$to; }
        location \@unreadable { proxy_pass http://$to; }
    }
    server { listen unix:$dir/h2.sock http2; location / { return 200 "X-Token-Id: \$http_x_token_id\\nX-Token-Org: \$http_x_token_org\\nAuthorization: \$http_authorization\\n"; } }
    server {
        listen unix:$dir/inner.sock;
        token_auth_db $store;
        token_auth_forward off;
        location / { proxy_pass http://$to; }
    }
    server {
        listen unix:$dir/place.sock;
        location /plain { proxy_pass http://$to; }
        location /stored { token_auth_db $store; proxy_pass http://$to; }
        location /both { token_auth_db $store; token_auth api; proxy_pass http://unix:$dir/inner.sock; }
    }
END

# The fields that the upstream got, without nginx's own.
sub got_by {
    my ($socket, $method, $path, @fields) = @_;
    my (undef, undef, $body) = exchange($socket, $method, $path, @fields);
    return join '', grep { !/^(?:Host|Connection|HTTP_HOST): / } split /^/, $body;
}

sub upstream_got { return got_by($server->connect, @_) }

sub socket_got {
    my $name = shift;
    return got_by(IO::Socket::UNIX->new("$dir/$name.sock") // die("$name: $!"), @_);
}
require IO::Socket::UNIX;

my @acme = (Authorization => 'Bearer acme-token');
my $acme = <<'END';
X-Token-Id: acme
X-Token-Kind: organization
X-Token-Subject: tu-acme
X-Token-Org: acme
X-Token-Scopes: agents:read agents:write
END
my $acme_org = "${acme}X-Org-Id: acme\n";

is upstream_got('GET', '/', @acme), $acme_org, "an organization's token";
is upstream_got('GET', '/', Authorization => 'Token acme-devs-token'), <<'END', "a group's token";
X-Token-Id: acme-devs
X-Token-Kind: group
X-Token-Subject: tu-acme-devs
X-Token-Org: acme
X-Token-Group: devs
X-Token-Role: reader
X-Token-Scopes: agents:read sites:read
X-Org-Id: acme
END
my $alice = <<'END';
X-Token-Id: alice
X-Token-Kind: user
X-Token-Subject: alice
X-Token-Org: acme
X-Token-Role: admin
X-Token-Scopes: *
X-Org-Id: acme
END
is upstream_got('GET', '/', Authorization => 'Bearer alice-token', 'X-Org-Id' => 'acme'), $alice, "a user's token";

is upstream_got('GET', '/include', @acme), $acme_org, 'with the include of earlier releases';
is upstream_got('GET', '/own', @acme), "X-Own: 1\n$acme_org", 'beside a proxy_set_header of its own';
like upstream_got('GET', '/wins', @acme), qr/\AX-Token-Id: mine\n(?!.*X-Token-Id)/s, 'proxy_set_header wins';
(my $cgi = $acme_org) =~ s/^([\w-]+)/'HTTP_' . uc($1) =~ tr{-}{_}r/gem;
is upstream_got('GET', "/$_", @acme, 'X_Token_Org' => 'evil', 'X.Token.Role' => 'evil'), $cgi, $_
    for qw(fastcgi scgi uwsgi);
is upstream_got('GET', '/grpc', @acme, 'X-Token-Org' => 'evil'), "X-Token-Id: acme\nX-Token-Org: acme\nAuthorization: \n",
    'grpc_pass';

is upstream_got('GET', '/anonymous', 'X-Org-Id' => 'acme'), '', 'anonymous: nothing, and no organization';
is upstream_got('GET', '/off', @acme), "Authorization: Bearer acme-token\n", 'off: nothing; the credential is not ours';
is upstream_got('OPTIONS', '/realm', @acme), "Authorization: Bearer acme-token\n", 'likewise if the realm says so';
is upstream_got('GET', '/redirected', @acme), $acme_org, 'try_files to a location without token_auth';
is upstream_got('GET', '/accel', @acme), $acme_org, 'X-Accel-Redirect';
is upstream_got('GET', '/if?up=1', @acme), $acme_org, 'an upstream within "if"';
is upstream_got('GET', '/early', @acme, 'X-Token-Org' => 'evil'), "X-Seen: <>\n$acme_org",
    'gone before "set", and $http_authorization is empty';

is upstream_got('GET', '/cached', @acme), "X-Seen: <>\n$acme_org", 'likewise if "if" asked for it before';

# Other fields, their order, and what nginx knows of them.
is upstream_got('GET', '/', 'X-A' => 1, Cookie => 'a=1', @acme, Cookie => 'b=2', 'X-Forwarded-For' => '192.0.2.1',
    'User-Agent' => 'x', 'X-A' => 2), <<"END" . $acme_org, 'the rest stays as it is, in its order';
X-A: 1
Cookie: a=1
Cookie: b=2
X-Forwarded-For: 192.0.2.1
User-Agent: x
X-A: 2
END

# Credentials.
my $basic = 'Basic YWNtZTphY21l';
is upstream_got('GET', '/key', 'X-Api-Key' => 'acme-token', Authorization => 'Bearer its-own'),
    "Authorization: Bearer its-own\n$acme_org", "a token from a field of its own: the application's Authorization stays";
is upstream_got('GET', '/key', 'X_Api_Key' => 'acme-token', 'X.Api.Key' => 'x'), $acme_org, 'in every spelling';
is upstream_got('GET', '/mapped', 'X-Other' => 'acme-token', 'X-Mapped' => 'x'), "X-Other: acme-token\nX-Mapped: x\n$acme_org",
    'a map that is named like a field is none';
is upstream_got('GET', '/places', 'X-Api-Key' => 'acme-token', @acme), $acme_org, 'two places with one token: both';
is upstream_got('GET', '/cookie', Cookie => 'token=acme-token', Authorization => 'Bearer its-own'),
    "Cookie: token=acme-token\nAuthorization: Bearer its-own\n$acme_org", 'a cookie stays';
is upstream_got('GET', '/argument?token=acme-token', Authorization => 'Bearer its-own'),
    "Authorization: Bearer its-own\n$acme_org", "an argument: the application's Authorization stays";
is upstream_got('GET', '/satisfy', Authorization => $basic), "Authorization: $basic\n", 'let in by a password, which is not ours';
is upstream_got('GET', '/bearer', Authorization => 'Token acme-token'), "Authorization: Token acme-token\n",
    'nor is a scheme that is not accepted';
is upstream_got('GET', '/error', Authorization => 'Bearer expired-token'), '',
    'denied, and sent on by error_page: a refused token speaks for nobody, and goes';
is upstream_got('GET', '/address', Authorization => 'Bearer revoked-token'), '',
    'revoked, and let in by its address: nor does it here';

# The organization's field: the one that was decided.
is upstream_got('GET', '/', Authorization => 'Bearer alice-token', 'X-Org-Id' => 'acme', 'x_org_id' => 'acme', 'X.Org.Id' => 'globex'),
    $alice, 'the organization: one field, in one spelling';
is upstream_got('GET', '/tenant', @acme, 'X-Org-Id' => 'hers'), "X-Org-Id: hers\n${acme}X-Tenant: acme\n",
    'in the field that the location says';
is upstream_got('GET', '/tenant', Authorization => 'Bearer alice-limited-token', 'X-Tenant' => ''),
    "X-Token-Id: alice-limited\nX-Token-Kind: user\nX-Token-Subject: alice\nX-Token-Scopes: agents:read\n",
    'none where none was decided';
is upstream_got('GET', '/no-org', @acme, 'X-Org-Id' => 'globex'), "X-Org-Id: globex\n$acme",
    'where the request names none, the field is the application\'s';

# Two decisions.
is upstream_got('GET', '/anew', @acme, 'X-Api-Key' => 'globex-token'), <<'END', 'a second decision replaces the first';
X-Token-Id: globex
X-Token-Kind: organization
X-Token-Subject: tu-globex
X-Token-Org: globex
X-Token-Scopes: agents:read
X-Org-Id: globex
END

is upstream_got('GET', '/accel-anew', @acme, 'X-Api-Key' => 'globex-token'), upstream_got('GET', '/anew', @acme,
    'X-Api-Key' => 'globex-token'), 'what was put in for the first does not count as named by the client';
is upstream_got('GET', '/accel-anew', Authorization => 'Bearer bob-token', 'X-Org-Id' => 'acme', 'X-Api-Key' => 'alice-token'),
    $alice, 'what the client named still counts';

# token_auth_forward off
my @spoof = ('X-Token-Org' => 'evil', 'x_token_anything' => 'y');
my $spoof = "X-Token-Org: evil\nx_token_anything: y\n";
is upstream_got('GET', '/untouched', @acme, 'X-Org-Id' => 'acme', @spoof),
    "Authorization: Bearer acme-token\nX-Org-Id: acme\n$spoof", 'off touches no field';
is upstream_got('GET', '/untouched-open', @acme, @spoof), "Authorization: Bearer acme-token\n$spoof", 'nor where token_auth is off';
is upstream_got('GET', '/to-off', @acme, 'X-Api-Key' => 'globex-token', @spoof), "X-Api-Key: globex-token\n$acme_org",
    "nor after a decision elsewhere, whose fields stay, without the client's beside them";
is upstream_got('GET', '/from-off', @acme, @spoof), "Authorization: Bearer acme-token\n", 'and on again behind it';
is socket_got('inner', 'GET', '/', @spoof), $spoof, 'off in a whole server';
is socket_got('place', 'GET', '/plain', @spoof), $spoof, 'a server without a store';
is socket_got('place', 'GET', '/stored', @spoof), '', 'a store in a location only';
is socket_got('place', 'GET', '/both', @acme, @spoof), $acme_org, 'an inner server takes the fields of an outer one';

# Requests that nginx itself refuses before its first phase.
is upstream_got('GET', '/', @acme, @spoof, Host => 'another'), "X-Seen: <>\nAuthorization: Bearer acme-token\n",
    'an error_page of a request that nginx cannot read';
is upstream_got('GET', '/', @acme, @spoof, 'X-Long' => 'x' x 40_000), "Authorization: Bearer acme-token\n",
    'likewise to a named location';

# Subrequests.
is upstream_got('GET', '/subrequest', @acme, @spoof), $acme_org, 'beside auth_request';
is slurp($log) =~ s/^(?:Host|Connection): .*\n//gmr, "Authorization: Bearer acme-token\n--\n", 'which still sees the credential';
for my $path (qw(/mirror /file-mirror)) {
    unlink $log;
    upstream_got('GET', $path, @acme, @spoof);
    for (1 .. 100) {
        last if -s $log;
        sleep 0.02;
    }
    is slurp($log) =~ s/^(?:Host|Connection): .*\n//gmr, "$acme_org--\n", "$path: the copy";
}
like upstream_got('GET', '/page', @acme, @spoof), qr/\Apage .*^\Q$acme_org\E\n\z/ms, 'a part of an SSI page';
unlike upstream_got('GET', '/page', @acme, @spoof), qr/evil|Authorization/, 'without the rest';
is upstream_got('GET', '/open-page', @acme, @spoof) =~ s/.*\n//r, "\n",
    'a part with token_auth of a page without, which nginx does not ask access modules about: no credential';
like upstream_got('GET', '/d/', @acme), qr/\Apage/, 'an index';

# Every spelling that an upstream may take for the same name.
my @names = qw(Id Kind Subject Org Group Role Scopes Future);
my @spoofs;
for my $name (@names) {
    push @spoofs, map { $_ => 'spoofed' } "X-Token-$name", "x-token-\L$name", "X-TOKEN-\U$name", "X_Token_$name",
        "X.Token.$name", "X-Token_$name", "x_token-\L$name", "X~Token~$name", "X-Token+$name", "X!TOKEN-\U$name";
}

my %places = (
    '/'           => [ 'let in',                          'GET',     @acme ],
    '/anonymous'  => [ 'anonymous',                       'GET' ],
    '/off'        => [ 'enforcement off',                 'GET' ],
    '/realm'      => [ 'a realm that evaluates to off',   'OPTIONS' ],
    '/satisfy'    => [ 'let in by a password',            'GET', Authorization => $basic ],
    '/address'    => [ 'let in by an address',            'GET' ],
    '/redirected' => [ 'after an internal redirect',      'GET', @acme ],
    '/key'        => [ 'a token from a field of its own', 'GET', 'X-Api-Key' => 'acme-token' ],
    '/subrequest' => [ 'beside auth_request',             'GET', @acme ],
    '/error'      => [ 'denied, and sent on by error_page', 'GET' ],
    '/fastcgi'    => [ 'FastCGI',                         'GET', @acme ],
);
for my $path (sort keys %places) {
    my ($name, $method, @fields) = @{ $places{$path} };
    my $expected = upstream_got($method, $path, @fields);
    is upstream_got($method, $path, @fields, @spoofs), $expected, "$name: no field of the client's gets through";
    is upstream_got($method, $path, @spoofs, @fields), $expected, "$name: nor in front of the credential";
}

# Other fields stay as they are.
is upstream_got('GET', '/off', 'X-Token' => 'a', 'X-Tokens-Id' => 'c', 'Xtoken-Id' => 'e', 'X_Request_Id' => 'f'),
    <<'END', 'other fields pass';
X-Token: a
X-Tokens-Id: c
Xtoken-Id: e
X_Request_Id: f
END

unlike $server->errors, qr/\[(?:alert|crit|emerg)\]/, 'nothing alarming was logged';

done_testing;
