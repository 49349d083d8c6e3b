#include "tokenapi/serve.hpp"

#include <fmt/core.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "base/signals.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"
#include "registry/registry.hpp"
#include "tokenapi/dispatcher.hpp"
#include "tokenapi/http_server.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/listen.hpp"
#include "tokenapi/metrics.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {
namespace {

// Beside the connections: the registry's, libmicrohttpd's, the standard ones.
constexpr rlim_t other_descriptors = 100;
// glibc's default, eight for each processor, would let the workers' memory grow apart.
constexpr int arenas = 2;
// What is as large as the largest body goes back to the system when it is freed; glibc would learn
// to keep it.
constexpr int own_mapping = 64 * 1024;

void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = limits::connections + other_descriptors;
    if (limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    if (limit.rlim_cur < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        throw base::Error(fmt::format(
            "{} open files are needed, but the hard limit is {}; raise it (systemd: LimitNOFILE=)",
            wanted, limit.rlim_max));
    }
}

// Tokens and passwords are in this process's memory: no core, and no other process of the account
// reads it.
void keep_memory_private() {
    if (prctl(PR_SET_DUMPABLE, 0) != 0) {
        throw base::Error(fmt::format("cannot switch off core dumps: {}", std::strerror(errno)));
    }
}

}  // namespace

void serve(const Options& options, std::span<const Route> routes) {
    registry::parse_location(options.registry);
    keep_memory_private();
    const Settings settings(options.login);
    raise_descriptor_limit();
    mallopt(M_ARENA_MAX, arenas);
    mallopt(M_MMAP_THRESHOLD, own_mapping);
    signal(SIGPIPE, SIG_IGN);
    const base::FileDescriptor stop = base::signal_descriptor({SIGTERM, SIGINT});
    ListeningSocket socket(options.listen);
    cli::Service service;
    Metrics metrics;
    const Router router(routes);
    auto dispatcher = std::make_unique<Dispatcher>(options.registry, metrics, &settings);
    auto server = std::make_unique<HttpServer>(socket, router, *dispatcher, metrics);
    try {
        server->run(stop.get(), service);
    } catch (const base::Error& error) {
        // A worker hangs: it cannot be waited for.
        cli::note(fmt::format("tokenapi: {}", error.what()));
        std::_Exit(EXIT_FAILURE);
    }
}

void check(const Options& options) {
    ListeningSocket::require_address(options.listen);
    const Settings settings(options.login);
    registry::Registry registry(options.registry, registry::Access::write);
    registry.read([](registry::Reader&) {});
    cli::note(fmt::format("the options are in order, and the registry {} can be used",
                          registry.location().shown));
}

}  // namespace token_auth::tokenapi
