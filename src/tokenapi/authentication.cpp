#include "tokenapi/authentication.hpp"

#include <fmt/core.h>

#include <utility>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/accounts.hpp"
#include "token_auth/credential.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

namespace rights = registry::rights;
using base::Json;
using registry::Identity;

Identity by_token(registry::Reader& reader, const Call& call, std::string_view field,
                  std::int64_t now) {
    const Credential credential = parse_authorization(field, scheme_bearer | scheme_token);
    switch (credential.status) {
        case CredentialStatus::missing:
            throw Problem(Code::credentials_missing);
        case CredentialStatus::malformed_request:
            throw Problem(Code::request_malformed);
        case CredentialStatus::malformed_token:
            throw Problem(Code::token_malformed);
        case CredentialStatus::well_formed:
            break;
    }
    Address client;
    parse_address(call.request.client_address(), client);
    auto found = registry::identity_of_token(reader, call.settings->digester(), credential.token,
                                             now, client);
    if (!found.identity) {
        throw Problem(found.code);
    }
    return std::move(*found.identity);
}

Identity by_session(registry::Reader& reader, std::string_view id, std::int64_t now) {
    auto session = registry::find_session(reader, registry::session_key(id), now);
    const auto person = session ? reader.user(session->user) : std::nullopt;
    if (!person) {
        throw Problem(ProblemCode::session_ended).challenge();
    }
    Identity identity = registry::identity_of_person(reader, *person, rights::Via::session);
    identity.session = std::move(session);
    return identity;
}

// What can be said before the registry is asked.
Credentials checked_credentials(const Call& call) {
    Credentials credentials = credentials_of(call.request);
    if (!credentials.session && !credentials.authorization) {
        throw Problem(Code::credentials_missing);
    }
    const std::string& method = call.request.method;
    if (credentials.session && method != "GET" && method != "HEAD") {
        require_own_origin(call.request, *call.settings);
    }
    return credentials;
}

Identity identify(registry::Reader& reader, const Call& call, const Credentials& credentials,
                  std::int64_t now) {
    return credentials.session ? by_session(reader, *credentials.session, now)
                               : by_token(reader, call, *credentials.authorization, now);
}

bool is_use_to_note(const Identity& identity, std::int64_t now) {
    return identity.session && identity.session->used + registry::session_use_step <= now;
}

Json scopes_json(const std::vector<std::string_view>& scopes) {
    Json out = Json::array();
    for (const std::string_view scope : scopes) {
        out.push_back(scope);
    }
    return out;
}

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

}  // namespace

void read_as_caller(Call& call,
                    const std::function<void(registry::Reader&, const registry::Identity&)>& body) {
    const Credentials credentials = checked_credentials(call);
    const std::int64_t now = base::now();
    Identity identity;
    call.registry->read([&](registry::Reader& reader) {
        identity = identify(reader, call, credentials, now);
        body(reader, identity);
    });
    if (!is_use_to_note(identity, now)) {
        return;
    }
    try {
        call.registry->write(
            registry::author_of(identity.caller, now, client_address_of(call)),
            [&](registry::Writer& writer) { registry::note_use(writer, *identity.session); });
    } catch (const Problem&) {
        // What was asked for has been read.
    }
}

void write_as_caller(
    Call& call, const std::function<void(registry::Writer&, const registry::Identity&)>& body) {
    const Credentials credentials = checked_credentials(call);
    const std::int64_t now = base::now();
    call.registry->write({"", now}, [&](registry::Writer& nobody) {
        const Identity identity = identify(nobody, call, credentials, now);
        registry::Writer writer(nobody.session(),
                                registry::author_of(identity.caller, now, client_address_of(call)));
        if (is_use_to_note(identity, now)) {
            registry::note_use(writer, *identity.session);
        }
        body(writer, identity);
    });
}

void require(const registry::Identity& identity, const rights::Request& request) {
    const rights::Decision decision = rights::authorize(identity.caller, request);
    const bool by_token = identity.caller.via == rights::Via::token;
    switch (decision.code) {
        case rights::Code::ok:
            return;
        case rights::Code::not_found:
            throw Problem(ProblemCode::not_found);
        case rights::Code::session_required:
            throw Problem(ProblemCode::session_required);
        case rights::Code::organization_suspended:
            throw Problem(Code::organization_suspended, by_token);
        case rights::Code::scope_missing: {
            Problem problem(ProblemCode::scope_missing,
                            fmt::format("The scope {} is missing.", decision.scope));
            problem.with("scope", std::string(decision.scope));
            if (by_token) {
                const Answer& like = answer(Code::scope_missing);
                problem.challenge(like.error, like.detail, decision.scope);
            }
            throw problem;
        }
        case rights::Code::grant_exceeds:
            throw Problem(ProblemCode::grant_exceeds).with("scopes", decision.scopes);
        case rights::Code::fields_invalid: {
            Errors errors;
            errors.add(decision.field, "must not be named here");
            errors.refuse(ProblemCode::fields_invalid);
            return;
        }
        case rights::Code::token_final:
            throw Problem(ProblemCode::token_final);
        case rights::Code::system_organization:
            throw Problem(ProblemCode::system_organization);
    }
}

void require(const registry::Identity& identity, rights::Action action) {
    rights::Request request;
    request.action = action;
    require(identity, request);
}

std::string client_address_of(const Call& call) {
    Address address;
    const std::string_view text = call.request.client_address();
    return parse_address(text, address) ? std::string(text) : std::string();
}

Json me_json(const Identity& identity) {
    const rights::Caller& caller = identity.caller;
    const bool by_token = caller.via == rights::Via::token;
    Json organizations = Json::array();
    for (std::size_t i = 0; i < caller.holdings.size(); ++i) {
        const rights::Place& place = caller.holdings[i].place;
        const auto& [role, organization_name] = identity.memberships[i];
        if (organizations.empty() || organizations.back()["id"] != place.organization) {
            rights::Place organization = place;
            organization.group.clear();
            organizations.push_back({{"id", place.organization},
                                     {"display_name", text_or_null(organization_name)},
                                     {"suspended", place.suspended},
                                     {"role", Json()},
                                     {"may", scopes_json(rights::may(caller, organization))},
                                     {"groups", Json::array()}});
        }
        Json& entry = organizations.back();
        if (place.group.empty()) {
            entry["role"] = text_or_null(role);
        } else {
            entry["groups"].push_back({{"id", place.group},
                                       {"role", text_or_null(role)},
                                       {"may", scopes_json(rights::may(caller, place))}});
        }
    }
    return {{"user", identity.user.id},
            {"display_name", text_or_null(identity.user.display_name)},
            {"email", text_or_null(identity.user.email)},
            {"via", by_token ? "token" : "session"},
            {"token", text_or_null(caller.token)},
            {"system", rights::is_system(caller)},
            {"organizations", std::move(organizations)}};
}

}  // namespace token_auth::tokenapi
