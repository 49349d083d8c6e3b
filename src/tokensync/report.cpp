#include "tokensync/report.hpp"

#include <fmt/core.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace token_auth::tokensync {

std::string outcome_line(const Outcome& outcome, const store_writer::Meta& meta) {
    const double milliseconds = static_cast<double>(outcome.took.count()) / 1000;
    const std::string tokens = base::counted(meta.contents.counts.tokens, "token");
    if (!outcome.full && !outcome.changed()) {
        return fmt::format("up to date: {}, generation {}, {:.1f} ms", tokens, outcome.generation,
                           milliseconds);
    }
    return fmt::format("{}: {} written, {} erased; {}, generation {}, {:.1f} ms",
                       outcome.rebuilt ? "full load into a new store"
                       : outcome.full  ? "full load"
                                       : "applied changes",
                       base::counted(outcome.written, "record"), outcome.erased, tokens,
                       outcome.generation, milliseconds);
}

std::string damage_line(const Outcome& outcome) {
    return outcome.damage + "; a new one took its place";
}

base::Json outcome_fields(const Outcome& outcome, const store_writer::Meta& meta) {
    base::Json line;
    line["full"] = outcome.full;
    line["rebuilt"] = outcome.rebuilt;
    if (!outcome.damage.empty()) {
        line["damage"] = outcome.damage;
    }
    line["written"] = outcome.written;
    line["erased"] = outcome.erased;
    line["tokens"] = meta.contents.counts.tokens;
    line["generation"] = outcome.generation;
    line["milliseconds"] = static_cast<double>(outcome.took.count()) / 1000;
    return line;
}

std::string size_text(std::uint64_t bytes) {
    double size = static_cast<double>(bytes);
    for (const char* unit : {"KiB", "MiB"}) {
        size /= 1024;
        if (size < 1024) {
            return fmt::format("{:.1f} {}", size, unit);
        }
    }
    return fmt::format("{:.1f} GiB", size / 1024);
}

}  // namespace token_auth::tokensync
