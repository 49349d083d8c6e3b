#include "registry/checks.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/text.hpp"
#include "base/time.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

// What an engine says of a column {0}.
class Rules {
  public:
    virtual ~Rules() = default;
    virtual std::string identifier(std::string_view column) const = 0;
    virtual std::string number(std::string_view column, std::int64_t most) const = 0;
    virtual std::string digest(std::string_view column) const = 0;
    virtual std::string scopes(std::string_view column) const = 0;
    virtual std::string blocks(std::string_view column) const = 0;
    virtual std::string email(std::string_view column) const = 0;
    // Of a column that may be NULL, what it is otherwise.
    virtual std::string or_null(std::string_view column, const std::string& expression) const {
        return fmt::format("{} IS NULL OR ({})", column, expression);
    }
    // For people; at most so many bytes of UTF-8.
    virtual std::string text(std::string_view column, std::size_t most) const = 0;
    // With something to see in it, and nothing that is not.
    virtual std::string visible(std::string_view column) const = 0;
};

// GLOB stops at a NUL, and length() does, too: so the bytes are counted as well. SQLite takes any
// type in any column: so the type is asked for.
class SqliteRules final : public Rules {
    std::string identifier(std::string_view column) const override {
        return fmt::format(
            "{} AND length({}) <= {} AND {} NOT GLOB '*[^A-Za-z0-9._-]*' AND {} NOT IN ('', '.', "
            "'..')",
            ascii(column), column, identifier_max, column, column);
    }
    std::string number(std::string_view column, std::int64_t most) const override {
        return fmt::format("typeof({0}) = 'integer' AND {0} BETWEEN 0 AND {1}", column, most);
    }
    std::string digest(std::string_view column) const override {
        return fmt::format("{0} AND length({1}) = 64 AND {1} NOT GLOB '*[^0-9a-f]*'", ascii(column),
                           column);
    }
    std::string scopes(std::string_view column) const override {
        return fmt::format("{0} AND length({1}) <= {2} AND {1} NOT GLOB '*[^] !#-[^-~]*' AND {3}",
                           ascii(column), column, scopes_max, words_of(column, scope_max));
    }
    // As far as GLOB goes: it knows no repetition, so it cannot tell words apart.
    std::string blocks(std::string_view column) const override {
        constexpr std::size_t block_max = 49;  // IPv6 with an IPv4 address in it, and /128
        return fmt::format(
            "{0} AND {1} NOT GLOB '*[^0-9A-Fa-f.:/ ]*' AND {1} NOT GLOB '*[./]' AND {1} NOT GLOB "
            "'*[./][^0-9]*' AND {1} NOT GLOB '*[./][0-9][0-9][0-9][0-9]*' AND {1} NOT GLOB "
            "'*.[3-9][0-9][0-9]*' AND ' ' || {1} NOT GLOB '*[: ][3-9][0-9][0-9].*' AND "
            "length({1}) - length(replace({1}, ' ', '')) < {2} AND {3}",
            ascii(column), column, allow_max, words_of(column, block_max));
    }
    std::string email(std::string_view column) const override {
        return fmt::format(
            "{0} AND length({1}) <= {2} AND {1} GLOB '?*@?*' AND {1} NOT GLOB '*@*@*' AND {1} NOT "
            "GLOB '*[^!-~]*'",
            ascii(column), column, email_max);
    }
    std::string text(std::string_view column, std::size_t most) const override {
        // What is no UTF-8 reads as U+FFFD (not all of it; some reads as a character).
        return fmt::format(
            "typeof({0}) = 'text' AND length(CAST({0} AS BLOB)) <= {1} AND instr(CAST({0} AS "
            "BLOB), x'00') = 0 AND replace({0}, char(65533), '') NOT GLOB '*' || char(65533) || "
            "'*'",
            column, most);
    }
    std::string visible(std::string_view column) const override {
        return fmt::format(
            "{0} NOT GLOB '*[' || char({1}) || ']*' AND {0} GLOB '*[^' || char({2}) || ']*'",
            column, ranges(base::invisible_code_points()), ranges(base::space_code_points()));
    }

    static std::string ascii(std::string_view column) {
        return fmt::format("typeof({0}) = 'text' AND length({0}) = length(CAST({0} AS BLOB))",
                           column);
    }
    // Without a word of more than so many bytes.
    static std::string words_of(std::string_view column, std::size_t most) {
        return fmt::format(
            "(length({0}) <= {1} OR {0} NOT GLOB '*' || replace(hex(zeroblob({2})), '00', '[^ ]') "
            "|| '*')",
            column, most, most + 1);
    }
    // The arguments of char() that make a class of GLOB's.
    static std::string ranges(std::span<const base::CodePoints> points) {
        std::string out;
        for (const auto& [first, last] : points) {
            const auto from = static_cast<std::uint32_t>(first == 0 ? 1 : first);
            const auto to = static_cast<std::uint32_t>(last);
            out += fmt::format("{}{}", out.empty() ? "" : ",", from);
            out += to == from ? "" : fmt::format(",{:d},{}", '-', to);
        }
        return out;
    }
};

// Classes alone where they do: a bounded repetition is many times slower.
class PostgresqlRules : public Rules {
  public:
    std::string identifier(std::string_view column) const override {
        return fmt::format(
            "octet_length({0}) <= {1} AND {0} !~ '[^A-Za-z0-9._-]' AND {0} NOT IN ('', '.', '..')",
            column, identifier_max);
    }
    std::string number(std::string_view column, std::int64_t most) const override {
        return fmt::format("{} BETWEEN 0 AND {}", column, most);
    }
    std::string digest(std::string_view column) const override {
        return fmt::format("octet_length({0}) = 64 AND {0} !~ '[^0-9a-f]'", column);
    }
    std::string scopes(std::string_view column) const override {
        return fmt::format(
            R"({0} !~ '[^ !#-\[\]-~]' AND {0} !~ '[^ ]{{{2}}}' AND octet_length({0}) <= {1})",
            column, scopes_max, scope_max + 1);
    }
    // Each word takes a space on either side of it away.
    std::string blocks(std::string_view column) const override {
        constexpr std::string_view octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
        const std::string v4 = fmt::format(R"({0}(\.{0}){{3}})", octet);
        const std::string v6 =
            fmt::format("[0-9A-Fa-f]{{0,4}}(:[0-9A-Fa-f]{{0,4}}){{2,8}}(:{})?", v4);
        return fmt::format(
            "regexp_replace(' ' || replace({0}, ' ', '  ') || ' ', "
            "' ({1}(/([12]?[0-9]|3[0-2]))?|{2}(/(1[01][0-9]|12[0-8]|[1-9]?[0-9]))?) ', '', 'g') ~ "
            "'^ *$' AND array_length(regexp_split_to_array(trim({0}), ' +'), 1) <= {3}",
            column, v4, v6, allow_max);
    }
    std::string email(std::string_view column) const override {
        return fmt::format("octet_length({0}) <= {1} AND {0} ~ '^[!-?A-~]+@[!-?A-~]+$'", column,
                           email_max);
    }
    std::string text(std::string_view column, std::size_t most) const override {
        return fmt::format("octet_length({0}) <= {1}", column, most);
    }
    std::string visible(std::string_view column) const override {
        return fmt::format("{0} !~ '[{1}]' AND {0} ~ '[^{2}]'", column,
                           ranges(base::invisible_code_points()),
                           ranges(base::space_code_points()));
    }

  private:
    static std::string ranges(std::span<const base::CodePoints> points) {
        std::string out;
        for (const auto& [first, last] : points) {
            out += fmt::format(R"(\U{:08x}-\U{:08x})",
                               static_cast<std::uint32_t>(first == 0 ? 1 : first),
                               static_cast<std::uint32_t>(last));
        }
        return out;
    }
};

// As the tables have them. PostgreSQL parses a table's checks anew for each statement that writes
// to it, constants byte by byte, which took a third of what making a token costs; a function's body
// it parses once in a session.
class PostgresqlTableRules final : public PostgresqlRules {
  public:
    std::string identifier(std::string_view column) const override {
        return fmt::format("token_auth.is_identifier({})", column);
    }
    // Of NULL, the functions say NULL, which is not false.
    std::string or_null(std::string_view /*column*/, const std::string& expression) const override {
        return expression;
    }
    std::string number(std::string_view column, std::int64_t most) const override {
        return most == base::time_max ? fmt::format("token_auth.is_time({})", column)
                                      : PostgresqlRules::number(column, most);
    }
    std::string digest(std::string_view column) const override {
        return fmt::format("token_auth.is_digest({})", column);
    }
    std::string scopes(std::string_view column) const override {
        return fmt::format("token_auth.is_scopes({})", column);
    }
    std::string blocks(std::string_view column) const override {
        return fmt::format("token_auth.is_allow_list({})", column);
    }
    std::string email(std::string_view column) const override {
        return fmt::format("token_auth.is_email({})", column);
    }
    std::string visible(std::string_view column) const override {
        return fmt::format("token_auth.is_visible({})", column);
    }
};

constexpr std::string_view id_rule = identifier_rule;
constexpr std::string_view flag_rule = "must be 0 or 1";
constexpr std::string_view time_rule = "must be a time from 1970 to 9999, in seconds since 1970";
constexpr std::string_view digest_rule = "must be 64 lower-case hex digits";
constexpr std::string_view name_rule = "must be at most 255 bytes of UTF-8";
constexpr std::string_view description_rule = "must be at most 1000 bytes of UTF-8";
constexpr std::string_view visible_rule =
    "must be without control or invisible characters, and not only spaces";

// Collects the checks of one table after the other.
class List {
  public:
    explicit List(const Rules& rules) : rules_(rules) {}

    void table(std::string_view name) {
        table_ = name;
        added_ = false;
    }
    // What follows is about columns that version 1 has not.
    void added() { added_ = true; }
    void add(std::string_view column, std::string_view rule, std::string expression,
             std::string mend = {}) {
        across(column, fmt::format("{} {}", column, rule), std::move(expression), std::move(mend));
    }
    // Of several columns.
    void across(std::string_view what, std::string rule, std::string expression,
                std::string mend = {}) {
        checks_.push_back({table_, fmt::format("{}_{}", table_, what), std::move(rule),
                           std::move(expression), std::move(mend), added_});
    }
    void identifier(std::string_view column) { add(column, id_rule, rules_.identifier(column)); }
    void identifier_or_null(std::string_view column, std::string mend = {}) {
        add(column, id_rule, rules_.or_null(column, rules_.identifier(column)), mend);
    }
    void flag(std::string_view column) { add(column, flag_rule, rules_.number(column, 1)); }
    void digest(std::string_view column) { add(column, digest_rule, rules_.digest(column)); }
    void number(std::string_view column, std::int64_t most) {
        add(column, fmt::format("must be 0 to {}", most), rules_.number(column, most));
    }
    void time(std::string_view column, std::string mend = {}) {
        add(column, time_rule, rules_.number(column, base::time_max), std::move(mend));
    }
    void created() { time("created_at", "created_at = 0"); }
    void or_empty(std::string_view column, std::string_view rule, const std::string& expression,
                  std::string mend = {}) {
        add(column, rule, fmt::format("{} = '' OR ({})", column, expression), std::move(mend));
    }

    // That may be empty, and is emptied if it is wrong.
    void text(std::string_view column, std::string_view rule, const std::string& expression) {
        const std::string mend = fmt::format("{} = ''", column);
        add(column, rule, expression, mend);
        across(fmt::format("{}_visible", column), fmt::format("{} {}", column, visible_rule),
               fmt::format("{} = '' OR ({})", column, rules_.visible(column)), mend);
    }

    std::vector<Check> take() { return std::move(checks_); }

  private:
    const Rules& rules_;
    std::string_view table_;
    bool added_ = false;
    std::vector<Check> checks_;
};

constexpr std::string_view scopes_rule =
    "must be 1 to 128 printable ASCII characters each, without double quote or backslash, with a "
    "space between them";

void add_users(List& list, const Rules& rules) {
    list.table("users");
    list.identifier("id");
    list.flag("technical");
    list.flag("disabled");
    list.created();
    list.added();
    list.text("display_name", name_rule, rules.text("display_name", name_max));
    list.or_empty("email", "must be an address such as ann@example.org", rules.email("email"));
    list.text("sso_name", name_rule, rules.text("sso_name", name_max));
    list.across("details",
                "display_name, email and sso_name are for people, not for technical users",
                "technical = 0 OR (display_name = '' AND email = '' AND sso_name = '')");
}

void add_organizations(List& list, const Rules& rules) {
    list.table("organizations");
    list.identifier("id");
    list.flag("suspended");
    list.created();
    list.added();
    list.text("display_name", name_rule, rules.text("display_name", name_max));
    list.flag("system");
    list.number("max_life", base::time_max);
    list.number("default_life", base::time_max);
    list.flag("require_allow");
    list.number("max_tokens", max_tokens_max);
    list.across("policy", "default_life must not be longer than max_life",
                "max_life = 0 OR default_life <= max_life");
}

void add_memberships(List& list, std::string_view table) {
    list.table(table);
    list.identifier("user_id");
    list.identifier("organization");
    list.identifier("role");
    list.created();
}

// What logging in needs.
void add_secrets(List& list, const Rules& rules) {
    constexpr std::size_t hash_max = 127;  // libsodium's crypto_pwhash_STRBYTES, less the NUL
    constexpr std::size_t address_max = 64;
    constexpr std::size_t path_max = 1000;
    constexpr std::size_t key_max = 64;
    const auto address = [&] {
        list.add("address", "must be an address", rules.text("address", address_max));
    };
    list.table("passwords");
    list.identifier("user_id");
    list.add("hash", "must be a hash of argon2id",
             rules.text("hash", hash_max) + " AND hash LIKE '$argon2id$%'");
    list.time("changed_at");
    list.table("sessions");
    list.digest("id");
    list.identifier("user_id");
    list.created();
    list.time("used_at");
    address();
    list.table("throttle");
    list.digest("key");
    list.time("at");
    list.number("tries", INT32_MAX);
    list.table("login_addresses");
    list.identifier("user_id");
    address();
    list.time("at");
    list.table("idempotency_keys");
    list.add("caller", "must be a user or a token", rules.text("caller", path_max));
    list.add("path", "must be a path", rules.text("path", path_max));
    list.add("key", "must be 1 to 64 bytes", rules.text("key", key_max) + " AND key <> ''");
    list.digest("body");
    list.identifier("token");
    list.created();
}

void add_tokens(List& list, const Rules& rules) {
    list.table("tokens");
    list.identifier("id");
    list.or_empty("prefix", id_rule, rules.identifier("prefix"), "prefix = ''");
    list.digest("digest");
    list.add("key_id", "must be 0 to 4294967295", rules.number("key_id", UINT32_MAX));
    list.add("kind", "must be organization, group or user",
             "kind IN ('organization', 'group', 'user')");
    list.identifier("user_id");
    list.identifier_or_null("organization");
    list.identifier_or_null("group_id");
    list.identifier_or_null("role");
    list.or_empty("scopes", scopes_rule, rules.scopes("scopes"));
    list.add("name", name_rule, rules.text("name", name_max));
    // A record can hold such a name; it may be that of a token in use.
    list.across("name_visible", fmt::format("name {}", visible_rule), rules.visible("name"),
                "name = id");
    list.text("description", description_rule, rules.text("description", description_max));
    list.or_empty("allow", "must be at most 64 addresses or CIDR blocks", rules.blocks("allow"));
    list.created();
    list.time("not_before");
    list.time("expires_at");
    list.time("revoked_at", "revoked_at = 1");
    list.identifier_or_null("predecessor", "predecessor = NULL");
    list.identifier_or_null("successor", "successor = NULL");
    list.across("owner", "organization is for all kinds but user, and needed there",
                "(kind = 'user') = (organization IS NULL)");
    list.across("group", "group_id is for the kind group, and needed there",
                "(kind = 'group') = (group_id IS NOT NULL)");
    list.across("own_role", "role is not for the kind user", "kind <> 'user' OR role IS NULL");
    list.added();
    list.text("created_by", name_rule, rules.text("created_by", actor_max));
    list.add("created_via", "must be session, token, auth_token, tokenctl or empty",
             "created_via IN ('', 'session', 'token', 'auth_token', 'tokenctl')");
}

std::vector<Check> list_of(const Rules& rules) {
    List list(rules);
    list.table("roles");
    list.identifier("id");
    list.or_empty("scopes", scopes_rule, rules.scopes("scopes"), "scopes = ''");
    list.added();
    list.text("description", description_rule, rules.text("description", description_max));
    list.table("scopes");
    list.add("scope", "must be one scope",
             rules.scopes("scope") + " AND scope <> '' AND scope NOT LIKE '% %'");
    list.text("description", description_rule, rules.text("description", description_max));
    add_organizations(list, rules);
    list.table("org_groups");
    list.identifier("organization");
    list.identifier("id");
    list.created();
    add_users(list, rules);
    add_memberships(list, "memberships");
    add_memberships(list, "group_memberships");
    list.identifier("group_id");
    add_tokens(list, rules);
    add_secrets(list, rules);
    return list.take();
}

const Rules& rules_of(Engine engine) {
    static const SqliteRules sqlite;
    static const PostgresqlRules postgresql;
    return engine == Engine::sqlite ? static_cast<const Rules&>(sqlite) : postgresql;
}

}  // namespace

const std::vector<Check>& checks(Engine engine) {
    static const std::vector<Check> sqlite = list_of(rules_of(Engine::sqlite));
    static const std::vector<Check> postgresql = list_of(rules_of(Engine::postgresql));
    return engine == Engine::sqlite ? sqlite : postgresql;
}

std::string identifier_check(Engine engine, std::string_view column) {
    return rules_of(engine).identifier(column);
}

std::vector<Check> postgresql_table_checks() {
    return list_of(PostgresqlTableRules());
}

std::vector<std::string> postgresql_check_functions() {
    const PostgresqlRules rules;
    constexpr std::string_view value = "value";
    std::vector<std::string> statements;
    const auto add = [&](std::string_view name, std::string_view type,
                         const std::string& expression) {
        statements.push_back(fmt::format(
            "CREATE OR REPLACE FUNCTION token_auth.{0}(value {1}) RETURNS boolean LANGUAGE plpgsql "
            "IMMUTABLE PARALLEL SAFE AS $$\nBEGIN\n    RETURN {2};\nEND\n$$",
            name, type, expression));
        // whoever may write to a table
        statements.push_back(
            fmt::format("GRANT EXECUTE ON FUNCTION token_auth.{}({}) TO PUBLIC", name, type));
    };
    add("is_identifier", "TEXT", rules.identifier(value));
    add("is_digest", "TEXT", rules.digest(value));
    add("is_scopes", "TEXT", rules.scopes(value));
    add("is_allow_list", "TEXT", rules.blocks(value));
    add("is_email", "TEXT", rules.email(value));
    add("is_visible", "TEXT", rules.visible(value));
    add("is_time", "BIGINT", rules.number(value, base::time_max));
    return statements;
}

}  // namespace token_auth::registry
