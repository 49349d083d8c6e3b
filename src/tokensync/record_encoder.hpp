// What an entity of the registry is in the store: its key and its value.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/bad_row.hpp"
#include "registry/model.hpp"
#include "store_writer/meta.hpp"
#include "token_auth/record.hpp"

namespace token_auth::tokensync {

// No record can hold an entity.
class Unfit : public std::runtime_error {
  public:
    explicit Unfit(registry::BadRow row) : std::runtime_error(row.problem), row_(std::move(row)) {}
    const registry::BadRow& row() const noexcept { return row_; }

  private:
    registry::BadRow row_;
};

// Views that an Encoder gives hold until its next call. An entity that does not fit into a record
// is the exception Unfit.
class Encoder {
  public:
    // Roles and keys of digests that have no number yet are given one. `last`: what gets none is
    // left out; else it is the exception NoNumberLeft, as a new store might have one.
    Encoder(store_writer::Numbers& numbers, bool last) : numbers_(numbers), last_(last) {}

    std::string_view token(const registry::Token& token);
    // Of a user with more memberships than a token's record holds; empty for others.
    std::string_view user(const std::string& id, const std::vector<registry::MemberOf>& all);
    std::string_view role(const registry::Role& role);
    // The number of a role whose record was given.
    std::uint16_t role_number(const std::string& id);
    // Of a role that is named, but is not there.
    std::string_view absent_role(const std::string& name);

    // Memberships whose role got no number: they count as none.
    std::vector<registry::BadRow> take_unnumbered() { return std::exchange(unnumbered_, {}); }

  private:
    bool membership(const registry::MemberOf& membership, const std::string& user, Membership& out);
    const char* join(const std::vector<std::string>& scopes);
    const char* pack(const std::vector<std::string>& blocks);
    const char* printable_name(std::string_view name, std::string_view& out);
    void set_numbers(const registry::Token& token, TokenEntry& entry);
    [[noreturn]] static void reject_token(const registry::Token& token);

    store_writer::Numbers& numbers_;
    bool last_;
    std::vector<registry::BadRow> unnumbered_;
    std::array<char, token_entry_max> value_{};
    std::string user_;
    std::string scopes_;
    std::string allow_;
    std::string name_;
};

// The names of the fields in which two entries of one digest differ.
std::vector<std::string> differing_fields(const TokenView& left, const TokenView& right);

}  // namespace token_auth::tokensync
