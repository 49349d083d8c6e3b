// Looks into a store for the fault tests, and does to it what no other program does.
//
//   store_probe walk DIRECTORY       reads every record; prints what the store holds, or what is
//                                    wrong with it (exit status 1)
//   store_probe format DIRECTORY N   gives the store another version of its format
#include <lmdb.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

// Counts the entries of a record; false if it is none.
bool counted(std::uint64_t key, std::string_view value, StoreCounts& counts) {
    if (key == meta_record_key) {
        return true;
    }
    if (key >= first_role_key) {
        RoleEntry role;
        const bool sound = decode(value, role);
        counts.roles += role.exists ? 1 : 0;
        return sound;
    }
    if (key >= first_note_key) {
        return true;
    }
    if (key >= first_suspension_key) {
        std::uint32_t count = 0;
        std::string_view rest;
        std::string_view id;
        bool sound = suspensions(value, count, rest);
        counts.suspended += count;
        for (; sound && count > 0; --count) {
            sound = next_suspension(rest, id) && suspension_key(organization_number(id)) == key;
        }
        return sound && rest.empty();
    }
    for (TokenView token; key < first_user_key; value.remove_prefix(token.bytes().size())) {
        ++counts.tokens;
        if (!token.parse(value)) {
            return false;
        }
        if (!token.is_followed()) {
            return token.bytes().size() == value.size();
        }
    }
    for (UserView user; !value.empty(); value.remove_prefix(user.bytes.size())) {
        ++counts.users;
        Membership membership;
        bool sound = user.parse(value) && user_key(user.user) == key;
        for (std::uint32_t i = 0; sound && i < user.count; ++i) {
            sound = user.membership(i, membership);
        }
        if (!sound) {
            return false;
        }
    }
    return true;
}

int walk(const char* path) {
    Store store;
    if (!store.open(path)) {
        if (std::strstr(store.problem(), "not finished") != nullptr) {
            std::printf("unfinished\n");
            return 0;
        }
        die("the store", store.problem());
    }
    StoreCounts counts;
    StoreSize size;
    std::vector<char> buffer(std::size_t{512} << 20);
    Run run;
    const Lookup read = store.read([&](Snapshot& snapshot) {
        const Found found = snapshot.size(size);
        return found == Found::found ? snapshot.run(0, buffer.data(), buffer.size(), run) : found;
    });
    if (read == Lookup::broken || !run.at_end) {
        die("the store", store.problem());
    }
    std::string_view rest(buffer.data(), buffer.size());
    std::uint64_t key = 0;
    std::string_view value;
    for (std::size_t i = 0; i < run.count; ++i) {
        if (!next_record(rest, key, value) || !counted(key, value, counts)) {
            die("a record", "damaged");
        }
    }
    const StoreCounts& said = store.meta().counts;
    if (counts.tokens != said.tokens || counts.users != said.users || counts.roles != said.roles ||
        counts.suspended != said.suspended || size.entries != run.count) {
        die("the meta record", "counts other records than there are");
    }
    struct stat file {};
    stat((std::string(path) + "/data.mdb").c_str(), &file);
    std::printf("whole tokens=%llu generation=%llu pages=%llu bytes=%lld\n",
                static_cast<unsigned long long>(counts.tokens),
                static_cast<unsigned long long>(store.meta().generation),
                static_cast<unsigned long long>(size.used / 4096),
                static_cast<long long>(file.st_blocks) * 512);
    return 0;
}

int format(const char* path, long version) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    require(mdb_env_create(&env), "create");
    require(mdb_env_open(env, path, MDB_NOLOCK, 0640), "open");
    require(mdb_txn_begin(env, nullptr, 0, &txn), "begin");
    require(mdb_dbi_open(txn, nullptr, MDB_INTEGERKEY, &dbi), "open the database");
    std::uint64_t name = meta_record_key;
    MDB_val key{sizeof(name), &name};
    MDB_val value{};
    require(mdb_get(txn, dbi, &key, &value), "read the meta record");
    std::string changed(static_cast<const char*>(value.mv_data), value.mv_size);
    // Behind the magic bytes, in two bytes: see encode() in record.cpp.
    const std::string_view now{reinterpret_cast<const char*>(&store_format), 2};
    const std::size_t at = changed.find(now);
    StoreMeta meta;
    if (at == std::string::npos) {
        die("the meta record", "has no version");
    }
    changed[at] = static_cast<char>(version);
    if (decode(changed, meta) != MetaState::other_format) {
        die("the meta record", "has its version elsewhere");
    }
    value = {changed.size(), changed.data()};
    require(mdb_put(txn, dbi, &key, &value, 0), "write");
    require(mdb_txn_commit(txn), "commit");
    mdb_env_close(env);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 2 ? argv[1] : "";
    if (what == "walk" && argc == 3) {
        return walk(argv[2]);
    }
    if (what == "format" && argc == 4) {
        return format(argv[2], std::strtol(argv[3], nullptr, 10));
    }
    std::fprintf(stderr, "usage: store_probe walk DIRECTORY | format DIRECTORY N\n");
    return 2;
}
