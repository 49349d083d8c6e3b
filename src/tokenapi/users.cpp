// People, for the system.
#include <cstring>
#include <memory>
#include <utility>

#include "base/json.hpp"
#include "registry/password.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/settings.hpp"
#include "tokenapi/shapes.hpp"
#include "tokenapi/system_call.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::Person;
using registry::PersonChange;
using registry::SystemReader;
using registry::SystemWriter;

base::Json person_json(const Person& person) {
    const registry::User& user = person.user;
    return {{"id", user.id},
            {"display_name", text_or_null(user.display_name)},
            {"email", text_or_null(user.email)},
            {"sso_name", text_or_null(user.sso_name)},
            {"disabled", user.disabled},
            {"has_password", person.has_password},
            {"created", time_or_null(user.created)}};
}

std::string tag_of(const Person& person) {
    return entity_tag(base::json_text(person_json(person)));
}

const char* email_problem(std::string_view text) {
    return registry::is_email(text) ? nullptr : "must be an e-mail address";
}

std::optional<std::string> text_to_set(const Field<std::string>& field) {
    return field.given ? std::optional(field.value.value_or("")) : std::nullopt;
}

PersonChange read_change(FieldReader& fields) {
    PersonChange change;
    change.display_name = text_to_set(fields.text("display_name", name_max, display_text_problem));
    change.email = text_to_set(fields.text("email", registry::email_max, email_problem));
    change.sso_name = text_to_set(fields.text("sso_name", name_max, display_text_problem));
    return change;
}

struct NewPassword {
    std::string text;  // empty: none
    std::string hash;

    NewPassword() = default;
    NewPassword(const NewPassword&) = delete;
    NewPassword& operator=(const NewPassword&) = delete;
    ~NewPassword() { explicit_bzero(text.data(), text.size()); }
};

void parse_password(const Call& call, NewPassword& password) {
    base::Json body = parse_object(call.request.body);
    FieldReader fields(body);
    auto field = fields.text("new", limits::body_size, registry::password_problem);
    if (!field.given) {
        fields.wrong("new", "is missing");
    }
    password.text = std::move(field.value).value_or("");
    if (body.contains("new") && body["new"].is_string()) {
        auto& text = body["new"].get_ref<std::string&>();
        explicit_bzero(text.data(), text.size());
    }
    fields.finish();
}

}  // namespace

Step list_users(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    const std::string begin = parameters.text("q", query_max).value_or("");
    parameters.finish();
    const registry::PageRange range = paging.range("it");
    base::Json items;
    std::optional<registry::PageKey> next;
    read_system(call, [&](SystemReader& reader) {
        auto page = reader.person_page(begin, range);
        items = base::Json::array();
        for (const Person& each : page.items) {
            items.push_back(person_json(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

Step create_user(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    write_system(call, [&](SystemWriter& writer) {
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const auto id = fields.text("id", identifier_max, identifier_problem, Presence::required);
        const PersonChange given = read_change(fields);
        Person made;
        run_with(fields, [&] { made = writer.add_person(id.value.value_or(""), given); });
        response = tagged_response(201, person_json(made), "/api/v1/users/" + made.user.id);
    });
    return response;
}

Step get_user(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_system(call, [&](SystemReader& reader) {
        response = tagged_response(200, person_json(reader.person(call.argument("user"))));
    });
    return response;
}

Step update_user(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("user");
    Response response;
    write_system(call, [&](SystemWriter& writer) {
        const Person before = writer.person(id);
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        PersonChange change = read_change(fields);
        change.disabled = fields.boolean("disabled").value;
        Person after;
        run_with(fields, [&] { after = writer.change_person(id, change); });
        require_match(call.request, tag_of(before));
        response = tagged_response(200, person_json(after));
    });
    return response;
}

Step delete_user(Call& call) {
    ParameterReader parameters(call.parameters);
    const bool force = parameters.boolean("force");
    parameters.finish();
    const std::string& id = call.argument("user");
    write_system(call, [&](SystemWriter& writer) {
        require_match(call.request, tag_of(writer.person(id)));
        writer.remove_person(id, force);
    });
    return no_content();
}

Step set_user_password(Call& call) {
    if (!call.settings->passwords()) {
        throw Problem(ProblemCode::not_found);
    }
    ParameterReader(call.parameters).finish();
    const auto password = std::make_shared<NewPassword>();
    // Who may not do it has nothing hashed.
    read_system(call, [&](SystemReader& reader) {
        reader.person(call.argument("user"));
        parse_password(call, *password);
    });
    Hashing hashing;
    hashing.work = [password](Call&) {
        if (!password->text.empty()) {
            password->hash = registry::hash_password(password->text);
        }
    };
    hashing.then = [password](Call& later) -> Step {
        write_system(later, [&](SystemWriter& writer) {
            writer.put_person_password(later.argument("user"), password->hash);
        });
        return no_content();
    };
    return hashing;
}

}  // namespace token_auth::tokenapi
