#include "store_writer/notes.hpp"

#include "base/error.hpp"
#include "store_writer/meta.hpp"
#include "token_auth/load.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::size_t head_size = note_id_size + sizeof(std::uint16_t);

Note parse_note(std::string_view value) {
    Note note;
    if (!note.parse(value)) {
        throw DamagedRecord("a record of rows that are left out is damaged");
    }
    return note;
}

}  // namespace

bool Note::parse(std::string_view value) noexcept {
    if (value.size() < head_size) {
        return false;
    }
    const std::size_t size = load<std::uint16_t>(value.data() + note_id_size);
    if (size < head_size || size > value.size()) {
        return false;
    }
    bytes = value.substr(0, size);
    id = bytes.substr(0, note_id_size);
    text = bytes.substr(head_size);
    return true;
}

std::string note_id(std::string_view entity, std::string_view key) {
    std::string row(entity);
    row += ' ';
    row += key;
    Digester digester;
    Digest digest{};
    if (!digester.init() || !digester.plain(row, digest)) {
        throw base::Error("libcrypto has no SHA-256; check the installation of OpenSSL");
    }
    return {reinterpret_cast<const char*>(digest.data()), note_id_size};
}

std::uint64_t note_key(std::string_view id) {
    return first_note_key + (load<std::uint32_t>(id.data()) >> 2);
}

std::string encode_note(std::string_view id, std::string_view text) {
    text = text.substr(0, note_text_max);
    const auto size = static_cast<std::uint16_t>(head_size + text.size());
    std::string entry(id);
    entry.append(reinterpret_cast<const char*>(&size), sizeof(size));
    return entry += text;
}

std::string without_note(std::string_view value, std::string_view id) {
    std::string kept;
    while (!value.empty()) {
        const Note note = parse_note(value);
        if (note.id != id) {
            kept += note.bytes;
        }
        value.remove_prefix(note.bytes.size());
    }
    return kept;
}

std::string with_note(std::string_view value, std::string_view entry) {
    const std::string_view id = parse_note(entry).id;
    const std::string others = without_note(value, id);
    std::string whole;
    std::string_view rest = others;
    while (!rest.empty() && parse_note(rest).id < id) {
        whole += parse_note(rest).bytes;
        rest.remove_prefix(parse_note(rest).bytes.size());
    }
    whole += entry;
    return whole += rest;
}

}  // namespace token_auth::store_writer
