#include "tokenapi/settings.hpp"

#include <fmt/core.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/secret_file.hpp"
#include "registry/password.hpp"
#include "token_auth/digest.hpp"

namespace token_auth::tokenapi {
namespace {

[[noreturn]] void misused(const std::string& text) {
    throw base::Error(text, base::ErrorKind::invalid_argument);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

// As browsers write it: a scheme, a host and perhaps a port, in lower case.
std::string origin_of(const std::string& text) {
    const std::string origin = lower(text);
    const std::size_t scheme = origin.starts_with("https://")  ? 8
                               : origin.starts_with("http://") ? 7
                                                               : 0;
    const bool sound = scheme != 0 && scheme < origin.size() &&
                       origin.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:[]",
                                                scheme) == std::string::npos;
    if (!sound) {
        misused(
            fmt::format("--origin {} is none: write https://console.example.com, without a path",
                        base::quoted(text)));
    }
    return origin;
}

// RFC 9110 section 5.1: a token.
std::string field_name_of(std::string_view option, const std::string& text,
                          std::string_view example) {
    const bool sound = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_';
    });
    if (!sound || text.empty()) {
        misused(fmt::format("{} {} is no name of a field: write {}", option, base::quoted(text),
                            example));
    }
    return text;
}

// Pages show it in a line for a shell, in single quotes: RFC 3986 has it without them.
std::string url_of(const std::string& text) {
    const bool sound =
        (text.starts_with("https://") || text.starts_with("http://")) &&
        std::all_of(text.begin(), text.end(), [](unsigned char c) {
            return std::isalnum(c) != 0 || std::strchr("-._~:/?#[]@!$&()*+,;=%", c) != nullptr;
        });
    if (!sound) {
        misused(fmt::format("--example-url {} is none: write https://api.example.com/v1/agents",
                            base::quoted(text)));
    }
    return text;
}

std::string secret_of(const std::string& path) {
    const base::SecretFile file(path, key_file_max);
    const std::string shown = base::redacted_path(path);  // it may be the secret itself
    if (file.error() != 0) {
        throw base::Error(fmt::format(
            "the file of --sso-secret, {}, cannot be read: {}; check the path and its permissions",
            shown, std::strerror(file.error())));
    }
    const std::string_view secret = key_of_file(file.content());
    if (secret.empty()) {
        throw base::Error(
            fmt::format("the file of --sso-secret, {}, holds no secret: it must be {} to {} bytes, "
                        "such as `openssl rand -hex 32` makes",
                        shown, key_min, key_max));
    }
    return std::string(secret);
}

}  // namespace

Settings::Settings(const LoginOptions& options)
    : passwords_(!options.no_passwords),
      auth_token_(options.auth_token),
      organization_field_(
          field_name_of("--organization-field", options.organization_field, "X-Org-Id")),
      usage_db_(options.usage_db),
      digester_(options.key_files) {
    for (const std::string& origin : options.origins) {
        origins_.push_back(origin_of(origin));
    }
    if (options.sso_header.empty() != options.sso_secret_file.empty()) {
        misused("--sso-header and --sso-secret go together: give both, or none");
    }
    if (options.no_passwords && options.auth_token) {
        misused("--auth-token needs passwords: leave --no-passwords out, or --auth-token");
    }
    if (!options.sso_header.empty()) {
        sso_header_ = field_name_of("--sso-header", options.sso_header, "X-Remote-User");
        sso_secret_ = secret_of(options.sso_secret_file);
    }
    if (!options.example_url.empty()) {
        example_url_ = url_of(options.example_url);
    }
    if (passwords_) {
        // Now, so that the first one who has none does not wait for it.
        registry::dummy_password_hash();
    }
}

Settings::~Settings() {
    OPENSSL_cleanse(sso_secret_.data(), sso_secret_.size());
}

bool Settings::is_sso_secret(std::string_view text) const {
    return text.size() == sso_secret_.size() &&
           CRYPTO_memcmp(text.data(), sso_secret_.data(), text.size()) == 0;
}

}  // namespace token_auth::tokenapi
