#include "store_writer/entries.hpp"

#include <algorithm>
#include <cstdint>

#include "store_writer/meta.hpp"

namespace token_auth::store_writer {
namespace {

// The entries for which `keep` holds.
template <typename Keep>
std::string tokens_of(std::string_view value, const Keep& keep) {
    std::string kept;
    while (!value.empty()) {
        TokenView token;
        if (!token.parse(value)) {
            throw DamagedRecord("a token's record is damaged");
        }
        if (keep(token)) {
            append_token(kept, token.bytes());
        }
        value.remove_prefix(token.bytes().size());
    }
    return kept;
}

UserView parse_user(std::string_view value) {
    UserView user;
    if (!user.parse(value)) {
        throw DamagedRecord("a user's record is damaged");
    }
    return user;
}

}  // namespace

void append_token(std::string& value, std::string_view entry) {
    std::size_t last = 0;
    for (TokenView token; last < value.size(); last += token.bytes().size()) {
        if (!token.parse(std::string_view(value).substr(last))) {
            throw DamagedRecord("a token's record is damaged");
        }
        set_followed(value.data() + last, true);
    }
    value += entry;
    set_followed(value.data() + last, false);
}

std::string with_token(std::uint64_t key, std::string_view value, std::string_view entry) {
    TokenView token;
    if (!token.parse(entry)) {
        throw DamagedRecord("a token's record is damaged");
    }
    const Digest digest = token.entry(key).digest;
    const auto before = [&](const TokenView& old) { return old.entry(key).digest < digest; };
    const auto behind = [&](const TokenView& old) { return old.entry(key).digest > digest; };
    std::string whole = tokens_of(value, before);
    append_token(whole, entry);
    const std::string rest = tokens_of(value, behind);
    if (!rest.empty()) {
        set_followed(whole.data() + (whole.size() - entry.size()), true);
    }
    return whole += rest;
}

std::string without_token(std::string_view value, std::string_view digest) {
    Digest bytes{};
    std::copy_n(digest.begin(), bytes.size(), reinterpret_cast<char*>(bytes.data()));
    return tokens_of(value, [&](const TokenView& token) { return !token.is_of(bytes); });
}

std::string without_user(std::string_view value, std::string_view user) {
    std::string kept;
    while (!value.empty()) {
        const UserView entry = parse_user(value);
        if (entry.user != user) {
            kept += entry.bytes;
        }
        value.remove_prefix(entry.bytes.size());
    }
    return kept;
}

std::string with_user(std::string_view value, std::string_view entry) {
    const std::string others = without_user(value, parse_user(entry).user);
    std::string whole;
    std::string_view rest = others;
    while (!rest.empty() && parse_user(rest).bytes < entry) {
        whole += parse_user(rest).bytes;
        rest.remove_prefix(parse_user(rest).bytes.size());
    }
    whole += entry;
    return whole += rest;
}

}  // namespace token_auth::store_writer
