# The log: denials with the token's id, and never a token. At the level debug nginx itself logs header
# fields and variables; no other line may hold a token.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Wire;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
spew("$dir/some.key", '0' x 32);
my $store = store_dir();

# Runs nginx with that log level, sends the requests, and returns the log's lines.
my $runs = 0;
sub logged {
    my ($level, @requests) = @_;
    my $place = "$dir/" . ++$runs;
    mkdir $place or die "$place: $!";
    open my $file, '>', "$place/secret" or die "secret: $!";
    close $file;
    my $main = "error_log $place/own.log $level;";
    my $server = TokenAuth::Server->start(dir => $place, user => 'root', main => $main, http => <<"END");
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        root $place;
        token_auth api;
        location = /anonymous { alias $place/secret; token_auth_anonymous on; }
        location = /scope { alias $place/secret; token_auth_scope nobody; }
        location = /argument { alias $place/secret; token_auth api token=\$arg_access_token; }
        location = /lost { alias $place/secret; token_auth_db $place/nowhere; }
        location = /satisfy { alias $place/secret; satisfy any; allow all; }
        location = /proxied { proxy_pass http://127.0.0.1:%PORT%/inner; }
        location = /inner { token_auth off; alias $place/secret; }
    }
END
    exchange($server->connect, 'GET', @$_) for @requests;
    $server->stop;
    open my $in, '<', "$place/own.log" or die "log: $!";
    return grep { !/ (?:using|start|openat|built|OS:|getrlimit|signal|worker process|exit)/ } <$in>;
}

sub bearer { return (Authorization => "Bearer $_[0]") }

# One line for each denial, at its level, with the id if there is one.
my @cases = (
    [ 'info',   '401 credentials_missing, token id -', '/secret' ],
    [ 'notice', '401 token_malformed, token id -', '/secret', bearer('a,b') ],
    [ 'notice', '400 request_malformed, token id -', '/secret', Authorization => 'Bearer' ],
    [ 'notice', '401 token_unknown, token id -', '/secret', bearer('nobody-token') ],
    [ 'notice', '401 token_unknown, token id 0123456789a (unproven)', '/secret', bearer('ak_0123456789a.SecretPart') ],
    [ 'notice', '401 organization_missing, token id bob, remedy: Name the organization in the X-Org-Id request header.',
        '/secret', bearer('bob-token') ],
    [ 'notice', '401 token_expired, token id expired', '/secret', bearer('expired-token') ],
    [ 'notice', '401 token_revoked, token id carol', '/secret', bearer('carol-token') ],
    [ 'notice', '403 address_not_allowed, token id elsewhere', '/secret', bearer('elsewhere-token') ],
    [ 'notice', '403 scope_missing, token id acme', '/scope', bearer('acme-token') ],
    [ 'notice', '403 not_a_member, token id bob', '/secret', bearer('bob-token'), 'X-Org-Id', 'globex' ],
    [ 'notice', '503 store_unavailable, token id -', '/lost', bearer('acme-token') ],
);
for my $case (@cases) {
    my ($level, $text, @request) = @$case;
    my @lines = grep { /token_auth: / } logged('info', \@request);
    is @lines, 1, "$text: one line";
    like $lines[0] // '', qr/\[$level\] \d+#\d+: \*\d+ token_auth: \Q$text\E, client: 127\.0\.0\.1, server: , request: "GET/,
        "$text: as it should be";
}
is_deeply [ grep { /token_auth: / } logged('notice', ['/secret']) ], [], 'who brings nothing is not told at "notice"';
is_deeply [ grep { /token_auth/ } logged('info', ['/secret', bearer('acme-token')], ['/anonymous']) ], [],
    'nor is who is let in';

# A token in the request line: nginx logs that line, the module leaves it out.
my @lines = logged('info', map { ["/argument?access_token=$_"] }
        qw(nobody-token expired-token elsewhere-token acme-token a%2Cb ak_0123456789a.secret-token));
is_deeply [ map { /token_auth: (.*), client: 127\.0\.0\.1$/ } @lines ],
    [ '401 token_unknown, token id -', '401 token_expired, token id expired',
    '403 address_not_allowed, token id elsewhere', '401 token_malformed, token id -',
    '401 token_unknown, token id -' ],
    'denials by an argument';
is_deeply [ grep { /-token|a%2Cb/ } @lines ], [], 'are logged without it';

# A missing key: one line for many requests, with key and remedy.
my $keyed = tokenctl('create', '--org', 'acme', '--name', 'keyed', '--key', "$dir/some.key");
chomp $keyed;
tokensync('run');
@lines = grep { /token_auth_key/ } logged('info', map { [ '/secret', bearer($_) ] } ($keyed, 'nobody-token') x 5);
is @lines, 1, 'a missing key is told once';
like $lines[0], qr/\[error\] .*the token store has digests under key [0-9a-f]{8}, but no "token_auth_key" specifies it, .*; add a "token_auth_key" with the key's file/,
    'with the remedy';

# Every token, in every way, at the level debug.
SKIP: {
    skip 'nginx is built without --with-debug', 2 if `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-debug/;
    my @tokens = ($keyed, map { "$_-token" } qw(acme nobody expired revoked elsewhere bob));
    my @all = logged('debug', map { my $token = $_; map { [ $_, bearer($token) ] }
            qw(/secret /anonymous /scope /lost /satisfy /proxied) } @tokens, 'acme-token,', 'acme-token x');
    my $pattern = join '|', map { quotemeta } @tokens;
    my @with = grep { /$pattern/ } @all;
    cmp_ok scalar(@with), '>', 0, 'nginx itself logs header fields at this level';
    is_deeply [ grep { !/ http header: "Authorization: / } @with ], [], 'nothing else holds a token';
}

done_testing;
