#include <fmt/format.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "registry/jsonl.hpp"
#include "registry/rows.hpp"
#include "registry/validate.hpp"
#include "registry/writer.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

constexpr std::string_view technical_prefix = "tu-";

// A digest says nothing to people and has no place in the trail, but that it changed does.
base::Json token_difference(const Token& before, const Token& after) {
    base::Json out = audit_difference(audit_detail(to_json(before), "token"),
                                      audit_detail(to_json(after), "token"));
    if (before.digest != after.digest) {
        out["digest"] = "changed";
    }
    return out;
}

}  // namespace

void Writer::settle_user(Token& token, const std::optional<TokenView>& before) {
    if (token.kind != kind_user && token.user.empty()) {
        if (before && before->token.kind != kind_user) {
            token.user = before->token.user;
        } else {
            token.user = std::string(technical_prefix) + token.id;
        }
        if (!is_identifier(token.user)) {
            throw base::Error(fmt::format(
                "id is too long for its technical user to be named {}<id>; name one in \"user\"",
                technical_prefix));
        }
        if (!user(token.user)) {
            put_user_.run(token.user, 1, 0, token.created);
        }
    }
    const auto subject = user(token.user);
    if (!subject) {
        throw base::Error(
            fmt::format("user {} does not exist; `tokenctl user list` lists them, `tokenctl user "
                        "add` makes one",
                        base::quoted(token.user)));
    }
    if (token.kind == kind_user && subject->technical) {
        throw base::Error(
            fmt::format("user {} is a technical user, which has no personal tokens; name a person",
                        base::quoted(token.user)));
    }
    if (token.kind != kind_user && !subject->technical) {
        throw base::Error(fmt::format(
            "user {} is a person, but organization and group tokens act for technical users; leave "
            "the user out, and one is made",
            base::quoted(token.user)));
    }
    token.user_disabled = subject->disabled;
}

void Writer::check_references(const Token& token) {
    if (!token.organization.empty()) {
        require_organization(token.organization);
    }
    if (!token.group.empty() && !group(token.organization, token.group)) {
        throw base::Error(fmt::format(
            "group {} does not exist; `tokenctl group list` lists them, `tokenctl group add` makes "
            "one",
            base::quoted(token.organization + "/" + token.group)));
    }
    if (!token.role.empty()) {
        require_role(token.role);
    }
    const auto holder = token_of_digest(token.digest.bytes);
    if (holder && *holder != token.id) {
        throw base::Error(fmt::format(
            "digest is that of token {} already; delete that one first, or leave this one out",
            base::quoted(*holder)));
    }
}

Outcome Writer::put(Token value, std::string_view action) {
    value.scopes = canonical(std::move(value.scopes));
    if (const auto problem = check(value)) {
        throw base::Error(fmt::format("{} {}", problem->field, problem->text));
    }
    const auto before = token(value.id);
    if (value.created == 0) {
        value.created = before ? before->token.created : now();
    }
    check_references(value);
    settle_user(value, before);
    if (before && before->token == value) {
        return Outcome::unchanged;
    }
    if (before) {
        store(value);
        log(action.empty() ? "update" : action, "token", value.id,
            token_difference(before->token, value));
        return Outcome::updated;
    }
    store(value);
    log(action.empty() ? "add" : action, "token", value.id, audit_detail(to_json(value), "token"));
    return Outcome::added;
}

void Writer::store(const Token& token) {
    if (!put_token_) {
        put_token_.emplace(sql_);
        bind_use(*put_token_, token_row_);
        put_token_->alloc();
        put_token_->prepare(upsert_token_row);
        put_token_->define_and_bind();
    }
    token_row_ = row_of(token);
    put_token_->execute(true);
}

template <typename Statement>
void Writer::unlink(Statement& statement, const std::string& other, const std::string& id) {
    const auto found = other.empty() ? std::nullopt : token(other);
    if (!found || (found->token.successor != id && found->token.predecessor != id)) {
        return;
    }
    statement.run(other, id);
    log("unlink", "token", other, base::Json{{"from", id}});
}

void Writer::remove(const Token& value) {
    // Whoever was linked to it is so no longer: it may be rotated again.
    unlink(unlink_successor_, value.predecessor, value.id);
    unlink(unlink_predecessor_, value.successor, value.id);
    delete_token_.run(value.id);
    log("delete", "token", value.id, audit_detail(to_json(value), "token"));
}

void Writer::remove_tokens(const TokenFilter& filter) {
    std::vector<std::string> ids;
    tokens(filter, [&](const TokenView& each) { ids.push_back(each.token.id); });
    for (const std::string& id : ids) {
        if (const auto found = token(id)) {
            remove(found->token);
        }
    }
}

}  // namespace token_auth::registry
