// The caller's own account.
#include <cstring>
#include <memory>
#include <utility>

#include "base/json.hpp"
#include "registry/accounts.hpp"
#include "registry/password.hpp"
#include "registry/validate.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/password_check.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::Identity;
using registry::rights::Action;

Response me_response(const base::Json& me) {
    Response response = json_response(200, me);
    response.headers.emplace_back("ETag", entity_tag(base::json_text(me)));
    return response;
}

const char* display_name_problem(std::string_view text) {
    return registry::is_display_text(text, name_max)
               ? nullptr
               : "must be 1 to 255 bytes without control or invisible characters, not only spaces";
}

struct PasswordChange {
    PasswordCheck check;  // of the old one
    std::string password;
    std::string hash;

    PasswordChange() = default;
    PasswordChange(const PasswordChange&) = delete;
    PasswordChange& operator=(const PasswordChange&) = delete;
    ~PasswordChange() { explicit_bzero(password.data(), password.size()); }
};

void parse_passwords(const Call& call, PasswordChange& change) {
    base::Json body = parse_object(call.request.body);
    FieldReader fields(body);
    auto old = fields.text("old", limits::body_size, nullptr, Presence::required);
    auto wanted =
        fields.text("new", limits::body_size, registry::password_problem, Presence::required);
    for (const char* const name : {"old", "new"}) {
        if (body.contains(name) && body[name].is_string()) {
            auto& text = body[name].get_ref<std::string&>();
            explicit_bzero(text.data(), text.size());
        }
    }
    change.check.given.password = std::move(old.value).value_or("");
    change.password = std::move(wanted.value).value_or("");
    fields.finish();
}

}  // namespace

Step get_me(Call& call) {
    ParameterReader(call.parameters).finish();
    base::Json me;
    read_as_caller(call, [&](registry::Reader&, const Identity& identity) {
        require(identity, Action::see_self);
        me = me_json(identity);
    });
    return me_response(me);
}

Step update_me(Call& call) {
    ParameterReader(call.parameters).finish();
    base::Json me;
    write_as_caller(call, [&](registry::Writer& writer, const Identity& identity) {
        require(identity, Action::use_account);
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const auto name = fields.text("display_name", name_max, display_name_problem);
        fields.finish();
        require_match(call.request, entity_tag(base::json_text(me_json(identity))));
        Identity changed = identity;
        if (name.given) {
            changed.user.display_name = name.value.value_or("");
            writer.put(changed.user);
        }
        me = me_json(changed);
    });
    return me_response(me);
}

Step change_my_password(Call& call) {
    if (!call.settings->passwords()) {
        throw Problem(ProblemCode::not_found);
    }
    ParameterReader(call.parameters).finish();
    auto change = std::make_shared<PasswordChange>();
    write_as_caller(call, [&](registry::Writer& writer, const Identity& identity) {
        require(identity, Action::use_account);
        parse_passwords(call, *change);
        change->check.given.name = identity.user.id;
        begin_check(writer, call, change->check);
    });
    Hashing hashing;
    hashing.work = [change](Call&) {
        compare(change->check);
        if (change->check.is_right) {
            change->hash = registry::hash_password(change->password);
        }
    };
    hashing.then = [change](Call& later) -> Step {
        bool changed = false;
        write_as_caller(later, [&](registry::Writer& writer, const Identity& identity) {
            require(identity, Action::use_account);
            changed = finish_check(writer, later, change->check);
            if (changed) {
                registry::put_password(writer, identity.user.id, change->hash,
                                       identity.session->key);
            }
        });
        if (!changed) {
            throw Problem(ProblemCode::login_failed).challenge();
        }
        return no_content();
    };
    hashing.if_refused = [change](Call& later) { drop_check(later, change->check); };
    return hashing;
}

Step end_my_sessions(Call& call) {
    ParameterReader(call.parameters).finish();
    write_as_caller(call, [](registry::Writer& writer, const Identity& identity) {
        require(identity, Action::use_account);
        const auto ended = registry::end_sessions(writer, identity.user.id);
        writer.log("logout", "session", identity.user.id, {{"sessions", ended}});
    });
    Response response = no_content();
    response.headers.emplace_back("Set-Cookie", ended_session_cookie());
    return response;
}

}  // namespace token_auth::tokenapi
