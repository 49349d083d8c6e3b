#include "registry/postgresql/pg_connection.hpp"

#include <fmt/core.h>
#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "registry/postgresql/copy_line.hpp"
#include "registry/postgresql/explain.hpp"
#include "registry/source.hpp"
#include "registry/version.hpp"

namespace token_auth::registry::postgresql {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds connect_patience{15};
// A copy of millions of rows is sorted before its first row comes.
constexpr std::chrono::minutes copy_patience{30};
constexpr int rows_per_fetch = 1000;
// Each shortens the log by more rows than so many transactions add, but large ones, whose rows wait
// for the next ones.
constexpr unsigned writes_per_prune = 32;
// More than a program has: then they are of no use any more.
constexpr std::size_t prepared_max = 200;
// PostgreSQL's oldest version with 64-bit transaction numbers in SQL.
constexpr int server_version_min = 130000;

// Values as libpq takes them, in text.
class Parameters {
  public:
    explicit Parameters(const Values& values) {
        texts_.reserve(values.size());  // so that they stay where they are
        for (const Value& value : values) {
            if (std::holds_alternative<std::monostate>(value)) {
                pointers_.push_back(nullptr);
                continue;
            }
            const auto* const integer = std::get_if<std::int64_t>(&value);
            texts_.push_back(integer != nullptr ? std::to_string(*integer)
                                                : std::string(std::get<std::string_view>(value)));
            pointers_.push_back(texts_.back().c_str());
        }
    }
    int size() const { return static_cast<int>(pointers_.size()); }
    const char* const* get() const { return pointers_.data(); }

  private:
    std::vector<std::string> texts_;
    std::vector<const char*> pointers_;
};

// Planned each time for its values: what is best for a small organization is not for a large one.
bool is_page(const std::string& sql) {
    return sql.find(" LIMIT ") != sql.npos;
}

}  // namespace

// A result; with a cursor, one batch after the other.
class PgConnection::ResultRows : public Rows {
  public:
    explicit ResultRows(Result result) : result_(std::move(result)) {}

    bool next() override { return ++row_ < PQntuples(result_.get()); }
    std::string_view text(int column) const override {
        return {PQgetvalue(result_.get(), row_, column),
                static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
    }
    std::int64_t integer(int column) const override {
        return base::number_of<std::int64_t>(text(column));
    }
    bool is_null(int column) const override {
        return PQgetisnull(result_.get(), row_, column) != 0;
    }

  protected:
    Result result_;
    int row_ = -1;
};

class PgConnection::CursorRows final : public ResultRows {
  public:
    CursorRows(PgConnection& connection, const std::string& name)
        : ResultRows(Result()), connection_(connection), name_(name) {
        fetch();
    }
    ~CursorRows() override {
        try {
            connection_.run("CLOSE " + name_);
        } catch (...) {
            // The transaction has failed, and ends with its cursors.
        }
    }

    bool next() override {
        if (ResultRows::next()) {
            return true;
        }
        if (PQntuples(result_.get()) < rows_per_fetch) {
            return false;
        }
        fetch();
        return ResultRows::next();
    }

  private:
    void fetch() {
        result_ = connection_.answer(fmt::format("FETCH {} FROM {}", rows_per_fetch, name_));
        row_ = -1;
    }

    PgConnection& connection_;
    std::string name_;
};

// The lines of a COPY.
class PgConnection::CopyRows final : public Rows {
  public:
    explicit CopyRows(PgConnection& connection) : connection_(connection) {}

    bool next() override {
        line_ = connection_.copied(size_);
        if (line_) {
            fields_ = &splitter_.split({line_.get(), size_});
        }
        return line_ != nullptr;
    }
    std::string_view text(int column) const override {
        return (*fields_)[static_cast<std::size_t>(column)];
    }
    std::int64_t integer(int column) const override {
        return base::number_of<std::int64_t>(text(column));
    }
    bool is_null(int column) const override { return text(column).data() == nullptr; }

  private:
    PgConnection& connection_;
    CopyLine splitter_;
    CopyText line_;
    std::size_t size_ = 0;
    const std::vector<std::string_view>* fields_ = nullptr;
};

void PgConnection::Freer::operator()(pg_conn* connection) const noexcept {
    PQfinish(connection);
}

void PgConnection::Freer::operator()(pg_result* result) const noexcept {
    PQclear(result);
}

void PgConnection::Freer::operator()(char* text) const noexcept {
    PQfreemem(text);
}

PgConnection::PgConnection(const Location& location, int stop_fd,
                           std::chrono::milliseconds patience)
    : Session(location), stop_fd_(stop_fd), patience_(patience) {
    connect();
}

void PgConnection::connect() {
    connection_.reset(PQconnectStart(location().path.c_str()));
    if (!connection_) {
        throw std::bad_alloc();
    }
    // At once: notices of the connection itself would go to standard error.
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    const auto deadline = Clock::now() + connect_patience;
    PostgresPollingStatusType state = PQstatus(connection_.get()) == CONNECTION_BAD
                                          ? PGRES_POLLING_FAILED
                                          : PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            fail(nullptr);
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        await(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, left);
        state = PQconnectPoll(connection_.get());
    }
    PQsetnonblocking(connection_.get(), 1);
    PQsetErrorVerbosity(connection_.get(), PQERRORS_TERSE);
}

bool PgConnection::wait(short events, std::chrono::milliseconds timeout) const {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        std::array<pollfd, 2> files{
            {{stop_fd_, POLLIN, 0}, {PQsocket(connection_.get()), events, 0}}};
        const int ready =
            poll(files.data(), files.size(), left.count() > 0 ? static_cast<int>(left.count()) : 0);
        if (ready < 0 && errno != EINTR) {
            throw base::Error(fmt::format("cannot wait for the registry {}: {}", location().shown,
                                          std::strerror(errno)));
        }
        if (ready > 0 && files[0].revents != 0) {
            throw Stopped();
        }
        if (ready > 0) {
            return true;
        }
        if (ready == 0) {
            return false;
        }
    }
}

void PgConnection::await(short events, std::chrono::milliseconds timeout) const {
    if (!wait(events, timeout)) {
        throw explain(location(), {}, "it does not answer");
    }
}

void PgConnection::consume() {
    if (PQconsumeInput(connection_.get()) != 1) {
        fail(nullptr);
    }
}

void PgConnection::fail(const PGresult* result) const {
    const char* const state =
        result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* const message =
        result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result);
    throw explain(location(), state == nullptr ? "" : state, message);
}

// Until all of it is on its way. The server may have something to say first.
void PgConnection::send(int accepted) {
    if (accepted != 1) {
        fail(nullptr);
    }
    for (;;) {
        const int left = PQflush(connection_.get());
        if (left == 0) {
            return;
        }
        if (left < 0) {
            fail(nullptr);
        }
        await(POLLIN | POLLOUT, patience_);
        consume();
    }
}

PgConnection::Result PgConnection::answer(const std::string& statements) {
    send(PQsendQuery(connection_.get(), statements.c_str()));
    return result(patience_);
}

void PgConnection::run(const std::string& statements) {
    answer(statements);
}

// The name of the prepared statement, empty for the first use of it: most run once. Only within a
// transaction, and unless the session is kept for that one alone: a pooler may give the next one
// another connection.
const std::string& PgConnection::prepared(const std::string& sql) {
    static const std::string none;
    if (PQtransactionStatus(connection_.get()) != PQTRANS_INTRANS || is_page(sql)) {
        return none;
    }
    if (prepared_.size() > prepared_max) {
        forget_prepared();
    }
    const auto [found, first] = prepared_.try_emplace(sql);
    if (!first && found->second.empty()) {
        const std::string name = fmt::format("token_auth_{}", ++names_);
        send(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
        result(patience_);
        found->second = name;
        deallocate_ = true;
    }
    return found->second;
}

void PgConnection::forget_prepared() {
    if (std::exchange(deallocate_, false)) {
        run("DEALLOCATE ALL");
    }
    prepared_.clear();
}

PgConnection::Result PgConnection::ask(const std::string& sql, const Values& values) {
    const Parameters parameters(values);
    const std::string& name = prepared(sql);
    send(name.empty() ? PQsendQueryParams(connection_.get(), sql.c_str(), parameters.size(),
                                          nullptr, parameters.get(), nullptr, nullptr, 0)
                      : PQsendQueryPrepared(connection_.get(), name.c_str(), parameters.size(),
                                            parameters.get(), nullptr, nullptr, 0));
    return result(patience_);
}

std::unique_ptr<Rows> PgConnection::query(std::string_view sql, const Values& values) {
    return std::make_unique<ResultRows>(ask(std::string(sql), values));
}

std::unique_ptr<Rows> PgConnection::stream(std::string_view sql, const Values& values) {
    const std::string name = fmt::format("rows_{}", ++names_);
    const Parameters parameters(values);
    const std::string declare = fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name, sql);
    send(PQsendQueryParams(connection_.get(), declare.c_str(), parameters.size(), nullptr,
                           parameters.get(), nullptr, nullptr, 0));
    result(patience_);
    return std::make_unique<CursorRows>(*this, name);
}

std::unique_ptr<Rows> PgConnection::copy(std::string_view sql) {
    send(PQsendQuery(connection_.get(), fmt::format("COPY ({}) TO STDOUT", sql).c_str()));
    result(copy_patience);
    return std::make_unique<CopyRows>(*this);
}

PgConnection::CopyText PgConnection::copied(std::size_t& size) {
    for (;;) {
        char* line = nullptr;
        const int length = PQgetCopyData(connection_.get(), &line, 1);
        if (length > 0) {
            size = static_cast<std::size_t>(length);
            return CopyText(line);
        }
        if (length < 0) {
            result(patience_);
            return nullptr;
        }
        await(POLLIN, copy_patience);
        consume();
    }
}

// The last result; one that failed before it counts more. All are taken off, so that the connection
// can go on.
PgConnection::Result PgConnection::result(std::chrono::milliseconds patience) {
    Result last;
    Result failed;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            await(POLLIN, patience);
            consume();
        }
        Result next(PQgetResult(connection_.get()));
        if (!next && failed) {
            fail(failed.get());
        }
        if (!next) {
            return last;
        }
        const ExecStatusType status = PQresultStatus(next.get());
        if (status == PGRES_COPY_OUT) {
            return next;
        }
        const bool done = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
        (done ? last : failed) = std::move(next);
    }
}

bool PgConnection::notified(std::chrono::milliseconds timeout) {
    const auto take_off = [&] {
        bool any = false;
        while (PGnotify* const each = PQnotifies(connection_.get())) {
            PQfreemem(each);
            any = true;
        }
        return any;
    };
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        if (take_off()) {
            return true;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0 || !wait(POLLIN, left)) {
            return false;
        }
        consume();
    }
}

std::string PgConnection::list(const std::vector<std::string_view>& texts) const {
    std::string out = "{";
    for (const std::string_view text : texts) {
        if (out.size() > 1) {
            out += ',';
        }
        out += '"';
        for (const char c : text) {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

void PgConnection::begin_snapshot(const std::string& statements) {
    run(fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {}; {}",
                    no_timeouts("LOCAL"), statements));
}

void PgConnection::begin(Access access) {
    writes_ = access != Access::read;
    std::string statements = fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ, {}",
                                         writes_ ? "READ WRITE" : "READ ONLY");
    if (!kept_) {
        // Within the transaction: a pooler may give the next one another connection.
        statements +=
            fmt::format("; {}; SET LOCAL search_path = token_auth, pg_temp", no_timeouts("LOCAL"));
    }
    if (writes_) {
        // Before the first query, which is when the snapshot is taken. ROW SHARE goes beside others
        // of its kind, but not beside EXCLUSIVE.
        statements +=
            fmt::format("; SET LOCAL lock_timeout = '{}s'; LOCK TABLE write_lock IN {} MODE",
                        lock_seconds, access == Access::write ? "ROW SHARE" : "EXCLUSIVE");
    }
    run(statements);
}

void PgConnection::commit() {
    if (kept_) {
        run("COMMIT");
    } else {
        // Behind a pooler, whoever gets this connection next would meet the names of our
        // statements.
        run(std::exchange(deallocate_, false) ? "DEALLOCATE ALL; COMMIT" : "COMMIT");
        prepared_.clear();
    }
    if (std::exchange(writes_, false) && written_++ % writes_per_prune == 0) {
        prune();
    }
}

void PgConnection::roll_back() noexcept {
    try {
        writes_ = false;
        if (kept_) {
            run("ROLLBACK");
            return;
        }
        prepared_.clear();
        run(std::exchange(deallocate_, false) ? "ROLLBACK; DEALLOCATE ALL" : "ROLLBACK");
    } catch (...) {
        // The first error counts; without a connection nothing is left to roll back.
    }
}

bool PgConnection::roll_back_to_idle() noexcept {
    roll_back();
    return PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

void PgConnection::prune() noexcept {
    try {
        run("BEGIN ISOLATION LEVEL READ COMMITTED; "
            "SELECT token_auth.prune_changes(100000); COMMIT");
    } catch (...) {
        // The next one does it; what was to be done is done.
        roll_back();
    }
}

bool PgConnection::claim_session() {
    const auto pid = query("SELECT pg_backend_pid()");
    if (!pid->next() || pid->integer(0) != PQbackendPID(connection_.get())) {
        return false;
    }
    run(no_timeouts("SESSION"));
    return true;
}

void PgConnection::keep_session() {
    if (claim_session()) {
        run("SET SESSION search_path = token_auth, pg_temp");
        kept_ = true;
    }
}

std::string PgConnection::no_timeouts(std::string_view scope) const {
    constexpr int with_idle_session_timeout = 140000;
    constexpr int with_transaction_timeout = 170000;
    std::string statements = fmt::format(
        "SET {0} idle_in_transaction_session_timeout = 0; SET {0} statement_timeout = 0", scope);
    const int version = PQserverVersion(connection_.get());
    if (version >= with_idle_session_timeout) {
        statements += fmt::format("; SET {} idle_session_timeout = 0", scope);
    }
    if (version >= with_transaction_timeout) {
        statements += fmt::format("; SET {} transaction_timeout = 0", scope);
    }
    return statements;
}

void PgConnection::require_server() const {
    const int version = PQserverVersion(connection_.get());
    if (version < server_version_min) {
        throw base::Error(fmt::format(
            "registry {}: its server is PostgreSQL {}, but 13 or later is needed; upgrade it",
            location().shown, version / 10000));
    }
}

std::int64_t PgConnection::version() {
    const auto rows = query("SELECT value FROM token_auth.meta WHERE name = 'schema_version'");
    return rows->next() ? rows->integer(0) : 0;
}

void PgConnection::set_version(int version) {
    execute("UPDATE token_auth.meta SET value = $1 WHERE name = 'schema_version'",
            {std::to_string(version)});
}

std::unique_ptr<PgConnection> open(const Location& location, int oldest,
                                   std::chrono::milliseconds patience) {
    auto connection = std::make_unique<PgConnection>(location, -1, patience);
    connection->require_server();
    require_version(location, connection->version(), oldest);
    connection->keep_session();
    return connection;
}

}  // namespace token_auth::registry::postgresql
