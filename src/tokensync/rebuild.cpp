#include "tokensync/rebuild.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "store_writer/sorted_diff.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/record_sink.hpp"

namespace token_auth::tokensync {
namespace {

// How long to wait for another tokensync that replaces the store.
constexpr std::chrono::seconds replacing_waits{5};

// Compares the old store with the records of the new one, and counts those that are not in it.
class RemovedRecords : private store_writer::Differences {
  public:
    explicit RemovedRecords(const store_writer::StoreWriter& old)
        : transaction_(store_writer::begin_reading(old.environment(), old.path())),
          diff_(store_writer::RecordCursor(transaction_.get(), old.path()), *this) {}

    void put(std::string_view key, std::string_view value) { diff_.put(key, value); }
    void finish() { diff_.finish(); }

    std::uint64_t records() const noexcept { return records_; }
    std::uint64_t tokens() const noexcept { return tokens_; }

  private:
    void extra(std::string_view key, std::string_view /*found*/) override {
        ++records_;
        tokens_ += is_token_key(key) ? 1 : 0;
    }

    store_writer::TransactionHandle transaction_;
    store_writer::SortedDiff diff_;
    std::uint64_t records_ = 0;
    std::uint64_t tokens_ = 0;
};

// The new store is loaded; the old one is compared with it for as long as it can be read.
class LoadBeside {
  public:
    LoadBeside(store_writer::StoreWriter& fresh, const store_writer::StoreWriter& old)
        : load_(fresh), old_(old) {
        comparing_ = old.damage().empty() && old.meta();
        compare([&] { removed_ = std::make_unique<RemovedRecords>(old_); });
    }

    void put(std::string_view key, std::string_view value) {
        load_.put(key, value);
        compare([&] { removed_->put(key, value); });
    }

    void finish(const std::string& identity, const std::string& position) {
        compare([&] { removed_->finish(); });
        load_.finish(identity, position);
    }

    Rebuilt result(const store_writer::StoreWriter& fresh) const {
        Rebuilt result;
        result.written = load_.records();
        if (removed_) {
            result.erased = removed_->records();
            result.tokens_erased = removed_->tokens();
        } else if (old_.meta()) {
            // At least so many.
            const std::uint64_t before = old_.meta()->counts.tokens;
            const std::uint64_t after = fresh.meta()->counts.tokens;
            result.tokens_erased = before > after ? before - after : 0;
            result.erased = result.tokens_erased;
        }
        return result;
    }

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

}  // namespace

Rebuilt rebuild(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                Progress& progress, const std::string& identity,
                const std::function<void(const Rebuilt&)>& approve) {
    const store_writer::Site site = writer->site();
    store_writer::Replacement beside(site, replacing_waits);
    auto fresh =
        std::make_unique<store_writer::StoreWriter>(beside.take_directory(), writer->generation());
    Rebuilt result;
    {
        LoadBeside loaded(*fresh, *writer);
        progress.start(source.token_count());
        RecordSink<LoadBeside> sink(loaded, &progress);
        const std::string position = source.all(sink);
        loaded.finish(identity, position);
        result = loaded.result(*fresh);
    }
    approve(result);
    store_writer::sync_directory(fresh->site().real);
    beside.take_place();
    fresh->moved(site);
    writer = std::move(fresh);
    return result;
}

}  // namespace token_auth::tokensync
