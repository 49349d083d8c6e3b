#include "registry/importer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "registry/jsonl.hpp"
#include "registry/token_columns.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

using base::Json;

// The field if it is an identifier, else empty.
std::string identifier_in(const Json& object, const char* field) {
    const auto value = object.find(field);
    if (value == object.end() || !value->is_string()) {
        return {};
    }
    const auto& text = value->get_ref<const std::string&>();
    return is_identifier(text) ? text : std::string();
}

std::string scope_in(const Json& object) {
    const auto value = object.find("scope");
    return value != object.end() && value->is_string() && is_scope(value->get<std::string>())
               ? value->get<std::string>()
               : std::string();
}

template <typename T>
std::optional<Json> object_of(const std::optional<T>& found) {
    return found ? std::optional(to_json(*found)) : std::nullopt;
}

// What the registry holds of the entity that a line names.
std::optional<Json> stored(Reader& reader, const Json& line) {
    const std::string type = identifier_in(line, "type");
    const std::string id = identifier_in(line, "id");
    const std::string organization = identifier_in(line, "organization");
    if (type == "membership") {
        return object_of(reader.membership(identifier_in(line, "user"), organization,
                                           identifier_in(line, "group")));
    }
    if (type == "scope") {
        return object_of(reader.scope_entry(scope_in(line)));
    }
    if (id.empty()) {
        return std::nullopt;
    }
    if (type == "role") {
        return object_of(reader.role(id));
    }
    if (type == "organization") {
        return object_of(reader.organization(id));
    }
    if (type == "group") {
        return object_of(reader.group(organization, id));
    }
    if (type == "user") {
        return object_of(reader.user(id));
    }
    const auto view = type == "token" ? reader.token(id) : std::nullopt;
    return view ? std::optional(to_json(view->token)) : std::nullopt;
}

// Ids and digests that have been seen, by 128 bits of SHA-256: a large import has millions.
class Seen {
  public:
    Seen() {
        if (!digester_.init()) {
            throw base::Error("cannot compute SHA-256; check the installation of libcrypto");
        }
    }

    // False if it was there already.
    bool add(std::string_view kind, std::string_view name) {
        Digest digest{};
        digester_.plain(fmt::format("{} {}", kind, name), digest);
        Key key{};
        std::memcpy(key.data(), digest.data(), sizeof(key));
        return keys_.insert(key).second;
    }

  private:
    using Key = std::array<std::uint64_t, 2>;
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept { return key[0]; }
    };
    Digester digester_;
    std::unordered_set<Key, Hash> keys_;
};

// What the audit trail says was ended, so that an older file does not bring it back.
class Ended {
  public:
    explicit Ended(Reader& reader) {
        AuditFilter deleted;
        deleted.action = "delete";
        deleted.entity = "token";
        reader.audit(deleted, [&](const AuditRow& row) {
            tokens_.insert(row.key);
            const Json detail = Json::parse(row.detail, nullptr, false);
            if (detail.is_object()) {
                users_.insert(identifier_in(detail, "user"));
            }
        });
        AuditFilter rotated;
        rotated.action = "rotate";
        rotated.entity = "token";
        reader.audit(rotated, [&](const AuditRow& row) { rotated_.insert(row.key); });
        AuditFilter left;
        left.action = "remove";
        left.entity = "membership";
        reader.audit(left, [&](const AuditRow& row) { memberships_[row.key] = row.at; });
    }

    bool holds(const Token& token) const { return tokens_.count(token.id) != 0; }
    bool holds(const Membership& membership) const {
        const auto found = memberships_.find(audit_key(membership));
        return found != memberships_.end() && membership.created != 0 &&
               membership.created <= found->second;
    }
    // Whether a token was rotated here, though its successor may be gone by now.
    bool rotated(const std::string& id) const { return rotated_.count(id) != 0; }
    // Whether a technical user went with its tokens, as far as can be known.
    bool holds(const User& user) const { return user.technical && users_.count(user.id) != 0; }

  private:
    std::unordered_set<std::string> tokens_;
    std::unordered_set<std::string> users_;
    std::unordered_set<std::string> rotated_;
    std::unordered_map<std::string, std::int64_t> memberships_;
};

class Import {
  public:
    Import(Writer& writer, ImportMode mode, ImportCounts& counts)
        : writer_(writer), mode_(mode), counts_(counts) {
        if (mode == ImportMode::merge) {
            ended_.emplace(writer);
        }
    }

    void take(const Json& line) {
        const auto before = stored(writer_, line);
        Entity entity =
            mode_ == ImportMode::merge && before ? merged(*before, line) : to_entity(line);
        std::visit([&](const auto& value) { require_first(value); }, entity);
        std::visit(Overloaded{[&](User& user) { put_user(std::move(user), before.has_value()); },
                              [&](Membership& membership) {
                                  put_unless_removed(std::move(membership), before.has_value());
                              },
                              [&](Token& token) {
                                  put_unless_removed(std::move(token), before.has_value());
                              },
                              [&](auto& value) { put(std::move(value)); }},
                   entity);
    }

  private:
    // What is there, with the line's fields in place of its own.
    Entity merged(const Json& before, const Json& line) const {
        Json object = before;
        object.update(line, true);
        Entity entity = to_entity(object);
        auto* const token = std::get_if<Token>(&entity);
        if (token != nullptr && before.contains("expires") && is_older(before, line)) {
            const auto now = std::get<Token>(to_entity(before)).expires;
            token->expires = token->expires == 0 ? now : std::min(token->expires, now);
        }
        return entity;
    }

    // Whether the line of a token was written before that was rotated, as far as can be known.
    bool is_older(const Json& before, const Json& line) const {
        const auto successor = before.find("successor");
        return successor == before.end() ? ended_->rotated(before.value("id", ""))
                                         : line.value("successor", Json()) != *successor;
    }

    void require_first(const Role& role) { require_first("role", role.id); }
    void require_first(const ScopeEntry& entry) { require_first("scope", entry.scope); }
    void require_first(const Organization& organization) {
        require_first("organization", organization.id);
    }
    void require_first(const Group& group) {
        require_first("group", group.organization + "/" + group.id);
    }
    void require_first(const User& user) { require_first("user", user.id); }
    void require_first(const Membership& membership) {
        require_first("membership", audit_key(membership));
    }
    void require_first(const Token& token) {
        require_first("token", token.id);
        if (!seen_.add("digest", to_hex(token.digest.bytes))) {
            throw base::Error(
                "digest is in the file twice; no two tokens can have the same, so leave one out");
        }
    }
    void require_first(std::string_view type, const std::string& name) {
        if (!seen_.add(type, name)) {
            throw base::Error(fmt::format("{} {} is in the file twice; leave out the older line",
                                          type, base::quoted(name)));
        }
    }

    static bool is_powerless(const Token& token) {
        return token.kind != kind_user && token.role.empty() && token.scopes.empty();
    }
    template <typename T>
    static bool is_powerless(const T& /*value*/) {
        return false;
    }

    template <typename T>
    void put(T value) {
        const bool powerless = is_powerless(value);
        const Outcome outcome = writer_.put(std::move(value));
        if (powerless && outcome != Outcome::unchanged) {
            ++counts_.powerless;
        }
        switch (outcome) {
            case Outcome::added:
                ++counts_.added;
                break;
            case Outcome::updated:
                ++counts_.updated;
                break;
            case Outcome::unchanged:
                ++counts_.unchanged;
                break;
        }
    }

    template <typename T>
    void put_unless_removed(T value, bool exists) {
        if (!exists && ended_ && ended_->holds(value)) {
            ++counts_.left_out;
            return;
        }
        if constexpr (std::is_same_v<T, Token>) {
            put_waiting_user(value.user.empty() ? technical_user_id(value.id) : value.user);
        }
        put(std::move(value));
    }

    // A technical user that went with its tokens must wait for another.
    void put_user(User user, bool exists) {
        if (!exists && ended_ && ended_->holds(user)) {
            waiting_.emplace(user.id, std::move(user));
        } else {
            put(std::move(user));
        }
    }

    void put_waiting_user(const std::string& id) {
        if (auto found = waiting_.extract(id); !found.empty()) {
            put(std::move(found.mapped()));
        }
    }

    Writer& writer_;
    const ImportMode mode_;
    ImportCounts& counts_;
    std::optional<Ended> ended_;
    std::map<std::string, User> waiting_;
    Seen seen_;
};

}  // namespace

ImportCounts import_lines(Registry& registry, const Author& author, std::istream& input,
                          const std::string& name, ImportMode mode) {
    ImportCounts counts;
    registry.write_alone(author, [&](Writer& writer) {
        JsonlReader reader(input, name);
        Import import(writer, mode, counts);
        for (Json line; reader.next_object(line);) {
            try {
                import.take(line);
            } catch (const base::Error& error) {
                throw base::Error(fmt::format("{}: {}", reader.place(), error.what()));
            }
        }
        if (const auto idle = writer.idle_technical_user()) {
            throw base::Error(fmt::format(
                "{}: no token acts for technical user {}; leave the user out, or add its token",
                name, base::quoted(*idle)));
        }
    });
    return counts;
}

void export_lines(Registry& registry, const std::function<void(const std::string&)>& each) {
    const auto give = [&](const auto& entity) { each(base::json_line(to_json(entity))); };
    registry.read([&](Reader& reader) {
        reader.roles(give);
        reader.scope_entries(give);
        reader.organizations(give);
        reader.groups({}, give);
        reader.users(give);
        reader.memberships({}, give);
        reader.group_memberships({}, give);
        reader.tokens({}, [&](const TokenView& view) { give(view.token); });
    });
}

}  // namespace token_auth::registry
