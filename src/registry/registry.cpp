#include "registry/registry.hpp"

namespace token_auth::registry {

void Registry::read(const std::function<void(Reader&)>& body) {
    session_->read([&] {
        Reader reader(*session_);
        body(reader);
    });
}

void Registry::write(const Author& author, const std::function<void(Writer&)>& body) {
    session_->write([&] {
        Writer writer(*session_, author);
        body(writer);
    });
}

}  // namespace token_auth::registry
