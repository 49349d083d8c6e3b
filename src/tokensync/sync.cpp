#include "tokensync/sync.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/merge.hpp"
#include "store_writer/replacement.hpp"
#include "tokensync/rebuild.hpp"
#include "tokensync/record_sink.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::uint64_t few_tokens = 100;  // of which any number may go at once

// Records that a full load writes in place, in one transaction: each may cost a page of memory.
// If more differ, it makes a new store.
constexpr std::uint64_t merged_max = 20'000;

// Changes that are applied one by one, if they are no large part of the store either: reading
// everything is faster then, by far.
constexpr std::uint64_t changes_max = 100'000;
constexpr std::uint64_t changes_part = 8;

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
        } else if (!meta) {
            load(outcome);
        } else {
            update(outcome, other);
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
            } else if (options_.full || !incremental(outcome)) {
                merge(outcome, merged_max);
            }
        } catch (const store_writer::TooManyChanges&) {
            replace(outcome);
        } catch (const store_writer::DamagedStore& error) {
            outcome.damage = error.problem();
            replace(outcome);
        }
    }

    // False if the store's position is not in the log.
    bool incremental(Outcome& outcome) {
        store_writer::ChangeSet changes(most_changes());
        RecordSink<store_writer::ChangeSet> sink(changes, nullptr);
        const std::string before = writer_->meta()->position;
        const std::optional<std::string> position = source_.changes(before, sink);
        if (!position) {
            return false;
        }
        if (*position == before && !options_.commit_unchanged) {
            return true;
        }
        try {
            note(outcome, writer_->commit(changes, at(*position), false,
                                          [&](const store_writer::Tally& tally) {
                                              require_few_removed(tally.tokens_erased);
                                          }));
        } catch (const store_writer::DamagedRecord&) {
            return false;
        }
        return true;
    }

    store_writer::Meta at(const std::string& position) const {
        store_writer::Meta meta;
        meta.source = identity_;
        meta.position = position;
        return meta;
    }

    std::uint64_t most_changes() const {
        const Counts& counts = writer_->meta()->counts;
        return std::max(changes_max,
                        (counts.tokens + counts.users + counts.memberships) / changes_part);
    }

    void merge(Outcome& outcome, std::uint64_t most) {
        outcome.full = true;
        progress_.start(source_.token_count());
        store_writer::Merge merge(*writer_, most);
        RecordSink<store_writer::Merge> sink(merge, &progress_);
        const std::string position = source_.all(sink);
        merge.finish();
        require_same_source();
        require_few_removed(merge.tokens_erased());
        merge.meta().source = identity_;
        merge.meta().position = position;
        note(outcome, writer_->commit(merge.changes(), merge.meta(), true));
    }

    void replace(Outcome& outcome) {
        outcome.full = true;
        try {
            const Rebuilt done =
                rebuild(source_, writer_, progress_, identity_, [this](const Rebuilt& rebuilt) {
                    require_same_source();
                    require_few_removed(rebuilt.tokens_erased);
                });
            outcome.rebuilt = true;
            outcome.committed = true;
            outcome.written = done.written;
            outcome.erased = done.erased;
        } catch (const store_writer::NotReplaceable& error) {
            if (!outcome.damage.empty()) {
                throw store_writer::StoreError(fmt::format(
                    "{}; stop nginx or let it answer 503 for the while, remove the directory and "
                    "run \"tokensync run\": a new one cannot be put in its place, for {}",
                    outcome.damage, error.what()));
            }
            // It takes more memory, but no second directory.
            merge(outcome, std::numeric_limits<std::uint64_t>::max());
        }
    }

    void load(Outcome& outcome) {
        outcome.full = true;
        progress_.start(source_.token_count());
        store_writer::BulkLoader loaded(*writer_);
        RecordSink<store_writer::BulkLoader> sink(loaded, &progress_);
        const std::string position = source_.all(sink);
        require_same_source();
        loaded.finish(identity_, position);
        outcome.committed = true;
        outcome.written = loaded.records();
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

    void require_few_removed(std::uint64_t removed) const {
        const std::uint64_t before = writer_->meta() ? writer_->meta()->counts.tokens : 0;
        if (!options_.force && before > few_tokens && removed > before / 2) {
            throw base::Error(
                fmt::format("this would remove {} of the {} tokens in the store {}; check {}, "
                            "and if that is meant, run \"tokensync run --force\"; until then "
                            "nothing is synced here, no revocation either",
                            removed, before, writer_->path(), source_.title()),
                base::ErrorKind::refused);
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
