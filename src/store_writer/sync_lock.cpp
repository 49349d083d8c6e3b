#include "store_writer/sync_lock.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <thread>

#include "store_writer/error.hpp"
#include "store_writer/file.hpp"
#include "store_writer/file_users.hpp"
#include "store_writer/meta.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::chrono::milliseconds between_attempts{20};
// For somebody who looks whether it is held at all.
constexpr std::chrono::milliseconds hold_waits_least{100};
// At the end, for those that hold commits off: the mark may stay.
constexpr std::chrono::milliseconds end_waits{1000};
constexpr std::string_view head = "tokensync 1 ";  // then the generation, and who works
constexpr std::string_view working = " working\n";
constexpr std::string_view idle = " idle   \n";
constexpr std::string_view spoiled = " spoiled\n";
constexpr std::size_t content_max = 64;

// Bytes of the file that are locked; what stands there does not matter.
constexpr off_t commit_part = 0;
constexpr off_t replace_part = 1;

bool is_same_file(int one, int other) {
    struct stat first {};
    struct stat second {};
    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

struct flock part(off_t begin, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = begin;
    lock.l_len = 1;
    return lock;
}

}  // namespace

SyncLock::SyncLock(const Site& site) : store_(site.path), path_(site.real + ".sync") {
    open_file();
    read();
}

// One in which nothing was written is of no use to anybody.
SyncLock::~SyncLock() {
    if (held_ && !known_ && !at_work_ && is_in_place()) {
        unlink(path_.c_str());
    }
}

void SyncLock::open_file() {
    file_ = base::FileDescriptor(
        open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    const int error = file_.is_open() ? 0 : errno;
    struct stat info {};
    const bool there =
        (file_.is_open() ? fstat(file_.get(), &info) : lstat(path_.c_str(), &info)) == 0;
    if (there) {
        require_own(info);
    }
    if (error == ENOENT) {
        fail_file("make the store's directory", store_, ENOENT);
    }
    if (error != 0) {
        fail_file("open tokensync's lock file", path_, error,
                  error != EACCES ? remedy(error)
                  : there         ? "give it the mode 0600 again (chmod 600)"
                                  : "put the store into a directory of tokensync's own (see "
                                    "docs/TOKENSYNC.md)");
    }
    if ((info.st_mode & 07777) != 0600 && fchmod(file_.get(), 0600) != 0) {
        fail_file("set the mode of", path_, errno);
    }
}

// Another account could hold its lock or change what it says, and under another name it may be a
// file that is not meant to be written.
void SyncLock::require_own(const struct stat& info) const {
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
        throw StoreError(fmt::format("tokensync's lock file {} is {}; move it away", path_,
                                     S_ISDIR(info.st_mode)   ? "a directory"
                                     : S_ISREG(info.st_mode) ? "a file that has another name, too"
                                                             : "not a regular file"));
    }
    if (info.st_uid != geteuid()) {
        throw StoreError(
            fmt::format("tokensync's lock file {0} belongs to another account (user {1}, not {2}); "
                        "run tokensync as that account, or give the store to this one "
                        "(chown -R {2} {3} {0})",
                        path_, info.st_uid, geteuid(), store_));
    }
}

void SyncLock::hold(std::chrono::milliseconds wait) {
    const auto deadline = std::chrono::steady_clock::now() + std::max(wait, hold_waits_least);
    for (;;) {
        if (flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
            if (is_in_place()) {
                held_ = true;
                break;
            }
            open_file();  // another one took its place before it was locked
            continue;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            fail_file("lock", path_, errno);
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw StoreError(
                fmt::format("another tokensync is writing the store {}; wait until it is done, or "
                            "stop it (a running \"tokensync watch\" keeps the store up to date)",
                            store_));
        }
        std::this_thread::sleep_for(between_attempts);
    }
    read();  // what the one before left
}

// What cannot be read says nothing of generations, and that somebody may have been at work.
void SyncLock::read() {
    std::array<char, content_max> buffer{};
    const ssize_t size = pread(file_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
        fail_file("read", path_, errno);
    }
    std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    std::uint64_t generation = 0;
    at_work_ = !text.empty();
    if (!text.starts_with(head)) {
        return;
    }
    text.remove_prefix(head.size());
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), generation);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (parsed.ec == std::errc() && generation <= generation_of_clock_max &&
        (text == working || text == idle || text == spoiled)) {
        generation_ = std::max(generation_, generation);
        known_ = true;
        at_work_ = text != idle;
        spoiled_ = text == spoiled;
    }
}

void SyncLock::write() const {
    const std::string text = fmt::format("{}{:020}{}", head, generation_,
                                         spoiled_   ? spoiled
                                         : at_work_ ? working
                                                    : idle);
    if (pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        ftruncate(file_.get(), static_cast<off_t>(text.size())) != 0) {
        fail_file("write", path_, errno);
    }
}

void SyncLock::raise_generation(std::uint64_t generation) {
    read();  // "tokensync compact" may have written it
    if (generation > generation_) {
        generation_ = generation;
        write();
    }
}

void SyncLock::set_spoiled(bool spoiled) {
    read();
    spoiled_ = spoiled;
    write();
}

void SyncLock::set_at_work(bool at_work) {
    const Held held = at_work ? commit() : commit(end_waits);
    read();
    at_work_ = at_work;
    known_ = true;
    write();
    if (at_work && fdatasync(file_.get()) != 0) {
        fail_file("write", path_, errno);
    }
}

bool SyncLock::is_in_place() const noexcept {
    struct stat open_one {};
    struct stat named {};
    return fstat(file_.get(), &open_one) == 0 && lstat(path_.c_str(), &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

SyncLock::Held SyncLock::commit(std::chrono::milliseconds wait) const {
    Held held = lock_part(commit_part, wait);
    if (!held.is_held()) {
        throw StoreError(fmt::format(
            "another tokensync{} keeps the store {} from being written, for more than {} s by now; "
            "let it go on (kill -CONT), or end it",
            users_of_file(file_.get()), store_,
            std::chrono::duration_cast<std::chrono::seconds>(wait).count()));
    }
    require_in_place();
    return held;
}

void SyncLock::require_in_place() const {
    if (!is_in_place()) {
        throw StoreError(fmt::format(
            "tokensync's lock file {} was removed or exchanged; leave it alone while tokensync "
            "runs",
            path_));
    }
}

SyncLock::Held SyncLock::replace(std::chrono::milliseconds wait) const {
    return lock_part(replace_part, wait);
}

SyncLock::Held SyncLock::lock_part(off_t begin, std::chrono::milliseconds wait) const {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    for (;;) {
        struct flock lock = part(begin, F_WRLCK);
        if (fcntl(file_.get(), F_OFD_SETLK, &lock) == 0) {
            return {file_.get(), begin};
        }
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            fail_file("lock", path_, errno);
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return {};
        }
        std::this_thread::sleep_for(between_attempts);
    }
}

void SyncLock::hold_data(const std::string& file) {
    base::FileDescriptor data(open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!data.is_open() || is_same_file(data.get(), data_.get())) {
        return;  // what is wrong with it is for those to say who need it
    }
    struct flock lock = part(0, F_WRLCK);
    if (fcntl(data.get(), F_OFD_SETLK, &lock) != 0) {
        require_no_writer(data.get());
    }
    data_ = std::move(data);
}

// Whoever can read a file can lock it for reading, nginx too: only what writes it counts.
void SyncLock::require_no_writer(int data) const {
    struct flock lock = part(0, F_WRLCK);
    if (fcntl(data, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK) {
        throw StoreError(fmt::format(
            "another tokensync{} is writing the store {} under another path, such as another mount "
            "of its directory; stop one of them",
            users_of_file(data), store_));
    }
}

void SyncLock::require_no_other_path(const std::string& file) const {
    const base::FileDescriptor data(
        open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (data.is_open() && flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
        // Nobody has it under this path.
        require_no_writer(data.get());
        flock(file_.get(), LOCK_UN);
    }
}

SyncLock::Held::~Held() {
    if (file_ >= 0) {
        struct flock lock = part(part_, F_UNLCK);
        fcntl(file_, F_OFD_SETLK, &lock);
    }
}

}  // namespace token_auth::store_writer
