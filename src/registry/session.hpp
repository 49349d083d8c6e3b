// A session with a registry's database. The same statements serve SQLite and PostgreSQL.
//
// Parameters are $1, $2, … (PostgreSQL's form; SQLite takes them for names); columns are read by
// position. A statement that runs again is prepared once for a transaction or longer. What differs
// between the engines is behind this class, and in the sources' change logs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "registry/schema.hpp"

namespace token_auth::registry {

enum class Engine { sqlite, postgresql };

// Where a registry is.
struct Location {
    Engine engine = Engine::sqlite;
    std::string path;         // SQLite: the file; PostgreSQL: libpq's connection string
    std::string shown;        // for messages: holds no password, nor what may be a token
    bool is_registry = true;  // SQLite: or tokensync's file of reports (reports.hpp)
};

// For messages.
std::string title(const Location& location);

// "sqlite:<path>" or "postgresql://…"; base::Error (wrong usage) for anything else.
Location parse_location(const std::string& url);

inline constexpr std::chrono::milliseconds long_patience = std::chrono::hours(1);

// write_alone: of a transaction, while no other one writes.
enum class Access { read, write, write_alone };

// An engine's error. The text names the registry and the remedy, and holds no value of the
// statement.
class SqlError : public base::Error {
  public:
    SqlError(const std::string& text, std::string code)
        : base::Error(text), code_(std::move(code)) {}
    // PostgreSQL: the SQLSTATE, empty without a connection. SQLite: the extended result code.
    const std::string& code() const noexcept { return code_; }

  private:
    std::string code_;
};

// The values of $1, $2, …: NULL, a number or a text; texts are copied by the call they are given
// to.
using Value = std::variant<std::monostate, std::int64_t, std::string_view>;
using Values = std::vector<Value>;

// The rows of a statement that runs.
class Rows {
  public:
    Rows() = default;
    virtual ~Rows() = default;
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    // Goes to the next row, first to the first one; false after the last.
    virtual bool next() = 0;
    // A column of the row, from 0; NULL is empty, or 0. The text holds until next().
    virtual std::string_view text(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual bool is_null(int column) const = 0;
    // Whether the column holds a text, or a whole number: not NULL, nor in SQLite, where a column
    // may hold anything, something else. To be asked before the column is read.
    virtual bool has_text(int column) const { return !is_null(column); }
    virtual bool has_integer(int column) const { return !is_null(column); }
};

// Errors are SqlError.
class Session {
  public:
    virtual ~Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Location& location() const noexcept { return location_; }
    Engine engine() const noexcept { return location_.engine; }

    // Run `body` in one transaction, in one snapshot, and commit at the end. An exception rolls
    // back and goes on.
    void read(const std::function<void()>& body) { transact(Access::read, body); }
    // SQLite: one at a time. PostgreSQL: beside others; rows that are changed, and rows that they
    // name, are locked. If another transaction has changed, removed or added such a row meanwhile,
    // this one is rolled back and `body` runs again, from a new snapshot: it must not build on what
    // it did before. After some attempts it runs alone.
    void write(const std::function<void()>& body);
    // While nobody else writes by these functions; once. (PostgreSQL: if SQL changes the same rows
    // meanwhile, it fails.)
    void write_alone(const std::function<void()>& body) { transact(Access::write_alone, body); }

    // Runs one statement; its rows must go before the transaction ends.
    virtual std::unique_ptr<Rows> query(std::string_view sql, const Values& values = {}) = 0;
    // The same for a SELECT of many rows, in a transaction: they are not held in memory.
    virtual std::unique_ptr<Rows> stream(std::string_view sql, const Values& values = {}) = 0;
    // The same as quick as the engine can; no other statement may run before its last row.
    virtual std::unique_ptr<Rows> copy(std::string_view sql) = 0;
    // The same for a page that is read in the order of an index, whatever the values: PostgreSQL
    // plans it once.
    virtual std::unique_ptr<Rows> query_in_order(std::string_view sql, const Values& values = {}) {
        return query(sql, values);
    }
    // Runs one statement for what it does. In a transaction, PostgreSQL may say with the next query
    // or the commit that it failed.
    virtual void execute(std::string_view sql, const Values& values = {}) {
        query(sql, values)->next();
    }
    // In a transaction, the same query() will soon be asked, with others: PostgreSQL answers them
    // together.
    virtual void expect(std::string_view /*sql*/, const Values& /*values*/) {}
    // Whether something in the latest transaction was answered. If not, it may be tried again over
    // another connection.
    virtual bool is_answered() const { return true; }
    // Runs statements without parameters, separated by semicolons.
    virtual void run(const std::string& statements) = 0;

    // A list of texts as one value, and what is to stand behind a column that is one of list $1.
    virtual std::string list(const std::vector<std::string_view>& texts) const = 0;
    virtual std::string_view in_list() const = 0;

    // meta.registry_id: stays the same when the registry's content changes.
    std::string registry_id();

    // The version of the registry's schema; 0 if it is missing.
    virtual std::int64_t version() = 0;
    virtual void set_version(int version) = 0;

  protected:
    explicit Session(Location location) : location_(std::move(location)) {}

    virtual void begin(Access access) = 0;
    virtual void commit() = 0;
    virtual void roll_back() noexcept = 0;

  private:
    void transact(Access access, const std::function<void()>& body);

    Location location_;
};

// Opens an existing registry and checks that it is one, of a version from `oldest` to this
// program's; never creates anything. With Access::read a file is opened read-only, so that read
// permission on it suffices. base::Error.
// `patience` is how long PostgreSQL may stay without an answer to a statement.
std::unique_ptr<Session> open_session(const Location& location, Access access,
                                      int oldest = schema_version,
                                      std::chrono::milliseconds patience = long_patience);

struct NewRegistry {
    std::string id;
    // False if PostgreSQL did not let this account make the roles of the registry (CREATEROLE).
    bool roles_made = true;
};

// Makes a new registry. The parent directory must exist, the registry must not.
NewRegistry create_registry(const Location& location);

}  // namespace token_auth::registry
