// Holds removals back: a registry that lost more than half of its tokens, and does not say that
// this was meant, may be the wrong one.
//
// What is held back stays in the store, marked, with the rights that it has there, and stays so in
// every later sync until it is forced, the registry gives it again, or says that it was meant.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "registry/source.hpp"
#include "store_writer/store_writer.hpp"

namespace token_auth::tokensync {

class Brake {
  public:
    // `before`: what the store held. Forced, it holds nothing.
    Brake(registry::Source& source, const store_writer::Contents& before, bool forced)
        : source_(source), before_(before.counts), forced_(forced) {}

    // Whether so many tokens that are not held back yet are too many to remove.
    bool is_too_many(std::uint64_t tokens) const noexcept;
    // Whether what is removed must be asked about: so many tokens, some of which were held back.
    bool is_due(std::uint64_t tokens, std::uint64_t held) const noexcept {
        return is_too_many(tokens - held) || (!forced_ && held != 0);
    }
    bool is_due(const store_writer::Removed& removed) const;
    // Asks the source, and puts back what is to be held.
    store_writer::ChangeSet held(const store_writer::Removed& removed);

    // How many tokens held() has put back that were not held back before.
    std::uint64_t newly_held() const noexcept { return newly_held_; }

    // What became of tokens.
    std::vector<registry::Fate> fates(const std::vector<store_writer::Removed::Token>& tokens);

  private:
    registry::Source& source_;
    StoreCounts before_;
    bool forced_;
    std::uint64_t newly_held_ = 0;
};

// Whether an entry is of a token that is held back.
bool is_held(const std::string& entry);
// An entry as it is kept, its removal held back: changed by what the source still says of it.
TokenEntry held_entry(const store_writer::Removed::Token& token, registry::Fate fate);
std::string encoded(const TokenEntry& entry);

// Of which tokens that are held back: all, if there is none of these.
struct HeldFilter {
    std::vector<std::string> ids;
    std::set<std::string> users;
    std::set<std::string> organizations;

    bool empty() const noexcept { return ids.empty() && users.empty() && organizations.empty(); }
};

// Asks again about tokens that are held back: removes those that were meant to be, and those whose
// id has another digest by now; refuses those that are revoked or disabled. Whether it committed.
bool review_held(registry::Source& source, store_writer::StoreWriter& writer,
                 const HeldFilter& filter);

}  // namespace token_auth::tokensync
