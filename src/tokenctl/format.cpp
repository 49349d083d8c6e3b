#include "tokenctl/format.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "registry/jsonl.hpp"
#include "registry/validate.hpp"

namespace token_auth::tokenctl {
namespace {

std::string text_of(const base::Json& object, const char* outcome = nullptr) {
    base::Json all = base::Json::object();
    if (outcome != nullptr) {
        all["outcome"] = outcome;
    }
    all.update(object);
    return base::json_text(all);
}

base::Json object_of(const registry::TokenView& view, std::int64_t now) {
    const KeyId key = view.token.digest.key_id;
    base::Json out{{"id", view.token.id}, {"status", status_name(status_of(view, now))}};
    const base::Json fields = to_json(view.token);
    for (const auto& [name, value] : fields.items()) {
        if (name == "digest") {
            out["algorithm"] = key == no_key ? "sha256" : "hmac-sha256";
            if (key != no_key) {
                out["key_id"] = registry::format_key_id(key);
            }
        } else if (name != "type" && name != "id") {
            out[name] = value;
        }
    }
    return out;
}

}  // namespace

std::string json_of(const registry::Role& role, const char* outcome) {
    return text_of({{"id", role.id}, {"scopes", role.scopes}, {"description", role.description}},
                   outcome);
}

std::string json_of(const registry::ScopeEntry& entry, const char* outcome) {
    return text_of({{"scope", entry.scope}, {"description", entry.description}}, outcome);
}

std::string json_of(const registry::Organization& organization, const char* outcome) {
    return text_of({{"id", organization.id},
                    {"suspended", organization.suspended},
                    {"created", base::format_time(organization.created)},
                    {"display_name", organization.display_name},
                    {"system", organization.system},
                    {"policy", to_json(organization.policy)}},
                   outcome);
}

std::string json_of(const registry::Group& group, const char* outcome) {
    return text_of({{"organization", group.organization},
                    {"id", group.id},
                    {"created", base::format_time(group.created)}},
                   outcome);
}

std::string json_of(const registry::User& user, const char* outcome) {
    return text_of({{"id", user.id},
                    {"technical", user.technical},
                    {"disabled", user.disabled},
                    {"created", base::format_time(user.created)},
                    {"display_name", user.display_name},
                    {"email", user.email},
                    {"sso_name", user.sso_name}},
                   outcome);
}

std::string json_of(const registry::Membership& membership, const char* outcome) {
    base::Json group;
    if (!membership.group.empty()) {
        group = membership.group;
    }
    return text_of({{"user", membership.user},
                    {"organization", membership.organization},
                    {"group", group},
                    {"role", membership.role},
                    {"created", base::format_time(membership.created)}},
                   outcome);
}

std::string json_of(const registry::TokenView& view, std::int64_t now, const char* outcome) {
    return text_of(object_of(view, now), outcome);
}

std::string json_of(const registry::TokenView& view, std::int64_t now, bool is_told,
                    const registry::TokenUse* use) {
    base::Json object = object_of(view, now);
    if (use != nullptr) {
        object["last_used"] = base::format_time(use->time);
        object["last_address"] =
            use->address.empty() ? base::Json(nullptr) : base::Json(use->address);
        object["uses"] = use->count;
    } else if (is_told) {
        object["last_used"] = nullptr;
    }
    return text_of(object);
}

std::string json_of_unreadable(const std::string& id, const char* outcome) {
    return text_of({{"id", id}}, outcome);
}

std::string json_of_successor(const registry::TokenView& view, std::int64_t now,
                              std::int64_t predecessor_expires) {
    base::Json object = object_of(view, now);
    object["predecessor_expires"] = base::format_time(predecessor_expires);
    return text_of(object);
}

std::string json_of(const registry::AuditRow& row) {
    base::Json detail = base::Json::parse(row.detail, nullptr, false);
    return text_of({{"seq", row.seq},
                    {"at", base::format_time(row.at)},
                    {"session_user", row.session_user},
                    {"actor", row.actor},
                    {"via", row.via},
                    {"token", row.token},
                    {"address", row.address},
                    {"action", row.action},
                    {"entity", row.entity},
                    {"key", row.key},
                    {"organization", row.organization},
                    {"group", row.group},
                    {"detail", detail.is_discarded() ? base::Json::object() : std::move(detail)}});
}

std::string json_of(const registry::ImportCounts& counts) {
    return text_of({{"added", counts.added},
                    {"updated", counts.updated},
                    {"unchanged", counts.unchanged},
                    {"left_out", counts.left_out}});
}

std::string json_of(const registry::NewRegistry& made, const std::string& location) {
    return text_of({{"registry", location}, {"id", made.id}}, "added");
}

std::string json_of(const registry::Migration& migration,
                    const std::vector<std::string>& hosts_too_old, const std::string& location,
                    const char* outcome) {
    base::Json rows = base::Json::array();
    for (const registry::SetAside& row : migration.set_aside) {
        rows.push_back(
            {{"entity", row.entity}, {"key", row.key}, {"reason", row.reason}, {"kept", row.kept}});
    }
    return text_of({{"registry", location},
                    {"from", migration.from},
                    {"to", registry::schema_version},
                    {"adds", migration.additions},
                    {"set_aside", rows},
                    {"hosts_too_old", hosts_too_old}},
                   outcome);
}

const char* name_of(registry::Outcome outcome) {
    switch (outcome) {
        case registry::Outcome::added:
            return "added";
        case registry::Outcome::updated:
            return "updated";
        case registry::Outcome::unchanged:
            break;
    }
    return "unchanged";
}

std::string policy_text(const registry::Policy& policy) {
    std::vector<std::string> rules;
    if (policy.max_life != 0) {
        rules.push_back(fmt::format("longest life {}", base::exact_duration(policy.max_life)));
    }
    if (policy.default_life != 0) {
        rules.push_back(fmt::format("default life {}", base::exact_duration(policy.default_life)));
    }
    if (policy.require_allow) {
        rules.emplace_back("addresses needed");
    }
    if (policy.max_tokens != 0) {
        rules.push_back(fmt::format(
            "at most {}", base::counted(static_cast<std::uint64_t>(policy.max_tokens), "token")));
    }
    return fmt::format("{}", fmt::join(rules, ", "));
}

std::string owner_text(const registry::Token& token) {
    switch (token.kind) {
        case kind_organization:
            return "organization " + token.organization;
        case kind_group:
            return fmt::format("group {}/{}", token.organization, token.group);
        case kind_user:
            return "user " + token.user;
    }
    return {};
}

std::string expiry_text(const registry::Token& token) {
    return token.expires == 0 ? "never" : base::format_time(token.expires);
}

}  // namespace token_auth::tokenctl
