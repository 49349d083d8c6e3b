// What `run` and `watch` say about a sync.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.hpp"
#include "tokensync/sync.hpp"

namespace token_auth::tokensync {

// One line for people, without a newline, and the same for programs.
std::string outcome_line(const Outcome& outcome, const store_writer::Meta& meta);
base::Json outcome_fields(const Outcome& outcome, const store_writer::Meta& meta);

// What `run` and `watch` are to warn of: rows that are left out since this sync, removals that are
// held back.
std::vector<std::string> left_out_lines(const Outcome& outcome);
std::string held_back_line(std::uint64_t tokens, const std::string& store,
                           const std::string& source);

// If the old store was damaged: that, and that a new one took its place.
std::string damage_line(const Outcome& outcome);

// "12.5 MiB"
std::string size_text(std::uint64_t bytes);

}  // namespace token_auth::tokensync
