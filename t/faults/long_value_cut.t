# The file is cut inside a value of several pages: the record is found, but its end is gone. The answer is
# 503, and the worker lives.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use TokenAuth::Server;
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually overwrite slurp spew token);
use Time::HiRes qw(sleep);

my $page = 4096;
my $world = TokenAuth::Sync->new;
my $dir = $world->dir . '/nginx';
mkdir $dir and mkdir "$dir/html" or die "$dir: $!";
spew("$dir/html/file", "file\n");
chmod 0755, $world->dir, $dir, "$dir/html";

sub scopes { return map { sprintf '%s:%04d', $_[0], $_ } 1 .. 900 }

# Each case reads the end of a long value: of a role, and of a token.
my %long = (
    role  => [ 'role-token', sub { $world->ctl_ok('role', 'set', 'long', scopes($_[0])) } ],
    token => [ 'scopes-token', sub {
            $world->sql("UPDATE tokens SET scopes = '" . join(' ', scopes($_[0])) . "' WHERE id = 'scopes'") } ],
);
$world->populate(1);
$world->import_lines({ type => 'role', id => 'long', scopes => [ scopes('a') ] },
    token('role', role => 'long'), token('scopes', scopes => [ scopes('a') ]));
$world->sync_ok('run');

# A store with that value at its end, and the offset of its second page.
sub make {
    my ($name) = @_;
    my $db = $world->dir . "/$name";
    system('rm', '-rf', $db);
    $world->sync_ok({ db => $db }, 'run');
    # a rewritten value gets new pages
    $long{$name}[1]->('b');
    $world->sync_ok({ db => $db }, 'run');
    my $value = rindex slurp("$db/data.mdb"), 'b:0001';
    die "the value is not in the store\n" if $value < 0;
    return ($db, (int($value / $page) + 1) * $page);
}

for my $name (sort keys %long) {
    my ($token) = @{ $long{$name} };
    my ($db, $cut) = make($name);
    my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth api;
    token_auth_db $db;
    server {
        listen 127.0.0.1:%PORT%;
        location = /last { token_auth_scope b:0900; alias $dir/html/file; }
        location = /small { alias $dir/html/file; }
    }
END
    my $status = sub { ($server->get("/$_[0]", Authorization => "Bearer " . ($_[1] // $token)))[0] };
    is $status->('last'), 200, "$name: served before";
    my %got;
    # the decision reads to the end of the value, and so do the variables
    for my $ask ([ 'last' ], [ 'last' ], [ 'small', $token ], [ 'small', $token ]) {
        my $whole = slurp("$db/data.mdb");
        # nginx checks the size once a second: cut right after a check
        my $now = Time::HiRes::time();
        sleep 1.05 - ($now - int $now);
        is $status->('small', 't1-token'), 200, 'served';
        truncate "$db/data.mdb", $cut or die "truncate: $!";
        is $status->('small', 't1-token'), 200, 'another token is served without what was cut off';
        ++$got{ $status->(@$ask) };
        overwrite("$db/data.mdb", $cut, substr $whole, $cut);
        ok eventually(sub { $status->('last') eq '200' }), 'mended, it is served again';
    }
    if ($name eq 'role') {
        is_deeply \%got, { 200 => 4 }, 'workers have copies of a commit\'s roles';
    } else {
        is_deeply \%got, { 503 => 4 }, '503 without what was cut off';
        like $server->errors, qr/requests get 503: data\.mdb is truncated; run "tokensync run --rebuild --db \S+"/,
            'it was met while it was read';
    }
    unlike $server->errors, qr/exited on signal/, 'no worker has ended';
    $server->stop;
    unlink "$dir/error.log";
}
done_testing;
