// What the tables refuse: constraints on their columns, one list for both engines. It is what a
// record of the store cannot hold, as far as SQL can say it; validate.hpp is stricter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/session.hpp"

namespace token_auth::registry {

struct Check {
    std::string_view table;
    std::string name;        // the constraint's, such as "tokens_name"
    std::string rule;        // for people: "name must be …"; without quotes
    std::string expression;  // in the engine's SQL; not false for what may stay
    // What a migration sets, by SQL, in a row that breaks the rule; empty: no such row may stay.
    std::string mend;
    bool added = false;  // on a column that version 1 has not
};

// Each is about as few columns as can be: whoever revokes a row must not trip over another column
// of it.
const std::vector<Check>& checks(Engine engine);

// The expression for a column that is an identifier.
std::string identifier_check(Engine engine, std::string_view column);

// The same for PostgreSQL's tables, by functions, and these.
std::vector<Check> postgresql_table_checks();
std::vector<std::string> postgresql_check_functions();

}  // namespace token_auth::registry
