// tokensync explain
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "registry/source.hpp"

namespace token_auth::tokensync {

// A request that might be made, and the place it is made to; texts as the command line has them.
struct Question {
    std::string store;
    std::string organization;  // the one the request names
    std::string organization_mode = "required";
    std::vector<std::string> kinds;
    std::vector<std::string> groups;
    std::vector<std::string> roles;
    std::vector<std::string> scopes;
    std::vector<std::string> scopes_any;
    std::string address;  // the client's; empty: none
    std::string at;       // empty: now
    std::string max_age;  // empty: any
    std::vector<std::string> key_files;
    bool json = false;
};

// Reads a token from standard input and writes to standard output what the module would answer,
// and why; and whether the store is behind the registry, if `open_registry` can open that.
// base::Error if the question is wrong or the store cannot answer it.
using OpenSource = std::function<std::unique_ptr<registry::Source>()>;
void explain(const Question& question, const OpenSource& open_registry);

}  // namespace token_auth::tokensync
