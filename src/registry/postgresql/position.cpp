#include "registry/postgresql/position.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace token_auth::registry {
namespace {

constexpr std::string_view prefix = "postgresql:";

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 20 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_snapshot(std::string_view text) {
    const std::size_t first = text.find(':');
    const std::size_t second = first == text.npos ? first : text.find(':', first + 1);
    if (second == text.npos || !is_number(text.substr(0, first)) ||
        !is_number(text.substr(first + 1, second - first - 1))) {
        return false;
    }
    std::string_view list = text.substr(second + 1);
    for (std::size_t end = 0; !list.empty() && end != list.npos;) {
        end = list.find(',');
        if (!is_number(list.substr(0, end))) {
            return false;
        }
        list.remove_prefix(end == list.npos ? 0 : end + 1);
        if (list.empty()) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::string format(const PostgresqlPosition& position) {
    return fmt::format("{}{}:{}:{}:{}:{}:{}", prefix, position.cluster, position.place,
                       position.base, position.seq, position.sum, position.snapshot);
}

std::optional<PostgresqlPosition> parse_postgresql_position(std::string_view text) {
    if (!text.starts_with(prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(prefix.size());
    const auto part = [&] {
        const std::size_t end = std::min(text.find(':'), text.size());
        std::string taken(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        return taken;
    };
    PostgresqlPosition position;
    position.cluster = part();
    position.place = part();
    position.base = part();
    position.seq = part();
    position.sum = part();
    position.snapshot = text;
    if (position.cluster.empty() || !is_number(position.place) || !is_number(position.base) ||
        !is_number(position.seq) || !is_number(position.sum) || !is_snapshot(position.snapshot)) {
        return std::nullopt;
    }
    return position;
}

std::string_view snapshot_xmin(std::string_view snapshot) {
    return snapshot.substr(0, snapshot.find(':'));
}

std::uint64_t snapshot_xmax(std::string_view snapshot) {
    std::uint64_t number = 0;
    const std::string_view rest = snapshot.substr(snapshot.find(':') + 1);
    std::from_chars(rest.data(), rest.data() + rest.size(), number);
    return number;
}

std::string floor_of(std::string_view snapshot) {
    const std::string_view xmin = snapshot_xmin(snapshot);
    return fmt::format("{}:{}:", xmin, xmin);
}

std::string shortened(const std::string& snapshot, std::size_t size) {
    if (snapshot.size() <= size) {
        return snapshot;
    }
    // The list is in ascending order. One of its members becomes xmax, so that it and all behind it
    // are not seen, listed or not; xmax is at least as long as that member, so this is as short.
    const std::size_t cut = snapshot.rfind(',', size);
    const std::size_t list = snapshot.rfind(':');
    if (cut == std::string::npos || cut < list) {
        return floor_of(snapshot);
    }
    const std::size_t comma = snapshot.rfind(',', cut - 1);
    const std::size_t begin = comma == std::string::npos ? list : comma;
    const std::string_view member(snapshot.data() + begin + 1, cut - begin - 1);
    const std::string_view kept =
        begin == list ? std::string_view()
                      : std::string_view(snapshot.data() + list + 1, begin - list - 1);
    return fmt::format("{}:{}:{}", snapshot_xmin(snapshot), member, kept);
}

}  // namespace token_auth::registry
