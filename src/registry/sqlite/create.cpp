#include "registry/sqlite/create.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/redact.hpp"
#include "registry/schema.hpp"
#include "registry/sqlite/sqlite_session.hpp"
#include "registry/version.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::registry::sqlite {
namespace {

constexpr mode_t file_mode = 0640;

std::int64_t existing_version(const Location& location) {
    try {
        return open_any(location, Access::read)->version();
    } catch (const SqlError& error) {
        if (error.code() != std::to_string(SQLITE_NOTADB)) {
            throw;
        }
    } catch (const base::Error&) {
        if (::faccessat(AT_FDCWD, location.path.c_str(), R_OK, AT_EACCESS) != 0) {
            const int problem = errno;
            fail(location,
                 fmt::format("something is at this path already that this account may not read "
                             "({}); nothing was changed: run as its owner to see what it is, or "
                             "name another path by --registry",
                             std::strerror(problem)));
        }
    }
    fail(location,
         "something that is not a usable registry is at this path; move it away, or name another "
         "path by --registry");
}

void refuse_existing(const Location& location) {
    struct stat status {};
    std::string left;
    // SQLite would take an older registry's log for the new one's.
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
        if (left.empty() && ::lstat((location.path + suffix).c_str(), &status) == 0) {
            left = suffix;
        }
    }
    // Looked for last: an init beside this one makes it first, then its log.
    if (::lstat(location.path.c_str(), &status) == 0) {
        fail(location, exists_already(existing_version(location)));
    }
    if (!left.empty()) {
        fail(location, fmt::format("{}{} is left over from an older file; remove it first",
                                   base::redacted_path(location.path), left));
    }
}

// A file in the making, removed unless it is kept.
class Draft {
  public:
    explicit Draft(const Location& location)
        : location_(location), path_(fmt::format("{}.init-{}", location.path, ::getpid())) {
        const base::FileDescriptor file(
            ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, file_mode));
        if (!file.is_open()) {
            explain_open(errno);
        }
        if (::fchmod(file.get(), file_mode) != 0) {  // whatever the umask
            const int problem = errno;
            ::unlink(path_.c_str());
            fail(location_, fmt::format("cannot set its mode: {}", std::strerror(problem)));
        }
    }
    ~Draft() {
        for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
            ::unlink((path_ + suffix).c_str());
        }
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    const std::string& path() const { return path_; }

    // Gives it the registry's name, if nothing else has it.
    void keep() {
        if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, location_.path.c_str(),
                        RENAME_NOREPLACE) != 0) {
            if (errno == EEXIST) {
                refuse_existing(location_);
            }
            fail(location_, fmt::format("cannot be put in place: {}", std::strerror(errno)));
        }
        sync_directory();
    }

  private:
    [[noreturn]] void explain_open(int problem) const {
        const std::string directory = base::redacted_path(parent());
        switch (problem) {
            case ENOENT:
                fail(location_,
                     fmt::format("directory {} does not exist; make it first", directory));
            case ENOTDIR:
                fail(location_, fmt::format("{} is not a directory; name another path by "
                                            "--registry",
                                            directory));
            default:
                fail(location_,
                     fmt::format("cannot be made in {}: {}; {}", directory, std::strerror(problem),
                                 file_remedy(problem,
                                             "run as an account that may write in "
                                             "that directory")));
        }
    }

    std::string parent() const {
        const auto directory = std::filesystem::path(location_.path).parent_path();
        return directory.empty() ? "." : directory.string();
    }

    // The name must survive a power cut as the content does.
    void sync_directory() const {
        const base::FileDescriptor directory(
            ::open(parent().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.is_open()) {
            ::fsync(directory.get());
        }
    }

    const Location& location_;
    std::string path_;
};

void fill(SqliteSession& session, const std::string& registry_id, std::int64_t now) {
    session.run(fmt::format("PRAGMA application_id = {}", application_id));
    session.write([&] {
        for (const std::string& statement : sqlite_schema()) {
            session.execute(statement);
        }
        session.execute("INSERT INTO meta (name, value) VALUES ('registry_id', $1)", {registry_id});
        session.execute("INSERT INTO meta (name, value) VALUES ('created_at', $1)",
                        {std::to_string(now)});
        session.set_version(schema_version);
    });
    // last, so that what is renamed is one file without a log beside it
    const auto mode = session.query("PRAGMA journal_mode = WAL");
    if (!mode->next() || mode->text(0) != "wal") {
        fail(session.location(),
             "its file system has no shared memory for SQLite's WAL mode; put the registry on a "
             "local file system");
    }
}

}  // namespace

void create(const Location& location, const std::string& registry_id, std::int64_t now) {
    refuse_existing(location);
    Draft draft(location);
    {
        SqliteSession session(location, draft.path(), Access::write);
        fill(session, registry_id, now);
    }
    draft.keep();
    // The first connection makes -wal and -shm, which then stay.
    open(location, Access::write);
}

}  // namespace token_auth::registry::sqlite
