#include "tokenapi/guarded_call.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.hpp"
#include "base/time.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

namespace rights = registry::rights;

constexpr std::array<std::pair<std::string_view, ProblemCode>, 10> plain_codes{{
    {"not_found", ProblemCode::not_found},
    {"session_required", ProblemCode::session_required},
    {"grant_exceeds", ProblemCode::grant_exceeds},
    {"token_final", ProblemCode::token_final},
    {"system_organization", ProblemCode::system_organization},
    {"exists", ProblemCode::exists},
    {"in_use", ProblemCode::in_use},
    {"not_empty", ProblemCode::not_empty},
    {"not_rotatable", ProblemCode::not_rotatable},
    {"limit_reached", ProblemCode::limit_reached},
}};

Problem scope_missing(const registry::Refusal& refusal, bool by_token) {
    Problem problem(ProblemCode::scope_missing,
                    fmt::format("The scope {} is missing.", refusal.scope));
    problem.with("scope", refusal.scope);
    if (by_token) {
        const Answer& like = answer(Code::scope_missing);
        problem.challenge(like.error, like.detail, refusal.scope);
    }
    return problem;
}

// Whether the caller may not do such a thing at all, whatever the fields say.
bool is_about_caller(const std::string& code) {
    return code == "not_found" || code == "session_required" || code == "organization_suspended" ||
           code == "scope_missing";
}

registry::UsesOf uses_of(Call& call, registry::Reader& reader) {
    return [&](const std::vector<std::string>& ids) {
        return call.registry->uses(reader, call.settings->usage_db(), ids);
    };
}

}  // namespace

void refusals_as_problems(const registry::Identity& identity, const std::function<void()>& body) {
    try {
        body();
    } catch (const registry::Refusal& refusal) {
        throw problem_of(refusal, identity.caller.via == rights::Via::token);
    }
}

Problem problem_of(const registry::Refusal& refusal, bool by_token) {
    if (refusal.code == "scope_missing") {
        return scope_missing(refusal, by_token);
    }
    if (refusal.code == "organization_suspended") {
        return Problem(Code::organization_suspended, by_token);
    }
    if (refusal.code == "fields_invalid") {
        Errors errors;
        for (const registry::Problem& each : refusal.errors) {
            errors.add(each.field, each.text, each.rule);
        }
        return errors.problem(ProblemCode::fields_invalid);
    }
    const auto* const found =
        std::find_if(plain_codes.begin(), plain_codes.end(),
                     [&](const auto& each) { return each.first == refusal.code; });
    if (found == plain_codes.end()) {
        throw base::Error("no problem is named " + refusal.code);
    }
    Problem problem = refusal.lacks_key
                          ? Problem(found->second,
                                    "Its digest is keyed, and the server has not been given a key.")
                          : Problem(found->second);
    if (refusal.code == "grant_exceeds") {
        problem.with("scopes", refusal.scopes);
    } else if (refusal.code == "not_rotatable") {
        problem.with("successor",
                     refusal.successor.empty() ? std::nullopt : std::optional(refusal.successor));
    } else if (refusal.code == "limit_reached") {
        problem.with("rule", refusal.errors.front().rule);
    }
    return problem;
}

void read_guarded(Call& call, const std::function<void(registry::GuardedReader&)>& body) {
    read_as_caller(call, [&](registry::Reader& reader, const registry::Identity& identity) {
        refusals_as_problems(identity, [&] {
            registry::GuardedReader guarded(reader, identity.caller, base::now());
            guarded.ask_for_uses(uses_of(call, reader));
            body(guarded);
        });
    });
}

void write_guarded(Call& call, const std::function<void(registry::GuardedWriter&)>& body) {
    write_as_caller(call, [&](registry::Writer& writer, const registry::Identity& identity) {
        refusals_as_problems(identity, [&] {
            registry::GuardedWriter guarded(writer, identity.caller);
            guarded.ask_for_uses(uses_of(call, writer));
            body(guarded);
        });
    });
}

void run_with(FieldReader& fields, const std::function<void()>& operation) {
    try {
        operation();
    } catch (const registry::Refusal& refusal) {
        for (const registry::Problem& each : refusal.errors) {
            if (refusal.code == "fields_invalid") {
                fields.wrong_too(each.field, each.text, each.rule);
            }
        }
        if (!is_about_caller(refusal.code)) {
            fields.finish();
        }
        throw;
    }
    fields.finish();
}

void require_uses(Call& call) {
    bool told = false;
    call.registry->read([&](registry::Reader& reader) {
        told = call.registry->uses_are_told(reader, call.settings->usage_db());
    });
    if (!told) {
        Errors errors;
        errors.add("unused", "is not known: no nginx host tells when tokens were used");
        errors.refuse(ProblemCode::query_invalid);
    }
}

base::Json text_or_null(const std::string& text) {
    return text.empty() ? base::Json() : base::Json(text);
}

base::Json time_or_null(std::int64_t time) {
    return time == 0 ? base::Json() : base::Json(base::format_time(time));
}

}  // namespace token_auth::tokenapi
