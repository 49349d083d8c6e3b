#include "registry/idempotency.hpp"

#include <fmt/format.h>

namespace token_auth::registry {
namespace {

constexpr std::int64_t life = 86400;  // seconds
// At a time, so that nobody waits for it: more than come with one request.
constexpr int removed_together = 10;

// Those that another transaction removes just now are left to it.
void remove_old(Writer& writer) {
    const bool postgresql = writer.session().engine() == Engine::postgresql;
    writer.session().execute(
        fmt::format("DELETE FROM idempotency_keys WHERE (caller, path, key) IN (SELECT caller, "
                    "path, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at "
                    "LIMIT {}{})",
                    removed_together, postgresql ? " FOR UPDATE SKIP LOCKED" : ""),
        {writer.now() - life});
}

}  // namespace

std::optional<KeyedRequest> find_request(Reader& reader, const std::string& caller,
                                         const RequestKey& key, std::int64_t now) {
    const auto row = reader.session().query(
        "SELECT body, token FROM idempotency_keys WHERE caller = $1 AND path = $2 AND key = $3 "
        "AND created_at >= $4",
        {caller, key.path, key.key, now - life});
    if (!row->next()) {
        return std::nullopt;
    }
    return KeyedRequest{std::string(row->text(0)), std::string(row->text(1))};
}

void note_request(Writer& writer, const std::string& caller, const RequestKey& key,
                  const KeyedRequest& request) {
    remove_old(writer);
    writer.session().execute(
        "INSERT INTO idempotency_keys (caller, path, key, body, token, created_at) VALUES ($1, $2, "
        "$3, $4, $5, $6) ON CONFLICT (caller, path, key) DO UPDATE SET body = excluded.body, "
        "token = excluded.token, created_at = excluded.created_at",
        {caller, key.path, key.key, request.body, request.token, writer.now()});
}

}  // namespace token_auth::registry
