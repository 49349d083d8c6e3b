#include "nginx/context.hpp"

#include <new>
#include <type_traits>

#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

static_assert(std::is_trivially_destructible_v<Context>, "pools run no destructors");

// Marks our entry in a pool's list of cleanups; the context itself needs none.
void context_cleanup(void* /*data*/) noexcept {}

std::string_view copy(u_char*& end, std::string_view text) noexcept {
    u_char* const begin = end;
    end = append(end, text);
    return {reinterpret_cast<char*>(begin), text.size()};
}

}  // namespace

Context* find_context(ngx_http_request_t* r) noexcept {
    r = r->main;
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    if (context != nullptr) {
        return context;
    }
    // r->ctx is cleared by internal redirects; the list of cleanups is not.
    if (!r->internal && !r->filter_finalize) {
        return nullptr;
    }
    for (ngx_pool_cleanup_t* entry = r->pool->cleanup; entry != nullptr; entry = entry->next) {
        if (entry->handler == context_cleanup) {
            return static_cast<Context*>(entry->data);
        }
    }
    return nullptr;
}

Context* obtain_context(ngx_http_request_t* r) noexcept {
    Context* context = find_context(r);
    if (context == nullptr) {
        ngx_pool_cleanup_t* entry = ngx_pool_cleanup_add(r->pool, sizeof(Context));
        if (entry == nullptr) {
            return nullptr;
        }
        entry->handler = context_cleanup;
        context = new (entry->data) Context{};
    }
    ngx_http_set_ctx(r, context, ngx_http_token_auth_module);
    return context;
}

bool names_token(ngx_http_request_t* r, const Context& context) noexcept {
    return context.code == Code::ok || context.logging ||
           (context.denied &&
            ngx_http_get_module_ctx(r->main, ngx_http_token_auth_module) != nullptr);
}

bool remember(ngx_http_request_t* r, Context& context, const Claims& claims, bool let_in) noexcept {
    const TokenRecord& token = claims.token;
    std::size_t size = token.id.size() + token.name.size();
    if (let_in) {
        size += token.subject.size() + claims.organization.size() + token.group.size() +
                claims.role.size() + claims.role_scopes.size() + token.scopes.size();
    }
    auto* end = static_cast<u_char*>(ngx_pnalloc(r->pool, size));
    if (end == nullptr) {
        return false;
    }
    context.id = copy(end, token.id);
    context.kind = kind_name(token.kind);
    context.name = copy(end, token.name);
    context.expires = token.expires;
    if (let_in) {
        context.subject = copy(end, token.subject);
        context.organization = copy(end, claims.organization);
        context.group = copy(end, token.group);
        context.role = copy(end, claims.role);
        context.role_scopes = copy(end, claims.role_scopes);
        context.token_scopes = copy(end, token.scopes);
    }
    return true;
}

}  // namespace token_auth::nginx
