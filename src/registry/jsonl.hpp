// Entities as JSON Lines, the form of `tokenctl export`: one object per line, with "type" saying
// which. A field that has its default is left out; times are RFC 3339.
//
// {"type":"role","id":"reader","scopes":["agents:read"],"description":"…"}
// {"type":"scope","scope":"agents:read","description":"Read agents"}
// {"type":"organization","id":"acme","suspended":true,"created":"2026-01-31T08:00:00Z",
//  "display_name":"…","system":true,
//  "policy":{"max_life":"90d","default_life":"30d","require_allow":true,"max_tokens":100}}
// {"type":"group","organization":"acme","id":"ops","created":"…"}
// {"type":"user","id":"ann","technical":true,"disabled":true,"created":"…",
//  "display_name":"…","email":"ann@example.org","sso_name":"…"}
// {"type":"membership","user":"ann","organization":"acme","role":"reader","created":"…"}
// {"type":"membership","user":"ann","organization":"acme","group":"ops","role":"admin",…}
// {"type":"token","id":"…","prefix":"ak","digest":"sha256:…","kind":"organization","user":"tu-…",
//  "organization":"acme","group":"ops","role":"reader","scopes":["…"],"name":"…",
//  "description":"…","allow":["192.0.2.0/24"],"created":"…","not_before":"…","expires":"…",
//  "revoked":"…","predecessor":"…","successor":"…","created_by":"ann","created_via":"session"}
#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <string>
#include <variant>

#include "base/json_fwd.hpp"
#include "registry/model.hpp"

namespace token_auth::registry {

using Entity = std::variant<Role, ScopeEntry, Organization, Group, User, Membership, Token>;

inline constexpr std::size_t line_max = 128 * 1024;  // bytes: no sound line is longer

// The object of an entity, keys in the order above.
base::Json to_json(const Role& role);
base::Json to_json(const ScopeEntry& entry);
base::Json to_json(const Organization& organization);
base::Json to_json(const Group& group);
base::Json to_json(const User& user);
base::Json to_json(const Membership& membership);
base::Json to_json(const Token& token);
// The object that stands in an organization's; empty if it has no rules.
base::Json to_json(const Policy& policy);

// Reads entities one by one, in memory for one line only. Every entity given has passed check()
// of validate.hpp; `created`, and the user of an organization's or group's token, are empty if
// the line leaves them out. Blank lines are passed over.
class JsonlReader {
  public:
    // `name` is how messages call the input; the stream must outlive the reader.
    JsonlReader(std::istream& input, std::string name) : input_(input), name_(std::move(name)) {}

    // The next entity, empty at the end. A line that is none is a base::Error that names line and
    // field, and holds no value of the line.
    std::optional<Entity> next();

    // The same for the object of the next line, of which nothing is checked yet; false at the end.
    bool next_object(base::Json& into);

    // The number of the line last read, from 1.
    std::size_t line() const { return line_; }

    // "NAME line 7", for messages.
    std::string place() const;

  private:
    bool read_line();
    bool next_line();

    std::istream& input_;
    std::string name_;
    std::string text_;
    std::size_t line_ = 0;
};

// What an object, or a line that holds one (without newline), says; errors as JsonlReader's,
// without the place.
Entity to_entity(const base::Json& object);
Entity parse_entity(std::string_view line);

}  // namespace token_auth::registry
