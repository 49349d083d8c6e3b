#include "tokenctl/owner.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"

namespace token_auth::tokenctl {
namespace {

// 0 if it is root's, or belongs to several accounts.
uid_t owner_of(const registry::Location& location) {
    const auto parent = std::filesystem::path(location.path).parent_path();
    struct stat directory {};
    struct stat file {};
    if (stat(parent.empty() ? "." : parent.c_str(), &directory) != 0 ||
        (lstat(location.path.c_str(), &file) == 0 && file.st_uid != directory.st_uid)) {
        return 0;
    }
    return directory.st_uid;
}

}  // namespace

void become_owner(const registry::Location& location) {
    if (geteuid() != 0 || location.engine != registry::Engine::sqlite) {
        return;
    }
    const uid_t owner = owner_of(location);
    if (owner == 0) {
        return;
    }
    const passwd* const account = getpwuid(owner);
    const gid_t group = account == nullptr ? getegid() : account->pw_gid;
    const int grouped =
        account == nullptr ? setgroups(0, nullptr) : initgroups(account->pw_name, group);
    if (grouped != 0 || setresgid(group, group, group) != 0 ||
        setresuid(owner, owner, owner) != 0) {
        throw base::Error(
            fmt::format("cannot take on the account {} that owns the registry {}: {}; run tokenctl "
                        "as that account",
                        account == nullptr ? std::to_string(owner) : account->pw_name,
                        location.shown, std::strerror(errno)));
    }
}

}  // namespace token_auth::tokenctl
