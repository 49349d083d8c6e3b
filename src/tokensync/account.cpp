#include "tokensync/account.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "store_writer/error.hpp"
#include "tokensync/supervise.hpp"

namespace token_auth::tokensync {
namespace {

constexpr int links_max = 40;  // as the system's own limit

bool is_writable_by_others(const struct stat& info) {
    return (info.st_mode & S_IWOTH) != 0 || ((info.st_mode & S_IWGRP) != 0 && info.st_gid != 0);
}

struct Step {
    std::string shown;
    struct stat info {};
};

// The directories and links that a path leads through. Each is looked at by the descriptor of the
// one before: what was looked at cannot be exchanged for another one unseen.
class Way {
  public:
    explicit Way(const std::string& path) : path_(path), left_(parts_of(absolute(path))) {
        start();
        while (!left_.empty() && go()) {
        }
        if (fstat(at_.get(), &owner_) != 0) {
            fail(errno);
        }
    }

    const std::vector<Step>& steps() const noexcept { return steps_; }
    // The store's directory, or the one above if there is none yet.
    const struct stat& owner() const noexcept { return owner_; }

    bool leads_to_store() const noexcept { return left_.empty(); }

    // Makes the store's directory if there is none and others might, as a link to elsewhere.
    void make_root_directory() const {
        if (!left_.empty() && is_writable_by_others(owner_) &&
            mkdirat(at_.get(), left_.front().c_str(), 0700) != 0) {
            fail(errno);
        }
    }

  private:
    using Parts = std::deque<std::string>;

    static std::filesystem::path absolute(const std::string& path) {
        std::error_code error;
        return std::filesystem::absolute(path, error);
    }

    static Parts parts_of(const std::filesystem::path& path) {
        Parts parts;
        for (const auto& part : path) {
            if (!part.empty() && part != "." && part != "/") {
                parts.push_back(part.string());
            }
        }
        return parts;
    }

    void start() {
        at_ = base::FileDescriptor(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        struct stat info {};
        if (!at_.is_open() || fstat(at_.get(), &info) != 0) {
            fail(errno);
        }
        shown_ = "/";
        steps_.push_back({shown_.string(), info});
    }

    // One part further; false if there is nothing of that name where the store is to be.
    bool go() {
        const std::string name = left_.front();
        base::FileDescriptor next(openat(at_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat info {};
        if (!next.is_open() && errno == ENOENT && left_.size() == 1) {
            return false;
        }
        if (!next.is_open() || fstat(next.get(), &info) != 0) {
            fail(errno);
        }
        left_.pop_front();
        steps_.push_back({(shown_ / name).string(), info});
        if (S_ISLNK(info.st_mode)) {
            follow(next);
        } else if (S_ISDIR(info.st_mode)) {
            shown_ /= name;
            at_ = std::move(next);
        } else {
            store_writer::fail_file("use as the store's directory", path_, ENOTDIR);
        }
        return true;
    }

    void follow(const base::FileDescriptor& link) {
        std::array<char, PATH_MAX> buffer{};
        const ssize_t size = readlinkat(link.get(), "", buffer.data(), buffer.size());
        if (size <= 0 || ++links_ > links_max) {
            fail(size <= 0 ? errno : ELOOP);
        }
        const std::filesystem::path target(
            std::string(buffer.data(), static_cast<std::size_t>(size)));
        const Parts parts = parts_of(target);
        left_.insert(left_.begin(), parts.begin(), parts.end());
        if (target.is_absolute()) {
            start();
        }
    }

    [[noreturn]] void fail(int error) const {
        store_writer::fail_file("make the store's directory", path_, error);
    }

    std::string path_;
    Parts left_;
    base::FileDescriptor at_;
    std::filesystem::path shown_;
    std::vector<Step> steps_;
    struct stat owner_ {};
    int links_ = 0;
};

[[noreturn]] void refuse(const Step& step, const std::string& store, const std::string& why) {
    throw base::Error(
        fmt::format("{}, on the way to the store {}, {}, who could lead root elsewhere; run "
                    "tokensync as the account that owns the store, or let root alone write there",
                    step.shown, store, why),
        base::ErrorKind::refused);
}

// Whoever may exchange a part of the way decides where the store is.
void require_safe(const Way& way, const std::string& store) {
    const uid_t owner = way.owner().st_uid;
    for (const Step& step : way.steps()) {
        if (step.info.st_uid != 0 && step.info.st_uid != owner) {
            refuse(step, store, fmt::format("belongs to another account ({})", step.info.st_uid));
        }
    }
    if (owner != 0) {
        return;  // whose rights are all that is needed
    }
    // In a sticky directory, others can exchange nothing of root's. The store's own gets its mode.
    for (const Step& step : way.steps()) {
        const bool is_store = way.leads_to_store() && &step == &way.steps().back();
        if (S_ISDIR(step.info.st_mode) && is_writable_by_others(step.info) &&
            (step.info.st_mode & S_ISVTX) == 0 && !is_store) {
            refuse(step, store, "can be written by others");
        }
    }
}

Way safe_way(const std::string& path) {
    Way way(path);
    require_safe(way, path);
    return way;
}

std::vector<gid_t> groups_of(const passwd* account, gid_t own, gid_t group) {
    std::vector<gid_t> groups(NGROUPS_MAX);
    int count = static_cast<int>(groups.size());
    if (account == nullptr || getgrouplist(account->pw_name, own, groups.data(), &count) < 0) {
        count = 0;
    }
    groups.resize(static_cast<std::size_t>(count));
    groups.push_back(group);
    return groups;
}

}  // namespace

uid_t store_owner(const store_writer::StoreOptions& options) {
    return safe_way(options.path).owner().st_uid;
}

void become_owner(const store_writer::StoreOptions& options) {
    if (geteuid() != 0) {
        return;
    }
    const Way way = safe_way(options.path);
    const struct stat& info = way.owner();
    if (info.st_uid == 0) {
        way.make_root_directory();
        return;
    }
    const gid_t group =
        options.group.empty() ? info.st_gid : store_writer::find_site(options).group;
    const passwd* const account = getpwuid(info.st_uid);
    const gid_t own = account == nullptr ? group : account->pw_gid;
    const std::vector<gid_t> groups = groups_of(account, own, group);
    if (setgroups(groups.size(), groups.data()) != 0 || setresgid(own, own, own) != 0 ||
        setresuid(info.st_uid, info.st_uid, info.st_uid) != 0) {
        throw base::Error(fmt::format(
            "cannot take on the account {} that owns the store {}: {}; run tokensync as that "
            "account",
            info.st_uid, options.path, std::strerror(errno)));
    }
    end_with_supervisor();
}

}  // namespace token_auth::tokensync
