#include "tokensync/spool.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::tokensync {
namespace {

[[noreturn]] void fail() {
    const int error = errno;
    throw base::Error(fmt::format("cannot use a temporary file in /tmp: {}; {}",
                                  std::strerror(error),
                                  file_remedy(error, "check that directory's permissions")));
}

}  // namespace

void Spool::add(std::uint64_t key, std::string_view record) {
    if (!file_) {
        file_.reset(std::tmpfile());
    }
    if (!file_ || std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size()) {
        fail();
    }
    places_.push_back({key, size_, record.size()});
    size_ += record.size();
}

void Spool::sort() {
    if (file_ && std::fflush(file_.get()) != 0) {
        fail();
    }
    std::sort(places_.begin(), places_.end(),
              [](const Place& a, const Place& b) { return a.key < b.key; });
    // Equal keys are hardly ever met.
    for (auto at = places_.begin(); at != places_.end();) {
        const auto end = std::find_if(at, places_.end(),
                                      [at](const Place& place) { return place.key != at->key; });
        std::sort(at, end, [this](const Place& a, const Place& b) {
            const std::string left(read(a));
            return left < read(b);
        });
        at = end;
    }
}

std::string_view Spool::read(const Place& place) {
    buffer_.resize(place.size);
    const ssize_t size =
        pread(fileno(file_.get()), buffer_.data(), buffer_.size(), static_cast<off_t>(place.at));
    if (size != static_cast<ssize_t>(buffer_.size())) {
        fail();
    }
    return buffer_;
}

}  // namespace token_auth::tokensync
