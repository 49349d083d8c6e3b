#include "tokensync/brake.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "store_writer/error.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

using registry::Fate;
using store_writer::Removed;

constexpr std::uint64_t few_tokens = 100;       // of which any number may go at once
constexpr std::size_t tokens_per_query = 5000;  // asked about

TokenView view_of(const std::string& entry) {
    TokenView view;
    if (!view.parse(entry)) {
        throw store_writer::DamagedRecord("a token's record is damaged");
    }
    return view;
}

bool is_kept(Fate fate) {
    return fate == Fate::lost || fate == Fate::refused;
}

// Tokens that are held back, as the store has them now.
std::vector<Removed::Token> held_tokens(const std::string& path, const HeldFilter& filter) {
    const std::set<std::string> ids(filter.ids.begin(), filter.ids.end());
    Removed held;
    View view(path);
    std::uint64_t key = 0;
    for (std::string_view value; view.next(key, value) && key < first_user_key;) {
        for (TokenView token; !value.empty() && token.parse(value);
             value.remove_prefix(token.bytes().size())) {
            std::array<char, subject_max> buffer{};
            if (token.held_back() &&
                (filter.empty() || ids.contains(std::string(token.id())) ||
                 filter.organizations.contains(std::string(token.organization())) ||
                 filter.users.contains(std::string(subject_of(token, buffer.data()))))) {
                held.add_token(key, token.bytes());
            }
        }
    }
    return std::move(held.tokens);
}

}  // namespace

bool is_held(const std::string& entry) {
    return view_of(entry).held_back();
}

TokenEntry held_entry(const Removed::Token& token, Fate fate) {
    TokenEntry entry = view_of(token.entry).entry(token.key);
    entry.held_back = true;
    entry.revoked = entry.revoked || fate == Fate::refused;
    return entry;
}

std::string encoded(const TokenEntry& entry) {
    std::string bytes(token_entry_max, '\0');
    bytes.resize(encode(entry, false, bytes.data(), bytes.size()));
    return bytes;
}

bool Brake::is_too_many(std::uint64_t tokens) const noexcept {
    const std::uint64_t before = before_.tokens - std::min(before_.held_back, before_.tokens);
    return !forced_ && before > few_tokens && tokens > before / 2;
}

bool Brake::is_due(const Removed& removed) const {
    const auto held = std::count_if(removed.tokens.begin(), removed.tokens.end(),
                                    [](const Removed::Token& each) { return is_held(each.entry); });
    const bool goes_with_held =
        before_.held_back != 0 && !(removed.users.empty() && removed.suspended.empty());
    return is_due(removed.tokens.size(), static_cast<std::uint64_t>(held)) ||
           (!forced_ && goes_with_held);
}

std::vector<Fate> Brake::fates(const std::vector<Removed::Token>& tokens) {
    std::vector<Fate> all;
    std::span<const Removed::Token> left(tokens);
    while (!left.empty()) {
        const auto part = left.first(std::min(tokens_per_query, left.size()));
        left = left.subspan(part.size());
        std::vector<registry::HeldToken> asked;
        for (const Removed::Token& each : part) {
            const TokenView view = view_of(each.entry);
            std::array<char, subject_max> buffer{};
            asked.push_back({std::string(view.id()), view.entry(each.key).digest,
                             std::string(subject_of(view, buffer.data())),
                             std::string(view.organization()), std::string(view.group())});
        }
        const std::vector<Fate> found = source_.fates(asked);
        all.insert(all.end(), found.begin(), found.end());
    }
    return all;
}

store_writer::ChangeSet Brake::held(const Removed& removed) {
    const std::vector<Fate> all = fates(removed.tokens);
    std::uint64_t lost = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        lost += is_kept(all[i]) && !is_held(removed.tokens[i].entry) ? 1 : 0;
    }
    const bool holds_new = is_too_many(lost);
    newly_held_ = holds_new ? lost : 0;
    store_writer::ChangeSet changes(UINT64_MAX);
    std::set<std::uint64_t> users;  // whose memberships stand in a record of their own
    bool any = before_.held_back != 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const Removed::Token& token = removed.tokens[i];
        if (!is_kept(all[i]) || (!holds_new && !is_held(token.entry))) {
            continue;
        }
        const TokenEntry entry = held_entry(token, all[i]);
        changes.put_token(token.key, encoded(entry));
        any = true;
        if (entry.many_memberships) {
            users.insert(entry.user_key);
        }
    }
    for (const std::string& entry : removed.users) {
        UserView user;
        if (user.parse(entry) && users.contains(user_key(user.user))) {
            changes.put_user(user_key(user.user), entry);
        }
    }
    for (const std::string& organization : removed.suspended) {
        if (any) {
            changes.suspend(organization);
        }
    }
    return changes;
}

bool review_held(registry::Source& source, store_writer::StoreWriter& writer,
                 const HeldFilter& filter) {
    const std::vector<Removed::Token> held = held_tokens(writer.site().real, filter);
    Brake brake(source, writer.meta()->contents, false);
    const std::vector<Fate> fates = brake.fates(held);
    store_writer::ChangeSet changes(UINT64_MAX);
    for (std::size_t i = 0; i < held.size(); ++i) {
        const TokenView view = view_of(held[i].entry);
        if (!is_kept(fates[i])) {
            changes.erase_token(view.entry(held[i].key).digest);
        } else if (fates[i] == Fate::refused && !view.revoked()) {
            changes.put_token(held[i].key, encoded(held_entry(held[i], fates[i])));
        }
    }
    if (changes.changes() == 0) {
        return false;
    }
    store_writer::Meta meta;
    meta.source = writer.meta()->source;
    meta.position = writer.meta()->position;
    writer.commit(changes, meta, writer.numbers(), nullptr);
    return true;
}

}  // namespace token_auth::tokensync
