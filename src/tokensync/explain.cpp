#include "tokensync/explain.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/secret_file.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/secret_line.hpp"
#include "cli/time_options.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "store_writer/error.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/file_remedy.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "token_auth/text.hpp"
#include "tokensync/explain_text.hpp"

namespace token_auth::tokensync {
namespace {

[[noreturn]] void misused(const std::string& text) {
    throw base::Error(text, base::ErrorKind::invalid_argument);
}

// The question with its words understood. Views are of the question.
struct Asked {
    Requirements requirements;
    std::string_view organization;
    std::vector<std::string_view> groups;
    std::vector<std::string_view> roles;
    std::vector<std::string_view> scopes;
    std::vector<std::string_view> scopes_any;
    Address client;
    std::int64_t now = 0;
    std::optional<std::int64_t> max_age;
};

Words words_of(const std::vector<std::string>& texts, IfEmpty if_empty,
               std::vector<std::string_view>& words) {
    const std::vector<std::string_view> values(texts.begin(), texts.end());
    words.resize(words_max(values.data(), values.size()));
    return split_words(values.data(), values.size(), if_empty, words.data());
}

template <typename Predicate>
void require_words(const char* option, const Words& words, const char* what, Predicate holds) {
    for (const std::string_view word : words) {
        if (!holds(word)) {
            misused(fmt::format("{} {} is not {}", option, base::quoted(word), what));
        }
    }
}

OrganizationMode mode_of(const std::string& name) {
    if (name == "required") {
        return OrganizationMode::required;
    }
    if (name == "optional") {
        return OrganizationMode::optional;
    }
    if (name == "off") {
        return OrganizationMode::off;
    }
    misused(fmt::format("--org-mode {} is not known: write required, optional or off",
                        base::quoted(name)));
}

unsigned kinds_of(const std::vector<std::string>& names) {
    unsigned kinds = 0;
    for (const std::string& name : names) {
        Kind kind{};
        if (!kind_of_name(name, kind)) {
            misused(fmt::format("--kind {} is not known: write organization, group or user",
                                base::quoted(name)));
        }
        kinds |= kind;
    }
    return names.empty() ? kinds_all : kinds;
}

void understand(const Question& question, Asked& asked) {
    Requirements& requirements = asked.requirements;
    requirements.kinds = kinds_of(question.kinds);
    requirements.organization_mode = mode_of(question.organization_mode);
    asked.organization = question.organization;
    requirements.groups = words_of(question.groups, IfEmpty::met_by_nobody, asked.groups);
    requirements.roles = words_of(question.roles, IfEmpty::met_by_nobody, asked.roles);
    requirements.scopes = words_of(question.scopes, IfEmpty::nothing_is_required, asked.scopes);
    requirements.scopes_any =
        words_of(question.scopes_any, IfEmpty::nothing_is_required, asked.scopes_any);
    require_words("--group", requirements.groups, "a group: write GROUP or ORG/GROUP", is_group);
    require_words("--role", requirements.roles, "a role's name", is_identifier);
    require_words("--scope", requirements.scopes, "a scope", is_scope);
    require_words("--scope-any", requirements.scopes_any, "a scope", is_scope);
    if (!question.address.empty() && !parse_address(question.address, asked.client)) {
        misused(fmt::format("--address {} is no IP address: write 192.0.2.1 or 2001:db8::1",
                            base::quoted(question.address)));
    }
    asked.now = question.at.empty() ? base::now() : cli::time_option("--at", question.at);
    if (!question.max_age.empty()) {
        asked.max_age = cli::duration_option("--max-age", question.max_age);
    }
}

void add_key(Digester& digester, const std::string& file) {
    const base::SecretFile content(file, key_file_max);
    if (content.error() != 0) {
        throw base::Error(
            fmt::format("cannot read the key file {}: {}; {}", file, std::strerror(content.error()),
                        file_remedy(content.error(), "check its path and its permissions")));
    }
    const std::string_view key = key_of_file(content.content());
    if (key.empty() || !digester.add_key(key)) {
        throw base::Error(
            fmt::format("the key file {} cannot be taken: a key is {} to {} bytes, and there are "
                        "at most {} of them",
                        file, key_min, key_max, keys_max));
    }
}

// The credential in a line: the value of an Authorization field, or a bare token.
Credential credential_of(std::string_view line) {
    const auto is = [line](std::string_view scheme) {
        return line.size() == scheme.size() &&
               std::equal(line.begin(), line.end(), scheme.begin(), [](char a, char b) {
                   return std::tolower(static_cast<unsigned char>(a)) == b;
               });
    };
    if (line.find(' ') != std::string_view::npos || is("bearer") || is("token")) {
        return parse_authorization(line, scheme_bearer | scheme_token);
    }
    return parse_bare(line);
}

struct Finding {
    Code code = Code::ok;
    std::string why;
    Claims claims{};
    std::string scopes;  // effective
    std::string subject;
    std::uint64_t generation = 0;
    std::string id_in_token;  // of a token that the store does not hold
    bool typo = false;
    std::int64_t synced = 0;  // milliseconds; 0: the store was not asked
    std::optional<bool> behind;
    std::string unasked;  // why that is not known
};

// Whether anything changed.
class AnyChange final : public registry::Sink {
  public:
    struct Found {};
    void put(const registry::Organization&) override { throw Found(); }
    void put(const registry::Role&) override { throw Found(); }
    void put(const registry::Token&) override { throw Found(); }
    void put_memberships(const std::string&, const std::vector<registry::MemberOf>&) override {
        throw Found();
    }
    void gone_organization(const std::string&) override { throw Found(); }
    void gone_role(const std::string&) override { throw Found(); }
    void gone_token(const Digest&) override { throw Found(); }
    void leave_out(const registry::BadRow&) override { throw Found(); }
};

// Whether the registry has changes that the store has not.
void compare_with_registry(const StoreMeta& meta, const OpenSource& open, Finding& finding) {
    const std::string position(meta.position);
    const std::string identity(meta.source);
    finding.synced = meta.synced;
    if (identity.starts_with("file-")) {
        finding.unasked = "the store is of a file; see \"tokensync check --source FILE\"";
        return;
    }
    try {
        const auto source = open();
        if (source->identity() != identity) {
            finding.unasked = "it is another one than the store is of; check --registry";
            return;
        }
        AnyChange any;
        try {
            finding.behind = !source->changes(position, any);
        } catch (const AnyChange::Found&) {
            finding.behind = true;
        }
    } catch (const std::runtime_error& error) {
        finding.unasked = error.what();
    }
}

std::string store_text(const Finding& finding, const std::string& path) {
    const std::string synced = base::format_time(finding.synced / 1000);
    if (!finding.behind) {
        return fmt::format("last synced at {}; the registry cannot be asked: {}", synced,
                           finding.unasked);
    }
    return *finding.behind
               ? fmt::format(
                     "behind the registry, which has changed since {}: run \"tokensync run --db "
                     "{}\", and see that \"tokensync watch\" is running",
                     synced, path)
               : "up to date with the registry";
}

[[noreturn]] void fail_store(const std::string& path, const Store& store) {
    throw store_writer::StoreError(fmt::format("the store {}: {}", path, store.problem()));
}

std::string_view why_no_credential(Code code) {
    switch (code) {
        case Code::credentials_missing:
            return "the line is empty, or is of a scheme other than Bearer and Token";
        case Code::request_malformed:
            return "there is a scheme, but no well-formed token behind it";
        default:
            return "the token holds a character that is not allowed in tokens, or is longer than "
                   "4096 "
                   "bytes";
    }
}

Code code_of(CredentialStatus status) {
    switch (status) {
        case CredentialStatus::missing:
            return Code::credentials_missing;
        case CredentialStatus::malformed_request:
            return Code::request_malformed;
        case CredentialStatus::malformed_token:
            return Code::token_malformed;
        case CredentialStatus::well_formed:
            break;
    }
    return Code::ok;
}

// Why a store is stale; "" if it is not.
std::string why_stale(std::int64_t synced, const Asked& asked) {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
    // Asked for in words, 0 is no way to ask for nothing, as it is in nginx.
    const bool stale = asked.max_age &&
                       (*asked.max_age == 0 ? synced < now : is_stale(synced, now, *asked.max_age));
    if (!stale) {
        return {};
    }
    return synced > now ? fmt::format(
                              "the last completed sync was {} in the future; set the "
                              "clock right and run \"tokensync run\"",
                              base::format_duration((synced - now) / 1000))
                        : fmt::format("the last completed sync was {} ago, longer than --max-age",
                                      base::format_duration((now - synced) / 1000));
}

// Fills `finding`, whose views are of the store until it is read again.
void decide_in(Store& store, Digester& digester, std::string_view token, const Question& question,
               const Asked& asked, Finding& finding) {
    Identify identify(digester, token, asked.requirements.organization_mode, asked.organization);
    if (store.read(identify) == Lookup::broken) {
        fail_store(question.store, store);
    }
    finding.generation = identify.generation;
    finding.why = why_stale(identify.synced, asked);
    if (!finding.why.empty()) {
        finding.code = Code::store_stale;
        return;
    }
    finding.claims = identify.claims;
    if (!finding.claims.known && identify.missing_key != no_key) {
        throw base::Error(
            fmt::format("cannot decide: the token is not found without the key {}, under which "
                        "the store holds tokens; give its file with --key",
                        registry::format_key_id(identify.missing_key)));
    }
    if (!finding.claims.known && identify.no_digest) {
        throw base::Error("cannot make the token's digest: libcrypto failed; check its setup");
    }
    const Words* unmet = nullptr;
    finding.code = decide(finding.claims, asked.requirements, asked.organization, asked.now,
                          asked.client, unmet);
    if (finding.code == Code::token_unknown) {
        const auto reading = registry::read_token_text(token);
        finding.id_in_token = reading ? reading->id : "";
        finding.typo = reading && !reading->check_fits;
        finding.why = reason_unknown(token);
        return;
    }
    finding.why = reason(finding.code, finding.claims, asked.requirements, unmet,
                         asked.organization, asked.now, question.address);
    if (finding.claims.known) {
        const ScopeSets sets = scope_sets(finding.claims);
        finding.scopes.resize(effective_scopes_size(sets));
        finding.scopes.resize(effective_scopes(sets, finding.scopes.data()));
        char subject[subject_max];
        finding.subject = subject_of(finding.claims.token, subject);
    }
}

std::string expiry(const TokenView& token) {
    return token.expires() == 0 ? "never" : base::format_time(token.expires());
}

void print(const Finding& finding, const std::string& path) {
    const Answer& answered = answer(finding.code);
    const TokenView& token = finding.claims.token;
    std::string text;
    const auto line = [&text](std::string_view name, std::string_view value) {
        if (!value.empty()) {
            text += fmt::format("{:<14}{}\n", name, base::printable(value));
        }
    };
    line("decision", answered.name);
    line("status", answered.status == 0 ? "let through" : std::to_string(answered.status));
    line("detail", answered.detail);
    if (finding.claims.known) {
        line("token", token.id());
        line("name", token.name());
        line("kind", kind_name(token.kind()));
        line("subject", finding.subject);
        line("organization", finding.claims.organization);
        line("group", token.group());
        line("role", finding.claims.role);
        line("scopes", finding.scopes);
        line("expires", expiry(token));
    }
    if (finding.generation != 0) {
        line("generation", std::to_string(finding.generation));
    }
    if (finding.synced != 0) {
        line("store", store_text(finding, path));
    }
    line("id in token", finding.id_in_token);
    line("reason", finding.why);
    cli::write_out(text);
}

void print_json(const Finding& finding) {
    const Answer& answered = answer(finding.code);
    const TokenView& token = finding.claims.token;
    base::Json json;
    json["decision"] = std::string(answered.name);
    json["status"] = answered.status;
    json["detail"] = std::string(answered.detail);
    if (finding.claims.known) {
        json["token"] = std::string(token.id());
        json["name"] = std::string(token.name());
        json["kind"] = std::string(kind_name(token.kind()));
        json["subject"] = finding.subject;
        json["organization"] = std::string(finding.claims.organization);
        json["group"] = std::string(token.group());
        json["role"] = std::string(finding.claims.role);
        json["scopes"] = finding.scopes;
        json["expires"] = expiry(token);
    }
    json["generation"] = finding.generation;
    if (finding.synced != 0) {
        json["synced"] = base::format_time(finding.synced / 1000);
        json["behind"] = finding.behind ? base::Json(*finding.behind) : base::Json();
    }
    if (!finding.id_in_token.empty()) {
        json["id_in_token"] = finding.id_in_token;
        json["typo"] = finding.typo;
    }
    json["reason"] = finding.why;
    cli::print_json(json);
}

}  // namespace

void explain(const Question& question, const OpenSource& open_registry) {
    Asked asked;
    understand(question, asked);
    Digester digester;
    if (!digester.init()) {
        throw base::Error("libcrypto has no SHA-256; check the OpenSSL setup of this host");
    }
    for (const std::string& file : question.key_files) {
        add_key(digester, file);
    }

    const cli::SecretLine line("token", "Token: ");
    const Credential credential = credential_of(line.text());
    Finding finding;
    if (credential.status != CredentialStatus::well_formed) {
        finding.code = code_of(credential.status);
        finding.why = why_no_credential(finding.code);
        question.json ? print_json(finding) : print(finding, question.store);
        return;
    }
    const auto store = std::make_unique<Store>();
    if (!store->open(question.store.c_str())) {
        fail_store(question.store, *store);
    }
    decide_in(*store, digester, credential.token, question, asked, finding);
    compare_with_registry(store->meta(), open_registry, finding);
    question.json ? print_json(finding) : print(finding, question.store);
}

}  // namespace token_auth::tokensync
