// Records that come in no order, kept in a file that nobody else sees until they are given sorted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace token_auth::tokensync {

// Memory grows by 24 bytes a record. Errors are base::Error.
class Spool {
  public:
    void add(std::uint64_t key, std::string_view record);

    // In the order of the keys, those of equal keys in the order of their bytes.
    template <typename Each>
    void for_each_sorted(const Each& each) {
        sort();
        for (const Place& place : places_) {
            each(place.key, read(place));
        }
    }

  private:
    struct Place {
        std::uint64_t key;
        std::uint64_t at;
        std::uint64_t size;
    };
    struct Closer {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    void sort();
    std::string_view read(const Place& place);

    std::unique_ptr<std::FILE, Closer> file_;
    std::vector<Place> places_;
    std::uint64_t size_ = 0;
    std::string buffer_;
};

}  // namespace token_auth::tokensync
