// Typed readers of a body's fields and of parameters, which collect everything that is wrong before
// they refuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/target.hpp"

namespace token_auth::tokenapi {

// A field as it came. In a PATCH (RFC 7396) one that is not given stays, one that is null is taken
// away.
template <typename T>
struct Field {
    bool given = false;
    std::optional<T> value{};  // empty: null, not given, or wrong
};

// Says what is wrong with a value, in a clause that holds none of it; null: nothing.
using Check = const char* (*)(std::string_view value);

enum class Presence {
    optional,           // may be left out, or null
    required,           // must be there, and not null
    optional_not_null,  // may be left out, but not be null
};

// Reads an object. Whatever is wrong is noted; finish() refuses.
class FieldReader {
  public:
    // The object outlives the reader.
    explicit FieldReader(const base::Json& object);

    // UTF-8 without NUL, at most `max` bytes; `check`, if given, says the rest.
    Field<std::string> text(const char* name, std::size_t max, Check check = nullptr,
                            Presence presence = Presence::optional);
    // Each element as text(); an empty list is an error if `may_be_empty` does not say otherwise.
    Field<std::vector<std::string>> texts(const char* name, std::size_t count_max, std::size_t max,
                                          Check check = nullptr, bool may_be_empty = false,
                                          Presence presence = Presence::optional);
    Field<std::int64_t> integer(const char* name, std::int64_t min, std::int64_t max,
                                Presence presence = Presence::optional);
    Field<bool> boolean(const char* name, Presence presence = Presence::optional_not_null);
    // "90d", in seconds.
    Field<std::int64_t> duration(const char* name, Presence presence = Presence::optional);
    // "2027-01-31", "2027-01-31T00:00:00Z", or "90d" from `now`; Unix seconds.
    Field<std::int64_t> time(const char* name, std::int64_t now,
                             Presence presence = Presence::optional);

    // An object inside of this one; its fields are named name.field, and finish() here covers them.
    // Null if it is not given, null or no object. The reader belongs to this one.
    FieldReader* object(const char* name, Presence presence = Presence::optional_not_null);
    // The elements of a list of objects, named name.0 and so on.
    std::vector<FieldReader*> objects(const char* name, std::size_t count_max,
                                      Presence presence = Presence::required);

    // What only the caller can tell, about a field of this object.
    void wrong(const char* name, std::string detail, std::string rule = {});
    bool is_wrong(const char* name) const;
    // The same about a field that may be inside of others ("policy.max_life"), unless something is
    // wrong with it already.
    void wrong_too(std::string_view field, std::string detail, std::string rule = {});

    // Every field that was not asked for is unknown. Throws fields_invalid if anything is wrong.
    void finish();

  private:
    FieldReader(const base::Json& object, std::string prefix, Errors& errors);

    // The member, noted as known; null if it is not given or null, which is an error if `presence`
    // says so.
    const base::Json* find(const char* name, Presence presence, bool& given);
    const base::Json* find_text(const char* name, Presence presence, bool& given);
    void note_unknown();

    const base::Json& object_;
    std::string prefix_;
    Errors own_;
    Errors& errors_;
    std::vector<std::string_view> known_;
    std::deque<FieldReader> inner_;  // keeps its elements in place
};

// Reads parameters of a query or a form: as FieldReader, but all are texts, and an empty one is an
// error like any other.
class ParameterReader {
  public:
    explicit ParameterReader(const std::vector<Parameter>& parameters) : parameters_(parameters) {}

    std::optional<std::string> text(const char* name, std::size_t max, Check check = nullptr);
    // One of these; the first if it is left out.
    std::string one_of(const char* name, std::initializer_list<const char*> values);
    std::optional<std::int64_t> integer(const char* name, std::int64_t min, std::int64_t max);
    bool boolean(const char* name);  // "true" or "false"; false if it is left out
    std::optional<std::int64_t> duration(const char* name);
    std::optional<std::int64_t> time(const char* name, std::int64_t now);

    void wrong(const char* name, std::string detail) { errors_.add(name, std::move(detail)); }
    // As FieldReader::finish(), with query_invalid.
    void finish();

  private:
    const std::string* find(const char* name);

    const std::vector<Parameter>& parameters_;
    std::vector<std::string_view> known_;
    Errors errors_;
};

}  // namespace token_auth::tokenapi
