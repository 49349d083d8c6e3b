# The module's answers, for Test::Nginx. A block that says
#
#   --- answer: token_expired
#
# (or `--- answer eval` with a list, one for each request) checks three things of each request: the
# status, the whole header byte for byte except Server, Date and Connection, and the body.
# "let in" is the protected file without any trace of the module. The sections realm, schemes, scope
# (of the challenge; a list if requests differ), html (1: nginx's own page) and organization (the field that
# the remedy of organization_missing names, or "none") change the default; so does verify (1: the
# location has token_auth_verify, where a 400 is a 401).
# A block without user_files gets a file named "secret"; a block without request asks for it.
package TokenAuth::Answers;

use strict;
use warnings;

use Test::Nginx::Util ();

my %answers = (
    credentials_missing => [ 401, '', 'Authentication is required.' ],
    request_malformed   => [ 400, 'invalid_request', 'Authorization header is malformed.' ],
    token_malformed     => [ 401, 'invalid_token', 'Token is malformed.' ],
    store_unavailable   => [ 503, '', 'Token store is unavailable.' ],
    store_stale         => [ 503, '', 'Token store is out of date.' ],
    token_unknown       => [ 401, 'invalid_token', 'Token is invalid.' ],
    token_revoked       => [ 401, 'invalid_token', 'Token is revoked.' ],
    token_not_yet_valid => [ 401, 'invalid_token', 'Token is not valid yet.' ],
    token_expired       => [ 401, 'invalid_token', 'Token has expired.' ],
    address_not_allowed =>
        [ 403, 'insufficient_scope', 'Client address is not allowed for this token.' ],
    kind_not_allowed => [ 403, 'insufficient_scope', 'This kind of token is not allowed here.' ],
    organization_missing   => [ 401, 'invalid_token', 'Token is missing organization claim.' ],
    organization_malformed => [ 400, 'invalid_request', 'Organization is malformed.' ],
    organization_mismatch =>
        [ 403, 'insufficient_scope', 'Token belongs to another organization.' ],
    not_a_member           => [ 403, 'insufficient_scope', 'Not a member of this organization.' ],
    organization_suspended => [ 403, 'insufficient_scope', 'Organization is suspended.' ],
    group_missing          => [ 403, 'insufficient_scope', 'Token is not for this group.' ],
    role_missing           => [ 403, 'insufficient_scope', 'Token lacks the required role.' ],
    scope_missing          => [ 403, 'insufficient_scope', 'Token lacks the required scope.' ],
);

my %titles = (
    400 => 'Bad Request',
    401 => 'Unauthorized',
    403 => 'Forbidden',
    503 => 'Service Unavailable',
);
# The names in nginx's status line and on its pages.
my %reasons = (%titles, 503 => 'Service Temporarily Unavailable');
my %html_titles = (%reasons, 401 => 'Authorization Required');

sub row {
    my ($code, %with) = @_;
    my ($status, @rest) = @{ $answers{$code} // die "no answer is named $code" };
    return [ $with{verify} && $status == 400 ? 401 : $status, @rest ];
}

sub answer_status { return row(@_)->[0] }

sub answer_body {
    my ($code, %with) = @_;
    my ($status, undef, $detail) = @{ row($code, %with) };
    if ($with{html}) {
        my $title = "$status $html_titles{$status}";
        return qr{\A<html>\r\n<head><title>$title</title></head>\r\n<body>\r\n<center><h1>$title};
    }
    my $field = $with{organization} // 'X-Org-Id';
    my $remedy = $code eq 'organization_missing' && $field ne 'none'
        ? qq(,"remedy":"Name the organization in the $field request header.") : '';
    return qq({"type":"about:blank","title":"$titles{$status}","status":$status,)
        . qq("detail":"$detail","code":"$code"$remedy});
}

# A pattern for the whole header.
sub answer_header {
    my ($code, %with) = @_;
    my ($status, $error, $detail) = @{ row($code, %with) };
    my $realm = $with{realm} // 'api';
    my $challenge = qq( realm="$realm");
    $challenge .= qq(, error="$error", error_description="$detail") if $error ne '';
    $challenge .= qq(, scope="$with{scope}") if $code eq 'scope_missing';
    my @own = ('Cache-Control: no-store');
    if ($status == 503) {
        push @own, 'Retry-After: 5';
    } else {
        push @own, map { "WWW-Authenticate: $_$challenge" } split ' ', $with{schemes} // 'Bearer Token';
    }
    my $content =
        $with{html}
        ? "Content-Type: text/html\r\nContent-Length: \\d+"
        : "Content-Type: application/problem\\+json\r\nContent-Length: " . length answer_body($code, %with);
    return "\\AHTTP/1[.]1 $status $reasons{$status}\r\nServer: [^\r\n]+\r\nDate: [^\r\n]+\r\n"
        . "$content\r\nConnection: [^\r\n]+\r\n" . join('', map { quotemeta($_) . "\r\n" } @own) . '\z';
}

my $let_in_header = '\AHTTP/1[.]1 200 OK(?!.*(?:WWW-Authenticate|Cache-Control|Retry-After))';

sub text_of {
    my ($block, $section) = @_;
    my $text = $block->$section;
    return unless defined $text;
    chomp $text unless ref $text;
    return $text;
}

Test::Nginx::Util::add_block_preprocessor(
    sub {
        my ($block) = @_;
        $block->set_value(user_files => ">>> secret\nsecret\n") unless defined $block->user_files;
        $block->set_value(request => 'GET /secret')
            unless defined $block->request || defined $block->raw_request;
        my $answers = $block->answer;
        return unless defined $answers;
        my $many = ref $answers;
        my @codes = $many ? @$answers : $answers =~ /(\S.*\S)/;
        my %with;
        for my $section (qw(realm schemes scope html organization verify)) {
            my $text = text_of($block, $section);
            $with{$section} = $text if defined $text;
        }
        my $requests = $block->request;
        my @requests = ref $requests ? @$requests : ($requests // '') x @codes;
        my (@status, @header, @body);
        for my $i (0 .. $#codes) {
            my $code = $codes[$i];
            local $with{scope} = $with{scope}[$i] if ref $with{scope};
            my $head = ($requests[$i] // '') =~ /^HEAD /;
            if ($code eq 'let in') {
                push @status, 200;
                push @header, $let_in_header;
                push @body, $head ? '' : "secret\n";
            } else {
                push @status, answer_status($code, %with);
                push @header, answer_header($code, %with);
                push @body, $head ? '' : answer_body($code, %with);
            }
        }
        $block->set_value(error_code => $many ? \@status : $status[0]);
        $block->set_value(raw_response_headers_like => $many ? \@header : $header[0]);
        $block->set_value(response_body => $many ? \@body : $body[0]);
        return;
    }
);

1;
