#include "store_writer/error.hpp"

#include <fmt/core.h>
#include <lmdb.h>

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "token_auth/file_remedy.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::string_view build_anew = "run \"tokensync run --rebuild\"";

// The last two are LMDB's internal errors, which only pages that do not fit together cause.
bool is_damage(int error) noexcept {
    return error == MDB_INVALID || error == MDB_VERSION_MISMATCH || error == MDB_CORRUPTED ||
           error == MDB_PAGE_NOTFOUND || error == MDB_PAGE_FULL || error == MDB_CURSOR_FULL;
}

}  // namespace

std::string_view remedy(int error) noexcept {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EIO:  // what LMDB makes of a short write: the disk is full
            return "the old content is still being served; make room on its disk, or see the "
                   "kernel's log for a failing one: \"tokensync watch\" then goes on by itself; "
                   "without it, run \"tokensync run\"";
        case EACCES:
        case EPERM:
            return "run as the account that owns it, or give it to this account (chown -R)";
        case ENOENT:
            return "make the directory above it first";
        case ENOTDIR:
            return "name a directory with --db";
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
            return "it is no LMDB file, or one of another LMDB version: if it was this store, run "
                   "\"tokensync run --rebuild\"";
        default:
            return file_remedy(error, "if that stays, run \"tokensync run --rebuild\"");
    }
}

DamagedStore::DamagedStore(const std::string& problem) : DamagedStore(problem, build_anew) {}

DamagedStore::DamagedStore(const std::string& problem, std::string_view remedy)
    : StoreError(fmt::format("{}; {}", problem, remedy)), problem_(problem) {}

StoreReplaced::StoreReplaced(const std::string& path)
    : StoreError(
          access(path.c_str(), F_OK) == 0
              ? fmt::format("another store was put at {} meanwhile; run tokensync again", path)
              : fmt::format("the store {} was removed meanwhile; run tokensync again, which "
                            "builds it anew",
                            path)) {}

OutOfOrder::OutOfOrder()
    : std::runtime_error(
          "the registry gave its records out of order: its database does not compare text byte by "
          "byte; use a database with the collation C") {}

void fail(const std::string& path, const char* doing, int error) {
    const std::string problem =
        fmt::format("cannot {} the store {}: {}", doing, path, mdb_strerror(error));
    if (is_damage(error)) {
        throw DamagedStore(problem, remedy(error));
    }
    throw StoreError(fmt::format("{}; {}", problem, remedy(error)));
}

void fail_file(const char* doing, const std::string& file, int error) {
    fail_file(doing, file, error, remedy(error));
}

void fail_file(const char* doing, const std::string& file, int error, std::string_view remedy) {
    throw StoreError(
        fmt::format("cannot {} {}: {}; {}", doing, file, std::strerror(error), remedy));
}

}  // namespace token_auth::store_writer
