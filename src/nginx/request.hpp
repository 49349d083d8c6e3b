// What the module reads from a request, and what it changes in it.
#pragma once

#include <cstdint>
#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/address.hpp"

namespace token_auth::nginx {

// Visits the fields of a list, whether they are marked as deleted or not.
template <typename Visit>
void for_each_field(const ngx_list_part_t& first, Visit visit) noexcept {
    for (const ngx_list_part_t* part = &first; part != nullptr; part = part->next) {
        const auto* field = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            visit(field[i]);
        }
    }
}

// CONNECT asks a proxy, which has fields and a status of its own (RFC 9110 section 11.7).
inline bool is_connect(const ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_CONNECT;
}

inline std::string_view authorization_name(const ngx_http_request_t* r) noexcept {
    return is_connect(r) ? std::string_view{"proxy-authorization"}
                         : std::string_view{"authorization"};
}

// The field of the Bearer and Token schemes; null if there is none. nginx 1.22 lets several
// through, of which this is the first.
const ngx_table_elt_t* authorization(ngx_http_request_t* r, bool& is_repeated) noexcept;

// The value of the field that nginx has in $http_some_name, by the name "some-name". If there are
// several with different values, nobody can say which one counts: then ",", which is neither an
// identifier nor a token.
std::string_view field_value(const ngx_list_part_t& fields, std::string_view name) noexcept;

// The client's address as nginx sees it (after realip); family 0 for a Unix socket.
Address client_address(ngx_http_request_t* r) noexcept;

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
