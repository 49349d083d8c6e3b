// What happens to stores.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "scratch.hpp"

namespace token_auth::unit {

constexpr std::size_t page = 4096;

struct Fault {
    const char* name;
    std::function<void(const std::string& path)> make;
    std::string_view problem;  // a part of what is said of it
};

// Deterministic, and nothing that could be taken for anything.
inline std::string noise(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (char& byte : bytes) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        byte = static_cast<char>(state >> 32);
    }
    return bytes;
}

// Over what is there, without truncating it first, as `dd conv=notrunc` does.
inline void overwrite(const std::string& path, std::size_t offset, std::string_view bytes) {
    std::string content = read_file(path);
    content.resize(std::max(content.size(), offset + bytes.size()));
    std::memcpy(content.data() + offset, bytes.data(), bytes.size());
    std::FILE* file = std::fopen(path.c_str(), "r+b");
    if (file == nullptr || std::fwrite(content.data(), 1, content.size(), file) != content.size() ||
        std::fclose(file) != 0) {
        throw std::runtime_error("overwrite " + path);
    }
}

// Commits a meta record that was changed.
inline void rewrite_meta(const std::string& path, const std::function<void(std::string&)>& change) {
    Entry meta = meta_entry(2);
    change(meta.value);
    write_store(path, {meta});
}

}  // namespace token_auth::unit
