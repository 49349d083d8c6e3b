#include "token_auth/store.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "store/file_map.hpp"
#include "store/file_problem.hpp"
#include "store/page_reader.hpp"
#include "store/role_table.hpp"
#include "token_auth/load.hpp"

// Where a test's reader stops: after each step of reading. A test may also leave step 4 out.
#ifndef TOKEN_AUTH_TEST_STEP
#define TOKEN_AUTH_TEST_STEP(number)
#endif
#ifdef TOKEN_AUTH_TEST_WITHOUT_VALIDATION
#define TOKEN_AUTH_TEST_IS_NEWEST(reader, commit) true
#else
#define TOKEN_AUTH_TEST_IS_NEWEST(reader, commit) (reader).is_newest(commit)
#endif

namespace token_auth {
namespace {

// A pass that a commit overtook is tried again that often. One that does not fit although no commit
// did has met a damaged store, or a commit whose number is visible before its root: it waits for
// the writer, and costs more of them.
constexpr unsigned attempts_max = 4096;
constexpr unsigned attempts_of_misfit = 64;

constexpr const char* rebuild = "tokensync run --rebuild";

constexpr std::size_t path_size = 4096;

bool file_in(const char* directory, char (&out)[path_size]) noexcept {
    const int length = std::snprintf(out, sizeof(out), "%s/data.mdb", directory);
    if (length > 0 && static_cast<std::size_t>(length) < sizeof(out)) {
        return true;
    }
    errno = ENAMETOOLONG;
    return false;
}

}  // namespace

struct StoreParts {
    FileMap map;
    PageReader reader;
    Commit commit{};     // that was read last
    bool known = false;  // meta and roles are of that commit
    StoreMeta meta{};
    char meta_copy[meta_record_max] = {};
    RoleTable roles;
    char entry[token_entry_max] = {};
    char directory[shown_path_size] = {};  // for messages
    char problem[problem_size] = {};

    void explain(const char* text, const char* what_to_do) noexcept {
        std::snprintf(problem, sizeof(problem), "%s; %s", text, what_to_do);
    }
    // The same if the remedy is a command, on the store of that directory.
    void advise(const char* text, const char* command) noexcept {
        std::snprintf(problem, sizeof(problem), "%.100s; run \"%s --db %s\"", text, command,
                      directory);
    }
    void fail(const char* doing, int error) noexcept {
        explain_file(problem, doing, error, directory);
    }
    bool open_reader() noexcept;
    bool measure() noexcept;
    bool misfit(const char* text, unsigned& attempts) noexcept;
    bool take_up(const Commit& next, unsigned& attempts) noexcept;
    bool is_of_this_format(const Commit& next) noexcept;
    bool is_store(MetaState state) noexcept;
};

bool store_identity(const char* directory, FileIdentity& out) noexcept {
    char file[path_size];
    return file_in(directory, file) && identify_file(file, out);
}

Store::Store() noexcept : parts_(new (std::nothrow) StoreParts) {}

Store::~Store() = default;

bool Store::open(const char* directory) noexcept {
    if (parts_ == nullptr) {
        return false;
    }
    close();
    std::snprintf(parts_->directory, sizeof(parts_->directory), "%s", shown_path(directory));
    char file[path_size];
    unsigned attempts = 0;
    if (!file_in(directory, file) || (!parts_->map.open(file) && errno != 0)) {
        parts_->fail("open data.mdb", errno);
    } else if (!parts_->map.is_open()) {
        parts_->advise("data.mdb is empty", rebuild);
    } else if (parts_->open_reader() && begin(attempts)) {
        return true;
    }
    close();
    return false;
}

void Store::close() noexcept {
    if (parts_ != nullptr) {
        parts_->map.close();
        parts_->known = false;
        parts_->meta = {};
    }
}

bool Store::is_open() const noexcept {
    return parts_ != nullptr && parts_->map.is_open();
}

bool Store::is_readable() const noexcept {
    return is_open() && parts_->known && !parts_->map.is_lost();
}

const FileIdentity& Store::identity() const noexcept {
    return parts_->map.identity();
}

const StoreMeta& Store::meta() const noexcept {
    return parts_->meta;
}

const char* Store::problem() const noexcept {
    return parts_ == nullptr ? "out of memory; free some memory" : parts_->problem;
}

bool Store::refresh() noexcept {
    // A file that was overwritten in place may tell another story under the same number.
    parts_->known = false;
    return parts_->measure();
}

bool StoreParts::open_reader() noexcept {
    const char* const wrong = reader.open(map.data(), map.size());
    if (wrong != nullptr) {
        advise(wrong, rebuild);
    }
    return wrong == nullptr;
}

bool StoreParts::measure() noexcept {
    const std::size_t size = map.size();
    if (map.measure()) {
        return map.size() == size || open_reader();
    }
    if (errno != 0) {
        fail("measure data.mdb", errno);
    } else {
        advise("data.mdb is truncated", rebuild);
    }
    return false;
}

// What was read does not fit, and no commit is to blame: whether to try again.
[[gnu::noinline]] bool StoreParts::misfit(const char* text, unsigned& attempts) noexcept {
    advise(text, rebuild);
    attempts += attempts_of_misfit;
    sched_yield();
    return attempts < attempts_max;
}

bool Store::begin(unsigned& attempts) noexcept {
    // Whether its commit is still the newest, and the map whole, is_whole() asks.
    if (attempts == 0 && parts_->known) {
        TOKEN_AUTH_TEST_STEP(1);
        return true;
    }
    return begin_anew(attempts);
}

[[gnu::noinline]] bool Store::begin_anew(unsigned& attempts) noexcept {
    StoreParts& parts = *parts_;
    if (!parts.map.is_open()) {
        return false;
    }
    while (attempts < attempts_max) {
        if (parts.map.is_lost()) {
            parts.advise("data.mdb is truncated", rebuild);
            return false;
        }
        if (parts.known && parts.reader.is_newest(parts.commit)) {
            TOKEN_AUTH_TEST_STEP(1);
            return true;
        }
        const Commit next = parts.reader.newest();
        TOKEN_AUTH_TEST_STEP(1);
        if (!parts.take_up(next, attempts)) {
            return false;
        }
    }
    if (parts.problem[0] == '\0') {
        parts.explain("it changes faster than it can be read", "give nginx more processor time");
    }
    return false;
}

bool Store::is_whole(Found found, unsigned& attempts) noexcept {
    StoreParts& parts = *parts_;
    TOKEN_AUTH_TEST_STEP(3);
    if (!TOKEN_AUTH_TEST_IS_NEWEST(parts.reader, parts.commit)) {
        parts.problem[0] = '\0';
        ++attempts;
        return false;
    }
    if (found == Found::torn || parts.map.is_lost()) {
        parts.misfit("it is damaged", attempts);
        return false;
    }
    return true;
}

// Reads what holds for all of a commit: the meta record, and the roles if they changed. True if
// the commit is known now, or is to be tried again.
bool StoreParts::take_up(const Commit& next, unsigned& attempts) noexcept {
    known = false;
    if (!reader.holds(next.last_page) && !measure()) {
        return false;
    }
    std::string_view value;
    Found found = reader.find(next.main, meta_record_key, value);
    char copy[meta_record_max];
    const std::size_t size = std::min(value.size(), sizeof(copy));
    if (found == Found::found) {
        std::memcpy(copy, value.data(), size);
    }
    StoreMeta next_meta;
    const MetaState state =
        found == Found::found ? decode({copy, size}, next_meta) : MetaState::damaged;
    RoleTable next_roles;
    const bool roles_changed = next_meta.roles_generation != meta.roles_generation ||
                               next_meta.created != meta.created || meta.transaction == 0;
    if (state == MetaState::whole && roles_changed) {
        found = next_roles.read(reader, next.main);
    }
    TOKEN_AUTH_TEST_STEP(2);
    if (!reader.is_newest(next) || map.is_lost()) {
        ++attempts;
        return true;
    }
    if (!is_of_this_format(next)) {
        return false;
    }
    if (found == Found::absent) {
        advise("it holds no token store yet", "tokensync run");
        return false;
    }
    if (found == Found::torn) {
        return misfit("it is damaged", attempts);
    }
    if (!is_store(state)) {
        return false;
    }
    if (next_meta.transaction != next.transaction) {
        return misfit("its last commit is not tokensync's", attempts);
    }
    if (roles_changed) {
        roles = std::move(next_roles);
    }
    std::memcpy(meta_copy, copy, size);
    decode({meta_copy, size}, meta);
    const double keys = static_cast<double>(std::max<std::uint64_t>(next.main.entries, 1));
    reader.set_token_share(std::min(static_cast<double>(meta.counts.tokens) / keys, 1.0));
    commit = next;
    known = true;
    problem[0] = '\0';
    return true;
}

bool StoreParts::is_of_this_format(const Commit& next) noexcept {
    if (next.main.entries == 0 || (next.main.flags & tree_flags_known) == tree_integer_key) {
        return true;
    }
    if (!reader.fits(next)) {
        advise("it is damaged", rebuild);
        return false;
    }
    advise("it is of format 1, made by tokensync 0.1, or of another program", "tokensync run");
    return false;
}

bool StoreParts::is_store(MetaState state) noexcept {
    switch (state) {
        case MetaState::whole:
            return true;
        case MetaState::unfinished:
            advise("its first load is not finished", "tokensync run");
            break;
        case MetaState::other_format:
            explain("it has another format", "use nginx's module and tokensync of one release");
            break;
        case MetaState::not_a_store:
            explain("it is the LMDB file of another program", "name tokensync's directory");
            break;
        case MetaState::damaged:
            advise("its meta record is damaged", rebuild);
            break;
    }
    return false;
}

const StoreMeta& Snapshot::meta() const noexcept {
    return parts_.meta;
}

const Role* Snapshot::role(std::uint16_t number) const noexcept {
    return parts_.roles.at(number);
}

Found Snapshot::token(const Digest& digest, TokenView& out) noexcept {
    std::string_view value;
    const Found found = parts_.reader.find(parts_.commit.main, token_key(digest), value);
    if (found != Found::found) {
        return found;
    }
    for (;;) {
        const std::size_t size = std::min(value.size(), sizeof(parts_.entry));
        std::memcpy(parts_.entry, value.data(), size);
        TOKEN_AUTH_TEST_STEP(2);
        if (!out.parse({parts_.entry, size})) {
            return Found::torn;
        }
        if (out.is_of(digest)) {
            return Found::found;
        }
        value.remove_prefix(out.bytes().size());
        if (!out.is_followed()) {
            return value.empty() ? Found::absent : Found::torn;
        }
    }
}

Found Snapshot::membership(const TokenView& user_token, std::string_view organization,
                           Membership& out) noexcept {
    if (!user_token.has_many_memberships()) {
        return user_token.find_membership(organization, out) ? Found::found : Found::absent;
    }
    std::string_view value;
    const Found found = parts_.reader.find(parts_.commit.main, user_token.user_key(), value);
    while (found == Found::found && !value.empty()) {
        UserView user;
        if (!user.parse(value)) {
            return Found::torn;
        }
        if (user.user == user_token.subject()) {
            bool sound = true;
            const bool there =
                user.find(organization_number(organization), organization, out, sound);
            return there ? Found::found : sound ? Found::absent : Found::torn;
        }
        value.remove_prefix(user.bytes.size());
    }
    return Found::torn;  // the token says that there is a record
}

Found Snapshot::suspended(std::uint32_t organization_number,
                          std::string_view organization) noexcept {
    if (parts_.meta.counts.suspended == 0) {
        return Found::absent;
    }
    std::string_view value;
    const Found found =
        parts_.reader.find(parts_.commit.main, suspension_key(organization_number), value);
    if (found != Found::found) {
        return found;
    }
    std::uint32_t count = 0;
    std::string_view rest;
    if (!suspensions(value, count, rest)) {
        return Found::torn;
    }
    for (std::string_view each; count != 0; --count) {
        if (!next_suspension(rest, each)) {
            return Found::torn;
        }
        if (each == organization) {
            return Found::found;
        }
    }
    return Found::absent;
}

Found Snapshot::run(std::uint64_t from, char* buffer, std::size_t size, Run& out) noexcept {
    out = Run{};
    out.at_end = true;
    return parts_.reader.scan(parts_.commit.main, from,
                              [&](std::uint64_t key, std::string_view value) {
                                  const std::size_t whole = 2 * sizeof(key) + value.size();
                                  if (whole > size) {
                                      out.missing = out.count == 0 ? whole : 0;
                                      out.next = key;
                                      out.at_end = false;
                                      return false;
                                  }
                                  store(buffer, key);
                                  store(buffer + sizeof(key), std::uint64_t{value.size()});
                                  std::memcpy(buffer + 2 * sizeof(key), value.data(), value.size());
                                  buffer += whole;
                                  size -= whole;
                                  ++out.count;
                                  return true;
                              });
}

bool next_record(std::string_view& run, std::uint64_t& key, std::string_view& value) noexcept {
    if (run.size() < 2 * sizeof(key)) {
        return false;
    }
    key = load<std::uint64_t>(run.data());
    const std::size_t size = load<std::uint64_t>(run.data() + sizeof(key));
    run.remove_prefix(2 * sizeof(key));
    if (size > run.size()) {
        return false;
    }
    value = run.substr(0, size);
    run.remove_prefix(size);
    return true;
}

Found Snapshot::size(StoreSize& out) noexcept {
    std::uint64_t free_pages = 0;
    const Tree tree = parts_.reader.free_pages(parts_.commit);
    const Found found = parts_.reader.scan(tree, 0, [&](std::uint64_t, std::string_view value) {
        if (value.size() >= sizeof(free_pages)) {
            free_pages += load_once<std::uint64_t>(value.data());
        }
        return true;
    });
    out.file = parts_.map.size();
    out.used = (parts_.commit.last_page + 1) * parts_.reader.page_size();
    out.unused = free_pages * parts_.reader.page_size();
    out.entries = parts_.commit.main.entries;
    return found;
}

}  // namespace token_auth
