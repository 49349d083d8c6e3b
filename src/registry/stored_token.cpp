#include "registry/stored_token.hpp"

#include <fmt/core.h>

#include "base/error.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {

const Token& StoredToken::complete(const Location& location) {
    const auto reject = [&](const char* what) {
        const bool named = is_identifier(token.id);
        return base::Error(
            fmt::format("registry {}: the token {} has {}; mend or delete it there", location.shown,
                        named ? "\"" + token.id + "\"" : "with an unreadable id", what));
    };
    const auto bytes = from_hex(digest);
    if (!bytes || to_hex(*bytes) != digest) {
        throw reject("a digest that is not 64 lower-case hex digits");
    }
    if (key_id < 0 || key_id > static_cast<long long>(UINT32_MAX)) {
        throw reject("a key_id that is out of range");
    }
    if (!kind_of_name(kind, token.kind)) {
        throw reject("an unknown kind");
    }
    token.digest = {static_cast<KeyId>(key_id), *bytes};
    token.scopes = split_words(scopes);
    token.allow = split_words(allow);
    token.not_before = not_before;
    token.expires = expires;
    token.revoked = revoked;
    token.user_disabled = user_disabled != 0;
    return token;
}

}  // namespace token_auth::registry
