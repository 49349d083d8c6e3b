// A registry in an SQLite file as a source for the store.
//
// A position is "sqlite:<seq>:<mark>": the last row of the change log that was taken in. The mark
// is a random number of that row, so that in a registry that was restored from a backup and has
// moved on since, a row of the same number is not taken for it.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/file_watch.hpp"
#include "registry/source.hpp"
#include "registry/sqlite/sqlite_session.hpp"

namespace token_auth::registry {

// The registry is opened read-only, when it is first needed, and opened again after an error or
// when another file took its place.
class SqliteSource final : public Source {
  public:
    explicit SqliteSource(Location location);

    std::string identity() override;
    std::uint64_t token_count() override;
    std::optional<std::string> changes(const std::string& position, Sink& sink) override;
    std::string all(Sink& sink) override;
    std::vector<Fate> fates(const std::vector<HeldToken>& tokens) override;
    bool no_change_between(const std::string& position, const std::string& latest) override;
    std::string position() override;
    bool is_awaited() override;
    void wait(std::chrono::milliseconds timeout) override;

  private:
    // Device and inode of the file, its log and its index; zeros for one that is missing.
    using Files = std::array<std::pair<dev_t, ino_t>, 3>;
    Files files() const;

    // One snapshot.
    void read(const std::function<void(sqlite::SqliteSession&)>& body);
    bool in_place() const;
    bool moved_on();
    base::Woken await_commit();

    Location location_;
    std::unique_ptr<sqlite::SqliteSession> session_;
    base::FileWatch watch_;
    Files files_{};                             // that the session has open
    std::array<base::FileDescriptor, 3> open_;  // the same, for looking at only
    std::int64_t seen_ = -1;  // the last row of the log that was read; -1: none yet
};

}  // namespace token_auth::registry
