#include "tokenapi/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace token_auth::tokenapi {
namespace {

using base::Json;

// What is wrong with a text, as a clause; empty: nothing.
std::string text_problem(std::string_view value, std::size_t max, Check check) {
    if (value.size() > max) {
        return fmt::format("must be at most {} bytes", max);
    }
    if (!base::is_utf8(value)) {
        return "must be UTF-8 without NUL";
    }
    const char* problem = check != nullptr ? check(value) : nullptr;
    return problem != nullptr ? problem : "";
}

std::string duration_rule() {
    return fmt::format("must be a duration: {}", base::duration_forms);
}

std::string time_rule() {
    return fmt::format("must be a time or a duration: {}, {}", base::time_forms,
                       base::duration_forms);
}

std::optional<std::int64_t> time_of(std::string_view text, std::int64_t now) {
    if (const auto duration = base::parse_duration(text)) {
        return *duration <= base::time_max - now ? std::optional(now + *duration) : std::nullopt;
    }
    return base::parse_time(text);
}

std::string integer_rule(std::int64_t min, std::int64_t max) {
    return fmt::format("must be a whole number from {} to {}", min, max);
}

// Whole numbers only: not 1.0, and none that int64_t does not hold.
std::optional<std::int64_t> integer_of(const Json& value) {
    const bool too_large =
        value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX};
    return value.is_number_integer() && !too_large ? std::optional(value.get<std::int64_t>())
                                                   : std::nullopt;
}

}  // namespace

FieldReader::FieldReader(const Json& object) : object_(object), errors_(own_) {}

FieldReader::FieldReader(const Json& object, std::string prefix, Errors& errors)
    : object_(object), prefix_(std::move(prefix)), errors_(errors) {}

const Json* FieldReader::find(const char* name, Presence presence, bool& given) {
    known_.emplace_back(name);
    const auto at = object_.find(name);
    given = at != object_.end();
    if (!given && presence == Presence::required) {
        wrong(name, "is missing");
    } else if (given && at->is_null() && presence != Presence::optional) {
        wrong(name, "must not be null");
    }
    return given && !at->is_null() ? &*at : nullptr;
}

const Json* FieldReader::find_text(const char* name, Presence presence, bool& given) {
    const Json* value = find(name, presence, given);
    if (value != nullptr && !value->is_string()) {
        wrong(name, "must be a text");
        return nullptr;
    }
    return value;
}

Field<std::string> FieldReader::text(const char* name, std::size_t max, Check check,
                                     Presence presence) {
    Field<std::string> field;
    if (const Json* value = find_text(name, presence, field.given)) {
        const auto& text = value->get_ref<const std::string&>();
        if (std::string problem = text_problem(text, max, check); !problem.empty()) {
            wrong(name, std::move(problem));
        } else {
            field.value = text;
        }
    }
    return field;
}

Field<std::vector<std::string>> FieldReader::texts(const char* name, std::size_t count_max,
                                                   std::size_t max, Check check, bool may_be_empty,
                                                   Presence presence) {
    Field<std::vector<std::string>> field;
    const Json* value = find(name, presence, field.given);
    if (value == nullptr) {
        return field;
    }
    if (!value->is_array() || value->size() > count_max || (value->empty() && !may_be_empty)) {
        wrong(name,
              fmt::format("must be a list of {} to {} texts", may_be_empty ? 0 : 1, count_max));
        return field;
    }
    std::vector<std::string> texts;
    std::string problem;
    for (const Json& each : *value) {
        if (!each.is_string()) {
            problem = "must be a list of texts";
            break;
        }
        texts.push_back(each.get<std::string>());
        problem = text_problem(texts.back(), max, check);
        if (!problem.empty()) {
            problem = fmt::format("element {} {}", texts.size(), problem);
            break;
        }
    }
    if (!problem.empty()) {
        wrong(name, std::move(problem));
    } else {
        field.value = std::move(texts);
    }
    return field;
}

Field<std::int64_t> FieldReader::integer(const char* name, std::int64_t min, std::int64_t max,
                                         Presence presence) {
    Field<std::int64_t> field;
    if (const Json* value = find(name, presence, field.given)) {
        const auto number = integer_of(*value);
        if (!number || *number < min || *number > max) {
            wrong(name, integer_rule(min, max));
        } else {
            field.value = number;
        }
    }
    return field;
}

Field<bool> FieldReader::boolean(const char* name, Presence presence) {
    Field<bool> field;
    if (const Json* value = find(name, presence, field.given)) {
        if (!value->is_boolean()) {
            wrong(name, "must be true or false");
        } else {
            field.value = value->get<bool>();
        }
    }
    return field;
}

Field<std::int64_t> FieldReader::duration(const char* name, Presence presence) {
    Field<std::int64_t> field;
    if (const Json* value = find_text(name, presence, field.given)) {
        field.value = base::parse_duration(value->get_ref<const std::string&>());
        if (!field.value) {
            wrong(name, duration_rule());
        }
    }
    return field;
}

Field<std::int64_t> FieldReader::time(const char* name, std::int64_t now, Presence presence) {
    Field<std::int64_t> field;
    if (const Json* value = find_text(name, presence, field.given)) {
        field.value = time_of(value->get_ref<const std::string&>(), now);
        if (!field.value) {
            wrong(name, time_rule());
        }
    }
    return field;
}

FieldReader* FieldReader::object(const char* name, Presence presence) {
    bool given = false;
    const Json* value = find(name, presence, given);
    if (value == nullptr) {
        return nullptr;
    }
    if (!value->is_object()) {
        wrong(name, "must be an object");
        return nullptr;
    }
    inner_.push_back(FieldReader(*value, fmt::format("{}{}.", prefix_, name), errors_));
    return &inner_.back();
}

std::vector<FieldReader*> FieldReader::objects(const char* name, std::size_t count_max,
                                               Presence presence) {
    std::vector<FieldReader*> out;
    bool given = false;
    const Json* value = find(name, presence, given);
    if (value == nullptr) {
        return out;
    }
    const auto is_object = [](const Json& each) { return each.is_object(); };
    if (!value->is_array() || value->size() > count_max ||
        !std::all_of(value->begin(), value->end(), is_object)) {
        wrong(name, fmt::format("must be a list of at most {} objects", count_max));
        return out;
    }
    for (const Json& each : *value) {
        inner_.push_back(
            FieldReader(each, fmt::format("{}{}.{}.", prefix_, name, out.size()), errors_));
        out.push_back(&inner_.back());
    }
    return out;
}

void FieldReader::wrong(const char* name, std::string detail, std::string rule) {
    errors_.add(prefix_ + name, std::move(detail), std::move(rule));
}

bool FieldReader::is_wrong(const char* name) const {
    return errors_.has(prefix_ + name);
}

void FieldReader::wrong_too(std::string_view field, std::string detail, std::string rule) {
    if (!errors_.has(field)) {
        errors_.add(field, std::move(detail), std::move(rule));
    }
}

void FieldReader::note_unknown() {
    for (const auto& [name, value] : object_.items()) {
        if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
            errors_.add(prefix_ + name, "is not known");
        }
    }
    for (FieldReader& inner : inner_) {
        inner.note_unknown();
    }
}

void FieldReader::finish() {
    note_unknown();
    errors_.refuse(ProblemCode::fields_invalid);
}

const std::string* ParameterReader::find(const char* name) {
    known_.emplace_back(name);
    const auto at = std::find_if(parameters_.begin(), parameters_.end(),
                                 [&](const Parameter& each) { return each.name == name; });
    return at != parameters_.end() ? &at->value : nullptr;
}

std::optional<std::string> ParameterReader::text(const char* name, std::size_t max, Check check) {
    const std::string* value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::string problem = value->empty() ? "must not be empty" : text_problem(*value, max, check);
    if (!problem.empty()) {
        wrong(name, std::move(problem));
        return std::nullopt;
    }
    return *value;
}

std::string ParameterReader::one_of(const char* name, std::initializer_list<const char*> values) {
    const std::string* value = find(name);
    if (value == nullptr) {
        return *values.begin();
    }
    if (std::find(values.begin(), values.end(), *value) == values.end()) {
        wrong(name, fmt::format("must be one of {}", fmt::join(values, ", ")));
        return *values.begin();
    }
    return *value;
}

std::optional<std::int64_t> ParameterReader::integer(const char* name, std::int64_t min,
                                                     std::int64_t max) {
    const std::string* value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    const char* const end = value->data() + value->size();
    const auto [at, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc() || at != end || number < min || number > max) {
        wrong(name, integer_rule(min, max));
        return std::nullopt;
    }
    return number;
}

bool ParameterReader::boolean(const char* name) {
    return one_of(name, {"false", "true"}) == "true";
}

std::optional<std::int64_t> ParameterReader::duration(const char* name) {
    const std::string* value = find(name);
    const auto seconds = value != nullptr ? base::parse_duration(*value) : std::nullopt;
    if (value != nullptr && !seconds) {
        wrong(name, duration_rule());
    }
    return seconds;
}

std::optional<std::int64_t> ParameterReader::time(const char* name, std::int64_t now) {
    const std::string* value = find(name);
    const auto seconds = value != nullptr ? time_of(*value, now) : std::nullopt;
    if (value != nullptr && !seconds) {
        wrong(name, time_rule());
    }
    return seconds;
}

void ParameterReader::finish() {
    for (const Parameter& each : parameters_) {
        if (std::find(known_.begin(), known_.end(), each.name) == known_.end()) {
            errors_.add(each.name, "is not known");
        }
    }
    errors_.refuse(ProblemCode::query_invalid);
}

}  // namespace token_auth::tokenapi
