#include "store/role_table.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace token_auth {

// The first scan counts, the second one copies into the room that was taken.
struct RoleTable::Reading {
    RoleTable& table;
    std::size_t roles = 0;
    std::size_t bytes = 0;
    bool copies = false;
    bool ok = true;
};

void RoleTable::clear() noexcept {
    delete[] roles_;
    delete[] bytes_;
    roles_ = nullptr;
    bytes_ = nullptr;
    count_ = used_ = 0;
}

void RoleTable::swap(RoleTable& other) noexcept {
    std::swap(roles_, other.roles_);
    std::swap(count_, other.count_);
    std::swap(bytes_, other.bytes_);
    std::swap(used_, other.used_);
}

Found RoleTable::read(const PageReader& reader, const Tree& tree) noexcept {
    clear();
    Reading reading{*this};
    const auto visit = [](void* context, std::uint64_t key, std::string_view value) {
        auto& state = *static_cast<Reading*>(context);
        if (key == meta_record_key) {
            return false;
        }
        const auto number = static_cast<std::uint16_t>(key - first_role_key);
        if (state.copies) {
            state.ok = number < state.roles && value.size() <= state.bytes - state.table.used_ &&
                       state.table.add(number, value);
        } else {
            state.roles = number + std::size_t{1};
            state.bytes += value.size();
            state.ok = value.size() <= role_record_max;
        }
        return state.ok;
    };
    Found found = reader.scan(tree, first_role_key, visit, &reading);
    if (found == Found::found && reading.ok && reading.roles != 0) {
        roles_ = new (std::nothrow) Role[reading.roles];
        bytes_ = new (std::nothrow) char[reading.bytes];
        count_ = roles_ == nullptr ? 0 : reading.roles;
        reading.copies = true;
        reading.ok = roles_ != nullptr && bytes_ != nullptr;
        if (reading.ok) {
            found = reader.scan(tree, first_role_key, visit, &reading);
        }
    }
    if (found != Found::found || !reading.ok) {
        clear();
        return Found::torn;
    }
    return Found::found;
}

bool RoleTable::add(std::uint16_t number, std::string_view value) noexcept {
    char* const copy = bytes_ + used_;
    std::memcpy(copy, value.data(), value.size());
    used_ += value.size();
    RoleEntry& role = roles_[number];
    if (!decode({copy, value.size()}, role)) {
        return false;
    }
    // So that whoever copies them needs to copy once.
    char* const behind = copy + (role.name.data() + role.name.size() - copy);
    std::memmove(behind, role.scopes.data(), role.scopes.size());
    role.scopes = {behind, role.scopes.size()};
    return true;
}

}  // namespace token_auth
