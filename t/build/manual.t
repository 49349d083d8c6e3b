# The manual pages, made from docs/: complete, and without a warning of groff's.
use strict;
use warnings;

use Test::More;
use TokenAuth::Util qw(build_dir root_dir run_tool slurp);

my %pages = ('ngx_http_token_auth_module.5' => 'DIRECTIVES', 'tokenctl.1' => 'TOKENCTL', 'tokensync.1' => 'TOKENSYNC', 'tokenapi.1' => 'TOKENAPI');
for my $page (sort keys %pages) {
    my $path = build_dir() . "/docs/$page";
    my $document = slurp(root_dir() . "/docs/$pages{$page}.md");
    subtest $page => sub {
        my $set = run_tool(['groff', '-man', '-t', '-Kutf8', '-Tutf8', '-ww', '-P-cbou', $path], env => { LC_ALL => 'C.UTF-8' });
        is $set->{status}, 0, 'groff sets it';
        is $set->{err}, '', 'without a warning';
        my $text = $set->{out};
        my @headings = map { tr/`//dr } $document =~ /^##+ (.*)$/mg;
        cmp_ok scalar @headings, '>', 5, 'the document has parts';
        my @missing = grep { $text !~ /^ *\Q$_\E$/m } @headings;
        is "@missing", '', 'and the page all of them';
        # Words in code, but for long code, which the end of a line may divide.
        my %words = map { $_ => 1 } grep { length > 3 } map { split } grep { length() <= 40 } $document =~ /`([^`\n|]+)`/g;
        my $flat = $text =~ s/\s+/ /gr;
        @missing = grep { index($flat, $_) < 0 } sort keys %words;
        is "@missing", '', 'and what stands there as code';
        unlike $text, qr/\]\(|^```|\*\*|\\[fe]/m, 'no Markdown or roff is left';
    };
}
done_testing;
