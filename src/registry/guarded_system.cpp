#include "registry/guarded_system.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "registry/accounts.hpp"

namespace token_auth::registry {
namespace {

using rights::Action;

void apply(const PersonChange& change, User& user) {
    user.display_name = change.display_name.value_or(user.display_name);
    user.email = change.email.value_or(user.email);
    user.sso_name = change.sso_name.value_or(user.sso_name);
    user.disabled = change.disabled.value_or(user.disabled);
}

// By the entry's place in the list: "items.3.scope".
std::vector<Problem> catalogue_problems(const std::vector<ScopeEntry>& entries) {
    std::vector<Problem> errors;
    std::map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        for (Problem& each : problems(entries[i])) {
            each.field = fmt::format("items.{}.{}", i, each.field);
            errors.push_back(std::move(each));
        }
        if (!seen.emplace(entries[i].scope, i).second) {
            errors.push_back({fmt::format("items.{}.scope", i), "must not come twice"});
        }
    }
    return errors;
}

}  // namespace

Person SystemReader::person(const std::string& id) {
    require(Action::use_system_entry);
    auto user = reader_.user(id);
    if (!user || user->technical) {
        throw not_found();
    }
    const bool has_password = !password_hash(reader_, id).empty();
    return {std::move(*user), has_password};
}

Page<Person> SystemReader::person_page(const std::string& begin, const PageRange& range) {
    require(Action::use_system_list);
    return registry::person_page(reader_, begin, range);
}

Role SystemReader::role(const std::string& id) {
    require(Action::use_system_entry);
    auto role = reader_.role(id);
    if (!role) {
        throw not_found();
    }
    return std::move(*role);
}

Page<Role> SystemReader::role_page(const PageRange& range) {
    require(Action::use_system_list);
    return registry::role_page(reader_, range);
}

std::vector<ScopeEntry> SystemReader::scopes() {
    require(Action::use_system_list);
    std::vector<ScopeEntry> entries;
    reader_.scope_entries([&](const ScopeEntry& each) { entries.push_back(each); });
    return entries;
}

Page<AuditRow> SystemReader::audit_page(AuditListing listing, const PageRange& range) {
    const rights::AuditReach reach = rights::audit_reach(caller_);
    if (listing.organization.empty()) {
        if (reach == rights::AuditReach::user) {
            listing.own_user = caller_.user;
        } else if (reach == rights::AuditReach::token) {
            listing.own_token = caller_.token;
        }
    } else if (reach != rights::AuditReach::all) {
        rights::Request request;
        request.action = Action::read_audit;
        request.place = place({listing.organization, {}});
        // Whoever reads the organization's trail may name a group that is gone, too.
        if (!rights::authorize(caller_, request)) {
            require(Action::read_audit, {listing.organization, listing.group});
        }
    }
    return registry::audit_page(reader_, listing, range);
}

SystemWriter::SystemWriter(Writer& writer, rights::Caller caller)
    : SystemReader(writer, std::move(caller), writer.now()), writer_(writer) {}

// Nothing of it may be wrong by itself, and no two people have the same name at single sign-on.
Person SystemWriter::save(User user) {
    std::vector<Problem> errors = problems(user);
    const auto named =
        user.sso_name.empty() ? std::nullopt : writer_.user_of_sso_name(user.sso_name);
    if (named && named->id != user.id) {
        errors.push_back({"sso_name", "is that of another person"});
    }
    require_valid(std::move(errors));
    const std::string id = user.id;
    writer_.put(std::move(user));
    return person(id);
}

Person SystemWriter::add_person(const std::string& id, const PersonChange& fields) {
    require(Action::use_system_list);
    if (writer_.user(id)) {
        throw Refusal("exists", fmt::format("user {} exists", id));
    }
    User user;
    user.id = id;
    apply(fields, user);
    return save(std::move(user));
}

Person SystemWriter::change_person(const std::string& id, const PersonChange& change) {
    User user = person(id).user;
    apply(change, user);
    return save(std::move(user));
}

void SystemWriter::remove_person(const std::string& id, bool with_tokens) {
    const User user = person(id).user;
    writer_.claim_user(id);
    TokenFilter personal;
    personal.user = id;
    const std::uint64_t count = with_tokens ? 0 : writer_.count_tokens(personal);
    if (count != 0) {
        throw Refusal("not_empty", fmt::format("user {} has {} tokens", id, count));
    }
    writer_.remove(user);
}

void SystemWriter::put_person_password(const std::string& id, const std::string& hash) {
    person(id);
    if (hash.empty()) {
        remove_password(writer_, id);
    } else {
        put_password(writer_, id, hash);
    }
}

std::optional<Role> SystemWriter::role_to_put(const std::string& id) {
    require(Action::use_system_list);
    return writer_.role(id);
}

Outcome SystemWriter::put_role(const Role& role) {
    require(Action::use_system_list);
    require_valid(problems(role));
    return writer_.put(role);
}

void SystemWriter::remove_role(const std::string& id) {
    const Role found = role(id);
    TokenFilter with_role;
    with_role.role = id;
    if (writer_.count_memberships_with_role(id) + writer_.count_tokens(with_role) != 0) {
        throw Refusal("in_use", fmt::format("role {} is that of members or tokens", id));
    }
    writer_.remove(found);
}

void SystemWriter::put_scopes(const std::vector<ScopeEntry>& entries) {
    const std::vector<ScopeEntry> before = scopes();
    require_valid(catalogue_problems(entries));
    std::map<std::string_view, const ScopeEntry*> wanted;
    for (const ScopeEntry& each : entries) {
        wanted.emplace(each.scope, &each);
    }
    for (const ScopeEntry& each : before) {
        if (wanted.count(each.scope) == 0) {
            writer_.remove(each);
        }
    }
    for (const auto& [scope, entry] : wanted) {
        writer_.put(*entry);
    }
}

}  // namespace token_auth::registry
