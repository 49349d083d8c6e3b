#include "registry/set_aside.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "registry/checks.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

// What a row t of a table names.
struct Parent {
    std::string_view what;
    std::string_view table;
    std::string_view match;   // p is a row of that table
    std::string_view column;  // NULL: it names none
};

struct Table {
    std::string_view entity;
    std::string_view name;
    std::string_view key;  // of a row t, as in the audit trail
    std::string_view primary_key;
    std::string_view columns;  // of version 1, separated by spaces
    std::vector<Parent> parents;
};

// Parents first.
const std::vector<Table>& tables() {
    static const std::vector<Table> all = {
        {"role", "roles", "t.id", "id", "id scopes", {}},
        {"organization", "organizations", "t.id", "id", "id suspended created_at", {}},
        {"group",
         "org_groups",
         "t.organization || '/' || t.id",
         "organization, id",
         "organization id created_at",
         {{"organization", "organizations", "p.id = t.organization", "t.organization"}}},
        {"user", "users", "t.id", "id", "id technical disabled created_at", {}},
        {"membership",
         "memberships",
         "t.user_id || ' ' || t.organization",
         "user_id, organization",
         "user_id organization role created_at",
         {{"user", "users", "p.id = t.user_id", "t.user_id"},
          {"organization", "organizations", "p.id = t.organization", "t.organization"},
          {"role", "roles", "p.id = t.role", "t.role"}}},
        {"token",
         "tokens",
         "t.id",
         "id",
         "id prefix digest key_id kind user_id organization group_id role scopes name description "
         "allow created_at not_before expires_at revoked_at predecessor successor",
         {{"user", "users", "p.id = t.user_id", "t.user_id"},
          {"organization", "organizations", "p.id = t.organization", "t.organization"},
          {"group", "org_groups", "p.organization = t.organization AND p.id = t.group_id",
           "t.group_id"},
          {"role", "roles", "p.id = t.role", "t.role"}}},
    };
    return all;
}

bool is_about(const Table& table, const Check& check) {
    return !check.added && check.table == table.name;
}

// The first rule that a row breaks, or NULL: of those that a mend is for, or of the others.
std::string broken_rule(Engine engine, const Table& table, bool mended) {
    std::string whens;
    for (const Check& check : checks(engine)) {
        if (is_about(table, check) && check.mend.empty() != mended) {
            whens += fmt::format("WHEN NOT coalesce(({}), 0 = 1) THEN '{}' ", check.expression,
                                 check.rule);
        }
    }
    for (const Parent& parent : table.parents) {
        if (!mended) {
            whens += fmt::format(
                "WHEN {0} IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM {1} p WHERE {2}) OR EXISTS "
                "(SELECT 1 FROM bad_{1} p WHERE {2})) THEN 'its {3} is not there' ",
                parent.column, parent.table, parent.match, parent.what);
        }
    }
    return whens.empty() ? "NULL" : fmt::format("CASE {}END", whens);
}

std::string content(Engine engine, const Table& table) {
    if (engine == Engine::postgresql) {
        return "row_to_json(t)::text";
    }
    std::string list;
    std::string_view columns = table.columns;
    for (auto column = next_word(columns); !column.empty(); column = next_word(columns)) {
        list += fmt::format("{}'{}', CASE typeof(t.{}) WHEN 'blob' THEN hex(t.{}) ELSE t.{} END",
                            list.empty() ? "" : ", ", column, column, column, column);
    }
    return fmt::format("json_object({})", list);
}

// entity, key, reason, kept, content
std::string select_rows(Engine engine) {
    std::string with;
    std::string all;
    for (const Table& table : tables()) {
        const auto rows = [&](bool mended) {
            return fmt::format(
                "SELECT * FROM (SELECT {}, {} AS the_key, {} AS reason, {} AS content FROM {} t) "
                "AS rows_of WHERE reason IS NOT NULL",
                table.primary_key, table.key, broken_rule(engine, table, mended),
                content(engine, table), table.name);
        };
        // looked into by key, rather than made for all
        with += fmt::format("{}bad_{} AS NOT MATERIALIZED ({})", with.empty() ? "WITH " : ", ",
                            table.name, rows(false));
        all += fmt::format(
            "{}SELECT '{}' AS entity, the_key, reason, 0 AS kept, content FROM bad_{} UNION ALL "
            "SELECT '{}', the_key, reason, 1, content FROM ({}) AS t WHERE NOT EXISTS (SELECT 1 "
            "FROM bad_{} b WHERE b.the_key = t.the_key)",
            all.empty() ? "" : " UNION ALL ", table.entity, table.name, table.entity, rows(true),
            table.name);
    }
    return with + " " + all;
}

void mend_rows(Session& session) {
    for (const Check& check : checks(session.engine())) {
        const auto& all = tables();
        const bool old = std::any_of(all.begin(), all.end(),
                                     [&](const Table& table) { return is_about(table, check); });
        if (old && !check.mend.empty()) {
            session.execute(fmt::format("UPDATE {} SET {} WHERE NOT coalesce(({}), 0 = 1)",
                                        check.table, check.mend, check.expression));
        }
    }
}

}  // namespace

std::vector<SetAside> rows_to_set_aside(Session& session) {
    std::vector<SetAside> found;
    const auto rows = session.query(select_rows(session.engine()));
    while (rows->next()) {
        found.push_back({std::string(rows->text(0)), std::string(rows->text(1)),
                         std::string(rows->text(2)), rows->integer(3) != 0});
    }
    return found;
}

void set_rows_aside(Session& session, std::string_view actor) {
    const Engine engine = session.engine();
    session.execute(
        fmt::format("INSERT INTO set_aside (entity, key, reason, kept, content) "
                    "SELECT entity, the_key, reason, kept, content FROM ({}) AS found",
                    select_rows(engine)));
    session.execute(
        fmt::format("INSERT INTO audit (actor, action, entity, key, detail) SELECT $1, CASE kept "
                    "WHEN 0 THEN '{}' ELSE 'mend' END, entity, coalesce(CAST(key AS TEXT), ''), {} "
                    "FROM set_aside ORDER BY seq",
                    set_aside_action,
                    engine == Engine::sqlite ? "json_object('reason', reason)"
                                             : "json_build_object('reason', reason)::text"),
        {actor});
    mend_rows(session);
    const auto& all = tables();
    for (auto table = all.rbegin(); table != all.rend(); ++table) {
        session.execute(
            fmt::format("DELETE FROM {0} AS t WHERE {1} IS NULL OR {1} IN (SELECT key FROM "
                        "set_aside WHERE entity = '{2}' AND kept = 0)",
                        table->name, table->key, table->entity));
    }
}

}  // namespace token_auth::registry
