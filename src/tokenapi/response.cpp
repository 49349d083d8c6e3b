#include "tokenapi/response.hpp"

#include <utility>

#include "base/json.hpp"

namespace token_auth::tokenapi {

Response json_response(unsigned status, const base::Json& value) {
    return json_text_response(status, base::json_text(value));
}

Response json_text_response(unsigned status, std::string text) {
    return {status, {{"Content-Type", "application/json"}}, std::move(text), {}};
}

Response no_content() {
    return {204, {}, {}, {}};
}

std::string_view status_phrase(unsigned status) noexcept {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

}  // namespace token_auth::tokenapi
