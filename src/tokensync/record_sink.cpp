#include "tokensync/record_sink.hpp"

#include <algorithm>

#include "store_writer/entries.hpp"
#include "store_writer/notes.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {

ChangeSink::ChangeSink(store_writer::ChangeSet& changes, const store_writer::Numbers& numbers,
                       LeftOut& left_out)
    : changes_(changes),
      numbers_(numbers),
      left_out_(left_out),
      known_roles_(numbers.roles().size()),
      // A new store would have no room either, if one was made for that before.
      encoder_(numbers_, numbers.is_full() && left_out.any()) {}

void ChangeSink::gone_organization(const std::string& id) {
    organizations_.insert(id);
    changes_.forget(id);
}

void ChangeSink::put(const registry::Organization& organization) {
    organizations_.insert(organization.id);
    organization.suspended ? changes_.suspend(organization.id) : changes_.resume(organization.id);
}

void ChangeSink::put(const registry::Role& role) {
    try {
        const std::string_view record = encoder_.role(role);
        changes_.put(role_key(encoder_.role_number(role.id)), record);
        written_roles_.insert(role.id);
    } catch (const Unfit& unfit) {
        gone_role(role.id);
        leave_out(unfit.row());
    }
}

void ChangeSink::gone_role(const std::string& id) {
    if (const auto number = numbers_.known_role(id)) {
        changes_.put(role_key(*number), encoder_.absent_role(id));
        written_roles_.insert(id);
    }
}

void ChangeSink::put(const registry::Token& token) {
    try {
        changes_.put_token(token_key(token.digest.bytes), encoder_.token(token));
    } catch (const Unfit& unfit) {
        gone_token(token.digest.bytes);
        leave_out(unfit.row());
    }
    leave_out_unnumbered();
}

void ChangeSink::put_memberships(const std::string& user,
                                 const std::vector<registry::MemberOf>& all) {
    users_.insert(user);
    try {
        const std::string_view entry = encoder_.user(user, all);
        entry.empty() ? changes_.erase_user(user) : changes_.put_user(user_key(user), entry);
    } catch (const Unfit& unfit) {
        changes_.erase_user(user);
        leave_out(unfit.row());
    }
    leave_out_unnumbered();
}

void ChangeSink::leave_out_unnumbered() {
    for (const registry::BadRow& row : encoder_.take_unnumbered()) {
        leave_out(row);
    }
}

void ChangeSink::leave_out(const registry::BadRow& row) {
    const std::string id = store_writer::note_id(row.entity, row.key);
    notes_[id] = left_out_.add(id, row);
}

bool ChangeSink::changed(std::string_view entity, const std::string& key) {
    if (!left_out_.any()) {
        return false;
    }
    const std::string id = store_writer::note_id(entity, key);
    const bool before = left_out_.has(id);
    if (before) {
        notes_.try_emplace(id);
    }
    return before;
}

const store_writer::Numbers& ChangeSink::finish() {
    for (const auto& [id, entry] : notes_) {
        entry.empty() ? changes_.erase_note(id) : changes_.put_note(id, entry);
    }
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
    suspended_before_.erase(organization.id);
    if (organization.suspended) {
        suspended_[suspension_key(organization_number(organization.id))].push_back(organization.id);
    }
}

void RecordSink::put(const registry::Role& role) {
    try {
        roles_[role.id] = encoder_.role(role);
    } catch (const Unfit& unfit) {
        leave_out(unfit.row());
    }
}

void RecordSink::put(const registry::Token& token) {
    const std::uint64_t key = token_key(token.digest.bytes);
    if (key != token_key_) {
        give_token();
    }
    token_key_ = key;
    try {
        const std::string_view entry = encoder_.token(token);
        token_.empty() ? void(token_ = entry) : store_writer::append_token(token_, entry);
    } catch (const Unfit& unfit) {
        leave_out(unfit.row());
    }
    leave_out_unnumbered();
    if (progress_ != nullptr) {
        progress_->token();
    }
}

void RecordSink::put_memberships(const std::string& user,
                                 const std::vector<registry::MemberOf>& all) {
    try {
        const std::string_view entry = encoder_.user(user, all);
        if (!entry.empty()) {
            users_.add(user_key(user), entry);
        }
    } catch (const Unfit& unfit) {
        leave_out(unfit.row());
    }
    leave_out_unnumbered();
}

void RecordSink::leave_out_unnumbered() {
    for (const registry::BadRow& row : encoder_.take_unnumbered()) {
        leave_out(row);
    }
}

void RecordSink::leave_out(const registry::BadRow& row) {
    const std::string id = store_writer::note_id(row.entity, row.key);
    notes_.add(store_writer::note_key(id), left_out_ != nullptr
                                               ? left_out_->add(id, row)
                                               : store_writer::encode_note(id, note_of(row)));
    left_out(row);
}

void RecordSink::finish() {
    give_token();
    give_spooled(users_, 0);
    number_roles();
    give_suspensions();
    give_spooled(notes_, store_writer::note_id_size);
    give_roles();
}

// Those that nothing names come last: if there are too many, they are left out.
void RecordSink::number_roles() {
    for (auto at = roles_.begin(); at != roles_.end();) {
        try {
            encoder_.role_number(at->first);
            ++at;
        } catch (const Unfit& unfit) {
            leave_out(unfit.row());
            at = roles_.erase(at);
        }
    }
}

void RecordSink::give_token() {
    if (!token_.empty()) {
        record(token_key_, token_);
        token_.clear();
    }
}

// Entries of equal keys are one record; of those that begin with the same id, if they have one, the
// first counts.
void RecordSink::give_spooled(Spool& spool, std::size_t id_size) {
    std::uint64_t key = 0;
    std::string value;
    std::string last;  // id
    spool.for_each_sorted([&](std::uint64_t next, std::string_view entry) {
        if (next != key && !value.empty()) {
            record(key, value);
            value.clear();
            last.clear();
        }
        key = next;
        if (id_size == 0 || entry.substr(0, id_size) != last) {
            value += entry;
            last = entry.substr(0, id_size);
        }
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
