# tokenctl user password: from a pipe or a terminal, and what a new one ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use Test::More;
use TokenAuth::Registry qw(new_registry rows_of);
use TokenAuth::Util qw(build_dir program run_tool);

my $dir = tempdir('token-auth-password-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $url = new_registry("$dir/registry.db");

sub tokenctl {
    my ($input, @arguments) = @_;
    return run_tool([ program('tokenctl'), '--registry', $url, '--actor', 'root', @arguments ], stdin => $input);
}
sub password { return tokenctl(shift, qw(user password), @_) }
sub hash     { return rows_of($url, "SELECT hash FROM passwords WHERE user_id = '$_[0]'")->[0] }

for ([qw(init)], [qw(user add ann bob)], [qw(org add acme)], [qw(create --org acme --name x)]) {
    my $result = tokenctl('', @$_);
    is $result->{status}, 0, "@$_" or diag $result->{err};
}

subtest 'from a pipe' => sub {
    for my $password ('correct horse battery', 'x' x 12, 'x' x 1024, "\xc3\xa4" x 6, ' with spaces ') {
        my $before = hash('ann') // '';
        my $set = password("$password\n", 'ann');
        is $set->{status}, 0, length($password) . ' bytes';
        is $set->{err}, "user ann has a new password\n", 'says so';
        isnt hash('ann'), $before, 'another hash';
    }
    like hash('ann'), qr/\A\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'argon2id, 19 MiB, two passes';
    my $same = hash('ann');
    password(" with spaces \n", 'ann');
    isnt hash('ann'), $same, 'the same password has another salt';
    is password("without its end", 'ann')->{status}, 0, 'the end of line may be missing';
    is password("the other end of line\r\n", 'ann')->{status}, 0, 'or be another';
    is tokenctl("correct horse battery\n", '--json', qw(user password bob))->{status}, 0, 'with --json';
};

subtest 'what is refused' => sub {
    my $before = hash('ann');
    for (
        [ 2, "short\n", ['ann'], qr/must be 12 to 1024 bytes/ ], [ 2, '', ['ann'], qr/must be 12 to 1024 bytes/ ], [ 2, 'x' x 1025, ['ann'], qr/must be 12 to 1024 bytes/ ],
        [ 2, "two lines here\nand here\n", ['ann'], qr/more than a password; give one password on one line/ ], [ 2, 'x' x 20000, ['ann'], qr/more than a password/ ],
        [ 2, "no utf-8: \xff\xff\xff", ['ann'], qr/must be UTF-8/ ], [ 2, "a NUL: \0........", ['ann'], qr/must be UTF-8 without NUL/ ],
        [ 1, "correct horse battery\n", ['nobody'], qr/user "nobody" does not exist/ ], [ 1, '', [qw(nobody --remove)], qr/does not exist/ ],
        [ 1, "correct horse battery\n", rows_of($url, 'SELECT user_id FROM tokens'), qr/technical user/ ], [ 2, '', ['a b'], qr/must be/ ],
    ) {
        my ($status, $input, $arguments, $message) = @$_;
        my $result = password($input, @$arguments);
        is $result->{status}, $status, "@$arguments: " . length $input;
        like $result->{err}, $message, 'says why';
        unlike $result->{err}, qr/horse|utf-8:/, 'shows none of it';
    }
    is hash('ann'), $before, 'and nothing is changed';
};

subtest '--remove' => sub {
    my $removed = password('', qw(ann --remove));
    is $removed->{err}, "user ann has no password any more\n", 'removes it';
    is hash('ann'), undef, 'from the registry';
    is password('', qw(ann --remove))->{err}, "user ann had no password\n", 'once';
};

subtest 'what it ends' => sub {
    my $now = time;
    my $session = sub { rows_of($url, "INSERT INTO sessions (id, user_id, created_at, used_at) VALUES ('" . $_[0] x 64 . "', '$_[1]', $now, $now)") };
    my $sessions = sub { return join ' ', @{ rows_of($url, 'SELECT user_id FROM sessions ORDER BY user_id') } };
    for my $command ([ "correct horse battery\n", 'ann' ], [ '', qw(ann --remove) ]) {
        rows_of($url, 'DELETE FROM sessions');
        $session->(@$_) for [ 1, 'ann' ], [ 2, 'ann' ], [ 3, 'bob' ];
        tokenctl('', qw(create --user ann --name), $_) for 'own', 'retrieved';
        rows_of($url, "UPDATE tokens SET created_via = 'auth_token' WHERE name = 'retrieved'");
        password(@$command);
        is $sessions->(), 'bob', "@$command[1 .. $#$command]: the person's sessions";
        is_deeply rows_of($url, q{SELECT DISTINCT name FROM tokens WHERE user_id = 'ann'}), ['own'], 'and the tokens that the old one retrieved';
    }
    is_deeply rows_of($url, q{SELECT actor || ' ' || via || ' ' || key || ' ' || detail FROM audit WHERE action = 'password' AND key = 'ann' ORDER BY seq DESC LIMIT 2}),
        [ 'root tokenctl ann {"password":"removed"}', 'root tokenctl ann {"password":"set"}' ], 'the audit trail';
    my $exported = tokenctl('', 'export')->{out};
    unlike $exported, qr/argon2|session/, 'nothing of it is exported';
};

subtest 'on a terminal' => sub {
    my $ask = sub {
        my (@typed) = @_;
        my $script = <<'PYTHON';
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:sys.argv.index('--')])
shown = b''
for line in sys.argv[sys.argv.index('--') + 1:]:
    while not shown.endswith(b': '):
        shown += os.read(fd, 4096)
    os.write(fd, line.encode() + b'\n')
    shown += b'|'
try:
    while True:
        more = os.read(fd, 4096)
        if not more:
            break
        shown += more
except OSError:
    pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
        return run_tool([ 'python3', '-c', $script, program('tokenctl'), '--registry', $url, qw(user password ann), '--', @typed ]);
    };
    my $set = $ask->('correct horse battery', 'correct horse battery');
    is $set->{status}, 0, 'is asked for twice';
    like $set->{out}, qr/\APassword: \|\s*The same again: \|\s*user ann has a new password\s*\z/, 'and does not show what is typed';
    my $before = hash('ann');
    my $differs = $ask->('correct horse battery', 'correct horse batterY');
    is $differs->{status}, 2, 'two that differ';
    like $differs->{out}, qr/the two passwords differ; nothing is changed/, 'says so';
    is hash('ann'), $before, 'and it is true';
    is $ask->('short')->{status}, 2, 'a short one is not asked for again';
};

done_testing;
