// Positions in a PostgreSQL registry's change log: a shortened snapshot sees less, never more.
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "registry/postgresql/position.hpp"

namespace token_auth::unit {
namespace {

using registry::PostgresqlPosition;

// pg_visible_in_snapshot(), written a second time.
class Snapshot {
  public:
    explicit Snapshot(const std::string& text) {
        const std::size_t first = text.find(':');
        const std::size_t second = text.find(':', first + 1);
        xmin_ = std::stoull(text.substr(0, first));
        xmax_ = std::stoull(text.substr(first + 1, second - first - 1));
        std::string list = text.substr(second + 1);
        while (!list.empty()) {
            const std::size_t end = list.find(',');
            running_.insert(std::stoull(list.substr(0, end)));
            list = end == std::string::npos ? "" : list.substr(end + 1);
        }
    }
    bool sees(std::uint64_t number) const {
        return number < xmin_ || (number < xmax_ && !running_.contains(number));
    }
    std::uint64_t xmin() const { return xmin_; }
    std::uint64_t xmax() const { return xmax_; }

  private:
    std::uint64_t xmin_ = 0;
    std::uint64_t xmax_ = 0;
    std::set<std::uint64_t> running_;
};

std::string drawn(std::mt19937_64& random, std::uint64_t xmin, std::size_t most) {
    std::string text;
    std::uint64_t number = xmin;
    for (std::size_t left = random() % (most + 1); left > 0; --left) {
        text += (text.empty() ? "" : ",") + std::to_string(number);
        number += 1 + random() % 3;
    }
    number += text.empty() ? 0 : random() % 5;
    return std::to_string(xmin) + ':' + std::to_string(number) + ':' + text;
}

void cut_short() {
    std::mt19937_64 random(7);
    for (int round = 0; round < 20'000; ++round) {
        // also if the numbers get another digit
        const std::uint64_t xmin =
            round % 2 == 0 ? 3 + random() % 2000 : 9'999'999'990 + random() % 20;
        const std::string whole = drawn(random, xmin, 80);
        const std::size_t size = 45 + random() % 500;
        const std::string cut = registry::shortened(whole, size);
        check(cut.size() <= size || cut == registry::floor_of(whole), "{} cut to {}: {}", whole,
              size, cut);
        check(whole.size() > size || cut == whole, "{} need not be cut: {}", whole, cut);
        const Snapshot before(whole);
        const Snapshot after(cut);
        check_equal(after.xmin(), before.xmin(), "xmin of {}", cut);
        for (std::uint64_t number = xmin < 5 ? 0 : xmin - 5; number < before.xmax() + 5; ++number) {
            check(before.sees(number) || !after.sees(number), "{} cut to {} sees {}", whole, cut,
                  number);
        }
        // as in PostgreSQL: xmax is not in progress, nor below xmin
        check(after.xmax() >= after.xmin(), "{}: xmax", cut);
        const auto parsed = registry::parse_postgresql_position(
            format(PostgresqlPosition{"7-1", "56", "9", "12", "34", cut}));
        check(parsed && parsed->snapshot == cut && parsed->cluster == "7-1" &&
                  parsed->place == "56" && parsed->base == "9" && parsed->seq == "12" &&
                  parsed->sum == "34",
              "{} comes back", cut);
    }
}

void no_positions() {
    for (const std::string_view text :
         {"", "postgresql:", "sqlite:1:2", "postgresql:c:1:2", "postgresql:c:0:9:1:2:3",
          "postgresql:c:0:9:1:2:3:4", "postgresql:c:0:9:1:2:3:4:5,", "postgresql:c:0:9:1:2:3:4:x",
          "postgresql:c:0:9:1:-2:3:4:", "postgresql::0:9:1:2:3:4:", "postgresql:c:x:9:1:2:3:4:",
          "postgresql:c:0:9:1:2:3:4:5 or 1=1", "postgresql:c:0:9:1:2:999999999999999999999:4:"}) {
        check(!registry::parse_postgresql_position(text), "{} is none", shown(text));
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {UNIT_TEST(cut_short), UNIT_TEST(no_positions)};
    return cmocka_run_group_tests_name("postgresql_position", tests, nullptr, nullptr);
}
