#include "registry/source.hpp"

#include "registry/postgresql/source.hpp"
#include "registry/sqlite/source.hpp"

namespace token_auth::registry {

std::unique_ptr<Source> open_registry(const std::string& url) {
    Location location = parse_location(url);
    if (location.engine == Engine::postgresql) {
        return std::make_unique<PostgresqlSource>(std::move(location));
    }
    return std::make_unique<SqliteSource>(std::move(location));
}

}  // namespace token_auth::registry
