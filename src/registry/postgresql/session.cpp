#include "registry/postgresql/session.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <soci/postgresql/soci-postgresql.h>

#include <cstdlib>
#include <map>

#include "base/error.hpp"
#include "registry/schema.hpp"

namespace token_auth::registry::postgresql {
namespace {

// How long tokenctl waits for another one, as on SQLite.
constexpr int lock_seconds = 10;

constexpr const char* privilege_remedy =
    "connect as a role that is in token_auth_writer (for tokenctl) or token_auth_reader (for "
    "tokensync), or as the registry's owner";

struct OptionsFreer {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using ConnectionOptions = std::unique_ptr<PQconninfoOption, OptionsFreer>;

// Where neither the URL nor the environment says otherwise. A peer that vanished is given up
// within half a minute, on an idle connection as well.
const std::map<std::string, std::string>& defaults() {
    static const std::map<std::string, std::string> values = {
        {"connect_timeout", "10"},     {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},  {"keepalives_count", "3"},
        {"tcp_user_timeout", "20000"}, {"fallback_application_name", "token-auth"},
    };
    return values;
}

std::string percent_encoded(std::string_view value) {
    std::string out;
    for (const char c : value) {
        out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

soci::postgresql_session_backend& backend(soci::session& session) {
    return *static_cast<soci::postgresql_session_backend*>(session.get_backend());
}

std::unique_ptr<soci::session> connect(const Location& location) {
    auto session = std::make_unique<soci::session>(soci::postgresql, location.path);
    // Without the details, which hold what was given.
    PQsetErrorVerbosity(backend(*session).conn_, PQERRORS_TERSE);
    // Notices tell of what `create` is about to do.
    PQsetNoticeProcessor(
        backend(*session).conn_, [](void*, const char*) {}, nullptr);
    return session;
}

bool has_schema(soci::session& session) {
    int found = 0;
    session << "SELECT count(*)::int FROM pg_namespace WHERE nspname = 'token_auth'",
        soci::into(found);
    return found != 0;
}

std::string schema_version_of(soci::session& session) {
    std::string version;
    session << "SELECT value FROM token_auth.meta WHERE name = 'schema_version'",
        soci::into(version);
    return session.got_data() ? version : std::string();
}

base::Error not_understood() {
    return base::Error(
        "--registry is no PostgreSQL URL that libpq understands: write "
        "postgresql://[user@]host[:port]/database[?option=value&...], special characters, also "
        "those of a password, as %XX",
        base::ErrorKind::invalid_argument);
}

std::string first_line(std::string_view text) {
    // SOCI's own line says less than libpq's, which follows it.
    const std::string_view by_soci = "Cannot establish connection to the database.\n";
    if (text.starts_with(by_soci)) {
        text.remove_prefix(by_soci.size());
    }
    std::string_view line = text.substr(0, text.find('\n'));
    const std::string_view severity = "ERROR:  ";
    if (const std::size_t found = line.find(severity); found != line.npos) {
        line.remove_prefix(found + severity.size());
    }
    return std::string(line);
}

// Several statements in one message, without SOCI, which cannot send such; whatever comes of it.
void send_quietly(soci::session& session, const char* statements) noexcept {
    PQclear(PQexec(backend(session).conn_, statements));
}

}  // namespace

bool is_url(std::string_view url) {
    return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

Location parse(const std::string& url) {
    char* message = nullptr;
    const ConnectionOptions options(PQconninfoParse(url.c_str(), &message));
    // Not shown: it can hold parts of the URL, and so of a password.
    PQfreemem(message);
    if (!options) {
        throw not_understood();
    }
    std::map<std::string, std::string> values = defaults();
    const ConnectionOptions known(PQconndefaults());
    for (const PQconninfoOption* each = known.get(); each != nullptr && each->keyword != nullptr;
         ++each) {
        if (each->envvar != nullptr && std::getenv(each->envvar) != nullptr) {
            values.erase(each->keyword);
        }
    }
    for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
        if (each->val != nullptr) {
            values[each->keyword] = each->val;
        }
    }
    // What the registry holds is UTF-8, whatever the environment prefers.
    values["client_encoding"] = "UTF8";
    Location location;
    location.engine = Engine::postgresql;
    // A URL again, as SOCI takes a string of another form apart at spaces and quotes.
    location.path = "postgresql://";
    for (const auto& [name, value] : values) {
        location.path += (location.path.back() == '/' ? '?' : '&') + name + '=';
        location.path += percent_encoded(value);
    }
    const auto part = [&](const char* name) -> std::string {
        const auto found = values.find(name);
        return found == values.end() ? "" : found->second;
    };
    const std::string user = part("user");
    const std::string port = part("port");
    // A password with an unescaped "/" or "@" ends up in these, which messages show.
    if (part("host").find('@') != std::string::npos ||
        part("dbname").find('@') != std::string::npos ||
        port.find_first_not_of("0123456789,") != std::string::npos) {
        throw not_understood();
    }
    const std::string host = part("host").empty() ? part("hostaddr") : part("host");
    const bool socket = host.starts_with('/');
    location.shown =
        fmt::format("postgresql://{}{}{}/{}", user.empty() ? "" : user + '@', socket ? "" : host,
                    port.empty() ? "" : ':' + port, part("dbname"));
    if (socket) {
        location.shown += "?host=" + host;
    }
    return location;
}

void require_known(const Location& location, int server_version, const std::string& schema) {
    if (server_version < server_version_min) {
        throw base::Error(fmt::format(
            "registry {}: its server is PostgreSQL {}, but 13 or later is needed; upgrade it",
            location.shown, server_version / 10000));
    }
    if (schema != std::to_string(schema_version)) {
        throw base::Error(fmt::format(
            "registry {}: has schema version {}, but this program knows {}; use the programs of "
            "the release that made it",
            location.shown, schema.empty() ? "unknown" : schema, schema_version));
    }
}

std::unique_ptr<soci::session> open(const Location& location, Access /*access*/) {
    try {
        auto session = connect(location);
        const int version = PQserverVersion(backend(*session).conn_);
        require_known(location, version, schema_version_of(*session));
        return session;
    } catch (const soci::soci_error& error) {
        throw explain(location, error);
    }
}

void begin(soci::session& session, Access access) {
    const char* const mode = access == Access::write ? "READ WRITE" : "READ ONLY";
    session << fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ, {}", mode);
    // Within the transaction: a pooler may give the next one another connection.
    session << "SET LOCAL search_path = token_auth, pg_temp";
    if (access == Access::write) {
        session << fmt::format("SET LOCAL lock_timeout = '{}s'", lock_seconds);
        // Before the first query, which is when the snapshot is taken.
        session << "LOCK TABLE write_lock IN EXCLUSIVE MODE";
    }
}

void roll_back(soci::session& session) noexcept {
    // Statements that were prepared in a failed transaction could not be given up in it. Behind a
    // pooler, whoever gets this connection next would meet their names.
    send_quietly(session, "ROLLBACK; DEALLOCATE ALL");
}

void tidy(soci::session& session) noexcept {
    // Where it fails, the next one will do it; what was to be done is done.
    send_quietly(session,
                 "BEGIN ISOLATION LEVEL READ COMMITTED; "
                 "SELECT token_auth.prune_changes(100000); COMMIT");
}

bool create(const Location& location, const std::string& registry_id, std::int64_t now) {
    bool roles_made = true;
    try {
        const auto session = connect(location);
        if (PQserverVersion(backend(*session).conn_) < server_version_min) {
            require_known(location, PQserverVersion(backend(*session).conn_), {});
        }
        if (has_schema(*session)) {
            throw base::Error(fmt::format(
                "registry {}: is a registry already (its schema token_auth is there); nothing was "
                "changed",
                location.shown));
        }
        *session << "BEGIN";
        for (const std::string_view statement : postgresql_schema()) {
            *session << std::string(statement);
        }
        const auto put = [&](const std::string& name, const std::string& value) {
            *session << "INSERT INTO token_auth.meta (name, value) VALUES (:name, :value)",
                soci::use(name), soci::use(value);
        };
        put("registry_id", registry_id);
        put("created_at", std::to_string(now));
        put("schema_version", std::to_string(schema_version));
        *session << "SAVEPOINT roles";
        try {
            for (const std::string_view statement : postgresql_roles()) {
                *session << std::string(statement);
            }
        } catch (const soci::postgresql_soci_error& error) {
            if (error.sqlstate() != "42501") {
                throw;
            }
            *session << "ROLLBACK TO SAVEPOINT roles";
            roles_made = false;
        }
        *session << "COMMIT";
    } catch (const soci::soci_error& error) {
        throw explain(location, error);
    }
    return roles_made;
}

base::Error explain(const Location& location, const soci::soci_error& error) {
    const auto* native = dynamic_cast<const soci::postgresql_soci_error*>(&error);
    std::string state = native == nullptr ? std::string() : native->sqlstate();
    if (state.find_first_not_of(' ') == std::string::npos) {
        state.clear();
    }
    return explain(location, state, error.get_error_message());
}

base::Error explain(const Location& location, std::string_view sqlstate, std::string_view message) {
    const auto text = [&]() -> std::string {
        const std::string_view group = sqlstate.substr(0, 2);
        if (sqlstate == "42P01" || sqlstate == "3F000") {
            return "this database holds no token-auth registry; make one by `tokenctl init`, or "
                   "name another database by --registry or TOKEN_AUTH_REGISTRY";
        }
        if (sqlstate == "55P03") {
            return fmt::format(
                "another program has been writing it for {} seconds; try again when it is done",
                lock_seconds);
        }
        if (sqlstate == "40001" && message.find("recovery") != message.npos) {
            return fmt::format(
                "{}; on a replica that tokensync reads, set hot_standby_feedback, or "
                "raise max_standby_streaming_delay",
                first_line(message));
        }
        if (sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "23503" ||
            sqlstate == "23505") {
            return "another program changed the same things at the same time; nothing was "
                   "changed, try again";
        }
        if (sqlstate == "42501" && message.find("permission denied for database") != message.npos) {
            return fmt::format("{}; connect as its owner, or grant CREATE on it",
                               first_line(message));
        }
        if (sqlstate == "42501") {
            return fmt::format("{}; {}", first_line(message), privilege_remedy);
        }
        // 0A000: what a replica answers to READ WRITE
        if (sqlstate == "25006" || sqlstate == "0A000") {
            return "this server cannot be written (a replica, or read-only); name the primary one "
                   "by --registry";
        }
        if (sqlstate == "57014") {
            return fmt::format("{}; try again, or raise that limit for this role",
                               first_line(message));
        }
        if (sqlstate == "53100") {
            return "its server's disk is full; make room there and try again";
        }
        if (sqlstate.empty() || group == "08" || group == "57") {
            return fmt::format(
                "cannot be reached: {}; check the URL, that the server runs and "
                "lets this account in, and the password file (this account's own, mode 0600)",
                first_line(message));
        }
        return fmt::format("PostgreSQL answered: {} (SQLSTATE {})", first_line(message), sqlstate);
    }();
    return base::Error(fmt::format("registry {}: {}", location.shown, text));
}

}  // namespace token_auth::registry::postgresql
