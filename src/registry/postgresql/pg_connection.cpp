#include "registry/postgresql/pg_connection.hpp"

#include <fmt/core.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "registry/postgresql/session.hpp"

namespace token_auth::registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds connect_patience{15};
constexpr std::chrono::seconds statement_patience{60};
// A copy of millions of rows is sorted before its first row comes.
constexpr std::chrono::minutes copy_patience{30};

// One line of COPY's text format, taken apart. Source: PostgreSQL's documentation of COPY.
class CopyLine {
  public:
    std::span<const std::string_view> split(std::string_view line) {
        fields_.clear();
        if (line.ends_with('\n')) {
            line.remove_suffix(1);
        }
        // Unescaped text is never longer, so that views into it stay where they are.
        plain_.clear();
        plain_.reserve(line.size());
        for (;;) {
            const std::size_t end = line.find('\t');
            fields_.push_back(unescape(line.substr(0, end)));
            if (end == std::string_view::npos) {
                return fields_;
            }
            line.remove_prefix(end + 1);
        }
    }

  private:
    std::string_view unescape(std::string_view field) {
        if (field.find('\\') == std::string_view::npos || field == "\\N") {
            return field;
        }
        const std::size_t begin = plain_.size();
        for (std::size_t i = 0; i < field.size(); ++i) {
            if (field[i] != '\\' || i + 1 == field.size()) {
                plain_ += field[i];
                continue;
            }
            static constexpr std::string_view letters = "bfnrtv";
            static constexpr std::string_view meant = "\b\f\n\r\t\v";
            const std::size_t known = letters.find(field[++i]);
            plain_ += known == std::string_view::npos ? field[i] : meant[known];
        }
        return std::string_view(plain_).substr(begin);
    }

    std::vector<std::string_view> fields_;
    std::string plain_;
};

}  // namespace

Link::Link(const Location& location, int stop_fd) : location_(location), stop_fd_(stop_fd) {
    connect();
}

void Link::connect() {
    connection_.reset(PQconnectStart(location_.path.c_str()));
    if (!connection_) {
        throw std::bad_alloc();
    }
    const auto deadline = Clock::now() + connect_patience;
    PostgresPollingStatusType state = PQstatus(connection_.get()) == CONNECTION_BAD
                                          ? PGRES_POLLING_FAILED
                                          : PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            fail(nullptr);
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        wait_or_give_up(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, left);
        state = PQconnectPoll(connection_.get());
    }
    PQsetnonblocking(connection_.get(), 1);
    PQsetErrorVerbosity(connection_.get(), PQERRORS_TERSE);
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
}

bool Link::wait(short events, std::chrono::milliseconds timeout) const {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        std::array<pollfd, 2> files{
            {{stop_fd_, POLLIN, 0}, {PQsocket(connection_.get()), events, 0}}};
        const int ready =
            poll(files.data(), files.size(), left.count() > 0 ? static_cast<int>(left.count()) : 0);
        if (ready < 0 && errno != EINTR) {
            throw base::Error(fmt::format("cannot wait for the registry {}: {}", location_.shown,
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

void Link::wait_or_give_up(short events, std::chrono::milliseconds timeout) const {
    if (!wait(events, timeout)) {
        throw postgresql::explain(location_, {}, "it does not answer");
    }
}

void Link::fail(const PGresult* result) const {
    const char* const state =
        result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* const message =
        result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result);
    throw postgresql::explain(location_, state == nullptr ? "" : state, message);
}

// Until all of it is on its way. The server may have something to say first.
void Link::send(int accepted) {
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
        wait_or_give_up(POLLIN | POLLOUT, statement_patience);
        if (PQconsumeInput(connection_.get()) != 1) {
            fail(nullptr);
        }
    }
}

Rows Link::run(const std::string& statements) {
    send(PQsendQuery(connection_.get(), statements.c_str()));
    return result(statement_patience);
}

Rows Link::run(const std::string& statement, const std::vector<std::string>& parameters) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const std::string& each : parameters) {
        values.push_back(each.c_str());
    }
    send(PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                           nullptr, values.data(), nullptr, nullptr, 0));
    return result(statement_patience);
}

// The last result; one that failed before it counts more. All are taken off, so that the connection
// can go on.
Rows Link::result(std::chrono::milliseconds patience) {
    Rows last(nullptr);
    Rows failed(nullptr);
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            wait_or_give_up(POLLIN, patience);
            if (PQconsumeInput(connection_.get()) != 1) {
                fail(nullptr);
            }
        }
        Rows next(PQgetResult(connection_.get()));
        if (next.get() == nullptr && failed.get() != nullptr) {
            fail(failed.get());
        }
        if (next.get() == nullptr) {
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

void Link::copy(const std::string& query,
                const std::function<void(std::span<const std::string_view>)>& each) {
    send(PQsendQuery(connection_.get(), fmt::format("COPY ({}) TO STDOUT", query).c_str()));
    result(copy_patience);
    CopyLine fields;
    for (;;) {
        char* line = nullptr;
        const int size = PQgetCopyData(connection_.get(), &line, 1);
        if (size > 0) {
            const std::unique_ptr<char, decltype(&PQfreemem)> owned(line, PQfreemem);
            each(fields.split({line, static_cast<std::size_t>(size)}));
            continue;
        }
        if (size < 0) {
            break;
        }
        wait_or_give_up(POLLIN, copy_patience);
        if (PQconsumeInput(connection_.get()) != 1) {
            fail(nullptr);
        }
    }
    result(statement_patience);
}

bool Link::notified(std::chrono::milliseconds timeout) {
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
        if (PQconsumeInput(connection_.get()) != 1) {
            fail(nullptr);
        }
    }
}

std::string text_array(std::span<const std::string_view> texts) {
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

}  // namespace token_auth::registry
