#include "tokensync/metrics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "token_auth/file_remedy.hpp"
#include "token_auth/version.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::seconds interval{5};
constexpr mode_t file_mode = 0644;

void add_metric(std::string& text, std::string_view name, std::string_view type,
                std::string_view help, std::uint64_t value, std::string_view labels = "") {
    text +=
        fmt::format("# HELP tokensync_{0} {1}\n# TYPE tokensync_{0} {2}\ntokensync_{0}{3} {4}\n",
                    name, help, type, labels, value);
}

[[noreturn]] void fail(const std::string& path, int error) {
    throw base::Error(fmt::format(
        "the metrics file {} cannot be written: {}; {}", base::redacted_path(path),
        std::strerror(error),
        file_remedy(error, "name one in a directory in which tokensync's account may make files")));
}

}  // namespace

void Metrics::add(const Outcome& outcome, const store_writer::Meta& meta) {
    registry_up = true;
    last_success = base::now();
    commits += outcome.committed ? 1 : 0;
    full_loads += outcome.full ? 1 : 0;
    generation = meta.generation;
    contents = meta.contents;
}

std::string Metrics::text() const {
    std::string text;
    add_metric(text, "build_info", "gauge", "The version of tokensync.", 1,
               fmt::format("{{version=\"{}\"}}", token_auth::version));
    add_metric(text, "registry_up", "gauge", "Whether the last look at the registry worked.",
               registry_up ? 1 : 0);
    add_metric(text, "last_success_timestamp_seconds", "gauge",
               "When the store was last known to be up to date.",
               static_cast<std::uint64_t>(last_success));
    add_metric(text, "commits_total", "counter", "Commits to the store.", commits);
    add_metric(text, "full_loads_total", "counter", "Syncs that read the whole registry.",
               full_loads);
    add_metric(text, "failures_total", "counter", "Attempts to sync that failed.", failures);
    add_metric(text, "store_generation", "gauge", "The store's generation.", generation);
    add_metric(text, "store_tokens", "gauge", "Tokens in the store.", contents.counts.tokens);
    add_metric(text, "rows_left_out", "gauge", "Rows of the registry that are left out.",
               contents.counts.left_out);
    add_metric(text, "removals_held_back", "gauge", "Tokens whose removal is held back.",
               contents.counts.held_back);
    if (usage) {
        add_metric(text, "usage_up", "gauge",
                   "Whether nginx's page of used tokens was read and stored at the last attempt.",
                   usage->told && usage->problem.empty() ? 1 : 0);
        add_metric(
            text, "usage_written_total", "counter",
            "Uses of tokens that were written to the registry, a token once for each answer.",
            usage->written);
        add_metric(text, "usage_lost_total", "counter",
                   "Uses of tokens for which nginx had no room, since it began to note them.",
                   usage->lost);
        add_metric(text, "usage_restarts_total", "counter",
                   "How often nginx was seen to note the use of tokens anew.", usage->restarts);
    }
    return text;
}

std::string MetricsFile::write(const Metrics& metrics) {
    if (path_.empty() || (Clock::now() < next_ && metrics.registry_up == registry_up_)) {
        return {};
    }
    next_ = Clock::now() + interval;
    registry_up_ = metrics.registry_up;
    std::string problem;
    try {
        replace(metrics.text());
    } catch (const base::Error& error) {
        problem = error.what();
    }
    const bool is_new = problem != problem_;
    problem_ = problem;
    return is_new ? problem : "";
}

// Who reads it meanwhile finds the old one. It need not outlive a crash.
void MetricsFile::replace(const std::string& text) const {
    const std::string beside = path_ + ".new";
    {
        const base::FileDescriptor file(::open(
            beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, file_mode));
        if (!file.is_open() || fchmod(file.get(), file_mode) != 0) {
            fail(path_, errno);
        }
        errno = ENOSPC;  // if it takes a part only
        if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            fail(path_, errno);
        }
    }
    if (std::rename(beside.c_str(), path_.c_str()) != 0) {
        fail(path_, errno);
    }
}

}  // namespace token_auth::tokensync
