// People, roles, the catalogue of scopes and the audit trail behind rights; see guarded.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/guarded.hpp"
#include "registry/system_pages.hpp"

namespace token_auth::registry {

// What a change of a person names; the rest stays. An empty text takes it away.
struct PersonChange {
    std::optional<std::string> display_name;
    std::optional<std::string> email;
    std::optional<std::string> sso_name;
    std::optional<bool> disabled;
};

class SystemReader : public GuardedReader {
  public:
    using GuardedReader::GuardedReader;

    // Technical users are none.
    Person person(const std::string& id);
    Page<Person> person_page(const std::string& begin, const PageRange& range);
    Role role(const std::string& id);
    Page<Role> role_page(const PageRange& range);
    // The whole catalogue, sorted.
    std::vector<ScopeEntry> scopes();
    // Of an organization or a group: who reads its audit trail. Without an organization, one's own
    // acts; the system's, all. The system may also name what is gone.
    Page<AuditRow> audit_page(AuditListing listing, const PageRange& range);
};

class SystemWriter : public SystemReader {
  public:
    // As GuardedWriter.
    SystemWriter(Writer& writer, rights::Caller caller);

    Person add_person(const std::string& id, const PersonChange& fields);
    Person change_person(const std::string& id, const PersonChange& change);
    // With the personal tokens, if that is asked for: else not_empty if there are any.
    void remove_person(const std::string& id, bool with_tokens);
    // Of a hash (password.hpp); empty: takes the password away.
    void put_person_password(const std::string& id, const std::string& hash);

    // The role that there is now; none: it will be a new one.
    std::optional<Role> role_to_put(const std::string& id);
    Outcome put_role(const Role& role);
    void remove_role(const std::string& id);
    // Makes the catalogue be these.
    void put_scopes(const std::vector<ScopeEntry>& entries);

  private:
    Person save(User user);

    Writer& writer_;
};

}  // namespace token_auth::registry
