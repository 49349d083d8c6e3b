#include "store_writer/change_set.hpp"

#include <cstring>

namespace token_auth::store_writer {

void ChangeSet::add(Change change, std::uint64_t key, std::string_view value) {
    if (++changes_ > changes_max_) {
        throw TooManyChanges();
    }
    const Head head{change, static_cast<std::uint32_t>(value.size()), key};
    bytes_.append(reinterpret_cast<const char*>(&head), sizeof(head));
    bytes_ += value;
}

void ChangeSet::erase_token(const Digest& digest) {
    add(Change::erase_token, token_key(digest),
        {reinterpret_cast<const char*>(digest.data()), digest.size()});
}

void ChangeSet::clear() noexcept {
    changes_ = 0;
    bytes_.clear();
}

bool ChangeSet::take(std::string_view& rest, Head& head) noexcept {
    if (rest.empty()) {
        return false;
    }
    std::memcpy(&head, rest.data(), sizeof(head));
    rest.remove_prefix(sizeof(head));
    return true;
}

}  // namespace token_auth::store_writer
