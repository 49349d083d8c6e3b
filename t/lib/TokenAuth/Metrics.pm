# What token_auth_status answers.
package TokenAuth::Metrics;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(metrics results);

# The samples of Prometheus's text format, by name and labels as they stand there.
sub metrics {
    my ($server, $path) = @_;
    my ($status, undef, $text) = $server->get($path // '/metrics');
    $status == 200 or die "$status";
    return { map { /\A([^#]\S*) (\S+)\z/ ? ($1 => $2) : () } split /\n/, $text };
}

# The results of a label that are not zero; of requests unless another metric is named.
sub results {
    my ($metrics, $label, $name) = @_;
    $name //= 'token_auth_requests_total';
    return { map { /\A\Q$name\E\{label="\Q$label\E",result="(\w+)"\}\z/ && $metrics->{$_} ? ($1 => $metrics->{$_}) : () }
            keys %$metrics };
}

1;
