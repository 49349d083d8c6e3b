// What the operations are told by options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/token_digester.hpp"

namespace token_auth::tokenapi {

// As they stand on the command line.
struct LoginOptions {
    std::vector<std::string> key_files;
    std::vector<std::string> origins;
    std::string sso_header;
    std::string sso_secret_file;
    bool no_passwords = false;
    bool auth_token = false;
    std::string example_url;
    std::string organization_field = "X-Org-Id";
    std::string usage_db = "/var/lib/tokensync/usage.db";
};

// The same, checked and read. Shared by all threads.
class Settings {
  public:
    // base::Error.
    explicit Settings(const LoginOptions& options);
    ~Settings();
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    bool passwords() const { return passwords_; }
    bool auth_token() const { return auth_token_; }
    // The origins that a browser's changes may come from; empty: that of the request's Host.
    const std::vector<std::string>& origins() const { return origins_; }
    // The field that names who has signed on; empty: there is no single sign-on.
    const std::string& sso_header() const { return sso_header_; }
    bool is_sso_secret(std::string_view text) const;
    // What a new token can be tried with (empty: GET /me), and the field that names the
    // organization of a personal one there.
    const std::string& example_url() const { return example_url_; }
    const std::string& organization_field() const { return organization_field_; }
    // Of an SQLite registry's tokensync (registry/reports.hpp).
    const std::string& usage_db() const { return usage_db_; }
    registry::TokenDigester& digester() const { return digester_; }

  private:
    bool passwords_;
    bool auth_token_;
    std::vector<std::string> origins_;
    std::string sso_header_;
    std::string sso_secret_;
    std::string example_url_;
    std::string organization_field_;
    std::string usage_db_;
    mutable registry::TokenDigester digester_;
};

}  // namespace token_auth::tokenapi
