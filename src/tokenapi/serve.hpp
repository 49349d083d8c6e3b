// The commands of tokenapi.
#pragma once

#include <span>
#include <string>

#include "tokenapi/router.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {

struct Options {
    std::string registry;
    std::string listen;  // empty: systemd's socket, or the default
    LoginOptions login{};
};

// Serves until SIGTERM or SIGINT; what runs is finished. Errors are base::Error.
void serve(const Options& options, std::span<const Route> routes);

// Says whether serve() could begin: base::Error if the options or the registry are of no use.
void check(const Options& options);

}  // namespace token_auth::tokenapi
