// A session with PostgreSQL that waits for no server for ever: a descriptor that becomes readable
// ends every wait, and so does a server that stays silent. (libpq looks a host's name up at once,
// for as long as the system's resolver takes.)
//
// Source: libpq's asynchronous functions (PQconnectPoll, PQsendQueryParams, PQgetCopyData with
// async, PQnotifies).
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "registry/session.hpp"

struct pg_conn;
struct pg_result;

namespace token_auth::registry::postgresql {

// After an exception outside of a transaction it is of no use any more.
class PgConnection final : public Session {
  public:
    // Connects. `stop_fd` as for Source::stop_on(): its end of a wait is the exception Stopped.
    // `patience` is how long a statement may stay without an answer.
    explicit PgConnection(const Location& location, int stop_fd = -1,
                          std::chrono::milliseconds patience = long_patience);

    std::unique_ptr<Rows> query(std::string_view sql, const Values& values = {}) override;
    std::unique_ptr<Rows> query_in_order(std::string_view sql, const Values& values = {}) override;
    void execute(std::string_view sql, const Values& values = {}) override;
    void expect(std::string_view sql, const Values& values) override;
    bool is_answered() const override { return answered_; }
    std::unique_ptr<Rows> stream(std::string_view sql, const Values& values = {}) override;
    std::unique_ptr<Rows> copy(std::string_view sql) override;
    void run(const std::string& statements) override;
    std::string list(const std::vector<std::string_view>& texts) const override;
    std::string_view in_list() const override { return "= ANY ($1::text[])"; }
    std::int64_t version() override;
    void set_version(int version) override;

    void begin(Access access) override;
    // Begins one that reads, with statements that take no snapshot yet.
    void begin_snapshot(const std::string& statements);
    void commit() override;
    void roll_back() noexcept override;

    // Whether it can be used again: not in the middle of a COPY.
    bool roll_back_to_idle() noexcept;

    // Waits for a notification, at most `timeout`; whether there was one. All that have come are
    // taken off.
    bool notified(std::chrono::milliseconds timeout);

    // Whether the connection is a session of its own, not a pooler's, which hands it to somebody
    // else as soon as it is idle. If so, ends what the server, the database or the account set to
    // end idle or slow sessions by.
    bool claim_session();
    // For many transactions: if it can be claimed, what each of them would set is set once, and
    // statements stay prepared.
    void keep_session();

    // base::Error unless this program can work with the server.
    void require_server() const;

  private:
    struct Freer {
        void operator()(pg_conn* connection) const noexcept;
        void operator()(pg_result* result) const noexcept;
        void operator()(char* text) const noexcept;
    };
    using Result = std::unique_ptr<pg_result, Freer>;
    using Answer = std::shared_ptr<pg_result>;
    using CopyText = std::unique_ptr<char, Freer>;
    // What was sent ahead, and is still to be answered.
    struct Ahead {
        enum class Kind {
            statement,
            question,      // text: of which the answer is remembered
            preparation,   // text: of that statement
            announcement,  // what went before it is done, whether or not this goes well
            end,
        };
        Kind kind = Kind::statement;
        std::string text{};
    };
    class ResultRows;
    class CursorRows;
    class CopyRows;

    void connect();
    // SET statements, for the session or (LOCAL) a transaction.
    std::string no_timeouts(std::string_view scope) const;
    // Waits until the socket is ready for `events` of poll(2); false if `timeout` passed.
    bool wait(short events, std::chrono::milliseconds timeout) const;
    // The same; no answer is an error.
    void await(short events, std::chrono::milliseconds timeout) const;
    void consume();
    void require(int accepted) const;
    void send(int accepted);
    Result next_result(std::chrono::milliseconds patience);
    Result result(std::chrono::milliseconds patience);
    Result answer(const std::string& statements);
    Result ask(const std::string& sql, const Values& values);
    const std::string& prepared(const std::string& sql);
    void forget_prepared();
    void put(const std::string& sql, const Values& values, bool prepare);

    bool is_piped() const { return kept_ && in_transaction_; }
    void put_ahead(const std::string& sql, const Values& values, bool prepare, Ahead ahead);
    void put_end();
    // Takes the answers to the first so many; the last one of a statement.
    Answer take(std::size_t count);
    Answer take_all();
    Answer ask_in_pipeline(const std::string& sql, const Values& values, bool prepare);
    bool is_asked(const std::string& question) const;
    void forget_answers();
    void leave_pipeline();
    void commit_kept();
    void roll_back_kept();
    // The next line of a COPY and its size; null at the end.
    CopyText copied(std::size_t& size);
    // Shortens the change log, if there is something to shorten.
    void prune() noexcept;
    [[noreturn]] void fail(const pg_result* result) const;

    int stop_fd_;
    std::chrono::milliseconds patience_;
    std::unique_ptr<pg_conn, Freer> connection_;
    bool kept_ = false;            // by keep_session()
    bool in_transaction_ = false;  // of a kept session
    bool answered_ = false;        // a statement of the transaction was
    int cursors_ = 0;              // open ones
    std::deque<Ahead> ahead_;
    std::map<std::string, Answer> answers_;  // of this transaction, by question_of()
    // Names by text; of this transaction alone, if the session is not kept.
    std::map<std::string, std::string> prepared_;
    bool deallocate_ = false;  // some have a name
    bool writes_ = false;      // this transaction does
    unsigned written_ = 0;     // transactions that did
    unsigned names_ = 0;       // given to statements and cursors
};

// As open_session().
std::unique_ptr<PgConnection> open(const Location& location, int oldest,
                                   std::chrono::milliseconds patience);

}  // namespace token_auth::registry::postgresql
