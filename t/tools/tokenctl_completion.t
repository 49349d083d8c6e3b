# Completion in bash: commands and options as --help lists them, identifiers from the registry.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Sync;
use TokenAuth::Util qw(build_dir root_dir run_tool);

my $world = TokenAuth::Sync->new;
for (
    [qw(org add acme globex)], [qw(group add acme/research)], [qw(role set reader agents:read)], [qw(role set editor agents:*)],
    [qw(user add ann)],
    )
{
    $world->ctl_ok(@$_);
}
$world->ctl_ok(qw(create --org acme --name Deploy --role reader));
my ($id) = $world->ctl_ok('list') =~ /^(\w+) +active/m;

# What bash offers behind a line, in its order: it breaks words at = and :, too.
my $ask = <<'BASH';
. "$1/conf/completions/tokenctl"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=()
rest=$2
while [[ $rest =~ ^[[:space:]]*([^[:space:]=:]+|[=:]+)(.*)$ ]]; do
    COMP_WORDS+=("${BASH_REMATCH[1]}")
    rest=${BASH_REMATCH[2]}
done
[[ $2 != *[[:space:]] ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_token_auth
printf '%s\n' "${COMPREPLY[@]}"
BASH

sub offers {
    my ($line, @expected) = @_;
    my %env = (PATH => build_dir() . ":$ENV{PATH}", TOKEN_AUTH_REGISTRY => $world->url);
    my $done = run_tool(['bash', '-c', $ask, 'bash', root_dir(), $line], env => \%env, dir => root_dir());
    is $done->{err}, '', "no complaint: $line";
    my @offered = sort grep { length } split /\n/, $done->{out};
    return @offered unless @expected;
    is_deeply \@offered, [sort grep { length } @expected], "$line: " . join ' ', @expected;
}

subtest 'commands' => sub {
    my %is = map { $_ => 1 } offers('tokenctl ');
    ok $is{$_}, $_ for qw(init org create list revoke migrate);
    my ($help) = `@{[build_dir()]}/tokenctl --help` =~ /^subcommands:\n(.*)/msi;
    is_deeply [sort keys %is], [sort $help =~ /^  (\w+)/mg], 'all that --help lists';
    offers('tokenctl re', qw(revoke restore rotate)[0, 1]);
    offers('tokenctl org ', qw(add list remove resume set suspend));
    offers('tokenctl --json org su', 'suspend');
    offers('tokenctl --actor org org su', 'suspend');
    offers('tokensync w', 'watch');
};

subtest 'options' => sub {
    my %is = map { $_ => 1 } offers('tokenctl create --');
    ok $is{$_}, "$_ of the command" for qw(--org --role --expires);
    ok $is{$_}, "$_ of the program" for qw(--registry --json);
    offers('tokensync run --reb', '--rebuild');
    offers('tokenctl list --status re', 'revoked');
    offers('tokenctl list --kind=o', 'organization');
    offers('tokensync explain --org-mode o', qw(off optional));
};

subtest 'identifiers' => sub {
    offers('tokenctl org suspend ', qw(acme globex));
    offers('tokenctl org suspend acme g', 'globex');
    offers('tokenctl member add ', 'ann');
    offers('tokenctl member add ann a', 'acme');
    offers('tokenctl member add ann acme --role e', 'editor');
    offers('tokenctl group remove ', 'acme/research');
    offers('tokenctl create --group acme/', 'acme/research');
    offers('tokenctl create --role=re', 'reader');
    offers('tokenctl revoke ', $id);
    offers("tokenctl audit --token ", $id);
    offers('tokensync explain --org gl', 'globex');
    offers('tokenctl create --name ', '');
};

subtest 'the registry that the line names' => sub {
    my $other = TokenAuth::Sync->new;
    $other->ctl_ok(qw(org add initech));
    my $url = $other->url;
    offers("tokenctl --registry $url org suspend ", 'initech');
    offers("tokenctl --registry=$url org suspend ", 'initech');
    offers('tokenctl --registry sqlite:/nowhere org suspend ', '');
};

subtest 'files and groups of the system' => sub {
    offers('tokenctl import README', 'README.md');
    offers('tokensync --db exam', 'examples');
    offers('tokensync run --group www-d', 'www-data');
};
done_testing;
