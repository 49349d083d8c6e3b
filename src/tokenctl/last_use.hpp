// When tokens were used last, as the nginx hosts tell it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "registry/hosts.hpp"
#include "registry/session.hpp"
#include "registry/usage.hpp"
#include "tokenctl/context.hpp"

namespace token_auth::tokenctl {

class LastUse {
  public:
    // If it cannot be read, that is a warning.
    explicit LastUse(const Context& context);

    // Whether any host tells of it.
    bool is_told() const { return since_ != 0; }
    // Of those that were used, none if nobody tells.
    registry::TokenUses of(const std::vector<std::string>& ids) const;

    // For whoever takes a token for unused since `cutoff`: base::Error if nobody tells; warns if
    // not all hosts do, or not of all, or not for that long.
    void require_since(std::int64_t cutoff) const;

  private:
    std::unique_ptr<registry::Session> reports_;
    std::string problem_;              // that keeps it from being read
    std::int64_t since_ = 0;           // Unix seconds: all hosts that tell have done so since
    std::vector<std::string> silent_;  // hosts that do not tell
    std::vector<std::string> late_;    // hosts that do not at present, and why
    std::vector<std::string> lossy_;   // hosts that could not note all
};

}  // namespace token_auth::tokenctl
