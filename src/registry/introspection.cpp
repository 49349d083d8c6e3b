#include "registry/introspection.hpp"

#include <utility>

#include "registry/callers.hpp"
#include "registry/validate.hpp"
#include "token_auth/claims.hpp"

namespace token_auth::registry {
namespace {

std::string effective_scopes_of(Reader& reader, const std::string& role, const Token& token) {
    const auto found = role.empty() ? std::nullopt : reader.role(role);
    const std::string of_role = found ? join_words(found->scopes) : std::string();
    const std::string own = join_words(token.scopes);
    const ScopeSets sets{!role.empty(), of_role, own};
    std::string out(effective_scopes_size(sets), ' ');
    out.resize(effective_scopes(sets, out.data()));
    return out;
}

// Of a personal token: where its owner is a member, and the organization is not suspended.
bool place(Reader& reader, const std::string& organization, Introspected& out) {
    const auto entry = reader.organization(organization);
    const auto membership = reader.membership(out.token.user, organization);
    if (!entry || entry->suspended || !membership) {
        return false;
    }
    out.organization = organization;
    out.role = membership->role;
    return true;
}

}  // namespace

std::optional<Introspected> introspect(GuardedReader& guarded, Reader& reader, TokenView view,
                                       const std::string& organization, const Address& client) {
    try {
        guarded.introspected(view.token.id, organization);
    } catch (const Refusal&) {
        return std::nullopt;
    }
    if (decide_on(view, guarded.now(), client) != Code::ok) {
        return std::nullopt;
    }
    Introspected out{std::move(view.token), {}, {}, {}};
    if (out.token.kind != kind_user) {
        out.organization = out.token.organization;
        out.role = out.token.role;
    } else if (!organization.empty() && !place(reader, organization, out)) {
        return std::nullopt;
    }
    out.scopes = effective_scopes_of(reader, out.role, out.token);
    return out;
}

}  // namespace token_auth::registry
