#include "registry/throttle.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "registry/accounts.hpp"
#include "registry/sha256.hpp"
#include "token_auth/address.hpp"

namespace token_auth::registry {
namespace {

constexpr std::int64_t window = 3600;
constexpr std::int64_t first_hold = 30;
constexpr std::int64_t hold_max = 900;
constexpr std::int64_t pair_limit = 5;
constexpr std::int64_t name_limit = 100;
constexpr std::int64_t address_limit = 50;

// Of what is counted. No address holds a NUL, so that no name makes another one's key.
struct Keys {
    explicit Keys(const Try& tried)
        : pair(sha256_hex("pair" + std::string(1, '\0') + tried.address + std::string(1, '\0') +
                          tried.name)),
          name(sha256_hex("name" + std::string(1, '\0') + tried.name)),
          address(sha256_hex("address" + std::string(1, '\0') + tried.address)) {}

    std::string pair;
    std::string name;
    std::string address;
};

// Seconds that tries of the key are still held up.
std::int64_t hold_of(Session& session, const std::string& key, std::int64_t limit,
                     std::int64_t now) {
    std::int64_t tries = 0;
    std::int64_t last = 0;
    const auto rows =
        session.query("SELECT at, tries FROM throttle WHERE key = $1 AND at > $2 AND tries > 0",
                      {key, now - window});
    while (rows->next()) {
        tries += rows->integer(1);
        last = std::max(last, std::min(rows->integer(0), now));  // the clock may have been set back
    }
    if (tries < limit) {
        return 0;
    }
    constexpr std::int64_t doublings_max = 5;
    const std::int64_t hold =
        std::min(first_hold << std::min(tries - limit, doublings_max), hold_max);
    return std::max<std::int64_t>(last + hold - now, 0);
}

// Keeps others from counting the same until this transaction ends. All take the keys in the same
// order.
void lock(Session& session, const Keys& keys) {
    std::array<std::string_view, 3> sorted{keys.pair, keys.name, keys.address};
    std::sort(sorted.begin(), sorted.end());
    for (const std::string_view key : sorted) {
        session.execute(
            "INSERT INTO throttle (key, at, tries) VALUES ($1, 0, 0) ON CONFLICT (key, at) DO "
            "UPDATE "
            "SET tries = 0",
            {key});
    }
}

void change(Session& session, const std::string& key, std::int64_t at, std::int64_t by) {
    session.execute(
        "UPDATE throttle SET tries = tries + $3 WHERE key = $1 AND at = $2 AND tries + $3 >= 0",
        {key, at, by});
}

}  // namespace

std::string counted_address(std::string_view address) {
    Address parsed;
    if (!parse_address(address, parsed)) {
        return {};
    }
    constexpr std::size_t network_bytes = 8;
    const bool is_v4 = parsed.family == 4;
    if (!is_v4) {
        std::fill(parsed.bytes.begin() + network_bytes, parsed.bytes.end(), std::uint8_t{0});
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(is_v4 ? AF_INET : AF_INET6, parsed.bytes.data(), text.data(), text.size());
    return std::string(text.data()) + (is_v4 ? "" : "/64");
}

std::int64_t count_try(Writer& writer, const Try& tried) {
    Session& session = writer.session();
    const Keys keys(tried);
    lock(session, keys);
    std::int64_t hold = std::max(hold_of(session, keys.pair, pair_limit, tried.at),
                                 hold_of(session, keys.address, address_limit, tried.at));
    // Else anybody could lock an administrator out.
    if (!has_logged_in_from(writer, tried.name, tried.address, tried.at)) {
        hold = std::max(hold, hold_of(session, keys.name, name_limit, tried.at));
    }
    if (hold > 0) {
        return hold;
    }
    for (const std::string* key : {&keys.pair, &keys.name, &keys.address}) {
        session.execute(
            "INSERT INTO throttle (key, at, tries) VALUES ($1, $2, 1) ON CONFLICT (key, at) DO "
            "UPDATE SET tries = throttle.tries + 1",
            {*key, tried.at});
    }
    return 0;
}

void forget_try(Writer& writer, const Try& tried) {
    Session& session = writer.session();
    const Keys keys(tried);
    lock(session, keys);
    session.execute("DELETE FROM throttle WHERE key = $1", {keys.pair});
    change(session, keys.name, tried.at, -1);
    change(session, keys.address, tried.at, -1);
}

void take_try_back(Writer& writer, const Try& tried) {
    const Keys keys(tried);
    lock(writer.session(), keys);
    for (const std::string* key : {&keys.pair, &keys.name, &keys.address}) {
        change(writer.session(), *key, tried.at, -1);
    }
}

void remove_old_tries(Writer& writer) {
    writer.session().execute("DELETE FROM throttle WHERE at > 0 AND at <= $1",
                             {writer.now() - window});
    writer.session().execute(
        "DELETE FROM throttle WHERE at = 0 AND NOT EXISTS (SELECT 1 FROM throttle other WHERE "
        "other.key = throttle.key AND other.at > 0)");
}

}  // namespace token_auth::registry
