#include "tokenapi/metrics.hpp"

#include <fmt/format.h>

#include <iterator>

#include "token_auth/version.hpp"

namespace token_auth::tokenapi {
namespace {

void head(std::string& out, const char* name, const char* type, const char* help) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

void gauge(std::string& out, const char* name, const char* help, std::uint64_t value) {
    head(out, name, "gauge", help);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

}  // namespace

void Metrics::answered(const char* operation, unsigned status, std::chrono::duration<double> took) {
    const std::string name = operation != nullptr ? operation : "none";
    const std::lock_guard lock(mutex_);
    ++answers_[{name, status}];
    Took& sum = took_[name];
    sum.seconds += took.count();
    ++sum.count;
}

std::string Metrics::text() const {
    std::string out;
    const auto to = [&out] { return std::back_inserter(out); };
    {
        const std::lock_guard lock(mutex_);
        head(out, "token_auth_api_requests_total", "counter", "Answers by operation and status.");
        for (const auto& [key, count] : answers_) {
            fmt::format_to(to(),
                           "token_auth_api_requests_total{{operation=\"{}\",status=\"{}\"}} {}\n",
                           key.first, key.second, count);
        }
        head(out, "token_auth_api_request_duration_seconds", "summary",
             "From a whole request to its answer.");
        for (const auto& [name, took] : took_) {
            fmt::format_to(
                to(),
                "token_auth_api_request_duration_seconds_sum{{operation=\"{0}\"}} {1:.6f}\n"
                "token_auth_api_request_duration_seconds_count{{operation=\"{0}\"}} {2}\n",
                name, took.seconds, took.count);
        }
    }
    gauge(out, "token_auth_api_connections", "Open connections.", connections);
    gauge(out, "token_auth_api_requests_running", "Requests that are being worked on.", running);
    gauge(out, "token_auth_api_requests_waiting", "Requests that wait for a worker.", waiting);
    gauge(out, "token_auth_api_hashes_running", "Password hashes that are being computed.",
          hashes_running);
    gauge(out, "token_auth_api_hashes_waiting", "Password hashes that wait.", hashes_waiting);
    gauge(out, "token_auth_api_registry_up", "Whether the registry answered last.",
          registry_up ? 1 : 0);
    gauge(out, "token_auth_api_registry_connections", "Open connections to the registry.",
          registry_connections);
    head(out, "token_auth_api_timeouts_total", "counter",
         "Connections ended because a request or the taking of an answer took too long.");
    fmt::format_to(to(), "token_auth_api_timeouts_total {}\n", timeouts.load());
    head(out, "token_auth_api_build_info", "gauge", "The program's version.");
    fmt::format_to(to(), "token_auth_api_build_info{{version=\"{}\"}} 1\n", version);
    return out;
}

}  // namespace token_auth::tokenapi
