#include "tokenapi/password_check.hpp"

#include <fmt/core.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/accounts.hpp"
#include "registry/password.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::int64_t cleaning_every = 600;  // seconds

registry::Author author_of(const Call& call, const PasswordCheck& check) {
    return {check.given.name, base::now(), check.via, {}, client_address_of(call)};
}

}  // namespace

NameAndPassword parse_credentials(const Call& call) {
    base::Json body = parse_object(call.request.body);
    FieldReader fields(body);
    // Of any length: a wrong one is answered as every wrong one.
    auto name = fields.text("username", limits::body_size, nullptr, Presence::required);
    auto password = fields.text("password", limits::body_size, nullptr, Presence::required);
    NameAndPassword out;
    if (name.value && password.value) {
        out.name = std::move(*name.value);
        out.password = std::move(*password.value);
        auto& text = body["password"].get_ref<std::string&>();
        explicit_bzero(text.data(), text.size());
    }
    fields.finish();
    return out;
}

void begin_check(registry::Writer& writer, const Call& call, PasswordCheck& check) {
    check.tried = {check.given.name, registry::counted_address(call.request.client_address()),
                   writer.now()};
    if (const std::int64_t wait = registry::count_try(writer, check.tried); wait > 0) {
        throw Problem(ProblemCode::throttled).header("Retry-After", std::to_string(wait));
    }
    const auto person = registry::person_to_log_in(writer, check.given.name);
    check.hash = person ? registry::password_hash(writer, person->id) : std::string();
}

void compare(PasswordCheck& check) {
    const bool is_set = !check.hash.empty();
    const bool equal = registry::is_password(check.given.password,
                                             is_set ? check.hash : registry::dummy_password_hash());
    check.is_right = is_set && equal;
}

bool finish_check(registry::Writer& writer, const Call&, const PasswordCheck& check) {
    const std::string& name = check.given.name;
    if (check.is_right) {
        // A new password ends what the old one begins here.
        registry::claim_password(writer, name);
    }
    if (check.is_right && registry::person_to_log_in(writer, name) &&
        registry::password_hash(writer, name) == check.hash) {
        registry::forget_try(writer, check.tried);
        registry::note_log_in(writer, name, check.tried.address);
        return true;
    }
    const auto user = writer.user(name);
    // Whoever measures how long it takes must not learn who is known: the row is written for all.
    const bool known = user && !user->technical;
    writer.log_if(known, "login_failed", "session", name, base::Json::object());
    return false;
}

void drop_check(Call& call, const PasswordCheck& check) {
    call.registry->write(author_of(call, check), [&](registry::Writer& writer) {
        registry::take_try_back(writer, check.tried);
    });
}

Step check_password(Call& call, NameAndPassword given, const char* via, Succeeded succeeded,
                    AddChallenge challenge) {
    auto check = std::make_shared<PasswordCheck>();
    check->given = std::move(given);
    check->via = via;
    call.registry->write(author_of(call, *check),
                         [&](registry::Writer& writer) { begin_check(writer, call, *check); });
    Hashing hashing;
    hashing.work = [check](Call&) { compare(*check); };
    hashing.then = [check, succeeded = std::move(succeeded), challenge](Call& later) -> Step {
        std::optional<Response> response;
        later.registry->write(author_of(later, *check), [&](registry::Writer& writer) {
            response.reset();
            if (finish_check(writer, later, *check)) {
                response = succeeded(later, writer, *writer.user(check->given.name));
            }
        });
        clean_up(later);
        if (!response) {
            Problem problem(ProblemCode::login_failed);
            challenge(problem);
            throw problem;
        }
        return std::move(*response);
    };
    hashing.if_refused = [check](Call& later) { drop_check(later, *check); };
    return hashing;
}

void clean_up(Call& call) {
    static std::atomic<std::int64_t> next{0};
    const std::int64_t now = base::now();
    std::int64_t due = next;
    if (now < due || !next.compare_exchange_strong(due, now + cleaning_every)) {
        return;
    }
    try {
        call.registry->write({"tokenapi", now}, [](registry::Writer& writer) {
            registry::remove_old_tries(writer);
            registry::remove_ended(writer);
        });
    } catch (const Problem&) {
        // The connection has told the log. What was asked for is done.
    }
}

}  // namespace token_auth::tokenapi
