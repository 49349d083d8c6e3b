#include "registry/registry.hpp"

namespace token_auth::registry {

void Registry::read(const std::function<void(Reader&)>& body) {
    connection_.read([&](soci::session& session) {
        Reader reader(session);
        body(reader);
    });
}

void Registry::write(const Author& author, const std::function<void(Writer&)>& body) {
    connection_.write([&](soci::session& session) {
        Writer writer(session, author);
        body(writer);
    });
}

}  // namespace token_auth::registry
