#include "nginx/context.hpp"

#include <algorithm>
#include <new>
#include <type_traits>

#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

static_assert(std::is_trivially_destructible_v<Context>, "pools run no destructors");

// Marks our entry among the pool's cleanups; there is nothing to clean up.
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
    // Internal redirects clear r->ctx, but not the pool's cleanups.
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
    if (context != nullptr) {
        // After an internal redirect, the fields of an earlier denial stay until the next denial.
        Context next{};
        std::copy(context->fields, context->fields + context->field_count, next.fields);
        next.field_count = context->field_count;
        *context = next;
    } else {
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

std::size_t size_to_remember(const Claims& claims) noexcept {
    const TokenRecord& token = claims.token;
    return static_cast<std::size_t>(token.scopes.data() + token.scopes.size() - token.id.data()) +
           claims.organization.size() + claims.role.size() + claims.role_scopes.size();
}

void remember(Context& context, const Claims& claims, bool let_in, char* room) noexcept {
    const TokenRecord& token = claims.token;
    // The record's texts are contiguous, so one copy takes all that are needed.
    const char* const begin = token.id.data();
    const std::string_view last = let_in ? token.scopes : token.name;
    const auto size = static_cast<std::size_t>(last.data() + last.size() - begin);
    auto* end = reinterpret_cast<u_char*>(room);
    copy(end, {begin, size});
    const auto of_record = [&](std::string_view text) {
        return std::string_view(room + (text.data() - begin), text.size());
    };
    if (let_in) {
        const std::string_view role_scopes = copy(end, claims.role_scopes);
        // for a user token, these are not part of the token's record
        const bool is_user = token.kind == kind_user;
        const std::string_view role = is_user ? copy(end, claims.role) : of_record(token.role);
        context.organization =
            is_user ? copy(end, claims.organization) : of_record(token.organization);
        context.role = role;
        context.role_scopes = role_scopes;
        context.subject = of_record(token.subject);
        context.group = of_record(token.group);
        context.token_scopes = of_record(token.scopes);
    }
    context.id = of_record(token.id);
    context.kind = kind_name(token.kind);
    context.name = of_record(token.name);
    context.expires = token.expires;
}

}  // namespace token_auth::nginx
