#include "registry/rotation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/time.hpp"
#include "registry/new_token.hpp"
#include "registry/refusal.hpp"
#include "registry/token_policy.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

Refusal not_rotatable(const std::string& text) {
    return Refusal("not_rotatable", text);
}

}  // namespace

void require_rotatable(const Token& token, const TokenDigester& digester, std::int64_t now) {
    if (token.revoked != 0) {
        throw not_rotatable(
            fmt::format("token {} is revoked; `tokenctl restore` it first, or "
                        "`tokenctl create` a new one",
                        token.id));
    }
    if (token.expires != 0 && token.expires <= now) {
        throw not_rotatable(fmt::format("token {} expired at {}; `tokenctl create` a new one",
                                        token.id, base::format_time(token.expires)));
    }
    if (!token.successor.empty()) {
        Refusal refusal = not_rotatable(fmt::format(
            "token {} was rotated already; rotate its successor {}", token.id, token.successor));
        refusal.successor = token.successor;
        throw refusal;
    }
    if (token.digest.key_id != no_key && !digester.has_key()) {
        Refusal refusal =
            not_rotatable(fmt::format("token {} has a keyed digest (key {}); give the key by --key",
                                      token.id, format_key_id(token.digest.key_id)));
        refusal.lacks_key = true;
        throw refusal;
    }
}

Token successor_of(const Token& predecessor, const Rotation& rotation, const Policy& policy,
                   std::int64_t now) {
    Token token = predecessor;
    token.predecessor = predecessor.id;
    token.created = now;
    if (!rotation.prefix.empty()) {
        token.prefix = rotation.prefix;
    } else if (token.prefix.empty()) {
        token.prefix = default_prefix(token.kind);
    }
    if (rotation.expires) {
        token.expires = *rotation.expires;
    } else {
        if (token.expires != 0) {
            token.expires = std::min(now + (token.expires - predecessor.created), base::time_max);
        }
        token.expires = cut_expiry(policy, now, token.expires);
    }
    if (token.not_before <= now) {
        token.not_before = 0;
    }
    return token;
}

RotatedToken put_rotation(Writer& writer, TokenDigester& digester, const Token& predecessor,
                          const Token& successor, std::int64_t grace) {
    RotatedToken rotated{predecessor, predecessor, successor, nullptr};
    rotated.text = put_new_token(writer, digester, rotated.successor);
    const std::int64_t end = std::min(writer.now() + grace, base::time_max);
    Token& token = rotated.predecessor;
    token.expires = token.expires == 0 ? end : std::min(token.expires, end);
    token.successor = rotated.successor.id;
    writer.put(token, "rotate");
    return rotated;
}

void undo_rotation(Writer& writer, const RotatedToken& rotated) {
    writer.set_revoked(rotated.predecessor.successor, true);
    auto view = writer.token(rotated.before.id);
    if (view && view->token.successor == rotated.predecessor.successor) {
        view->token.successor.clear();
        if (view->token.expires == rotated.predecessor.expires) {
            view->token.expires = rotated.before.expires;
        }
        writer.put(view->token, "unrotate");
    }
}

}  // namespace token_auth::registry
