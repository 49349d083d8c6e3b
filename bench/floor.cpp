// SHA256_Init() and its like are deprecated, but faster than their replacements.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "floor.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "token_auth/record.hpp"

namespace token_auth::bench {

Floor::~Floor() {
    mdb_txn_abort(transaction_);
    mdb_env_close(environment_);
}

void Floor::open(const std::string& path) {
    MDB_dbi dbi = 0;
    int error = mdb_env_create(&environment_);
    if (error == MDB_SUCCESS) {
        error = mdb_env_open(environment_, path.c_str(),
                             MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD, 0640);
    }
    if (error == MDB_SUCCESS) {
        error = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction_);
    }
    if (error == MDB_SUCCESS) {
        error = mdb_dbi_open(transaction_, nullptr, 0, &dbi);
    }
    if (error != MDB_SUCCESS) {
        fmt::print(stderr, "decision: cannot open {}: {}\n", path, mdb_strerror(error));
        std::exit(1);
    }
}

bool Floor::get(const Digest& digest) {
    KeyBuffer buffer;
    const std::string_view key = token_key(digest, buffer);
    MDB_val name{key.size(), const_cast<char*>(key.data())};
    MDB_val value;
    return mdb_get(transaction_, 1, &name, &value) == MDB_SUCCESS && value.mv_size != 0;
}

void Floor::digest(std::string_view token, Digest& out) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, token.data(), token.size());
    SHA256_Final(out.data(), &context);
}

}  // namespace token_auth::bench
