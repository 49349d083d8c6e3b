#include "tokenctl/key_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace token_auth::tokenctl {
namespace {

// Room for the longest key and some white space; a longer file is none.
constexpr std::size_t file_max = key_max + 64;

// A file's first bytes, wiped when they go.
class Content {
  public:
    explicit Content(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        ssize_t got = file < 0 ? -1 : 1;
        while (got > 0 && size_ < bytes_.size()) {
            got = ::read(file, bytes_.data() + size_, bytes_.size() - size_);
            size_ += got > 0 ? static_cast<std::size_t>(got) : 0;
        }
        const int problem = errno;
        if (file >= 0) {
            ::close(file);
        }
        if (got < 0) {
            throw base::Error(
                fmt::format("key file {} cannot be read: {}; check the path and its "
                            "permissions",
                            path, std::strerror(problem)));
        }
    }
    ~Content() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
    Content(const Content&) = delete;
    Content& operator=(const Content&) = delete;

    // Empty where the file is longer than any key file.
    std::string_view view() const {
        return size_ < bytes_.size() ? std::string_view(bytes_.data(), size_) : std::string_view();
    }

  private:
    std::array<char, file_max> bytes_{};
    std::size_t size_ = 0;
};

}  // namespace

KeyFile::KeyFile(const std::string& path) {
    if (!digester_.init()) {
        throw base::Error("libcrypto has no SHA-256; check its configuration (openssl.cnf)");
    }
    if (!path.empty()) {
        read(path);
    }
}

void KeyFile::read(const std::string& path) {
    const Content content(path);
    const std::string_view key = key_of_file(content.view());
    if (key.empty()) {
        throw base::Error(
            fmt::format("key file {} holds no key: it must be {} to {} bytes, such as "
                        "`openssl rand -hex 32` makes",
                        path, key_min, key_max));
    }
    if (!digester_.add_key(key)) {
        throw base::Error("libcrypto has no HMAC-SHA-256; check its configuration (openssl.cnf)");
    }
}

registry::TokenDigest KeyFile::digest(std::string_view token) {
    registry::TokenDigest out;
    const bool ok =
        is_given() ? digester_.keyed(0, token, out.bytes) : digester_.plain(token, out.bytes);
    if (!ok) {
        throw base::Error("libcrypto could not make a digest; check its configuration");
    }
    out.key_id = is_given() ? digester_.key_id(0) : no_key;
    return out;
}

}  // namespace token_auth::tokenctl
