// The JSON Lines reader: it refuses a file with a message that gives nothing away, or accepts it;
// accepted lines come back unchanged when they are written and read again, and fit into the store.
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "fuzz.hpp"
#include "registry/file/content.hpp"
#include "registry/jsonl.hpp"
#include "registry/validate.hpp"
#include "store_writer/meta.hpp"
#include "tokensync/record_sink.hpp"

namespace token_auth::fuzz {
namespace {

// The records of an accepted file.
class Fitting final : public tokensync::RecordSink {
  public:
    Fitting() : RecordSink(nullptr, nullptr, {}, true, {}) {}

    std::uint64_t tokens = 0;

  private:
    void record(std::uint64_t key, std::string_view value) override {
        store_writer::Contents contents;
        contents.count(key, value, +1);  // throws if it is none
        tokens += contents.counts.tokens;
    }
    void left_out(const registry::BadRow& row) override {
        // (a store holds as many keys of digests as it has indexes)
        require(row.problem.find("beyond the number") != std::string::npos, "every line fits");
        ++tokens;
    }
};

void check_message(const base::Error& error) {
    const std::string text = error.what();
    require(!text.empty() && text.find('\n') == std::string::npos, "a message is one line");
    require(
        text.rfind("input line ", 0) == 0 || text ==
                                                 "input: holds no line; where no tokens "
                                                 "are meant, leave a role or an organization in it",
        "a message names its place");
    require(base::redacted(text) == text, "a message shows nothing that could be a token");
}

void check_lines(const std::string& text) {
    std::istringstream input(text);
    registry::JsonlReader reader(input, "input");
    try {
        while (const auto entity = reader.next()) {
            const std::string line = std::visit(
                [](const auto& value) { return registry::to_json(value).dump(); }, *entity);
            require(registry::parse_entity(line) == *entity, "is written as it was read");
        }
    } catch (const base::Error& error) {
        check_message(error);
    }
}

void check_file(const std::string& text) {
    std::istringstream input(text);
    try {
        const registry::FileContent content(input, "input");
        Fitting sink;
        content.give(sink);
        sink.finish();
        require(sink.tokens == content.token_count(), "every token is given");
    } catch (const base::Error& error) {
        check_message(error);
    }
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(token_auth::fuzz::text_of(data, size));
    token_auth::fuzz::check_lines(text);
    token_auth::fuzz::check_file(text);
    return 0;
}
