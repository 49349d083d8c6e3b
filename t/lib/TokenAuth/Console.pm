# tokenapi behind a real nginx with conf/token_auth_console.conf, on a port of this machine and without TLS.
package TokenAuth::Console;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);
use TokenAuth::Server;
use TokenAuth::Util qw(build_dir root_dir slurp);

our @EXPORT_OK = qw(console_conf);

# The file with these in place of what an operator sets: listen, socket, console (its directory; if it is not given, where
# scripts/build makes it).
sub console_conf {
    my (%with) = @_;
    my $conf = slurp(root_dir() . '/conf/token_auth_console.conf');
    $conf =~ s{listen 443 ssl;}{listen $with{listen};} or die 'no listen';
    $conf =~ s{^    (?:listen \[::\]|ssl_certificate).*\n}{}mg == 3 or die 'no TLS';
    $conf =~ s{unix:/run/token-auth/api\.sock}{unix:$with{socket}}g >= 1 or die 'no socket';
    my $console = $with{console} // build_dir() . '/console';
    $conf =~ s{/usr/share/token-auth/console}{$console}g == 2 or die 'no console';
    return $conf;
}

# start(api => TokenAuth::Api, http => "…" (more of the http block), edit => sub that changes the file, in $_, and
# console as above, main, connections as of TokenAuth::Server).
# Returns a TokenAuth::Server.
sub start {
    my ($class, %options) = @_;
    my $dir = tempdir('token-auth-console-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    # nginx's workers may be another account
    chmod 0755, $options{api}->dir;
    chmod 0666, $options{api}->socket;
    local $_ = console_conf(listen => '127.0.0.1:%PORT%', socket => $options{api}->socket, console => $options{console});
    $options{edit}->() if $options{edit};
    my $server = TokenAuth::Server->start(dir => $dir, http => ($options{http} // '') . $_, map { $_ => $options{$_} } qw(main connections));
    return $server;
}

1;
