#include "store_writer/directory.hpp"

#include <dirent.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "store_writer/error.hpp"

namespace token_auth::store_writer {
namespace {

constexpr mode_t directory_mode = 02750;
constexpr mode_t data_mode = 0640;
constexpr mode_t mode_bits = 07777;

gid_t group_of_name(const std::string& name) {
    errno = 0;
    if (const struct group* entry = getgrnam(name.c_str()); entry != nullptr) {
        return entry->gr_gid;
    }
    gid_t number = 0;  // in a container, groups often have no name
    const char* const end = name.data() + name.size();
    const auto [read, problem] = std::from_chars(name.data(), end, number);
    if (problem == std::errc() && read == end && number != static_cast<gid_t>(-1)) {
        return number;
    }
    throw base::Error(
        fmt::format("there is no group \"{}\" on this host; name nginx's own with --group, such as "
                    "www-data or nginx, or give its number",
                    name),
        base::ErrorKind::invalid_argument);
}

std::string group_name(gid_t id) {
    const struct group* entry = getgrgid(id);
    return entry == nullptr ? std::to_string(id) : entry->gr_name;
}

struct DirectoryCloser {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};

// Run by root, what is behind a link would be overwritten and given to the directory's owner.
void require_plain(const std::string& path, const char* name) {
    struct stat info {};
    const std::string file = path + '/' + name;
    if (lstat(file.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        throw StoreError(fmt::format("{} is not a regular file; move it away", file));
    }
}

// A file that a store consists of, or did in an earlier release. A directory of such a name would
// stay if the store is removed.
bool is_store_file(const std::string& path, std::string_view name) {
    struct stat info {};
    return (name == "data.mdb" || name == "lock.mdb" || name == "sync.lock") &&
           (lstat(fmt::format("{}/{}", path, name).c_str(), &info) != 0 || !S_ISDIR(info.st_mode));
}

// Calls `each` with the names of what the directory holds.
template <typename Each>
void list(const std::string& path, Each each) {
    const std::unique_ptr<DIR, DirectoryCloser> directory(opendir(path.c_str()));
    if (!directory) {
        fail_file("read the directory", path, errno);
    }
    while (const dirent* entry = readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            each(name);
        }
    }
}

}  // namespace

std::string stranger_in(const std::string& path) {
    std::string stranger;
    list(path, [&](std::string_view name) {
        if (!is_store_file(path, name)) {
            stranger = name;
        }
    });
    return stranger;
}

void require_no_stranger(const std::string& path) {
    require_plain(path, "data.mdb");
    const std::string stranger = stranger_in(path);
    struct stat info {};
    if (!stranger.empty() && lstat((path + "/data.mdb").c_str(), &info) != 0) {
        throw StoreError(fmt::format(
            "the directory {} holds \"{}\" and no token store; name an empty or a new directory "
            "with --db",
            path, stranger));
    }
}

Site find_site(const StoreOptions& options) {
    Site site;
    site.path = options.path;
    site.real = resolved(options.path);
    struct stat info {};
    if (stat(site.real.c_str(), &info) == 0) {
        if (!S_ISDIR(info.st_mode)) {
            fail_file("use as the store's directory", site.path, ENOTDIR);
        }
        site.there = true;
        site.device = info.st_dev;
        site.inode = info.st_ino;
        site.owner = info.st_uid;
        site.group = info.st_gid;
    }
    if (!options.group.empty()) {
        site.group = group_of_name(options.group);
    }
    return site;
}

Directory::Directory(const StoreOptions& options) : site_(find_site(options)) {
    if (!site_.there) {
        if (mkdir(site_.real.c_str(), 0700) != 0 && errno != EEXIST) {
            fail_file("make the store's directory", site_.path, errno);
        }
        site_ = find_site(options);
    }
    if (geteuid() == 0 && site_.owner != 0) {
        throw StoreError(
            fmt::format("the store's directory {} belongs to another account than a moment ago; "
                        "run tokensync again",
                        site_.path));
    }
    require_no_stranger(site_.real);
}

void Directory::set_group_and_mode(const std::string& file, mode_t mode) const {
    struct stat info {};
    if (lstat(file.c_str(), &info) != 0) {
        fail_file("find", file, errno, "run \"tokensync run\" again");
    }
    if (info.st_gid != site_.group) {
        if (lchown(file.c_str(), static_cast<uid_t>(-1), site_.group) != 0) {
            const int error = errno;
            throw StoreError(fmt::format(
                "cannot give {} to the group {}: {}; run tokensync as root once, or as an account "
                "that is in that group",
                file, group_name(site_.group), std::strerror(error)));
        }
        info.st_mode = 0;  // chown clears the set-group-id bit
    }
    if ((info.st_mode & mode_bits) != mode) {
        if (chmod(file.c_str(), mode) != 0) {
            fail_file("set the mode of", file, errno);
        }
        // For an account outside the group the system drops that bit without a word.
        if (stat(file.c_str(), &info) == 0 && (info.st_mode & mode_bits) != mode) {
            fail_file("set the group's bit on", file, EPERM,
                      "run tokensync as root once, or as an account that is in that group");
        }
    }
}

void Directory::set_groups_and_modes() {
    for (const char* name : {"/lock.mdb", "/sync.lock"}) {
        unlink((site_.real + name).c_str());
    }
    set_group_and_mode(site_.real + "/data.mdb", data_mode);
    // Last: from then on, others may do something with what is in it.
    set_group_and_mode(site_.real, directory_mode);
    data_ = look();
}

Directory::File Directory::look() const noexcept {
    struct stat info {};
    if (stat((site_.path + "/data.mdb").c_str(), &info) != 0) {
        return {};
    }
    return {info.st_dev, info.st_ino};
}

bool Directory::in_place() const noexcept {
    return look() == data_;
}

}  // namespace token_auth::store_writer
