// What a request is refused with.
//
// Source: RFC 9457 (problem documents), RFC 9110 section 15 (statuses and their phrases).
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_fwd.hpp"
#include "token_auth/answer.hpp"

namespace token_auth::tokenapi {

struct Response;

enum class ProblemCode {
    body_malformed,
    query_invalid,
    cursor_invalid,
    credentials_ambiguous,
    login_failed,
    session_ended,
    scope_missing,
    grant_exceeds,
    session_required,
    origin_not_allowed,
    not_found,
    method_not_allowed,
    exists,
    in_use,
    not_empty,
    not_rotatable,
    token_final,
    limit_reached,
    system_organization,
    changed_meanwhile,
    body_too_large,
    media_type_unsupported,
    fields_invalid,
    idempotency_key_reused,
    throttled,
    internal_error,  // a fault of this program; standard error tells more
    registry_unavailable,
    overloaded,
};

// A field or parameter that is wrong: `detail` is a clause such as "must be 1 to 255 bytes", and
// holds none of the value. `rule` names the policy's rule, if it is one that is broken.
struct FieldError {
    std::string field;
    std::string detail;
    std::string rule{};
};

// Thrown by whatever refuses; the dispatcher makes the answer.
class Problem : public std::exception {
  public:
    explicit Problem(ProblemCode code);
    Problem(ProblemCode code, std::string detail);
    // What nginx would refuse a token with; with its challenges, if a token is what is refused.
    explicit Problem(token_auth::Code refusal, bool challenges = true);

    // Members behind those that all problems have, in the order added.
    Problem& with(const char* name, std::optional<std::string> value);  // none: null
    Problem& with(const char* name, std::vector<std::string> values);
    // A field of the answer's header.
    Problem& header(const char* name, std::string value);
    // WWW-Authenticate, a field for each scheme of tokens: `error` and `detail` as RFC 6750 has
    // them, no error: who calls is not known; `scope`: what is missing, if that is it.
    Problem& challenge(std::string_view error = {}, std::string_view detail = {},
                       std::string_view scope = {});

    const char* what() const noexcept override;
    Response response() const;

  private:
    friend class Errors;

    unsigned status_;
    std::string_view name_;  // of static storage
    std::string detail_;
    std::vector<std::pair<std::string, std::vector<std::string>>> lists_;
    std::vector<std::pair<std::string, std::optional<std::string>>> texts_;
    std::vector<std::pair<std::string, std::string>> headers_;
    std::vector<FieldError> errors_;
};

// What is wrong with a body's fields or with parameters, all at once.
class Errors {
  public:
    // `name` came with the request: one that could be a secret is not repeated.
    void add(std::string_view name, std::string detail, std::string rule = {});

    bool empty() const noexcept { return count_ == 0; }
    // Whether something is wrong with that one.
    bool has(std::string_view name) const;
    Problem problem(ProblemCode code) const;
    // Throws the problem (fields_invalid, query_invalid) if there are any.
    void refuse(ProblemCode code) const;

  private:
    std::vector<FieldError> errors_;  // the first ones
    std::size_t count_ = 0;
};

}  // namespace token_auth::tokenapi
