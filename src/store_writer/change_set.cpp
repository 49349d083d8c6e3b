#include "store_writer/change_set.hpp"

#include <cstring>

namespace token_auth::store_writer {

void ChangeSet::append(std::string_view key, std::uint32_t value_size) {
    if (++changes_ > changes_max_) {
        throw TooManyChanges();
    }
    const Sizes sizes{static_cast<std::uint32_t>(key.size()), value_size};
    bytes_.append(reinterpret_cast<const char*>(&sizes), sizeof(sizes));
    bytes_ += key;
}

void ChangeSet::put(std::string_view key, std::string_view value) {
    append(key, static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
}

void ChangeSet::erase(std::string_view key) {
    if (!key.empty()) {  // else it is that of no identifier, so there cannot be such a record
        append(key, erased);
    }
}

void ChangeSet::clear() noexcept {
    changes_ = 0;
    bytes_.clear();
}

ChangeSet::Sizes ChangeSet::take_sizes(std::string_view& rest) noexcept {
    Sizes sizes;
    std::memcpy(&sizes, take(rest, sizeof(sizes)).data(), sizeof(sizes));
    return sizes;
}

std::string_view ChangeSet::take(std::string_view& rest, std::size_t size) noexcept {
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
}

}  // namespace token_auth::store_writer
