# Mistakes of an administrator: none may widen the rights of a token or leave a secret behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Tools qw(done fails_with files_hold init_registry json_of new_dir program spew
    succeeds token_parts tokenctl);

my $dir = new_dir();
my $url = init_registry($dir);
ok(succeeds(tokenctl(@$_)), "@$_") for [qw(org add acme)], [qw(role set reader a:read)];

sub refused {
    my ($status, $pattern, @command) = @_;
    my $before = tokenctl('export')->{out};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(fails_with(tokenctl(@command), $status, $pattern), "@command[0, 1]: refused");
    is(tokenctl('export')->{out}, $before, 'nothing changed');
    return;
}

subtest 'an empty value is no value left out' => sub {
    my @create = qw(create --org acme --name n);
    refused(2, qr/--allow/, @create, '--allow', '');
    refused(2, qr/--scope/, @create, '--role', 'reader', '--scope', '');
    refused(2, qr/--key/, @create, '--key', '');
};

subtest 'a blank value, too' => sub {
    my @create = qw(create --org acme --name n);
    for my $blank (' ', "\t", '  ') {
        refused(2, qr/$_: must not be empty or blank/, @create, '--role', 'reader', $_, $blank)
            for qw(--allow --scope --key --prefix --expires --not-before);
        refused(2, qr/--role: must not be empty or blank/, @create, '--role', $blank);
        refused(2, qr/name must be 1 to 255 bytes/,        qw(create --org acme --name), $blank);
        refused(2, qr/description must be at most/,        @create, '--description', $blank);
        refused(2, qr/scopes must/, qw(role set reader a:read), $blank);
    }
    refused(2, qr/scopes must hold at least one in each value/, qw(role set reader a:read), $_) for '', ' ';
    refused(2, qr/argument "b" is not known/, @create, '--scope', 'a', 'b');
};

subtest 'text that a terminal would obey' => sub {
    ok(succeeds(tokenctl(qw(create --org acme --name odd))), 'a token');
    TokenAuth::Tools::sql($url, q{UPDATE tokens SET name = 'a' || char(27, 155, 8238, 8203) || 'b' || CAST(x'ff' AS TEXT) WHERE name = 'odd'});
    like(done(tokenctl('list'))->{out}, qr/ a\\x1b\\u\{9b\}\\u\{202e\}\\u\{200b\}b\\xff$/m, 'is escaped in tables');
};

subtest 'a time that would count as none' => sub {
    my $digest = 'sha256:' . '0' x 64;
    for my $field (qw(expires revoked)) {
        spew("$dir/old.jsonl", qq({"type":"token","id":"old","kind":"organization","organization":"acme",)
            . qq("name":"n","digest":"$digest","$field":"1970-01-01T00:00:00Z"}\n));
        refused(1, qr/line 1: $field /, 'import', "$dir/old.jsonl");
    }
};

subtest 'a token in place of a scope' => sub {
    my ($token) = done(tokenctl(qw(create --org acme --name n)))->{out} =~ /\A(\S+)\n/;
    refused(2, qr/token/, qw(create --org acme --name n --scope), $token);
    refused(2, qr/token/, qw(role set other), $token);
    ok !files_hold($dir, token_parts($token)->{secret}), 'it is nowhere';
};

subtest 'standard error that cannot be written' => sub {
    my $tokenctl = program('tokenctl');
    for my $to ('2>/dev/full', '2>&-') {
        my $out = `$tokenctl --registry '$url' create --org acme --name n $to`;
        is $? >> 8, 0, "$to: done";
        like $out, qr/\Aak_\S+\n\z/, 'and the token is there';
    }
};

done_testing;
