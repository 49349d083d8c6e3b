# Fields and parameters: all that is wrong at once; what is null and what is not there; entity tags,
# idempotency keys, cursors.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use TokenAuth::Api;

my $api = TokenAuth::Api->start(probe => 1);

sub patch { return $api->call('PATCH', '/fields', json => $_[0], headers => $_[1] // {}) }

sub errors_of {
    my ($answer) = @_;
    return { map { $_->{field} => $_->{detail} } @{ $answer->{json}{errors} // [] } };
}

subtest 'fields' => sub {
    my $all = patch({
        name => 'abc', scopes => [qw(a b)], count => -5, flag => JSON::PP::true, life => '90d',
        expires => '1970-01-02', policy => { max => 3 }, items => [ { id => 'x' }, { id => undef } ],
    });
    is $all->{status}, 200, 'right ones';
    is $all->{json}{life}{value}, 90 * 86400, 'a duration';
    is $all->{json}{expires}{value}, 86400, 'a date';
    is $all->{json}{policy}{value}, 3, 'inside of another';
    is $all->{json}{items}[1]{given}, JSON::PP::true, 'of the elements of a list';
    is patch({ name => 'a', expires => '10s' })->{json}{expires}{value}, 1010, 'a time from now';
    is patch({ name => 'a', expires => '2027-01-31T09:30:00+01:00' })->{json}{expires}{value}, 1801384200, 'a time';

    my $few = patch({ name => 'abc', scopes => undef })->{json};
    is_deeply $few->{scopes}, { given => JSON::PP::true, value => undef }, 'null is given';
    is_deeply $few->{count}, { given => JSON::PP::false, value => undef }, 'what is not there is not';

    my $wrong = patch({
        name => 'ABC', scopes => [], count => 201, flag => undef, life => 'soon', expires => 'never',
        policy => { max => 11, min => 1 }, items => [ { id => 'toolong', x => 1 } ], unknown => 1,
    });
    is $wrong->{status}, 422, 'wrong ones';
    is $wrong->{json}{code}, 'fields_invalid', 'the code';
    is $wrong->{json}{title}, 'Unprocessable Content', 'the title';
    is $wrong->{json}{detail}, '11 fields are wrong.', 'how many';
    is_deeply [ sort keys %{ errors_of($wrong) } ],
        [ sort qw(name scopes count flag life expires policy.max policy.min items.0.id items.0.x unknown) ],
        'all of them at once, by their names';
    is errors_of($wrong)->{name}, 'must be lower-case letters', 'a rule';
    is errors_of($wrong)->{unknown}, 'is not known', 'an unknown one';
    is patch({})->{json}{detail}, '1 field is wrong.', 'a missing one';
    my %types = (
        name => [ 1, [], {}, JSON::PP::true, undef, 'abcdefghijk', "a\0b" ],
        scopes => [ 'a', {}, [1], [ ('a') x 4 ], ['A'], [undef] ],
        count => [ '1', 1.5, 201, -6, [] ], flag => [ 0, 'true', undef ], life => [ 90, '', '90x' ],
        expires => [ 5, '2027-13-01', '99999999w' ], policy => [ [], 'x', undef ],
        items => [ {}, [1], [ {}, {}, {} ] ],
    );
    for my $field (sort keys %types) {
        for my $value (@{ $types{$field} }) {
            my $answer = patch({ name => 'a', $field => $value });
            is_deeply [ keys %{ errors_of($answer) } ], [$field], "$field: " . JSON::PP->new->allow_nonref->canonical->encode($value);
        }
    }
    for ('1.0', '1e1', '9223372036854775808', '-9223372036854775809') {
        is patch(qq({"name":"a","count":$_}))->{status}, 422, "count: $_";
    }
};

subtest 'no value is repeated' => sub {
    my $token = 'ak_7HqLmNo8PqR.' . 'S3cr3t' x 6;
    my %bodies = (
        'a value' => { name => $token, scopes => [$token], count => $token, flag => $token, life => $token, expires => $token, policy => $token },
        'a name'  => { name => 'a', $token => 1, policy => { $token => 1 } },
    );
    for (sort keys %bodies) {
        my $answer = patch($bodies{$_});
        is $answer->{status}, 422, $_;
        unlike $answer->{body}, qr/S3cr3t/, 'is not shown';
    }
    unlike $api->call('GET', "/page?limit=$token&$token=1&cursor=$token")->{body}, qr/S3cr3t/, 'nor a parameter';
    my $many = patch({ name => 'a', map { ("unknown$_" => 1) } 1 .. 99 });
    is scalar @{ $many->{json}{errors} }, 99, 'as many as there are';
};

subtest 'entity tags' => sub {
    my $tag = patch({ name => 'a' })->{headers}{etag};
    like $tag, qr/\A"[0-9a-f]{32}"\z/, 'strong';
    for ($tag, '*', qq("x", $tag), qq(W/"x",$tag)) {
        is patch({ name => 'a' }, { 'If-Match' => $_ })->{status}, 200, "matches $_";
    }
    for ('"x"', "W/$tag", $tag =~ s/"//gr, '""', '', '"', qq("x" W/$tag), "$tag\"" =~ s/^"//r) {
        my $answer = patch({ name => 'a' }, { 'If-Match' => $_ });
        is $answer->{status}, 412, "does not match $_";
        is $answer->{json}{code}, 'changed_meanwhile', 'the code';
    }
};

subtest 'idempotency keys' => sub {
    is patch({ name => 'a' })->{json}{key}, undef, 'none';
    is patch({ name => 'a' }, { 'Idempotency-Key' => 'k ~!' })->{json}{key}, 'k ~!', 'one';
    is length patch({ name => 'a' }, { 'Idempotency-Key' => 'k' x 64 })->{json}{key}, 64, 'a long one';
    for ('k' x 65, '', "k\x{e4}", "k\tk") {
        my $answer = patch({ name => 'a' }, { 'Idempotency-Key' => $_ });
        is $answer->{status}, 400, 'not ' . length;
        is_deeply [ keys %{ errors_of($answer) } ], ['Idempotency-Key'], 'by its name';
    }
    is patch({ name => 'a' }, { 'Idempotency-Key' => 'a', 'idempotency-key' => 'b' })->{status}, 400, 'not two';
};

subtest 'parameters' => sub {
    my $page = $api->call('GET', '/page?limit=200&sort=created&since=1970-01-02&force=true&unused=90d');
    is_deeply [ @{ $page->{json} }{qw(limit since unused)} ], [ 200, 86400, 90 * 86400 ], 'right ones';
    my $answer = $api->call('GET', '/page?limit=0&sort=name&since=x&force=1&unused=1&more=1&cursor=');
    is $answer->{status}, 400, 'wrong ones';
    is_deeply [ sort keys %{ errors_of($answer) } ], [ sort qw(limit sort since force unused more cursor) ], 'all at once';
    is errors_of($answer)->{sort}, 'must be one of -created, created', 'what may stand there';
    is $api->call('GET', "/page?limit=$_")->{status}, 400, "limit $_" for qw(201 -1 1x 1.5 %201 99999999999999999999);
};

subtest 'cursors' => sub {
    my $cursor = $api->call('GET', '/page')->{json}{next_cursor};
    like $cursor, qr/\A[A-Za-z0-9_-]+\z/, 'fit into an address';
    my $page = $api->call('GET', "/page?cursor=$cursor");
    is $page->{status}, 200, 'is taken';
    is $page->{json}{first}, -7, 'with its position';
    is $page->{json}{next_cursor}, $cursor, 'whole';
    for my $wrong ("$cursor&sort=created", substr($cursor, 1), substr($cursor, 0, -1), "${cursor}A", "$cursor=", 'x', 'A' x 2000, 'A' x 12000,
        ($cursor =~ s/A/B/r))
    {
        my $answer = $api->call('GET', "/page?cursor=$wrong");
        is $answer->{status}, 400, 'not ' . substr $wrong, 0, 60;
        is $answer->{json}{code}, 'cursor_invalid', 'the code';
    }
};

is $api->stop, 0, 'it ends well';
done_testing;
