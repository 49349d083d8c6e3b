#include "registry/postgresql/pg_connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
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
// So many statements wait to be sent, or answers to be asked for again.
constexpr std::size_t ahead_max = 100;
constexpr int remembered_rows_max = 16;

// A kept session announces its changes itself, as soon as they are committed. (NOTIFY within the
// transaction would keep all other commits of the server waiting for this one's disk.) Whether
// there are any is said by the change log's trigger; what is rolled back, was not said.
constexpr const char* announce_later = "SET SESSION token_auth.announce = 'later'";
constexpr const char* announce =
    "SELECT pg_notify('token_auth', ''), set_config('token_auth.announce', 'later', false) "
    "WHERE current_setting('token_auth.announce') = 'due'";
// Whatever the values: no other plan of such a SELECT reads no more rows than it gives.
constexpr const char* plan_by_order =
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), "
    "set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)";
// PostgreSQL's oldest version with 64-bit transaction numbers in SQL.
constexpr int server_version_min = 130000;

// Values as libpq takes them, in text.
class BoundValues {
  public:
    explicit BoundValues(const Values& values) {
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

bool is_select(std::string_view sql) {
    return sql.substr(0, 7) == "SELECT ";
}

// The statement and its values, as one text.
std::string question_of(std::string_view sql, const Values& values) {
    std::string text(sql);
    for (const Value& value : values) {
        if (const auto* const integer = std::get_if<std::int64_t>(&value)) {
            text += fmt::format("\x01{}", *integer);
        } else if (const auto* const other = std::get_if<std::string_view>(&value)) {
            text += fmt::format("\x02{}:{}", other->size(), *other);
        } else {
            text += '\x03';
        }
    }
    return text;
}

}  // namespace

// A result; with a cursor, one batch after the other.
class PgConnection::ResultRows : public Rows {
  public:
    explicit ResultRows(Answer result) : result_(std::move(result)) {}

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
    Answer result_;
    int row_ = -1;
};

class PgConnection::CursorRows final : public ResultRows {
  public:
    CursorRows(PgConnection& connection, const std::string& name)
        : ResultRows(Answer()), connection_(connection), name_(name) {
        fetch();
        ++connection_.cursors_;
    }
    ~CursorRows() override {
        --connection_.cursors_;
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

void PgConnection::require(int accepted) const {
    if (accepted != 1) {
        fail(nullptr);
    }
}

// Until all of it is on its way. The server may have something to say first.
void PgConnection::send(int accepted) {
    require(accepted);
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
    leave_pipeline();
    send(PQsendQuery(connection_.get(), statements.c_str()));
    return result(patience_);
}

void PgConnection::run(const std::string& statements) {
    answers_.clear();
    answer(statements);
}

// The name of the prepared statement, empty for the first use of it: most run once. Only within a
// transaction, and unless the session is kept for that one alone: a pooler may give the next one
// another connection.
const std::string& PgConnection::prepared(const std::string& sql) {
    static const std::string none;
    if (!kept_ && PQtransactionStatus(connection_.get()) != PQTRANS_INTRANS) {
        return none;
    }
    const auto [found, first] = prepared_.try_emplace(sql);
    if (!first && found->second.empty()) {
        const std::string name = fmt::format("token_auth_{}", ++names_);
        require(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
        if (is_piped()) {
            ahead_.push_back({Ahead::Kind::preparation, sql});
        } else {
            send(1);
            result(patience_);
        }
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

void PgConnection::put(const std::string& sql, const Values& values, bool prepare) {
    static const std::string none;
    const BoundValues parameters(values);
    const std::string& name = prepare ? prepared(sql) : none;
    require(name.empty() ? PQsendQueryParams(connection_.get(), sql.c_str(), parameters.size(),
                                             nullptr, parameters.get(), nullptr, nullptr, 0)
                         : PQsendQueryPrepared(connection_.get(), name.c_str(), parameters.size(),
                                               parameters.get(), nullptr, nullptr, 0));
}

PgConnection::Result PgConnection::ask(const std::string& sql, const Values& values) {
    leave_pipeline();
    put(sql, values, !is_page(sql));
    send(1);
    return result(patience_);
}

// A kept session's transactions send what needs no answer yet along with what does (libpq's
// pipeline mode).

void PgConnection::put_ahead(const std::string& sql, const Values& values, bool prepare,
                             Ahead ahead) {
    if (PQpipelineStatus(connection_.get()) == PQ_PIPELINE_OFF) {
        require(PQenterPipelineMode(connection_.get()));
    }
    put(sql, values, prepare);
    ahead_.push_back(std::move(ahead));
}

// The server leaves out, after an error, what comes before the next one of these.
void PgConnection::put_end() {
    send(PQpipelineSync(connection_.get()));
    ahead_.push_back({Ahead::Kind::end, {}});
}

PgConnection::Answer PgConnection::take(std::size_t count) {
    Answer last;
    Result failed;
    for (; count > 0; --count) {
        const Ahead each = std::move(ahead_.front());
        ahead_.pop_front();
        Result next = next_result(patience_);
        const ExecStatusType status = PQresultStatus(next.get());
        if (!next || (each.kind == Ahead::Kind::end && status != PGRES_PIPELINE_SYNC)) {
            fail(next.get());  // the connection is lost
        }
        if (each.kind == Ahead::Kind::end) {
            continue;
        }
        while (next_result(patience_)) {
            // Behind the result comes its end.
        }
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
            last = Answer(std::move(next));
            if (each.kind == Ahead::Kind::question &&
                PQntuples(last.get()) <= remembered_rows_max) {
                answers_[each.text] = last;
            }
            continue;
        }
        if (each.kind == Ahead::Kind::preparation) {
            prepared_.erase(each.text);
        }
        if (status != PGRES_PIPELINE_ABORTED && each.kind != Ahead::Kind::announcement && !failed) {
            failed = std::move(next);
        }
    }
    if (failed) {
        fail(failed.get());
    }
    return last;
}

PgConnection::Answer PgConnection::take_all() {
    put_end();
    Answer last = take(ahead_.size());
    answered_ = true;
    return last;
}

void PgConnection::leave_pipeline() {
    if (PQpipelineStatus(connection_.get()) == PQ_PIPELINE_OFF) {
        return;
    }
    if (!ahead_.empty()) {
        take_all();
    }
    require(PQexitPipelineMode(connection_.get()));
}

// The same question has the same answer in a snapshot, until something is written.
void PgConnection::forget_answers() {
    answers_.clear();
    for (Ahead& each : ahead_) {
        if (each.kind == Ahead::Kind::question) {
            each.kind = Ahead::Kind::statement;
        }
    }
}

bool PgConnection::is_asked(const std::string& question) const {
    return std::any_of(ahead_.begin(), ahead_.end(), [&](const Ahead& each) {
        return each.kind == Ahead::Kind::question && each.text == question;
    });
}

PgConnection::Answer PgConnection::ask_in_pipeline(const std::string& sql, const Values& values,
                                                   bool prepare) {
    if (!is_select(sql)) {
        forget_answers();
        put_ahead(sql, values, prepare, {});
        return take_all();
    }
    const std::string question = question_of(sql, values);
    if (is_asked(question)) {
        take_all();
    }
    if (const auto found = answers_.find(question); found != answers_.end()) {
        return found->second;
    }
    if (answers_.size() > ahead_max) {
        answers_.clear();
    }
    put_ahead(sql, values, prepare, {Ahead::Kind::question, question});
    return take_all();
}

std::unique_ptr<Rows> PgConnection::query(std::string_view sql, const Values& values) {
    const std::string text(sql);
    return std::make_unique<ResultRows>(is_piped() ? ask_in_pipeline(text, values, !is_page(text))
                                                   : Answer(ask(text, values)));
}

std::unique_ptr<Rows> PgConnection::query_in_order(std::string_view sql, const Values& values) {
    if (!is_piped()) {
        return query(sql, values);
    }
    put_ahead(plan_by_order, {}, true, {});
    return std::make_unique<ResultRows>(ask_in_pipeline(std::string(sql), values, true));
}

void PgConnection::execute(std::string_view sql, const Values& values) {
    if (!is_piped() || cursors_ > 0) {
        query(sql, values);
        return;
    }
    forget_answers();
    put_ahead(std::string(sql), values, true, {});
    if (ahead_.size() > ahead_max) {
        take_all();
    }
}

void PgConnection::expect(std::string_view sql, const Values& values) {
    std::string question = question_of(sql, values);
    if (is_piped() && answers_.count(question) == 0 && !is_asked(question)) {
        put_ahead(std::string(sql), values, true, {Ahead::Kind::question, std::move(question)});
    }
}

std::unique_ptr<Rows> PgConnection::stream(std::string_view sql, const Values& values) {
    leave_pipeline();
    const std::string name = fmt::format("rows_{}", ++names_);
    const BoundValues parameters(values);
    const std::string declare = fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name, sql);
    send(PQsendQueryParams(connection_.get(), declare.c_str(), parameters.size(), nullptr,
                           parameters.get(), nullptr, nullptr, 0));
    result(patience_);
    return std::make_unique<CursorRows>(*this, name);
}

std::unique_ptr<Rows> PgConnection::copy(std::string_view sql) {
    leave_pipeline();
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

PgConnection::Result PgConnection::next_result(std::chrono::milliseconds patience) {
    while (PQisBusy(connection_.get()) != 0) {
        await(POLLIN, patience);
        consume();
    }
    return Result(PQgetResult(connection_.get()));
}

// The last result; one that failed before it counts more. All are taken off, so that the connection
// can go on.
PgConnection::Result PgConnection::result(std::chrono::milliseconds patience) {
    Result last;
    Result failed;
    for (;;) {
        Result next = next_result(patience);
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
    std::vector<std::string> statements{fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ, {}",
                                                    writes_ ? "READ WRITE" : "READ ONLY")};
    if (!kept_) {
        // Within the transaction: a pooler may give the next one another connection.
        statements.push_back(
            fmt::format("{}; SET LOCAL search_path = token_auth, pg_temp", no_timeouts("LOCAL")));
    }
    if (writes_) {
        // Before the first query, which is when the snapshot is taken. ROW SHARE goes beside others
        // of its kind, but not beside EXCLUSIVE.
        statements.push_back(fmt::format("SET LOCAL lock_timeout = '{}s'", lock_seconds));
        statements.push_back(fmt::format("LOCK TABLE write_lock IN {} MODE",
                                         access == Access::write ? "ROW SHARE" : "EXCLUSIVE"));
    }
    if (prepared_.size() > prepared_max) {
        forget_prepared();
    }
    answers_.clear();
    answered_ = false;
    if (!kept_) {
        run(fmt::format("{}", fmt::join(statements, "; ")));
        answered_ = true;
        return;
    }
    in_transaction_ = true;
    for (const std::string& statement : statements) {
        put_ahead(statement, {}, true, {});
    }
}

void PgConnection::commit() {
    if (kept_) {
        commit_kept();
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

void PgConnection::commit_kept() {
    put_ahead("COMMIT", {}, true, {});
    put_end();
    if (writes_) {
        const std::size_t committed = ahead_.size();
        put_ahead(announce, {}, true, {Ahead::Kind::announcement, {}});
        put_end();
        take(committed);
    }
    // That something was read needs no answer.
    in_transaction_ = false;
    answers_.clear();
}

void PgConnection::roll_back() noexcept {
    try {
        writes_ = false;
        if (kept_) {
            roll_back_kept();
            return;
        }
        prepared_.clear();
        run(std::exchange(deallocate_, false) ? "ROLLBACK; DEALLOCATE ALL" : "ROLLBACK");
    } catch (...) {
        // The first error counts; without a connection nothing is left to roll back.
    }
}

void PgConnection::roll_back_kept() {
    if (!std::exchange(in_transaction_, false)) {
        return;
    }
    try {
        leave_pipeline();
    } catch (const SqlError&) {
        // Of what was sent ahead.
        leave_pipeline();
    }
    run("ROLLBACK");
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
        run(fmt::format("SET SESSION search_path = token_auth, pg_temp; {}", announce_later));
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
