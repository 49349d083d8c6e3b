// What a record of the store is, by its key.
#pragma once

#include <cstdint>

#include "token_auth/record.hpp"

namespace token_auth::store_writer {

// The first byte of a key; see token_auth/record.hpp.
enum Tag : char {
    tag_meta = 'M',
    tag_membership = 'm',
    tag_organization = 'o',
    tag_role = 'r',
    tag_token = 't',
    tag_user = 'u',
};

// How many of them there are, by tag; null for a tag that is not counted.
std::uint64_t* count_of(Counts& counts, char tag) noexcept;

}  // namespace token_auth::store_writer
