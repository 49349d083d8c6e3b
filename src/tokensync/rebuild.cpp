#include "tokensync/rebuild.hpp"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/record_sink.hpp"
#include "tokensync/sorted_diff.hpp"
#include "tokensync/spool.hpp"

namespace token_auth::tokensync {
namespace {

// How long to wait for another tokensync that replaces the store.
constexpr std::chrono::seconds replacing_waits{5};

// Compares the old store with the records of the new one, and keeps the tokens that are not in it.
class RemovedRecords : private Differences {
  public:
    explicit RemovedRecords(const std::string& path)
        : store_(path), diff_(store_, static_cast<Differences&>(*this)) {}

    void put(std::uint64_t key, std::string_view value) { diff_.put(key, value); }
    void finish() { diff_.finish(); }

    std::uint64_t records() const noexcept { return records_; }
    std::uint64_t held() const noexcept { return held_; }
    std::uint64_t tokens() const noexcept { return count_; }
    Spool& spool() noexcept { return tokens_; }

  private:
    void extra(std::uint64_t key, std::string_view found) override {
        ++records_;
        keep(key, found, {});
    }
    void differs(std::uint64_t key, std::string_view found, std::string_view value) override {
        keep(key, found, value);
    }
    void keep(std::uint64_t key, std::string_view found, std::string_view value) {
        if (key >= first_user_key) {
            return;
        }
        store_writer::Removed removed;
        removed.add_tokens(key, found, value);
        for (const store_writer::Removed::Token& token : removed.tokens) {
            tokens_.add(token.key, token.entry);
            ++count_;
            held_ += is_held(token.entry) ? 1 : 0;
        }
    }

    View store_;
    SortedDiff diff_;
    std::uint64_t records_ = 0;
    std::uint64_t count_ = 0;  // tokens
    std::uint64_t held_ = 0;   // of them, those that were held back before
    Spool tokens_;
};

// The numbers of the old store's entries, in the new one.
class Renumbered {
  public:
    Renumbered(const store_writer::Numbers& old, store_writer::Numbers& fresh)
        : keys_(old.keys()), fresh_(fresh) {
        for (const auto& [name, number] : old.roles()) {
            names_[number] = name;
        }
    }

    // False if the new one has no number left for it.
    bool apply(TokenEntry& entry) {
        try {
            entry.key_index = fresh_.key(keys_.at(entry.key_index).id);
            entry.role = number(entry.role);
            for (std::size_t i = 0; i < entry.membership_count; ++i) {
                entry.memberships.at(i).role = number(entry.memberships.at(i).role);
            }
            return true;
        } catch (const store_writer::NoNumberLeft&) {
            return false;
        }
    }

  private:
    std::uint16_t number(std::uint16_t old) {
        return old == no_role ? no_role : fresh_.role(names_[old]);
    }

    const store_writer::KeyTable keys_;
    store_writer::Numbers& fresh_;
    std::map<std::uint16_t, std::string> names_;
};

// Puts what the brake holds of the old store into the new one, in parts.
class Keeper {
  public:
    Keeper(const store_writer::StoreWriter& old, store_writer::StoreWriter& fresh, Brake& brake)
        : fresh_(fresh),
          brake_(brake),
          numbers_(fresh.numbers()),
          known_roles_(numbers_.roles().size()),
          renumbered_(old.numbers(), numbers_) {}

    // How many that were not held back before.
    std::uint64_t keep(RemovedRecords& removed, const std::set<std::string>& suspended) {
        std::uint64_t lost = 0;
        for_each_part(removed.spool(), [&](const Tokens& part) {
            const std::vector<registry::Fate> fates = brake_.fates(part);
            for (std::size_t i = 0; i < part.size(); ++i) {
                lost += is_kept(fates[i]) && !is_held(part[i].entry) ? 1 : 0;
            }
        });
        const bool holds_new = brake_.is_too_many(lost);
        if (!holds_new && removed.held() == 0) {
            return 0;
        }
        for_each_part(removed.spool(), [&](const Tokens& part) { put(part, holds_new); });
        put_suspensions(suspended);
        return holds_new ? lost : 0;
    }

  private:
    using Tokens = std::vector<store_writer::Removed::Token>;
    static constexpr std::size_t part_size = 20'000;

    static bool is_kept(registry::Fate fate) {
        return fate == registry::Fate::lost || fate == registry::Fate::refused;
    }

    template <typename Each>
    static void for_each_part(Spool& spool, const Each& each) {
        Tokens part;
        spool.for_each_sorted([&](std::uint64_t key, std::string_view entry) {
            part.push_back({key, std::string(entry)});
            if (part.size() == part_size) {
                each(part);
                part.clear();
            }
        });
        each(part);
    }

    void put(const Tokens& part, bool holds_new) {
        store_writer::ChangeSet changes(UINT64_MAX);
        const std::vector<registry::Fate> fates = brake_.fates(part);
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (is_kept(fates[i]) && (holds_new || is_held(part[i].entry))) {
                TokenEntry entry = held_entry(part[i], fates[i]);
                if (renumbered_.apply(entry)) {
                    changes.put_token(part[i].key, encoded(entry));
                }
            }
        }
        commit(changes);
    }

    // A customer that is gone from the registry stays suspended while tokens are held back.
    void put_suspensions(const std::set<std::string>& suspended) {
        store_writer::ChangeSet changes(UINT64_MAX);
        for (const std::string& organization : suspended) {
            changes.suspend(organization);
        }
        for (const auto& [name, number] : numbers_.roles()) {
            if (number >= known_roles_) {
                std::array<char, role_record_max> record{};
                const std::size_t size =
                    encode(RoleEntry{false, name, {}}, record.data(), record.size());
                changes.put(role_key(number), {record.data(), size});
            }
        }
        commit(changes);
    }

    void commit(const store_writer::ChangeSet& changes) {
        store_writer::Meta meta;
        meta.source = fresh_.meta()->source;
        meta.position = fresh_.meta()->position;
        fresh_.commit(changes, meta, numbers_, nullptr);
    }

    store_writer::StoreWriter& fresh_;
    Brake& brake_;
    store_writer::Numbers numbers_;
    std::size_t known_roles_;
    Renumbered renumbered_;
};

// The new store is loaded; the old one is compared with it for as long as it can be read.
class LoadBeside {
  public:
    LoadBeside(store_writer::StoreWriter& fresh, const store_writer::StoreWriter& old)
        : load_(fresh), old_(old) {
        comparing_ = old.damage().empty() && old.meta();
        compare([&] { removed_ = std::make_unique<RemovedRecords>(old_.site().real); });
    }

    void put(std::uint64_t key, std::string_view value) {
        load_.put(key, value);
        compare([&] { removed_->put(key, value); });
    }

    void finish(const store_writer::Meta& meta, const store_writer::Numbers& numbers) {
        compare([&] { removed_->finish(); });
        load_.finish(meta, numbers);
    }

    std::uint64_t records() const noexcept { return load_.records(); }
    // Null if the old store cannot be read.
    RemovedRecords* removed() noexcept { return removed_.get(); }

  private:
    template <typename Step>
    void compare(Step step) {
        if (!comparing_) {
            return;
        }
        try {
            step();
        } catch (const store_writer::DamagedStore&) {
            removed_.reset();
            comparing_ = false;
        }
    }

    store_writer::BulkLoader load_;
    const store_writer::StoreWriter& old_;
    std::unique_ptr<RemovedRecords> removed_;
    bool comparing_ = false;
};

// As far as it can be read.
std::set<std::string> suspended_in(const store_writer::StoreWriter& store) {
    try {
        if (store.damage().empty() && store.meta()) {
            return View(store.site().real).suspended();
        }
    } catch (const store_writer::DamagedStore&) {
        // Nothing is held back of it either.
    }
    return {};
}

// Nothing can be held back of a store that cannot be read. How many tokens go, at least.
std::uint64_t require_few_lost(const store_writer::StoreWriter& old,
                               const store_writer::StoreWriter& fresh, const Brake& brake) {
    const std::uint64_t before = old.meta() ? old.meta()->contents.counts.tokens : 0;
    const std::uint64_t after = fresh.meta()->contents.counts.tokens;
    const std::uint64_t lost = before > after ? before - after : 0;
    if (brake.is_too_many(lost)) {
        throw base::Error(
            fmt::format("a new store would lack {} of the {} tokens in the store {}, which is "
                        "damaged; check the registry, and if that is meant, run \"tokensync run "
                        "--force\"; until then nothing is synced here, no revocation either",
                        lost, before, old.path()),
            base::ErrorKind::refused);
    }
    return lost;
}

}  // namespace

Rebuilt rebuild(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                Progress& progress, const std::string& identity, Brake& brake,
                const std::function<void()>& approve) {
    const store_writer::Site site = writer->site();
    store_writer::Replacement beside(site, writer->lock(), replacing_waits);
    auto fresh =
        std::make_unique<store_writer::StoreWriter>(beside.directory(), writer->generation());
    Rebuilt result;
    LeftOut left_out(*writer);
    {
        LoadBeside loaded(*fresh, *writer);
        progress.start(source.token_count());
        RecordsTo<LoadBeside> sink(loaded, &progress, &left_out, {}, true, suspended_in(*writer));
        store_writer::Meta meta;
        meta.position = source.all(sink);
        meta.source = identity;
        sink.finish();
        loaded.finish(meta, sink.numbers());
        approve();
        result.written = loaded.records();
        if (RemovedRecords* const removed = loaded.removed()) {
            result.erased = removed->records();
            if (brake.is_due(removed->tokens(), removed->held())) {
                result.held =
                    Keeper(*writer, *fresh, brake).keep(*removed, sink.suspended_and_gone());
            }
        } else {
            result.erased = require_few_lost(*writer, *fresh, brake);
        }
    }
    result.left_out = left_out.newly();
    fresh->read_into_memory();
    fresh->take_place_of(*writer, beside);
    writer = std::move(fresh);
    return result;
}

}  // namespace token_auth::tokensync
