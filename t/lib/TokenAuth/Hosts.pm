# Several nginx hosts on one machine: each has its own store and "tokensync watch", and all share one
# PostgreSQL registry. The last one can have a network of its own, which a test can cut.
package TokenAuth::Hosts;

use strict;
use warnings;

use POSIX ();
use TokenAuth::Server;
use TokenAuth::Sync;
use Time::HiRes qw(sleep time);

# A network namespace with one link to this one: { address, prefix (a command), cut, mend }. Undefined if the
# system does not allow it.
sub network {
    my $name    = "tauth$$";
    my $address = '10.213.' . ($$ % 256);
    for my $command (
        "ip netns add $name", "ip link add $name type veth peer name peer netns $name",
        "ip addr add $address.1/30 dev $name", "ip link set $name up",
        "ip -n $name addr add $address.2/30 dev peer", "ip -n $name link set peer up", "ip -n $name link set lo up"
    ) {
        if (system("$command 2>/dev/null") != 0) {
            system "ip netns del $name 2>/dev/null";
            return;
        }
    }
    return bless { name => $name, owner => $$, address => "$address.1" }, 'TokenAuth::Hosts::Network';
}

# start(world => a TokenAuth::Sync, count => 3, network => …, far_url => the registry's URL for the last host).
sub start {
    my ($class, %options) = @_;
    my $world = $options{world};
    my $self = bless { world => $world, hosts => [], owner => $$ }, $class;
    for my $i (1 .. $options{count} // 3) {
        my $dir = $world->dir . "/host$i";
        mkdir $dir and mkdir "$dir/html" or die "$dir: $!";
        chmod 0755, $dir;
        TokenAuth::Sync::spew("$dir/html/index.html", "ok\n");
        my $far = $options{network} && $i == ($options{count} // 3);
        my @group = $> == 0 ? ('--group', 'www-data') : ();
        my $watch = TokenAuth::Server::spawn("$dir/sync.log", $far ? $options{network}->prefix : (), $world->tool('tokensync'),
            '--registry', $far ? $options{far_url} : $world->url, '--db', "$dir/db", 'watch', @group);
        push @{ $self->{hosts} }, { dir => $dir, watch => $watch };
    }
    for my $host (@{ $self->{hosts} }) {
        TokenAuth::Sync::eventually(sub { -e "$host->{dir}/sync.log" && TokenAuth::Sync::slurp("$host->{dir}/sync.log") =~ /generation/ })
            or die "no store:\n" . TokenAuth::Sync::slurp("$host->{dir}/sync.log");
        $host->{server} = TokenAuth::Server->start(dir => $host->{dir}, http => "server { listen 127.0.0.1:%PORT%; "
                . "root $host->{dir}/html; token_auth api; token_auth_org off; token_auth_db $host->{dir}/db; keepalive_requests 1000000; }");
        $host->{socket} = $host->{server}->connect;
    }
    return $self;
}

sub count { return scalar @{ $_[0]{hosts} } }
sub log_of { return TokenAuth::Sync::slurp("$_[0]{hosts}[ $_[1] ]{dir}/sync.log") }

# The status of one request to host number $i, on its kept connection.
sub status {
    my ($self, $i, $token) = @_;
    return TokenAuth::Server::status_on($self->{hosts}[$i]{socket}, $token);
}

# Seconds until each host answers with that status; undefined for a host that does not within $limit seconds.
sub until_status {
    my ($self, $token, $wanted, $limit, @which) = @_;
    @which = 0 .. $self->count - 1 if !@which;
    my %left = map { $_ => 1 } @which;
    my @took = (undef) x $self->count;
    my $begun = time;
    while (%left && time - $begun < $limit) {
        for my $i (keys %left) {
            if ($self->status($i, $token) == $wanted) {
                $took[$i] = time - $begun;
                delete $left{$i};
            }
        }
    }
    return @took[@which];
}

sub stop {
    my ($self) = @_;
    for my $host (@{ $self->{hosts} }) {
        delete $host->{server};
        my $pid = delete $host->{watch} or next;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    $self->stop if $self->{owner} == $$;
    return;
}

package TokenAuth::Hosts::Network;

sub address { return $_[0]{address} }
sub prefix  { return ('ip', 'netns', 'exec', $_[0]{name}) }
sub cut     { return system("ip link set $_[0]{name} down") == 0 }
sub mend    { return system("ip link set $_[0]{name} up") == 0 }

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!);
    system "ip netns del $self->{name} 2>/dev/null; ip link del $self->{name} 2>/dev/null";
    return;
}

1;
