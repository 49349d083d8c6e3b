#include "nginx/request.hpp"

#include <algorithm>

#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

struct IdentityField {
    std::string_view name;
    std::string_view lower;
};

constexpr IdentityField identity_fields[] = {
    {"X-Token-Id", "x-token-id"},           {"X-Token-Kind", "x-token-kind"},
    {"X-Token-Subject", "x-token-subject"}, {"X-Token-Org", "x-token-org"},
    {"X-Token-Group", "x-token-group"},     {"X-Token-Role", "x-token-role"},
    {"X-Token-Scopes", "x-token-scopes"},
};

constexpr std::size_t shortest = sizeof("x-token-id") - 1;
constexpr std::size_t longest = sizeof("x-token-subject") - 1;

constexpr bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Whether a lower-case name equals the other one once each separator is replaced by a hyphen.
bool imitates(std::string_view name, std::string_view other) noexcept {
    if (name.size() != other.size()) {
        return false;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != other[i] && (other[i] != '-' || is_alphanumeric(name[i]))) {
            return false;
        }
    }
    return true;
}

// Whether a lower-case name is the other one, whose separators are hyphens, with hyphens or
// underscores: nginx has both in one variable.
bool is_same_variable(std::string_view name, std::string_view other) noexcept {
    return name == other || std::equal(name.begin(), name.end(), other.begin(), [](char a, char b) {
               return a == b || (a == '_' && b == '-');
           });
}

void rename_imitation(ngx_table_elt_t& field) noexcept {
    const std::string_view name{reinterpret_cast<char*>(field.lowcase_key), field.key.len};
    for (const IdentityField& identity : identity_fields) {
        if (name != identity.lower && imitates(name, identity.lower)) {
            field.key = str(identity.name);
            field.lowcase_key = str(identity.lower).data;
            field.hash = ngx_hash_key(field.lowcase_key, field.key.len);
            return;
        }
    }
}

template <typename Visit>
void for_each_field(ngx_http_request_t* r, Visit visit) noexcept {
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr; part = part->next) {
        auto* field = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            visit(field[i]);
        }
    }
}

}  // namespace

ngx_uint_t authorization_count(ngx_http_request_t* r) noexcept {
    constexpr std::string_view authorization = "authorization";
    ngx_uint_t count = 0;
    for_each_field(r, [&](const ngx_table_elt_t& field) {
        if (field.key.len == authorization.size() &&
            std::memcmp(field.lowcase_key, authorization.data(), authorization.size()) == 0) {
            ++count;
        }
    });
    return count;
}

std::string_view field_value(ngx_http_request_t* r, std::string_view name) noexcept {
    const ngx_str_t* value = nullptr;
    bool same = true;
    for_each_field(r, [&](const ngx_table_elt_t& field) {
        if (field.key.len == name.size() && field.hash != 0 &&
            is_same_variable({reinterpret_cast<char*>(field.lowcase_key), name.size()}, name)) {
            same = same && (value == nullptr || view(field.value) == view(*value));
            value = &field.value;
        }
    });
    return !same ? std::string_view{","} : value == nullptr ? std::string_view{} : view(*value);
}

void rename_imitations(ngx_http_request_t* r) noexcept {
    for_each_field(r, [](ngx_table_elt_t& field) {
        if (field.key.len >= shortest && field.key.len <= longest && field.lowcase_key[0] == 'x') {
            rename_imitation(field);
        }
    });
}

Address client_address(ngx_http_request_t* r) noexcept {
    const sockaddr* address = r->connection->sockaddr;
    switch (address->sa_family) {
        case AF_INET:
            return address_v4(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
#if (NGX_HAVE_INET6)
        case AF_INET6:
            return address_v6(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
#endif
        default:
            return {};
    }
}

std::int64_t steady_seconds() noexcept {
    return static_cast<std::int64_t>(ngx_current_msec / 1000);
}

std::int64_t now_milliseconds() noexcept {
    const ngx_time_t* now = ngx_timeofday();
    return static_cast<std::int64_t>(now->sec) * 1000 + static_cast<std::int64_t>(now->msec);
}

}  // namespace token_auth::nginx
