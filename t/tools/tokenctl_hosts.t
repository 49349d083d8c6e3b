# tokenctl hosts, and --wait: what tokensync watch reports of each host.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use TokenAuth::Postgres;
use TokenAuth::Registry qw(on_postgresql rows_of sqlite_only);
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually spew);

my $world = TokenAuth::Sync->new;
$world->populate(20);
$ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/usage.db';

sub reports { return rows_of(on_postgresql() ? $world->url : "sqlite:$ENV{TOKEN_AUTH_USAGE_DB}", @_) }
sub hosts   { return { map { ($_->{host} => $_) } @{ decode_json($world->ctl_ok('hosts', '--json')) } } }

sub is_listed {
    my ($host) = @_;
    return eventually(sub { hosts()->{$host} });
}

my $nobody = $world->ctl('revoke', 't20', '--wait');
is $nobody->{status}, 4, '--wait while no host has ever reported';
like $nobody->{err}, qr/^token t20 is now revoked\nwarning: the change is made, but no host reported/, 'and what it says';
is $world->ctl('hosts')->{status}, 0, 'hosts: there are none';

my $web1 = $world->watch('--host', 'web1', '--heartbeat', '1s');
ok is_listed('web1'), 'a host reports itself';

subtest 'what is listed' => sub {
    my $host = hosts()->{web1};
    is $host->{generation} > 0, 1, 'generation';
    cmp_ok $host->{age}, '<', 10, 'age';
    like $host->{version}, qr/^\d+\.\d+\.\d+$/, 'version';
    is_deeply $host->{problems}, [], 'nothing is wrong';
    like $world->ctl_ok('hosts'), qr/^HOST +GENERATION .*\nweb1 +\d+ +\d+s +\d+s ago +[\d.]+ +-\n\z/, 'for people';
};

subtest 'a change that is waited for' => sub {
    my $begun = time;
    for my $number (1 .. 9) {
        my $result = $world->ctl('revoke', "t$number", '--wait');
        is $result->{status}, 0, "t$number: done";
        is $world->decision("t$number-token"), 'token_revoked', 'and applied';
        like $result->{err}, qr/^applied on 1 host: web1\n\z/m, 'and it says so';
    }
    cmp_ok time - $begun, '<', 40, 'without waiting for the reports in turn, 5 s apart';
    is $world->ctl('revoke', 't1', '--wait', '5s')->{status}, 0, 'nothing changed: the same';
    is $world->ctl('org', 'suspend', 'acme', '--wait=5s')->{status}, 0, 'another change, =';
    is $world->decision('t14-token'), 'organization_suspended', 'applied';
    is $world->ctl('--wait', '5s', 'org', 'resume', 'acme')->{status}, 0, 'in front of the command';
    my $made = $world->ctl('create', '--org', 'acme', '--name', 'new', '--role', 'reader', '--wait');
    is $made->{status}, 0, 'create';
    is $world->decision($made->{out} =~ s/\n\z//r), 'ok', 'its output is the token alone, which works at once';
    is $world->ctl('delete', 't15', '--wait')->{status}, 0, 'delete';
    is $world->decision('t15-token'), 'token_unknown', 'applied';
};

subtest 'one of two hosts hangs' => sub {
    my $other = $world->dir . '/other';
    my $web2 = $world->watch({ db => "$other/db" }, '--host', 'web2') if mkdir $other;
    ok is_listed('web2'), 'listed';
    is $world->ctl('revoke', 't10', '--wait')->{status}, 0, 'both apply';
    kill 'STOP', $web2->{pid};
    my $result = $world->ctl('revoke', 't11', '--wait', '2s');
    is $result->{status}, 4, 'it is waited for, but not for ever';
    like $result->{err}, qr/^warning: the change is made, but not applied within 2s on web2; /m, 'by name';
    is $world->decision('t11-token'), 'token_revoked', 'the other one has applied it';
    is $world->sync({ db => "$other/db", stdin => "t11-token\n" }, 'explain', '--json')->{out} =~ /"decision":"ok"/, 1,
        'this one has not';
    kill 'CONT', $web2->{pid};
    is $world->ctl('revoke', 't11', '--wait')->{status}, 0, 'once it goes on, it has';
    kill 'STOP', $web2->{pid};
    sleep 1;
    reports(q(UPDATE hosts SET seen = seen - 54 WHERE host = 'web2'));
    $result = $world->ctl('revoke', 't16', '--wait', '15s');
    is $result->{status}, 4, 'one that falls silent during the wait has not applied it';
    like $result->{err}, qr/^warning: the change is made, but not applied within 15s on web2; /m, 'by name';
    kill 'CONT', $web2->{pid};
    is $world->stop($web2), 0, 'ended';
    reports(q(UPDATE hosts SET seen = seen - 120 WHERE host = 'web2'));
    like hosts()->{web2}{problems}[0], qr/^not seen for \d+m$/, 'what was not seen of late, is listed so';
    $result = $world->ctl('revoke', 't12', '--wait');
    is $result->{status}, 0, 'and not waited for';
    like $result->{err}, qr/^warning: not seen in the last minute: web2$/m, 'but named';
    reports(q(UPDATE hosts SET seen = seen - 2592000 WHERE host = 'web2'));
    is hosts()->{web2}, undef, 'after a month it is not listed any more';
};

subtest 'what is wrong' => sub {
    rename $world->db . '/data.mdb', $world->dir . '/away' or die;
    mkdir $world->db . '/data.mdb' or die;
    ok eventually(sub { (hosts()->{web1}{problems}[0] // '') =~ /data\.mdb/ }), 'an error of tokensync is listed';
    rmdir $world->db . '/data.mdb' or die;
    rename $world->dir . '/away', $world->db . '/data.mdb' or die;
    ok eventually(sub { !@{ hosts()->{web1}{problems} } }), 'until it is mended';
};

subtest 'two of one name' => sub {
    my $dir = $world->dir . '/twin';
    mkdir $dir or die;
    my $twin = $world->watch({ db => "$dir/db" }, '--host', 'web1');
    my $told = qr/^another tokensync reports itself as host web1, too; .*--host$/m;
    ok eventually(sub { $world->log_of($web1) =~ $told && $world->log_of($twin) =~ $told }, 60), 'both say so';
    ok eventually(sub { (hosts()->{web1}{problems}[0] // '') =~ /^another tokensync reports itself under this name; give each its own by --host$/ }),
        'it is listed';
    my $result = $world->ctl('revoke', 't17', '--wait', '2s');
    is $result->{status}, 4, 'neither is taken for both';
    is $world->stop($twin), 0, 'ended';
    ok eventually(sub { !@{ hosts()->{web1}{problems} } }, 90), 'one alone is listed as before';
    is $world->ctl('revoke', 't17', '--wait')->{status}, 0, 'and waited for';
};

subtest 'reports that nothing could have made' => sub {
    my ($least, $most) = qw(-9223372036854775808 9223372036854775807);
    my @numbers = qw(schema generation age held_back left_out usage_since usage_lost pruned);
    for my $case ([$most, $most], [$most, $least], [$least, $least]) {
        my ($seen, $number) = @$case;
        reports("INSERT INTO hosts (host, seen, version, position, problem, usage_problem, @{[ join ', ', @numbers ]}) VALUES "
                . "('x\n\e[2J', $seen, '', '', '', '', @{[ join ', ', ($number) x @numbers ]})");
        my $result = $world->ctl('hosts');
        is $result->{status}, 0, "seen $seen, numbers $number: hosts";
        unlike $result->{out}, qr/\e|^x$/m, 'no name does anything to a terminal';
        is $world->ctl('hosts', '--json')->{status}, 0, 'in JSON';
        is $world->ctl('list')->{status}, 0, 'list';
        $result = $world->ctl('revoke', 't18', '--wait', '1s');
        is $result->{status}, $seen eq $most ? 4 : 0, '--wait waits for what was seen of late';
        unlike $result->{err}, qr/\e|^x$/m, 'no name does anything there, either';
        reports(q(DELETE FROM hosts WHERE host LIKE 'x%'));
    }
    for my $number ($least, $most) {
        reports("INSERT INTO token_usage (token, last_used, address, count) VALUES ('t1', $number, '', $number)");
        is $world->ctl('show', 't1')->{status}, 0, "a use at $number";
        reports('DELETE FROM token_usage');
    }
    $world->ctl_ok('restore', 't18');
};

subtest 'a registry that a backup was put in place of' => sub {
    sqlite_only();
    my $backup = $world->dir . '/backup.db';
    $world->copy_registry($world->registry, $backup);
    $world->ctl_ok('revoke', 't18', '--wait');
    $world->ctl_ok('restore', 't18', '--wait');
    kill 'STOP', $web1->{pid};
    $world->copy_registry($backup, $world->registry);
    is $world->ctl('revoke', 't18', '--wait', '2s')->{status}, 4, 'what was applied of the one before does not count';
    kill 'CONT', $web1->{pid};
    is $world->ctl('revoke', 't18', '--wait')->{status}, 0, 'once it reads this one, it has';
    is $world->decision('t18-token'), 'token_revoked', 'applied';
};

subtest 'wrong usage' => sub {
    my @cases = ([['revoke', '--wait', '25h', 't13'], qr/--wait is at most 24h/],
        (map { [[$_, '--wait'], qr/--wait is for commands that change tokens/] } qw(hosts init migrate list)),
        [['revoke', '--wait=often', 't13'], qr/--wait "often" is not understood: write 30s/]);
    for my $case (@cases) {
        my $result = $world->ctl(@{ $case->[0] });
        is $result->{status}, 2, "@{ $case->[0] }";
        like $result->{err}, $case->[1], 'message';
    }
    is $world->decision('t13-token'), 'ok', 'nothing was changed';
    my $long = $world->sync('watch', '--host', "a\nb");
    is $long->{status}, 2, 'a host without a name that can be shown';
};

subtest 'reports that cannot be written' => sub {
    my $dir = $world->dir . '/third';
    mkdir $dir or die;
    my ($watch, $expected);
    if (on_postgresql()) {
        $world->sql('CREATE ROLE only_reads LOGIN IN ROLE token_auth_reader');
        local $world->{url} = $world->url =~ s{//postgres@}{//only_reads@}r;
        $watch    = $world->watch({ db => "$dir/db" }, '--host', 'web3');
        $expected = qr/token_auth_reporter/;
    }
    else {
        local $ENV{TOKEN_AUTH_USAGE_DB} = "$dir/none/usage.db";
        $watch    = $world->watch({ db => "$dir/db" }, '--host', 'web3');
        $expected = qr{reports \S+/none/usage\.db: cannot be written: No such file or directory; };
    }
    ok eventually(sub { $world->log_of($watch) =~ $expected }), 'it says so' or diag $world->log_of($watch);
    ok eventually(sub { -e "$dir/db/data.mdb" }), 'and syncs';
    is $world->stop($watch), 0, 'ended';
};

subtest 'another file than theirs' => sub {
    sqlite_only();
    my $dir = $world->dir . '/wrong';
    mkdir $dir or die;
    spew("$dir/usage.db", '');
    my $none = $world->ctl('hosts', '--usage-db', "$dir/usage.db");
    is $none->{status}, 0, 'one that is just being made';
    like $none->{err}, qr/^no host has reported yet; /, 'has no hosts';
    my $registry = $world->registry;
    like $world->ctl('hosts', '--usage-db', $registry)->{err}, qr/reports \Q$registry\E: is not tokensync's; name another file by --usage-db/, 'the registry';
    my $watch = $world->watch({ db => "$dir/db" }, '--host', 'wrong', '--usage-db', $registry);
    ok eventually(sub { $world->log_of($watch) =~ /is not tokensync's/ }), 'tokensync says so, too';
    is $world->stop($watch), 0, 'ended';
    is $world->sql(q(SELECT count(*) FROM sqlite_master WHERE name = 'hosts'))->[0], 0, 'and leaves it alone';
};

subtest 'who may read them' => sub {
    sqlite_only();
    my $dir = $world->dir . '/shy';
    mkdir $dir or die;
    local $ENV{TOKEN_AUTH_USAGE_DB} = "$dir/usage.db";
    my $watch = $world->watch({ db => "$dir/db", as => ['sh', '-c', 'umask 077; exec "$@"', 'sh'] }, '--host', 'shy');
    ok eventually(sub { -e "$dir/usage.db" && (stat _)[7] }), 'made';
    is sprintf('%o', (stat "$dir/usage.db")[2] & 0777), '640', 'the group, whatever the umask';
    is $world->stop($watch), 0, 'ended';
};

subtest 'the role that reports' => sub {
    plan skip_all => 'SQLite has no roles' if !on_postgresql();
    $world->sql('CREATE ROLE syncs LOGIN IN ROLE token_auth_reader, token_auth_reporter');
    my $as = $world->url =~ s{//postgres@}{//syncs@}r;
    my $dir = $world->dir . '/fourth';
    mkdir $dir or die;
    {
        local $world->{url} = $as;
        $world->watch({ db => "$dir/db" }, '--host', 'web4');
    }
    ok is_listed('web4'), 'it can';
    for my $statement (q(UPDATE tokens SET name = 'x'), q(DELETE FROM waiting), q(INSERT INTO changes (entity, key) VALUES ('a', 'b')),
        q(DELETE FROM audit), q(UPDATE meta SET value = '3')) {
        is eval { rows_of($as, $statement); 1 }, undef, "and cannot: $statement";
    }
};

is $world->stop($web1), 0, 'ends well, with the thread';

done_testing;
