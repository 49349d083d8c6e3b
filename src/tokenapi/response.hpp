// What a request is answered with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_fwd.hpp"

namespace token_auth::tokenapi {

class RegistryConnection;

// What is to be undone if the client cannot have got an answer with a new token.
struct Undoing {
    std::string token{};  // its id
    // In a worker; again while it throws a Problem, which is that the registry does not answer.
    std::function<void(RegistryConnection&)> run{};
};

struct Response {
    unsigned status = 200;
    // Beside those that every answer has (Cache-Control, X-Content-Type-Options).
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};  // the server wipes it
    std::optional<Undoing> if_unsent{};
};

// An answer in JSON.
Response json_response(unsigned status, const base::Json& value);
Response json_text_response(unsigned status, std::string json);
// One without a body: 204.
Response no_content();

// The phrase of a status that this server answers with.
std::string_view status_phrase(unsigned status) noexcept;

}  // namespace token_auth::tokenapi
