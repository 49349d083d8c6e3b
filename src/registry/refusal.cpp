#include "registry/refusal.hpp"

#include <fmt/format.h>

namespace token_auth::registry {

Refusal not_found() {
    return Refusal("not_found", "there is no such thing, or you do not see it");
}

void require_valid(std::vector<Problem> errors) {
    if (errors.empty()) {
        return;
    }
    Refusal refusal("fields_invalid",
                    fmt::format("{} {}", errors.front().field, errors.front().text));
    refusal.errors = std::move(errors);
    throw refusal;
}

}  // namespace token_auth::registry
