// Reads a store for the fault tests, and changes it as no other program does.
//
//   store_probe walk DIRECTORY       reads every record; prints what the store holds, or what is
//                                    wrong with it (exit status 1)
//   store_probe readers DIRECTORY    prints the slots that are taken: process and snapshot, or "-"
//   store_probe hold DIRECTORY N     takes at most N slots, prints how many it got, and keeps them
//                                    until standard input ends
//   store_probe format DIRECTORY N   gives the store another version of its format
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "token_auth/record.hpp"
#include "token_auth/store.hpp"

namespace {

using namespace token_auth;

[[noreturn]] void die(const char* what, const char* why) {
    std::printf("%s: %s\n", what, why);
    std::exit(1);
}

void require(int error, const char* what) {
    if (error != MDB_SUCCESS) {
        die(what, mdb_strerror(error));
    }
}

MDB_env* open_store(const char* path, unsigned flags) {
    MDB_env* env = nullptr;
    require(mdb_env_create(&env), "create");
    require(mdb_env_set_maxreaders(env, store_max_readers), "readers");
    require(mdb_env_open(env, path, flags, 0640), "open");
    return env;
}

std::string_view view(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

MDB_val val(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};
}

// Counts a record; false if it is not one.
bool counted(std::string_view key, std::string_view value, Counts& counts) {
    TokenRecord token;
    UserRecord user;
    OrganizationRecord organization;
    MembershipRecord membership;
    RoleRecord role;
    switch (key.empty() ? '\0' : key.front()) {
        case 't':
            ++counts.tokens;
            return decode(value, token);
        case 'u':
            ++counts.users;
            return decode(value, user);
        case 'o':
            ++counts.organizations;
            return decode(value, organization);
        case 'm':
            ++counts.memberships;
            return decode(value, membership);
        case 'r':
            ++counts.roles;
            return decode(value, role);
        default:
            return key == meta_key();
    }
}

bool equal(const Counts& one, const Counts& other) {
    return one.tokens == other.tokens && one.users == other.users &&
           one.organizations == other.organizations && one.memberships == other.memberships &&
           one.roles == other.roles;
}

int walk(const char* path) {
    MDB_env* env = open_store(path, MDB_RDONLY);
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    MDB_cursor* cursor = nullptr;
    require(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn), "begin");
    require(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the database");
    MDB_envinfo info{};
    MDB_stat statistics{};
    struct stat file {};
    require(mdb_env_info(env, &info), "info");
    require(mdb_env_stat(env, &statistics), "stat");
    if (stat((std::string(path) + "/data.mdb").c_str(), &file) != 0 ||
        static_cast<std::size_t>(file.st_size) / statistics.ms_psize <= info.me_last_pgno) {
        die("data.mdb", "shorter than its pages");
    }
    MDB_val key = val(meta_key());
    MDB_val value{};
    const int found = mdb_get(txn, dbi, &key, &value);
    if (found == MDB_NOTFOUND) {
        std::printf("unfinished\n");
        mdb_txn_abort(txn);
        mdb_env_close(env);
        return 0;
    }
    require(found, "read the meta record");
    MetaRecord meta;
    if (decode(view(value), meta) != MetaProblem::none) {
        die("the meta record", "damaged");
    }
    Counts counts;
    require(mdb_cursor_open(txn, dbi, &cursor), "open a cursor");
    int error = MDB_SUCCESS;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        if (!counted(view(key), view(value), counts)) {
            die("a record", "damaged");
        }
    }
    if (error != MDB_NOTFOUND) {
        require(error, "read on");
    }
    if (!equal(counts, meta.counts)) {
        die("the meta record", "counts other records than there are");
    }
    std::printf("whole tokens=%llu generation=%llu pages=%zu bytes=%lld readers=%u\n",
                static_cast<unsigned long long>(counts.tokens),
                static_cast<unsigned long long>(meta.generation), info.me_last_pgno + 1,
                static_cast<long long>(file.st_blocks) * 512, info.me_numreaders);
    // Or the slot of this process would be one of a dead one.
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return 0;
}

int print(const char* line, void* /*context*/) {
    std::fputs(line, stdout);
    return 0;
}

int readers(const char* path) {
    mdb_reader_list(open_store(path, MDB_RDONLY), print, nullptr);
    return 0;
}

int hold(const char* path, long wanted) {
    MDB_env* env = open_store(path, MDB_RDONLY | MDB_NOTLS);
    long got = 0;
    for (MDB_txn* txn = nullptr; got < wanted; ++got) {
        const int error = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn);
        if (error == MDB_READERS_FULL) {
            break;
        }
        require(error, "take a slot");
        mdb_txn_reset(txn);  // the slot stays, without a snapshot
    }
    std::printf("%ld\n", got);
    std::fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}

int format(const char* path, long version) {
    MDB_env* env = open_store(path, 0);
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    require(mdb_txn_begin(env, nullptr, 0, &txn), "begin");
    require(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the database");
    MDB_val key = val(meta_key());
    MDB_val value{};
    require(mdb_get(txn, dbi, &key, &value), "read the meta record");
    std::string changed(view(value));
    // Behind the magic bytes, in two bytes: see encode() in record.cpp.
    const std::string_view now{reinterpret_cast<const char*>(&format_version), 2};
    const std::size_t at = changed.find(now);
    if (at == std::string::npos) {
        die("the meta record", "has no version");
    }
    changed[at] = static_cast<char>(version);
    MetaRecord meta;
    if (decode(changed, meta) != MetaProblem::other_version) {
        die("the meta record", "has its version elsewhere");
    }
    value = val(changed);
    require(mdb_put(txn, dbi, &key, &value, 0), "write");
    require(mdb_txn_commit(txn), "commit");
    mdb_env_close(env);
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view command = count > 2 ? arguments[1] : "";
    const long number = count > 3 ? std::strtol(arguments[3], nullptr, 10) : 0;
    if (command == "walk") {
        return walk(arguments[2]);
    }
    if (command == "readers") {
        return readers(arguments[2]);
    }
    if (command == "hold") {
        return hold(arguments[2], number);
    }
    if (command == "format") {
        return format(arguments[2], number);
    }
    std::fputs("usage: store_probe walk | readers | hold | format DIRECTORY [N]\n", stderr);
    return 2;
}
