# Large registries for measurements, alike in both databases, and streams of changes to them.
#
# Half of the tokens belong to organizations (each with its technical user), half to 100,000 people with
# one membership each. The text of token t7 is "t7-token".
package Bench::Sync::Registry;

use strict;
use warnings;

use DBI;
use POSIX ();
use TokenAuth::Postgres;
use TokenAuth::Util ();
use Time::HiRes qw(sleep time);

my $content = <<'END';
SET session_replication_role = replica;
SET search_path = token_auth;
INSERT INTO roles VALUES ('reader', 'agents:read sites:read');
INSERT INTO organizations SELECT 'org' || i, 0, 0 FROM generate_series(0, 9999) i;
INSERT INTO users SELECT 'user' || i, 0, 0, 0 FROM generate_series(0, 99999) i;
INSERT INTO memberships SELECT 'user' || i, 'org' || (i % 10000), 'reader', 0 FROM generate_series(0, 99999) i;
INSERT INTO users SELECT 'tu-t' || i, 1, 0, 0 FROM generate_series(1, %COUNT%, 2) i;
INSERT INTO tokens (id, digest, kind, user_id, organization, role, scopes, name, created_at, expires_at)
    SELECT 't' || i, encode(sha256(('t' || i || '-token')::bytea), 'hex'),
        CASE WHEN i % 2 = 1 THEN 'organization' ELSE 'user' END,
        CASE WHEN i % 2 = 1 THEN 'tu-t' || i ELSE 'user' || (i % 100000) END,
        CASE WHEN i % 2 = 1 THEN 'org' || (i % 10000) END, CASE WHEN i % 2 = 1 THEN 'reader' END,
        'agents:read', 'Deploy script ' || i, 1700000000, 4102444800
    FROM generate_series(1, %COUNT%) i;
END

my @tables = qw(roles organizations users memberships tokens);

sub init {
    my ($url) = @_;
    my $made = TokenAuth::Util::run_tool([ TokenAuth::Util::program('tokenctl'), '--registry', $url, 'init' ]);
    die "tokenctl init: $made->{err}" if $made->{status} != 0;
    return;
}

# A new registry of that many tokens in a PostgreSQL server, made by these statements if not as described above.
sub in_postgresql {
    my ($class, $server, $count, $other) = @_;
    my $database = $server->database;
    init($server->url($database));
    (my $statements = $other // $content) =~ s/%COUNT%/$count/g;
    $server->sql($database, $statements);
    $server->sql($database, 'ANALYZE');    # as autovacuum does in time
    $server->sql('postgres', 'CHECKPOINT');
    return bless { engine => 'postgresql', url => $server->url($database), host => $server->dir, database => $database,
        count => $count }, $class;
}

# The same in an SQLite file.
sub in_sqlite {
    my ($class, $postgresql, $file) = @_;
    init("sqlite:$file");
    my $db = DBI->connect("dbi:SQLite:dbname=$file", '', '', { RaiseError => 1 });
    $db->do("PRAGMA $_") for 'journal_mode = OFF', 'synchronous = OFF', 'cache_size = -2000000';
    my $later = $db->selectall_arrayref(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL");
    $db->do("DROP $_->[0] $_->[1]") for @$later;
    for my $table (@tables) {
        my $columns = $db->selectcol_arrayref("SELECT name FROM pragma_table_info('$table')");
        my $insert = $db->prepare("INSERT INTO $table VALUES (" . join(', ', ('?') x @$columns) . ')');
        my $order = $table eq 'tokens' ? 'ORDER BY digest' : '';
        my $list = join ', ', @$columns;
        open my $rows, '-|', 'psql', '-X', '-q', '-d', $postgresql->{url}, '-c',
            "COPY (SELECT $list FROM token_auth.$table $order) TO STDOUT" or die "psql: $!";
        $db->begin_work;
        while (my $row = <$rows>) {
            chomp $row;
            $insert->execute(map { $_ eq '\N' ? undef : $_ } split /\t/, $row, -1);
        }
        $db->commit;
        close $rows or die "psql failed\n";
    }
    $db->do($_->[2]) for @$later;
    $db->do('PRAGMA journal_mode = WAL');
    $db->disconnect;
    return bless { engine => 'sqlite', url => "sqlite:$file", file => $file, count => $postgresql->{count} }, $class;
}

sub url { return $_[0]{url} }

# A connection like that of a dashboard.
sub connect {
    my ($self) = @_;
    my %options = (AutoCommit => 1, RaiseError => 1, PrintError => 0);
    if ($self->{engine} eq 'postgresql') {
        my $db = DBI->connect("dbi:Pg:dbname=$self->{database};host=$self->{host}", 'postgres', '', \%options);
        $db->do('SET search_path = token_auth');
        return $db;
    }
    my $db = DBI->connect("dbi:SQLite:dbname=$self->{file}", '', '', \%options);
    $db->sqlite_busy_timeout(30_000);
    $db->do('PRAGMA synchronous = FULL');
    return $db;
}

# Changes the names of that many tokens, in one transaction.
sub change {
    my ($self, $db, $changes, $from) = @_;
    $db->begin_work;
    my $update = $db->prepare('UPDATE tokens SET name = ? WHERE id = ?');
    $update->execute("Renamed $$ $_", 't' . (1 + ($from + $_ * 7919) % $self->{count})) for 1 .. $changes;
    $db->commit;
    return;
}

# Starts a process that makes $rate changes a second, in 100 transactions a second; stop_stream() ends it and
# gives the rate that was reached.
sub stream {
    my ($self, $rate, @pinned) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $in;
        system "$pinned[0] -pc $pinned[2] $$ >/dev/null 2>&1" if @pinned;
        my $stop = 0;
        local $SIG{TERM} = sub { $stop = 1 };
        my $ok = eval {
            my $db = $self->connect;
            my ($begun, $done) = (time, 0);
            until ($stop) {
                $self->change($db, $rate / 100, $done);
                $done += $rate / 100;
                my $ahead = $done / $rate - (time - $begun);
                sleep $ahead if $ahead > 0;
            }
            print {$out} $done / (time - $begun), "\n";
            1;
        };
        print STDERR $@ if !$ok;
        close $out;
        POSIX::_exit($ok ? 0 : 1);
    }
    close $out;
    return { pid => $pid, in => $in };
}

sub stop_stream {
    my ($stream) = @_;
    kill 'TERM', $stream->{pid};
    my $rate = readline $stream->{in};
    waitpid $stream->{pid}, 0;
    die "the stream of changes failed\n" if $? != 0;
    return 0 + $rate;
}

1;
