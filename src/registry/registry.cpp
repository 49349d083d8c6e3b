#include "registry/registry.hpp"

#include "registry/version.hpp"

namespace token_auth::registry {

void Registry::read(const std::function<void(Reader&)>& body) {
    session_->read([&] {
        Reader reader(*session_);
        body(reader);
    });
}

void Registry::write_in(const Author& author, const std::function<void(Writer&)>& body) {
    // A newer release may have migrated it while this waited for the write lock.
    require_version(location(), session_->version(), schema_version);
    Writer writer(*session_, author);
    body(writer);
}

void Registry::write(const Author& author, const std::function<void(Writer&)>& body) {
    session_->write([&] { write_in(author, body); });
}

void Registry::write_alone(const Author& author, const std::function<void(Writer&)>& body) {
    session_->write_alone([&] { write_in(author, body); });
}

void Registry::announce_wait(std::int64_t seconds) {
    session_->execute(session_->engine() == Engine::postgresql
                          ? "UPDATE token_auth.waiting SET until = greatest(until, "
                            "floor(extract(epoch FROM clock_timestamp()))::bigint + $1)"
                          : "UPDATE waiting SET until = max(until, "
                            "CAST(strftime('%s', 'now') AS INTEGER) + $1)",
                      {seconds});
}

}  // namespace token_auth::registry
