// As guarded_call.hpp, for people, roles, the catalogue of scopes and the audit trail.
#pragma once

#include <functional>

#include "registry/guarded_system.hpp"
#include "tokenapi/guarded_call.hpp"

namespace token_auth::tokenapi {

void read_system(Call& call, const std::function<void(registry::SystemReader&)>& body);
void write_system(Call& call, const std::function<void(registry::SystemWriter&)>& body);

}  // namespace token_auth::tokenapi
