// Input for tests that shows a read beyond its end.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace token_auth::unit {

// A copy in memory of exactly its size: the sanitizers see every read beyond it.
class Exact {
  public:
    explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
        if (size_ != 0) {
            std::memcpy(bytes_.get(), text.data(), size_);
        }
    }
    std::string_view view() const { return {bytes_.get(), size_}; }
    bool holds(std::string_view part) const {
        return part.empty() ||
               (part.data() >= bytes_.get() && part.data() + part.size() <= bytes_.get() + size_);
    }

  private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

}  // namespace token_auth::unit
