#!/usr/bin/perl
# Writes a manual page from one of docs/*.md: man.pl VERSION SECTION FILE > PAGE
# It knows the Markdown that docs/ uses: headings, paragraphs, lists, tables, code, links.
use strict;
use warnings;

use List::Util qw(max);

my %page_of = (
    DIRECTIVES => 'ngx_http_token_auth_module(5)',
    TOKENCTL   => 'tokenctl(1)',
    TOKENSYNC  => 'tokensync(1)',
    TOKENAPI   => 'tokenapi(1)',
);

sub escape {
    my ($text) = @_;
    $text =~ s/\\/\\e/g;
    $text =~ s/-/\\-/g;
    $text =~ s/'/\\(aq/g;
    return $text;
}

# A line of text must not begin like a request of roff.
sub guarded { return $_[0] =~ /^[.']/ ? "\\&$_[0]" : $_[0] }

sub link_text {
    my ($text, $target) = @_;
    return "$text <" . $target =~ s{([/?])}{$1\x01}gr . '>' if $target =~ /^https?:/ && index($text, '`') != 0;
    my ($doc) = $target =~ m{^(?:docs/)?([A-Z]+)\.md};
    my $page = $doc && $page_of{$doc} or return $text;
    my ($name) = $page =~ /^(\w+)/;
    return $text =~ /^`?\Q$name\E`?$/ ? "**$page**" : $doc eq 'DIRECTIVES' ? $text : "$text (see **$page**)";
}

# Code, bold and italics; what is code is kept from the others.
sub inline {
    my ($text) = @_;
    $text =~ s/\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)/link_text($1, $2)/ge;
    my @code;
    $text =~ s/`([^`]+)`/push @code, $1; "\0$#code\0"/ge;
    $text = escape($text);
    $text =~ s/\*\*(.+?)\*\*/\\fB$1\\fP/g;
    $text =~ s/(?<!\w)\*(\S(?:.*?\S)?)\*(?!\w)/\\fI$1\\fP/g;
    $text =~ s/\x01/\\:/g;
    # A long path or URL may end a line behind a slash.
    my $breakable = sub { length $_[0] > 40 ? escape($_[0]) =~ s{([/?])}{$1\\:}gr : escape($_[0]) };
    $text =~ s/\0(\d+)\0/'\fB' . $breakable->($code[$1]) . '\fP'/ge;
    return $text;
}

sub paragraph { return guarded(inline(join ' ', @_)) . "\n" }

sub example {
    my (@lines) = @_;
    return join '', ".PP\n.RS 4\n.nf\n", (map { guarded(escape($_)) . "\n" } @lines), ".fi\n.RE\n";
}

# The last column is as wide as the line allows, the others as what is in them. If that is too much, each row
# becomes a paragraph.
sub table {
    my ($head, undef, @rows) = @_;
    my $cells = sub { return [map { inline(s/^\s+|\s+$//gr) } split /(?<!\\)\|/, $_[0] =~ s/^\||\|\s*$//gr, -1] };
    my ($titles, @lines) = map { $cells->($_) } $head, @rows;
    my $last = $#$titles;
    my $width = 0;
    for my $column (0 .. $last - 1) {
        $width += max(map { length(($_->[$column] // '') =~ s/\\f.|\\(?=-)//gr) + 3 } $titles, @lines);
    }
    if ($width > 45) {
        return join '', map {
            my $row = $_;
            my @more = map { $row->[$_] eq '' ? () : $titles->[$_] eq '' ? $row->[$_] : "$titles->[$_]: $row->[$_]" } 1 .. $last;
            ".TP\n" . guarded($row->[0]) . "\n" . join("\n.br\n", map { guarded($_) } @more) . "\n";
        } @lines;
    }
    my $text = ".PP\n.TS\nallbox tab(\t);\n" . join(' ', ('l') x $last, 'lx') . ".\n";
    for my $row ($titles, @lines) {
        my @cells = @$row[0 .. $last];
        $cells[$last] = "T{\n" . guarded($cells[$last]) . "\nT}" if length $cells[$last];
        $text .= join("\t", @cells) . "\n";
    }
    return "$text.TE\n.sp\n";
}

my ($version, $section, $path) = @ARGV;
@ARGV == 3 or die "usage: man.pl VERSION SECTION FILE\n";
open my $file, '<:encoding(UTF-8)', $path or die "$path: $!\n";
chomp(my @lines = <$file>);
close $file;
binmode STDOUT, ':encoding(UTF-8)';

my ($name) = (shift @lines) =~ /^# (?:Module )?(\w+)$/ or die "$path: the first line is no title\n";
shift @lines while @lines && $lines[0] eq '';
my @what;
push @what, shift @lines while @lines && $lines[0] =~ /\S/;
# "Does this: that. More." The rest of the first paragraph is the description.
my ($what, $more) = join(' ', @what) =~ /^(.*?)[.:](?:\s+(.*))?$/s or die "$path: no first sentence\n";
$what =~ s/^The `\w+` module //;
my $manual = "'\\\" t\n";    # man runs tbl
$manual .= sprintf ".TH %s %s \"\" \"token\\-auth %s\" \"token\\-auth\"\n", uc $name, $section, $version;
$manual .= ".SH NAME\n$name \\- " . inline(lcfirst $what) . "\n.ad l\n.nh\n.SH DESCRIPTION\n";
$manual .= paragraph(ucfirst $more) if $more;

while (@lines) {
    my $line = shift @lines;
    if ($line =~ /^```/) {
        my @code;
        push @code, shift @lines while @lines && $lines[0] !~ /^```/;
        shift @lines;
        $manual .= example(@code);
    } elsif ($line =~ /^    (.*)/) {
        my @code = $1;
        push @code, substr(shift @lines, 4) while @lines && $lines[0] =~ /^    /;
        $manual .= example(@code);
    } elsif ($line =~ /^\|/) {
        my @rows = $line;
        push @rows, shift @lines while @lines && $lines[0] =~ /^\|/;
        $manual .= table(@rows);
    } elsif ($line =~ /^(##+) (.*)/) {
        $manual .= (length $1 == 2 ? '.SH ' : '.SS ') . '"' . inline($2) . "\"\n";
    } elsif ($line =~ /^(- |\d+\. )(.*)/) {
        my ($mark, @item) = ($1, $2);
        my $indent = ' ' x length $mark;
        push @item, substr(shift @lines, length $indent) while @lines && $lines[0] =~ /^$indent\S/;
        next if "@item" =~ /^(?:Directives: )?\[/ && "@item" !~ /\]\((?!#)/;    # a table of contents
        $manual .= '.IP ' . ($mark eq '- ' ? '\(bu 2' : $mark =~ s/ $/ 4/r) . "\n" . paragraph(@item);
    } elsif ($line =~ /\S/) {
        my @text = $line;
        push @text, shift @lines while @lines && $lines[0] =~ /\S/ && $lines[0] !~ /^(?:[-|#]|```|\d+\. )/;
        $manual .= ".PP\n" . paragraph(@text);
    }
}
my @others;
for my $doc (sort keys %page_of) {
    my $beside = $path =~ s{[^/]+$}{$doc.md}r;
    push @others, $page_of{$doc} if -e $beside && $beside ne $path;
}
$manual .= ".SH SEE ALSO\n" . join(",\n", map { s/^(\w+)/.BR $1 /r } @others) . "\n";
print $manual;
