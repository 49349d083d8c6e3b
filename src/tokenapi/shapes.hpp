// Entities as answers show them, and the tags of those that can be changed. openapi.json has the
// shapes.
#pragma once

#include <string>

#include "base/json_fwd.hpp"
#include "registry/guarded.hpp"
#include "tokenapi/response.hpp"

namespace token_auth::tokenapi {

// Adds the token, as JSON.
void append_token(std::string& out, registry::GuardedReader& reader,
                  const registry::TokenView& view, const registry::TokenUses& uses);
// Of what a change may name: neither status nor use is in it.
std::string token_tag(const registry::Token& token);
Response token_response(registry::GuardedReader& reader, const registry::TokenView& view);
Response token_response(registry::GuardedReader& reader, const registry::TokenView& view,
                        const registry::TokenUses& uses);
// 201, with the token itself, which stands nowhere else.
Response new_token_response(registry::GuardedReader& reader, const registry::TokenView& view,
                            const registry::TokenText& text);
// What undoes it: revokes the token.
Undoing revocation(const std::string& token, const registry::Author& author);

base::Json policy_json(const registry::Policy& policy);
base::Json organization_json(const registry::Organization& organization);
base::Json group_json(const registry::Group& group);
base::Json member_json(const registry::Membership& membership, const std::string& display_name);
base::Json grants_json(const registry::Grants& grants);

// 200, or 201 with that Location, and the tag of all that it shows.
Response tagged_response(unsigned status, const base::Json& value,
                         const std::string& location = {});

}  // namespace token_auth::tokenapi
