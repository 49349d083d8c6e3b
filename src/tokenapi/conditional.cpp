#include "tokenapi/conditional.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::size_t tag_bytes = 16;  // of the digest

// Takes the next tag off the list, in its quotes; empty if there is none. A weak one (W/"…") keeps
// its mark, so it equals no strong one.
std::string_view next_tag(std::string_view& list) {
    list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
    const std::size_t open = list.find('"');
    const std::size_t close = open < list.size() ? list.find('"', open + 1) : open;
    if (close >= list.size()) {
        return {};
    }
    const std::string_view tag = list.substr(0, close + 1);
    list.remove_prefix(close + 1);
    return tag;
}

bool names(std::string_view list, std::string_view tag) {
    for (std::string_view each = next_tag(list); !each.empty(); each = next_tag(list)) {
        if (each == tag) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::string entity_tag(std::string_view content) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(content.data(), content.size(), digest.data(), &size, EVP_sha256(), nullptr) !=
        1) {
        throw base::Error("libcrypto cannot compute SHA-256");
    }
    std::string tag = "\"";
    for (std::size_t i = 0; i < tag_bytes; ++i) {
        tag += fmt::format("{:02x}", digest[i]);
    }
    return tag + '"';
}

void require_match(const Request& request, std::string_view tag) {
    const auto one_matches = [&](const std::vector<std::string_view>& lists) {
        return std::any_of(lists.begin(), lists.end(),
                           [&](std::string_view list) { return list == "*" || names(list, tag); });
    };
    const auto lists = request.values("If-Match");
    if ((!lists.empty() && !one_matches(lists)) || one_matches(request.values("If-None-Match"))) {
        throw Problem(ProblemCode::changed_meanwhile);
    }
}

std::optional<std::string> idempotency_key(const Request& request) {
    const auto value = request.value("Idempotency-Key");
    if (!value) {
        return std::nullopt;
    }
    const bool printable =
        std::all_of(value->begin(), value->end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
    if (!printable || value->empty() || value->size() > limits::idempotency_key_size) {
        Errors errors;
        errors.add("Idempotency-Key", "must be 1 to 64 printable bytes");
        errors.refuse(ProblemCode::query_invalid);
    }
    return std::string(*value);
}

}  // namespace token_auth::tokenapi
