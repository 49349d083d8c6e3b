# The directive token_auth_zone: what nginx -t says of it.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::More;

my $dir = gateway_dir() . '/nginx';
mkdir $dir or die "$dir: $!";
my $store = store_dir();

# What nginx -t says of an http block that names the store.
sub nginx_t {
    my ($http) = @_;
    my $conf = "$dir/test.conf";
    open my $out, '>', $conf or die "$conf: $!";
    print $out load_modules(), <<"END";
pid $dir/test.pid;
events {}
http {
    access_log off;
    client_body_temp_path $dir/temp; proxy_temp_path $dir/temp; fastcgi_temp_path $dir/temp;
    uwsgi_temp_path $dir/temp; scgi_temp_path $dir/temp;
    token_auth_db $store;
    $http
}
END
    close $out or die "$conf: $!";
    open my $in, '-|', 'sh', '-c', 'exec "$0" "$@" 2>&1', $ENV{TEST_NGINX_BINARY}, '-t', '-q', '-p', $dir, '-c', $conf,
        '-e', 'stderr'
        or die "nginx: $!";
    local $/;
    my $said = <$in> // '';
    close $in;
    return $said;
}

is nginx_t(''), '', 'the default';
is nginx_t('token_auth_zone 32k;'), '', 'the smallest zone';
is nginx_t('token_auth_zone off;'), '', 'off';
like nginx_t('token_auth_zone 31k;'), qr/\[emerg\] [^\n]*"token_auth_zone" of 31k is too small, it takes at least 32k in /,
    'a zone that is too small';
like nginx_t('token_auth_zone many;'), qr/\[emerg\] [^\n]*invalid size "many" of "token_auth_zone"/, 'no size';
like nginx_t('token_auth_zone off; token_auth_zone 4m;'), qr/\[emerg\] [^\n]*"token_auth_zone" directive is duplicate/,
    'twice';
like nginx_t('server { token_auth_zone 4m; }'), qr/\[emerg\] [^\n]*"token_auth_zone" directive is not allowed here/,
    'in a server';

# Each store that is named takes some room in it.
my $stores = join '', map { "server { listen 127.0.0.1:1; location / { token_auth_db $dir/" . ('s' x 200) . "$_; } }\n" } 1 .. 200;
like nginx_t("token_auth_zone 32k; $stores"),
    qr/\[emerg\] [^\n]*"token_auth_zone" of 32768 bytes is too small for the stores that are named; give it more/,
    'more stores than have room';

done_testing;
