#include "nginx/context.hpp"

#include <cstring>
#include <type_traits>

#include "nginx/conf.hpp"
#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

static_assert(std::is_trivially_destructible_v<Context>, "pools run no destructors");

// A context that the pool's cleanups lead to, although there is nothing to clean up. The address of
// the module marks the entry.
struct Anchored : ngx_pool_cleanup_t {
    Context context;
};

// One memset() would become "rep stos", which takes twice as long.
void clear(Context& context) noexcept {
    constexpr std::size_t piece = 64;
    static_assert(sizeof(Context) % piece == 0, "all of it is cleared");
    auto* const at = reinterpret_cast<char*>(&context);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < sizeof(Context); i += piece) {
        std::memset(at + i, 0, piece);
    }
}

std::string_view copy(u_char*& end, std::string_view text) noexcept {
    u_char* const begin = end;
    end = append(end, text);
    return {reinterpret_cast<char*>(begin), text.size()};
}

}  // namespace

Context* find_cleared_context(ngx_http_request_t* r) noexcept {
    // The pool's cleanups are still there.
    for (ngx_pool_cleanup_t* entry = r->pool->cleanup; entry != nullptr; entry = entry->next) {
        if (entry->data == &ngx_http_token_auth_module) {
            return &static_cast<Anchored*>(entry)->context;
        }
    }
    return nullptr;
}

Context* make_context(ngx_http_request_t* r) noexcept {
    auto* const anchored = static_cast<Anchored*>(ngx_palloc(r->pool, sizeof(Anchored)));
    if (anchored == nullptr) {
        return nullptr;
    }
    clear(anchored->context);
    anchored->handler = nullptr;
    anchored->data = &ngx_http_token_auth_module;
    anchored->next = r->pool->cleanup;
    r->pool->cleanup = anchored;
    ngx_http_set_ctx(r->main, &anchored->context, ngx_http_token_auth_module);
    return &anchored->context;
}

Context* obtain_context_if_on(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    return conf.realm == nullptr ? nullptr : obtain_context(r);
}

void begin_decision(ngx_http_request_t* r, Context& context, const LocConf& conf) noexcept {
    if (context.decided) {
        const Kept kept = context.kept;
        context = Context{};
        context.kept = kept;
    }
    context.conf = &conf;
    if (conf.forward != 0) {
        context.kept.forwarded = nullptr;
    }
    ngx_http_set_ctx(r, &context, ngx_http_token_auth_module);
}

bool remember(ngx_http_request_t* r, Context& context, const Claims& claims, bool let_in) noexcept {
    const bool everything = let_in || context.deciding_early;
    const std::size_t token_size = claims.token.bytes().size();
    // A user token's organization is the one that the request named.
    const bool named = everything && claims.token.is_user();
    const std::size_t size = token_size +
                             (everything ? claims.role.size() + claims.role_scopes.size() : 0) +
                             (named ? claims.organization.size() : 0);
    auto* const room = static_cast<u_char*>(ngx_pnalloc(r->pool, size));
    if (room == nullptr) {
        return false;
    }
    context.token = claims.token.copied_to(reinterpret_cast<char*>(room));
    context.let_in = let_in;
    if (everything) {
        u_char* end = room + token_size;
        const std::size_t role_size = claims.role.size() + claims.role_scopes.size();
        const char* const role = copy(end, {claims.role.data(), role_size}).data();
        context.role = {role, claims.role.size()};
        context.role_scopes = {role + claims.role.size(), claims.role_scopes.size()};
        context.organization =
            named ? copy(end, claims.organization) : context.token.organization();
    }
    return true;
}

bool field_of(ngx_http_request_t* r, const Decision& decision, Field field,
              std::string_view& out) noexcept {
    out = {};
    const TokenView& token = decision.token;
    if (token.bytes().empty() || (!decision.let_in && field > Field::name)) {
        return true;
    }
    char* room = nullptr;
    const ScopeSets scopes{!decision.role.empty(), decision.role_scopes, token.scopes()};
    if (field == Field::subject || field == Field::scopes) {
        room = static_cast<char*>(ngx_pnalloc(
            r->pool, field == Field::scopes ? effective_scopes_size(scopes) : subject_max));
        if (room == nullptr) {
            return false;
        }
    }
    switch (field) {
        case Field::id:
            out = token.id();
            break;
        case Field::kind:
            out = kind_name(token.kind());
            break;
        case Field::name:
            out = token.name();
            break;
        case Field::subject:
            out = subject_of(token, room);
            break;
        case Field::organization:
            out = decision.organization;
            break;
        case Field::group:
            out = token.group();
            break;
        case Field::role:
            out = decision.role;
            break;
        case Field::scopes:
            out = {room, effective_scopes(scopes, room)};
            break;
    }
    return true;
}

}  // namespace token_auth::nginx
