#include "tokensync/check.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"
#include "store_writer/error.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/record_sink.hpp"
#include "tokensync/sorted_diff.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::size_t listed_max = 1000;  // differences shown; the others are counted

// A store that is a moment behind is not a store that differs.
constexpr int attempts = 5;
constexpr std::chrono::milliseconds between_looks{100};
constexpr int looks = 10;  // for the store to pass a position

struct Difference {
    // "missing" (in the store), "extra" (there), "differs"; of what is as it should be: "left out"
    // (a row that no record can hold), "held back" (a removal)
    std::string problem;
    std::string sort;  // of the entity: "token"
    std::string id;
    std::vector<std::string> fields;
};

struct Result {
    // Differences by what they are, to be found again.
    using Found = std::unordered_set<std::size_t>;

    std::vector<Difference> listed;
    std::uint64_t total = 0;
    std::uint64_t left_out = 0;    // of them
    std::uint64_t held_back = 0;   // likewise
    Found found;                   // the others
    const Found* among = nullptr;  // differences that are not among these do not count
    std::string position;          // the registry's
    bool behind = false;
    bool moved = false;  // the store was written meanwhile
    bool other = false;  // another registry's store
    bool damaged = false;

    std::uint64_t differences() const noexcept { return total - left_out - held_back; }

    void add(Difference difference) {
        if (difference.problem == "left out") {
            ++left_out;
        } else if (difference.problem == "held back") {
            ++held_back;
        } else {
            const std::size_t key = std::hash<std::string>()(difference.problem + ' ' +
                                                             difference.sort + ' ' + difference.id);
            if (among != nullptr && !among->contains(key)) {
                return;
            }
            found.insert(key);
        }
        ++total;
        if (listed.size() < listed_max) {
            listed.push_back(std::move(difference));
        }
    }
};

// Tokens of one key by the rest of their digests.
std::map<std::string, TokenView> tokens_of(std::uint64_t key, std::string_view value) {
    std::map<std::string, TokenView> tokens;
    for (TokenView token; !value.empty() && token.parse(value);
         value.remove_prefix(token.bytes().size())) {
        const Digest digest = token.entry(key).digest;
        tokens[std::string(digest.begin(), digest.end())] = token;
    }
    return tokens;
}

std::map<std::string, std::string_view> users_of(std::string_view value) {
    std::map<std::string, std::string_view> users;
    for (UserView user; !value.empty() && user.parse(value);
         value.remove_prefix(user.bytes.size())) {
        users[std::string(user.user)] = user.bytes;
    }
    return users;
}

std::set<std::string> suspended_in(std::string_view value) {
    std::set<std::string> ids;
    std::uint32_t count = 0;
    std::string_view rest;
    if (suspensions(value, count, rest)) {
        for (std::string_view id; next_suspension(rest, id);) {
            ids.emplace(id);
        }
    }
    return ids;
}

// Calls each(key, left or null, right or null) for what is not the same in both.
template <typename Map, typename Same, typename Each>
void for_each_difference(const Map& left, const Map& right, const Same& same, const Each& each) {
    for (const auto& [key, value] : left) {
        const auto other = right.find(key);
        if (other == right.end()) {
            each(key, &value, nullptr);
        } else if (!same(value, other->second)) {
            each(key, &value, &other->second);
        }
    }
    for (const auto& [key, value] : right) {
        if (!left.contains(key)) {
            each(key, nullptr, &value);
        }
    }
}

// Lists how a store differs from the records it is given, in the order of their keys.
class Comparison : private Differences {
  public:
    Comparison(View& view, Result& result)
        : meta_(store_writer::owned(view.meta())),
          result_(result),
          diff_(view, static_cast<Differences&>(*this)) {}

    const store_writer::Meta& meta() const noexcept { return meta_; }

    void put(std::uint64_t key, std::string_view value) {
        listed_ = false;
        diff_.put(key, value);
        if (!listed_) {
            count(key, value);
        }
    }

    // `moved`: the store was written meanwhile, so that its counts are of another time.
    void finish(bool moved) {
        diff_.finish();
        if (moved) {
            return;
        }
        for (std::size_t i = 0; i < seen_.keys.size(); ++i) {
            seen_.keys[i].id = meta_.contents.keys[i].id;
        }
        store_writer::Contents counted{seen_.counts, meta_.contents.keys};
        if (!(counted == meta_.contents)) {
            result_.add({"differs", "record", "meta", {"counts"}});
        }
        counted = {meta_.contents.counts, seen_.keys};
        if (!(counted == meta_.contents)) {
            result_.add({"differs", "record", "meta", {"digests"}});
        }
    }

  private:
    void missing(std::uint64_t key, std::string_view value) override {
        listed_ = true;
        list(key, {}, value);
    }
    void differs(std::uint64_t key, std::string_view found, std::string_view value) override {
        listed_ = true;
        count(key, found);
        list(key, found, value);
    }
    void extra(std::uint64_t key, std::string_view found) override {
        count(key, found);
        list(key, found, {});
    }

    void list(std::uint64_t key, std::string_view found, std::string_view value) {
        if (!is_sound(key, found)) {
            result_.add({value.empty() ? "extra" : "differs",
                         "record",
                         fmt::format("with the key {:016x}", key),
                         {"damaged"}});
        } else if (key < first_user_key) {
            list_tokens(key, found, value);
        } else if (key < first_suspension_key) {
            list_users(found, value);
        } else if (key < first_note_key) {
            list_suspensions(found, value);
        } else if (key < first_role_key) {
            result_.add({"differs", "record", "left out", {"rows"}});
        } else {
            list_role(found, value);
        }
    }

    static bool is_sound(std::uint64_t key, std::string_view value) {
        try {
            store_writer::Contents contents;
            if (!value.empty()) {
                contents.count(key, value, +1);
            }
            return true;
        } catch (const store_writer::DamagedRecord&) {
            return false;
        }
    }

    void list_tokens(std::uint64_t key, std::string_view found, std::string_view value) {
        for_each_difference(
            tokens_of(key, found), tokens_of(key, value),
            [](const TokenView& a, const TokenView& b) { return differing_fields(a, b).empty(); },
            [&](const std::string&, const TokenView* in_store, const TokenView* wanted) {
                const TokenView& token = wanted != nullptr ? *wanted : *in_store;
                result_.add({in_store == nullptr                          ? "missing"
                             : wanted == nullptr && in_store->held_back() ? "held back"
                             : wanted == nullptr                          ? "extra"
                                                                          : "differs",
                             "token", std::string(token.id()),
                             in_store != nullptr && wanted != nullptr
                                 ? differing_fields(*in_store, *wanted)
                                 : std::vector<std::string>()});
            });
    }

    void list_users(std::string_view found, std::string_view value) {
        for_each_difference(
            users_of(found), users_of(value), std::equal_to<>(),
            [&](const std::string& id, const std::string_view*, const std::string_view* wanted) {
                result_.add(
                    {wanted == nullptr ? unwanted() : "differs", "user", id, {"memberships"}});
            });
    }

    void list_suspensions(std::string_view found, std::string_view value) {
        std::vector<std::string> ids;
        const std::set<std::string> left = suspended_in(found);
        const std::set<std::string> right = suspended_in(value);
        std::set_symmetric_difference(left.begin(), left.end(), right.begin(), right.end(),
                                      std::back_inserter(ids));
        for (const std::string& id : ids) {
            result_.add(
                {right.contains(id) ? "differs" : unwanted(), "organization", id, {"suspended"}});
        }
    }

    void list_role(std::string_view found, std::string_view value) {
        RoleEntry in_store;
        RoleEntry wanted;
        decode(found, in_store);
        decode(value, wanted);
        const std::string name(wanted.name.empty() ? in_store.name : wanted.name);
        if (in_store.exists == wanted.exists) {
            result_.add(
                {"differs", "role", name, {in_store.name == wanted.name ? "scopes" : "number"}});
        } else {
            result_.add({wanted.exists ? "missing" : "extra", "role", name, {}});
        }
    }

    // What goes with tokens that are held back is so, too.
    const char* unwanted() const {
        return meta_.contents.counts.held_back != 0 ? "held back" : "differs";
    }

    // What the store holds.
    void count(std::uint64_t key, std::string_view value) {
        try {
            seen_.count(key, value, +1);
        } catch (const store_writer::DamagedRecord&) {
            // Listed already: it is no record of the registry's.
        }
    }

    store_writer::Meta meta_;
    Result& result_;
    SortedDiff diff_;
    store_writer::Contents seen_;
    bool listed_ = false;  // the record given last is not in the store as it is
};

// Gives a comparison the records that the store should hold, and lists what cannot be one.
class CheckSink final : public RecordSink {
  public:
    CheckSink(Comparison& comparison, store_writer::Numbers numbers, Result& result)
        : RecordSink(nullptr, nullptr, std::move(numbers), true, {}),
          comparison_(comparison),
          result_(result) {}

  private:
    void record(std::uint64_t key, std::string_view value) override { comparison_.put(key, value); }
    void left_out(const registry::BadRow& row) override {
        result_.add({"left out", std::string(row.entity), row.id, {row.problem}});
    }

    Comparison& comparison_;
    Result& result_;
};

// `among` as in Result.
Result compare(registry::Source& source, View& view, const Result::Found* among) {
    Result result;
    result.among = among;
    const std::string identity = source.identity();
    store_writer::Numbers numbers = view.numbers();
    Comparison comparison(view, result);
    if (comparison.meta().source != identity) {
        result.add(
            {"differs",
             "registry",
             fmt::format("{} (the store is a copy of {})", identity, comparison.meta().source),
             {"identity"}});
        result.other = true;
        return result;
    }
    CheckSink sink(comparison, std::move(numbers), result);
    result.position = source.all(sink);
    sink.finish();
    comparison.finish(view.meta().generation != comparison.meta().generation);
    // Somebody may have committed meanwhile: the store is what it is now, and what was found may
    // have been so before.
    result.behind = !source.no_change_between(std::string(view.meta().position), result.position);
    result.moved = view.meta().generation != comparison.meta().generation;
    return result;
}

// A page that cannot be read is a difference, too; what is behind it is not compared.
Result compare_or_find_damage(registry::Source& source, View& view, const Result::Found* among) {
    try {
        return compare(source, view, among);
    } catch (const store_writer::DamagedStore&) {
        Result result;
        result.add({"differs", "store", "a page that cannot be read", {"damaged"}});
        result.damaged = true;
        return result;
    }
}

void print(const std::string& path, const std::string& source, const Result& result) {
    if (result.total == 0) {
        cli::write_out(fmt::format("the store {} and {} hold the same\n", path, source));
        return;
    }
    cli::Table table({"PROBLEM", "ENTITY", "ID", "FIELDS"});
    for (const Difference& difference : result.listed) {
        table.row({difference.problem, difference.sort, difference.id,
                   fmt::format("{}", fmt::join(difference.fields, ", "))});
    }
    std::string text = table.text();
    if (result.total > result.listed.size()) {
        text += fmt::format("... and {} more\n", result.total - result.listed.size());
    }
    cli::write_out(text);
    if (result.left_out != 0) {
        cli::note(fmt::format(
            "{} left out, as no record of the store can hold what is wrong with "
            "them; mend or delete them in the registry",
            result.left_out == 1 ? "1 row is" : fmt::format("{} rows are", result.left_out)));
    }
    if (result.held_back != 0) {
        cli::note(
            fmt::format("{} held back; check {}, and if that is meant, run "
                        "\"tokensync run --force\"",
                        result.held_back == 1 ? "1 removal is"
                                              : fmt::format("{} removals are", result.held_back),
                        source));
    }
    if (result.differences() == 0) {
        return;
    }
    cli::note(fmt::format("{} {} between the store {} and {}; {}",
                          base::counted(result.differences(), "difference"),
                          result.differences() == 1 ? "was found" : "were found", path, source,
                          result.damaged  ? "the store is damaged: run \"tokensync run\", or "
                                            "reload a running watch (SIGHUP)"
                          : result.behind ? "the store is behind: run \"tokensync run\""
                          : result.other  ? "check --registry or --source, and --db, or take the "
                                            "store over with \"tokensync run --force\""
                                          : "mend it with \"tokensync run --full\" (stop a "
                                            "running watch first)"));
}

void print_json(const Result& result) {
    base::Json json;
    json["equal"] = result.total == 0;
    json["total"] = result.total;
    json["left_out"] = result.left_out;
    json["held_back"] = result.held_back;
    json["behind"] = result.behind;
    json["differences"] = base::Json::array();
    for (const Difference& difference : result.listed) {
        base::Json item;
        item["problem"] = difference.problem;
        item["entity"] = difference.sort;
        item["id"] = difference.id;
        item["fields"] = difference.fields;
        json["differences"].push_back(item);
    }
    cli::print_json(json);
}

}  // namespace

bool check(registry::Source& source, const std::string& path, bool json) {
    View view(path);
    Result result = compare_or_find_damage(source, view, nullptr);
    // What differs is asked again once the store has passed the position that the registry had:
    // only what differs still does, however fast both change.
    for (int attempt = 1;
         attempt < attempts && result.differences() > 0 && (result.behind || result.moved);
         ++attempt) {
        for (int look = 0; look < looks; ++look) {
            std::this_thread::sleep_for(between_looks);
            if (source.no_change_between(std::string(view.meta().position), result.position)) {
                break;
            }
        }
        const Result::Found found = std::move(result.found);
        result = compare_or_find_damage(source, view, &found);
    }
    json ? print_json(result) : print(path, source.title(), result);
    return result.total == 0;
}

}  // namespace token_auth::tokensync
