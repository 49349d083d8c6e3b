# Runs a command with a private PostgreSQL server, and exits with the command's status.
use strict;
use warnings;

use TokenAuth::Postgres;

my $server = TokenAuth::Postgres->start;
local $ENV{TOKEN_AUTH_TEST_POSTGRES} = $server->dir;
local $ENV{TOKEN_AUTH_TEST_REGISTRY} = 'postgresql';
my $status = system { $ARGV[0] } @ARGV;
undef $server;
exit($status == 0 ? 0 : $status & 127 ? 128 + ($status & 127) : $status >> 8);
