# create and rotate when the token cannot be committed or cannot be shown.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Tools qw(done fails_with init_registry json_of new_dir program spew slurp sql succeeds
    tokenctl);

my $dir = new_dir();
my $url = init_registry($dir);
ok(succeeds(tokenctl(@$_)), "@$_") for [qw(org add acme)], [qw(create --org acme --name first)];
my $first = json_of(tokenctl(qw(list --json)))->[0];

# Runs tokenctl in a shell that redirects its standard output to nowhere.
sub unwritten {
    my ($to, $command) = @_;
    my $tokenctl = program('tokenctl');
    my $script = spew("$dir/script", "$to->[0]exec '$tokenctl' --registry '$url' $command $to->[1]\n");
    my $err = `bash '$script' 2>&1 >/dev/null`;
    return { status => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8, out => '', err => $err };
}

my %nowhere = (
    'a full disk'     => [ '',                         '>/dev/full' ],
    'a closed output' => [ '',                         '>&-' ],
    'a closed pipe'   => [ "exec 3> >(true); wait \$!\n", '>&3' ],
);

for my $name (sort keys %nowhere) {
    my $to = $nowhere{$name};
    subtest "$name, create" => sub {
        for my $json ('', '--json') {
            my %before = map { $_->{id} => 1 } @{ json_of(tokenctl(qw(list --json))) };
            my $result = unwritten($to, "create --org acme --name n $json");
            ok(fails_with($result, 1, qr/\Atokenctl: cannot write to standard output: .*; token \w+ is revoked again$/),
                "create $json");
            my ($id) = $result->{err} =~ /token (\w+) is/;
            my @new = grep { !$before{ $_->{id} } } @{ json_of(tokenctl(qw(list --json))) };
            is_deeply([ map { "$_->{id} $_->{status}" } @new ], ["$id revoked"], 'the new one is the one revoked');
            is_deeply([ map { $_->{action} } @{ json_of(tokenctl(qw(audit --json --token), $id)) } ],
                [qw(create revoke)], 'and the audit trail tells it') if $json eq '';
        }
    };
    subtest "$name, rotate" => sub {
        my $result = unwritten($to, "rotate $first->{id} --grace 0s");
        ok(fails_with($result, 1, qr/; token \w+ is revoked again, and $first->{id} goes on as before$/), 'rotate');
        my ($id) = $result->{err} =~ /token (\w+) is/;
        is(json_of(tokenctl('show', $id, '--json'))->{status}, 'revoked', 'the successor is revoked');
        my $now = json_of(tokenctl('show', $first->{id}, '--json'));
        is_deeply([ @$now{qw(status expires successor)} ], [ 'active', $first->{expires}, undef ],
            'the predecessor goes on');
    };
    subtest "$name, other changes" => sub {
        ok(fails_with(unwritten($to, 'org suspend acme --json'), 1,
            qr/cannot write to standard output: .*; the change itself is made$/), 'says that the change is made')
            if $name ne 'a closed pipe';
        ok(succeeds(tokenctl(qw(org resume acme))), 'as before');
    };
}

ok(succeeds(tokenctl('rotate', $first->{id})), 'what could not be rotated can be rotated again');

subtest 'a commit that fails' => sub {
    plan skip_all => 'is about a file' if $url !~ /\Asqlite:/;
    my $mount = "$dir/small";
    mkdir $mount or die "$mount: $!";
    plan skip_all => 'no file system can be mounted here'
        if $> != 0 || system("mount -t tmpfs -o size=1m tmpfs '$mount' 2>/dev/null") != 0;
    my $small = "sqlite:$mount/registry.db";
    ok(succeeds(tokenctl('--registry', $small, @$_)), "@$_") for ['init'], [qw(org add acme)];
    my $export = tokenctl('--registry', $small, 'export')->{out};
    system("cat /dev/zero >'$mount/ballast' 2>/dev/null");
    for my $json ([], ['--json']) {
        my $failed = tokenctl('--registry', $small, qw(create --org acme --name n), @$json);
        ok(fails_with($failed, 1, qr/disk is full; make room and try again|cannot be read or written|cannot be opened/),
            'create on a full disk shows no token');
    }
    unlink "$mount/ballast";
    is(tokenctl('--registry', $small, 'export')->{out}, $export, 'and makes none');
    ok(succeeds(tokenctl('--registry', $small, qw(create --org acme --name n))), 'it works again with room');
    system('umount', $mount);
};

done_testing;
