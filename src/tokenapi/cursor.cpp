#include "tokenapi/cursor.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t mark_size = 8;
constexpr char null_kind = 0;
constexpr char number_kind = 1;
constexpr char text_kind = 2;

std::string to_base64url(std::string_view bytes) {
    std::string out;
    unsigned held = 0;
    unsigned bits = 0;
    for (const char byte : bytes) {
        held = (held << 8) | static_cast<unsigned char>(byte);
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            out += alphabet[(held >> bits) & 63];
        }
    }
    if (bits > 0) {
        out += alphabet[(held << (6 - bits)) & 63];
    }
    return out;
}

// None unless it is what to_base64url() writes.
std::optional<std::string> from_base64url(std::string_view text) {
    std::string out;
    unsigned held = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        held = (held << 6) | static_cast<unsigned>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>((held >> bits) & 255);
        }
    }
    return to_base64url(out) == text ? std::optional(out) : std::nullopt;
}

std::string mark_of(std::string_view list) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(list.data(), list.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        throw base::Error("libcrypto cannot compute SHA-256");
    }
    return {reinterpret_cast<const char*>(digest.data()), mark_size};
}

void append_number(std::string& out, std::uint64_t number, unsigned bytes) {
    for (unsigned shift = 8 * bytes; shift > 0; shift -= 8) {
        out += static_cast<char>((number >> (shift - 8)) & 255);
    }
}

// Takes values off bytes; each is none if the bytes are too short or not that.
class Taker {
  public:
    explicit Taker(std::string_view bytes) : rest_(bytes) {}

    bool at_end() const { return rest_.empty(); }

    std::optional<std::string_view> bytes(std::size_t count) {
        if (rest_.size() < count) {
            return std::nullopt;
        }
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    std::optional<std::uint64_t> number(std::size_t count) {
        const auto taken = bytes(count);
        if (!taken) {
            return std::nullopt;
        }
        std::uint64_t number = 0;
        for (const char byte : *taken) {
            number = (number << 8) | static_cast<unsigned char>(byte);
        }
        return number;
    }

    std::optional<PositionValue> value(char wanted) {
        const auto kind = bytes(1);
        if (!kind) {
            return std::nullopt;
        }
        const bool may_be_null = wanted == 'I' || wanted == 'T';
        const bool number_wanted = wanted == 'i' || wanted == 'I';
        if (kind->front() == null_kind && may_be_null) {
            return PositionValue();
        }
        if (kind->front() == number_kind && number_wanted) {
            const auto taken = number(8);
            return taken ? std::optional<PositionValue>(static_cast<std::int64_t>(*taken))
                         : std::nullopt;
        }
        if (kind->front() == text_kind && !number_wanted) {
            const auto size = number(2);
            const auto text = size ? bytes(*size) : std::nullopt;
            return text && base::is_utf8(*text) ? std::optional<PositionValue>(std::string(*text))
                                                : std::nullopt;
        }
        return std::nullopt;
    }

  private:
    std::string_view rest_;
};

std::optional<Position> position_of(std::string_view list, std::string_view kinds,
                                    std::string_view bytes) {
    Taker taker(bytes);
    const auto mark = taker.bytes(mark_size);
    if (!mark || *mark != mark_of(list)) {
        return std::nullopt;
    }
    Position position;
    for (const char kind : kinds) {
        const auto value = taker.value(kind);
        if (!value) {
            return std::nullopt;
        }
        position.push_back(*value);
    }
    return taker.at_end() ? std::optional(position) : std::nullopt;
}

}  // namespace

std::string encode_cursor(std::string_view list, const Position& position) {
    std::string bytes = mark_of(list);
    for (const PositionValue& value : position) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            bytes += number_kind;
            append_number(bytes, static_cast<std::uint64_t>(*number), 8);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            bytes += text_kind;
            append_number(bytes, text->size(), 2);
            bytes += *text;
        } else {
            bytes += null_kind;
        }
    }
    return to_base64url(bytes);
}

Position decode_cursor(std::string_view list, std::string_view kinds, std::string_view cursor) {
    const auto bytes = cursor.size() <= limits::cursor_size ? from_base64url(cursor) : std::nullopt;
    auto position = bytes ? position_of(list, kinds, *bytes) : std::nullopt;
    if (!position) {
        throw Problem(ProblemCode::cursor_invalid);
    }
    return *position;
}

}  // namespace token_auth::tokenapi
