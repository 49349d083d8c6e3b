# tokenctl rotate.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;
use TokenAuth::Tools qw(done fails_with files_hold init_registry json_of new_dir spew succeeds
    token_parts tokenctl);

my $day = 86400;

sub stamp { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub answer { return json_of(done(tokenctl(@_, '--json'))) }

# Whether a time lies `seconds` after now; the command began at $since.
sub is_from_now {
    my ($got, $since, $seconds, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($got ge stamp($since + $seconds) && $got le stamp(time + $seconds), $name) || diag($got);
}

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = tokenctl('export')->{out};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), $status, $pattern), "@command: refused");
    is(tokenctl('export')->{out}, $before, 'nothing changed');
    return;
}

my $dir = new_dir();
init_registry($dir);
ok(succeeds(tokenctl(@$_)), "@$_")
    for [qw(org add acme)], [qw(group add acme/ops)], [qw(user add ann)], [qw(role set admin a:*)];

subtest 'the successor' => sub {
    for my $owner ([qw(--org acme --role admin)], [qw(--group acme/ops --prefix own)], [qw(--user ann)]) {
        my $old = answer('create', @$owner, qw(--name n --description d --scope a:read --allow 192.0.2.1
            --expires 30d));
        my $since  = time;
        my $result = done(tokenctl('rotate', $old->{id}));
        my ($token) = $result->{out} =~ /\A([^\n]+)\n\z/;
        my $parts = token_parts($token // '') or return fail('a token alone on its line');
        is($parts->{prefix}, $old->{prefix}, 'the same prefix');
        like($result->{err}, qr/\Acreated token $parts->{id} .*\nits predecessor $old->{id} expires .*Z\n\z/,
            'two lines on standard error');
        is_deeply([ files_hold($dir, $parts->{secret}) ], [], 'the secret is in no file');
        like(tokenctl('export')->{out}, qr/"digest":"sha256:@{[ sha256_hex($token) ]}"/, 'its digest is');
        my $new = answer('show', $parts->{id});
        is_deeply([ @$new{qw(kind user name description predecessor)}, @{ $new->{scopes} }, @{ $new->{allow} } ],
            [ @$old{qw(kind user name description id)}, 'a:read', '192.0.2.1' ], 'the same rights');
        is($new->{$_}, $old->{$_}, "the same $_") for qw(organization group role);
        is_from_now($new->{expires}, $since, 30 * $day, 'the same lifetime, from now');
        $old = answer('show', $old->{id});
        is($old->{successor}, $parts->{id}, 'linked');
        is_from_now($old->{expires}, $since, $day, 'the predecessor lives on for a day');
        is($old->{status}, 'active', 'and is active');
    }
};

subtest 'options' => sub {
    my $make = sub { answer(qw(create --org acme --name n), @_)->{id} };
    my $id    = $make->();
    my $since = time;
    my $new   = answer(qw(rotate --grace 2h --expires 7d --prefix other), $id);
    my $parts = token_parts($new->{token});
    is_deeply([ @$parts{qw(prefix id)} ], [ 'other', $new->{id} ], '--prefix and --json');
    is_from_now($new->{expires},             $since, 7 * $day, '--expires');
    is_from_now($new->{predecessor_expires}, $since, 7200,     '--grace');
    is(answer('show', $id)->{expires}, $new->{predecessor_expires}, 'as show tells');

    $id = $make->();
    my $now = done(tokenctl(qw(rotate --grace 0s), $id));
    like($now->{err}, qr/^its predecessor $id expired /m, 'says so');
    is(answer('show', $id)->{status}, 'expired', 'ends it at once');

    $id    = $make->(qw(--expires 1h));
    $since = answer('show', $id)->{expires};
    answer('rotate', $id);
    is(answer('show', $id)->{expires}, $since, 'a grace never lengthens a life');

    $id    = $make->(qw(--expires never));
    $since = time;
    my $result = done(tokenctl('rotate', $id));
    like($result->{err}, qr/^warning: this token never expires/m, 'is warned about');
    $id = answer('show', $id);
    is_from_now($id->{expires}, $since, $day, 'and expires now that it has a successor');
    ok(!exists answer('show', $id->{successor})->{expires}, 'which never does');

    $id  = $make->(qw(--not-before 10d --expires 20d));
    $new = answer('rotate', $id);
    is($new->{status}, 'pending', 'a pending one has a pending successor');
    is($new->{not_before}, answer('show', $id)->{not_before}, 'from the same time on');
    is($new->{predecessor}, $id, 'linked');

    refused(2, qr/--grace "soon" is not understood/,  'rotate', $new->{id}, qw(--grace soon));
    refused(2, qr/--expires "soon" is not understood/, 'rotate', $new->{id}, qw(--expires soon));
    refused(2, qr/is in the past/, 'rotate', $new->{id}, qw(--expires 2001-01-01));
    refused(2, qr/prefix must be/, 'rotate', $new->{id}, '--prefix', 'a b');
    refused(2, qr/would expire/,   'rotate', $new->{id}, qw(--expires 1d));
};

subtest 'what cannot be rotated' => sub {
    my $id  = answer(qw(create --org acme --name n))->{id};
    my $new = answer('rotate', $id)->{id};
    refused(1, qr/token $id was rotated already; rotate its successor $new/, 'rotate', $id);
    ok(succeeds(tokenctl('delete', $new)), 'its successor deleted');
    ok(!exists answer('show', $id)->{successor}, 'it has none any more');
    $new = answer('rotate', $id)->{id};
    is(answer('show', $new)->{user}, "tu-$id", 'and is rotated again');
    ok(succeeds(tokenctl('delete', $id)), 'the predecessor deleted');
    ok(!exists answer('show', $new)->{predecessor}, 'it is linked no longer');
    is(answer('show', $new)->{user}, "tu-$id", 'the technical user stays with the successor');
    ok(succeeds(tokenctl('revoke', $new)), 'revoke');
    refused(1, qr/token $new is revoked; `tokenctl restore` it first/, 'rotate', $new);
    ok(succeeds(tokenctl('restore', $new)), 'restore');
    answer(qw(rotate --grace 0s), $new);
    refused(1, qr/token $new expired at \S+; `tokenctl create` a new one/, 'rotate', $new);
    refused(2, qr/ID is required/, 'rotate');
};

subtest 'a keyed digest' => sub {
    spew("$dir/key", 'k' x 40);
    my $id = answer(qw(create --org acme --name n --key), "$dir/key")->{id};
    refused(1, qr/token $id has a keyed digest .* give the key by --key/, 'rotate', $id);
    refused(1, qr{key file \Q$dir\E/no cannot be read}, 'rotate', $id, '--key', "$dir/no");
    my $new = answer('rotate', $id, '--key', "$dir/key");
    is($new->{algorithm}, 'hmac-sha256', 'is kept');
    is($new->{key_id}, answer('show', $id)->{key_id}, 'under the same key');
};

done_testing();
