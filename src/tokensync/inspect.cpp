#include "tokensync/inspect.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_descriptor.hpp"
#include "store/file_map.hpp"
#include "store/page_reader.hpp"
#include "store_writer/error.hpp"
#include "store_writer/meta.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

// empty and unmarked: a sound LMDB file, without any record or without a meta record.
enum class State { none, empty, unfinished, store, damaged, foreign, unmarked, format_1 };

bool exists(const std::string& file) {
    return access(file.c_str(), F_OK) == 0;
}

// By its first pages and its meta record.
State state_of(const std::string& file) {
    FileMap map;
    PageReader reader;
    if (!map.open(file.c_str())) {
        return errno == 0 || errno == ENOENT ? State::none : State::damaged;  // also if not ours
    }
    if (reader.open(map.data(), map.size()) != nullptr) {
        return State::damaged;
    }
    const Commit commit = reader.newest();
    if (commit.main.entries == 0) {
        return State::empty;
    }
    if (!reader.fits(commit)) {
        return State::damaged;
    }
    if ((commit.main.flags & tree_flags_known) != tree_integer_key) {
        return State::format_1;
    }
    std::string_view value;
    StoreMeta meta;
    const Found found = reader.find(commit.main, meta_record_key, value);
    if (found != Found::found) {
        return found == Found::absent ? State::unmarked : State::damaged;
    }
    switch (decode(std::string(value.substr(0, meta_record_max)), meta)) {
        case MetaState::whole:
            return State::store;
        case MetaState::unfinished:
            return State::unfinished;
        case MetaState::not_a_store:
            return State::foreign;
        case MetaState::other_format:
        case MetaState::damaged:
            break;
    }
    return State::damaged;
}

// Its lock file stays in the directory; one that works holds it.
void require_no_old_tokensync(const std::string& directory) {
    const base::FileDescriptor lock(
        open((directory + "/sync.lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (lock.is_open() && flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        throw store_writer::StoreError(fmt::format(
            "a tokensync of release 0.1 works on the store {}; stop it, and run this again to make "
            "a store of format 2",
            directory));
    }
}

// Why it cannot be read; empty if it can. With every record, if asked.
std::string problem_of(const std::string& directory, bool read_through) {
    if (access((directory + "/data.mdb").c_str(), R_OK | W_OK) != 0) {
        return fmt::format("cannot read and write {}/data.mdb: {}", directory,
                           std::strerror(errno));
    }
    try {
        View view(directory);
        const store_writer::Meta meta = store_writer::owned(view.meta());
        if (!read_through) {
            return {};
        }
        view.size();  // goes through the free pages
        store_writer::Contents contents;
        std::uint64_t key = 0;
        for (std::string_view value; view.next(key, value) && key != meta_record_key;) {
            contents.count(key, value, +1);
        }
        for (std::size_t i = 0; i < contents.keys.size(); ++i) {
            contents.keys[i].id = meta.contents.keys[i].id;
        }
        return contents == meta.contents
                   ? std::string()
                   : fmt::format(
                         "the store {} is damaged: it holds other records than its meta "
                         "record counts",
                         directory);
    } catch (const store_writer::DamagedStore& error) {
        return error.problem();
    } catch (const store_writer::DamagedRecord& error) {
        return fmt::format("the store {} is damaged: {}", directory, error.what());
    }
}

[[noreturn]] void refuse(const std::string& directory, const char* otherwise) {
    throw store_writer::StoreError(
        fmt::format("the directory {} holds the LMDB file of another program, or a damaged store "
                    "that is not known here; name an empty or a new directory with --db{}",
                    directory, otherwise));
}

}  // namespace

std::string inspect(const std::string& directory, const store_writer::Inspection& how) {
    const std::string file = directory + "/data.mdb";
    require_no_old_tokensync(directory);
    const State state = state_of(file);
    const bool known = how.known || exists(directory + "/sync.lock");
    if (state == State::foreign || (!known && (state == State::empty || state == State::unmarked ||
                                               state == State::format_1))) {
        refuse(directory, "");
    }
    if (state == State::damaged && !known && !how.rebuild) {
        refuse(directory, ", or run \"tokensync run --rebuild\" if it was this store");
    }
    switch (state) {
        case State::none:
        case State::empty:
        case State::unfinished:
            unlink(file.c_str());
            return {};
        case State::format_1:
            return fmt::format("the store {} is of format 1, made by tokensync 0.1", directory);
        default:
            return problem_of(directory, how.read_through);
    }
}

}  // namespace token_auth::tokensync
