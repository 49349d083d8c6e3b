// What people log in with, and their sessions. None of it is part of the model: tokensync, exports
// and dashboards do not see it.
//
// A session's id is in the cookie and nowhere else: the registry keeps its SHA-256, the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/writer.hpp"

namespace token_auth::registry {

// Seconds.
inline constexpr std::int64_t session_life = 12 * 3600;
inline constexpr std::int64_t session_idle = 3600;
// Use of a session is written down when this much is new.
inline constexpr std::int64_t session_use_step = 60;
inline constexpr std::size_t sessions_max = 20;  // a person
inline constexpr std::size_t retrieved_tokens_max = 20;

// The person of that name who may log in: not a technical user, not disabled.
std::optional<User> person_to_log_in(Reader& reader, const std::string& id);
// A person, who may be disabled, by what single sign-on calls them: whoever has such a name of
// their own is not found by the id.
std::optional<User> person_of_sso(Reader& reader, const std::string& name);

// argon2id (password.hpp); empty: none.
std::string password_hash(Reader& reader, const std::string& user);
// Keeps the password from being changed until this transaction ends, and a change that waits for it
// from overlooking what this one does.
void claim_password(Writer& writer, const std::string& user);
// Sets a person's password. Ends their sessions but `kept` (a key; empty: none), and deletes the
// tokens that the old password retrieved.
void put_password(Writer& writer, const std::string& user, const std::string& hash,
                  std::string_view kept = {});
// The same, so that nobody logs in by a password; false if there is none.
bool remove_password(Writer& writer, const std::string& user);

// Whether the name logged in from the address (counted_address()) within 30 days.
bool has_logged_in_from(Reader& reader, const std::string& user, const std::string& address,
                        std::int64_t now);
void note_log_in(Writer& writer, const std::string& user, const std::string& address);

struct LoginSession {
    std::string key;
    std::string user;
    std::int64_t used = 0;  // when last, as far as it is written down
};

// Begins a session, of a person who has at most sessions_max; its id.
std::string start_session(Writer& writer, const std::string& user);
std::string session_key(std::string_view id);
// None if it has ended, or the person may not log in any more.
std::optional<LoginSession> find_session(Reader& reader, const std::string& key, std::int64_t now);
void note_use(Writer& writer, const LoginSession& session);
void end_session(Writer& writer, const std::string& key);
// All of the person's, but `kept`; how many.
std::uint64_t end_sessions(Writer& writer, const std::string& user, std::string_view kept = {});

// Deletes the oldest ones of the person's tokens that /auth_token made, so that only `kept` of the
// newest stay.
void remove_retrieved_tokens(Writer& writer, const std::string& user, std::size_t kept);

// Removes what has ended: sessions, addresses that nobody logged in from for long.
void remove_ended(Writer& writer);

}  // namespace token_auth::registry
