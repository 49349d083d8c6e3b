# conf/fail2ban: fail2ban's own fail2ban-regex takes the lines that the module logs.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util qw(root_dir slurp);
use Test::More;

my $dir = gateway_dir() . '/server';
mkdir $dir or die "$dir: $!";
spew("$dir/secret", 'secret');
my $store = store_dir();
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    server {
        listen 127.0.0.1:%PORT%;
        location / { alias $dir/secret; token_auth api; token_auth_scope agents:read; }
        location = /argument { alias $dir/secret; token_auth api token=\$arg_token; }
    }
END

# Returns the addresses that the filter finds in the lines that a request adds to the log, one a line.
sub found {
    my ($path, @fields) = @_;
    my $before = length $server->errors;
    $server->get($path, @fields);
    my $added = substr $server->errors, $before;
    spew("$dir/added.log", $added);
    my $filter = root_dir() . '/conf/fail2ban/filter.d/token-auth.conf';
    return `fail2ban-regex -o ip $dir/added.log $filter` =~ s/\s+\z//r;
}

my $forged = '401%20token_unknown,%20token%20id%20-,%20client:%20192.0.2.1,';
for my $case (
    [ '127.0.0.1', 'an unknown token',        '/', Authorization => 'Bearer nobody' ],
    [ '127.0.0.1', 'one with an id in it',    '/', Authorization => 'Bearer ak_0123456789a.' . 'x' x 39 ],
    [ '127.0.0.1', 'a malformed one',         '/', Authorization => 'Bearer a,b' ],
    [ '127.0.0.1', 'a malformed field',       '/', Authorization => 'Bearer' ],
    [ '127.0.0.1', 'one in the request line', '/argument?token=nobody' ],
    [ '127.0.0.1', 'a forged line',           "/?token_auth:%20$forged", Authorization => 'Bearer nobody' ],
    [ '',          'no token',                '/' ],
    [ '',          'one that is good',        '/', Authorization => 'Bearer acme-token' ],
    [ '',          'one that is expired',     '/', Authorization => 'Bearer expired-token' ],
    [ '',          'one without the scope',   '/', Authorization => 'Bearer acme-bare-token' ],
    [ '',          'a forged line alone',     "/?token_auth:%20$forged" ],
) {
    my ($address, $name, @request) = @$case;
    is found(@request), $address, $name;
}

# The jail names the filter, and the files are what fail2ban takes.
my $jail = slurp(root_dir() . '/conf/fail2ban/jail.d/token-auth.conf');
like $jail, qr/^filter   = token-auth$/m, 'the jail names the filter';
my $etc = "$dir/fail2ban";
system(qw(cp -r /etc/fail2ban), $etc) == 0 && system('sh', '-c', "cp -r '" . root_dir() . "'/conf/fail2ban/* '$etc'") == 0 or die 'cp';
spew("$etc/jail.d/token-auth.conf", $jail =~ s{/var/log/nginx/error\.log}{$dir/error.log}r);
my $parsed = `fail2ban-server -c $etc --dp 2>&1`;
like $parsed, qr/\['add', 'token-auth', '(?:auto|\w+)'\]/, 'fail2ban takes the jail';
like $parsed, qr/\['set', 'token-auth', 'maxretry', 10\]/, 'as it is written';

done_testing;
