// One connection to a registry. All that differs between databases is behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <soci/soci.h>

namespace token_auth::registry {

enum class Engine { sqlite, postgresql };

// Where a registry is.
struct Location {
    Engine engine = Engine::sqlite;
    std::string path;   // SQLite: the file; PostgreSQL: libpq's connection string
    std::string shown;  // for messages: holds no password
};

// "sqlite:<path>" or "postgresql://…"; base::Error (wrong usage) for anything else.
Location parse_location(const std::string& url);

enum class Access { read, write };

// Opens an existing registry and checks that it is one, of this schema version; never creates
// anything. With Access::read the file itself is opened read-only, so that read permission on it
// suffices. Errors are base::Error; the text names the registry and the remedy.
class Connection {
  public:
    Connection(Location location, Access access);
    ~Connection();
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;

    const Location& location() const { return location_; }

    // meta.registry_id: stays the same when the registry's content changes.
    std::string registry_id();

    // Run `body` in one transaction, in one snapshot; write() takes the write lock first, so that
    // what `body` reads still holds when it writes, and commits at the end. (PostgreSQL: where a
    // program without that lock changes the same rows meanwhile, write() fails.) An exception rolls
    // back and goes on; SQL errors become base::Error.
    void read(const std::function<void(soci::session&)>& body);
    void write(const std::function<void(soci::session&)>& body);

  private:
    void run(Access access, const std::function<void(soci::session&)>& body);

    Location location_;
    std::unique_ptr<soci::session> session_;
};

struct NewRegistry {
    std::string id;
    // False if PostgreSQL did not let this account make the roles of the registry (CREATEROLE).
    bool roles_made = true;
};

// Makes a new registry. The parent directory must exist, the registry must not.
NewRegistry create_registry(const Location& location);

}  // namespace token_auth::registry
