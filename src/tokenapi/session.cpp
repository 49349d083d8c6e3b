// Logging in and out.
#include <utility>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "registry/accounts.hpp"
#include "registry/throttle.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/password_check.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

// Ends the session that came along, so that nobody goes on with one that was there before, and
// begins another one.
Response begin_session(const Call& call, registry::Writer& writer, const registry::User& person) {
    const Credentials credentials = credentials_of(call.request);
    if (credentials.session) {
        registry::end_session(writer, registry::session_key(*credentials.session));
    }
    const std::string id = registry::start_session(writer, person.id);
    writer.log("login", "session", person.id, base::Json::object());
    Response response = json_response(
        200, me_json(registry::identity_of_person(writer, person, registry::rights::Via::session)));
    response.headers.emplace_back("Set-Cookie", session_cookie(id));
    return response;
}

// What all ways to log in ask for first.
void require_page_of_ours(const Call& call) {
    ParameterReader(call.parameters).finish();
    require_own_origin(call.request, *call.settings);
    credentials_of(call.request);
}

}  // namespace

// For a page on which nobody has logged in yet.
Step get_log_in_methods(Call& call) {
    ParameterReader(call.parameters).finish();
    return json_response(200, {{"passwords", call.settings->passwords()},
                               {"sso", !call.settings->sso_header().empty()}});
}

Step log_in(Call& call) {
    if (!call.settings->passwords()) {
        throw Problem(ProblemCode::not_found);
    }
    require_page_of_ours(call);
    return check_password(call, parse_credentials(call), "session", begin_session,
                          [](Problem& problem) { problem.challenge(); });
}

Step log_in_by_sso(Call& call) {
    const Settings& settings = *call.settings;
    if (settings.sso_header().empty()) {
        throw Problem(ProblemCode::not_found);
    }
    require_page_of_ours(call);
    if (!call.request.body.empty()) {
        const base::Json body = parse_object(call.request.body);
        FieldReader(body).finish();
    }
    const auto names = call.request.values(settings.sso_header());
    const auto secrets = call.request.values("X-Sso-Secret");
    if (names.size() != 1 || secrets.size() != 1 || !settings.is_sso_secret(secrets.front()) ||
        !base::is_utf8(names.front())) {
        throw Problem(ProblemCode::login_failed).challenge();
    }
    const std::string name(names.front());
    std::optional<Response> response;
    const registry::Author author{"", base::now(), "session", {}, client_address_of(call)};
    call.registry->write(author, [&](registry::Writer& nobody) {
        response.reset();
        const auto person = registry::person_of_sso(nobody, name);
        if (!person) {
            return;
        }
        registry::Author as = author;
        as.name = person->id;
        registry::Writer writer(nobody.session(), as);
        if (person->disabled) {
            writer.log("login_failed", "session", person->id, base::Json::object());
            return;
        }
        registry::note_log_in(writer, person->id,
                              registry::counted_address(call.request.client_address()));
        response = begin_session(call, writer, *person);
    });
    clean_up(call);
    if (!response) {
        throw Problem(ProblemCode::login_failed).challenge();
    }
    return std::move(*response);
}

Step log_out(Call& call) {
    ParameterReader(call.parameters).finish();
    write_as_caller(call, [](registry::Writer& writer, const registry::Identity& identity) {
        require(identity, registry::rights::Action::use_account);
        registry::end_session(writer, identity.session->key);
        writer.log("logout", "session", identity.user.id, base::Json::object());
    });
    Response response = no_content();
    response.headers.emplace_back("Set-Cookie", ended_session_cookie());
    return response;
}

}  // namespace token_auth::tokenapi
