# tokenctl audit; and simultaneous changes, none of which is lost.
use strict;
use warnings;

use FindBin;
use IO::Handle;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use TokenAuth::Tools qw(done fails_with files_hold finish_tool init_registry json_of lines_of
    new_dir program start_tool succeeds tokenctl);
use TokenAuth::Registry qw(on_postgresql sqlite_only);

sub answer { return json_of(done(tokenctl(@_, '--json'))) }

# "actor action entity key" of each row.
sub rows { return [ map { "$_->{actor} $_->{action} $_->{entity} $_->{key}" } @{ answer('audit', @_) } ] }

subtest 'every change' => sub {
    my $dir = new_dir();
    init_registry($dir);
    is_deeply(answer('audit'), [], 'a new registry has none');
    my @actor = qw(--actor eve);
    my $done  = sub { done(tokenctl(@actor, @_)) };
    $done->(@$_)
        for [qw(org add acme)], [qw(org suspend acme)], [qw(org suspend acme)], [qw(org resume acme)],
        [qw(group add acme/ops)], [qw(user add ann)], [qw(user disable ann)], [qw(user enable ann)],
        [qw(role set r a)], [qw(role set r b)], [qw(role set r b)], [qw(role set s b)],
        [qw(member add ann acme --role r)], [qw(member add ann acme --role s)];
    my $made = json_of($done->(qw(create --org acme --name n --json)));
    my $one  = $made->{id};
    $done->('revoke', $one, $one);
    $done->('restore', $one);
    my $two = json_of($done->('rotate', $one, '--json'))->{id};
    $done->('delete', $two);
    $done->(@$_)
        for [qw(member remove ann acme)], [qw(role remove r)], [qw(member add ann acme --role s)],
        [qw(user remove ann)], [qw(create --group acme/ops --name g)];
    my ($three) = map { $_->{id} } grep { $_->{name} eq 'g' } @{ answer('list') };
    $done->(qw(org remove acme --force));
    is_deeply(
        rows(),
        [   map { "eve $_" } 'add organization acme', 'suspend organization acme', 'resume organization acme',
            'add group acme/ops', 'add user ann', 'disable user ann', 'enable user ann', 'set role r',
            'set role r', 'set role s', 'add membership ann acme', 'update membership ann acme',
            "create token $one", "revoke token $one", "restore token $one", "create token $two",
            "rotate token $one", "unlink token $one", "delete token $two", 'remove membership ann acme', 'remove role r',
            'add membership ann acme', 'remove membership ann acme', 'remove user ann',
            "create token $three", (map { "delete token $_" } sort $one, $three), 'remove group acme/ops',
            'remove organization acme',
        ],
        'has a row, and what changed nothing has none'
    );
    my @all = @{ answer('audit') };
    is_deeply([ map { $_->{seq} } @all ], [ 1 .. @all ], 'numbered from 1');
    like($_->{at}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'with a time') for $all[0];
    is_deeply($all[1]{detail}, { suspended => { from => undef, to => JSON::PP::true() } }, 'what changed');
    is_deeply($all[8]{detail}, { scopes => { from => ['a'], to => ['b'] } }, 'from what to what');
    is_deeply($all[11]{detail}, { role => { from => 'r', to => 's' } }, 'of a membership');
    is($all[12]{detail}{name}, 'n', 'what was made');
    is_deeply([ sort keys %{ $all[16]{detail} } ], [qw(expires successor)], 'what rotate changed');
    my $by = on_postgresql() ? 'postgres' : '-';
    is($all[0]{session_user}, on_postgresql() ? 'postgres' : '', 'and who was logged in to the database');
    my $text = done(tokenctl('audit', '--limit', 0))->{out};
    unlike($text, qr/sha256|[0-9a-f]{64}/, 'no digest in it');
    my $secret = substr $made->{token}, index($made->{token}, '.') + 1;
    unlike($text, qr/$secret/, 'no token either');
    is_deeply([ files_hold($dir, $secret) ], [], 'nor in any file');

    is_deeply(rows('--token', $two), [ map { "eve $_ token $two" } qw(create delete) ], '--token');
    is_deeply(rows('--key', 'acme/ops'), [ map { "eve $_ group acme/ops" } qw(add remove) ], '--key');
    is(scalar @{ rows('--key', 'ann acme') }, 5, '--key of a membership');
    is_deeply(rows(qw(--limit 2)), [ map { "eve $_" } 'remove group acme/ops', 'remove organization acme' ],
        '--limit gives the latest, in order');
    is(scalar @{ rows(qw(--limit 0)) }, scalar @all, '--limit 0 gives all');
    is(scalar @{ rows(qw(--since 1h)) }, scalar @all, '--since a duration');
    is(scalar @{ rows(qw(--since 2099-01-01)) }, 0, '--since a time');
    is(scalar @{ rows('--since', $all[0]{at}) }, scalar @all, 'that time included');
    like(done(tokenctl(qw(audit --limit 1)))->{out},
        qr/\ASEQ +AT +SESSION USER +ACTOR +VIA +ADDRESS +ACTION +ENTITY +KEY +DETAIL\n@{[ scalar @all ]} +\S+Z +$by +eve +tokenctl +- +remove +organization +acme +\{/,
        'for people');
    ok(fails_with(tokenctl('audit', @$_), 2, $_->[-1]), "audit $_->[0] $_->[1]")
        for [ '--since', 'ever',  qr/--since "ever" is not understood/ ],
        [ '--limit', 'x',  qr/--limit "x" is not understood/ ],
        [ '--limit', '-1', qr/--limit "-1" is not understood/ ],
        [ '--token', 'a b', qr/"a b" is no token id/ ];
    ok(fails_with(tokenctl(qw(audit --token a --key b)), 2, qr/excludes/), '--token and --key');
};

subtest 'who' => sub {
    init_registry(new_dir());
    my $login = getpwuid $>;
    ok(succeeds(tokenctl(qw(org add a))), 'no --actor');
    ok(succeeds(tokenctl({ env => { SUDO_USER => 'sue' } }, qw(org add b))), 'SUDO_USER');
    ok(succeeds(tokenctl({ env => { SUDO_USER => 'sue' } }, qw(org add c --actor), 'Zoë')), '--actor');
    is_deeply([ map { $_->{actor} } @{ answer('audit') } ], [ $login, 'sue', "Zo\x{eb}" ], 'each is there');
    ok(fails_with(tokenctl(qw(org add d --actor), 'x' x 256), 2, qr/--actor must be/), 'too long a name');
    ok(succeeds(tokenctl({ stdin => qq({"type":"user","id":"u"}\n) }, qw(import - --actor imp))), 'import');
    is(rows()->[-1], 'imp add user u', 'has an actor too');
};

subtest 'nothing of what failed' => sub {
    init_registry(new_dir());
    ok(succeeds(tokenctl(qw(org add a))), 'one organization');
    isnt(tokenctl(qw(org add b a))->{status}, 0, 'one that is there already');
    isnt(tokenctl({ stdin => qq({"type":"user","id":"u"}\nx\n) }, qw(import -))->{status}, 0, 'half a file');
    is(scalar @{ rows() }, 1, 'leaves a row');
};

subtest 'at the same time' => sub {
    my $dir  = new_dir();
    my $url = init_registry($dir);
    ok(succeeds(tokenctl(qw(org add acme))), 'an organization');
    ok(succeeds(tokenctl(qw(user add ann))), 'a user');
    ok(succeeds(tokenctl('role', 'set', "r$_", 'a')), 'a role') for 0 .. 1;
    my @url = ('--registry', $url);

    # two loops of ten each, started together
    my @script = map {
        "for i in 0 1 2 3 4 5 6 7 8 9; do \"\$0\" \"\$@\" create --org acme --name n$_-\$i --role r$_ || exit 1; done"
    } 0 .. 1;
    my @started = map { start_tool([ '/bin/sh', '-c', $_, program('tokenctl'), @url ]) } @script;
    my @results = map { finish_tool($_) } @started;
    is($_->{status}, 0, 'all were created') or diag($_->{err}) for @results;
    my %shown = map { $_ => 1 } map { lines_of($_->{out}) } @results;
    is(scalar keys %shown, 20, 'twenty tokens');
    is(scalar @{ answer('list') }, 20, 'all are there');
    is(scalar(grep { /create token/ } @{ rows() }), 20, 'each with its row');

    # only one of several can rotate a token
    my ($id) = map { $_->{id} } @{ answer('list') };
    @started = map { start_tool([ program('tokenctl'), @url, 'rotate', $id ]) } 1 .. 4;
    @results = map { finish_tool($_) } @started;
    is(scalar(grep { $_->{status} == 0 } @results), 1, 'one of four rotates it');
    like($_->{err}, qr/was rotated already/, 'the others say why') for grep { $_->{status} != 0 } @results;
    is(scalar @{ answer('list') }, 21, 'one successor');
};

subtest 'a registry that another program is writing' => sub {
    sqlite_only();
    my ($path) = init_registry(new_dir()) =~ /\Asqlite:(.*)/;
    my ($sqlite) = grep { -x } map { "$_/sqlite3" } split /:/, $ENV{PATH};
    plan skip_all => 'no sqlite3 command' unless defined $sqlite;
    my $fifo = "$path.fifo";
    POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
    my $writer = start_tool([ '/bin/sh', '-c', "\"\$0\" \"\$1\" < \"\$2\"", $sqlite, $path, $fifo ]);
    open my $commands, '>', $fifo or die $!;
    $commands->autoflush(1);
    print {$commands} "BEGIN IMMEDIATE;\n.shell touch $fifo.begun\n";
    select undef, undef, undef, 0.01 until -e "$fifo.begun";
    like(done(tokenctl(qw(org list)))->{out}, qr/^ORGANIZATION/, 'for a writer');
    my $waiting = start_tool([ program('tokenctl'), '--registry', "sqlite:$path", qw(org add late) ]);
    select undef, undef, undef, 0.3;
    print {$commands} "COMMIT;\n";
    close $commands;
    is(finish_tool($waiting)->{status}, 0, 'a writer waits for another');
    is(finish_tool($writer)->{status},  0, 'which was done');
};

done_testing();
