# tokenctl init, the global options, and the errors of every command without a valid registry.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Tools qw(as_nobody copy_of done fails_with init_registry json_of new_dir program
    run_tool slurp spew succeeds tokenctl use_registry);

# One call of every command that opens a registry; the second list writes.
my @readers = (
    [qw(org list)], [qw(group list)], [qw(user list)], [qw(member list)], [qw(role list)], [qw(scope list)],
    [qw(list)], [qw(show x)], [qw(export)], [qw(audit)], [qw(migrate --dry-run)],
);
my @writers = (
    [qw(org add a)],         [qw(org suspend a)], [qw(org resume a)], [qw(org remove a)],
    [qw(group add a/b)],     [qw(group remove a/b)],
    [qw(user add a)],        [qw(user disable a)], [qw(user enable a)], [qw(user remove a)],
    [qw(member add a b --role c)], [qw(member remove a b)],
    [qw(role set a b)],      [qw(role remove a)], [qw(scope set a)], [qw(scope remove a)],
    [qw(org set a --max-tokens 1)], [qw(user set a --name n)], [qw(member add a b/c --role d)],
    [qw(create --org a --name n)], [qw(rotate x)], [qw(revoke x)], [qw(restore x)],
    [qw(delete x)],          [qw(import -)], ['migrate'],
);

sub mode_of { return sprintf '%04o', (stat $_[0])[2] & 07777 }

# Big-endian numbers for the header of an SQLite file.
sub patched {
    my ($path, $offset, $number) = @_;
    my $content = slurp($path);
    substr $content, $offset, 4, pack 'N', $number;
    return spew($path, $content);
}

subtest 'init' => sub {
    for my $umask (0077, 0000) {
        my $dir    = new_dir();
        my $result = done(tokenctl({ umask => $umask }, '--registry', "sqlite:$dir/r.db", 'init'));
        is($result->{out}, '', 'nothing on standard output');
        is($result->{err}, "made registry sqlite:$dir/r.db\n", 'one line on standard error');
        is(mode_of("$dir/r.db$_"), '0640', "mode of r.db$_") for '', '-wal', '-shm';
        opendir my $handle, "$dir" or die $!;
        is_deeply([ sort grep { !/^\.+$/ } readdir $handle ], [qw(r.db r.db-shm r.db-wal)],
            'no other file');
    }
    my $dir = new_dir();
    my $one = json_of(done(tokenctl('--json', '--registry', "sqlite:$dir/1.db", 'init')));
    is($one->{registry}, "sqlite:$dir/1.db", 'names the registry');
    like($one->{id}, qr/\A[0-9a-f]{32}\z/, 'gives its id');
    my $two = json_of(done(tokenctl({ dir => "$dir" }, 'init', '--registry=sqlite:2.db', '--json')));
    isnt($two->{id}, $one->{id}, 'each registry has an id of its own');
    ok(-f "$dir/2.db", 'made where it was wanted');
    ok(succeeds(tokenctl('--registry', "sqlite:$dir/a b?c#d%20\"e", 'init')), 'a path with odd characters');
    ok(-f "$dir/a b?c#d%20\"e", 'that very path');
    ok(succeeds(tokenctl('--registry', "sqlite:$dir/a b?c#d%20\"e", 'org', 'list')), 'and it opens');
};

subtest 'init refuses' => sub {
    my $dir  = new_dir();
    my $path = "$dir/r.db";
    ok(fails_with(tokenctl('--registry', "sqlite:$dir/no/r.db", 'init'), 1, qr{directory \Q$dir\E/no does not exist; make it}),
        'a missing directory');
    spew("$dir/file", '');
    ok(fails_with(tokenctl('--registry', "sqlite:$dir/file/r.db", 'init'), 1, qr{\Q$dir\E/file is not a directory}),
        'a parent that is a file');
    ok(succeeds(tokenctl('--registry', "sqlite:$path", 'init')), 'a new one is made');
    my $before = slurp($path);
    ok(fails_with(tokenctl('--registry', "sqlite:$path", 'init'), 1, qr/is a registry already/),
        'an existing registry');
    ok(slurp($path) eq $before, 'which stays as it was');
    spew("$dir/other", 'something else');
    ok(fails_with(tokenctl('--registry', "sqlite:$dir/other", 'init'), 1, qr/move it away/), 'a foreign file');
    is(slurp("$dir/other"), 'something else', 'which stays as it was');
    ok(fails_with(tokenctl('--registry', "sqlite:$dir", 'init'), 1, qr/move it away/), 'a directory');
    unlink $path or die $!;
    ok(fails_with(tokenctl('--registry', "sqlite:$path", 'init'), 1, qr{r\.db-wal is left over.*remove it}),
        'the log of a registry that was removed');
    ok(!-e $path, 'nothing is made');
};

subtest 'an unwritable directory' => sub {
    my $nobody = as_nobody() or plan skip_all => 'no setpriv';
    my $dir    = new_dir();
    my $own    = copy_of(program('tokenctl'), "$dir/tokenctl");
    chmod 0755, $own;
    init_registry($dir);
    my %nobody = (prefix => $nobody, program => $own);
    mkdir "$dir/closed" or die $!;
    chmod 0555, "$dir/closed";
    ok(fails_with(tokenctl({%nobody}, '--registry', "sqlite:$dir/closed/r.db", 'init'), 1, qr{cannot be made in \Q$dir\E/closed: Permission denied; run as an account that may write in that directory}),
        'init');
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    chmod 0640, "$dir/registry.db";
    if ($> == 0) {
        ok(fails_with(tokenctl({%nobody}, qw(org list)), 1, qr/cannot be read: Permission denied; run as/),
            'no permission to read');
        ok(fails_with(tokenctl({%nobody}, 'init'), 1,
            qr/registry\.db: something is at this path already that this account may not read \(Permission denied\); nothing was changed: run as its owner/),
            'init, too');
        chmod 0644, map { "$dir/registry.db$_" } '', '-wal', '-shm';
    }
    else {
        chmod 0444, map { "$dir/registry.db$_" } '', '-wal', '-shm';
    }
    chmod 0555, "$dir" if $> != 0;
    like(done(tokenctl({%nobody}, qw(org list)))->{out},
        qr/^acme /m, 'and gives what is there');
    ok(fails_with(tokenctl({%nobody}, qw(org add b)), 1, qr/cannot be written: Permission denied; run as/),
        'writing needs more');
    chmod 0755, "$dir";
};

subtest 'no registry' => sub {
    my $dir  = new_dir();
    my %case = (
        missing   => [ "$dir/missing.db",                    qr/no such file; make .*tokenctl init/ ],
        file      => [ spew("$dir/text", "no database\n" x 100), qr/is no token-auth registry/ ],
        empty     => [ spew("$dir/empty", ''),               qr/is no token-auth registry/ ],
        directory => [ "$dir",                               qr/is not a regular file/ ],
        under     => [ "$dir/text/r.db",                     qr/cannot be reached: Not a directory/ ],
    );
    init_registry($dir);
    $case{'other application'} =
        [ patched(copy_of("$dir/registry.db", "$dir/other.db"), 68, 42), qr/is no token-auth registry/ ];
    $case{'other version'} =
        [ patched(copy_of("$dir/registry.db", "$dir/later.db"), 60, 99), qr/has version 99, made by a newer release/ ];
    for my $name (sort keys %case) {
        my ($path, $pattern) = @{ $case{$name} };
        my $before = -f $path ? slurp($path) : undef;
        for my $command (@readers, @writers) {
            ok(fails_with(tokenctl('--registry', "sqlite:$path", @$command), 1, $pattern), "$name: @$command");
        }
        if (defined $before) {
            ok(slurp($path) eq $before, "$name: stays as it was");
        }
    }
    ok(!-e "$dir/missing.db", 'a missing registry is not made');
};

subtest 'which registry' => sub {
    my $dir = new_dir();
    init_registry($dir);
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    use_registry(undef);
    my %env = (TOKEN_AUTH_REGISTRY => "sqlite:$dir/registry.db");
    like(done(tokenctl({ env => \%env }, qw(org list)))->{out}, qr/^acme /m,
        'names the registry');
    like(
        done(tokenctl({ env => { TOKEN_AUTH_REGISTRY => "sqlite:$dir/no" } },
            qw(org list --registry), "sqlite:$dir/registry.db"))->{out},
        qr/^acme /m, 'comes first');
    ok(fails_with(tokenctl(qw(org list --registry), $_), 2, qr/--registry is not understood: write sqlite:<path>/),
        "--registry '$_'")
        for 'sqlite:', 'registry.db', 'mysql://a:secret@b/c', '';
    for my $command (@readers, @writers, ['init']) {
        my $result = tokenctl('--registry', 'postgresql://u:hunter2@127.0.0.1:1/d', @$command);
        ok(fails_with($result, 1, qr{registry postgresql://u\@127\.0\.0\.1:1/d: cannot be reached: .*; check the URL}),
            "no server: @$command");
        unlike($result->{err}, qr/hunter2/, 'no password in the message');
    }
    for my $url ('postgresql://u:hunter2@h/d?hunter2', 'postgres://u:hunter2@h/%zz', 'postgresql://u:hunter2@[::1/d') {
        my $result = tokenctl('--registry', $url, qw(org list));
        ok(fails_with($result, 2, qr/--registry is no PostgreSQL URL that libpq understands: write/),
            'a malformed URL');
        unlike($result->{err}, qr/hunter2/, 'no password in the message');
    }
};

subtest 'help, version and wrong usage' => sub {
    my $dir = new_dir();
    init_registry($dir);
    my $version = done(tokenctl('--version'));
    like($version->{out}, qr/\Atokenctl \d+\.\d+\.\d+\n\z/, 'name and number');
    is($version->{err}, '', 'nothing on standard error');
    my @verbs = map { [ grep { /^[a-z]+$/ } @$_[ 0 .. ($_->[0] =~ /^(org|group|user|member|role|scope)$/ ? 1 : 0) ] ] }
        @readers, @writers, ['init'];
    for my $verb (@verbs) {
        my $help = done(tokenctl(@$verb, '--help'));
        like($help->{out}, qr/Usage: tokenctl @$verb/, 'names the command');
        is($help->{err}, '', 'nothing on standard error');
        ok(fails_with(tokenctl(@$verb, '--nonesuch'), 2, qr/--nonesuch.*see `tokenctl @$verb --help`/),
            "@$verb --nonesuch");
    }
    ok(fails_with(tokenctl(), 2, qr/see `tokenctl --help`/), 'no command');
    ok(fails_with(tokenctl($_), 2, qr/see `tokenctl $_ --help`/), "$_ alone")
        for qw(org group user member role scope show revoke restore delete rotate import create);
    ok(fails_with(tokenctl('nonesuch'), 2, qr/nonesuch/), 'an unknown command');
    ok(fails_with(tokenctl($_, 'surplus'), 2, qr/surplus/), "$_ surplus") for qw(init list export audit);
    ok(fails_with(tokenctl(qw(org list surplus)), 2, qr/surplus/), 'org list surplus');
    ok(fails_with(tokenctl('org', 'add', 'acme', '--actor', "a\nb"), 2, qr/--actor must be/), '--actor');
};

subtest 'standard output that cannot be written' => sub {
    -c '/dev/full' or plan skip_all => 'no /dev/full';
    my $dir = new_dir();
    init_registry($dir);
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    for my $command ([qw(org list)], [qw(export)], [qw(create --org acme --name n)]) {
        my $result = tokenctl({ stdout => '/dev/full' }, @$command);
        is($result->{status}, 1, "@$command");
        like($result->{err}, qr/cannot write to standard output/, 'says why');
    }
    is_deeply([ map { $_->{status} } @{ json_of(tokenctl(qw(list --json))) } ], ['revoked'],
        'a token that could not be shown lets nobody in');
};

done_testing();
