#include "tokensync/report.hpp"

#include <fmt/core.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace token_auth::tokensync {

std::string outcome_line(const Outcome& outcome, const store_writer::Meta& meta) {
    const double milliseconds = static_cast<double>(outcome.took.count()) / 1000;
    const std::string tokens = base::counted(meta.contents.counts.tokens, "token");
    std::string besides;
    if (meta.contents.counts.left_out != 0) {
        besides +=
            fmt::format("{} left out, ", base::counted(meta.contents.counts.left_out, "row"));
    }
    if (meta.contents.counts.held_back != 0) {
        besides +=
            fmt::format("{} held back, ", base::counted(meta.contents.counts.held_back, "removal"));
    }
    if (!outcome.full && !outcome.changed()) {
        return fmt::format("up to date: {}, {}generation {}, {:.1f} ms", tokens, besides,
                           outcome.generation, milliseconds);
    }
    return fmt::format("{}: {} written, {} erased; {}, {}generation {}, {:.1f} ms",
                       outcome.rebuilt ? "full load into a new store"
                       : outcome.full  ? "full load"
                                       : "applied changes",
                       base::counted(outcome.written, "record"), outcome.erased, tokens, besides,
                       outcome.generation, milliseconds);
}

std::string damage_line(const Outcome& outcome) {
    return outcome.damage + "; a new one took its place";
}

std::vector<std::string> left_out_lines(const Outcome& outcome) {
    std::vector<std::string> lines;
    for (const std::string& row : outcome.left_out.first) {
        lines.push_back(
            fmt::format("left out: in the registry, {}; mend or delete it there (by SQL "
                        "where tokenctl takes no such thing)",
                        row));
    }
    const std::uint64_t others = outcome.left_out.count - outcome.left_out.first.size();
    if (others != 0) {
        lines.push_back(fmt::format("left out: {} more; \"tokensync check\" lists them",
                                    base::counted(others, "row")));
    }
    return lines;
}

std::string held_back_line(std::uint64_t tokens, const std::string& store,
                           const std::string& source) {
    return fmt::format(
        "the removal of {} is held back in the store {}: that is more than half of what it held, "
        "and nothing "
        "says that it is meant; check {}, and if it is meant, run \"tokensync run --force\"; all "
        "else is synced",
        base::counted(tokens, "token"), store, source);
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
    line["left_out"] = meta.contents.counts.left_out;
    line["held_back"] = meta.contents.counts.held_back;
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
