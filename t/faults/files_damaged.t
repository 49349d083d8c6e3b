# A store that is missing, truncated, overwritten, of another version, unreadable or exchanged: each answer
# is right, or 503 with one clear line; the workers live; once mended as the line says, the store is served
# again. A lock.mdb that somebody left in it is nothing to nginx.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Faults;
use TokenAuth::Util qw(eventually overwrite slurp spew);

my $world = TokenAuth::Faults->new(tokens => 6, ballast => 500);
# A store of another registry, in which none of the tokens is known.
my $other = TokenAuth::Sync->new;
$other->populate(300);
$other->ctl_ok('delete', map { "t$_" } 1 .. 6);
$other->sync_ok('run', $world->group);

my $page = 4096;
sub noise { return join '', map { chr int rand 256 } 1 .. $_[0] }
sub copy { spew($_[1], slurp($_[0])); return chmod 0644, $_[1] }

# Each: the damage to a directory; what a worker says that finds it; how to mend it, if not by removing
# the directory and running tokensync; "served" if a worker that already serves it may go on (for ten seconds if it is not there any more), "unharmed" if new ones serve it, too.
my @cases = (
    [ 'missing'                    => sub { system('rm', '-rf', $_[0]) == 0 },
        qr/correct the path, or run "tokensync run --db \S+" to build the store/, undef, 'served' ],
    [ 'cut to its meta pages'      => sub { truncate "$_[0]/data.mdb", 2 * $page } ],
    [ 'cut within a meta page'     => sub { truncate "$_[0]/data.mdb", $page / 2 } ],
    [ 'cut to nothing'             => sub { truncate "$_[0]/data.mdb", 0 } ],
    [ 'noise all over'             => sub { overwrite("$_[0]/data.mdb", 0, noise(60 * $page)) } ],
    [ 'noise behind the meta pages' => sub { overwrite("$_[0]/data.mdb", 2 * $page, noise(60 * $page)) } ],
    [ 'zeros all over'             => sub { overwrite("$_[0]/data.mdb", 0, "\0" x (60 * $page)) } ],
    [ 'of another format of LMDB'  => sub { overwrite("$_[0]/data.mdb", $_ * $page + 20, pack 'V', 2) for 0, 1; 1 },
        qr/written by another version of LMDB than 0\.9; run "tokensync run --rebuild --db \S+"/, undef, 'served' ],
    [ 'of another format of ours'  => sub { $world->probe('format', $_[0], 77) eq '' },
        qr/it has another format; use nginx's module and tokensync of one release/ ],
    [ 'a text file'                => sub {
            spew("$_[0]/new", "# tokens\n" x 5000) && 0;
            chmod 0644, "$_[0]/new";
            rename "$_[0]/new", "$_[0]/data.mdb" }, undef, undef, 'served' ],
    [ 'another store\'s data file' => sub {
            copy($other->db . '/data.mdb', "$_[0]/new"); rename "$_[0]/new", "$_[0]/data.mdb" },
        undef, undef, 'served' ],
    [ 'another store'              => sub {
            rename $_[0], "$_[0].away"; system('cp', '-a', $other->db, $_[0]) == 0 },
        undef, undef, 'served' ],
    [ 'data file unreadable'       => sub { chmod 0, "$_[0]/data.mdb" },
        qr/this process is user \d+ with group \d+: let that group read the store/, sub { chmod 0640, "$_[0]/data.mdb" }, 'served' ],
    [ 'directory unreadable'       => sub { chmod 0, $_[0] },
        qr/let that group read the store .*and enter the directories above it/, sub { chmod 02750, $_[0] }, 'served' ],
    [ 'a lock file left' => sub { spew("$_[0]/lock.mdb", noise(2 * $page)); chmod 0, "$_[0]/lock.mdb" },
        undef, undef, 'unharmed' ],
);
my @elsewhere = grep { $cases[$_][0] =~ /another store/ } 0 .. $#cases;
my %dirs = map { $_ => $world->dir . "/store$_" } 0 .. $#cases;
sub build { return $world->sync_ok({ db => $_[0] }, 'run', $world->group) }
build($_) for values %dirs;

my $server = $world->nginx(stores => { map { ("/$_" => $dirs{$_}) } keys %dirs });
my %targets;
for my $case (keys %dirs) {
    my $of = $world->{churn}->targets("/$case");
    $targets{"$case:$_"} = $of->{$_} for keys %$of;
}
my %answers = $world->{churn}->answers;
sub of_all { my (%of) = @_; return map { my $case = $_; map { ("$case:$_" => $of{$_}) } keys %of } keys %dirs }

for my $round (1 .. $world->times(1, 12)) {
    my $oracle = $world->run(ordered => 0, rate => 0,
        traffic => { targets => \%targets, alive => 2, single => 1, rate => 300 });
    $oracle->initially(of_all(%answers));
    sleep 0.3;
    my %workers = map { $_ => 1 } $world->workers;
    my $mark = length $server->errors;
    my $begun = TokenAuth::Faults::now();
    for my $case (sort { $a <=> $b } keys %dirs) {
        ok $cases[$case][1]->($dirs{$case}), "$cases[$case][0]: the damage is done";
        $world->fault;
    }
    sleep 1.6;
    my %got;
    for my $case (keys %dirs) {
        ++$got{$case}{ status($case) } for 1 .. 4;
    }
    is_deeply [ sort keys %{ { map { $_ => 1 } $world->workers } } ], [ sort keys %workers ],
        'the workers live';
    $server->reload;
    eventually(sub { !grep { $workers{$_} } $world->workers });
    sleep 1.2;
    for my $case (sort { $a <=> $b } keys %dirs) {
        my ($what, undef, $line, undef, $served) = @{ $cases[$case] };
        is_deeply $got{$case}, { 503 => 4 }, "$what: 503" if !$served;
        is_deeply [ map { status($case) } 1 .. 4 ], [ (503) x 4 ], "$what: 503 from a new worker"
            unless $what =~ /another store/ || ($served // '') eq 'unharmed';
        is_deeply [ map { status($case) } 1 .. 4 ], [ (200) x 4 ], "$what: served by a new worker"
            if ($served // '') eq 'unharmed';
        my @lines = grep { /"\Q$dirs{$case}\E" is unavailable, requests get 503: / }
            split /\n/, substr $server->errors, $mark;
        my $clear = grep { $line ? /$line/ : /"tokensync run/ } @lines;
        ok $clear, "$what: a line says what to do" or diag join "\n", @lines
            unless $what =~ /another store/ || ($served // '') eq 'unharmed';
        is scalar(@lines), 0, "$what: nothing to say" if ($served // '') eq 'unharmed';
        cmp_ok scalar(@lines), '<=', 8, "$what: few lines" or diag join "\n", @lines;
    }

    # The next build differs from what was served.
    $world->ctl_ok($answers{t1} eq 'ok' ? 'revoke' : 'restore', 't1');
    $answers{t1} = $answers{t1} eq 'ok' ? 'token_revoked' : 'ok';
    my $mended = TokenAuth::Faults::now();
    for my $case (sort { $a <=> $b } keys %dirs) {
        my $mend = $cases[$case][3] // sub { system('rm', '-rf', $_[0], "$_[0].away") == 0 };
        ok $mend->($dirs{$case}), "$cases[$case][0]: mended";
        build($dirs{$case});
    }
    my $done = TokenAuth::Faults::now();
    $oracle->version($mended, $done, of_all(t1 => $answers{t1}));
    $oracle->settle($done + 0.001, $done + 2);
    $oracle->excuse(store_unavailable => $begun, $done + 2);
    $oracle->excuse(token_unknown => $begun, $done + 2, map { my $id = $_; map { "$_:$id" } @elsewhere }
        keys %answers);
    sleep 2.5;
    for my $case (sort { $a <=> $b } keys %dirs) {
        is status($case), 200, "$cases[$case][0]: served again" or diag $server->errors;
    }
    is_deeply [ $world->judge ], [], "round $round: all answers are right";
}

sub status { return ($server->get("/$_[0]", Authorization => 'Bearer t5-token'))[0] }

is_deeply [ $world->crashes ], [], 'no worker ended by itself';
$world->report('store files damaged');
done_testing;
