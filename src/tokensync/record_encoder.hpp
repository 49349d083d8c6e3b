// What an entity of the registry is in the store: its key and its value.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "registry/model.hpp"
#include "token_auth/record.hpp"

namespace token_auth::tokensync {

struct Entry {
    std::string_view key;
    std::string_view value;
};

// Views that an Encoder gives hold until its next call. An entity that does not fit into a record
// is a base::Error that names the entity, the field and the remedy.
class Encoder {
  public:
    Entry encode(const registry::Membership& membership);
    Entry encode(const registry::Organization& organization);
    Entry encode(const registry::Role& role);
    Entry encode(const registry::Token& token);
    Entry encode(const registry::User& user);

    // Empty if there can be no such record.
    std::string_view membership(const std::string& user, const std::string& organization);
    std::string_view organization(const std::string& id);
    std::string_view role(const std::string& id);
    std::string_view token(const Digest& digest);
    std::string_view user(const std::string& id);

  private:
    template <typename Record>
    std::string_view value_of(const Record& record);
    std::string_view join(const std::vector<std::string>& scopes, const std::string& whose);
    std::string_view printable_name(std::string_view name);
    std::string_view pack(const std::vector<std::string>& blocks, const std::string& whose);

    KeyBuffer key_{};
    std::array<char, value_max> value_{};
    std::string scopes_;
    std::string allow_;
    std::string name_;
};

// The entity's sort ("token") and its id ("x7", "ann acme"). Never a whole digest.
struct Name {
    std::string sort;
    std::string id;
};
Name name_of(std::string_view key, std::string_view value);

// The names of the fields in which two records of one key differ.
std::vector<std::string> differing_fields(std::string_view key, std::string_view left,
                                          std::string_view right);

}  // namespace token_auth::tokensync
