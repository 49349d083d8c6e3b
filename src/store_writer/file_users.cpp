#include "store_writer/file_users.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace token_auth::store_writer {
namespace {

namespace fs = std::filesystem;

bool has_open(const fs::path& process, const struct stat& file) {
    std::error_code error;
    const fs::directory_iterator open_files(process / "fd", error);
    return std::any_of(begin(open_files), end(open_files), [&](const fs::directory_entry& entry) {
        struct stat info {};
        return stat(entry.path().c_str(), &info) == 0 && info.st_ino == file.st_ino &&
               info.st_dev == file.st_dev;
    });
}

// T is stopped, t is stopped by a debugger.
bool is_stopped(const fs::path& process) {
    std::ifstream file(process / "stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = text.rfind(')');
    return name_end + 2 < text.size() && (text[name_end + 2] == 'T' || text[name_end + 2] == 't');
}

}  // namespace

std::string users_of_file(int file) {
    struct stat info {};
    if (fstat(file, &info) != 0) {
        return {};
    }
    std::string users;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
        const std::string pid = entry.path().filename();
        const bool is_process = pid.find_first_not_of("0123456789") == std::string::npos;
        if (is_process && pid != std::to_string(getpid()) && has_open(entry.path(), info)) {
            users += fmt::format("{}process {}{}", users.empty() ? "" : "; ", pid,
                                 is_stopped(entry.path()) ? ", stopped" : "");
        }
    }
    return users.empty() ? users : fmt::format(" ({})", users);
}

}  // namespace token_auth::store_writer
