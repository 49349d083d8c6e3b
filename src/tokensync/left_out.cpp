#include "tokensync/left_out.hpp"

#include "store_writer/notes.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::size_t listed_max = 20;  // by name; the others are counted

}  // namespace

std::string LeftOut::add(const std::string& id, const registry::BadRow& row) {
    const std::string text = note_of(row);
    std::string entry = store_writer::encode_note(id, text);
    if (!any_ || entry_of_(id) != entry) {
        ++newly_.count;
        if (newly_.first.size() < listed_max) {
            newly_.first.push_back(text);
        }
    }
    return entry;
}

std::string note_of(const registry::BadRow& row) {
    return row.name + ' ' + row.problem;
}

}  // namespace token_auth::tokensync
