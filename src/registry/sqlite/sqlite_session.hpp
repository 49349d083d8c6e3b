// A session with a registry in an SQLite file.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "registry/session.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace token_auth::registry::sqlite {

// PRAGMA application_id of a registry: "tkau".
inline constexpr int application_id = 0x746b6175;

class SqliteSession final : public Session {
  public:
    // Opens the file named, which is that of the location or is to become it; never creates one.
    SqliteSession(Location location, const std::string& path, Access access);

    std::unique_ptr<Rows> query(std::string_view sql, const Values& values = {}) override;
    std::unique_ptr<Rows> stream(std::string_view sql, const Values& values = {}) override {
        return query(sql, values);
    }
    std::unique_ptr<Rows> copy(std::string_view sql) override { return query(sql); }
    void run(const std::string& statements) override;
    std::string list(const std::vector<std::string_view>& texts) const override;
    std::string_view in_list() const override { return "IN (SELECT value FROM json_each($1))"; }
    std::int64_t version() override { return number("PRAGMA user_version"); }
    void set_version(int version) override;

    // Of the one column of a statement's first row; 0 if there is none.
    std::int64_t number(std::string_view sql);

    // Lets -wal and -shm stay after the last close, so that a reader that may not write the
    // directory can still open the registry; emptied, so that they take no room.
    void keep_wal();

  protected:
    void begin(Access access) override;
    void commit() override { run("COMMIT"); }
    void roll_back() noexcept override;

  private:
    struct Closer {
        void operator()(sqlite3* database) const noexcept;
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Closer>;
    // Statements by their text; those that run are not among them.
    using Idle = std::multimap<std::string, Statement, std::less<>>;
    class Running;

    Idle::node_type prepare(std::string_view sql);
    SqlError error(int code) const;

    std::unique_ptr<sqlite3, Closer> database_;
    Idle idle_;
};

// Opens the registry in that file and checks that it is one, of any version; base::Error.
std::unique_ptr<SqliteSession> open_any(const Location& location, Access access);

// As open_session().
std::unique_ptr<SqliteSession> open(const Location& location, Access access,
                                    int oldest = schema_version);

[[noreturn]] void fail(const Location& location, const std::string& text);

}  // namespace token_auth::registry::sqlite
