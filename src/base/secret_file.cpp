#include "base/secret_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_descriptor.hpp"

namespace token_auth::base {

SecretFile::SecretFile(const std::string& path, std::size_t size_max) : bytes_(size_max + 1, '\0') {
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ssize_t got = file.is_open() ? 1 : -1;
    while (got > 0 && size_ < bytes_.size()) {
        got = read(file.get(), bytes_.data() + size_, bytes_.size() - size_);
        size_ += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    error_ = got < 0 ? errno : 0;
}

SecretFile::~SecretFile() {
    explicit_bzero(bytes_.data(), bytes_.size());
}

std::string_view SecretFile::content() const noexcept {
    return size_ < bytes_.size() ? std::string_view(bytes_).substr(0, size_) : std::string_view();
}

}  // namespace token_auth::base
