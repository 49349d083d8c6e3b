package Test::Nginx::TokenAuth;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use IPC::Open3 qw(open3);
use JSON::PP ();
use Test::More ();
use Test::Nginx::Util qw(add_block_preprocessor);

# The module beside the nginx that is tested: nothing if the suite loads it already.
sub installed_module {
    my $loaded = $Test::Nginx::Util::LoadModules // '';
    return '' if $loaded =~ /ngx_http_token_auth_module/;
    my ($modules) = `$Test::Nginx::Util::NginxBinary -V 2>&1` =~ /--modules-path=(\S+)/;
    my $path = ($modules // '') . '/ngx_http_token_auth_module.so';
    return -e $path ? $path : '';
}

# The section as tokensync takes it: a "token" in clear becomes its digest. Other lines stay as they are, so
# that tokensync's messages are about what the author wrote.
sub source_text {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    my $json = JSON::PP->new->utf8->canonical;
    my @lines = split /\n/, $text;
    for my $line (@lines) {
        my $entry = eval { $json->decode($line) };
        next unless ref $entry eq 'HASH' && defined $entry->{token} && !exists $entry->{digest};
        my $token = delete $entry->{token};
        utf8::encode($token);
        $entry->{digest} = 'sha256:' . sha256_hex($token);
        $entry->{name} //= $entry->{id} if exists $entry->{id};
        $line = $json->encode($entry);
    }
    return join '', map { "$_\n" } @lines;
}

# Runs tokensync. Returns "", or what it says if it fails, or why it cannot run.
sub complaint_of_tokensync {
    my (@arguments) = @_;
    my $tool = $ENV{TEST_NGINX_TOKENSYNC} // 'tokensync';
    local $?;
    my ($in, $out);
    my $pid = eval { open3($in, $out, undef, $tool, @arguments) }
        or return "cannot run $tool: $!; install token-auth-tools, or set TEST_NGINX_TOKENSYNC to its path";
    close $in;
    my $said = join '', <$out>;
    waitpid $pid, 0;
    return $? == 0 ? '' : $said ne '' ? $said : "$tool failed, wait status $?";
}

my ($root, $stores);

# Makes a store that every account can read: nginx's workers may run as another. Returns its directory and an
# error, which is empty if there is none.
sub make_store {
    my ($text) = @_;
    $root //= File::Temp->newdir('test-nginx-token-auth-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{TEST_NGINX_NO_CLEAN});
    my $dir = "$root/" . ++$stores;
    my ($source, $db) = ("$dir/token_store", "$dir/db");
    mkdir $dir or die "$dir: $!\n";
    open my $file, '>:raw', $source or die "$source: $!\n";
    print {$file} source_text($text);
    close $file or die "$source: $!\n";
    my $error = complaint_of_tokensync('--source', $source, '--db', $db, 'run');
    chmod 0755, "$root", $dir, $db;
    chmod 0644, "$db/data.mdb";
    return ($db, $error);
}

my $module = $ENV{TEST_NGINX_TOKEN_AUTH_MODULE} // installed_module();
$Test::Nginx::Util::LoadModules = join ' ', grep { $_ } $Test::Nginx::Util::LoadModules, $module;

add_block_preprocessor(
    sub {
        my ($block) = @_;
        # Blocks run in random order: none may depend on another's store.
        delete @ENV{ grep { /^TEST_NGINX_TOKEN_STORE/ } keys %ENV };
        for my $section (sort grep { /^token_store(?:_[a-z0-9_]+)?$/ } keys %$block) {
            my $error;
            ($ENV{"TEST_NGINX_\U$section"}, $error) = make_store($block->$section);
            next if $error eq '';
            Test::More::fail("$0 " . $block->name . " - --- $section");
            Test::More::diag($error);
            $block->set_value(skip_eval => '1: 1');    # there is nothing to send requests to
        }
    }
);

1;

__END__

=encoding utf-8

=head1 NAME

Test::Nginx::TokenAuth - test nginx configurations that use token-auth

=head1 SYNOPSIS

    use Test::Nginx::Socket 'no_plan';
    use Test::Nginx::TokenAuth;

    no_long_string();
    run_tests();

    __DATA__

    === TEST 1: a token with the scope is let in, others are not
    --- token_store
    {"type":"role","id":"reader","scopes":["agents:read"]}
    {"type":"organization","id":"acme"}
    {"type":"token","id":"ci","token":"ci-token","kind":"organization","organization":"acme","role":"reader"}
    {"type":"token","id":"old","token":"old-token","kind":"organization","organization":"acme","expires":"2026-01-01T00:00:00Z"}
    --- user_files
    >>> agents
    The agents.
    --- config
    location = /agents {
        token_auth api;
        token_auth_db $TEST_NGINX_TOKEN_STORE;
        token_auth_scope agents:read;
        add_header X-Caller "$token_auth_id of $token_auth_org";
    }
    --- request eval
    [('GET /agents') x 3]
    --- more_headers eval
    [map { "Authorization: Bearer $_" } qw(ci-token old-token unknown-token)]
    --- error_code eval
    [200, 401, 401]
    --- response_headers eval
    ['X-Caller: ci of acme', 'X-Caller:', 'X-Caller:']
    --- response_body_like eval
    ['^The agents', '"code":"token_expired"', '"code":"token_unknown"']

Save it as F<t/agents.t> and run it:

    prove t/agents.t

=head1 DESCRIPTION

This module adds a block section to L<Test::Nginx::Socket> (and its relatives, such as
C<Test::Nginx::Socket::Lua>): C<--- token_store> describes tokens, and the block's configuration finds
a store with these tokens at C<$TEST_NGINX_TOKEN_STORE>. The store is made by F<tokensync>, and nginx checks
tokens against it as it does in production.

Let the block serve a file or pass the request on, as in the example: nginx's C<return> answers before tokens are checked.

=head1 SECTIONS

=head2 token_store

JSON Lines, one entity a line, in the form that C<tokenctl export> writes and C<tokensync --source> takes;
tokenctl's manual describes it. In addition, a line of a token may have the token in clear, C<"token":"ci-token">, in
place of its C<"digest">. Then its C<"name"> may be left out; it is the id.

Every organization, group, role and user that a line names has a line of its own. For a store without tokens, leave a
role or an organization in it.

Each block has its own store, made before nginx starts or reloads, and sees no other block's. To use one text
in several blocks:

    our $Store = <<'JSONL';
    {"type":"user","id":"ann"}
    {"type":"token","id":"ann-laptop","token":"ann-token","kind":"user","user":"ann"}
    JSONL

    __DATA__

    === TEST 1: ...
    --- token_store eval: $::Store

or, in all blocks that have none, after C<use Test::Nginx::TokenAuth>:

    add_block_preprocessor(sub {
        my ($block) = @_;
        $block->set_value(token_store => $::Store) unless defined $block->token_store;
    });

If tokensync refuses the section, the block fails with its message, which names line and field, and the
block's requests are skipped.

=head2 token_store_NAME

Another store, at C<$TEST_NGINX_TOKEN_STORE_NAME>. C<NAME> is in lower case in the section, in upper case in the variable:

    --- token_store_staff
    ...
    --- config
    location /staff { token_auth staff; token_auth_db $TEST_NGINX_TOKEN_STORE_STAFF; ... }

=head1 ENVIRONMENT

=over

=item TEST_NGINX_TOKEN_AUTH_MODULE

The path of F<ngx_http_token_auth_module.so>; empty if nginx has it built in. By default, the module in
nginx's directory of modules is loaded, unless C<TEST_NGINX_LOAD_MODULES> names one.

=item TEST_NGINX_TOKENSYNC

The path of F<tokensync>. By default it is looked up in C<PATH>.

=item TEST_NGINX_NO_CLEAN

Stores are removed when the test ends. If this is set, for nginx to go on running, they stay, too.

=back

=head1 SEE ALSO

L<Test::Nginx::Socket>, tokenctl(1), tokensync(1)

=cut
