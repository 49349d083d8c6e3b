#include "tokenapi/registry_connection.hpp"

#include <fmt/core.h>

#include "cli/output.hpp"
#include "registry/hosts.hpp"
#include "registry/reports.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/metrics.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {

using Clock = std::chrono::steady_clock;

bool RegistryHealth::rests() const {
    const std::lock_guard lock(mutex_);
    return !problem_.empty() && Clock::now() < retry_;
}

void RegistryHealth::failed(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    metrics_.registry_up = false;
    retry_ = Clock::now() + limits::registry_rest;
    if (problem != problem_) {
        problem_ = problem;
        cli::note("tokenapi: " + problem);
    }
}

void RegistryHealth::answered() {
    const std::lock_guard lock(mutex_);
    metrics_.registry_up = true;
    if (!problem_.empty()) {
        problem_.clear();
        cli::note("tokenapi: the registry answers again");
    }
}

void RegistryHealth::uses_failed(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (problem != uses_problem_) {
        uses_problem_ = problem;
        if (!problem.empty()) {
            cli::note("tokenapi: the last use of tokens cannot be read: " + problem);
        }
    }
}

void RegistryHealth::opened() {
    ++metrics_.registry_connections;
}

void RegistryHealth::closed() {
    --metrics_.registry_connections;
}

void RegistryConnection::read(const std::function<void(registry::Reader&)>& body) {
    attempt([&](registry::Registry& registry, bool& began) {
        registry.read([&](registry::Reader& reader) {
            began = true;
            body(reader);
        });
    });
}

void RegistryConnection::write(const registry::Author& author,
                               const std::function<void(registry::Writer&)>& body) {
    attempt([&](registry::Registry& registry, bool& began) {
        registry.write(author, [&](registry::Writer& writer) {
            began = true;
            body(writer);
        });
    });
}

// PostgreSQL has it in the registry.
void RegistryConnection::ask_reports(registry::Reader& reader, const std::string& usage_db,
                                     const std::function<void(registry::Session&)>& question) {
    registry::Session& session = reader.session();
    if (session.engine() == registry::Engine::postgresql) {
        question(session);
        return;
    }
    try {
        if (!reports_) {
            reports_ = registry::open_reports(
                registry::reports_location(session.location(), usage_db), registry::Access::read);
        }
        if (reports_) {
            question(*reports_);
        }
        health_.uses_failed({});
    } catch (const base::Error& error) {
        reports_.reset();
        health_.uses_failed(error.what());
    }
}

registry::TokenUses RegistryConnection::uses(registry::Reader& reader, const std::string& usage_db,
                                             const std::vector<std::string>& ids) {
    registry::TokenUses uses;
    ask_reports(reader, usage_db,
                [&](registry::Session& reports) { uses = registry::usage_of(reports, ids); });
    return uses;
}

bool RegistryConnection::uses_are_told(registry::Reader& reader, const std::string& usage_db) {
    bool told = false;
    ask_reports(reader, usage_db, [&](registry::Session& reports) {
        for (const registry::Host& host : registry::hosts(reports)) {
            told = told || host.usage_since != 0;
        }
    });
    return told;
}

void RegistryConnection::attempt(
    const std::function<void(registry::Registry&, bool& began)>& transaction) {
    for (;;) {
        const bool reused = registry_.has_value();
        bool began = false;
        try {
            transaction(open(), began);
            health_.answered();
            return;
        } catch (const base::Error& error) {
            // What the body refuses is not the registry's fault.
            if (began && dynamic_cast<const registry::SqlError*>(&error) == nullptr) {
                throw;
            }
            // Nothing of it was done, and the body has seen nothing.
            const bool lost = reused && (!began || !registry_->is_answered());
            // After an error it may be in any state.
            close();
            if (lost) {
                continue;
            }
            health_.failed(error.what());
            throw Problem(ProblemCode::registry_unavailable);
        }
    }
}

registry::Registry& RegistryConnection::open() {
    if (registry_) {
        return *registry_;
    }
    if (health_.rests()) {
        throw Problem(ProblemCode::registry_unavailable);
    }
    try {
        registry_.emplace(url_, registry::Access::write, limits::registry_patience);
    } catch (const base::Error& error) {
        health_.failed(error.what());
        throw Problem(ProblemCode::registry_unavailable);
    }
    health_.opened();
    return *registry_;
}

void RegistryConnection::close() {
    if (registry_) {
        registry_.reset();
        health_.closed();
    }
}

}  // namespace token_auth::tokenapi
