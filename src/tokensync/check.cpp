#include "tokensync/check.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <thread>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"
#include "store_writer/sorted_diff.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/record_sink.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::size_t listed_max = 1000;  // differences shown; the others are counted

// A store that is a moment behind is not a store that differs.
constexpr int attempts = 5;
constexpr std::chrono::milliseconds between_attempts{200};

struct Difference {
    std::string problem;  // "missing" (in the store), "extra" (there), "differs"
    Name name;
    std::vector<std::string> fields;
};

struct Result {
    std::vector<Difference> listed;
    std::uint64_t total = 0;
    bool behind = false;
    bool other = false;  // another registry's store

    void add(Difference difference) {
        ++total;
        if (listed.size() < listed_max) {
            listed.push_back(std::move(difference));
        }
    }
};

// Lists how a snapshot differs from the records it is given, in the order of their keys.
class Comparison : private store_writer::Differences {
  public:
    Comparison(const View& view, Result& result)
        : result_(result),
          transaction_(view.begin(meta_)),
          diff_(store_writer::RecordCursor(transaction_.get(), view.path()), *this) {}

    const store_writer::Meta& meta() const noexcept { return meta_; }

    void put(std::string_view key, std::string_view value) {
        diff_.put(key, value);
        if (!listed_) {
            count(key, value);
        }
        listed_ = false;
    }

    void finish() {
        diff_.finish();
        if (meta_.counts != seen_.counts) {
            result_.add({"differs", {"record", "meta"}, {"counts"}});
        }
        if (meta_.key_uses != seen_.key_uses) {
            result_.add({"differs", {"record", "meta"}, {"digests"}});
        }
    }

  private:
    void missing(std::string_view key, std::string_view value) override {
        result_.add({"missing", name_of(key, value), {}});
        listed_ = true;
    }
    void differs(std::string_view key, std::string_view found, std::string_view value) override {
        result_.add({"differs", name_of(key, value), differing_fields(key, found, value)});
        count(key, found);
        listed_ = true;
    }
    void extra(std::string_view key, std::string_view found) override {
        result_.add({"extra", name_of(key, found), {}});
        count(key, found);
    }

    // What the store holds.
    void count(std::string_view key, std::string_view value) {
        try {
            seen_.count(key, value, +1);
        } catch (const store_writer::DamagedRecord&) {
            // Listed already: it is no record of the registry's.
        }
    }

    Result& result_;
    store_writer::Meta meta_;
    store_writer::Meta seen_;
    store_writer::TransactionHandle transaction_;
    store_writer::SortedDiff diff_;
    bool listed_ = false;  // the record given last is not in the store as it is
};

Result compare(registry::Source& source, const View& view) {
    Result result;
    const std::string identity = source.identity();
    Comparison comparison(view, result);
    if (comparison.meta().source != identity) {
        result.add({"differs",
                    {"registry", fmt::format("{} (the store is a copy of {})", identity,
                                             comparison.meta().source)},
                    {"identity"}});
        result.other = true;
        return result;
    }
    RecordSink<Comparison> sink(comparison, nullptr);
    const std::string position = source.all(sink);
    comparison.finish();
    result.behind = !source.no_change_between(comparison.meta().position, position);
    return result;
}

void print(const std::string& path, const std::string& source, const Result& result) {
    if (result.total == 0) {
        cli::write_out(fmt::format("the store {} and {} hold the same\n", path, source));
        return;
    }
    cli::Table table({"PROBLEM", "ENTITY", "ID", "FIELDS"});
    for (const Difference& difference : result.listed) {
        table.row({difference.problem, difference.name.sort, difference.name.id,
                   fmt::format("{}", fmt::join(difference.fields, ", "))});
    }
    std::string text = table.text();
    if (result.total > result.listed.size()) {
        text += fmt::format("... and {} more\n", result.total - result.listed.size());
    }
    cli::write_out(text);
    cli::note(fmt::format("{} {} between the store {} and {}; {}",
                          base::counted(result.total, "difference"),
                          result.total == 1 ? "was found" : "were found", path, source,
                          result.behind  ? "the store is behind: run \"tokensync run\""
                          : result.other ? "check --registry or --source, and --db, or take the "
                                           "store over with \"tokensync run --force\""
                                         : "mend it with \"tokensync run --full\" (stop a "
                                           "running watch first)"));
}

void print_json(const Result& result) {
    base::Json json;
    json["equal"] = result.total == 0;
    json["total"] = result.total;
    json["behind"] = result.behind;
    json["differences"] = base::Json::array();
    for (const Difference& difference : result.listed) {
        base::Json item;
        item["problem"] = difference.problem;
        item["entity"] = difference.name.sort;
        item["id"] = difference.name.id;
        item["fields"] = difference.fields;
        json["differences"].push_back(item);
    }
    cli::print_json(json);
}

}  // namespace

bool check(registry::Source& source, const std::string& path, bool json) {
    const View view(path);
    Result result = compare(source, view);
    for (int attempt = 1; attempt < attempts && result.total > 0 && result.behind; ++attempt) {
        std::this_thread::sleep_for(between_attempts);
        result = compare(source, view);
    }
    json ? print_json(result) : print(path, source.title(), result);
    return result.total == 0;
}

}  // namespace token_auth::tokensync
