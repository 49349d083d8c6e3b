# Root's tokenctl acts as the account that an SQLite registry's directory belongs to.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use TokenAuth::Tools qw(done fails_with json_of new_dir tokenctl);

plan skip_all => 'needs root' if $> != 0;
my ($uid, $gid) = (getpwnam 'nobody')[2, 3];

sub directory_of {
    my ($owner) = @_;
    my $dir = new_dir();
    chmod 0755, "$dir" or die "$dir: $!";
    chown $owner, 0, "$dir" or die "$dir: $!";
    return $dir;
}

sub on { my ($dir, @command) = @_; return tokenctl('--registry', "sqlite:$dir/registry.db", @command) }
sub owners { my ($dir) = @_; return join ' ', map { (stat "$dir/registry.db$_")[4] } '', '-wal', '-shm' }

my $dir = directory_of($uid);
done(on($dir, 'init'));
is owners($dir), "$uid $uid $uid", "the registry is the directory's owner's";
done(on($dir, qw(org add acme)));
is owners($dir), "$uid $uid $uid", 'and stays so';
delete local $ENV{SUDO_USER};
is json_of(done(on($dir, qw(--json audit))))->[0]{actor}, 'root', 'the audit trail names who ran it';

my $secret = directory_of(0);
done(on($secret, 'init'));
chmod 0600, map { "$secret/registry.db$_" } '', '-wal', '-shm';
my $trap = directory_of($uid);
symlink "$secret/registry.db", "$trap/registry.db" or die "symlink: $!";
system('chown', '-h', $uid, "$trap/registry.db") == 0 or die 'chown';
ok fails_with(on($trap, qw(org list)), 1, qr/Permission denied/), "a link of the owner's leads root nowhere";

my $home = new_dir();
my $input = "$home/private.jsonl";
open my $file, '>', $input or die "$input: $!";
close $file or die "$input: $!";
chmod 0600, $input;
done(on($dir, 'import', $input));
pass "files that are named are read with root's rights";

my $mixed = directory_of(0);
done(on($mixed, 'init'));
chown $uid, $gid, "$mixed" or die "chown: $!";
done(on($mixed, qw(org add acme)));
is owners($mixed), '0 0 0', "root's registry in somebody's directory stays root's";
done_testing;
