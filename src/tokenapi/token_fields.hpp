// A token's fields, as bodies name them.
#pragma once

#include <cstdint>

#include "registry/guarded.hpp"
#include "tokenapi/fields.hpp"

namespace token_auth::tokenapi {

// Of a new one; a personal one has no role.
registry::TokenFields read_token_fields(FieldReader& fields, bool is_personal, std::int64_t now);
// What is wrong is not taken to be named.
registry::TokenChange read_token_change(FieldReader& fields, std::int64_t now);

}  // namespace token_auth::tokenapi
