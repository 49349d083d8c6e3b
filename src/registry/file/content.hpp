// What a whole JSON Lines file says: checked line by line and in what the lines say of each other.
//
// What `tokenctl import` into an empty registry would not take is not taken here either, except
// that the order of the lines is free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "registry/jsonl.hpp"
#include "registry/model.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// Holds all of it in memory: about a kilobyte per token.
class FileContent {
  public:
    // Reads to the end; messages call the input `name`. base::Error if a line is none, names
    // what is not in the file, or says again what another one says; it names line and field. So is
    // a file without a line: that is what a file looks like whose writer has just begun.
    FileContent(std::istream& input, std::string name);

    std::uint64_t token_count() const noexcept { return tokens_.size(); }

    // Gives everything, in the order of the store's keys.
    void give(Sink& sink) const;

  private:
    template <typename T>
    struct Placed {
        T value;
        std::size_t line = 0;
    };
    struct PlacedUser {
        User value;
        std::size_t line = 0;
        bool acts = false;  // for some token, as its technical user
    };
    using Pair = std::pair<std::string, std::string>;

    void take(Role role, std::size_t line);
    void take(const ScopeEntry&, std::size_t) {}  // for managing
    void take(Organization organization, std::size_t line);
    void take(Group group, std::size_t line);
    void take(User user, std::size_t line);
    void take(Membership membership, std::size_t line);
    void take(Token token, std::size_t line);

    std::vector<MemberOf> memberships_of(const std::string& user, std::size_t most) const;

    void require_distinct_tokens() const;
    void check(const Group& group, std::size_t line) const;
    void check(const Membership& membership, std::size_t line) const;
    void check(const Token& token, std::size_t line) const;
    // Completes the token by the state of its user.
    void link_user(Token& token, std::size_t line);
    void require_no_idle_user() const;

    void require_organization(const std::string& id, std::size_t line) const;
    void require_role(const std::string& id, std::size_t line) const;
    PlacedUser& user(const std::string& id, std::size_t line);
    const PlacedUser& user(const std::string& id, std::size_t line) const;

    // Throws for that line.
    [[noreturn]] void fail(std::size_t line, const std::string& text) const;
    [[noreturn]] void fail_missing(std::size_t line, const char* field,
                                   const std::string& id) const;
    [[noreturn]] void fail_twice(std::size_t line, const std::string& what,
                                 std::size_t first) const;

    std::string name_;
    std::map<std::string, Placed<Role>> roles_;
    std::map<std::string, Placed<Organization>> organizations_;
    std::map<Pair, Placed<Group>> groups_;  // by organization and id
    std::map<std::string, PlacedUser> users_;
    std::map<Pair, Placed<Membership>> memberships_;  // by user and organization
    std::vector<Placed<Token>> tokens_;               // by digest, once all is read
};

}  // namespace token_auth::registry
