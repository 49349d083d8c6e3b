# A world like TokenAuth::Sync's, whose tokensync reads the file tokens.jsonl. A test that wants a
# registry as well makes one by ctl_ok('init').
package TokenAuth::FileWorld;

use strict;
use warnings;

use parent 'TokenAuth::Sync';

use Exporter ();
use JSON::PP;
use Time::HiRes;
use TokenAuth::Util qw(json_lines spew token);

our @EXPORT_OK = qw(json_lines organization role some_lines token user);
*import = \&Exporter::import;

sub new  { return $_[0]->SUPER::new(registry => 0) }
sub file { return $_[0]{file} // $_[0]->dir . '/tokens.jsonl' }

sub locations {
    my ($self, $db) = @_;
    return ('--source', $self->file, '--db', $db // $self->db);
}

sub store_only {
    my ($self, $options, @arguments) = @_;
    return $self->run_program($options, $self->tool('tokensync'), '--db', $self->db, @arguments);
}

sub decision {
    my ($self, $token, @arguments) = @_;
    my $result = $self->store_only({ stdin => "$token\n" }, 'explain', '--json', @arguments);
    return $result->{status} eq '0' ? decode_json($result->{out})->{decision} : $result->{err};
}

sub status { return decode_json($_[0]->store_only({}, 'status', '--json')->{out}) }

# Writes the file and dates it a minute back, so that nothing waits for it to settle.
sub put {
    my ($self, @lines) = @_;
    spew($self->file, json_lines(@lines));
    $self->age;
    return;
}

sub age {
    my ($self) = @_;
    my $then = Time::HiRes::time() - 60 + 0.001 * $self->{number}++;
    Time::HiRes::utime($then, $then, $self->file) or die $self->file . ": $!";
    return;
}

sub role         { return { type => 'role', id => $_[0], scopes => [ @_[ 1 .. $#_ ] ] } }
sub organization { return { type => 'organization', id => 'acme', @_ } }
sub user         { return { type => 'user', id => shift, @_ } }

# The role reader, the organization acme, and the tokens t1, t2 and t3.
sub some_lines {
    return (role('reader', 'agents:read'), organization(),
        map { token("t$_", role => 'reader') } 1 .. 3);
}

1;
