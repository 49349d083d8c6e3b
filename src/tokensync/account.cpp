#include "tokensync/account.hpp"

#include <fmt/core.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "store_writer/error.hpp"

namespace token_auth::tokensync {

void become_owner(const store_writer::StoreOptions& options) {
    if (geteuid() != 0) {
        return;
    }
    const store_writer::Site site = store_writer::find_site(options);
    uid_t owner = site.owner;
    gid_t group = site.group;
    struct stat above {};
    if (!site.there) {
        const std::string parent = std::filesystem::path(site.real).parent_path().string();
        if (stat(parent.c_str(), &above) != 0) {
            // Not as root: it may be there by the time that the store is made.
            store_writer::fail_file("make the store's directory", site.path, errno);
        }
        owner = above.st_uid;
        group = options.group.empty() ? above.st_gid : site.group;
    }
    if (owner == 0) {
        return;
    }
    const passwd* const account = getpwuid(owner);
    const gid_t own = account == nullptr ? group : account->pw_gid;
    std::vector<gid_t> groups(NGROUPS_MAX);
    int count = static_cast<int>(groups.size());
    if (account == nullptr || getgrouplist(account->pw_name, own, groups.data(), &count) < 0) {
        count = 0;
    }
    groups.resize(static_cast<std::size_t>(count));
    groups.push_back(group);
    if (setgroups(groups.size(), groups.data()) != 0 || setresgid(own, own, own) != 0 ||
        setresuid(owner, owner, owner) != 0) {
        throw base::Error(fmt::format(
            "cannot take on the account {} that owns the store {}: {}; run tokensync as that "
            "account",
            owner, site.path, std::strerror(errno)));
    }
}

}  // namespace token_auth::tokensync
