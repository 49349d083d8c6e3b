# tokensync watch --usage and --metrics, with real nginx: when tokens were used last, as tokenctl shows it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use TokenAuth::Registry qw(on_postgresql rows_of sqlite_only);
use TokenAuth::Server;
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually slurp spew token);

my $day   = 86400;
my $world = TokenAuth::Sync->new;
my @group = $> == 0 ? ('--group', 'www-data') : ();
$world->populate(60);
$ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/usage.db';

# Reports, in SQLite in a file of their own.
sub reports { return rows_of(on_postgresql() ? $world->url : "sqlite:$ENV{TOKEN_AUTH_USAGE_DB}", @_) }
sub used { my ($id) = @_; return reports("SELECT count FROM token_usage WHERE token = '$id'")->[0] // 0 }
sub shown { return decode_json($world->ctl_ok('show', $_[0], '--json')) }
sub host { my ($name) = @_; return (grep { $_->{host} eq $name } @{ decode_json($world->ctl_ok('hosts', '--json')) })[0] }
sub unused { return [ sort map { $_->{id} } @{ decode_json($world->ctl_ok('list', '--unused', @_, '--json')) } ] }

# tokensync's account in PostgreSQL has no other rights.
my $as = $world->url;
if (on_postgresql()) {
    $world->sql('CREATE ROLE tells LOGIN IN ROLE token_auth_reader, token_auth_reporter');
    $as =~ s{//postgres@}{//tells@} or die $as;
}

sub watch {
    my ($name, @arguments) = @_;
    local $world->{url} = $as;
    return $world->watch({ db => $world->dir . "/$name/db" }, '--host', $name, @group, '--usage-interval', '1s', @arguments);
}

# An nginx host: { dir, server, page }.
sub start_nginx {
    my ($name, %with) = @_;
    my $dir = $world->dir . "/$name";
    mkdir $dir;
    mkdir "$dir/html";
    chmod 0755, $dir, "$dir/html" or die $dir;
    spew("$dir/html/index.html", "ok\n");
    my $zone = $with{zone} // '4m';
    my $server = TokenAuth::Server->start(dir => $dir, http => <<"END");
token_auth_db $dir/db;
token_auth_zone $zone;
server {
    listen 127.0.0.1:%PORT%;
    listen unix:$dir/nginx.sock;
    set_real_ip_from 127.0.0.1;
    root $dir/html;
    token_auth api;
    token_auth_org off;
    location = /usage { token_auth off; token_auth_usage; }
    location = /public { token_auth off; token_auth_usage public; }
    location = /other { token_auth off; }
}
END
    return { dir => $dir, server => $server, page => "unix:$dir/nginx.sock:/usage" };
}

# One request; its status.
sub use_token {
    my ($nginx, $id, $address) = @_;
    return ($nginx->{server}->get('/', Authorization => "Bearer $id-token", $address ? ('X-Real-IP' => $address) : ()))[0];
}

sub stamp { require POSIX; return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

my $web1 = start_nginx('web1');
my $watch = watch('web1');
ok eventually(sub { use_token($web1, 't1') == 200 }), 'a store';

subtest 'where no host tells of it' => sub {
    ok eventually(sub { host('web1') }), 'a host reports';
    ok !exists shown('t1')->{last_used}, 'show says nothing';
    unlike $world->ctl_ok('list'), qr/LAST USED/, 'nor does list';
    my $result = $world->ctl('list', '--unused', '90d');
    is $result->{status}, 1, 'which tokens are unused';
    like $result->{err}, qr/is unknown: no nginx host tells of their last use; give its tokensync --usage/, 'is unknown';
    is $world->stop($watch), 0, 'ended';
};

$watch = watch('web1', '--usage', $web1->{page});

subtest 'last use' => sub {
    my $begun = time;
    my $changes = $world->sql('SELECT max(seq) FROM changes')->[0];
    use_token($web1, 't1') for 1 .. 2;
    ok eventually(sub { used('t1') >= 3 }), 'is told of, with what was there before';
    ok eventually(sub { host('web1')->{usage_since} }), 'hosts says since when';
    cmp_ok host('web1')->{usage_since}, 'ge', stamp($begun - 5), 'not longer than it is so';
    is used('t1'), 3, 'each use once';
    my $shown = shown('t1');
    cmp_ok $shown->{last_used}, 'ge', stamp($begun), 'when';
    cmp_ok $shown->{last_used}, 'le', stamp(time), 'not later';
    is $shown->{last_address}, '127.0.0.1', 'from where';
    is $shown->{uses}, 3, 'how often';
    like $world->ctl_ok('show', 't1'), qr/^last used    \Q$shown->{last_used}\E from 127\.0\.0\.1, 3 uses in all$/m, 'show, for people';
    my $never = shown('t2');
    ok exists $never->{last_used} && !defined $never->{last_used}, 'never';
    like $world->ctl_ok('show', 't2'), qr/^last used    never$/m, 'for people, too';
    my $list = $world->ctl_ok('list');
    like $list, qr/^ID .* LAST USED +NAME$/m, 'list has a column';
    like $list, qr/^t1 .* \Q$shown->{last_used}\E +t1$/m, 'which says when';
    like $list, qr/^t2 .* never +t2$/m, 'or never';
    my ($listed) = grep { $_->{id} eq 't1' } @{ decode_json($world->ctl_ok('list', '--json')) };
    is_deeply $listed, $shown, 'list --json has what show --json has';
    is +($web1->{server}->get('/', Authorization => 'Bearer nobody'))[0], 401, 'a token that is refused';
    use_token($web1, 't3');
    ok eventually(sub { used('t3') }), 'another one';
    is reports('SELECT count(*) FROM token_usage')->[0], 2, 'is none that is used';
    is $world->sql('SELECT max(seq) FROM changes')->[0], $changes, 'what is told of use is no change of a token';
    is host('web1')->{usage_lost}, 0, 'nothing is lost';
    is_deeply host('web1')->{problems}, [], 'nothing is wrong';
};

subtest 'several hosts' => sub {
    my $web2  = start_nginx('web2');
    my $other = watch('web2', '--usage', $web2->{page});
    ok eventually(sub { use_token($web2, 't1', '192.0.2.7') == 200 }), 'another one';
    ok eventually(sub { used('t1') == 4 }), 'counts add up' or diag used('t1');
    is shown('t1')->{last_address}, '192.0.2.7', 'the latest address';
    my $latest = time + 5 * $day;
    reports("UPDATE token_usage SET last_used = $latest WHERE token = 't1'");
    use_token($web1, 't1');
    ok eventually(sub { used('t1') == 5 }), 'an earlier use counts';
    is shown('t1')->{last_used}, stamp($latest), 'and is not the last one';
    is shown('t1')->{last_address}, '192.0.2.7', 'nor is its address';
    is host('web2')->{usage_since}, host('web1')->{usage_since}, 'a new host takes over since when it is told of';
    is $world->stop($other), 0, 'ended';
};

subtest 'a clock that differs' => sub {
    my ($library) = grep { -e } map { "$_/faketime/libfaketime.so.1" } glob('/usr/lib/*-linux-gnu'), '/usr/lib';
    ok $library, 'libfaketime is there' or return;
    for my $case (['ahead', '+30d'], ['behind', '-30d']) {
        my ($name, $shift) = @$case;
        $world->stop($watch);
        $web1->{server}->stop;
        {
            local @ENV{qw(LD_PRELOAD FAKETIME DONT_FAKE_MONOTONIC)} = ($library, $shift, 1);
            $web1 = start_nginx('web1');
        }
        $watch = watch('web1', '--usage', $web1->{page});
        my $before = used('t4');
        is use_token($web1, 't4'), 200, "a clock $name";
        ok eventually(sub { used('t4') == $before + 1 }), 'is told of';
        cmp_ok shown('t4')->{last_used}, 'le', stamp(time), 'not in the future';
        cmp_ok shown('t4')->{last_used}, 'ge', stamp(time - 60), 'nor in the past once it was later';
    }
    $world->stop($watch);
    $web1->{server}->stop;
    $web1 = start_nginx('web1');
    $watch = watch('web1', '--usage', $web1->{page});
};

subtest 'reload and restart of nginx' => sub {
    my $before = used('t5');
    ok eventually(sub { use_token($web1, 't5') == 200 }), 'used';
    ok eventually(sub { used('t5') == $before + 1 }), 'told';
    kill 'STOP', $watch->{pid};
    use_token($web1, 't5');
    my $ended = sub { return scalar(() = $web1->{server}->errors =~ /worker process \d+ exited with code 0/g) };
    my $count = $ended->();
    $web1->{server}->reload;
    ok eventually(sub { $ended->() > $count }), 'reloaded while tokensync does not ask';
    kill 'CONT', $watch->{pid};
    ok eventually(sub { used('t5') == $before + 2 }), 'nothing is lost';
    unlike $world->log_of($watch), qr/anew/, 'and nothing logged';
    $web1->{server}->stop;
    ok eventually(sub { (host('web1')->{problems}[0] // '') =~ /^nginx's page \Q$web1->{page}\E cannot be read: .*; see whether nginx runs/ }),
        'an nginx that is down is listed' or diag explain host('web1');
    $web1 = start_nginx('web1');
    ok eventually(sub { use_token($web1, 't5') == 200 }), 'used again';
    ok eventually(sub { used('t5') == $before + 3 }), 'told again';
    like $world->log_of($watch), qr/^nginx notes the use of tokens anew; what it had not told is lost$/m, 'the log says what that means';
    ok eventually(sub { !@{ host('web1')->{problems} } }), 'nothing is wrong any more';
};

subtest 'tokensync is restarted' => sub {
    my $before = used('t10');
    use_token($web1, 't10') for 1 .. 3;
    ok eventually(sub { used('t10') == $before + 3 }), 'told';
    sleep 0.5;    # until nginx knows that it is stored
    is $world->stop($watch), 0, 'ended';
    $watch = watch('web1', '--usage', $web1->{page});
    use_token($web1, 't11');
    ok eventually(sub { used('t11') }), 'it goes on';
    is used('t10'), $before + 3, 'and tells nothing twice';
};

subtest 'tokensync is killed' => sub {
    my $before = used('t6');
    use_token($web1, 't6');
    $world->stop($watch, 'KILL');
    use_token($web1, 't6');
    $watch = watch('web1', '--usage', $web1->{page});
    ok eventually(sub { used('t6') >= $before + 2 }), 'it goes on where it was';
    cmp_ok used('t6'), '<=', $before + 3, 'what was told before its end may be told twice, no more';
};

subtest 'a database that is away' => sub {
    my $moved = on_postgresql() ? 'ALTER TABLE %2$s RENAME TO %1$s' : 'ALTER TABLE %2$s RENAME TO %1$s';
    reports(sprintf $moved, 'away', 'token_usage');
    use_token($web1, 't7') for 1 .. 3;
    ok eventually(sub { $world->log_of($watch) =~ /last use is not told meanwhile/ }), 'is logged';
    use_token($web1, 't7');
    reports(sprintf $moved, 'token_usage', 'away');
    ok eventually(sub { used('t7') == 4 }), 'nginx keeps what was not stored' or diag used('t7');
};

subtest 'more tokens than have room' => sub {
    $web1->{server}->stop;
    $web1 = start_nginx('web1', zone => '48k');
    kill 'STOP', $watch->{pid};
    use_token($web1, "t$_") for 1 .. 60;
    kill 'CONT', $watch->{pid};
    ok eventually(sub { host('web1')->{usage_lost} }), 'losses are counted';
    my $lost = host('web1')->{usage_lost};
    my $said = "$lost use" . ($lost == 1 ? '' : 's');
    ok eventually(sub { (host('web1')->{problems}[0] // '') =~ /^\Q$said\E of tokens found no room in nginx: enlarge token_auth_zone$/ }), 'and shown';
    like $world->log_of($watch), qr/^nginx had no room for \d+ uses? of tokens so far; give it a larger token_auth_zone$/m, 'and logged';
    $web1->{server}->stop;
    $web1 = start_nginx('web1');
    ok eventually(sub { host('web1')->{usage_lost} == 0 }), 'until nginx begins anew with room';
};

subtest 'tokens that are gone' => sub {
    ok eventually(sub { use_token($web1, 't8') == 200 }), 'used';
    ok eventually(sub { used('t8') }), 'told';
    $world->ctl_ok('delete', 't8');
    my $all = reports('SELECT count(*) FROM token_usage')->[0];
    reports('UPDATE hosts SET pruned = 0');
    ok eventually(sub { !used('t8') }), 'what is told of them goes';
    is reports('SELECT count(*) FROM token_usage')->[0], $all - 1, 'and of no others';
    my $pruned = reports('SELECT max(pruned) FROM hosts')->[0];
    sleep 2.5;
    is reports('SELECT max(pruned) FROM hosts')->[0], $pruned, 'once a day';
};

subtest 'list --unused, --expiring' => sub {
    my $old = stamp(time - 200 * $day);
    $world->import_lines(
        (map { token("old$_", created => $old, role => 'reader') } 1 .. 6),
        token('young', created => stamp(time - $day)),
        token('late', created => $old, not_before => stamp(time - $day)),
        token('soon', created => $old, expires => stamp(time + 3 * $day)),
        token('gone', created => $old, expires => stamp(time - $day)));
    $world->ctl_ok('revoke', 'old6');
    ok eventually(sub { use_token($web1, 'old1') == 200 && use_token($web1, 'old2') == 200 }), 'two are used';
    ok eventually(sub { used('old2') }), 'told';
    reports("UPDATE token_usage SET last_used = last_used - 100 * $day WHERE token = 'old2'");
    is_deeply unused('90d'), [qw(old2 old3 old4 old5 soon)], 'those that were not used for that long, or never and are that old';
    is_deeply unused('150d'), [qw(old3 old4 old5 soon)], 'another time';
    is_deeply unused('90d', '--status', 'revoked'), ['old6'], 'with a status';
    is_deeply unused('90d', '--expiring', '7d'), ['soon'], 'and soon expired';
    is_deeply [ map { $_->{id} } @{ decode_json($world->ctl_ok('list', '--expiring', '7d', '--json')) } ], ['soon'], 'soon expired alone';
    is_deeply unused('90d', '--org', 'acme', '--role', 'reader'), [qw(old2 old3 old4 old5)], 'with other filters';
    reports('UPDATE hosts SET seen = seen - 120 WHERE host = \'web2\'');
    like $world->ctl('list', '--unused', '90d')->{err},
        qr/^warning: not told of at present, so they may have been used since: web2 \(not seen for \d+m\)$/m, 'names a host that is away';
    reports('UPDATE hosts SET usage_lost = 3 WHERE host = \'web2\'');
    like $world->ctl('list', '--unused', '90d')->{err},
        qr/^warning: not told of, as nginx had no room for all uses: web2; see `tokenctl hosts`$/m, 'and one that lost some';
    reports('UPDATE hosts SET seen = seen - 2592000 WHERE host = \'web2\'');
    my $warned = $world->ctl('list', '--unused', '90d')->{err};
    like $warned, qr/^warning: the last use of tokens is told of since \S+ only; they may have been used before$/m, 'warns of a short past';
    reports("UPDATE hosts SET usage_since = usage_since - 100 * $day");
    is $world->ctl('list', '--unused', '90d')->{err}, '', 'and not of a long one';
    my $silent = watch('web3') if mkdir $world->dir . '/web3';
    ok eventually(sub { host('web3') }), 'a host that does not tell';
    like $world->ctl('list', '--unused', '90d')->{err}, qr/^warning: not told of, as these hosts do not tell of tokens' last use: web3$/m, 'is named';
    is $world->stop($silent), 0, 'ended';
    is $world->ctl('list', '--unused', 'often')->{status}, 2, 'no time';
};

subtest 'a page that is none' => sub {
    is $world->stop($watch), 0, 'ended';
    for my $case (['/nothing', qr/answers 401; name a location/], ['/other', qr/answers 404; name a location that has token_auth_usage/]) {
        my ($path, $expected) = @$case;
        my $other = watch('web1', '--usage', "unix:$web1->{dir}/nginx.sock:$path");
        ok eventually(sub { $world->log_of($other) =~ $expected }), $path or diag $world->log_of($other);
        is $world->stop($other), 0, 'ended';
    }
    spew("$web1->{dir}/html/wrong", "hello\n");
    my $port = $web1->{server}->port;
    my $other = watch('web1', '--usage', "http://127.0.0.1:$port/usage");
    ok eventually(sub { $world->log_of($other) =~ /answers 403;/ }), 'TCP, where it is not public';
    is $world->stop($other), 0, 'ended';
    my $before = used('t9');
    use_token($web1, 't9');
    $other = watch('web1', '--usage', "http://127.0.0.1:$port/public");
    ok eventually(sub { used('t9') == $before + 1 }), 'and where it is';
    is $world->stop($other), 0, 'ended';
};

subtest 'an nginx that hangs' => sub {
    $watch = watch('web1', '--usage', $web1->{page});
    ok eventually(sub { host('web1')->{usage_since} }), 'it tells';
    reports("UPDATE hosts SET seen = seen - 2592000 WHERE host <> 'web1'");
    my @workers = split ' ', `ps -o pid= --ppid @{[ $web1->{server}->pid ]}`;
    kill 'STOP', @workers;
    sleep 2;
    is $world->ctl('revoke', 't20', '--wait', '5s')->{status}, 0, 'holds up no change';
    my $begun = time;
    is $world->stop($watch), 0, 'nor the end';
    cmp_ok time - $begun, '<', 4, 'for long';
    kill 'CONT', @workers;
};

subtest 'metrics' => sub {
    my $file = $world->dir . '/web1/tokensync.prom';
    $watch = watch('web1', '--usage', $web1->{page}, '--metrics', $file);
    my $metrics = sub { return { slurp($file) =~ /^(\w+)(?:\{[^}]*\})? (\d+)$/mg } };
    ok eventually(sub { -e $file && $metrics->()->{tokensync_usage_up} }), 'the file';
    is `promtool check metrics <$file 2>&1`, '', 'promtool has nothing to say';
    my $found = $metrics->();
    is_deeply [ sort keys %$found ], [ sort map { "tokensync_$_" } qw(build_info commits_total failures_total full_loads_total
            last_success_timestamp_seconds registry_up removals_held_back rows_left_out store_generation store_tokens
            usage_lost_total usage_restarts_total usage_up usage_written_total) ], 'what is in it';
    my $docs = slurp("$FindBin::Bin/../../docs/TOKENSYNC.md");
    is_deeply [ grep { $docs !~ /`$_/ } keys %$found ], [], 'all of that is documented';
    is $found->{tokensync_registry_up}, 1, 'up';
    cmp_ok abs(time - $found->{tokensync_last_success_timestamp_seconds}), '<', 10, 'lately';
    is $found->{tokensync_store_tokens}, $world->sql('SELECT count(*) FROM tokens')->[0], 'tokens';
    is sprintf('%o', (stat $file)[2] & 0777), '644', 'everybody may read it';
    ok !-e "$file.new", 'nothing stays beside it';
    my $commits = $found->{tokensync_commits_total};
    $world->ctl_ok('revoke', 't21');
    ok eventually(sub { $metrics->()->{tokensync_commits_total} > $commits }), 'commits are counted';
    $web1->{server}->stop;
    ok eventually(sub { !$metrics->()->{tokensync_usage_up} }), 'an nginx that is down shows';
    ok eventually(sub { host('web1')->{problems}[0] }), 'also in hosts';
    like $world->ctl('list', '--unused', '90d')->{err}, qr/^warning: not told of at present, [^\n]*web1 \(nginx's page /m, 'and in list --unused';
    is $world->stop($watch), 0, 'ended';
    my $unwritable = watch('web1', '--metrics', $world->dir . '/none/tokensync.prom');
    ok eventually(sub { $world->log_of($unwritable) =~ m{^the metrics file \S+/none/tokensync\.prom cannot be written: No such file or directory; .*; syncing goes on without --metrics$}m }),
        'a file that cannot be written' or diag $world->log_of($unwritable);
    is $world->stop($unwritable), 0, 'ended';
};

subtest 'a registry that goes away' => sub {
    sqlite_only();
    my $file = $world->dir . '/web1/tokensync.prom';
    $watch = watch('web1', '--metrics', $file);
    ok eventually(sub { slurp($file) =~ /^tokensync_registry_up 1$/m }), 'up';
    rename $world->registry, $world->registry . '.away' or die;
    ok eventually(sub { slurp($file) =~ /^tokensync_registry_up 0$/m && slurp($file) =~ /^tokensync_failures_total [1-9]/m }), 'down';
    rename $world->registry . '.away', $world->registry or die;
    ok eventually(sub { slurp($file) =~ /^tokensync_registry_up 1$/m }), 'up again';
    is $world->stop($watch), 0, 'ended';
};

subtest 'reports that cannot be read' => sub {
    sqlite_only();
    spew($world->dir . '/noise', 'x' x 4096);
    local $ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/noise';
    my $list = $world->ctl('list');
    is $list->{status}, 0, 'list';
    like $list->{err}, qr/^warning: the last use of tokens cannot be read: reports \S+noise: is damaged, or not tokensync's; remove it/, 'warns';
    is $world->ctl('list', '--unused', '90d')->{status}, 1, 'and cannot say what is unused';
};

subtest 'wrong usage' => sub {
    for my $case (['web1'], ['unix:/run/nginx.sock'], ['unix:nginx.sock:/usage'], ['unix:/run/nginx.sock:usage'], ['https://localhost/usage'],
        ['unix:/run/nginx.sock:/usage?x'], ['unix:/' . 'x' x 107 . ':/usage'], ['http://'], ['http://host'], ['http:///usage'], ["http://host/a\nb"],
        [$web1->{page}, '--usage-interval', '0s'], [$web1->{page}, '--usage-interval', 'x']) {
        my ($page, @more) = @$case;
        my $result = $world->sync('watch', '--usage', $page, @more);
        is $result->{status}, 2, "$page @more";
        like $result->{err}, qr/--usage/, 'says which option';
    }
    my $file = spew($world->dir . '/tokens.jsonl', qq({"type":"role","id":"reader","scopes":["a"]}\n));
    mkdir $world->dir . '/file' or die;
    my $result = $world->run_program({}, $world->tool('tokensync'), '--db', $world->dir . '/file/db', '--source', $file, 'watch', '--usage', $web1->{page});
    is $result->{status}, 2, 'a file has no registry';
    like $result->{err}, qr/name one by --report-to/, 'to tell of it';
};

done_testing;
