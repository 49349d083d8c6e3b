# The database of the tests' registries: SQLite, or PostgreSQL if TOKEN_AUTH_TEST_REGISTRY says so.
package TokenAuth::Registry;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2 qw(open2);
use Test::More ();
use TokenAuth::Postgres;
use TokenAuth::Util qw(lines_from);

our @EXPORT_OK = qw(new_registry on_postgresql open_registry rows_of sqlite_only unchecked);

my $wanted = $ENV{TOKEN_AUTH_TEST_REGISTRY} // 'sqlite';
$wanted =~ /\A(?:sqlite|postgresql)\z/ or die "TOKEN_AUTH_TEST_REGISTRY is neither sqlite nor postgresql\n";

sub on_postgresql { return $wanted eq 'postgresql' }

# Skips a subtest that is about SQLite's files.
sub sqlite_only {
    Test::More::plan(skip_all => 'of an SQLite file') if on_postgresql();
    return;
}

# The URL for a new registry: of that file, or in a new database.
sub new_registry {
    my ($file) = @_;
    return "sqlite:$file" if !on_postgresql();
    my $server = TokenAuth::Postgres->shared;
    return $server->url($server->database);
}

# Runs SQL on a registry; returns the rows, columns separated by "|". Dies if it fails.
sub rows_of {
    my ($url, $statements) = @_;
    return TokenAuth::Postgres::sql_at($url, "SET search_path = token_auth;\n$statements")
        if $url =~ /\Apostgres/;
    my ($file) = $url =~ /\Asqlite:(.*)/s;
    return [ lines_from('sqlite3', '-batch', '-noheader', '-cmd', '.timeout 10000', $file, $statements) ];
}

# Statements that the tables' checks do not see: rows as damage or an older release may leave them.
sub unchecked {
    my ($statements) = @_;
    return "PRAGMA ignore_check_constraints = ON; $statements" if !on_postgresql();
    return <<"SQL";
DO \$\$
DECLARE
    old RECORD;
BEGIN
    FOR old IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'token_auth'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', old.relation, old.conname);
    END LOOP;
END
\$\$;
$statements
SQL
}

# Starts a client of a registry that reads statements from a pipe and ends if one fails: its process,
# the handle of its rows, and the handle for statements.
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
