# What "nginx -t" rejects, its message, file and line; and that it leaves no file behind.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
my $conf = "$dir/nginx.conf";

spew("$dir/good.key", '0' x 32 . "\n");
spew("$dir/short.key", '0' x 31 . "\n");
spew("$dir/long.key", '0' x 1025);
spew("$dir/empty.key", '');

# nginx -t with an http block; (its exit status, what it said, the line marked by "#!").
sub configured {
    my ($http) = @_;
    my $text = load_modules() . <<"END";
pid $dir/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $dir/temp; proxy_temp_path $dir/temp; fastcgi_temp_path $dir/temp;
    uwsgi_temp_path $dir/temp; scgi_temp_path $dir/temp;
$http
}
END
    my $marked = 0;
    for (split /^/, $text) {
        ++$marked;
        last if /#!/;
    }
    spew($conf, $text);
    open my $in, '-|', 'sh', '-c', 'exec "$0" "$@" 2>&1', $ENV{TEST_NGINX_BINARY}, '-t', '-q', '-p', $dir, '-c', $conf,
        '-e', 'stderr'
        or die "nginx: $!";
    my $said = do { local $/; <$in> } // '';
    close $in;
    return ($? >> 8, $said, $marked);
}

sub rejected {
    my ($name, $http, $message) = @_;
    my ($status, $said, $line) = configured($http);
    my $where = qr/in \Q$conf\E:$line\b/;
    subtest $name => sub {
        is $status, 1, 'exit status';
        like $said, qr/\A(?:nginx: )?[^\n]*\[emerg\] [^\n]*$message[^\n]*$where/, 'message, file and line';
        is scalar(() = $said =~ /\[(?:emerg|alert|crit|error)\]/g), 1, 'one message';
    };
    return;
}

sub warned {
    my ($name, $http, $message) = @_;
    my ($status, $said, $line) = configured($http);
    my $where = qr/in \Q$conf\E:$line\b/;
    subtest $name => sub {
        is $status, 0, 'exit status';
        like $said, qr/\A(?:nginx: )?[^\n]*\[warn\] [^\n]*$message[^\n]*$where\n(?:[^\n]*[.]conf syntax is ok\n)?\z/, 'one warning, file and line';
    };
    return;
}

sub accepted {
    my ($name, $http) = @_;
    my ($status, $said) = configured($http);
    is "$status $said", '0 ', $name;
    return;
}

my $db = 'token_auth_db ' . store_dir() . ';';
sub location { return "$db\n server { location / { $_[0]\n } }" }

# token_auth and the store
rejected('no store', "server { location / {\n token_auth api; #!\n} }",
    qr/no "token_auth_db" is defined for the "token_auth" directive/);
rejected('no store, in http', "token_auth api; #!\n server { location / { } }",
    qr/no "token_auth_db" is defined/);
rejected('no store, in limit_except', "server { location / { limit_except GET {\n token_auth api; #!\n} } }",
    qr/no "token_auth_db" is defined/);
rejected('no store where it is turned on, whatever other places have',
    "server { location /a { $db token_auth api; }\n location /b { token_auth api; } #!\n }", qr/no "token_auth_db" is defined/);
rejected('off with a parameter', location("token_auth off token=\$http_x; #!"),
    qr/"token_auth off" takes no parameter/);
rejected('token_auth twice', location("token_auth api;\n token_auth other; #!"),
    qr/"token_auth" directive is duplicate/);
rejected('token_auth without a realm', location("token_auth; #!"),
    qr/invalid number of arguments in "token_auth" directive/);
rejected("a bare parameter", location("token_auth api token=\$arg_x y; #!"),
    qr/invalid parameter "y" of "token_auth"/);
rejected('an unknown parameter', location("token_auth api tokens=\$arg_x; #!"),
    qr/invalid parameter "tokens=\$arg_x" of "token_auth", it takes "token=\$variable" and "token=authorization"/);
# nginx looks variables up at the end, and names no line.
for my $text ('token_auth api token=$nothing_like_it;', 'token_auth $nothing_like_it;',
    'token_auth api; token_auth_scope $nothing_like_it;')
{
    my ($status, $said) = configured(location($text));
    like "$status $said", qr/\A1 .*\[emerg\] .*unknown "nothing_like_it" variable/, "$text: no such variable";
}
for my $given ('', '$', 'ak_0123456789abcdef.secret') {
    my $text = location("token_auth api token=$given; #!");
    rejected("token=$given is no variable", $text, qr/"token=" parameter of "token_auth" takes a variable/);
    unlike +(configured($text))[1], qr/secret/, 'and is not echoed';
}

# token_auth_db
rejected('token_auth_db twice', "$db\n $db #!\n", qr/"token_auth_db" directive is duplicate/);
rejected('token_auth_db with a variable', "token_auth_db /x/\$host; #!",
    qr/invalid directory "\/x\/\$host" in "token_auth_db"/);
rejected('token_auth_db that is empty', 'token_auth_db ""; #!',
    qr/invalid directory "" in "token_auth_db"/);
rejected('token_auth_db that is a file', "token_auth_db $conf; #!",
    qr/in "token_auth_db" is not a directory; name the directory/);
rejected('token_auth_db in limit_except', "server { location / { limit_except GET {\n $db #!\n} } }",
    qr/"token_auth_db" directive is not allowed here/);
rejected('token_auth_db without a directory', 'token_auth_db; #!',
    qr/invalid number of arguments in "token_auth_db" directive/);

# schemes, kinds, organizations, scopes, groups, roles
rejected('an unknown scheme', location("token_auth_schemes Bearer Basic; #!"),
    qr/invalid value "Basic"/);
rejected('no scheme', location("token_auth_schemes; #!"),
    qr/invalid number of arguments in "token_auth_schemes"/);
rejected('an unknown kind', location("token_auth_kind org; #!"), qr/invalid value "org"/);
rejected('anonymous, neither on nor off', location("token_auth_anonymous yes; #!"),
    qr/invalid value "yes" in "token_auth_anonymous" directive/);
rejected('anonymous twice', location("token_auth_anonymous on;\n token_auth_anonymous on; #!"),
    qr/"token_auth_anonymous" directive is duplicate/);
rejected('an unknown mode of organizations', location("token_auth_org maybe; #!"),
    qr/invalid value "maybe" in "token_auth_org"/);
rejected('an unknown parameter of token_auth_org', location("token_auth_org required form=\$host; #!"),
    qr/invalid parameter "form=\$host" of "token_auth_org"/);
rejected('an empty source', location("token_auth_org required from=; #!"),
    qr/invalid parameter "from=" of "token_auth_org"/);
rejected('off with a source', location("token_auth_org off from=\$host; #!"),
    qr/"off" takes nothing/);
rejected('token_auth_org twice', location("token_auth_org off;\n token_auth_org off; #!"),
    qr/"token_auth_org" directive is duplicate/);
rejected('a bad scope', location(q(token_auth_scope 'a"b'; #!)),
    qr/invalid scope "a"b" in "token_auth_scope"/);
rejected('a scope that is too long', location('token_auth_scope ' . 'x' x 129 . '; #!'),
    qr/invalid scope "x+" in "token_auth_scope"/);
rejected('a bad scope among others', location(q(token_auth_scope a:b "c:d e\\\\f"; #!)),
    qr/invalid scope "e\\f" in "token_auth_scope"/);
rejected('a bad scope of any', location("token_auth_scope_any \x{c3}\x{a4}; #!"),
    qr/invalid scope "\x{c3}\x{a4}" in "token_auth_scope_any"/);
rejected('scope_any twice', location("token_auth_scope_any a;\n token_auth_scope_any b; #!"),
    qr/"token_auth_scope_any" directive is duplicate/);
rejected('no scope', location("token_auth_scope; #!"),
    qr/invalid number of arguments in "token_auth_scope"/);
rejected('a bad group', location("token_auth_group a/b/c; #!"),
    qr/invalid group "a\/b\/c" in "token_auth_group"/);
rejected('half a group', location("token_auth_group acme/; #!"),
    qr/invalid group "acme\/" in "token_auth_group"/);
rejected('groups twice', location("token_auth_group a;\n token_auth_group b; #!"),
    qr/"token_auth_group" directive is duplicate/);
rejected('a bad role', location("token_auth_role a:b; #!"),
    qr/invalid role "a:b" in "token_auth_role"/);
rejected('roles twice', location("token_auth_role a;\n token_auth_role b; #!"),
    qr/"token_auth_role" directive is duplicate/);

# times, bodies, keys
rejected('an age that is no time', location("token_auth_max_age soon; #!"),
    qr/"token_auth_max_age" directive invalid value/);
rejected('an age that is negative', location("token_auth_max_age -1; #!"),
    qr/"token_auth_max_age" directive invalid value/);
rejected('forward, neither on nor off', location("token_auth_forward yes; #!"),
    qr/invalid value "yes" in "token_auth_forward" directive/);
rejected('preflight, neither on nor off', location("token_auth_preflight yes; #!"),
    qr/invalid value "yes" in "token_auth_preflight" directive, it must be "on" or "off"/);
my $open_verify = qr/"token_auth_verify" would let everybody in, because "token_auth" is off here; add a "token_auth" there or in an enclosing block/;
rejected('token_auth_verify, and token_auth nowhere', location("token_auth_verify; #!"), $open_verify);
rejected('token_auth_verify, and token_auth off', location("token_auth off;\n token_auth_verify; #!"), $open_verify);
rejected('token_auth_verify, and token_auth off in a part of the location',
    location("token_auth api;\n token_auth_verify; #!\n limit_except GET { token_auth off; }"), $open_verify);
rejected('token_auth_verify twice', location("token_auth api; token_auth_verify;\n token_auth_verify; #!"),
    qr/"token_auth_verify" directive is duplicate/);
rejected('token_auth_verify with a parameter', location("token_auth_verify on; #!"),
    qr/invalid number of arguments in "token_auth_verify"/);
rejected('token_auth_verify in server', "server {\n token_auth_verify; #!\n}", qr/"token_auth_verify" directive is not allowed here/);
rejected('max_age twice', location("token_auth_max_age 1m;\n token_auth_max_age 1m; #!"),
    qr/"token_auth_max_age" directive is duplicate/);
rejected('an unknown body', location("token_auth_error json; #!"), qr/invalid value "json"/);
rejected('a key file that is missing', "token_auth_key missing.key; #!",
    qr/cannot read the key file "\Q$dir\E\/missing.key" of "token_auth_key" \(2: No such file or directory\)/);
rejected('a key file that is a directory', "token_auth_key $dir; #!",
    qr/cannot read the key file "\Q$dir\E" of "token_auth_key" \(21:/);
rejected("a key that is $_", "token_auth_key $_.key; #!",
    qr/the key file "[^"]*" of "token_auth_key" holds no key of 32 to 1024 bytes; make one with/)
    for qw(short long empty);
rejected('token_auth_key in server', "server {\n token_auth_key good.key; #!\n}",
    qr/"token_auth_key" directive is not allowed here/);
rejected('more keys than there is room for', "token_auth_key good.key;" x 4 . "\n token_auth_key good.key; #!",
    qr/more than 4 "token_auth_key" directives/);

# Every directive, used correctly.
accepted('everything at once', <<"END");
    $db
    token_auth_key good.key;
    token_auth "the \$host realm" token=\$http_x_api_key token=authorization;
    token_auth_forward off;
    token_auth_schemes Token Bearer;
    token_auth_anonymous on;
    token_auth_org optional from=\$http_x_anyreach_org;
    token_auth_kind organization group user;
    token_auth_group acme/devs ops \$host;
    token_auth_role admin \$host;
    token_auth_scope a:read;
    token_auth_scope "b:read c:*" \$host;
    token_auth_scope_any a b;
    token_auth_max_age 5m;
    token_auth_error grpc;
    token_auth_preflight on;
    server {
        location = /verify { token_auth_verify; limit_except GET { token_auth_scope x; } }
        location / { limit_except GET { token_auth_org off; token_auth_scope x; } }
        location /other { token_auth_db ${\ store_dir() }/; token_auth api; }
    }
END
accepted('nothing at all', 'server { }');
accepted('a key that is a path of its own', "token_auth_key $dir/good.key;");

# What is likely wrong.
for my $rule ('token_auth_scope a', 'token_auth_scope_any a', 'token_auth_group a', 'token_auth_role a', 'token_auth_kind user',
    'token_auth_org off', 'token_auth_max_age 1m')
{
    my ($name) = split / /, $rule;
    my $message = qr/"$name" has no effect, because "token_auth" is off here and in every block within, so requests are let in unchecked; add/;
    warned("$name, and token_auth nowhere", "$db server { location / {\n $rule; #!\n } location /on { token_auth api; } }", $message);
    warned("$name, and token_auth off", location("token_auth off;\n $rule; #!"), $message);
    warned("$name in http", "$rule; #!\n server { location / { token_auth off; } }", $message);
    warned("$name in limit_except", "$db server { location / { limit_except GET {\n $rule; #!\n } } }", $message);
    accepted("$name, for blocks within", "$db $rule; server { location / { token_auth off; location /a/ { if (\$arg_x) { } limit_except GET { token_auth api; } } } }");
    accepted("$name, inherited", "$db token_auth api; server { location / { $rule; } }");
}
warned('several, and token_auth nowhere: the first', location("token_auth_role a; #!\n token_auth_scope a;"), qr/"token_auth_role" has no effect/);
warned("a comma in $_->[0]", location("token_auth api;\n $_->[0] $_->[1]; #!"), qr/comma in the scope "\Q$_->[1]\E" of "$_->[0]"; scopes are separated by spaces/)
    for [ 'token_auth_scope', 'a:read,b:read' ], [ 'token_auth_scope_any', 'a,' ], [ 'token_auth_scope', '$host,a' ];
warned('an age of less than 10 s', location("token_auth api;\n token_auth_max_age 9; #!"),
    qr/"token_auth_max_age" of 9 is so short that requests may get 503 between two syncs; give it at least 10s/);
accepted("an age of $_", location("token_auth api; token_auth_max_age $_;")) for 0, '10s';
rejected("$_: \"\" beside another value", location("token_auth api;\n $_; #!"), qr/"" in "token_auth_\w+" beside another value; "" takes an inherited requirement off, and stands alone/)
    for 'token_auth_scope "" a', 'token_auth_scope_any a ""', 'token_auth_role a ""', 'token_auth_group "" ""',
    "token_auth_scope a;\n token_auth_scope \"\"";

warned('the realm "on"', location("token_auth on; #!"), qr/"on" in "token_auth" is the realm that clients are shown; any realm turns it on/);
warned("a field's name for an organization: $_", location("token_auth api;\n token_auth_org required from=$_; #!"),
    qr/"token_auth_org" takes "\Q$_\E" for the organization of each request; a request field is given as \$http_name/)
    for 'X-Org-Id', 'x-org', 'http_x_org_id', 'arg_org', 'Cookie_org';
accepted("an organization: $_", location("token_auth api; token_auth_org required from=$_;")) for 'acme', 'x', 'x-', '$http_x_org', 'x-$host';
rejected("no organization: $_", location("token_auth api;\n token_auth_org optional from=$_; #!"), qr/invalid organization "\Q$_\E" in "token_auth_org", it has 1 to 64/)
    for 'a/b', '..', 'é', 'a' x 65;

# nginx starts without the store, and does not make one.
warned('a store that is not there yet', "token_auth_db $dir/nowhere/; #!\n token_auth api; server { }",
    qr/there is no token store at "\Q$dir\E\/nowhere" yet, so requests get 503; make it by "tokensync run --db \Q$dir\E\/nowhere", or correct/);
ok !-e "$dir/nowhere", 'nothing was made';
mkdir "$dir/bare" or die "bare: $!";
warned('a store without files', "token_auth_db $dir/bare; #!\n token_auth api; server { }", qr/there is no token store at/);
is_deeply [ glob "$dir/bare/*" ], [], 'nor in a directory that is there';

my $before = join ' ', map { ($_, (stat)[ 1, 2, 4, 5, 7, 9 ]) } glob store_dir() . '/*';
accepted('a store', "$db token_auth api; server { }");
is join(' ', map { ($_, (stat)[ 1, 2, 4, 5, 7, 9 ]) } glob store_dir() . '/*'), $before, 'its files are not touched';

done_testing;
