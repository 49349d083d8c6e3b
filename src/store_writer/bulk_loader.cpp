#include "store_writer/bulk_loader.hpp"

#include <cstring>
#include <stdexcept>

namespace token_auth::store_writer {
namespace {

// Bytes between two commits: what a load takes of memory, a few times over.
constexpr std::size_t batch_max = std::size_t{32} << 20;

void append_size(std::string& batch, std::size_t size) {
    const auto number = static_cast<std::uint32_t>(size);
    batch.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string_view take(std::string_view& batch, std::size_t size) {
    const std::string_view taken = batch.substr(0, size);
    batch.remove_prefix(size);
    return taken;
}

std::size_t take_size(std::string_view& batch) {
    std::uint32_t number = 0;
    std::memcpy(&number, take(batch, sizeof(number)).data(), sizeof(number));
    return number;
}

}  // namespace

BulkLoader::BulkLoader(StoreWriter& writer) : writer_(writer) {
    writer_.transact([&](MDB_txn* transaction) {
        MDB_val key = to_val(unfinished_key);
        MDB_val value = to_val(unfinished_value);
        require_written(mdb_drop(transaction, main_dbi, 0), writer_.path());
        require_written(mdb_put(transaction, main_dbi, &key, &value, 0), writer_.path());
    });
    batch_.reserve(batch_max + value_max + key_buffer_size);
}

void BulkLoader::put(std::string_view key, std::string_view value) {
    count(meta_, key, value, +1);
    append_size(batch_, key.size());
    append_size(batch_, value.size());
    batch_ += key;
    batch_ += value;
    ++records_;
    if (batch_.size() >= batch_max) {
        flush();
    }
}

void BulkLoader::flush() {
    writer_.transact([&](MDB_txn* transaction) {
        std::string_view rest = batch_;
        while (!rest.empty()) {
            const std::size_t key_size = take_size(rest);
            const std::size_t value_size = take_size(rest);
            MDB_val key = to_val(take(rest, key_size));
            MDB_val value = to_val(take(rest, value_size));
            const int error = mdb_put(transaction, main_dbi, &key, &value, MDB_APPEND);
            if (error == MDB_KEYEXIST) {
                throw std::runtime_error(
                    "the registry gave its records out of order: its database does not compare "
                    "text byte by byte; use a database with the collation C");
            }
            require_written(error, writer_.path());
        }
    });
    batch_.clear();
}

void BulkLoader::finish(const std::string& source, const std::string& position) {
    flush();
    meta_.source = source;
    meta_.position = position;
    writer_.transact([&](MDB_txn* transaction) {
        MDB_val key = to_val(unfinished_key);
        require_written(mdb_del(transaction, main_dbi, &key, nullptr), writer_.path());
        writer_.put_meta(transaction, meta_);
    });
    writer_.generation_ = meta_.generation;
    writer_.meta_ = std::move(meta_);
}

}  // namespace token_auth::store_writer
