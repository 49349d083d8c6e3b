#include "registry/postgresql/create.hpp"

#include <fmt/core.h>

#include "registry/postgresql/pg_connection.hpp"
#include "registry/schema.hpp"
#include "registry/version.hpp"

namespace token_auth::registry::postgresql {
namespace {

constexpr std::string_view insufficient_privilege = "42501";
constexpr std::string_view unique_violation = "23505";
constexpr std::string_view duplicate_schema = "42P06";

void make_tables(PgConnection& connection, const std::string& registry_id, std::int64_t now) {
    for (const std::string& statement : postgresql_schema()) {
        connection.execute(statement);
    }
    const auto put = [&](std::string_view name, const std::string& value) {
        connection.execute("INSERT INTO token_auth.meta (name, value) VALUES ($1, $2)",
                           {name, value});
    };
    put("registry_id", registry_id);
    put("created_at", std::to_string(now));
    put("schema_version", std::to_string(schema_version));
}

bool make_roles(PgConnection& connection) {
    connection.run("SAVEPOINT roles");
    try {
        for (const std::string& statement : postgresql_roles()) {
            connection.execute(statement);
        }
    } catch (const SqlError& error) {
        if (error.code() != insufficient_privilege) {
            throw;
        }
        connection.run("ROLLBACK TO SAVEPOINT roles");
        return false;
    }
    return true;
}

void refuse_existing(PgConnection& connection) {
    if (!connection.query("SELECT 1 FROM pg_namespace WHERE nspname = 'token_auth'")->next()) {
        return;
    }
    std::string answer;
    try {
        answer = exists_already(connection.version());
    } catch (const SqlError& error) {
        answer =
            error.code() == insufficient_privilege
                ? "is a registry already, which this account may not read; nothing was changed: "
                  "connect as its owner, or as a role in token_auth_reader"
                : "holds a schema token_auth that is no registry; remove it, or name another "
                  "database by --registry";
    }
    throw base::Error(fmt::format("registry {}: {}", connection.location().shown, answer));
}

}  // namespace

bool create(const Location& location, const std::string& registry_id, std::int64_t now) {
    PgConnection connection(location);
    connection.require_server();
    refuse_existing(connection);
    connection.run("BEGIN");
    try {
        make_tables(connection, registry_id, now);
    } catch (const SqlError& error) {
        connection.run("ROLLBACK");
        if (error.code() == unique_violation || error.code() == duplicate_schema) {
            refuse_existing(connection);  // another init was quicker
        }
        throw;
    }
    const bool roles_made = make_roles(connection);
    connection.run("COMMIT");
    return roles_made;
}

}  // namespace token_auth::registry::postgresql
