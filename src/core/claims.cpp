#include "token_auth/claims.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "token_auth/text.hpp"

namespace token_auth {
namespace {

// What a token's two sets of scopes allow together, where only those that are set count.
struct Grants {
    bool by_role;
    bool by_token;
};

Grants grants_of(const Claims& claims) noexcept {
    // A role always limits, even one without any scope: to take the last scope off a role must
    // never widen what its tokens may do.
    return {!claims.role.empty(), !claims.token.scopes.empty()};
}

}  // namespace

bool grants(const Claims& claims, std::string_view scope) noexcept {
    const Grants set = grants_of(claims);
    if (!set.by_role && !set.by_token) {
        return false;
    }
    return (!set.by_role || any_covers(claims.role_scopes, scope)) &&
           (!set.by_token || any_covers(claims.token.scopes, scope));
}

std::size_t effective_scopes_size(const Claims& claims) noexcept {
    // Every effective scope is a word of one of the two lists.
    return claims.role_scopes.size() + 1 + claims.token.scopes.size();
}

std::size_t effective_scopes(const Claims& claims, char* buffer) noexcept {
    // Of two grants of which one covers the other, both allow the narrower one: so the effective
    // scopes are those words of each list that the other list covers.
    const Grants set = grants_of(claims);
    struct List {
        std::string_view words;
        bool limited;  // by the other list
        std::string_view limit;
    };
    const List lists[] = {
        {set.by_role ? claims.role_scopes : std::string_view{}, set.by_token, claims.token.scopes},
        {claims.token.scopes, set.by_role, claims.role_scopes},
    };
    std::size_t used = 0;
    std::string_view last;
    for (;;) {
        // A batch of the smallest ones that were not written yet, in order.
        std::array<std::string_view, 64> batch;
        std::size_t count = 0;
        bool full = false;
        for (const List& list : lists) {
            std::string_view words = list.words;
            for (std::string_view word = next_word(words); !word.empty(); word = next_word(words)) {
                if (word <= last || (full && word >= batch[count - 1]) ||
                    (list.limited && !any_covers(list.limit, word))) {
                    continue;
                }
                auto* const at = std::lower_bound(batch.begin(), batch.begin() + count, word);
                if (at != batch.begin() + count && *at == word) {
                    continue;
                }
                count -= full ? 1 : 0;
                std::move_backward(at, batch.begin() + count, batch.begin() + count + 1);
                *at = word;
                ++count;
                full = count == batch.size();
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (used != 0) {
                buffer[used++] = ' ';
            }
            std::memcpy(buffer + used, batch[i].data(), batch[i].size());
            used += batch[i].size();
        }
        if (!full) {
            return used;
        }
        last = batch[count - 1];
    }
}

}  // namespace token_auth
