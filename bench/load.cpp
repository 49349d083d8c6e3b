// Loads servers in short slices, so that the rows of a measurement can take turns many times. A row
// is a location of a server, and the tokens that its requests present.
//
//   load ROWS CONNECTIONS
//
// Each line of the file ROWS is "port path status list lines pid...": every request presents one of
// the list's first lines ("token" or "token organization", all of one length) at random, and its
// reply must have that status. For each line "row milliseconds" on standard input, load keeps the
// row's connections busy for that long, and prints "requests nanoseconds processor-nanoseconds";
// the latter is what the row's processes used.
//
// It polls: on one host, nginx would pay up to 1 µs to wake this processor, and more often the less
// there is to do here; a client on another host costs it nothing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace token_auth::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr auto patience = std::chrono::seconds(10);
// The kernel accounts for a process's time when it goes to sleep, which nginx does by then.
constexpr useconds_t asleep_after = 200;

[[noreturn]] void die(const std::string& what) {
    fmt::print(stderr, "load: {}\n", what);
    std::exit(1);
}

[[noreturn]] void die_of_errno(const std::string& what) {
    die(fmt::format("{}: {}", what, std::strerror(errno)));
}

// A file of lines of one length, mapped.
class LineList {
  public:
    LineList(const std::string& path, std::size_t lines) : lines_(lines) {
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status {};
        if (file == -1 || fstat(file, &status) == -1) {
            die_of_errno(path);
        }
        const auto size = static_cast<std::size_t>(status.st_size);
        void* map = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
        if (map == MAP_FAILED) {
            die_of_errno(path);
        }
        close(file);
        text_ = {static_cast<const char*>(map), size};
        length_ = text_.find('\n');
        if (lines == 0 || length_ == text_.npos || size < lines * (length_ + 1)) {
            die(fmt::format("{} has fewer than {} lines", path, lines));
        }
    }

    std::string_view at_random(std::mt19937_64& random) const {
        return text_.substr(random() % lines_ * (length_ + 1), length_);
    }

  private:
    std::size_t lines_;
    std::string_view text_;
    std::size_t length_ = 0;
};

// Processor time of processes.
class Processes {
  public:
    void add(int pid) {
        const std::string path = fmt::format("/proc/{}/schedstat", pid);
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file == -1) {
            die_of_errno(path);
        }
        files_.push_back(file);
    }

    nanoseconds used() const {
        nanoseconds sum{0};
        for (const int file : files_) {
            std::array<char, 64> text{};
            if (pread(file, text.data(), text.size() - 1, 0) <= 0) {
                die("a server has ended");
            }
            sum += nanoseconds(std::strtoll(text.data(), nullptr, 10));
        }
        return sum;
    }

  private:
    std::vector<int> files_;
};

// Requests of a slice, made before it begins; they come round again if it needs more.
class Requests {
  public:
    Requests(const std::string& path, const LineList& list, std::size_t count,
             std::mt19937_64& random) {
        const std::string head =
            fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ", path);
        ends_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view line = list.at_random(random);
            const std::size_t space = line.find(' ');
            text_.append(head).append(line.substr(0, space));
            if (space != line.npos) {
                text_.append("\r\nX-Org-Id: ").append(line.substr(space + 1));
            }
            text_.append("\r\n\r\n");
            ends_.push_back(text_.size());
        }
    }

    std::string_view next() {
        const std::size_t begin = next_ == 0 ? 0 : ends_[next_ - 1];
        const std::size_t end = ends_[next_];
        next_ = (next_ + 1) % ends_.size();
        return std::string_view(text_).substr(begin, end - begin);
    }

  private:
    std::string text_;
    std::vector<std::size_t> ends_;
    std::size_t next_ = 0;
};

struct Connection {
    int socket = -1;
    std::size_t received = 0;  // of the present reply
};

class Row {
  public:
    Row(const std::string& text, std::size_t connections) {
        std::istringstream in(text);
        int port = 0;
        std::string list;
        std::size_t lines = 0;
        std::string status;
        in >> port >> path_ >> status >> list >> lines;
        status_line_ = "HTTP/1.1 " + status;
        for (int pid = 0; in >> pid;) {
            processes_.add(pid);
        }
        if (!in.eof() || lines == 0) {
            die(fmt::format("not a row: {}", text));
        }
        list_.emplace(list, lines);
        epoll_ = epoll_create1(EPOLL_CLOEXEC);
        connections_.resize(connections);
        for (Connection& connection : connections_) {
            connect(connection, port);
        }
    }

    // Prints what a slice of that length took.
    void run(milliseconds length, std::mt19937_64& random) {
        const auto most = static_cast<std::size_t>(length / std::chrono::microseconds(1));
        Requests requests(path_, *list_, most, random);
        std::size_t replies = 0;
        const nanoseconds used = processes_.used();
        const auto begun = Clock::now();
        for (const Connection& connection : connections_) {
            send_request(connection, requests);
        }
        for (std::size_t outstanding = connections_.size(); outstanding > 0;) {
            std::array<epoll_event, 64> events{};
            const int count = epoll_wait(epoll_, events.data(), events.size(), 0);
            const auto elapsed = Clock::now() - begun;
            if (elapsed > length + patience) {
                die(fmt::format("{}: no reply for too long", path_));
            }
            for (int i = 0; i < count; ++i) {
                auto& connection = *static_cast<Connection*>(events[i].data.ptr);
                if (!receive(connection)) {
                    continue;
                }
                ++replies;
                if (elapsed < length) {
                    send_request(connection, requests);
                } else {
                    --outstanding;
                }
            }
        }
        const nanoseconds elapsed = Clock::now() - begun;
        usleep(asleep_after);
        fmt::print("{} {} {}\n", replies, elapsed.count(), (processes_.used() - used).count());
        std::fflush(stdout);
    }

  private:
    void connect(Connection& connection, int port) {
        connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int yes = 1;
        setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &connection;
        if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)) == -1 ||
            epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) == -1) {
            die_of_errno(fmt::format("port {}", port));
        }
    }

    static void send_request(const Connection& connection, Requests& requests) {
        const std::string_view request = requests.next();
        if (send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size())) {
            die_of_errno("send");
        }
    }

    // Whether the reply is complete.
    bool receive(Connection& connection) {
        std::array<char, 8192> buffer;
        const ssize_t size = recv(connection.socket, buffer.data(), buffer.size(), 0);
        if (size <= 0) {
            die(fmt::format("{}: the server closed a connection", path_));
        }
        const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
        if (connection.received == 0 && text.substr(0, status_line_.size()) != status_line_) {
            die(fmt::format("{}: \"{}\" rather than {}", path_, text.substr(0, status_line_.size()),
                            status_line_));
        }
        connection.received += text.size();
        if (reply_length_ == 0) {
            reply_length_ = length_of(text);
        }
        if (connection.received > reply_length_) {
            die(fmt::format("{}: replies of different lengths", path_));
        }
        if (connection.received < reply_length_) {
            return false;
        }
        connection.received = 0;
        return true;
    }

    // The first reply's length, which all others have as well.
    std::size_t length_of(std::string_view text) const {
        constexpr std::string_view field = "\r\nContent-Length: ";
        const std::size_t head = text.find("\r\n\r\n");
        if (head == text.npos) {
            die(fmt::format("{}: a reply's header comes in pieces", path_));
        }
        const std::size_t at = text.find(field);
        return head + 4 + (at < head ? std::strtoul(&text[at + field.size()], nullptr, 10) : 0);
    }

    std::string path_;
    std::string status_line_;
    std::optional<LineList> list_;
    Processes processes_;
    std::vector<Connection> connections_;
    int epoll_ = -1;
    std::size_t reply_length_ = 0;
};

}  // namespace
}  // namespace token_auth::bench

int main(int argc, char** argv) {
    using namespace token_auth::bench;
    const int connections = argc == 3 ? std::atoi(argv[2]) : 0;
    std::ifstream file(argc == 3 ? argv[1] : "");
    if (connections <= 0 || !file) {
        die("usage: load ROWS CONNECTIONS");
    }
    std::deque<Row> rows;
    for (std::string line; std::getline(file, line);) {
        rows.emplace_back(line, static_cast<std::size_t>(connections));
    }
    std::mt19937_64 random(1);
    std::size_t row = 0;
    for (long length = 0; std::cin >> row >> length;) {
        if (row >= rows.size() || length <= 0) {
            die(fmt::format("no row {}, or no time", row));
        }
        rows[row].run(milliseconds(length), random);
    }
    return 0;
}
