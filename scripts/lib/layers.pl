# Checks which layer includes what, and what the module consists of. Run it in the repository's root;
# it prints violations and exits with 1 if there are any.
use strict;
use warnings;

use File::Find qw(find);

my @broken;
sub broken { push @broken, join '', @_; return }

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

sub files_in {
    my @files;
    find(sub { push @files, $File::Find::name if /\.[ch]pp\z/ }, @_);
    return sort @files;
}

# For each layer: its directories, and the directories and groups of library headers it may include.
my %groups = (
    nginx => qr/\Angx_/,
    lmdb  => qr/\Almdb\.h\z/,
    # files, processes, sockets
    system => qr{\A(?:sys/|unistd\.h|fcntl\.h|poll\.h|dirent\.h|fstream|iostream|filesystem|cstdio\z|csignal\z)},
    sql   => qr{\A(?:sqlite3\.h|libpq|pq|postgresql/)},
    tools => qr{\A(?:CLI/|fmt/|nlohmann/)},
    crypto => qr{\Aopenssl/},
    zlib   => qr/\Azlib\.h\z/,
    http   => qr{\Amicrohttpd\.h\z},
    sodium => qr{\Asodium(?:\.h\z|/)},
    utf8   => qr{\Autf8(?:\.h\z|/)},
    curl   => qr{\Acurl/},
    # what a program is to the system that runs it
    service => qr{\A(?:bsd|systemd)/},
);
my @layers = (
    { name => 'base', in => [qw(src/base)], own => [qw(base)], may => [qw(tools system utf8)] },
    { name => 'core', in => [qw(include/token_auth src/core)], own => [qw(token_auth)], may => [qw(crypto)] },
    { name => 'store', in => [qw(src/store)], own => [qw(store token_auth)], may => [qw(system)] },
    { name => 'nginx glue', in => [qw(src/nginx ngx_http_token_auth_module.cpp)], own => [qw(nginx token_auth)],
        may => [qw(system)] },
    { name => 'store writer', in => [qw(src/store_writer)], own => [qw(store_writer base token_auth)],
        may => [qw(tools lmdb system)] },
    { name => 'registry', in => [qw(src/registry)], own => [qw(registry base token_auth)], may => [qw(tools sql system crypto zlib utf8)] },
    { name => 'cli', in => [qw(src/cli)], own => [qw(cli base)], may => [qw(tools system service)] },
    { name => 'tokenctl', in => [qw(src/tokenctl)], own => [qw(tokenctl registry cli base token_auth)],
        may => [qw(tools system crypto)] },
    { name => 'tokensync', in => [qw(src/tokensync)], own => [qw(tokensync store store_writer registry cli base token_auth)],
        may => [qw(tools system crypto service curl)] },
    { name => 'tokenapi', in => [qw(src/tokenapi)], own => [qw(tokenapi registry cli base token_auth)],
        may => [qw(tools system crypto service)] },
);
# The store's headers stand beside the core's; only these layers may include them.
my $store_header = qr{\btoken_auth/(?:resolve|store|store_pool)\.hpp\z};
my %may_read_store = map { $_ => 1 } 'store', 'nginx glue', 'store writer', 'tokensync';
# Files that may include what the rest of their layer may not.
my %owner = (
    'include/token_auth/store.hpp' => { system => 1 },    # dev_t, ino_t
    'src/nginx/ngx.hpp'            => { nginx => 1 },
    'src/registry/password.cpp'    => { sodium => 1 },
    'src/tokenapi/http_server.cpp' => { http => 1 },
);

for my $layer (@layers) {
    my %own = map { $_ => 1 } @{ $layer->{own} };
    my %may = map { $_ => 1 } @{ $layer->{may} };
    for my $file (map { -d ? files_in($_) : $_ } @{ $layer->{in} }) {
        my $text = slurp($file);
        while ($text =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/mg) {
            my ($quote, $name) = ($1, $2);
            if ($quote eq '"') {
                my ($directory) = $name =~ m{\A([^/]+)/} or next;    # in the same directory
                my $of_store = $name =~ $store_header && $file !~ $store_header;
                broken("$file: $layer->{name} must not include \"$name\"")
                    if !$own{$directory} || ($of_store && !$may_read_store{ $layer->{name} });
                next;
            }
            for my $group (sort keys %groups) {
                next if $name !~ $groups{$group} || $may{$group} || $owner{$file}{$group};
                broken("$file: $layer->{name} must not include <$name> ($group)");
            }
        }
    }
}

# The module must not write the store.
my $writes = qr/\bmdb_(?:put|del|drop|txn_commit|cursor_put|cursor_del|env_sync|env_copy\w*|env_copyfd\w*)\s*\(/;
for my $file (files_in(qw(include/token_auth src/core src/store src/nginx))) {
    broken("$file: calls $1, but the module must not write the store") if slurp($file) =~ /($writes)/;
}

# Printing is up to the programs.
for my $file (files_in('src/registry')) {
    broken("$file: prints ($1), but the registry returns texts or throws them")
        if slurp($file) =~ /(\bfmt::print\b|\bstd::(?:cout|cerr|clog|puts)\b|\b[fd]?printf\s*\(|\bperror\s*\()/;
}

# SQL is the registry's.
for my $file (files_in('src/tokenapi')) {
    broken("$file: holds SQL ($1), which is up to the registry")
        if slurp($file) =~ /\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b/;
}

# nginx's build lists all files of the module.
my $config = slurp('config');
my %listed = map { $_ => 1 } $config =~ m{\$ngx_addon_dir/(\S+\.[ch]pp)\b}g;
my %wanted = map { $_ => 1 } files_in(qw(include/token_auth src/core src/store src/nginx)), 'ngx_http_token_auth_module.cpp';
broken("config: does not list $_") for grep { !$listed{$_} } sort keys %wanted;
broken("config: lists $_, which does not exist or is not part of the module") for grep { !$wanted{$_} } sort keys %listed;

print "$_\n" for @broken;
exit(@broken ? 1 : 0);
