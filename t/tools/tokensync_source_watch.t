# tokensync watch --source: edits, bad and half-written files, files that vanish.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use TokenAuth::FileWorld qw(json_lines some_lines token);

sub eventually { return TokenAuth::Sync::eventually(\&{ $_[0] }) }

my @some = some_lines();
my @base = @some[ 0, 1 ];

# Whether the watch logs such a line after the lines of the last call.
sub logged {
    my ($world, $watch, $text) = @_;
    my $seen = $watch->{seen} // 0;
    return eventually(sub {
        substr($world->log_of($watch), $seen) =~ $text or return 0;
        $watch->{seen} = $seen + $+[0];
        return 1;
    });
}

# Replaces the file atomically.
sub replace {
    my ($world, $text) = @_;
    TokenAuth::Sync::spew($world->file . '.new', $text);
    rename $world->file . '.new', $world->file or die $world->file . ": $!";
    return;
}

sub decided {
    my ($world, $token, $decision) = @_;
    return eventually(sub { $world->decision($token) eq $decision });
}

subtest 'watch' => sub {
    my $world = TokenAuth::FileWorld->new;
    my $watch = $world->watch('--heartbeat', '0');
    ok logged($world, $watch, qr/tokens\.jsonl: there is no such file; .*; trying again\n/),
        'a file that is not there yet is waited for';
    $world->put(@some);
    ok logged($world, $watch, qr/^full load: 4 records written, 0 erased; 3 tokens, /m), 'it comes';

    my $revoked = token('t1', revoked => '2026-01-01T00:00:00Z');
    my @edited = (@base, $revoked, @some[ 3, 4 ]);
    for my $round (1 .. 3) {
        TokenAuth::Sync::spew($world->file, json_lines(@edited));
        my $begun = time;
        ok decided($world, 't1-token', 'token_revoked'), "an edit in place $round";
        cmp_ok time - $begun, '<', 5, 'soon';
        ok logged($world, $watch, qr/^full load: 1 record written, 0 erased; 3 tokens, .*\n/m),
            'one record is written';
        replace($world, json_lines(@some));
        ok decided($world, 't1-token', 'ok'), "another file in its place $round";
        ok logged($world, $watch, qr/^full load: 1 record written, 0 erased; 3 tokens, .*\n/m),
            'one record is written';
    }

    rename $world->file, $world->file . '.away' or die;
    ok logged($world, $watch, qr/there is no such file; .*; trying again\n/), 'removal is logged';
    is $world->decision('t1-token'), 'ok', 'the store is served';
    rename $world->file . '.away', $world->file or die;
    ok logged($world, $watch, qr/^recovered\n/m), 'and return';

    my $before = length $world->log_of($watch);
    replace($world, json_lines(@edited) . '{"type":"tok');
    ok logged($world, $watch, qr/tokens\.jsonl line 6: is not JSON \(at byte \d+.*; trying again\n/),
        'a bad line is logged';
    is $world->decision('t1-token'), 'ok', 'nothing of that file is taken';
    replace($world, json_lines(@edited) . "\n[]");
    ok logged($world, $watch, qr/tokens\.jsonl line 7: is not a JSON object; trying again\n/),
        'and so is another one';
    replace($world, json_lines(@edited));
    ok decided($world, 't1-token', 'token_revoked'), 'mended';
    ok logged($world, $watch, qr/^recovered\n/m), 'that is logged';
    is(() = substr($world->log_of($watch), $before) =~ /line \d/g, 2, 'each error was logged once');

    $before = length $world->log_of($watch);
    utime undef, undef, $world->file or die;
    replace($world, json_lines(@some));
    ok decided($world, 't1-token', 'ok'), 'after that';
    is(() = substr($world->log_of($watch), $before) =~ /\n/g, 1, 'a touch is no change');
    is $world->stop($watch), 0, 'SIGTERM ends it well';
    is $world->sync('check')->{status}, 0, 'equal';
};

subtest 'watch takes no half of a file' => sub {
    my $world = TokenAuth::FileWorld->new;
    my @many  = map { token("t$_") } 1 .. 60;
    $world->put(@base, @many);
    my $watch = $world->watch('--heartbeat', '0');
    ok logged($world, $watch, qr/full load/), 'up';
    # Line by line: each part is a valid file that would remove tokens. If the machine stops the writer for
    # as long as a finished file must rest, the attempt proves nothing and is made again.
    for my $attempt (1 .. 10) {
        my ($last, $pause) = (time, 0);
        open my $out, '>:raw', $world->file or die;
        $out->autoflush;
        for my $line (map { json_lines($_) } @base, @many, token("last$attempt")) {
            print {$out} $line;
            Time::HiRes::sleep(0.005);
            my $now = time;
            ($last, $pause) = ($now, $now - $last > $pause ? $now - $last : $pause);
        }
        close $out or die;
        ok decided($world, "last$attempt-token", 'ok'), "the whole is taken, attempt $attempt";
        my $before = $watch->{seen};
        ok logged($world, $watch, qr/61 tokens/), 'and logged';
        next if $pause > 0.08;
        like substr($world->log_of($watch), $before),
            qr/\A[^\n]*\nfull load: 1 record written, [01] erased; 61 tokens, [^\n]*\n\z/,
            'in one step';
        last;
    }
    is $world->stop($watch), 0, 'ends well';
};

subtest 'watch follows a link that is led elsewhere' => sub {
    my $world = TokenAuth::FileWorld->new;
    my $dir   = $world->dir;
    for my $release (1, 2) {
        mkdir "$dir/$release" or die;
        $world->{file} = "$dir/$release/tokens.jsonl";
        $world->put(@some, token("release$release"));
    }
    symlink '1', "$dir/current" or die;
    $world->{file} = "$dir/current/tokens.jsonl";
    my $watch = $world->watch('--heartbeat', '0');
    ok decided($world, 'release1-token', 'ok'), 'the first';
    symlink '2', "$dir/next" or die;
    rename "$dir/next", "$dir/current" or die;
    ok decided($world, 'release2-token', 'ok'), 'the second';
    is $world->decision('release1-token'), 'token_unknown', 'in place of the first';
    is $world->stop($watch), 0, 'ends well';
};

done_testing;
