#include "world.hpp"

#include <fmt/format.h>

#include <string_view>

namespace token_auth::bench {
namespace {

constexpr std::size_t id_length = 11;
constexpr std::size_t rest_length = 39;  // secret and check

// splitmix64: any number gives a stream of its own.
std::uint64_t mixed(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void append_letters(std::string& text, std::uint64_t& state, std::size_t count) {
    constexpr std::string_view base62 =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 10 == 0) {
            bits = mixed(state);
        }
        text += base62[bits % base62.size()];
        bits /= base62.size();
    }
}

std::string id_of(std::uint64_t number) {
    std::uint64_t state = number * 2 + 1;
    std::string id;
    append_letters(id, state, id_length);
    return id;
}

}  // namespace

std::string token_text(std::uint64_t number) {
    std::string text(is_user(number) ? "pat_" : "ak_");
    text += id_of(number);
    text += '.';
    std::uint64_t state = ~number;
    append_letters(text, state, rest_length);
    return text;
}

std::string organization_of(std::uint64_t number) {
    return fmt::format("org-{:07}", number / 100);
}

std::string user_of(std::uint64_t number) {
    return fmt::format("user-{:08}", number);
}

std::string role_name(std::size_t role) {
    return fmt::format("role-{}", role);
}

std::string role_scopes(std::size_t role) {
    return role % 2 == 0 ? "agents:read calls:read sites:read" : "agents:* calls:read";
}

WorldToken::WorldToken(std::uint64_t number)
    : id_(id_of(number)),
      organization_(organization_of(number)),
      name_(fmt::format("Deploy script {}", number)) {
    const auto role = static_cast<std::uint16_t>(role_of(number));
    entry_.id = id_;
    entry_.name = name_;
    entry_.expires = 4'102'444'800;  // 2100-01-01
    if (is_user(number)) {
        subject_ = user_of(number);
        entry_.kind = kind_user;
        entry_.subject = subject_;
        entry_.user_key = user_key(subject_);
        entry_.memberships[0] = {organization_, organization_number(organization_), role};
        entry_.membership_count = 1;
        return;
    }
    entry_.organization = organization_;
    entry_.organization_number = organization_number(organization_);
    entry_.role = role;
}

}  // namespace token_auth::bench
