# The directive token_auth_zone: what nginx -t says of it.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use Test::More;

my $dir = gateway_dir() . '/nginx';
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
    qr/\[emerg\] [^\n]*"token_auth_zone" of 32768 bytes is too small for the stores and labels that are named; give it more/,
    'more stores than have room';
like nginx_t('token_auth_zone 32k; ' . join ' ', map { "server { listen 127.0.0.1:1; token_auth_label label$_; }" } 1 .. 9),
    qr/\[emerg\] [^\n]*"token_auth_zone" of 32768 bytes is too small for the stores and labels that are named; give it more/,
    'more labels than have room';

# Directives that show what is in it.
like nginx_t("token_auth_zone off;\nserver { listen 127.0.0.1:1; location / {\n$_; } }"),
    qr/\[emerg\] [^\n]*"\w+" has nothing to show, because "token_auth_zone" is off; give it a size, or remove the directive in [^\n]*test\.conf:\d+/,
    "off with $_"
    for 'token_auth_status json', 'token_auth_usage';

done_testing;
