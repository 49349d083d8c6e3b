#include "scratch.hpp"

#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace token_auth::unit {
namespace {

std::runtime_error system_error(std::string_view doing) {
    return std::runtime_error(fmt::format("{}: {}", doing, std::strerror(errno)));
}

void check(int error, std::string_view doing) {
    if (error != MDB_SUCCESS) {
        throw std::runtime_error(fmt::format("{}: {}", doing, mdb_strerror(error)));
    }
}

MDB_val val(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};
}

void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = write(fd, text.data(), text.size());
        if (sent <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string receive_all(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t got = read(fd, buffer, sizeof(buffer)); got > 0;
         got = read(fd, buffer, sizeof(buffer))) {
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

// cmocka would go on with the tests in a child that a signal should end.
void end_on_signals() {
    for (const int number : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV}) {
        std::signal(number, SIG_DFL);
    }
}

void commit(MDB_env* env, const std::vector<Entry>& entries, bool replace) {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env, nullptr, 0, &txn), "begin to write");
    MDB_dbi dbi = 0;
    check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the database");
    if (replace) {
        check(mdb_drop(txn, dbi, 0), "empty the database");
    }
    for (const Entry& entry : entries) {
        MDB_val key = val(entry.key);
        MDB_val value = val(entry.value);
        check(entry.value.empty() ? mdb_del(txn, dbi, &key, nullptr)
                                  : mdb_put(txn, dbi, &key, &value, 0),
              "write a record");
    }
    check(mdb_txn_commit(txn), "commit");
}

// As every writer of a store must: pages that a transaction takes and gives back at the end of
// the file are never written by LMDB, and readers would take the file for a truncated one.
void lengthen(MDB_env* env) {
    MDB_envinfo info;
    MDB_stat statistics;
    mdb_filehandle_t file{};
    struct stat size {};
    check(mdb_env_info(env, &info), "measure");
    check(mdb_env_stat(env, &statistics), "measure");
    check(mdb_env_get_fd(env, &file), "measure");
    const auto needed = static_cast<off_t>((info.me_last_pgno + 1) * statistics.ms_psize);
    if (fstat(file, &size) != 0 || (size.st_size < needed && ftruncate(file, needed) != 0)) {
        throw system_error("lengthen data.mdb");
    }
}

}  // namespace

Directory::Directory() {
    const char* parent = std::getenv("TMPDIR");
    path_ = std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") +
            "/token-auth-unit.XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) {
        throw system_error("make a directory under TMPDIR");
    }
}

Directory::~Directory() {
    std::error_code ignored;  // what is left over is left in the temporary directory
    std::filesystem::remove_all(path_, ignored);
}

std::string in_child(const std::function<std::string()>& function) {
    int ends[2];
    if (pipe(ends) != 0) {
        throw system_error("make a pipe");
    }
    const pid_t pid = fork();
    if (pid < 0) {
        throw system_error("fork");
    }
    if (pid == 0) {
        end_on_signals();
        close(ends[0]);
        std::string text;
        try {
            text = function();
        } catch (const std::exception& error) {
            text = error.what();
        }
        send_all(ends[1], text);
        _exit(0);
    }
    close(ends[1]);
    std::string text = receive_all(ends[0]);
    close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        return fmt::format("killed by signal {}", WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0) {
        return fmt::format("ended with status {}", WEXITSTATUS(status));
    }
    return text;
}

Holder::Holder(const std::function<void()>& work) {
    int ready[2];
    int hold[2];
    if (pipe(ready) != 0 || pipe(hold) != 0) {
        throw system_error("make a pipe");
    }
    pid_ = fork();
    if (pid_ < 0) {
        throw system_error("fork");
    }
    if (pid_ == 0) {
        end_on_signals();
        close(ready[0]);
        close(hold[1]);
        std::string text;
        try {
            work();
        } catch (const std::exception& error) {
            text = error.what();
        }
        send_all(ready[1], text);
        close(ready[1]);
        receive_all(hold[0]);
        _exit(0);
    }
    close(ready[1]);
    close(hold[0]);
    hold_ = hold[1];
    const std::string failure = receive_all(ready[0]);
    close(ready[0]);
    if (!failure.empty()) {
        throw std::runtime_error(failure);
    }
}

Holder::~Holder() {
    close(hold_);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
}

Entry meta_entry(std::uint64_t generation, const std::vector<KeyUse>& key_uses) {
    MetaRecord meta;
    meta.generation = generation;
    meta.synced = 1'700'000'000'000;
    meta.created = 1'600'000'000'000;
    meta.counts.tokens = 1;
    for (const KeyUse& use : key_uses) {
        meta.key_uses.at(meta.key_use_count) = use;
        ++meta.key_use_count;
    }
    meta.source = "0123456789abcdef";
    meta.position = "17";
    return {std::string(meta_key()), encoded(meta)};
}

Entry token_entry(const Digest& digest, const TokenRecord& record) {
    KeyBuffer buffer;
    return {std::string(token_key(digest, buffer)), encoded(record)};
}

Entry organization_entry(std::string_view id, bool suspended) {
    KeyBuffer buffer;
    return {std::string(organization_key(id, buffer)), encoded(OrganizationRecord{suspended})};
}

Entry user_entry(std::string_view id, bool disabled) {
    KeyBuffer buffer;
    return {std::string(user_key(id, buffer)), encoded(UserRecord{disabled})};
}

Entry membership_entry(std::string_view user, std::string_view organization,
                       std::string_view role) {
    KeyBuffer buffer;
    return {std::string(membership_key(user, organization, buffer)),
            encoded(MembershipRecord{role})};
}

Entry role_entry(std::string_view id, std::string_view scopes) {
    KeyBuffer buffer;
    return {std::string(role_key(id, buffer)), encoded(RoleRecord{scopes})};
}

MDB_env* open_for_writing(const std::string& directory, std::size_t map_size,
                          unsigned max_readers) {
    if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) {
        throw system_error("make the store's directory");
    }
    MDB_env* env = nullptr;
    check(mdb_env_create(&env), "create an environment");
    check(mdb_env_set_mapsize(env, map_size), "set the map size");
    if (max_readers != 0) {
        check(mdb_env_set_maxreaders(env, max_readers), "set the number of readers");
    }
    // Durability is not what these tests are about.
    check(mdb_env_open(env, directory.c_str(), MDB_NOTLS | MDB_NOSYNC, 0640), "open for writing");
    return env;
}

void write_store(const std::string& directory, const std::vector<Entry>& entries,
                 const WriteOptions& options) {
    const std::string failure = in_child([&] {
        MDB_env* env = open_for_writing(directory, options.map_size);
        for (unsigned i = 0; i < options.transactions; ++i) {
            commit(env, entries, options.replace);
        }
        lengthen(env);
        mdb_env_close(env);
        return std::string();
    });
    if (!failure.empty()) {
        throw std::runtime_error("write a store: " + failure);
    }
}

Digest digest_of(std::string_view token) {
    Digester digester;
    Digest digest;
    if (!digester.init() || !digester.plain(token, digest)) {
        throw std::runtime_error("libcrypto gives no SHA-256");
    }
    return digest;
}

TokenRecord plain_record() {
    TokenRecord record;
    record.id = "T1";
    record.subject = "bot-1";
    record.organization = "acme";
    record.name = "deploy";
    record.scopes = "agents:read";
    return record;
}

std::vector<Entry> small_world(std::uint64_t generation) {
    return {meta_entry(generation), organization_entry("acme"),
            token_entry(digest_of("token"), plain_record())};
}

void write_file(const std::string& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) {
        throw system_error("write " + path);
    }
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw system_error("read " + path);
    }
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t file_size(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
        throw system_error("look at " + path);
    }
    return static_cast<std::size_t>(info.st_size);
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

namespace {

int gather(const char* line, void* context) {
    *static_cast<std::string*>(context) += line;
    return 0;
}

}  // namespace

std::string readers_of(const std::string& path) {
    return in_child([&] {
        MDB_env* env = open_for_writing(path, default_map);
        std::string list;
        mdb_reader_list(env, gather, &list);
        mdb_env_close(env);
        return list;
    });
}

std::size_t slots(const std::string& list, bool with_snapshot) {
    std::size_t count = 0;
    std::size_t begin = 0;
    const std::string pid = std::to_string(getpid());
    while (begin < list.size()) {
        const std::size_t end = std::min(list.find('\n', begin), list.size());
        const std::string line = list.substr(begin, end - begin);
        if (line.find(pid + " ") != std::string::npos && line.ends_with('-') != with_snapshot) {
            ++count;
        }
        begin = end + 1;
    }
    return count;
}

bool file_exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
}

}  // namespace token_auth::unit
