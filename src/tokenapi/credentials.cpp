#include "tokenapi/credentials.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/text.hpp"
#include "registry/accounts.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::string_view cookie_name = "__Host-token_auth";
constexpr std::string_view cookie_attributes = "Secure; HttpOnly; SameSite=Strict";

bool equal_without_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    const std::size_t end = text.find_last_not_of(" \t");
    return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

// Takes a value in; another one beside it is ambiguous.
void take(std::optional<std::string_view>& into, std::string_view value) {
    if (into && *into != value) {
        throw Problem(ProblemCode::credentials_ambiguous);
    }
    into = value;
}

// Hosts whose http:// browsers take for safe.
bool is_localhost(std::string_view host) {
    const bool bracketed = host.starts_with('[');
    const std::size_t end = bracketed ? host.find(']') : host.find(':');
    const std::string_view name = bracketed ? host.substr(0, std::min(end, host.size() - 1) + 1)
                                            : host.substr(0, std::min(end, host.size()));
    return equal_without_case(name, "localhost") || name == "127.0.0.1" || name == "[::1]";
}

bool is_of_host(std::string_view origin, std::string_view host) {
    constexpr std::string_view https = "https://";
    constexpr std::string_view http = "http://";
    return !host.empty() &&
           (equal_without_case(origin, fmt::format("{}{}", https, host)) ||
            (is_localhost(host) && equal_without_case(origin, fmt::format("{}{}", http, host))));
}

bool is_own(std::string_view origin, const Request& request, const Settings& settings) {
    const auto& origins = settings.origins();
    if (!origins.empty()) {
        return std::any_of(origins.begin(), origins.end(),
                           [&](const std::string& own) { return equal_without_case(own, origin); });
    }
    const auto hosts = request.values("Host");
    return hosts.size() == 1 && is_of_host(origin, hosts.front());
}

}  // namespace

Credentials credentials_of(const Request& request) {
    Credentials out;
    for (std::string_view rest : request.values("Cookie")) {
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = trimmed(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const std::size_t equals = pair.find('=');
            if (equals != std::string_view::npos && pair.substr(0, equals) == cookie_name) {
                take(out.session, pair.substr(equals + 1));
            }
        }
    }
    for (const std::string_view value : request.values("Authorization")) {
        take(out.authorization, value);
    }
    if (out.session && out.authorization) {
        throw Problem(ProblemCode::credentials_ambiguous);
    }
    return out;
}

void require_own_origin(const Request& request, const Settings& settings) {
    const auto origins = request.values("Origin");
    const auto sites = request.values("Sec-Fetch-Site");
    const bool own = origins.empty()
                         ? sites.size() == 1 && sites.front() == "same-origin"
                         : origins.size() == 1 && is_own(origins.front(), request, settings);
    if (!own) {
        throw Problem(ProblemCode::origin_not_allowed);
    }
}

std::string session_cookie(std::string_view id) {
    return fmt::format("{}={}; Path=/; Max-Age={}; {}", cookie_name, id, registry::session_life,
                       cookie_attributes);
}

std::string ended_session_cookie() {
    return fmt::format("{}=; Path=/; Max-Age=0; {}", cookie_name, cookie_attributes);
}

NameAndPassword::~NameAndPassword() {
    explicit_bzero(password.data(), password.size());
}

std::optional<NameAndPassword> parse_basic(std::string_view authorization) {
    constexpr std::string_view scheme = "Basic";
    const std::size_t space = std::min(authorization.find(' '), authorization.size());
    if (!equal_without_case(authorization.substr(0, space), scheme)) {
        return std::nullopt;
    }
    const std::string_view encoded = trimmed(authorization.substr(space));
    // Whole groups of four, as RFC 7617 has them.
    NameAndPassword out;
    out.password.resize(encoded.size() / 4 * 3 + 1);
    const int size = encoded.empty() || encoded.size() % 4 != 0
                         ? -1
                         : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.password.data()),
                                           reinterpret_cast<const unsigned char*>(encoded.data()),
                                           static_cast<int>(encoded.size()));
    if (size < 0) {
        throw Problem(Code::request_malformed);
    }
    // EVP_DecodeBlock() counts padding as zero bytes.
    const auto padding =
        static_cast<std::size_t>(std::count(encoded.end() - 2, encoded.end(), '='));
    const std::string_view decoded(out.password.data(), static_cast<std::size_t>(size) - padding);
    const std::size_t colon = decoded.find(':');
    if (colon == std::string_view::npos || !base::is_utf8(decoded)) {
        throw Problem(Code::request_malformed);
    }
    out.name = decoded.substr(0, colon);
    std::string password(decoded.substr(colon + 1));
    out.password.swap(password);
    explicit_bzero(password.data(), password.size());
    return out;
}

}  // namespace token_auth::tokenapi
