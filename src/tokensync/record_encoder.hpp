// What an entity of the registry is in the store: its key and its value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/model.hpp"
#include "store_writer/meta.hpp"
#include "token_auth/record.hpp"

namespace token_auth::tokensync {

// Views that an Encoder gives hold until its next call. An entity that does not fit into a record
// is a base::Error that names the entity, the field and the remedy.
class Encoder {
  public:
    // Roles and keys of digests that have no number yet are given one.
    explicit Encoder(store_writer::Numbers& numbers) : numbers_(numbers) {}

    std::string_view token(const registry::Token& token);
    // Of a user with more memberships than a token's record holds; empty for others.
    std::string_view user(const std::string& id, const std::vector<registry::MemberOf>& all);
    std::string_view role(const registry::Role& role);
    // Of a role that is named, but is not there.
    std::string_view absent_role(const std::string& name);

    // Of the same entities' ids.
    static void require_organization(const std::string& id);

  private:
    Membership membership(const registry::MemberOf& membership, const std::string& user);
    std::string_view join(const std::vector<std::string>& scopes, const std::string& whose);
    std::string_view pack(const std::vector<std::string>& blocks, const std::string& whose);
    std::string_view printable_name(std::string_view name);
    [[noreturn]] static void reject_token(const registry::Token& token);

    store_writer::Numbers& numbers_;
    std::array<char, token_entry_max> value_{};
    std::string user_;
    std::string scopes_;
    std::string allow_;
    std::string name_;
};

// "the token with the digest 1a2b3c4d…", as much of it as may be shown.
std::string digest_hint(const Digest& digest);

// The names of the fields in which two entries of one digest differ.
std::vector<std::string> differing_fields(const TokenView& left, const TokenView& right);

}  // namespace token_auth::tokensync
