// Draws worlds and requests at random: often odd ones, but so that every answer occurs.
#pragma once

#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "oracle.hpp"

namespace token_auth::unit {

class Draw {
  public:
    explicit Draw(rc::Random random) : next_([random]() mutable { return random.next(); }) {}
    // From any source of numbers.
    explicit Draw(std::function<std::uint64_t()> next) : next_(std::move(next)) {}

    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next_() % limit); }
    bool chance(unsigned percent) { return below(100) < percent; }

    template <typename T>
    const T& of(const std::vector<T>& values) {
        return values[below(values.size())];
    }

  private:
    std::function<std::uint64_t()> next_;
};

// The names in worlds; some are in no world.
extern const std::vector<std::string> all_scopes;

World draw_world(Draw& draw, std::size_t tokens = 60);

// `tokens` are those of the world, by presented token.
Request draw_request(Draw& draw, const World& world, const std::vector<std::string>& tokens);

// Shrinks: the same request without one of its parts, for each part.
std::vector<Request> simpler(const Request& request);

std::ostream& operator<<(std::ostream& out, const Request& request);

// The part of the world that concerns a token.
std::string description(const World& world, const std::string& token);

}  // namespace token_auth::unit
