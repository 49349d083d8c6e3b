# Every nginx block of the docs and every nginx.conf of the examples: "nginx -t" takes it without a
# warning. Only paths, ports and the running account change.
use strict;
use warnings;
use lib 't/lib';
use TokenAuth::Gateway;
use TokenAuth::Util qw(root_dir slurp);
use Test::More;

my $dir = gateway_dir() . '/snippets';
mkdir $_ or die "$_: $!" for $dir, "$dir/temp";
my ($store, $modules) = (store_dir(), load_modules());
my $temp = join "\n", map { "${_}_temp_path $dir/temp;" } qw(client_body proxy fastcgi uwsgi scgi);

# The statements of a block at its top, each with what is within its braces.
sub statements {
    my ($text) = @_;
    my ($depth, $now, @all) = (0, '');
    for my $line (split /^/, $text) {
        next if $line =~ /^\s*(?:#.*)?$/;
        $now .= $line;
        (my $code = $line) =~ s/'[^']*'|"[^"]*"|\$\{\w+\}|\s#.*//g;
        $code =~ s/^(\s*(?:location|server_name)\s.*?)(\s\{)?$/($2 \/\/ '')/e if $code =~ /~/;
        $depth += ($code =~ tr/{//) - ($code =~ tr/}//);
        if ($depth == 0 && $line =~ /[;}]\s*(?:#.*)?$/) {
            push @all, $now;
            $now = '';
        }
    }
    die "no end: $now" if $now ne '';
    return @all;
}

# A whole configuration with the block where it belongs.
sub configuration {
    my ($block) = @_;
    if ($block !~ /^http \{/m) {
        my ($http, $server) = ('', '');
        for my $statement (statements($block)) {
            if ($statement =~ /^(?:map|server|upstream|limit_req_zone|log_format|access_log|token_auth_(?:db|key))\b/) {
                $http .= $statement;
            } else {
                $server .= $statement;
            }
        }
        # What a block takes for granted: a token_auth for a rule alone, a store, an upstream, a zone.
        my $on = $server =~ /^token_auth_/m && $server !~ /^token_auth /m ? 'token_auth api;' : '';
        my $db = $block =~ /token_auth_db/ ? '' : 'token_auth_db /var/lib/tokensync/db;';
        my $zone = $block =~ /limit_req_zone/ ? '' : 'limit_req_zone $uri zone=tokens:64k rate=1r/s;';
        $block = "events {}\nhttp {\nupstream backend { server 127.0.0.1:9000; }\n$db\n$zone\n$http\nserver {\n$on\n$server\n}\n}\n";
    }
    $block =~ s/^\s*(?:user|load_module)\s.*\n//mg;
    $block =~ s{/var/lib/tokensync/\w+}{$store}g;
    $block =~ s{/var/log/nginx}{$dir}g;
    $block =~ s{/etc/nginx/\S+\.key}{$dir/key}g;
    $block =~ s{/etc/nginx/\w+_secret}{$dir/secret}g;
    $block =~ s/\blisten\s+[^;]+;//g;
    my $servers = 0;
    $block =~ s/^(\s*server \{)/"$1 listen unix:$dir\/" . ++$servers . '.sock;'/gme;
    $block =~ s/^(http \{\n)/$1$temp\naccess_log off;\n/m;
    return "${modules}pid $dir/pid;\nerror_log $dir/log;\n$block";
}

sub tested {
    my ($name, $block) = @_;
    spew("$dir/nginx.conf", configuration($block));
    my $said = `$ENV{TEST_NGINX_BINARY} -t -q -p $dir -c $dir/nginx.conf -e stderr 2>&1`;
    is "$? $said", '0 ', $name or diag slurp("$dir/nginx.conf");
    return;
}

spew("$dir/key", '0' x 32);
spew("$dir/secret", 'proxy_set_header X-Sso-Secret "x";');
my $root = root_dir();
for my $file ('README.md', map { s{^\Q$root\E/}{}r } sort(glob("$root/docs/*.md"), glob("$root/examples/*.md"), glob("$root/examples/*/README.md"))) {
    my ($text, $count) = (slurp("$root/$file"), 0);
    tested("$file, block " . ++$count . ': ' . (split /\n/, $1)[0], $1) while $text =~ /^```nginx\n(.*?)^```$/gms;
}
tested($_ =~ s{^\Q$root\E/}{}r, slurp($_)) for sort glob "$root/examples/*/nginx.conf";

done_testing;
