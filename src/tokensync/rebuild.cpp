#include "tokensync/rebuild.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/record_sink.hpp"

namespace token_auth::tokensync {
namespace {

// How long to wait for another tokensync that replaces the store.
constexpr std::chrono::seconds replacing_waits{5};

// Walks the old store beside the records of the new one, and counts those that are not in it.
class Gone {
  public:
    explicit Gone(const store_writer::StoreWriter& old)
        : path_(old.path()),
          transaction_(store_writer::begin_reading(old.environment(), path_)),
          cursor_(store_writer::open_cursor(transaction_.get(), path_)) {
        step(MDB_FIRST);
    }

    void put(std::string_view key) {
        pass_until(key);
        if (!at_end_ && key_ == key) {
            step(MDB_NEXT);
        }
    }

    void finish() { pass_until({}); }

    std::uint64_t records() const noexcept { return records_; }
    std::uint64_t tokens() const noexcept { return tokens_; }

  private:
    void step(MDB_cursor_op operation) {
        MDB_val key{};
        MDB_val value{};
        const int error = store_writer::cursor_get(cursor_.get(), key, value, operation);
        at_end_ = error == MDB_NOTFOUND;
        if (error != MDB_SUCCESS && !at_end_) {
            store_writer::fail(path_, "read", error);
        }
        key_ = at_end_ ? std::string_view() : store_writer::to_view(key);
    }

    // Up to `key`, or to the end where it is empty.
    void pass_until(std::string_view key) {
        while (!at_end_ && (key.empty() || key_ < key)) {
            if (key_ != meta_key()) {
                ++records_;
                tokens_ += !key_.empty() && key_.front() == store_writer::tag_token ? 1 : 0;
            }
            step(MDB_NEXT);
        }
    }

    std::string path_;
    store_writer::TransactionHandle transaction_;
    store_writer::Cursor cursor_;
    bool at_end_ = false;
    std::string_view key_;
    std::uint64_t records_ = 0;
    std::uint64_t tokens_ = 0;
};

// The new store is loaded; the old one is compared with it for as long as it can be read.
class LoadBeside {
  public:
    LoadBeside(store_writer::StoreWriter& fresh, const store_writer::StoreWriter& old)
        : load_(fresh), old_(old) {
        comparing_ = old.damage().empty() && old.meta();
        compare([&] { gone_ = std::make_unique<Gone>(old_); });
    }

    void put(std::string_view key, std::string_view value) {
        load_.put(key, value);
        compare([&] { gone_->put(key); });
    }

    void finish(const std::string& identity, const std::string& position) {
        compare([&] { gone_->finish(); });
        load_.finish(identity, position);
    }

    Rebuilt result(const store_writer::StoreWriter& fresh) const {
        Rebuilt result;
        result.written = load_.records();
        if (gone_) {
            result.erased = gone_->records();
            result.tokens_erased = gone_->tokens();
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
            gone_.reset();
            comparing_ = false;
        }
    }

    store_writer::BulkLoader load_;
    const store_writer::StoreWriter& old_;
    std::unique_ptr<Gone> gone_;
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
