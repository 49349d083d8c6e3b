#include "store/role_table.hpp"

#include <cstring>
#include <new>

namespace token_auth {

Found RoleTable::read(const PageReader& reader, const Tree& tree) noexcept {
    std::size_t bytes = 0;
    bool ok = true;
    count_ = 0;
    Found found = reader.scan(tree, first_role_key, [&](std::uint64_t key, std::string_view value) {
        if (key == meta_record_key) {
            return false;
        }
        count_ = static_cast<std::uint16_t>(key - first_role_key) + std::size_t{1};
        bytes += value.size();
        ok = value.size() <= role_record_max;
        return ok;
    });
    if (found != Found::found || !ok) {
        return give_up();
    }
    if (count_ == 0) {
        return Found::found;
    }
    roles_.reset(new (std::nothrow) Role[count_]);
    bytes_.reset(new (std::nothrow) char[bytes]);
    if (roles_ == nullptr || bytes_ == nullptr) {
        return give_up();
    }
    char* room = bytes_.get();
    found = reader.scan(tree, first_role_key, [&](std::uint64_t key, std::string_view value) {
        if (key == meta_record_key) {
            return false;
        }
        const auto number = static_cast<std::uint16_t>(key - first_role_key);
        // The writer may have changed what was counted.
        ok = number < count_ && value.size() <= bytes && decode_into(room, value, roles_[number]);
        room += value.size();
        bytes -= value.size();
        return ok;
    });
    return found == Found::found && ok ? found : give_up();
}

Found RoleTable::give_up() noexcept {
    count_ = 0;
    return Found::torn;
}

bool RoleTable::decode_into(char* room, std::string_view value, Role& role) noexcept {
    std::memcpy(room, value.data(), value.size());
    if (!decode({room, value.size()}, role)) {
        return false;
    }
    // So that whoever copies them needs to copy once.
    char* const behind = room + (role.name.data() + role.name.size() - room);
    std::memmove(behind, role.scopes.data(), role.scopes.size());
    role.scopes = {behind, role.scopes.size()};
    return true;
}

}  // namespace token_auth
