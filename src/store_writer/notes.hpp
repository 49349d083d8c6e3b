// Records of rows of the source that the store leaves out, because no record can hold them: for
// `tokensync status`, and so that each is logged once. nginx reads none of them.
//
// A value holds entries, sorted by id: 16 bytes id, u16 size of the whole entry, text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace token_auth::store_writer {

inline constexpr std::size_t note_text_max = 1024;  // bytes
inline constexpr std::size_t note_id_size = 16;

struct Note {
    std::string_view id{};     // a hash of what the source knows the row by
    std::string_view text{};   // which row, and what is wrong with it
    std::string_view bytes{};  // the whole entry

    // Takes the entry at the front of `value`. False if it is none.
    bool parse(std::string_view value) noexcept;
};

// The entry's id, for the name of a row's table and its key in the source's change log.
std::string note_id(std::string_view entity, std::string_view key);
std::uint64_t note_key(std::string_view id);

// An entry; a text that is too long is cut.
std::string encode_note(std::string_view id, std::string_view text);

// The value with the entry in the place of the one of the same id, and without the entry of an id.
// Throw DamagedRecord.
std::string with_note(std::string_view value, std::string_view entry);
std::string without_note(std::string_view value, std::string_view id);

}  // namespace token_auth::store_writer
