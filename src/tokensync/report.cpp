#include "report.hpp"

#include <fmt/core.h>

#include "cli/output.hpp"
#include "cli/shown.hpp"

namespace token_auth::tokensync {

std::string outcome_line(const Outcome& outcome, const Meta& meta) {
    const double milliseconds = static_cast<double>(outcome.took.count()) / 1000;
    const std::string tokens = cli::counted(meta.counts.tokens, "token");
    if (!outcome.full && !outcome.changed()) {
        return fmt::format("up to date: {}, generation {}, {:.1f} ms", tokens, outcome.generation,
                           milliseconds);
    }
    return fmt::format("{}: {} written, {} erased; {}, generation {}, {:.1f} ms",
                       outcome.full ? "full load" : "applied changes",
                       cli::counted(outcome.written, "record"), outcome.erased, tokens,
                       outcome.generation, milliseconds);
}

std::string outcome_json(const Outcome& outcome, const Meta& meta) {
    cli::Json line;
    line["full"] = outcome.full;
    line["written"] = outcome.written;
    line["erased"] = outcome.erased;
    line["tokens"] = meta.counts.tokens;
    line["generation"] = outcome.generation;
    line["milliseconds"] = static_cast<double>(outcome.took.count()) / 1000;
    return line.dump();
}

}  // namespace token_auth::tokensync
