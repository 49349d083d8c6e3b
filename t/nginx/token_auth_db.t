# The directive token_auth_db: stores that are missing, appear, vanish and are replaced while nginx runs;
# several stores; one store under several names.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Server;
use TokenAuth::Util ();
use Test::More;
use Time::HiRes qw(sleep);

my $dir = gateway_dir() . '/nginx';
mkdir "$dir" and mkdir "$dir/html" or die "$dir: $!";
my $html = "$dir/html";

spew("$html/secret", "secret\n");

# "older.new" is written before "older".
sync_into("$dir/$_") for qw(older.new older lost replaced other);
my $later = 'later-token';
import_lines(token_line('later', 'organization', organization => 'acme'));
tokensync('run');
sync_into("$dir/replaced.new");
mkdir "$dir/empty" or die "empty: $!";
mkdir "$dir/noise" or die "noise: $!";
spew("$dir/noise/data.mdb", join '', map { chr(($_ * 7919) % 251) } 1 .. 65536);
spew("$dir/noise/lock.mdb", '');
symlink store_dir(), "$dir/link" or die "link: $!";

my %stores = (
    main => store_dir(), again => store_dir(), slash => store_dir() . '/',
    spelled => gateway_dir() . '/.//db/./', link => "$dir/link",
    dots => gateway_dir() . '/./nginx/../db', relative => '../db',
    map { $_ => "$dir/$_" } qw(other late lost replaced older empty noise),
);
my $locations = join "\n",
    map { "        location = /$_ { alias $html/secret; token_auth_db $stores{$_}; }" } sort keys %stores;
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth api;
    token_auth_db $stores{main};
    server {
        listen 127.0.0.1:%PORT%;
        location / { root $html; }
$locations
    }
END

sub status {
    my ($place, $token) = @_;
    my @answer = $server->get("/$place", Authorization => 'Bearer ' . ($token // 'acme-token'));
    return $answer[0];
}

# Asks until the status is the one given, for at most 15 seconds; the last one.
sub soon {
    my ($place, $wanted, $token) = @_;
    my $status;
    for (1 .. 300) {
        $status = status($place, $token);
        last if $status == $wanted;
        sleep 0.05;
    }
    return $status;
}

sub lines {
    my ($pattern) = @_;
    return grep { $_ =~ $pattern } split /^/, $server->errors;
}

my %expected = map { $_ => $_ =~ /^(?:late|empty|noise)$/ ? 503 : 200 } keys %stores;
is_deeply { map { $_ => status($_) } keys %stores }, \%expected, 'at the start';
is status('secret'), 200, 'inherited';
is_deeply [ lines(qr{"[^"]*(?://|/\.(?:/|"))[^"]*" is served}) ], [], 'each path is spelled in one way';

# One mapping for one store, whatever its names; the log names each path.
SKIP: {
    skip "/proc is not mounted", 4 unless -e "/proc/self/maps";
    open my $children, '<', "/proc/@{[$server->pid]}/task/@{[$server->pid]}/children" or die "children: $!";
    my ($worker) = split ' ', <$children>;
    my $maps = join '', do { open my $in, '<', "/proc/$worker/maps" or die "maps: $!"; <$in> };
    my $data = quotemeta store_dir() . '/data.mdb';
    is scalar(() = $maps =~ /^.* $data$/mg), 1, 'one mapping for one store, by however many names';
    is scalar(() = $maps =~ /^.*\/data\.mdb$/mg), 1 + 4, 'and one for each other';
    is_deeply [ grep { !/^\S+ r--s / } $maps =~ /^(.*\/data\.mdb)$/mg ], [], 'all of them only for reading';
    my %opened = map { ((readlink) // '') => (TokenAuth::Util::slurp(s/fd/fdinfo/r) =~ /^flags:\s+\d*(\d)$/m)[0] }
        glob "/proc/$worker/fd/*";
    my @files = grep { m{^\Q@{[gateway_dir()]}\E/.*db/|/nginx/(?:lost|other|older|replaced)/} } sort keys %opened;
    is_deeply [ map { m{/data\.mdb$} && ($opened{$_} & 3) == 0 ? () : $_ } @files ], [],
        'it opens nothing but data.mdb, and that for reading';
}

is status('main', $later), 200, 'one store has a token';
is status('other', $later), 401, 'that another has not';

# Each loss is logged once, with the remedy.
status($_) for (qw(late empty noise)) x 5;
for my $place (qw(late empty)) {
    my @lines = lines(qr/token store "$dir\/$place" is unavailable/);
    is @lines, 1, "$place: told once";
    like $lines[0], qr/\[error\] .*requests get 503: cannot find data\.mdb: No such file or directory; correct the path, or run "tokensync run --db \Q$dir\E\/$place"/,
        "$place: with the remedy";
}
my @noise = lines(qr/token store "$dir\/noise" is unavailable/);
is @noise, 1, 'noise: told once';
like $noise[0], qr/\[error\] .*no LMDB file; run "tokensync run --rebuild --db \Q$dir\E\/noise"/, 'noise: with the remedy';
ok !-e "$dir/late", 'nothing was made where there was nothing';
is join(' ', map { s{.*/}{}r } glob "$dir/empty/*"), '', 'nor in an empty directory';

# Everything changes at once.
sync_into("$dir/late");
rmdir "$dir/empty" or die "empty: $!";
sync_into("$dir/empty");
system('rm', '-r', "$dir/noise") == 0 or die 'cannot remove the noise';
sync_into("$dir/noise");
rename "$dir/lost", "$dir/lost.away" or die "lost: $!";
for my $place (qw(replaced older)) {
    rename "$dir/$place", "$dir/$place.was" or die "$place: $!";
    rename "$dir/$place.new", "$dir/$place" or die "$place: $!";
}
is soon('late', 200), 200, 'a store that comes later is served';
is soon('empty', 200), 200, 'so is one in a directory that was empty';
is soon('noise', 200), 200, 'and one in place of noise';
is status('lost'), 200, 'a store that is gone is, for ten seconds';
is soon('replaced', 200, $later), 200, 'one that was replaced is the new one';
like join('', lines(qr/token store "$dir\/replaced" was replaced/)), qr/\[notice\] .*generation \d+ after \d+$/,
    'and that is told';
is status('older'), 200, 'in place of a store that went back, the one that was served is';
like join('', lines(qr/token store "$dir\/older" was replaced by an older one/)),
    qr/\[error\] .*not taken up: it has generation \d+, but \d+ was served; run "tokensync run --rebuild --db \S+"/, 'and that is told';
status('older') for 1 .. 5;
is lines(qr/token store "$dir\/older"/), 2, 'once, after the notice that it is served';
sync_into("$dir/older");
is soon('older', 200, $later), 200, 'once it is brought up to date, as the log said, it is taken up';

is soon('lost', 503), 503, 'the store that is gone is served no more';
rename "$dir/lost.away", "$dir/lost" or die "lost: $!";
is soon('lost', 200), 200, 'a store that is back is served again';
is lines(qr/token store "$dir\/lost" is unavailable/), 1, 'its loss was told once';
is lines(qr/\[notice\] .*token store "$dir\/lost" is served: generation \d+/), 2, 'its coming twice';

# A link that now leads to another store.
symlink "$dir/other", "$dir/link.new" or die "link: $!";
import_lines(token_line('latest', 'organization', organization => 'acme'));
sync_into("$dir/other");
rename "$dir/link.new", "$dir/link" or die "link: $!";
is soon('link', 200, 'latest-token'), 200, 'a link that leads elsewhere now';
is status('main', 'latest-token'), 401, 'while what it led to is as it was';

# A change in a store shows at once.
tokensync('run');
is status('main', 'latest-token'), 200, 'a change, without waiting';
is status('again', 'latest-token'), 200, 'under its other names too';

# A store that nginx's account may not read at first.
SKIP: {
    skip 'only root can take permissions away from another', 3 if $> != 0;
    my $place = gateway_dir() . '/private';
    mkdir "$place" or die "$place: $!";
    sync_into("$place/db");
    system('chmod', '-R', 'o+rwX', "$place/db") == 0 or die 'chmod failed';
    chmod 0700, "$place/db" or die "chmod: $!";
    $server = TokenAuth::Server->start(dir => $place, http => <<"END");
    token_auth api;
    token_auth_db $place/db;
    server { listen 127.0.0.1:%PORT%; root $html; }
END
    is status('secret'), 503, 'a store that may not be read';
    like join('', lines(qr/is unavailable/)), qr/Permission denied; this process is user @{[ scalar getpwnam 'www-data' ]} with group \d+: let that group read the store \("tokensync run --group \d+ --db \Q$place\E\/db" does\)/, 'with the remedy';
    chmod 0755, "$place/db" or die "chmod: $!";
    is soon('secret', 200), 200, 'once it may be';
}

done_testing;
