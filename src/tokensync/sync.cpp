#include "tokensync/sync.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/error.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "tokensync/brake.hpp"
#include "tokensync/merge.hpp"
#include "tokensync/rebuild.hpp"
#include "tokensync/record_sink.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

// Records that a full load writes in place, in one transaction: each may cost a page of memory.
// If more differ, it makes a new store.
constexpr std::uint64_t merged_max = 20'000;

// Changes that are applied one by one, if they are no large part of the store either: reading
// everything is faster then, by far.
constexpr std::uint64_t changes_max = 100'000;
constexpr std::uint64_t changes_part = 8;

// Removals are to be asked about.
class BrakeDue : public std::runtime_error {
  public:
    explicit BrakeDue(store_writer::Removed removed)
        : std::runtime_error("removals are to be asked about"), removed_(std::move(removed)) {}
    const store_writer::Removed& removed() const noexcept { return removed_; }

  private:
    store_writer::Removed removed_;
};

class Run {
  public:
    Run(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
        const SyncOptions& options, Progress& progress)
        : source_(source),
          writer_(writer),
          options_(options),
          progress_(progress),
          identity_(source.identity()) {}

    Outcome go() {
        const auto begun = std::chrono::steady_clock::now();
        const std::optional<store_writer::Meta>& meta = writer_->meta();
        const bool other = meta && meta->source != identity_;
        if (other && !options_.force) {
            refuse_other();
        }
        Outcome outcome;
        if (!writer_->damage().empty()) {
            outcome.damage = writer_->damage();
            replace(outcome);
        } else if (options_.rebuild) {
            replace(outcome);
        } else if (!meta) {
            load(outcome);
        } else {
            update(outcome, other);
        }
        if (options_.review && writer_->meta()->contents.counts.held_back != 0) {
            review(outcome, {});
        }
        outcome.generation = writer_->meta()->generation;
        outcome.took = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now() - begun);
        return outcome;
    }

  private:
    [[noreturn]] void refuse_other() const {
        throw base::Error(
            fmt::format("the store {} is a copy of another registry ({}, not {}); check "
                        "--registry or --source, and --db, or take the store over with \"tokensync "
                        "run --force\"; nothing was changed",
                        writer_->path(), writer_->meta()->source, identity_),
            base::ErrorKind::refused);
    }

    // Of a store that holds something.
    void update(Outcome& outcome, bool other) {
        try {
            if (other) {
                replace(outcome);
            } else if (options_.full || lets_go() || !incremental(outcome)) {
                merge(outcome, merged_max);
            }
        } catch (const store_writer::TooManyChanges&) {
            replace(outcome);
        } catch (const store_writer::NoNumberLeft&) {
            replace(outcome);  // a new one gives all numbers anew
        } catch (const store_writer::DamagedStore& error) {
            outcome.damage = error.problem();
            replace(outcome);
        }
    }

    // Whether what is held back is to be removed: only a comparison finds it.
    bool lets_go() const {
        return options_.force && writer_->meta()->contents.counts.held_back != 0;
    }

    // False if the store's position is not in the log.
    bool incremental(Outcome& outcome) {
        store_writer::ChangeSet changes(most_changes());
        LeftOut left_out(*writer_);
        ChangeSink sink(changes, writer_->numbers(), left_out);
        const std::string before = writer_->meta()->position;
        const std::optional<std::string> position = source_.changes(before, sink);
        if (!position) {
            return false;
        }
        if (*position == before && !options_.commit_unchanged) {
            return true;
        }
        const store_writer::Numbers& numbers = sink.finish();
        try {
            HeldFilter touched = commit(outcome, changes, at(*position), numbers);
            touched.users = sink.users();
            touched.organizations = sink.organizations();
            outcome.left_out = left_out.newly();
            if (writer_->meta()->contents.counts.held_back != 0 && !touched.empty()) {
                review(outcome, touched);
            }
        } catch (const store_writer::DamagedRecord&) {
            return false;
        }
        return true;
    }

    // Tokens that are new, if others are held back: their ids may be those of others.
    HeldFilter commit(Outcome& outcome, const store_writer::ChangeSet& changes,
                      const store_writer::Meta& meta, const store_writer::Numbers& numbers) {
        Brake brake(source_, writer_->meta()->contents, options_.force);
        store_writer::Tally tally;
        try {
            tally = writer_->commit(changes, meta, numbers, nullptr, nullptr,
                                    [&](const store_writer::Tally& done) {
                                        if (brake.is_due(done.removed)) {
                                            throw BrakeDue(done.removed);
                                        }
                                    });
        } catch (const BrakeDue& due) {
            const store_writer::ChangeSet held = brake.held(due.removed());
            tally = writer_->commit(changes, meta, numbers, nullptr, &held);
        }
        note(outcome, tally);
        outcome.newly_held = brake.newly_held();
        return {tally.added, {}, {}};
    }

    void review(Outcome& outcome, const HeldFilter& filter) {
        outcome.committed = review_held(source_, *writer_, filter) || outcome.committed;
    }

    store_writer::Meta at(const std::string& position) const {
        store_writer::Meta meta;
        meta.source = identity_;
        meta.position = position;
        return meta;
    }

    std::uint64_t most_changes() const {
        return std::max(changes_max, writer_->meta()->contents.counts.tokens / changes_part);
    }

    void merge(Outcome& outcome, std::uint64_t most) {
        outcome.full = true;
        progress_.start(source_.token_count());
        View store(writer_->site().real);
        LeftOut left_out(*writer_);
        std::set<std::string> suspended = store.suspended();
        Merge merge(store, most);
        const store_writer::Numbers& numbers = writer_->numbers();
        RecordsTo<Merge> sink(merge, &progress_, &left_out, numbers,
                              numbers.is_full() && left_out.any(), std::move(suspended));
        const std::string position = source_.all(sink);
        sink.finish();
        merge.finish();
        require_same_source();
        Brake brake(source_, writer_->meta()->contents, options_.force);
        store_writer::Removed& removed = merge.removed();
        removed.suspended.assign(sink.suspended_and_gone().begin(),
                                 sink.suspended_and_gone().end());
        const store_writer::ChangeSet held =
            brake.is_due(removed) ? brake.held(removed) : store_writer::ChangeSet(0);
        note(outcome, writer_->commit(merge.changes(), at(position), sink.numbers(),
                                      &merge.contents(), &held));
        outcome.newly_held = brake.newly_held();
        outcome.left_out = left_out.newly();
    }

    void replace(Outcome& outcome) {
        outcome.full = true;
        try {
            Brake brake(source_, writer_->meta().value_or(store_writer::Meta{}).contents,
                        options_.force);
            const Rebuilt done = rebuild(source_, writer_, progress_, identity_, brake,
                                         [this] { require_same_source(); });
            outcome.rebuilt = true;
            outcome.committed = true;
            outcome.written = done.written;
            outcome.erased = done.erased;
            outcome.newly_held = done.held;
            outcome.left_out = done.left_out;
        } catch (const store_writer::NotReplaceable& error) {
            if (!outcome.damage.empty() || options_.rebuild) {
                throw store_writer::StoreError(
                    fmt::format("{}{}a new store cannot be put in its place: {}", outcome.damage,
                                outcome.damage.empty() ? "" : "; ", error.what()));
            }
            // It takes more memory, but no second directory.
            merge(outcome, std::numeric_limits<std::uint64_t>::max());
        }
    }

    void load(Outcome& outcome) {
        outcome.full = true;
        progress_.start(source_.token_count());
        store_writer::BulkLoader loaded(*writer_);
        LeftOut left_out(*writer_);
        RecordsTo<store_writer::BulkLoader> sink(loaded, &progress_, &left_out, {}, true, {});
        const std::string position = source_.all(sink);
        sink.finish();
        require_same_source();
        loaded.finish(at(position), sink.numbers());
        writer_->read_into_memory();
        outcome.committed = true;
        outcome.written = loaded.records();
        outcome.left_out = left_out.newly();
    }

    // Another registry may have been put in this one's place since it was asked who it is.
    void require_same_source() {
        if (source_.identity() != identity_) {
            throw base::Error(
                fmt::format("{} was exchanged for another one during the sync; run tokensync "
                            "again, nothing was changed",
                            source_.title()));
        }
    }

    static void note(Outcome& outcome, const store_writer::Tally& tally) {
        outcome.committed = true;
        outcome.written = tally.written;
        outcome.erased = tally.erased;
    }

    registry::Source& source_;
    std::unique_ptr<store_writer::StoreWriter>& writer_;
    const SyncOptions& options_;
    Progress& progress_;
    std::string identity_;
};

}  // namespace

Outcome synchronize(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                    const SyncOptions& options, Progress& progress) {
    Outcome outcome = Run(source, writer, options, progress).go();
    progress.finish();
    return outcome;
}

}  // namespace token_auth::tokensync
