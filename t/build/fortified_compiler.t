# The module builds with the options of scripts/build if the compiler defines _FORTIFY_SOURCE itself.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $dir = tempdir('token-auth-build-XXXXXX', TMPDIR => 1, CLEANUP => 1);

open my $wrapper, '>', "$dir/cc" or die "cc: $!";
print $wrapper qq(#!/bin/sh\nexec cc -D_FORTIFY_SOURCE=3 "\$@"\n);
close $wrapper or die "cc: $!";
chmod 0755, "$dir/cc" or die "chmod: $!";

open my $script, '>', "$dir/build" or die "build: $!";
print $script <<"END";
. '$root/scripts/lib/common.sh'
cp -r /usr/share/nginx/src '$dir/src'
cd '$dir/src'
. ./conf_flags
./configure "\${NGX_CONF_FLAGS[\@]}" "\${module_options[\@]}" --with-cc='$dir/cc' --add-dynamic-module='$root'
make -f objs/Makefile -j2 modules
END
close $script or die "build: $!";
my $output = `bash '$dir/build' 2>&1`;
is $?, 0, 'it builds' or diag join "\n", grep { defined } (split /\n/, $output)[-30 .. -1];
ok -e "$dir/src/objs/ngx_http_token_auth_module.so", 'the module is there';
done_testing;
