#include "registry/accounts.hpp"

#include <vector>

#include "base/json.hpp"
#include "registry/sha256.hpp"
#include "registry/token_text.hpp"

namespace token_auth::registry {
namespace {

constexpr std::size_t session_bytes = 32;
constexpr std::int64_t address_life = 30 * 86400;

// The texts of a statement's first column.
std::vector<std::string> column(Session& session, std::string_view sql, const Values& values) {
    std::vector<std::string> out;
    const auto rows = session.query(sql, values);
    while (rows->next()) {
        out.emplace_back(rows->text(0));
    }
    return out;
}

}  // namespace

std::optional<User> person_to_log_in(Reader& reader, const std::string& id) {
    auto user = reader.user(id);
    return user && !user->technical && !user->disabled ? std::move(user) : std::nullopt;
}

std::optional<User> person_of_sso(Reader& reader, const std::string& name) {
    if (name.empty()) {
        return std::nullopt;
    }
    if (auto named = reader.user_of_sso_name(name)) {
        return named;
    }
    auto user = reader.user(name);
    return user && !user->technical && user->sso_name.empty() ? std::move(user) : std::nullopt;
}

std::string password_hash(Reader& reader, const std::string& user) {
    const auto row =
        reader.session().query("SELECT hash FROM passwords WHERE user_id = $1", {user});
    return row->next() ? std::string(row->text(0)) : std::string();
}

void claim_password(Writer& writer, const std::string& user) {
    if (writer.session().engine() == Engine::postgresql) {
        writer.session().execute("UPDATE passwords SET changed_at = changed_at WHERE user_id = $1",
                                 {user});
    }
}

void put_password(Writer& writer, const std::string& user, const std::string& hash,
                  std::string_view kept) {
    const char* const what = password_hash(writer, user).empty() ? "set" : "changed";
    writer.session().execute(
        "INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, $2, $3) ON CONFLICT "
        "(user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
        {user, hash, writer.now()});
    end_sessions(writer, user, kept);
    remove_retrieved_tokens(writer, user, 0);
    writer.log("password", "user", user, {{"password", what}});
}

bool remove_password(Writer& writer, const std::string& user) {
    if (password_hash(writer, user).empty()) {
        return false;
    }
    writer.session().execute("DELETE FROM passwords WHERE user_id = $1", {user});
    end_sessions(writer, user);
    remove_retrieved_tokens(writer, user, 0);
    writer.log("password", "user", user, {{"password", "removed"}});
    return true;
}

bool has_logged_in_from(Reader& reader, const std::string& user, const std::string& address,
                        std::int64_t now) {
    return reader.session()
        .query("SELECT 1 FROM login_addresses WHERE user_id = $1 AND address = $2 AND at > $3",
               {user, address, now - address_life})
        ->next();
}

void note_log_in(Writer& writer, const std::string& user, const std::string& address) {
    writer.session().execute(
        "INSERT INTO login_addresses (user_id, address, at) VALUES ($1, $2, $3) ON CONFLICT "
        "(user_id, address) DO UPDATE SET at = excluded.at",
        {user, address, writer.now()});
}

std::string session_key(std::string_view id) {
    return sha256_hex(id);
}

std::string start_session(Writer& writer, const std::string& user) {
    std::string id = random_hex(session_bytes);
    writer.session().execute(
        "INSERT INTO sessions (id, user_id, created_at, used_at, address) VALUES ($1, $2, $3, $3, "
        "$4)",
        {session_key(id), user, writer.now(), writer.author().address});
    // Not the new one, whatever the clock says of the others.
    const auto keys = column(writer.session(),
                             "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY "
                             "created_at DESC, used_at DESC, id",
                             {user, session_key(id)});
    for (std::size_t i = sessions_max - 1; i < keys.size(); ++i) {
        end_session(writer, keys[i]);
    }
    return id;
}

std::optional<LoginSession> find_session(Reader& reader, const std::string& key, std::int64_t now) {
    const auto row = reader.session().query(
        "SELECT s.user_id, s.used_at FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = "
        "$1 AND s.created_at > $2 AND s.used_at > $3 AND u.disabled = 0 AND u.technical = 0",
        {key, now - session_life, now - session_idle});
    if (!row->next()) {
        return std::nullopt;
    }
    return LoginSession{key, std::string(row->text(0)), row->integer(1)};
}

void note_use(Writer& writer, const LoginSession& session) {
    writer.session().execute("UPDATE sessions SET used_at = $2 WHERE id = $1 AND used_at < $2",
                             {session.key, writer.now()});
}

void end_session(Writer& writer, const std::string& key) {
    writer.session().execute("DELETE FROM sessions WHERE id = $1", {key});
}

std::uint64_t end_sessions(Writer& writer, const std::string& user, std::string_view kept) {
    const auto keys =
        column(writer.session(),
               "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY id", {user, kept});
    for (const std::string& key : keys) {
        end_session(writer, key);
    }
    return keys.size();
}

void remove_retrieved_tokens(Writer& writer, const std::string& user, std::size_t kept) {
    const auto ids = column(
        writer.session(),
        "SELECT id FROM tokens WHERE user_id = $1 AND kind = 'user' AND created_via = 'auth_token' "
        "ORDER BY created_at DESC, id DESC",
        {user});
    for (std::size_t i = kept; i < ids.size(); ++i) {
        writer.remove_token(ids[i]);
    }
}

void remove_ended(Writer& writer) {
    Session& session = writer.session();
    const std::int64_t now = writer.now();
    session.execute("DELETE FROM sessions WHERE created_at <= $1 OR used_at <= $2",
                    {now - session_life, now - session_idle});
    session.execute("DELETE FROM login_addresses WHERE at <= $1", {now - address_life});
}

}  // namespace token_auth::registry
