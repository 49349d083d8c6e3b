#include "registry/jsonl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "registry/token_columns.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

using base::Json;

[[noreturn]] void fail(std::string_view field, std::string_view text) {
    throw base::Error(fmt::format("{} {}", field, text));
}

// The fields of one line's object. Each getter checks the type.
class Fields {
  public:
    // `within`: what the object is a field of, with a dot behind it.
    Fields(const Json& object, const std::vector<std::string_view>& known,
           std::string_view within = {})
        : object_(object), within_(within) {
        for (const auto& [name, value] : object.items()) {
            if (std::find(known.begin(), known.end(), name) == known.end()) {
                throw base::Error(fmt::format("field {} is not known for this {}; known are {}",
                                              base::quoted(name), within.empty() ? "type" : "field",
                                              fmt::join(known, ", ")));
            }
        }
    }

    std::string text(const char* name) const {
        const auto value = object_.find(name);
        if (value == object_.end()) {
            return {};
        }
        if (!value->is_string()) {
            fail_field(name, "must be a string");
        }
        return value->get<std::string>();
    }

    std::string needed_text(const char* name) const {
        if (!object_.contains(name)) {
            fail_field(name, "is missing");
        }
        return text(name);
    }

    bool flag(const char* name) const {
        const auto value = object_.find(name);
        if (value == object_.end()) {
            return false;
        }
        if (!value->is_boolean()) {
            fail_field(name, "must be true or false");
        }
        return value->get<bool>();
    }

    std::int64_t time(const char* name) const {
        if (!object_.contains(name)) {
            return 0;
        }
        const auto time = base::parse_time(text(name));
        if (!time || *time == 0) {  // 0 stands for "none": an expiry in 1970 must not become never
            fail_field(name, fmt::format("must be a time after 1970-01-01T00:00:00Z, such as {}",
                                         base::time_forms));
        }
        return *time;
    }

    // In seconds; 0 if it is left out.
    std::int64_t duration(const char* name) const {
        if (!object_.contains(name)) {
            return 0;
        }
        const auto seconds = base::parse_duration(text(name));
        if (!seconds || *seconds == 0) {
            fail_field(name, fmt::format("must be a duration such as {}", base::duration_forms));
        }
        return *seconds;
    }

    // From 1; 0 if it is left out.
    std::int64_t number(const char* name) const {
        const auto value = object_.find(name);
        if (value == object_.end()) {
            return 0;
        }
        if (!value->is_number_integer() || *value < 1 || *value > max_tokens_max) {
            fail_field(name, fmt::format("must be a whole number from 1 to {}", max_tokens_max));
        }
        return value->get<std::int64_t>();
    }

    // Null if it is left out.
    const Json* object(const char* name) const {
        const auto value = object_.find(name);
        if (value == object_.end()) {
            return nullptr;
        }
        if (!value->is_object()) {
            fail_field(name, "must be an object");
        }
        return &*value;
    }

    std::vector<std::string> list(const char* name) const {
        const auto value = object_.find(name);
        if (value == object_.end()) {
            return {};
        }
        const bool ok = value->is_array() && std::all_of(value->begin(), value->end(),
                                                         [](auto& v) { return v.is_string(); });
        if (!ok) {
            fail_field(name, "must be an array of strings");
        }
        return value->get<std::vector<std::string>>();
    }

  private:
    [[noreturn]] void fail_field(std::string_view name, std::string_view text) const {
        fail(fmt::format("{}{}", within_, name), text);
    }

    const Json& object_;
    std::string_view within_;
};

Role role_of(const Json& object) {
    const Fields fields(object, {"type", "id", "scopes", "description"});
    return {fields.needed_text("id"), canonical(fields.list("scopes")), fields.text("description")};
}

ScopeEntry scope_of(const Json& object) {
    const Fields fields(object, {"type", "scope", "description"});
    return {fields.needed_text("scope"), fields.text("description")};
}

Policy policy_of(const Json* object) {
    if (object == nullptr) {
        return {};
    }
    const Fields fields(*object, {"max_life", "default_life", "require_allow", "max_tokens"},
                        "policy.");
    return {fields.duration("max_life"), fields.duration("default_life"),
            fields.flag("require_allow"), fields.number("max_tokens")};
}

Organization organization_of(const Json& object) {
    const Fields fields(object,
                        {"type", "id", "suspended", "created", "display_name", "system", "policy"});
    return {fields.needed_text("id"), fields.flag("suspended"),
            fields.time("created"),   fields.text("display_name"),
            fields.flag("system"),    policy_of(fields.object("policy"))};
}

Group group_of(const Json& object) {
    const Fields fields(object, {"type", "organization", "id", "created"});
    return {fields.needed_text("organization"), fields.needed_text("id"), fields.time("created")};
}

User user_of(const Json& object) {
    const Fields fields(object, {"type", "id", "technical", "disabled", "created", "display_name",
                                 "email", "sso_name"});
    return {fields.needed_text("id"), fields.flag("technical"),    fields.flag("disabled"),
            fields.time("created"),   fields.text("display_name"), fields.text("email"),
            fields.text("sso_name")};
}

Membership membership_of(const Json& object) {
    const Fields fields(object, {"type", "user", "organization", "group", "role", "created"});
    return {fields.needed_text("user"), fields.needed_text("organization"),
            fields.needed_text("role"), fields.time("created"), fields.text("group")};
}

std::vector<std::string_view> token_fields() {
    std::vector<std::string_view> names{"type"};
    for (const TokenColumn& column : token_columns) {
        if (column.field != nullptr) {
            names.emplace_back(column.field);
        }
    }
    return names;
}

void read_field(const Fields& fields, const TokenColumn& column, Token& token) {
    const char* const name = column.field;
    const auto text = [&] {
        return column.is(TokenColumn::required) ? fields.needed_text(name) : fields.text(name);
    };
    std::visit(
        Overloaded{
            [&](std::string Token::*member) { token.*member = text(); },
            [&](std::int64_t Token::*member) { token.*member = fields.time(name); },
            [&](std::vector<std::string> Token::*member) {
                auto words = fields.list(name);
                token.*member =
                    column.is(TokenColumn::sorted) ? canonical(std::move(words)) : words;
            },
            [&](DigestColumn) {
                const auto digest = parse_digest(text());
                if (!digest) {
                    fail(name,
                         "must be sha256:<64 hex digits> or hmac-sha256:<8 hex digits>:<64 hex "
                         "digits>");
                }
                token.digest = *digest;
            },
            [](KeyIdColumn) {},
            [&](KindColumn) {
                if (!kind_of_name(text(), token.kind)) {
                    fail(name, "must be organization, group or user");
                }
            }},
        column.member);
}

Token token_of(const Json& object) {
    static const std::vector<std::string_view> known = token_fields();
    const Fields fields(object, known);
    Token token;
    for (const TokenColumn& column : token_columns) {
        if (column.field != nullptr) {
            read_field(fields, column, token);
        }
    }
    return token;
}

Entity entity_of(const Json& object) {
    const auto type = object.find("type");
    if (type != object.end() && type->is_string()) {
        const auto& name = type->get_ref<const std::string&>();
        if (name == "token") {
            return token_of(object);
        }
        if (name == "membership") {
            return membership_of(object);
        }
        if (name == "user") {
            return user_of(object);
        }
        if (name == "group") {
            return group_of(object);
        }
        if (name == "organization") {
            return organization_of(object);
        }
        if (name == "role") {
            return role_of(object);
        }
        if (name == "scope") {
            return scope_of(object);
        }
    }
    fail("type", "must be role, scope, organization, group, user, membership or token");
}

// JSON that says a thing twice is a mistake, though the parser would take the last.
Json parse_object(std::string_view line) {
    std::set<std::string> names;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::key && depth == 1 &&
            !names.insert(parsed.get<std::string>()).second) {
            throw base::Error(
                fmt::format("field {} is there twice", base::quoted(parsed.get<std::string>())));
        }
        return true;
    };
    try {
        Json object = Json::parse(line.begin(), line.end(), watch);
        if (!object.is_object()) {
            throw base::Error("is not a JSON object");
        }
        return object;
    } catch (const Json::parse_error& error) {
        // The parser's own text quotes the line.
        throw base::Error(fmt::format("is not JSON (at byte {} of the line)", error.byte));
    } catch (const Json::exception&) {
        throw base::Error("is not JSON (it holds a number out of range)");
    }
}

void put_text(Json& object, const char* name, const std::string& value) {
    if (!value.empty()) {
        object[name] = value;
    }
}

void put_list(Json& object, const char* name, const std::vector<std::string>& values) {
    if (!values.empty()) {
        object[name] = values;
    }
}

void put_time(Json& object, const char* name, std::int64_t value) {
    if (value != 0) {
        object[name] = base::format_time(value);
    }
}

void put_field(Json& object, const TokenColumn& column, const Token& token) {
    const char* const name = column.field;
    std::visit(
        Overloaded{
            [&](std::string Token::*member) {
                if (column.is(TokenColumn::required)) {
                    object[name] = token.*member;
                } else {
                    put_text(object, name, token.*member);
                }
            },
            [&](std::int64_t Token::*member) { put_time(object, name, token.*member); },
            [&](std::vector<std::string> Token::*member) { put_list(object, name, token.*member); },
            [&](DigestColumn) { object[name] = format_digest(token.digest); }, [](KeyIdColumn) {},
            [&](KindColumn) { object[name] = std::string(kind_name(token.kind)); }},
        column.member);
}

}  // namespace

Json to_json(const Role& role) {
    Json object{{"type", "role"}, {"id", role.id}, {"scopes", role.scopes}};
    put_text(object, "description", role.description);
    return object;
}

Json to_json(const ScopeEntry& entry) {
    Json object{{"type", "scope"}, {"scope", entry.scope}};
    put_text(object, "description", entry.description);
    return object;
}

Json to_json(const Policy& policy) {
    Json object = Json::object();
    for (const auto& [name, life] :
         {std::pair("max_life", policy.max_life), std::pair("default_life", policy.default_life)}) {
        if (life != 0) {
            object[name] = base::exact_duration(life);
        }
    }
    if (policy.require_allow) {
        object["require_allow"] = true;
    }
    if (policy.max_tokens != 0) {
        object["max_tokens"] = policy.max_tokens;
    }
    return object;
}

Json to_json(const Organization& organization) {
    Json object{{"type", "organization"}, {"id", organization.id}};
    if (organization.suspended) {
        object["suspended"] = true;
    }
    put_time(object, "created", organization.created);
    put_text(object, "display_name", organization.display_name);
    if (organization.system) {
        object["system"] = true;
    }
    if (organization.policy != Policy{}) {
        object["policy"] = to_json(organization.policy);
    }
    return object;
}

Json to_json(const Group& group) {
    Json object{{"type", "group"}, {"organization", group.organization}, {"id", group.id}};
    put_time(object, "created", group.created);
    return object;
}

Json to_json(const User& user) {
    Json object{{"type", "user"}, {"id", user.id}};
    if (user.technical) {
        object["technical"] = true;
    }
    if (user.disabled) {
        object["disabled"] = true;
    }
    put_time(object, "created", user.created);
    put_text(object, "display_name", user.display_name);
    put_text(object, "email", user.email);
    put_text(object, "sso_name", user.sso_name);
    return object;
}

Json to_json(const Membership& membership) {
    Json object{{"type", "membership"},
                {"user", membership.user},
                {"organization", membership.organization}};
    put_text(object, "group", membership.group);
    object["role"] = membership.role;
    put_time(object, "created", membership.created);
    return object;
}

Json to_json(const Token& token) {
    Json object{{"type", "token"}};
    for (const TokenColumn& column : token_columns) {
        if (column.field != nullptr) {
            put_field(object, column, token);
        }
    }
    return object;
}

Entity to_entity(const Json& object) {
    Entity entity = entity_of(object);
    const auto problem = std::visit([](const auto& value) { return check(value); }, entity);
    if (problem) {
        fail(problem->field, problem->text);
    }
    return entity;
}

Entity parse_entity(std::string_view line) {
    return to_entity(parse_object(line));
}

std::string JsonlReader::place() const {
    return fmt::format("{} line {}", name_, line_);
}

bool JsonlReader::read_line() {
    text_.clear();
    ++line_;
    using Traits = std::istream::traits_type;
    std::streambuf& buffer = *input_.rdbuf();
    try {
        for (auto c = buffer.sbumpc(); !Traits::eq_int_type(c, Traits::eof());
             c = buffer.sbumpc()) {
            if (c == '\n') {
                return true;
            }
            text_ += Traits::to_char_type(c);
            if (text_.size() > line_max) {
                throw base::Error(fmt::format("{}: is longer than {} bytes", place(), line_max));
            }
        }
    } catch (const std::ios_base::failure&) {
        throw base::Error(fmt::format("{}: cannot be read; check that it is a file", name_));
    }
    return !text_.empty();
}

// Goes to the next line that is not blank.
bool JsonlReader::next_line() {
    while (read_line()) {
        if (text_.find_first_not_of(" \t\r") != std::string::npos) {
            return true;
        }
    }
    return false;
}

bool JsonlReader::next_object(Json& into) {
    if (!next_line()) {
        return false;
    }
    try {
        into = parse_object(text_);
    } catch (const base::Error& error) {
        throw base::Error(fmt::format("{}: {}", place(), error.what()));
    }
    return true;
}

std::optional<Entity> JsonlReader::next() {
    if (!next_line()) {
        return std::nullopt;
    }
    try {
        return parse_entity(text_);
    } catch (const base::Error& error) {
        throw base::Error(fmt::format("{}: {}", place(), error.what()));
    }
}

}  // namespace token_auth::registry
