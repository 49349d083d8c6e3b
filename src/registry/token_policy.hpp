// The policy that new tokens keep to: an organization's for its own and its groups' tokens, the
// system organization's for personal ones. It holds for everybody, tokenctl too, when a token is
// made, rotated, changed or restored; tokens that are there, and imports, are left alone.
//
// In a Problem, `rule` is the policy's field that is broken, such as "max_life".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "registry/model.hpp"
#include "registry/validate.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

// What a token lives if neither its maker nor the policy says.
inline constexpr std::int64_t usual_life = std::int64_t{90} * 86400;

// The one for the token's kind and organization; without rules if there is none.
Policy policy_for(Reader& reader, const Token& token);

// The expiry of a token made at `created` whose maker names none: after the policy's default life,
// else after the usual one, or the longest that the policy allows.
std::int64_t default_expiry(const Policy& policy, std::int64_t created);
// The expiry, 0 for never, cut to what the policy allows: for a rotation that names none.
std::int64_t cut_expiry(const Policy& policy, std::int64_t created, std::int64_t expires);

// Which fields a change names. All of a token that is made or rotated.
struct NamedFields {
    bool expires = true;
    bool allow = true;
};

// What the token, as it results, breaks: at most one problem for each field. An expiry is at most
// the longest life after `created`. Where addresses are required, each block is no wider than /8,
// or /16 of IPv6.
std::vector<Problem> policy_problems(const Policy& policy, const Token& token,
                                     NamedFields named = {});

// Whether the token, which is about to be made, is one too many: those that are neither revoked nor
// expired count, a rotated one to the end of its grace, too; of personal tokens, the owner's.
// `ended` of them end with this transaction. No two transactions get the last place: ask in the one
// that then writes the token.
std::optional<Problem> limit_problem(Writer& writer, const Policy& policy, const Token& token,
                                     std::uint64_t ended = 0);
// The same for a token that is about to be restored.
std::optional<Problem> restore_problem(Writer& writer, const Token& token);

}  // namespace token_auth::registry
