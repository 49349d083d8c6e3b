// Records for tests to take apart.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "token_auth/address.hpp"
#include "token_auth/record.hpp"

namespace token_auth::unit {

// One question for all sorts of records.
template <typename Record>
bool decodes(std::string_view value, Record& out) {
    return decode(value, out);
}

inline bool decodes(std::string_view value, MetaRecord& out) {
    return decode(value, out) == MetaProblem::none;
}

// An encoded allow-list.
inline std::string allow_of(std::initializer_list<std::string_view> texts) {
    std::string allow;
    for (const std::string_view text : texts) {
        Cidr block{};
        if (!parse_cidr(text, block)) {
            throw std::runtime_error("parse_cidr() refused " + std::string(text));
        }
        allow.append(reinterpret_cast<const char*>(block.data()), block.size());
    }
    return allow;
}

// A record with every field set.
inline TokenRecord full_token(const std::string& allow) {
    TokenRecord record;
    record.kind = kind_group;
    record.revoked = true;
    record.subject_disabled = true;
    record.key_id = 0x89abcdef;
    record.not_before = 1'700'000'000;
    record.expires = INT64_MAX;
    record.id = "T-1";
    record.subject = "bot.1";
    record.organization = "acme";
    record.group = "ops";
    record.role = "admin";
    record.name = "n\xc3\xa4me";
    record.scopes = "agents:read calls:*";
    record.allow = allow;
    return record;
}

inline MetaRecord full_meta() {
    MetaRecord meta;
    meta.generation = UINT64_MAX;
    meta.synced = 1'700'000'000'123;
    meta.created = -1;
    meta.counts = {1, 2, 3, 4, 1ULL << 40};
    meta.key_uses[0] = {no_key, 5};
    meta.key_uses[1] = {0xffffffff, UINT64_MAX};
    meta.key_use_count = 2;
    meta.source = "0123456789abcdef";
    meta.position = std::string_view("pos\0ition", 9);
    return meta;
}

}  // namespace token_auth::unit
