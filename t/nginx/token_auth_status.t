# The directive token_auth_status: the exposition, and what is shipped for those who watch it.
use strict;
use warnings;
use lib 't/lib';
use HTTP::Tiny;
use JSON::PP;
use TokenAuth::Gateway;
use TokenAuth::Metrics;
use TokenAuth::Server;
use TokenAuth::Sync;
use TokenAuth::Util qw(eventually root_dir slurp);
use TokenAuth::Wire;
use Test::More;

my $dir = gateway_dir() . '/server';
mkdir $dir or die "$dir: $!";
my $store = store_dir();
my $odd = "$dir/a\"b\\\\c";    # as nginx.conf has it
spew("$dir/secret", 'secret');
my $server = TokenAuth::Server->start(dir => $dir, user => 'root', http => <<"END");
    token_auth_db $store;
    charset utf-8; charset_types *;
    gzip on; gzip_min_length 1; gzip_types *;
    server {
        listen 127.0.0.1:%PORT%;
        listen unix:$dir/nginx.sock;
        location = /metrics { token_auth_status prometheus; }
        location = /tokensync { alias $dir/tokensync.prom; default_type 'text/plain; version=0.0.4'; }
        location = /usage { token_auth_usage; }
        location = /json { token_auth_status json; }
        location = /guarded { token_auth api; token_auth_status json; }
        location = /secret { alias $dir/secret; token_auth api; }
        location = /odd { token_auth_db '$odd'; token_auth api; token_auth_label odd; }
    }
END
my @acme = (Authorization => 'Bearer acme-token');
$server->get('/secret', @acme) for 1 .. 3;
$server->get('/secret');
my $generation = decode_json(tokensync('status', '--json'))->{generation};

subtest 'the exposition' => sub {
    my ($status, $head, $text) = $server->get('/metrics');
    is $status, 200, 'answered';
    like $head, qr{^Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r$}m, 'Content-Type';
    is_deeply [ $text =~ /^# TYPE (\S+ \S+)$/mg ], [
        map { "token_auth_$_" } 'requests_total counter', 'rechecks_total counter', 'store_up gauge', 'store_generation gauge',
        'store_tokens gauge', 'store_last_sync_timestamp_seconds gauge', 'usage_lost_total counter', 'build_info gauge' ], 'metrics and their types';
    my $metrics = metrics($server);
    is_deeply results($metrics, 'default'), { ok => 3, credentials_missing => 1 }, 'requests';
    is_deeply results($metrics, 'default', 'token_auth_rechecks_total'), {}, 'rechecks';
    is $metrics->{qq(token_auth_store_up{store="$store"})}, 1, 'up';
    is $metrics->{qq(token_auth_store_generation{store="$store"})}, $generation, 'generation';
    is $metrics->{qq(token_auth_store_tokens{store="$store"})}, 20, 'tokens';
    my $synced = $metrics->{qq(token_auth_store_last_sync_timestamp_seconds{store="$store"})};
    like $synced, qr/\A\d+\.\d{3}\z/, 'last sync';
    cmp_ok abs(time - $synced), '<', 60, 'is in seconds';
    my ($nginx) = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{/([\d.]+)};
    like $text, qr/^token_auth_build_info\{version="\d+\.\d+\.\d+",nginx="\Q$nginx\E"\} 1$/m, 'versions';
    like $text, qr/^token_auth_store_up\{store="\Q$dir\E\/a\\"b\\\\c"\} 0$/m, 'a store that is not there, with a name to escape';
    unlike $text, qr/^token_auth_store_(?!up)\w+\{store="\Q$dir\E/m, 'has no numbers';
    unlike $text, qr/acme/, 'no token';
};

subtest 'promtool' => sub {
    my (undef, undef, $text) = $server->get('/metrics');
    spew("$dir/metrics.txt", $text);
    is `promtool check metrics <$dir/metrics.txt 2>&1`, '', 'check metrics';
    my $rules = root_dir() . '/conf/alerts.yml';
    my $cases = root_dir() . '/t/nginx/alerts.yml';
    like `promtool test rules $cases 2>&1`, qr/^  SUCCESS$/m, 'test rules';
    my %fires = map { $_ => 1 } slurp($cases) =~ /alertname: (\w+)\n\s+eval_time: \S+\n\s+exp_alerts:/g;
    is_deeply [ sort keys %fires ], [ sort { $a cmp $b } slurp($rules) =~ /alert: (\w+)/g ], 'each alert has a case in which it fires';
};

subtest 'JSON' => sub {
    my ($status, $head, $text) = $server->get('/json');
    is $status, 200, 'answered';
    like $head, qr{^Content-Type: application/json; charset=utf-8\r$}m, 'Content-Type, with the charset that nginx adds';
    my $all = decode_json($text);
    is_deeply [ sort keys %$all ], [qw(labels nginx stores usage_lost version)], 'what there is';
    is_deeply [ sort keys %{ $all->{labels} } ], [qw(default odd)], 'labels';
    is $all->{labels}{default}{requests}{ok}, 3, 'requests';
    is $all->{labels}{odd}{requests}{scope_missing}, 0, 'and zeros';
    is $all->{labels}{default}{rechecks}{token_revoked}, 0, 'rechecks';
    my $is = $all->{stores}{$store};
    is_deeply [ @$is{qw(up generation tokens)} ], [ JSON::PP::true, $generation, 20 ], 'the store';
    cmp_ok abs(time - $is->{last_sync}), '<', 60, 'its last sync';
    is_deeply $all->{stores}{"$dir/a\"b\\c"}, { up => JSON::PP::false }, 'one that is not there';
};

subtest 'requests for it' => sub {
    my $socket = $server->connect;
    my ($status, $head) = exchange($socket, 'HEAD', '/metrics');
    is $status, 200, 'HEAD';
    like $head, qr/^Content-Length: [1-9]/m, 'with the length';
    is +(exchange($socket, 'POST', '/metrics', body => 'x'))[0], 405, 'POST';
    my ($zipped, $fields) = exchange($socket, 'GET', '/metrics', 'Accept-Encoding' => 'gzip');
    like $fields, qr/^Content-Encoding: gzip/m, 'compressed for those who ask';
    is +($server->get('/guarded'))[0], 401, 'it may be guarded';
    is +($server->get('/guarded', @acme))[0], 200, 'by a token';
};

subtest 'a store that is lost, and mended' => sub {
    my $up = sub { return metrics($server)->{qq(token_auth_store_up{store="$store"})} };
    my $away = gateway_dir() . '/away';
    rename $store, $away or die "$store: $!";
    ok eventually(sub { $up->() == 0 }), 'down once the grace is over';
    rename $away, $store or die "$store: $!";
    ok eventually(sub { $up->() == 1 }), 'up again';
};

# A real Prometheus, on the real page and tokensync's file: it takes all of it, and knows what rules and dashboard ask for.
subtest 'Prometheus, alerts and Grafana' => sub {
    my $port = free_port();
    my $world = TokenAuth::Sync->new;
    local $ENV{TOKEN_AUTH_USAGE_DB} = $world->dir . '/usage.db';
    my $watch = $world->watch('--usage', "unix:$dir/nginx.sock:/usage", '--metrics', "$dir/tokensync.prom");
    spew("$dir/prometheus.yml", JSON::PP->new->encode({
        global         => { scrape_interval => '1s' },
        rule_files     => [ root_dir() . '/conf/alerts.yml' ],
        scrape_configs => [
            map { { job_name => $_, metrics_path => "/$_", static_configs => [ { targets => [ '127.0.0.1:' . $server->port ] } ] } } qw(metrics tokensync) ],
    }));
    my $pid = TokenAuth::Server::spawn("$dir/prometheus.log", 'prometheus', "--config.file=$dir/prometheus.yml",
        "--storage.tsdb.path=$dir/prometheus", "--web.listen-address=127.0.0.1:$port");
    my $ask = sub {
        my ($path, %form) = @_;
        my $answer = HTTP::Tiny->new->post_form("http://127.0.0.1:$port/api/v1/$path", \%form);
        return eval { decode_json($answer->{content}) } // {};
    };
    my $query = sub {
        my $answer = $ask->('query', query => $_[0]);
        return ($answer->{status} // '') eq 'success' ? $answer->{data}{result} : die "$_[0]: " . ($answer->{error} // 'no answer');
    };
    # Rates need two scrapes.
    my $scrapes = 'count_over_time(token_auth_build_info[1m]) > 2 and on () count_over_time(tokensync_usage_up[1m]) > 2';
    ok eventually(sub { my $found = eval { $query->($scrapes) }; return $found && @$found }), 'scraped' or diag slurp("$dir/prometheus.log");
    my $sample = $query->('token_auth_requests_total{label="default",result="ok"}')->[0];
    is $sample->{value}[1], 3 + 1, 'the counter as it is';
    is $query->('count(token_auth_requests_total{label="default"})')->[0]{value}[1], 22, 'all results';
    my $rules = HTTP::Tiny->new->get("http://127.0.0.1:$port/api/v1/rules");
    my @states = map { $_->{state} } map { @{ $_->{rules} } } @{ decode_json($rules->{content})->{data}{groups} };
    is scalar(@states), scalar(() = slurp(root_dir() . '/conf/alerts.yml') =~ /- alert:/g), 'all alerts are loaded';

    my $board = decode_json(slurp(root_dir() . '/conf/grafana.json'));
    ok $board->{$_}, "the dashboard has $_" for qw(title uid schemaVersion templating panels);
    my %drawn;
    for my $panel (@{ $board->{panels} }) {
        my $whole = !grep { !defined $panel->{gridPos}{$_} } qw(x y w h);
        ok $whole && $panel->{id} && $panel->{type} =~ /\A(?:stat|timeseries|table)\z/, "$panel->{title}: a panel";
        ok $panel->{gridPos}{x} + $panel->{gridPos}{w} <= 24, "$panel->{title}: within the grid";
        for my $target (@{ $panel->{targets} }) {
            my $expression = $target->{expr} =~ s/\$__rate_interval/1m/gr =~ s/"\$(?:instance|label|sync)"/".+"/gr;
            $drawn{$_} = 1 for $expression =~ /\b(token(?:_auth|sync)_\w+)/g;
            # Rechecks come about by streams only: without the comparison, they are zero.
            $expression =~ s/ > 0\z//;
            cmp_ok scalar(@{ $query->($expression) }), '>', 0, "$panel->{title}: draws something";
        }
    }
    my %there = map { /\A(\w+)/ ? ($1 => 1) : () } keys %{ metrics($server) };
    $there{$_} = 1 for slurp("$dir/tokensync.prom") =~ /^(\w+)/mg;
    is_deeply [ sort grep { $_ ne 'token_auth_store_up' } keys %drawn ],
        [ sort grep { $_ ne 'token_auth_store_up' } keys %there ], 'all that there is';
    my @asked = slurp(root_dir() . '/conf/alerts.yml') =~ s/^ *(?:#|summary|description).*//gmr =~ /\b(token(?:_auth|sync)_\w+)/g;
    is_deeply [ grep { !$there{$_} } @asked ], [], 'alerts ask for what there is';
    kill 'TERM', $pid;
    waitpid $pid, 0;
    is $world->stop($watch), 0, 'tokensync ends well';
};

subtest 'nginx -t' => sub {
    like nginx_t('server { location / { token_auth_status; } }'), qr/invalid number of arguments in "token_auth_status"/, 'no format';
    like nginx_t('server { location / { token_auth_status xml; } }'), qr/\[emerg\] [^\n]*invalid value "xml"/, 'an unknown one';
    like nginx_t('token_auth_status json;'), qr/"token_auth_status" directive is not allowed here/, 'outside of a location';
    like nginx_t('server { location / { token_auth_status json; token_auth_status json; } }'), qr/"token_auth_status" directive is duplicate/, 'twice';
};

done_testing;
