// Requests that come again with the same key: a day long, they make nothing anew.
//
// Source: draft-ietf-httpapi-idempotency-key-header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "registry/writer.hpp"

namespace token_auth::registry {

// The caller's key, for a path.
struct RequestKey {
    std::string path;
    std::string key;
};

struct KeyedRequest {
    std::string body;   // sha256_hex() of it
    std::string token;  // the id of the one that it made, which may be gone
};

// Within 24 hours.
std::optional<KeyedRequest> find_request(Reader& reader, const std::string& caller,
                                         const RequestKey& key, std::int64_t now);
// Of two such transactions at a time, the second one begins again and finds what the first one
// noted. Old ones go.
void note_request(Writer& writer, const std::string& caller, const RequestKey& key,
                  const KeyedRequest& request);

}  // namespace token_auth::registry
