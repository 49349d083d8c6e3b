# What "cmake --install" puts where.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;
use TokenAuth::Util qw(build_dir lines_from run_tool slurp);

my $dir = tempdir('token-auth-install-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $done = run_tool(['cmake', '--install', build_dir()], env => { DESTDIR => $dir });
is $done->{status}, 0, 'cmake --install' or diag $done->{err};
my @files = sort map { s/^\Q$dir\E//r } lines_from('find', $dir, '-type', 'f', '-o', '-type', 'l');
my %expected = map { ("/usr/local/$_" => 1) } qw(
    bin/tokenctl bin/tokensync bin/tokenapi
    lib/systemd/system/tokensync.service lib/systemd/system/tokenapi.service lib/systemd/system/tokenapi.socket
    lib/sysusers.d/token-auth.conf lib/sysusers.d/token-auth-nginx.conf lib/sysusers.d/token-auth-console.conf
    lib/tmpfiles.d/token-auth.conf lib/tmpfiles.d/token-auth-nginx.conf lib/tmpfiles.d/token-auth-console.conf
    share/bash-completion/completions/tokenctl share/bash-completion/completions/tokensync share/bash-completion/completions/tokenapi
    share/man/man1/tokenctl.1 share/man/man1/tokensync.1 share/man/man1/tokenapi.1 share/man/man5/ngx_http_token_auth_module.5
);
is_deeply \@files, [sort keys %expected], 'files';
for my $start ('tokensync watch', 'tokenapi serve') {
    my ($service) = split / /, $start;
    like slurp("$dir/usr/local/lib/systemd/system/$service.service"), qr{^ExecStart=/usr/local/bin/$start }m,
        "$service.service starts the program that was installed";
}
for my $kind (qw(sysusers tmpfiles)) {
    my $tool = "systemd-$kind";
    SKIP: {
        skip "no $tool", 1 if system("command -v $tool >/dev/null") != 0;
        my $root = tempdir(CLEANUP => 1);
        mkdir "$root/etc";
        my @create = $kind eq 'tmpfiles' ? ('--create') : ();
        system("systemd-sysusers", "--root=$root", glob "$dir/usr/local/lib/sysusers.d/*") if $kind eq 'tmpfiles';
        my $made = run_tool([$tool, "--root=$root", @create, glob "$dir/usr/local/lib/$kind.d/*"]);
        is $made->{status}, 0, "$tool takes them" or diag $made->{err};
    }
}
done_testing;
