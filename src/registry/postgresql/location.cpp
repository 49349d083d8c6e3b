#include "registry/postgresql/location.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <cstdlib>
#include <map>
#include <memory>

namespace token_auth::registry::postgresql {
namespace {

struct OptionsFreer {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using ConnectionOptions = std::unique_ptr<PQconninfoOption, OptionsFreer>;

using Parameters = std::map<std::string, std::string>;

// They hold if neither the URL nor the environment says otherwise. A peer that vanished is given up
// within half a minute, on an idle connection as well.
const Parameters& defaults() {
    static const Parameters values = {
        {"connect_timeout", "10"},     {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},  {"keepalives_count", "3"},
        {"tcp_user_timeout", "20000"}, {"fallback_application_name", "token-auth"},
    };
    return values;
}

std::string percent_encoded(std::string_view value) {
    std::string out;
    for (const char c : value) {
        out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

base::Error not_understood() {
    return base::Error(
        "--registry is no PostgreSQL URL that libpq understands: write "
        "postgresql://[user@]host[:port]/database[?option=value&...], special characters, also "
        "those of a password, as %XX",
        base::ErrorKind::invalid_argument);
}

// What the URL says, and the defaults for what neither it nor the environment says.
Parameters with_defaults(const ConnectionOptions& options) {
    Parameters values = defaults();
    const ConnectionOptions known(PQconndefaults());
    for (const PQconninfoOption* each = known.get(); each != nullptr && each->keyword != nullptr;
         ++each) {
        if (each->envvar != nullptr && std::getenv(each->envvar) != nullptr) {
            values.erase(each->keyword);
        }
    }
    for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
        if (each->val != nullptr) {
            values[each->keyword] = each->val;
        }
    }
    // What the registry holds is UTF-8, whatever the environment prefers.
    values["client_encoding"] = "UTF8";
    return values;
}

// A URL again: its percent-encoding needs no other quoting.
std::string connection_string(const Parameters& values) {
    std::string url = "postgresql://";
    for (const auto& [name, value] : values) {
        url += (url.back() == '/' ? '?' : '&') + name + '=';
        url += percent_encoded(value);
    }
    return url;
}

// The URL for messages, without a password.
std::string shown(const Parameters& values) {
    const auto part = [&](const char* name) -> std::string {
        const auto found = values.find(name);
        return found == values.end() ? "" : found->second;
    };
    const std::string user = part("user");
    const std::string port = part("port");
    // A password with an unescaped "/" or "@" ends up in these.
    if (part("host").find('@') != std::string::npos ||
        part("dbname").find('@') != std::string::npos ||
        port.find_first_not_of("0123456789,") != std::string::npos) {
        throw not_understood();
    }
    const std::string host = part("host").empty() ? part("hostaddr") : part("host");
    const bool socket = host.starts_with('/');
    std::string url =
        fmt::format("postgresql://{}{}{}/{}", user.empty() ? "" : user + '@', socket ? "" : host,
                    port.empty() ? "" : ':' + port, part("dbname"));
    return socket ? url + "?host=" + host : url;
}

}  // namespace

bool is_url(std::string_view url) {
    return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

Location parse(const std::string& url) {
    char* message = nullptr;
    const ConnectionOptions options(PQconninfoParse(url.c_str(), &message));
    // Not shown: it can hold parts of the URL, and so of a password.
    PQfreemem(message);
    if (!options) {
        throw not_understood();
    }
    const Parameters values = with_defaults(options);
    return {Engine::postgresql, connection_string(values), shown(values)};
}

}  // namespace token_auth::registry::postgresql
