#include "nginx/page.hpp"

#include <algorithm>

#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

constexpr std::size_t buffer_size = 16 * 1024;

}  // namespace

u_char* Page::reserve(std::size_t size) noexcept {
    if (last_ != nullptr && static_cast<std::size_t>(last_->buf->end - last_->buf->last) >= size) {
        return last_->buf->last;
    }
    ngx_chain_t* const next = ngx_alloc_chain_link(request_->pool);
    ngx_buf_t* const buffer = ngx_create_temp_buf(request_->pool, std::max(size, buffer_size));
    if (next == nullptr || buffer == nullptr) {
        failed_ = true;
        return nullptr;
    }
    *next = {buffer, nullptr};
    if (last_ == nullptr) {
        first_ = next;
    } else {
        last_->next = next;
    }
    last_ = next;
    return buffer->last;
}

Page& Page::operator<<(std::string_view text) noexcept {
    u_char* const room = reserve(text.size());
    if (room != nullptr) {
        last_->buf->last = append(room, text);
    }
    return *this;
}

Page& Page::operator<<(std::uint64_t number) noexcept {
    u_char text[NGX_INT64_LEN];
    const u_char* const end = ngx_sprintf(text, "%uL", number);
    return *this << std::string_view{reinterpret_cast<char*>(text),
                                     static_cast<std::size_t>(end - text)};
}

Page& Page::add_json(std::string_view text) noexcept {
    constexpr std::size_t widest = 6;  // \u001f
    u_char* const room = reserve(2 + widest * text.size());
    if (room != nullptr) {
        *room = '"';
        auto* const end =
            reinterpret_cast<u_char*>(ngx_escape_json(room + 1, str(text).data, text.size()));
        *end = '"';
        last_->buf->last = end + 1;
    }
    return *this;
}

Page& Page::add_label_value(std::string_view text) noexcept {
    u_char* end = reserve(2 + 2 * text.size());
    if (end == nullptr) {
        return *this;
    }
    *end++ = '"';
    for (const char c : text) {
        if (c == '"' || c == '\\' || c == '\n') {
            *end++ = '\\';
        }
        *end++ = c == '\n' ? 'n' : static_cast<u_char>(c);
    }
    *end++ = '"';
    last_->buf->last = end;
    return *this;
}

Page& Page::add_seconds(std::int64_t milliseconds) noexcept {
    u_char text[2 * NGX_INT64_LEN];
    const u_char* const end =
        ngx_sprintf(text, "%L.%03L", milliseconds / 1000, milliseconds % 1000);
    return *this << std::string_view{reinterpret_cast<char*>(text),
                                     static_cast<std::size_t>(end - text)};
}

ngx_int_t Page::send(std::string_view type) noexcept {
    *this << std::string_view{};  // there is a buffer
    if (failed_) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_buf_t& last = *last_->buf;
    last.last_buf = request_ == request_->main ? 1 : 0;
    last.last_in_chain = 1;
    request_->headers_out.status = NGX_HTTP_OK;
    request_->headers_out.content_length_n = 0;
    for (const ngx_chain_t* each = first_; each != nullptr; each = each->next) {
        request_->headers_out.content_length_n += each->buf->last - each->buf->pos;
    }
    request_->headers_out.content_type = str(type);
    // Without its parameters: so nginx compares it, and adds no charset.
    request_->headers_out.content_type_len = std::min(type.find(';'), type.size());
    const ngx_int_t sent = ngx_http_send_header(request_);
    if (sent == NGX_ERROR || sent > NGX_OK || request_->header_only) {
        return sent;
    }
    return ngx_http_output_filter(request_, first_);
}

ngx_int_t accept_get(ngx_http_request_t* r) noexcept {
    if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    return ngx_http_discard_request_body(r);
}

}  // namespace token_auth::nginx
