// The answer of a content handler that is put together from pieces of text.
#pragma once

#include <cstdint>
#include <string_view>

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

class Page {
  public:
    explicit Page(ngx_http_request_t* r) noexcept : request_(r) {}

    Page& operator<<(std::string_view text) noexcept;
    Page& operator<<(std::uint64_t number) noexcept;

    // As a string of JSON or of Prometheus's text format: with quotes, and escaped.
    Page& add_json(std::string_view text) noexcept;
    Page& add_label_value(std::string_view text) noexcept;

    // Unix milliseconds, as seconds with a fraction.
    Page& add_seconds(std::int64_t milliseconds) noexcept;

    // Once, as the handler's return value. `type` is static text.
    ngx_int_t send(std::string_view type) noexcept;

  private:
    // Room for that many bytes; null without memory.
    u_char* reserve(std::size_t size) noexcept;

    ngx_http_request_t* request_;
    ngx_chain_t* first_ = nullptr;
    ngx_chain_t* last_ = nullptr;
    bool failed_ = false;
};

// NGX_OK if a content handler is to go on; it answers GET and HEAD.
ngx_int_t accept_get(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
