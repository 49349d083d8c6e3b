# Knows which answers were right at any moment, and judges the answers that were given.
#
# The registry goes through versions 0, 1, 2, …: one for each commit, each with the answers it
# changes. nginx serves one of them and only ever moves on. A request that was sent at s and answered
# at r may have met any version that
#
#   - had begun to be committed before r, and
#   - is not older than the version in force at s: the last one that had to be effective by then
#     (settle()), or that an answer before s has shown.
#
# Its answer is right if one of these versions gives it. So a change may take time, but no request is
# let in by a state that never was, no change flickers back, and two changes never show in the wrong
# order or in part.
package TokenAuth::Oracle;

use strict;
use warnings;

# new(ordered => 0): answers do not show which version is in force, because two workers may differ for
# a moment (stores are exchanged, clocks step); only settle() does.
sub new {
    my ($class, %options) = @_;
    return bless {
        ordered => $options{ordered} // 1,
        begun => [0], done => [0], settles => [], answers => {}, excuses => [],
    }, $class;
}

# What a target (a name for one kind of request) gets at the beginning.
sub initially {
    my ($self, %answers) = @_;
    $self->{answers}{$_} = [ [ 0, $answers{$_} ] ] for keys %answers;
    return;
}

# The next version: it was begun and done then, and changes the answers of these targets.
sub version {
    my ($self, $begun, $done, %answers) = @_;
    push @{ $self->{begun} }, $begun;
    push @{ $self->{done} },  $done;
    my $version = $#{ $self->{begun} };
    push @{ $self->{answers}{$_} }, [ $version, $answers{$_} ] for keys %answers;
    return $version;
}

# All versions done before $from are in force from $to on.
sub settle {
    my ($self, $from, $to) = @_;
    push @{ $self->{settles} }, [ $from, $to ];
    return;
}

# Every version is in force that many seconds after it was done.
sub settle_within { $_[0]{bound} = $_[1]; return }

# Requests that touch this time may also get that answer; if targets are named, only theirs.
sub excuse {
    my ($self, $answer, $from, $to, @targets) = @_;
    push @{ $self->{excuses} },
        { answer => $answer, from => $from, to => $to, targets => { map { $_ => 1 } @targets } };
    return;
}

sub versions { return $#{ $_[0]{begun} } }

# Judges requests, [ sent, received, target, answer ] each. Returns the wrong ones, as text.
sub judge {
    my ($self, @requests) = @_;
    my @known = $self->_settled;    # [ time, version ], both growing
    my $next = 0;                   # the first of @known that no request has passed yet
    my @low = ([ -1, 0 ]);          # the same, with the versions that answers have shown
    my @wrong;
    for my $request (sort { $a->[1] <=> $b->[1] } @requests) {
        my ($sent, $received, $target, $answer) = @$request;
        while ($next < @known && $known[$next][0] <= $received) {
            my $settled = $known[ $next++ ];
            push @low, $settled if $settled->[1] > $low[-1][1];
        }
        my $from = $low[ _last(\@low, sub { $_[0][0] <= $sent }) ][1];
        my $to = _last($self->{begun}, sub { $_[0] <= $received });
        my $met = $self->_first_with($target, $answer, $from, $to);
        if (defined $met) {
            push @low, [ $received, $met ] if $self->{ordered} && $met > $low[-1][1];
        } elsif (!$self->_excused(@$request)) {
            push @wrong, sprintf '%s got "%s", sent at %.6f, answered at %.6f; versions %d to %d say: %s',
                $target, $answer, $sent, $received, $from, $to,
                join ', ', $self->_possible($target, $from, $to);
        }
    }
    return @wrong;
}

# When which version had to be in force.
sub _settled {
    my ($self) = @_;
    my ($begun, $done) = @{$self}{qw(begun done)};
    my @all = map { [ $_->[1], _last($done, sub { $_[0] < $_->[0] }) ] } @{ $self->{settles} };
    push @all, map { [ $done->[$_] + $self->{bound}, $_ ] } 1 .. $#$done if defined $self->{bound};
    my @growing;
    for my $settled (sort { $a->[0] <=> $b->[0] } @all) {
        push @growing, $settled if !@growing || $settled->[1] > $growing[-1][1];
    }
    return @growing;
}

# The index of the last element for which it is true; it is true for the first ones only.
sub _last {
    my ($list, $true) = @_;
    my ($low, $high) = (0, $#$list);
    while ($low < $high) {
        my $middle = int(($low + $high + 1) / 2);
        if ($true->($list->[$middle])) {
            $low = $middle;
        } else {
            $high = $middle - 1;
        }
    }
    return $low;
}

# The answers of a target in the versions of that range: [ first version, answer ] each.
sub _spans {
    my ($self, $target, $from, $to) = @_;
    my $answers = $self->{answers}{$target} // die "nothing is known of $target";
    my @spans;
    for my $i (_last($answers, sub { $_[0][0] <= $from }) .. $#$answers) {
        my ($version, $answer) = @{ $answers->[$i] };
        last if $version > $to;
        push @spans, [ $version > $from ? $version : $from, $answer ];
    }
    return @spans;
}

sub _first_with {
    my ($self, $target, $answer, $from, $to) = @_;
    for my $span ($self->_spans($target, $from, $to)) {
        return $span->[0] if $span->[1] eq $answer;
    }
    return;
}

sub _possible {
    my ($self, $target, $from, $to) = @_;
    my %seen;
    return grep { !$seen{$_}++ } map { $_->[1] } $self->_spans($target, $from, $to);
}

sub _excused {
    my ($self, $sent, $received, $target, $answer) = @_;
    for my $excuse (@{ $self->{excuses} }) {
        return 1
            if $excuse->{answer} eq $answer
            && $received >= $excuse->{from}
            && $sent <= $excuse->{to}
            && (!%{ $excuse->{targets} } || $excuse->{targets}{$target});
    }
    return 0;
}

1;
