// A connection to PostgreSQL that waits for no server for ever: a descriptor that becomes readable
// ends every wait, and so does a server that stays silent. (The name of a host is looked up by
// libpq at once, for as long as the system's resolver takes.)
//
// Source: libpq's asynchronous functions (PQconnectPoll, PQsendQueryParams, PQgetCopyData with
// async, PQnotifies). SOCI has none of them, nor COPY, which is how millions of rows are read.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "registry/connection.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// The rows that a statement gave.
class Rows {
  public:
    explicit Rows(PGresult* result) : result_(result) {}
    const PGresult* get() const { return result_.get(); }
    int size() const { return PQntuples(result_.get()); }
    int columns() const { return PQnfields(result_.get()); }
    std::string_view at(int row, int column) const {
        return {PQgetvalue(result_.get(), row, column),
                static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
    }

  private:
    struct Clearer {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    std::unique_ptr<PGresult, Clearer> result_;
};

// After an exception it is of no use any more. Errors are base::Error, as postgresql::explain()
// words them.
class Link {
  public:
    // `stop_fd` as for Source::stop_on(): its end of a wait is the exception Stopped.
    Link(const Location& location, int stop_fd);

    // Runs statements without parameters, separated by semicolons; the rows of the last one.
    Rows run(const std::string& statements);
    // One statement, with texts for $1, $2, …
    Rows run(const std::string& statement, const std::vector<std::string>& parameters);

    // Gives each row of a query, its columns as text; NULL comes as "\N". The views hold until the
    // next row.
    void copy(const std::string& query,
              const std::function<void(std::span<const std::string_view>)>& each);

    // Waits for a notification, at most `timeout`; whether there was one. All that have come are
    // taken off.
    bool notified(std::chrono::milliseconds timeout);

    int server_version() const { return PQserverVersion(connection_.get()); }
    // As the server told it when the connection was made.
    int backend_pid() const { return PQbackendPID(connection_.get()); }

  private:
    struct Finisher {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    };

    void connect();
    // Waits until the socket is ready for `events` of poll(2); false where `timeout` passed.
    bool wait(short events, std::chrono::milliseconds timeout) const;
    void wait_or_give_up(short events, std::chrono::milliseconds timeout) const;
    void send(int accepted);
    Rows result(std::chrono::milliseconds patience);
    [[noreturn]] void fail(const PGresult* result) const;

    Location location_;
    int stop_fd_;
    std::unique_ptr<PGconn, Finisher> connection_;
};

// Texts as one parameter of type text[].
std::string text_array(std::span<const std::string_view> texts);

}  // namespace token_auth::registry
