#include "tokensync/view.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

#include "store_writer/error.hpp"

namespace token_auth::tokensync {

View::View(const std::string& path) : path_(path), buffer_(std::size_t{256} * 1024) {
    if (!store_.open(path_.c_str())) {
        fail();
    }
}

void View::fail() const {
    const std::string_view problem = store_.problem();
    const std::size_t end = std::min(problem.rfind("; "), problem.size());
    const std::string_view remedy = problem.substr(std::min(end + 2, problem.size()));
    throw store_writer::DamagedStore(fmt::format("the store {}: {}", path_, problem.substr(0, end)),
                                     remedy);
}

std::uint64_t disk_bytes(const std::string& path) {
    struct stat file {};
    return stat((path + "/data.mdb").c_str(), &file) == 0
               ? static_cast<std::uint64_t>(file.st_blocks) * 512
               : 0;
}

const StoreMeta& View::meta() {
    if (store_.read([](Snapshot&) { return Found::found; }) == Lookup::broken) {
        fail();
    }
    return store_.meta();
}

StoreSize View::size() {
    StoreSize size;
    if (store_.read([&](Snapshot& snapshot) { return snapshot.size(size); }) == Lookup::broken) {
        fail();
    }
    return size;
}

void View::rewind(std::uint64_t from) {
    run_ = {};
    run_.next = from;
    left_ = 0;
}

store_writer::Numbers View::numbers() {
    store_writer::Numbers numbers;
    numbers.set_keys(meta().keys);
    rewind(first_role_key);
    std::uint64_t key = 0;
    RoleEntry role;
    for (std::string_view value; next(key, value) && key < meta_record_key;) {
        if (decode(value, role)) {
            numbers.add_role(std::string(role.name),
                             static_cast<std::uint16_t>(key - first_role_key));
        }
    }
    return numbers;
}

std::set<std::string> View::suspended() {
    std::set<std::string> organizations;
    rewind(first_suspension_key);
    std::uint64_t key = 0;
    for (std::string_view value; next(key, value) && key < first_note_key;) {
        std::uint32_t count = 0;
        std::string_view rest;
        if (token_auth::suspensions(value, count, rest)) {
            for (std::string_view id; count != 0 && next_suspension(rest, id); --count) {
                organizations.emplace(id);
            }
        }
    }
    return organizations;
}

bool View::next(std::uint64_t& key, std::string_view& value) {
    while (left_ == 0) {
        if (run_.at_end) {
            return false;
        }
        if (run_.missing > buffer_.size()) {
            buffer_.resize(run_.missing);
        }
        const std::uint64_t from = run_.next;
        const Lookup read = store_.read([&](Snapshot& snapshot) {
            return snapshot.run(from, buffer_.data(), buffer_.size(), run_);
        });
        if (read == Lookup::broken) {
            fail();
        }
        rest_ = {buffer_.data(), buffer_.size()};
        left_ = run_.count;
    }
    --left_;
    return next_record(rest_, key, value);
}

}  // namespace token_auth::tokensync
