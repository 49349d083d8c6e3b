// A commit's roles by number, copied out of the store: they are few, and most tokens have one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "store/page_reader.hpp"
#include "token_auth/record.hpp"

namespace token_auth {

class RoleTable {
  public:
    // Reads them anew. torn: also if memory is short; the table is empty then.
    Found read(const PageReader& reader, const Tree& tree) noexcept;

    // Null if there is none.
    const Role* at(std::uint16_t number) const noexcept {
        return number < count_ && !roles_[number].name.empty() ? &roles_[number] : nullptr;
    }

  private:
    Found give_up() noexcept;
    static bool decode_into(char* room, std::string_view value, Role& role) noexcept;

    std::unique_ptr<Role[]> roles_;
    std::unique_ptr<char[]> bytes_;
    std::size_t count_ = 0;
};

}  // namespace token_auth
