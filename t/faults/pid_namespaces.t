# Two nginx and a tokensync in PID namespaces of their own, with equal process numbers, and the store on
# read-only mounts, as in containers: all serve, and revocations arrive.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Faults;
use TokenAuth::Util qw(eventually spew);

my $fault = 'PID namespaces with equal PIDs, a read-only mount';
my @unshare = qw(unshare --mount --pid --fork --kill-child --mount-proc);
TokenAuth::Faults->cannot($fault, 'needs namespaces (root, unshare)') if system("@unshare true 2>/dev/null") != 0;

# Directories are exchanged within the one that is mounted.
my $world = TokenAuth::Faults->new(
    store => sub { my $above = $_[0]->dir . '/stores'; mkdir $above or die "$above: $!"; return "$above/db" });
my $above = $world->dir . '/stores';
my $nginx = spew($world->dir . '/nginx', <<"END");
#!/bin/sh
exec @unshare sh -c '
    mount --bind $above $above && mount -o remount,bind,ro $above || exit 1
    touch $above/db/file 2>/dev/null && exit 1
    exec /usr/sbin/nginx "\$@"' sh "\$@"
END
chmod 0755, $nginx or die "$nginx: $!";

# The process in a namespace that unshare made: only it heeds signals.
sub inside {
    my ($unshare) = @_;
    open my $ps, '-|', 'ps', '-o', 'pid=', '--ppid', $unshare or die "ps: $!";
    return (map { /(\d+)/ } <$ps>)[0] // die "nothing runs in the namespace\n";
}

my ($one, $two) = qw(one two);
$world->import_lines(map { TokenAuth::Sync::token($_, organization => 'calm', scopes => ['agents:read']) } $one, $two);
$world->sync_ok('run', $world->group);
my @servers;
for my $name (qw(first second)) {
    my $dir = $world->dir . "/$name";
    mkdir $dir or die "$dir: $!";
    my $server = TokenAuth::Server->start(dir => $dir, binary => $nginx, main => 'worker_processes 2;', http => <<"END");
    server {
        listen 127.0.0.1:%PORT%;
        add_header X-Worker \$pid always;
        location = /secret { token_auth api; token_auth_db $above/db; alias $world->{dir}/html/secret; }
    }
END
    $server->adopt(inside($server->pid));
    push @servers, $server;
}
my $watch = $world->watch({ as => \@unshare });
my $tokensync = eventually(sub { eval { inside($watch->{pid}) } });
sub numbers { my ($pid) = @_; my ($text) = TokenAuth::Util::slurp("/proc/$pid/status") =~ /^NSpid:\s+(.*)/m; return (split ' ', $text)[-1] }
is_deeply [ map { numbers($_) } $tokensync, map { $_->pid } @servers ], [ 1, 1, 1 ], 'their process numbers are equal';

sub answers { return join ' ', map { ($_->get('/secret', Authorization => "Bearer $_[0]-token"))[0] } @servers }
my %workers;
for (1 .. 40) {
    for my $server (@servers) {
        my ($status, $head) = $server->get('/secret', Authorization => "Bearer $one-token");
        my ($worker) = $head =~ /^X-Worker: (\d+)/m;
        ++$workers{$worker}{ $server->port }{$status};
    }
}
cmp_ok scalar(grep { keys %$_ == 2 } values %workers), '>=', 1, 'workers of both have one number' or diag explain \%workers;
is_deeply [ map { map { keys %$_ } values %$_ } values %workers ], [ (200) x map { keys %$_ } values %workers ],
    'all of them serve';
for my $i (1 .. $world->times(3, 30)) {
    $world->ctl_ok('revoke', $one);
    ok eventually(sub { answers($one) eq '401 401' }), 'a revocation arrives' or diag $world->last_of($watch);
    $world->ctl_ok('restore', $one);
    ok eventually(sub { answers($one) eq '200 200' }), 'and what undoes it';
    $world->fault(scalar @servers);
}
# A store that takes the served one's place arrives through the mount, too.
$world->ctl_ok('revoke', $two);
kill 'TERM', $tokensync;
waitpid delete $watch->{pid}, 0;
$world->sync_ok('run', '--rebuild', $world->group);
ok eventually(sub { answers($two) eq '401 401' }), 'so does a rebuilt store';
is scalar(grep { $_->errors =~ /\[(?:error|crit|alert|emerg)\]/ } @servers), 0, 'nothing to complain about'
    or diag map { $_->errors } @servers;
$world->report($fault);
done_testing;
