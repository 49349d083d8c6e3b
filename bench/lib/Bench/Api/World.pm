# A registry for tokenapi in PostgreSQL: half of its tokens belong to the organization acme, half to
# 100,000 people. They were made one after the other within 400 days; some are revoked, have expired or
# are not valid yet. The text of token t7 is "t7-token"; the first ones may manage acme's tokens.
package Bench::Api::World;

use strict;
use warnings;

use Bench::Sync::Registry;

my $content = <<'END';
SET session_replication_role = replica;
SET search_path = token_auth;
INSERT INTO roles (id, scopes) VALUES ('reader', 'agents:read sites:read'), ('admin', 'agents:* auth:tokens:write sites:*');
INSERT INTO organizations (id, created_at) SELECT 'org' || i, i FROM generate_series(0, 9999) i UNION ALL SELECT 'acme', 0;
INSERT INTO users (id, created_at) SELECT 'user' || i, i FROM generate_series(0, 99999) i;
INSERT INTO memberships SELECT 'user' || i, 'org' || (i % 10000), 'reader', i FROM generate_series(0, 99999) i;
INSERT INTO users (id, technical, created_at) SELECT 'tu-t' || i, 1, 0 FROM generate_series(1, %COUNT%, 2) i;
INSERT INTO tokens (id, digest, kind, user_id, organization, role, scopes, name, created_by, created_via, created_at, not_before,
        expires_at, revoked_at)
    SELECT 't' || i, encode(sha256(('t' || i || '-token')::bytea), 'hex'),
        CASE WHEN i % 2 = 1 THEN 'organization' ELSE 'user' END,
        CASE WHEN i % 2 = 1 THEN 'tu-t' || i ELSE 'user' || (i % 100000) END,
        CASE WHEN i % 2 = 1 THEN 'acme' END, CASE WHEN i % 2 = 0 THEN NULL WHEN i < 100 THEN 'admin' ELSE 'reader' END,
        CASE WHEN i < 100 THEN '' ELSE 'agents:read' END, 'Deploy script ' || i, 'user' || (i % 100000), 'session', made,
        CASE WHEN i % 1000 = 999 THEN 4000000000 ELSE 0 END,
        CASE WHEN i > 100 AND i % 4 = 1 THEN made + 365 * 86400 ELSE 0 END,
        CASE WHEN i > 100 AND i % 50 = 1 THEN made + 86400 ELSE 0 END
    FROM (SELECT i, floor(extract(epoch FROM now()))::bigint - 400 * 86400 + i::bigint * 399 * 86400 / %COUNT% AS made
        FROM generate_series(1, %COUNT%) i) AS all_of_them;
INSERT INTO token_usage SELECT id, created_at + 3600, '192.0.2.7', 100 FROM tokens WHERE right(id, 1) IN ('1', '3', '5');
END

sub in_postgresql {
    my ($server, $count) = @_;
    return Bench::Sync::Registry->in_postgresql($server, $count, $content);
}

# The tokens that may manage, of so many callers.
sub managers { my ($count) = @_; return map { 't' . (2 * $_ + 1) . '-token' } 0 .. $count - 1 }

1;
