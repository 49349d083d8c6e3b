#include "tokenctl/new_token.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <csignal>
#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
#include "registry/token_policy.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "tokenctl/format.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr const char* never = "never";
constexpr std::int64_t long_life = 366 * 86400;

base::Error invalid(const std::string& text) {
    return base::Error(text, base::ErrorKind::invalid_argument);
}

void print_token(const Context& context, const registry::TokenText& text, const std::string& json) {
    std::string line;
    line.reserve(text.view().size() + json.size() + 16);  // no copy of the token stays behind
    if (context.json) {
        line += "{\"token\":\"";
        line += text.view();
        line += "\",";
        line.append(json, 1);
    } else {
        line += text.view();
    }
    line += '\n';
    const auto wipe = [&] { OPENSSL_cleanse(line.data(), line.size()); };
    try {
        cli::write_out(line);
    } catch (...) {
        wipe();
        throw;
    }
    wipe();
}

}  // namespace

void add_new_token_options(cli::Command command, NewTokenOptions& options,
                           const std::string& default_expiry, const std::string& default_prefix) {
    command.option("--expires", "TIME", options.expires,
                   fmt::format("When it expires: after {}, at {}, or {} (default: {})",
                               base::duration_forms, base::time_forms, never, default_expiry));
    command.option("--prefix", "PREFIX", options.prefix,
                   fmt::format("What its text begins with (default: {})", default_prefix));
    command
        .option("--key", "FILE", options.key_file,
                "Make a keyed digest with the secret in this file; nginx needs the file too")
        .env("TOKEN_AUTH_KEY");
}

std::int64_t expiry_of(const std::string& text, std::int64_t now) {
    if (text == never) {
        return 0;
    }
    const std::int64_t expires = cli::time_or_duration_option("--expires", text, now);
    if (expires <= now) {
        throw invalid(fmt::format("--expires {} is in the past; name a later time, or \"never\"",
                                  base::quoted(text)));
    }
    return expires;
}

void require_valid(const registry::Token& token) {
    if (token.expires != 0 && token.not_before >= token.expires) {
        throw invalid(
            fmt::format("the token would expire ({}) before it is valid (--not-before {}); "
                        "change --expires or --not-before",
                        base::format_time(token.expires), base::format_time(token.not_before)));
    }
    registry::Token complete = token;
    if (complete.id.empty()) {
        complete.id = "id";  // made later
    }
    if (const auto problem = check(complete)) {
        throw invalid(fmt::format("{} {}", problem->field, problem->text));
    }
}

void require_policy(registry::Writer& writer, const registry::Policy& policy,
                    const registry::Token& token, std::uint64_t ended) {
    auto problems = policy_problems(policy, token);
    if (auto limit = limit_problem(writer, policy, token, ended)) {
        problems.push_back(std::move(*limit));
    }
    require_none(token, problems);
}

void require_none(const registry::Token& token, const std::vector<registry::Problem>& problems) {
    if (problems.empty()) {
        return;
    }
    std::string text;
    for (const registry::Problem& problem : problems) {
        text += fmt::format("{}{} {} ({})", text.empty() ? "" : "; ", problem.field, problem.text,
                            problem.rule);
    }
    const std::string whose = token.kind == kind_user
                                  ? "personal tokens, which is that of the system organization"
                                  : "organization " + token.organization;
    throw base::Error(
        fmt::format("{}: so says the policy of {}; `tokenctl org set` changes it", text, whose));
}

void show_token(const Context& context, const registry::TokenText& text, const std::string& json,
                const std::function<std::string()>& undo) {
    ::signal(SIGPIPE, SIG_IGN);  // an error of write() instead, which can be answered
    try {
        print_token(context, text, json);
    } catch (const base::Error& unwritten) {
        std::string done;
        try {
            done = undo();
        } catch (const base::Error& error) {
            done = fmt::format(
                "token {} could not be revoked again ({}); nobody knows it, but run `tokenctl "
                "revoke {}`",
                text.id(), error.what(), text.id());
        }
        throw base::Error(fmt::format("{}; {}", unwritten.what(), done));
    }
}

void tell_of_new_token(const Context& context, const registry::Token& token, std::int64_t now) {
    if (token.expires == 0) {
        cli::warn(
            "this token never expires; one that is rotated in time does less harm if it "
            "leaks");
    } else if (token.expires - now > long_life) {
        cli::warn(
            "this token lives for more than a year; one that is rotated in time does less "
            "harm if it leaks");
    }
    if (context.json) {
        return;
    }
    cli::note(fmt::format("created token {} of {}, expires {}; it is shown only this once",
                          token.id, owner_text(token), expiry_text(token)));
    if (token.digest.key_id != no_key) {
        cli::note(
            fmt::format("its digest is keyed: every nginx that is to let it in needs the key {} in "
                        "token_auth_key",
                        registry::format_key_id(token.digest.key_id)));
    }
    const bool inherits = token.kind == kind_user || !token.predecessor.empty();
    if (!inherits && token.role.empty() && token.scopes.empty()) {
        cli::note(
            "it has neither a role nor scopes, so it is let in only where nginx asks for none; "
            "give "
            "--role or --scope to create one that has");
    }
}

}  // namespace token_auth::tokenctl
