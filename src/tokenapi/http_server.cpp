#include "tokenapi/http_server.hpp"

#include <fmt/core.h>
#include <microhttpd.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/service.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/listen.hpp"
#include "tokenapi/metrics.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_ticks{250};

// A request while it is received and answered.
struct Exchange {
    std::shared_ptr<Call> call = std::make_shared<Call>();
    const char* target = nullptr;  // where libmicrohttpd keeps the target, and how long it is
    std::size_t target_size = 0;
    bool has_fields = false;
    // What it will be refused with, known before the body is there: then the body is dropped.
    std::optional<Response> refusal{};
    std::size_t length = limits::body_size;  // of the body; the most there may be if none is told
    std::size_t received = 0;                // bytes of it
    std::size_t room = 0;                    // kept for it
    std::optional<Response> answer{};
    std::optional<Undoing> if_unsent{};
    Clock::time_point whole{};

    const char* operation() const {
        return call->route != nullptr ? call->route->operation : nullptr;
    }
};

struct Connection {
    int fd = -1;
    // When its client must have done what it is to do; none while the server works.
    std::optional<Clock::time_point> deadline{};
    std::unique_ptr<Exchange> exchange{};  // the request under way
};

struct ResponseDestroyer {
    void operator()(MHD_Response* response) const noexcept { MHD_destroy_response(response); }
};

void wipe_body(void* held) {
    const std::unique_ptr<std::string> body(static_cast<std::string*>(held));
    explicit_bzero(body->data(), body->size());
}

void for_each_header(const Response& response,
                     const std::function<void(const char*, const char*)>& each) {
    for (const auto& [name, value] : response.headers) {
        each(name.c_str(), value.c_str());
    }
    each("Cache-Control", "no-store");
    each("X-Content-Type-Options", "nosniff");
}

// The whole answer, for a connection that is to be closed behind it.
std::string closing_text(const Response& response) {
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\nContent-Length: {}\r\nConnection: close\r\n",
                    response.status, status_phrase(response.status), response.body.size());
    for_each_header(response, [&](const char* name, const char* value) {
        text += fmt::format("{}: {}\r\n", name, value);
    });
    return text + "\r\n" + response.body;
}

// The Content-Length of a request; none if there is none. More than one, or one beside a
// Transfer-Encoding, or a coding other than chunked: nobody knows where such a request ends, so it
// is refused, and the connection closed.
std::optional<std::uint64_t> length_of(const Request& request) {
    const auto lengths = request.values("Content-Length");
    const auto codings = request.values("Transfer-Encoding");
    const bool ambiguous =
        lengths.size() + codings.size() > 1 ||
        (codings.size() == 1 &&
         (codings.front().size() != 7 || strncasecmp(codings.front().data(), "chunked", 7) != 0));
    if (ambiguous) {
        throw Problem(ProblemCode::body_malformed, "It is not clear where the body ends.")
            .header("Connection", "close");
    }
    std::uint64_t length = 0;
    if (lengths.empty()) {
        return codings.empty() ? std::optional<std::uint64_t>(0) : std::nullopt;
    }
    const char* const end = lengths.front().data() + lengths.front().size();
    const auto [at, error] = std::from_chars(lengths.front().data(), end, length);
    return error == std::errc() && at == end ? length : UINT64_MAX;
}

// libmicrohttpd takes "Content-Length :" for a field of another name, and any number of hosts.
// Sources: RFC 9112 sections 5.1 and 3.2.
void require_fields(const Request& request) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2
    const auto is_token = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
    };
    for (const auto& [name, value] : request.headers) {
        if (!std::all_of(name.begin(), name.end(), is_token)) {
            throw Problem(ProblemCode::body_malformed, "The name of a field is malformed.")
                .header("Connection", "close");
        }
    }
    if (request.values("Host").size() > 1) {
        throw Problem(ProblemCode::body_malformed, "The field Host must come once.")
            .header("Connection", "close");
    }
}

Problem too_large() {
    return Problem(ProblemCode::body_too_large).header("Connection", "close");
}

}  // namespace

// One daemon of libmicrohttpd without a thread of its own. Its callbacks come from within
// MHD_run(), so they need no lock.
class HttpServer::Loop {
  public:
    Loop(ListeningSocket& socket, const Router& router, Dispatcher& dispatcher, Metrics& metrics)
        : socket_(socket), router_(router), dispatcher_(dispatcher), metrics_(metrics) {
        daemon_.reset(MHD_start_daemon(
            MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, nullptr, nullptr,
            &Loop::on_request, this, MHD_OPTION_LISTEN_SOCKET, socket.fd(),
            MHD_OPTION_CONNECTION_LIMIT, limits::connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            limits::header_size, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
            1, MHD_OPTION_URI_LOG_CALLBACK, &Loop::on_target, this, MHD_OPTION_UNESCAPE_CALLBACK,
            &Loop::leave_escaped, nullptr, MHD_OPTION_NOTIFY_CONNECTION, &Loop::on_connection, this,
            MHD_OPTION_NOTIFY_COMPLETED, &Loop::on_completed, this, MHD_OPTION_END));
        const MHD_DaemonInfo* info =
            daemon_ ? MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD) : nullptr;
        if (info == nullptr) {
            throw base::Error("libmicrohttpd does not start");
        }
        if (!wake_.is_open()) {
            throw base::Error(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
        }
        answered_.reserve(limits::connections);
        epoll_fd_ = info->epoll_fd;
    }

    void run(int stop_fd, cli::Service& service) {
        service.ready();
        std::optional<Clock::time_point> give_up;
        while (!give_up || !connections_.empty()) {
            turn(give_up ? -1 : stop_fd);
            service.alive();
            if (!give_up && is_readable(stop_fd)) {
                service.stopping();
                give_up = Clock::now() + limits::stop_time;
                stop();
            } else if (give_up && Clock::now() > *give_up) {
                throw base::Error(fmt::format("{} requests did not end in {} s; they are cut off",
                                              connections_.size(), limits::stop_time.count()));
            }
        }
    }

  private:
    struct Stopper {
        void operator()(MHD_Daemon* daemon) const noexcept { MHD_stop_daemon(daemon); }
    };

    static bool is_readable(int fd) {
        pollfd file{fd, POLLIN, 0};
        return poll(&file, 1, 0) > 0;
    }

    // From any thread: the answer of a suspended request is there.
    void resume(MHD_Connection* mhd) noexcept {
        const std::lock_guard lock(mutex_);
        answered_.push_back(mhd);  // there is room for each connection
        eventfd_write(wake_.get(), 1);
    }

    // Resumes here rather than where the answer was made: so one thread alone calls libmicrohttpd.
    void resume_answered() {
        eventfd_t count = 0;
        eventfd_read(wake_.get(), &count);
        const std::lock_guard lock(mutex_);
        for (MHD_Connection* mhd : answered_) {
            MHD_resume_connection(mhd);
        }
        answered_.clear();
    }

    static bool has_unread(int fd) {
        char byte = 0;
        return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    }

    // Waits for something to do, and does it.
    void turn(int stop_fd) {
        MHD_UNSIGNED_LONG_LONG wanted = 0;
        auto timeout = static_cast<MHD_UNSIGNED_LONG_LONG>(between_ticks.count());
        if (MHD_get_timeout(daemon_.get(), &wanted) == MHD_YES) {
            timeout = std::min(timeout, wanted);
        }
        std::array<pollfd, 3> files{
            {{epoll_fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}}};
        poll(files.data(), files.size(), static_cast<int>(timeout));
        resume_answered();
        MHD_run(daemon_.get());
        if (Clock::now() >= next_tick_) {
            next_tick_ = Clock::now() + between_ticks;
            reap();
            dispatcher_.expire();
        }
    }

    // Null without memory: then its requests are refused.
    Connection* add_connection(int fd) noexcept {
        try {
            auto connection = std::make_unique<Connection>();
            connection->fd = fd;
            connection->deadline = Clock::now() + limits::request_time;
            connections_.insert(connection.get());
            return connection.release();
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }

    // libmicrohttpd finds the end of the stream, and closes the connection.
    void reap() {
        const auto now = Clock::now();
        for (Connection* connection : connections_) {
            if (connection->deadline && *connection->deadline < now) {
                shutdown(connection->fd, SHUT_RDWR);
                connection->deadline.reset();
                ++metrics_.timeouts;
            }
        }
    }

    void stop() {
        socket_.withdraw();
        stopping_ = true;
        // What has connected already is answered.
        while (is_readable(socket_.fd()) && metrics_.connections < limits::connections) {
            MHD_run(daemon_.get());
        }
        MHD_quiesce_daemon(daemon_.get());
        socket_.close();
        for (const Connection* connection : connections_) {
            if (!connection->exchange && !has_unread(connection->fd)) {
                shutdown(connection->fd, SHUT_RD);
            }
        }
    }

    static Connection* connection_of(MHD_Connection* mhd) {
        const MHD_ConnectionInfo* info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return static_cast<Connection*>(info->socket_context);
    }

    // libmicrohttpd's callbacks.

    static size_t leave_escaped(void* /*self*/, MHD_Connection* /*mhd*/, char* text) noexcept {
        return std::strlen(text);
    }

    static void on_connection(void* self, MHD_Connection* mhd, void** context,
                              MHD_ConnectionNotificationCode what) noexcept {
        Loop& loop = *static_cast<Loop*>(self);
        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
            *context = loop.add_connection(
                MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        } else if (const auto* connection = static_cast<Connection*>(*context)) {
            loop.connections_.erase(const_cast<Connection*>(connection));
            delete connection;
            *context = nullptr;
        }
        loop.metrics_.connections = static_cast<unsigned>(loop.connections_.size());
    }

    // Comes before libmicrohttpd changes the target, which is null if the request line has none.
    static void* on_target(void* /*self*/, const char* target, MHD_Connection* mhd) noexcept {
        Connection* connection = connection_of(mhd);
        if (connection == nullptr) {
            return nullptr;
        }
        try {
            auto exchange = std::make_unique<Exchange>();
            const std::string_view text = target != nullptr ? target : "";
            exchange->target = target;
            exchange->target_size = text.size();
            const std::size_t end = std::min(text.find('?'), text.size());
            exchange->call->request.path = text.substr(0, end);
            exchange->call->request.query = text.substr(std::min(end + 1, text.size()));
            connection->exchange = std::move(exchange);
            return connection;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }

    static MHD_Result on_request(void* self, MHD_Connection* mhd, const char* /*url*/,
                                 const char* method, const char* version, const char* data,
                                 size_t* size, void** context) noexcept {
        Loop& loop = *static_cast<Loop*>(self);
        auto* connection = static_cast<Connection*>(*context);
        if (connection == nullptr || !connection->exchange) {
            return MHD_NO;
        }
        Exchange& exchange = *connection->exchange;
        try {
            if (!exchange.has_fields) {
                return loop.begin(mhd, *connection, method, version);
            }
            if (*size > 0) {
                const std::string_view bytes(data, *size);
                *size = 0;
                return loop.receive(*connection, bytes);
            }
            if (exchange.answer) {
                return loop.answer(mhd, *connection, std::move(*exchange.answer));
            }
            return loop.whole(mhd, *connection);
        } catch (const std::exception&) {
            return MHD_NO;  // out of memory: the connection is closed
        }
    }

    static void on_completed(void* self, MHD_Connection* /*mhd*/, void** context,
                             MHD_RequestTerminationCode why) noexcept {
        Loop& loop = *static_cast<Loop*>(self);
        auto* connection = static_cast<Connection*>(*context);
        *context = nullptr;
        if (connection == nullptr || !connection->exchange) {
            return;
        }
        const std::unique_ptr<Exchange> exchange = std::move(connection->exchange);
        loop.drop_body(*exchange);
        connection->deadline = Clock::now() + limits::request_time;
        if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && exchange->if_unsent) {
            loop.dispatcher_.undo(std::move(*exchange->if_unsent));
        }
        if (loop.stopping_) {
            shutdown(connection->fd, SHUT_RD);
        }
    }

    // What they do.

    // The fields are there.
    MHD_Result begin(MHD_Connection* mhd, Connection& connection, const char* method,
                     const char* version) {
        Exchange& exchange = *connection.exchange;
        Request& request = exchange.call->request;
        exchange.has_fields = true;
        request.method = method;
        MHD_get_connection_values(
            mhd, MHD_HEADER_KIND,
            [](void* out, MHD_ValueKind, const char* name, const char* value) {
                static_cast<Request*>(out)->headers.emplace_back(name,
                                                                 value != nullptr ? value : "");
                return MHD_YES;
            },
            &request);
        bool framed = false;  // it is known where the body ends, and that it may be read
        try {
            require_fields(request);
            const auto length = length_of(request);
            if (length && *length > limits::body_size) {
                throw too_large();
            }
            exchange.length = length.value_or(limits::body_size);
            framed = true;
            require_whole_target(exchange, version);
            router_.find(*exchange.call);
            require_media_type(request, exchange.call->route->takes, !length || *length > 0);
        } catch (const Problem& problem) {
            exchange.refusal = problem.response();
            // Whoever waits to be asked for the body is answered rather than asked.
            if (!framed || !request.values("Expect").empty()) {
                return answer(mhd, connection, std::move(*exchange.refusal));
            }
        }
        return MHD_YES;
    }

    // libmicrohttpd takes texts that end in NUL: what stands behind one in a target would be lost.
    // The version follows the target in its buffer.
    static void require_whole_target(const Exchange& exchange, const char* version) {
        const auto begin = reinterpret_cast<std::uintptr_t>(exchange.target);
        const auto end = reinterpret_cast<std::uintptr_t>(version) - 1;
        if (exchange.target == nullptr || begin + exchange.target_size != end) {
            throw Problem(ProblemCode::not_found);
        }
    }

    MHD_Result receive(Connection& connection, std::string_view bytes) {
        Exchange& exchange = *connection.exchange;
        exchange.received += bytes.size();
        if (exchange.received > limits::body_size) {
            // libmicrohttpd takes no answer in the middle of a body.
            const Response response = too_large().response();
            std::string text = closing_text(response);
            send(connection.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            shutdown(connection.fd, SHUT_WR);
            metrics_.answered(exchange.operation(), response.status, Clock::duration::zero());
            return MHD_NO;
        }
        if (!exchange.refusal && exchange.room == 0 && !make_room(exchange)) {
            exchange.refusal = Problem(ProblemCode::overloaded).response();
        }
        if (!exchange.refusal) {
            exchange.call->request.body += bytes;
        }
        return MHD_YES;
    }

    // For all of the body at once: one that grows leaves copies of what it holds behind, and holes.
    bool make_room(Exchange& exchange) {
        if (bodies_size_ + exchange.length > limits::bodies_size) {
            return false;
        }
        exchange.call->request.body.reserve(exchange.length);
        exchange.room = exchange.length;
        bodies_size_ += exchange.room;
        return true;
    }

    void drop_body(Exchange& exchange) {
        std::string& body = exchange.call->request.body;
        bodies_size_ -= std::exchange(exchange.room, 0);
        explicit_bzero(body.data(), body.size());
        body = std::string();
    }

    MHD_Result whole(MHD_Connection* mhd, Connection& connection) {
        Exchange& exchange = *connection.exchange;
        exchange.whole = Clock::now();
        if (exchange.refusal) {
            return answer(mhd, connection, std::move(*exchange.refusal));
        }
        Call& call = *exchange.call;
        call.metrics = &metrics_;
        if (call.route->runs == Runs::here) {
            Step step = run_step(call.route->handler, call);
            return answer(mhd, connection, std::get<Response>(std::move(step)));
        }
        connection.deadline.reset();
        MHD_suspend_connection(mhd);
        // It stays suspended, and the exchange in place, until the answer is there.
        dispatcher_.submit(exchange.call, [this, mhd, &exchange](Response response) {
            exchange.answer = std::move(response);
            resume(mhd);
        });
        return MHD_YES;
    }

    MHD_Result answer(MHD_Connection* mhd, Connection& connection, Response response) {
        Exchange& exchange = *connection.exchange;
        const auto now = Clock::now();
        connection.deadline = now + limits::request_time;
        metrics_.answered(
            exchange.operation(), response.status,
            exchange.whole == Clock::time_point() ? Clock::duration::zero() : now - exchange.whole);
        exchange.if_unsent = std::move(response.if_unsent);
        auto body = std::make_unique<std::string>(std::move(response.body));
        const std::unique_ptr<MHD_Response, ResponseDestroyer> made(
            MHD_create_response_from_buffer_with_free_callback_cls(body->size(), body->data(),
                                                                   &wipe_body, body.get()));
        if (!made) {
            return MHD_NO;
        }
        (void)body.release();  // wipe_body() has it now
        for_each_header(response, [&](const char* name, const char* value) {
            MHD_add_response_header(made.get(), name, value);
        });
        if (stopping_) {
            MHD_add_response_header(made.get(), "Connection", "close");
        }
        return MHD_queue_response(mhd, response.status, made.get());
    }

    ListeningSocket& socket_;
    const Router& router_;
    Dispatcher& dispatcher_;
    Metrics& metrics_;
    std::unordered_set<Connection*> connections_;
    std::size_t bodies_size_ = 0;  // what is kept for bodies
    bool stopping_ = false;
    Clock::time_point next_tick_{};
    int epoll_fd_ = -1;
    std::mutex mutex_;
    std::vector<MHD_Connection*> answered_;
    const base::FileDescriptor wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::unique_ptr<MHD_Daemon, Stopper> daemon_;  // goes first: it calls back while it ends
};

HttpServer::HttpServer(ListeningSocket& socket, const Router& router, Dispatcher& dispatcher,
                       Metrics& metrics)
    : loop_(std::make_unique<Loop>(socket, router, dispatcher, metrics)) {}

HttpServer::~HttpServer() = default;

void HttpServer::run(int stop_fd, cli::Service& service) {
    loop_->run(stop_fd, service);
}

}  // namespace token_auth::tokenapi
