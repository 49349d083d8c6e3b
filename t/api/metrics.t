# /metrics: its form and what it counts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Api;
use TokenAuth::Util qw(run_tool);

my $api = TokenAuth::Api->start(probe => 1);
$api->call('GET',  '/slow') for 1 .. 3;
$api->call('HEAD', '/slow');
$api->call('POST', '/slow', json => '{}');
$api->call('GET',  '/slow?ms=x');
$api->call('POST', '/slow', body => 'x');
$api->call('GET',  '/nothing/ak_7HqLmNo8PqR');
$api->call('PUT',  '/slow');
$api->call('POST', '/echo', headers => { 'Content-Length' => 100000 });

my $answer = $api->call('GET', '/metrics');
is $answer->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'its type';
my $checked = run_tool([qw(promtool check metrics)], stdin => $answer->{body});
is $checked->{status}, 0, 'Prometheus likes it' or diag $checked->{err};
unlike $answer->{body}, qr/7HqL/, 'no path of a client stands there';

my $metrics = $api->metrics;
my %answers = map { /\Atoken_auth_api_requests_total\{operation="(\w+)",status="(\d+)"\}\z/ ? ("$1 $2" => $metrics->{$_}) : () } keys %$metrics;
is_deeply \%answers,
    { 'slow 200' => 5, 'slow 400' => 1, 'slow 415' => 1, 'none 404' => 1, 'none 405' => 1, 'none 413' => 1, 'getMetrics 200' => 1 },
    'answers by operation and status';
is $metrics->{'token_auth_api_request_duration_seconds_count{operation="slow"}'}, 7, 'how many took how long';
is $metrics->{token_auth_api_connections}, 1, 'connections';
is $metrics->{token_auth_api_requests_running}, 0, 'nothing runs';

is $api->stop, 0, 'it ends well';
done_testing;
