#include "tokenctl/last_use.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "tokenctl/wait.hpp"

namespace token_auth::tokenctl {

LastUse::LastUse(const Context& context) {
    try {
        reports_ = open_reports(context);
        if (!reports_) {
            return;
        }
        for (const registry::Host& host : registry::hosts(*reports_)) {
            const std::string& name = host.report.name;
            since_ = std::max(since_, host.usage_since);
            if (host.usage_since == 0) {
                silent_.push_back(name);
            } else if (host.seen > seen_of_late) {
                late_.push_back(
                    fmt::format("{} (not seen for {})", name, base::format_duration(host.seen)));
            } else if (!host.report.usage_problem.empty()) {
                late_.push_back(fmt::format("{} ({})", name, host.report.usage_problem));
            }
            if (host.report.usage_lost != 0) {
                lossy_.push_back(name);
            }
        }
    } catch (const base::Error& error) {
        problem_ = error.what();
        cli::warn(fmt::format("the last use of tokens cannot be read: {}", problem_));
    }
}

registry::TokenUses LastUse::of(const std::vector<std::string>& ids) const {
    return is_told() ? registry::usage_of(*reports_, ids) : registry::TokenUses{};
}

void LastUse::require_since(std::int64_t cutoff) const {
    if (!problem_.empty()) {
        throw base::Error("which tokens are unused is unknown (above)");
    }
    if (!is_told()) {
        throw base::Error(
            "which tokens are unused is unknown: no nginx host tells of their last use; give its "
            "tokensync --usage, as docs/TOKENSYNC.md says");
    }
    if (!silent_.empty()) {
        cli::warn(fmt::format("not told of, as these hosts do not tell of tokens' last use: {}",
                              fmt::join(silent_, ", ")));
    }
    if (!late_.empty()) {
        cli::warn(fmt::format("not told of at present, so they may have been used since: {}",
                              fmt::join(late_, "; ")));
    }
    if (!lossy_.empty()) {
        cli::warn(
            fmt::format("not told of, as nginx had no room for all uses: {}; see `tokenctl hosts`",
                        fmt::join(lossy_, ", ")));
    }
    if (since_ > cutoff) {
        cli::warn(
            fmt::format("the last use of tokens is told of since {} only; they may have been used "
                        "before",
                        base::format_time(since_)));
    }
}

}  // namespace token_auth::tokenctl
