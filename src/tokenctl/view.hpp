// How tokenctl shows what a registry holds: JSON objects for scripts, words for people.
#pragma once

#include <cstdint>
#include <string>

#include "base/json_fwd.hpp"
#include "registry/reader.hpp"

namespace token_auth::tokenctl {

// base::Error (wrong usage) where the text is no id: above all where it is a whole token, which is
// not repeated.
void require_token_id(const std::string& id);

// The token of that id; base::Error where there is none.
registry::TokenView need_token(registry::Reader& reader, const std::string& id);

// The same objects wherever --json shows an entity: no "type", every flag there.
base::Json object_of(const registry::Role& role);
base::Json object_of(const registry::Organization& organization);
base::Json object_of(const registry::Group& group);
base::Json object_of(const registry::User& user);
base::Json object_of(const registry::Membership& membership);
// With the token's status, without its digest.
base::Json object_of(const registry::TokenView& view, std::int64_t now);

// "organization acme", "group acme/ops", "user ann"
std::string owner_text(const registry::Token& token);

// "2027-01-31T00:00:00Z" or "never"
std::string expiry_text(const registry::Token& token);

}  // namespace token_auth::tokenctl
