# Which database the tests' registries are in: SQLite, or PostgreSQL where TOKEN_AUTH_TEST_REGISTRY
# says so.
package TokenAuth::Registry;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2 qw(open2);
use Test::More ();
use TokenAuth::Postgres;

our @EXPORT_OK = qw(new_registry on_postgresql open_registry rows_of sqlite_only);

my $wanted = $ENV{TOKEN_AUTH_TEST_REGISTRY} // 'sqlite';
$wanted =~ /\A(?:sqlite|postgresql)\z/ or die "TOKEN_AUTH_TEST_REGISTRY is neither sqlite nor postgresql\n";

sub on_postgresql { return $wanted eq 'postgresql' }

# In a subtest: what follows is about SQLite's files.
sub sqlite_only {
    Test::More::plan(skip_all => 'of an SQLite file') if on_postgresql();
    return;
}

# The URL of a registry that is yet to be made: of that file, or in a new database.
sub new_registry {
    my ($file) = @_;
    return "sqlite:$file" if !on_postgresql();
    my $server = TokenAuth::Postgres->shared;
    return $server->url($server->database);
}

# Runs SQL on a registry; the rows, columns separated by "|". Dies where it fails.
sub rows_of {
    my ($url, $statements) = @_;
    return TokenAuth::Postgres::sql_at($url, "SET search_path = token_auth;\n$statements")
        if $url =~ /\Apostgres/;
    my ($file) = $url =~ /\Asqlite:(.*)/s;
    open my $sqlite, '-|', 'sqlite3', '-batch', '-noheader', $file, $statements or die "sqlite3: $!";
    my @rows = <$sqlite>;
    close $sqlite or die "sqlite3 failed: $statements\n";
    chomp @rows;
    return \@rows;
}

# A client of a registry that reads statements from a pipe, and ends where one fails: its process,
# and where its rows come from and statements go to.
sub open_registry {
    my ($url) = @_;
    my ($file) = $url =~ /\Asqlite:(.*)/s;
    my $process = open2(my $from, my $to, defined $file
        ? ('sqlite3', '-batch', '-noheader', $file)
        : ('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $url));
    print $to defined $file
        ? ".bail on\n.timeout 30000\nPRAGMA foreign_keys = ON;\n"
        : "SET search_path = token_auth;\n";
    return ($process, $from, $to);
}

1;
