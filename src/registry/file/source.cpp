#include "registry/file/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/file_watch.hpp"
#include "base/redact.hpp"
#include "registry/validate.hpp"
#include "token_auth/file_remedy.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

// Editors, git and shells write a file in several steps: it counts as written when there was no
// step for this long.
constexpr std::chrono::milliseconds quiet_time{100};
constexpr std::chrono::seconds quiet_limit{2};
// Without events (a network file system, a link on the way to the file that now leads elsewhere) a
// change is seen this late at most.
constexpr std::chrono::milliseconds poll_interval{250};

constexpr std::string_view identity_prefix = "file-";
constexpr std::size_t identity_hash = 32;  // hex digits

std::string sha256_hex(std::string_view text) {
    Digest digest{};
    std::size_t size = digest.size();
    if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), digest.data(), &size) !=
        1) {
        throw base::Error("libcrypto has no SHA-256; check the installation of OpenSSL");
    }
    return to_hex(digest);
}

// "--source", if little else is left to show.
std::string shown_path(const std::string& path) {
    std::string shown = base::redacted_path(path);
    return shown == path ? shown : "--source " + shown;
}

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileSource::FileSource(std::string path)
    : path_(std::move(path)), shown_(shown_path(path_)), watch_(path_) {
    if (path_.empty()) {
        throw base::Error("--source is empty: name a JSON Lines file",
                          base::ErrorKind::invalid_argument);
    }
}

std::string FileSource::title() const {
    return "the file " + shown_;
}

std::string FileSource::identity() {
    if (!stamp_) {
        refresh();
    }
    const std::string name = std::filesystem::path(path_).filename().string();
    std::string identity = std::string(identity_prefix) + name;
    if (!is_identifier(identity)) {
        identity = std::string(identity_prefix) + sha256_hex(name).substr(0, identity_hash);
    }
    return identity;
}

std::uint64_t FileSource::token_count() {
    return content().token_count();
}

std::optional<std::string> FileSource::changes(const std::string& position, Sink&) {
    refresh();
    if (position != position_) {
        return std::nullopt;
    }
    return position_;
}

std::string FileSource::all(Sink& sink) {
    content().give(sink);
    return position_;
}

void FileSource::wait(std::chrono::milliseconds timeout) {
    content_.reset();
    const auto deadline = Clock::now() + timeout;
    while (look() == stamp_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0 ||
            watch_.wait(std::min(left, poll_interval), stop_fd()) == base::Woken::stopped) {
            return;
        }
    }
}

const FileContent& FileSource::content() {
    refresh();
    if (!content_) {
        stamp_.reset();
        position_.clear();
        refresh();
    }
    return *content_;
}

void FileSource::refresh() {
    const auto deadline = Clock::now() + quiet_limit;
    Stamp stamp = present();
    while (stamp_ != stamp) {
        stamp = wait_until_quiet(stamp, deadline);
        if (auto text = read(stamp)) {
            take(std::move(*text));
            stamp_ = stamp;
        } else {
            require_quiet(deadline);
            stamp = present();
        }
    }
    if (!problem_.empty()) {
        throw base::Error(problem_);
    }
}

FileSource::Stamp FileSource::stamp_of(const struct stat& info) {
    return {info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim),
            nanoseconds(info.st_ctim)};
}

// Empty if there is no regular file at the path.
std::optional<FileSource::Stamp> FileSource::look() const {
    struct stat info {};
    if (stat(path_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return std::nullopt;
    }
    return stamp_of(info);
}

FileSource::Stamp FileSource::present() const {
    struct stat info {};
    int error = stat(path_.c_str(), &info) != 0 ? errno : 0;
    if (error == ENOENT && stamp_) {
        // Some editors take the old file away before they write the new one.
        std::this_thread::sleep_for(quiet_time);
        error = stat(path_.c_str(), &info) != 0 ? errno : 0;
    }
    if (error == ENOENT) {
        fail("there is no such file; name a JSON Lines file, such as `tokenctl export` writes");
    }
    if (error != 0) {
        fail_system(error);
    }
    if (!S_ISREG(info.st_mode)) {
        fail("is not a regular file; name a JSON Lines file");
    }
    return stamp_of(info);
}

// Waits until the file has been as it is for quiet_time.
FileSource::Stamp FileSource::wait_until_quiet(Stamp stamp, Clock::time_point deadline) const {
    for (;;) {
        timespec now{};
        clock_gettime(CLOCK_REALTIME, &now);
        const std::chrono::nanoseconds quiet(nanoseconds(now) - stamp.modified);
        if (quiet >= quiet_time) {
            return stamp;
        }
        // A file from the future is one of another clock: that it stays as it is must do.
        std::this_thread::sleep_for(quiet.count() < 0 ? quiet_time : quiet_time - quiet);
        const Stamp after = present();
        if (after == stamp) {
            return stamp;
        }
        stamp = after;
        require_quiet(deadline);
    }
}

void FileSource::require_quiet(Clock::time_point deadline) const {
    if (Clock::now() >= deadline) {
        fail("is being written to all the time; write to another file beside it and rename that");
    }
}

// Empty if the file was not, from beginning to end, what `stamp` says.
std::optional<std::string> FileSource::read(const Stamp& stamp) const {
    // Not to wait for the writer of a pipe.
    const base::FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail_system(errno);
    }
    struct stat info {};
    if (fstat(file.get(), &info) != 0) {
        fail_system(errno);
    }
    if (stamp_of(info) != stamp) {
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(stamp.size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t size = ::read(file.get(), text.data() + done, text.size() - done);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            fail_system(errno);
        }
        if (size == 0) {
            return std::nullopt;
        }
        done += static_cast<std::size_t>(size);
    }
    if (look() != stamp) {
        return std::nullopt;
    }
    return text;
}

void FileSource::take(std::string text) {
    std::string position = "file:" + sha256_hex(text);
    if (position == position_) {
        return;
    }
    position_ = std::move(position);
    problem_.clear();
    content_.reset();
    std::istringstream input(std::move(text));
    try {
        content_.emplace(input, shown_);
    } catch (const base::Error& error) {
        problem_ = error.what();
    }
}

void FileSource::fail(const std::string& text) const {
    throw base::Error(fmt::format("{}: {}", shown_, text));
}

void FileSource::fail_system(int error) const {
    fail(fmt::format("cannot be read: {}; {}", std::strerror(error),
                     error == EACCES ? "run as an account that may read it"
                                     : file_remedy(error, "check the file")));
}

}  // namespace token_auth::registry
