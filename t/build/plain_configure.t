# The module also builds with nginx's own configure and make, and loads.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $nginx = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $dir = tempdir('token-auth-build-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub succeeds {
    my ($command, $what) = @_;
    my $output = `cd $dir/src && ( $command ) 2>&1`;
    return ok($? == 0, $what) || diag(join "\n", grep { defined } (split /\n/, $output)[-30 .. -1]);
}

is system('cp', '-r', '/usr/share/nginx/src', "$dir/src"), 0, 'the headers of nginx-dev';
succeeds("./configure --with-compat --add-dynamic-module=$root", './configure --with-compat --add-dynamic-module');
succeeds('make -f objs/Makefile -j2 modules', 'make modules');
my $module = "$dir/src/objs/ngx_http_token_auth_module.so";
open my $conf, '>', "$dir/nginx.conf" or die "nginx.conf: $!";
print $conf <<"END";
load_module $module;
pid $dir/nginx.pid;
events {}
http {
    access_log off;
    token_auth_db $dir/db;
    server { listen 127.0.0.1:1; location / { token_auth api; } }
}
END
close $conf or die "nginx.conf: $!";
succeeds("$nginx -t -p $dir -c $dir/nginx.conf -e $dir/error.log", 'nginx takes it');

my @exported = sort map { (split)[2] } split /\n/, `nm -D --defined-only $module`;
is "@exported", 'ngx_module_names ngx_module_order ngx_modules', 'it exports what nginx needs and nothing else';
my @libraries = sort map { /Shared library: \[([^\]]+)\]/ ? $1 : () } split /\n/, `readelf -d $module`;
is_deeply [ map { s/\.so.*//r } grep { !/^lib(?:c|m|gcc_s|stdc\+\+)\.so|^ld-linux/ } @libraries ], ['libcrypto'],
    'it links libcrypto only';
done_testing;
