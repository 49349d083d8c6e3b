// What the module reads from a request, and what it changes in it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/address.hpp"

namespace token_auth::nginx {

// Visits the fields of a list, whether they are marked as deleted or not.
template <typename Visit>
void for_each_field(const ngx_list_part_t& first, Visit visit) noexcept {
    for (const ngx_list_part_t* part = &first; part != nullptr; part = part->next) {
        const auto* field = static_cast<const ngx_table_elt_t*>(part->elts);
        for (const auto* const end = field + part->nelts; field != end; ++field) {
            visit(*field);
        }
    }
}

template <typename Is>
bool any_field(const ngx_list_part_t& first, Is is) noexcept {
    for (const ngx_list_part_t* part = &first; part != nullptr; part = part->next) {
        const auto* field = static_cast<const ngx_table_elt_t*>(part->elts);
        for (const auto* const end = field + part->nelts; field != end; ++field) {
            if (is(*field)) {
                return true;
            }
        }
    }
    return false;
}

// CONNECT asks a proxy, which has fields and a status of its own (RFC 9110 section 11.7).
inline bool is_connect(const ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_CONNECT;
}

inline std::string_view authorization_name(const ngx_http_request_t* r) noexcept {
    return is_connect(r) ? std::string_view{"proxy-authorization"}
                         : std::string_view{"authorization"};
}

// The first field of a name, in lower case; null if there is none. Sets `is_repeated` if there is
// another one.
template <std::size_t size>
const ngx_table_elt_t* find_field(const ngx_list_part_t& fields, const char (&name)[size],
                                  bool& is_repeated) noexcept {
    const ngx_table_elt_t* first = nullptr;
    for_each_field(fields, [&](const ngx_table_elt_t& field) {
        if (field.key.len == size - 1 && std::memcmp(field.lowcase_key, name, size - 1) == 0) {
            is_repeated = first != nullptr;
            first = is_repeated ? first : &field;
        }
    });
    return first;
}

// The field of the Bearer and Token schemes; null if there is none. nginx 1.22 lets several
// through, of which this is the first.
inline const ngx_table_elt_t* authorization(ngx_http_request_t* r, bool& is_repeated) noexcept {
    is_repeated = false;
    const ngx_list_part_t& fields = r->headers_in.headers.part;
    if (is_connect(r)) {
        return find_field(fields, "proxy-authorization", is_repeated);
    }
    // Whoever takes the field off may leave it in the list.
    return r->headers_in.authorization == nullptr
               ? nullptr
               : find_field(fields, "authorization", is_repeated);
}

// The value of the field that nginx has in $http_some_name, by the name "some-name". If there are
// several with different values, nobody can say which one counts: then ",", which is neither an
// identifier nor a token.
std::string_view field_value(const ngx_list_part_t& fields, std::string_view name) noexcept;

// The client's address as nginx sees it (after realip); family 0 for a Unix socket.
inline Address client_address(const ngx_http_request_t* r) noexcept {
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

// The values of the variables that nginx keeps for a request, and the last captures of a regular
// expression: for whoever evaluates variables in between.
class SavedRequest {
  public:
    // False without memory.
    bool save(ngx_http_request_t* r) noexcept;
    void restore(ngx_http_request_t* r) const noexcept;

  private:
    ngx_http_variable_value_t* variables_;
#if (NGX_PCRE)
    ngx_uint_t ncaptures_;
    int* captures_;
    u_char* captures_data_;
    bool realloc_captures_;
#endif
};

// Adds a field to those of an answer; the texts must outlive the request. Null if out of memory.
ngx_table_elt_t* add_to(ngx_list_t& fields, std::string_view name, std::string_view value) noexcept;

inline ngx_table_elt_t* add_response_field(ngx_http_request_t* r, std::string_view name,
                                           std::string_view value) noexcept {
    return add_to(r->headers_out.headers, name, value);
}

// nginx's cached time, of a clock that nobody sets, in seconds.
std::int64_t steady_seconds() noexcept;

// nginx's cached time in Unix milliseconds.
std::int64_t now_milliseconds() noexcept;

}  // namespace token_auth::nginx
