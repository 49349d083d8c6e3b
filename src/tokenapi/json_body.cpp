#include "tokenapi/json_body.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

using base::Json;

// Builds the value as the library's own parser would, which keeps no count of levels and takes the
// last one of equal names.
class Builder {
  public:
    // nlohmann's SAX interface: false stops the parser.
    bool null() { return add(nullptr); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(Json::number_integer_t value) { return add(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
    bool number_float(Json::number_float_t value, const std::string& /*text*/) {
        return add(value);
    }
    bool string(std::string& value) { return add(std::move(value)); }
    bool binary(Json::binary_t& /*value*/) { return false; }
    bool start_object(std::size_t /*count*/) { return open(Json::object()); }
    bool start_array(std::size_t /*count*/) { return open(Json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(std::string& name) {
        Json& object = *open_.back();
        if (object.size() == limits::json_names) {
            problem_ = "An object in the body has more than 100 names.";
        } else if (object.contains(name)) {
            problem_ = "An object in the body has a name twice.";
        }
        name_ = std::move(name);
        return problem_.empty();
    }
    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) {
        return false;
    }

    Json take() { return std::move(root_); }
    const std::string& problem() const { return problem_; }

  private:
    Json* place(Json value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        Json& parent = *open_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        return &(parent[name_] = std::move(value));
    }

    template <typename Value>
    bool add(Value&& value) {
        place(Json(std::forward<Value>(value)));
        return true;
    }

    bool open(Json value) {
        if (open_.size() == limits::json_levels) {
            problem_ = "The body is nested more than 16 levels deep.";
            return false;
        }
        open_.push_back(place(std::move(value)));
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    Json root_;
    // Those inside of which the parser is: nothing is added beside them, so they stay in place.
    std::vector<Json*> open_;
    std::string name_;
    std::string problem_;
};

}  // namespace

Json parse_object(std::string_view text) {
    Builder builder;
    // The library takes a NUL for the end, and would not see what stands behind it; a byte order
    // mark it leaves out (RFC 8259 section 8.1 forbids to send one).
    if (!base::is_utf8(text) || text.starts_with("\xef\xbb\xbf") ||
        !Json::sax_parse(text, &builder)) {
        throw Problem(ProblemCode::body_malformed,
                      builder.problem().empty() ? "The body is not JSON." : builder.problem());
    }
    Json value = builder.take();
    if (!value.is_object()) {
        throw Problem(ProblemCode::body_malformed, "The body must be a JSON object.");
    }
    return value;
}

}  // namespace token_auth::tokenapi
