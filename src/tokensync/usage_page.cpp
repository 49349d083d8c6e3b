#include "tokensync/usage_page.hpp"

#include <curl/curl.h>
#include <fmt/core.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "registry/source.hpp"
#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::string_view unix_scheme = "unix:";
constexpr std::string_view http_scheme = "http://";
constexpr std::size_t socket_max = sizeof(sockaddr_un::sun_path) - 1;  // unix(7)
constexpr long connect_seconds = 5;
constexpr long answer_seconds = 20;
// nginx's answers have less than a megabyte, their lines some hundred bytes.
constexpr std::size_t answer_max = 16 << 20;
constexpr std::size_t line_max = 4096;
constexpr const char* no_page =
    "does not answer as token_auth_usage does; name a location that has it";

struct Closer {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, Closer>;

std::size_t append(char* data, std::size_t, std::size_t size, void* to) {
    std::string& body = *static_cast<std::string*>(to);
    if (body.size() + size > answer_max) {
        return 0;  // libcurl takes that for an error
    }
    body.append(data, size);
    return size;
}

int is_ending(void* ending, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(ending)->load() ? 1 : 0;
}

[[noreturn]] void fail(const UsageAddress& address, const std::string& text) {
    throw base::Error(fmt::format("nginx's page {} {}", address.shown, text));
}

std::string why(CURL* handle, CURLcode code) {
    long system = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &system);
    return code == CURLE_COULDNT_CONNECT && system != 0 ? std::strerror(static_cast<int>(system))
                                                        : curl_easy_strerror(code);
}

std::string get(const UsageAddress& address, const std::string& cursor,
                const std::atomic<bool>& ending) {
    const Handle handle(curl_easy_init());
    if (!handle) {
        throw base::Error("libcurl cannot be used: out of memory");
    }
    std::string body;
    CURL* const curl = handle.get();
    curl_easy_setopt(curl, CURLOPT_URL, fmt::format("{}?cursor={}", address.url, cursor).c_str());
    if (!address.socket.empty()) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, address.socket.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_seconds);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, answer_seconds);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_ending);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&ending));
    const CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        throw registry::Stopped();
    }
    if (code == CURLE_WRITE_ERROR) {
        fail(address, no_page);
    }
    if (code != CURLE_OK) {
        fail(address, fmt::format("cannot be read: {}; see whether nginx runs and listens there, "
                                  "and whether this account may reach it",
                                  why(curl, code)));
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        fail(address,
             fmt::format("answers {}; name a location that has token_auth_usage, by a Unix socket "
                         "of nginx unless it is public",
                         status));
    }
    return body;
}

// A member of a line; throws nlohmann's exceptions if there is none of that type.
registry::TokenUse use_of(const base::Json& line) {
    registry::TokenUse use;
    use.time = line.at("time").get<std::int64_t>();
    use.count = line.at("count").get<std::uint64_t>();
    if (!line.at("address").is_null()) {
        use.address = line.at("address").get<std::string>();
    }
    return use;
}

bool is_sound(const std::string& id, const registry::TokenUse& use) {
    Address parsed;
    return is_identifier(id) && use.time >= 0 && use.time <= base::time_max &&
           use.count <= INT64_MAX && (use.address.empty() || parse_address(use.address, parsed));
}

// False if it is none.
bool take_line(std::string_view text, UsageAnswer& answer) {
    const base::Json line = base::Json::parse(text, nullptr, false);
    if (!line.is_object()) {
        return false;
    }
    if (line.contains("cursor")) {
        answer.cursor = line.at("cursor").get<std::string>();
        answer.epoch = line.at("epoch").get<std::string>();
        answer.more = line.at("more").get<bool>();
        answer.lost = line.at("lost").get<std::uint64_t>();
        return answer.cursor.find_first_not_of(
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
                   std::string::npos &&
               answer.lost <= INT64_MAX;
    }
    const auto id = line.at("id").get<std::string>();
    const registry::TokenUse use = use_of(line);
    if (!is_sound(id, use)) {
        return false;
    }
    registry::add_use(answer.uses[id], use);
    return true;
}

}  // namespace

UsageAddress parse_usage_address(const std::string& text) {
    UsageAddress address{text, "", text};
    if (text.starts_with(unix_scheme)) {
        const std::size_t end = text.find(':', unix_scheme.size());
        if (end != std::string::npos) {
            address.socket = text.substr(unix_scheme.size(), end - unix_scheme.size());
            address.url = "http://localhost" + text.substr(end + 1);
        }
    }
    const bool is_unix =
        address.socket.starts_with("/") && address.url.starts_with("http://localhost/");
    const std::size_t path = text.find('/', http_scheme.size());
    const bool is_tcp = address.socket.empty() && text.starts_with(http_scheme) &&
                        path != std::string::npos && path > http_scheme.size();
    const bool is_odd = text.find_first_of("?#@") != std::string::npos ||
                        std::any_of(text.begin(), text.end(), [](char c) { return c <= ' '; });
    if ((!is_unix && !is_tcp) || is_odd) {
        throw base::Error(
            fmt::format("--usage {} is not understood: write unix:/path/of/the/socket:/path or "
                        "http://host:port/path, where nginx has token_auth_usage",
                        base::quoted(text)),
            base::ErrorKind::invalid_argument);
    }
    if (address.socket.size() > socket_max) {
        throw base::Error(
            fmt::format("--usage {}: a Unix socket's path has at most {} bytes; put nginx's into "
                        "another directory",
                        base::quoted(text), socket_max),
            base::ErrorKind::invalid_argument);
    }
    return address;
}

UsageAnswer ask_usage(const UsageAddress& address, const std::string& cursor,
                      const std::atomic<bool>& ending) {
    const std::string body = get(address, cursor, ending);
    UsageAnswer answer;
    bool sound = body.ends_with('\n');
    try {
        for (std::size_t at = 0; sound && at < body.size();) {
            const std::size_t end = body.find('\n', at);
            sound = answer.cursor.empty() && end - at <= line_max &&
                    take_line(std::string_view(body).substr(at, end - at), answer);
            at = end + 1;
        }
    } catch (const base::Json::exception&) {
        sound = false;
    }
    // What begins anew again and again would count without end.
    if (!sound || answer.cursor.empty() || (answer.more && answer.cursor == cursor)) {
        fail(address, no_page);
    }
    return answer;
}

}  // namespace token_auth::tokensync
