// A request to tokenapi, as far as it goes without sockets, threads and registry: its target, its
// fields, its body. Whatever is refused is a problem document that repeats no value; whatever is
// accepted is what an independent reading says.
//
// The input is "METHOD TARGET\nContent-Type\nIf-Match\nCURSOR\nBODY".
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "fuzz.hpp"
#include "token_auth/text.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/cursor.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::fuzz {
namespace {

using base::Json;
using namespace tokenapi;

std::string_view take_line(std::string_view& rest) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return line;
}

void check_problem(const Problem& problem) {
    const Response response = problem.response();
    require(response.status >= 400 && response.status < 600, "a problem has its status");
    const Json json = Json::parse(response.body);
    require(json.at("status") == response.status && json.at("code") == problem.what(),
            "a problem document says the same");
    require(!json.contains("errors") || json.at("errors").size() <= limits::errors,
            "errors are not without end");
}

// Whether `body` did not refuse; what it refused with is checked.
template <typename Body>
bool accepted(Body body) {
    try {
        body();
        return true;
    } catch (const Problem& problem) {
        check_problem(problem);
        return false;
    }
}

const Route routes[] = {
    {"GET", "/a/{x}", "one", Takes::nothing, Runs::here, nullptr},
    {"POST", "/a/{x}/b/{y}", "two", Takes::json, Runs::here, nullptr},
    {"PATCH", "/a/b", "three", Takes::json_or_nothing, Runs::here, nullptr},
    {"POST", "/c", "four", Takes::form, Runs::here, nullptr},
};

void check_route(const Call& call) {
    std::string path = call.route->path;
    for (const auto& [name, value] : call.arguments) {
        require(is_identifier(value), "an argument is an identifier");
        const std::string mark = "{" + name + "}";
        path.replace(path.find(mark), mark.size(), value);
    }
    // Identifiers need no escapes: without them, the path is the route's, filled in.
    require(call.request.path.find('%') != std::string::npos || path == call.request.path,
            "a path is what it says");
    require(std::count(path.begin(), path.end(), '/') ==
                std::count(call.request.path.begin(), call.request.path.end(), '/'),
            "no slash comes out of an escape");
    std::set<std::string> names;
    for (const Parameter& each : call.parameters) {
        require(names.insert(each.name).second, "no parameter comes twice");
        require(base::is_utf8(each.name) && base::is_utf8(each.value), "parameters are UTF-8");
    }
}

std::size_t levels(const Json& value) {
    std::size_t most = 0;
    if (value.is_structured()) {
        for (const Json& each : value) {
            most = std::max(most, levels(each));
        }
        ++most;
    }
    return most;
}

void check_fields(const Json& body) {
    accepted([&] {
        FieldReader reader(body);
        const auto name = reader.text("a", 8);
        require(!name.value || (name.given && name.value->size() <= 8), "a text keeps its limit");
        const auto texts = reader.texts("b", 3, 8);
        require(!texts.value || (!texts.value->empty() && texts.value->size() <= 3),
                "a list keeps its limit");
        const auto number = reader.integer("c", -5, 5);
        require(!number.value || (*number.value >= -5 && *number.value <= 5),
                "a number keeps its limit");
        reader.boolean("d");
        reader.time("e", 1000);
        reader.duration("f");
        if (FieldReader* inner = reader.object("g")) {
            inner->text("a", 8, nullptr, Presence::required);
        }
        for (FieldReader* each : reader.objects("h", 2, Presence::optional)) {
            each->integer("a", 0, 9);
        }
        reader.finish();
    });
}

void check_body(std::string_view text) {
    Json body;
    if (!accepted([&] { body = parse_object(text); })) {
        return;
    }
    const Json again = Json::parse(text);
    require(body == again, "a body is what the library's own parser says");
    require(levels(body) <= limits::json_levels, "a body keeps its levels");
    require(parse_object(base::json_text(body)) == body, "a body comes back as it was written");
    check_fields(body);
}

void check_cursor(std::string_view text) {
    Position position;
    if (accepted([&] { position = decode_cursor("list", "iT", text); })) {
        require(encode_cursor("list", position) == text, "a cursor is written in one way only");
        require(!accepted([&] { decode_cursor("other", "iT", text); }), "and good for one list");
    }
}

void check_request(std::string_view input) {
    Call call;
    const std::string_view line = take_line(input);
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view target = line.substr(std::min(space + 1, line.size()));
    const std::size_t question = std::min(target.find('?'), target.size());
    call.request.method = line.substr(0, space);
    call.request.path = target.substr(0, question);
    call.request.query = target.substr(std::min(question + 1, target.size()));
    const std::string_view type = take_line(input);
    call.request.headers.emplace_back("content-type", type);
    const std::string_view match = take_line(input);
    call.request.headers.emplace_back("IF-MATCH", match);
    call.request.headers.emplace_back("Idempotency-Key", match);
    const std::string_view cursor = take_line(input);

    const Router router(routes);
    if (accepted([&] { router.find(call); })) {
        check_route(call);
        accepted([&] { require_media_type(call.request, call.route->takes, !input.empty()); });
    }
    const bool matches = accepted([&] { require_match(call.request, "\"tag\""); });
    require(!matches || match == "*" || match.find("\"tag\"") != std::string_view::npos,
            "a match names the tag");
    accepted([&] {
        const auto key = idempotency_key(call.request);
        require(key == match && key->size() <= limits::idempotency_key_size, "a key is whole");
    });
    check_cursor(cursor);
    check_body(Exact(input).view());
    parse_parameters(input);
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    token_auth::fuzz::check_request(token_auth::fuzz::text_of(data, size));
    return 0;
}
