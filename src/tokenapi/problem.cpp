#include "tokenapi/problem.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/response.hpp"

namespace token_auth::tokenapi {
namespace {

struct Row {
    ProblemCode code;
    unsigned status;
    const char* name;
    const char* detail;
};

using Code = ProblemCode;

// In the order of the codes.
constexpr Row rows[] = {
    {Code::body_malformed, 400, "body_malformed", "The body is malformed."},
    {Code::query_invalid, 400, "query_invalid", "The query is malformed."},
    {Code::cursor_invalid, 400, "cursor_invalid", "The cursor is not one of this list."},
    {Code::credentials_ambiguous, 400, "credentials_ambiguous",
     "Several credentials are given; give one."},
    {Code::login_failed, 401, "login_failed", "Logging in failed."},
    {Code::session_ended, 401, "session_ended", "The session has ended."},
    {Code::scope_missing, 403, "scope_missing", "A scope is missing."},
    {Code::grant_exceeds, 403, "grant_exceeds", "This grants more than the caller holds."},
    {Code::session_required, 403, "session_required", "This needs a session."},
    {Code::origin_not_allowed, 403, "origin_not_allowed", "This origin is not allowed."},
    {Code::not_found, 404, "not_found", "There is no such thing."},
    {Code::method_not_allowed, 405, "method_not_allowed", "This method is not allowed here."},
    {Code::exists, 409, "exists", "It exists already."},
    {Code::in_use, 409, "in_use", "It is in use."},
    {Code::not_empty, 409, "not_empty", "It is not empty."},
    {Code::not_rotatable, 409, "not_rotatable", "This token cannot be rotated."},
    {Code::token_final, 409, "token_final", "This token does not change any more."},
    {Code::limit_reached, 409, "limit_reached", "A limit is reached."},
    {Code::system_organization, 409, "system_organization", "This is the system's organization."},
    {Code::changed_meanwhile, 412, "changed_meanwhile", "It has changed meanwhile."},
    {Code::body_too_large, 413, "body_too_large", "The body is larger than 64 KiB."},
    {Code::media_type_unsupported, 415, "media_type_unsupported",
     "The body is of an unsupported media type or coding."},
    {Code::fields_invalid, 422, "fields_invalid", "Fields are wrong."},
    {Code::idempotency_key_reused, 422, "idempotency_key_reused",
     "The idempotency key belongs to another request."},
    {Code::throttled, 429, "throttled", "There were too many attempts."},
    {Code::internal_error, 500, "internal_error", "The server failed."},
    {Code::registry_unavailable, 503, "registry_unavailable", "The registry is unavailable."},
    {Code::overloaded, 503, "overloaded", "The server is overloaded."},
};

const Row& row_of(ProblemCode code) {
    return rows[static_cast<std::size_t>(code)];
}

constexpr bool rows_in_order() {
    std::size_t index = 0;
    for (const Row& row : rows) {
        if (static_cast<std::size_t>(row.code) != index++) {
            return false;
        }
    }
    return index == static_cast<std::size_t>(ProblemCode::overloaded) + 1;
}
static_assert(rows_in_order());

constexpr const char* retry_after = "5";  // seconds, as the gateway says
constexpr std::size_t name_shown_max = 64;

}  // namespace

Problem::Problem(ProblemCode code) : Problem(code, row_of(code).detail) {}

Problem::Problem(ProblemCode code, std::string detail)
    : status_(row_of(code).status), name_(row_of(code).name), detail_(std::move(detail)) {
    if (status_ == 503) {
        header("Retry-After", retry_after);
    }
}

Problem::Problem(token_auth::Code refusal, bool challenges)
    : status_(answer(refusal).status),
      name_(answer(refusal).name),
      detail_(answer(refusal).detail) {
    if (challenges) {
        challenge(answer(refusal).error, detail_);
    }
}

Problem& Problem::with(const char* name, std::optional<std::string> value) {
    texts_.emplace_back(name, std::move(value));
    return *this;
}

Problem& Problem::with(const char* name, std::vector<std::string> values) {
    lists_.emplace_back(name, std::move(values));
    return *this;
}

Problem& Problem::header(const char* name, std::string value) {
    headers_.emplace_back(name, std::move(value));
    return *this;
}

Problem& Problem::challenge(std::string_view error, std::string_view detail,
                            std::string_view scope) {
    for (const char* const scheme : {"Bearer", "Token"}) {
        std::string value = fmt::format("{} realm=\"token-auth\"", scheme);
        if (!error.empty()) {
            value += fmt::format(", error=\"{}\", error_description=\"{}\"", error, detail);
        }
        if (!scope.empty()) {
            value += fmt::format(", scope=\"{}\"", scope);
        }
        header("WWW-Authenticate", std::move(value));
    }
    return *this;
}

const char* Problem::what() const noexcept {
    return name_.data();
}

Response Problem::response() const {
    base::Json json = {{"type", "about:blank"},
                       {"title", status_phrase(status_)},
                       {"status", status_},
                       {"detail", detail_},
                       {"code", name_}};
    for (const auto& [name, value] : texts_) {
        json[name] = value ? base::Json(*value) : base::Json();
    }
    for (const auto& [name, values] : lists_) {
        json[name] = values;
    }
    if (!errors_.empty()) {
        base::Json& list = json["errors"] = base::Json::array();
        for (const FieldError& error : errors_) {
            list.push_back({{"field", error.field}, {"detail", error.detail}});
            if (!error.rule.empty()) {
                list.back()["rule"] = error.rule;
            }
        }
    }
    Response response{status_, headers_, base::json_text(json), {}};
    response.headers.emplace_back("Content-Type", "application/problem+json");
    return response;
}

void Errors::add(std::string_view name, std::string detail, std::string rule) {
    if (++count_ <= limits::errors) {
        const bool shown = name.size() <= name_shown_max && !base::may_be_secret(name);
        errors_.push_back(
            {shown ? std::string(name) : base::quoted(name), std::move(detail), std::move(rule)});
    }
}

bool Errors::has(std::string_view name) const {
    return std::any_of(errors_.begin(), errors_.end(),
                       [&](const FieldError& each) { return each.field == name; });
}

void Errors::refuse(ProblemCode code) const {
    if (!empty()) {
        throw problem(code);
    }
}

Problem Errors::problem(ProblemCode code) const {
    Problem problem(
        code, fmt::format(
                  "{} {} wrong.",
                  base::counted(count_, code == ProblemCode::query_invalid ? "parameter" : "field"),
                  count_ == 1 ? "is" : "are"));
    problem.errors_ = errors_;
    return problem;
}

}  // namespace token_auth::tokenapi
