#include "token_auth/claims.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "token_auth/text.hpp"

namespace token_auth {
namespace {

// Which of the two sets of scopes limit what a token may do.
struct Limits {
    bool by_role;
    bool by_token;
};

Limits limits_of(const Claims& claims) noexcept {
    // A role without scopes is a limit, too: removing a role's last scope must not widen what its
    // tokens may do.
    return {!claims.role.empty(), !claims.token.scopes.empty()};
}

// Scopes of which only those that `limit` covers are effective, if there is a limit.
struct Candidates {
    std::string_view words;
    bool limited;
    std::string_view limit;
};

using Batch = std::array<std::string_view, 64>;

// Collects the smallest effective scopes greater than `last`, sorted; returns their number.
std::size_t next_batch(const std::array<Candidates, 2>& lists, std::string_view last,
                       Batch& batch) noexcept {
    std::size_t count = 0;
    for (const Candidates& list : lists) {
        std::string_view words = list.words;
        for (std::string_view word = next_word(words); !word.empty(); word = next_word(words)) {
            const bool full = count == batch.size();
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
        }
    }
    return count;
}

}  // namespace

bool grants(const Claims& claims, std::string_view scope) noexcept {
    const Limits limits = limits_of(claims);
    if (!limits.by_role && !limits.by_token) {
        return false;
    }
    return (!limits.by_role || any_covers(claims.role_scopes, scope)) &&
           (!limits.by_token || any_covers(claims.token.scopes, scope));
}

std::size_t effective_scopes_size(const Claims& claims) noexcept {
    // Every effective scope is a word of one of the two lists.
    return claims.role_scopes.size() + 1 + claims.token.scopes.size();
}

std::size_t effective_scopes(const Claims& claims, char* buffer) noexcept {
    // If one grant covers another, both allow the narrower one. So the effective scopes are the
    // words of each list that the other list covers.
    const Limits limits = limits_of(claims);
    const std::array<Candidates, 2> lists{{
        {limits.by_role ? claims.role_scopes : std::string_view{}, limits.by_token,
         claims.token.scopes},
        {claims.token.scopes, limits.by_role, claims.role_scopes},
    }};
    std::size_t used = 0;
    Batch batch;
    std::string_view last;
    for (;;) {
        const std::size_t count = next_batch(lists, last, batch);
        for (std::size_t i = 0; i < count; ++i) {
            if (used != 0) {
                buffer[used++] = ' ';
            }
            std::memcpy(buffer + used, batch[i].data(), batch[i].size());
            used += batch[i].size();
        }
        if (count < batch.size()) {
            return used;
        }
        last = batch[count - 1];
    }
}

}  // namespace token_auth
