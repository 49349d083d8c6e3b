// Why something that was asked for was not done.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {

// `code` and the members are those of problem documents.
class Refusal : public base::Error {
  public:
    Refusal(std::string refusal_code, const std::string& text)
        : base::Error(text), code(std::move(refusal_code)) {}
    std::string code;
    std::string scope;                // scope_missing
    std::vector<std::string> scopes;  // grant_exceeds
    std::vector<Problem> errors;      // fields_invalid; the one of limit_reached
    std::string successor;            // not_rotatable; empty: it has none
    bool lacks_key = false;           // not_rotatable: the digest is keyed, and there is no key
};

Refusal not_found();

// Throws fields_invalid, with all of the errors, if there are any.
void require_valid(std::vector<Problem> errors);

}  // namespace token_auth::registry
