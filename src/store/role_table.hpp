// A commit's roles by number, copied out of the store: they are few, and most tokens have one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/page_reader.hpp"
#include "token_auth/record.hpp"

namespace token_auth {

class RoleTable {
  public:
    RoleTable() noexcept = default;
    ~RoleTable() { clear(); }
    RoleTable(const RoleTable&) = delete;
    RoleTable& operator=(const RoleTable&) = delete;

    // Reads them anew. torn: also if memory is short; the table is empty then.
    Found read(const PageReader& reader, const Tree& tree) noexcept;
    void swap(RoleTable& other) noexcept;

    // Null if there is none.
    const Role* at(std::uint16_t number) const noexcept {
        return number < count_ && !roles_[number].name.empty() ? &roles_[number] : nullptr;
    }

  private:
    struct Reading;

    void clear() noexcept;
    bool add(std::uint16_t number, std::string_view value) noexcept;

    Role* roles_ = nullptr;
    std::size_t count_ = 0;
    char* bytes_ = nullptr;
    std::size_t used_ = 0;
};

}  // namespace token_auth
