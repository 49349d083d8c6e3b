#include "tokensync/record_sink.hpp"

#include <algorithm>

#include "store_writer/entries.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {

ChangeSink::ChangeSink(store_writer::ChangeSet& changes, const store_writer::Numbers& numbers)
    : changes_(changes), numbers_(numbers), known_roles_(numbers.roles().size()) {}

void ChangeSink::put(const registry::Organization& organization) {
    Encoder::require_organization(organization.id);
    organization.suspended ? changes_.suspend(organization.id) : changes_.resume(organization.id);
}

void ChangeSink::put(const registry::Role& role) {
    changes_.put(role_key(numbers_.role(role.id)), encoder_.role(role));
    written_roles_.insert(role.id);
}

void ChangeSink::gone_role(const std::string& id) {
    if (const auto number = numbers_.known_role(id)) {
        changes_.put(role_key(*number), encoder_.absent_role(id));
        written_roles_.insert(id);
    }
}

void ChangeSink::put(const registry::Token& token) {
    changes_.put_token(token_key(token.digest.bytes), encoder_.token(token));
}

void ChangeSink::put_memberships(const std::string& user,
                                 const std::vector<registry::MemberOf>& all) {
    const std::string_view entry = encoder_.user(user, all);
    entry.empty() ? changes_.erase_user(user) : changes_.put_user(user_key(user), entry);
}

const store_writer::Numbers& ChangeSink::finish() {
    if (numbers_.roles().size() == known_roles_) {
        return numbers_;
    }
    for (const auto& [name, number] : numbers_.roles()) {
        if (number >= known_roles_ && !written_roles_.contains(name)) {
            changes_.put(role_key(number), encoder_.absent_role(name));
        }
    }
    return numbers_;
}

void RecordSink::put(const registry::Organization& organization) {
    Encoder::require_organization(organization.id);
    if (organization.suspended) {
        suspended_[suspension_key(organization_number(organization.id))].push_back(organization.id);
    }
}

void RecordSink::put(const registry::Role& role) {
    numbers_.role(role.id);
    roles_[role.id] = encoder_.role(role);
}

void RecordSink::put(const registry::Token& token) {
    const std::uint64_t key = token_key(token.digest.bytes);
    if (key != token_key_) {
        give_token();
    }
    token_key_ = key;
    const std::string_view entry = encoder_.token(token);
    token_.empty() ? void(token_ = entry) : store_writer::append_token(token_, entry);
    if (progress_ != nullptr) {
        progress_->token();
    }
}

void RecordSink::put_memberships(const std::string& user,
                                 const std::vector<registry::MemberOf>& all) {
    const std::string_view entry = encoder_.user(user, all);
    if (!entry.empty()) {
        users_.add(user_key(user), entry);
    }
}

void RecordSink::finish() {
    give_token();
    give_users();
    give_suspensions();
    give_roles();
}

void RecordSink::give_token() {
    if (!token_.empty()) {
        record(token_key_, token_);
        token_.clear();
    }
}

void RecordSink::give_users() {
    std::uint64_t key = 0;
    std::string value;
    users_.for_each_sorted([&](std::uint64_t next, std::string_view entry) {
        if (next != key && !value.empty()) {
            record(key, value);
            value.clear();
        }
        key = next;
        value += entry;
    });
    if (!value.empty()) {
        record(key, value);
    }
}

void RecordSink::give_suspensions() {
    for (auto& [key, ids] : suspended_) {
        std::sort(ids.begin(), ids.end());
        const std::vector<std::string_view> views(ids.begin(), ids.end());
        std::string value(sizeof(std::uint32_t) + ids.size() * (1 + identifier_max), '\0');
        value.resize(encode_suspensions(views.data(), views.size(), value.data(), value.size()));
        record(key, value);
    }
}

void RecordSink::give_roles() {
    std::map<std::uint16_t, std::string> names;
    for (const auto& [name, number] : numbers_.roles()) {
        names[number] = name;
    }
    for (const auto& [number, name] : names) {
        const auto found = roles_.find(name);
        record(role_key(number), found != roles_.end() ? std::string_view(found->second)
                                                       : encoder_.absent_role(name));
    }
}

}  // namespace token_auth::tokensync
