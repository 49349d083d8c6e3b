// A table of stores, watched as a worker watches it.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/store_table.hpp"

namespace token_auth::unit {

inline std::string_view name_of(StoreEvent event) {
    switch (event) {
        case StoreEvent::opened:
            return "opened";
        case StoreEvent::replaced:
            return "replaced";
        case StoreEvent::older:
            return "older";
        case StoreEvent::lost:
            return "lost";
    }
    return "?";
}

// A table, its clock, and what it told.
class Watched {
  public:
    explicit Watched(std::vector<std::string> paths) : paths_(std::move(paths)) {
        for (const std::string& path : paths_) {
            pointers_.push_back(path.c_str());
        }
        if (!table_.init(pointers_.data(), pointers_.size())) {
            throw std::runtime_error("init() of the table");
        }
    }

    // One look, a second after the last one. "3" for generation 3, "none" where none is served.
    std::string next_second(std::size_t index = 0) {
        ++now_;
        return same_second(index);
    }

    std::string same_second(std::size_t index = 0) {
        Store* const store = table_.at(index, now_, hear, this);
        if (store == nullptr) {
            return "none";
        }
        std::string generation;
        if (read(*store, generation)) {
            return generation;
        }
        give_up(index);  // as the module does
        return "none";
    }

    void give_up(std::size_t index = 0) { table_.give_up(index, now_, hear, this); }

    Store* store(std::size_t index = 0) { return table_.at(index, now_, hear, this); }

    // What was told since this was last asked, with a space between.
    std::string told() {
        std::string all;
        all.swap(events_);
        return all;
    }

    // The text of the last event.
    const std::string& text() const { return text_; }
    const std::string& path() const { return path_; }

  private:
    static bool read(Store& store, std::string& generation) {
        Snapshot snapshot(store);
        TokenRecord token;
        if (!snapshot.ok() || snapshot.token(digest_of("token"), token) == Lookup::broken) {
            return false;
        }
        generation = std::to_string(snapshot.meta().generation);
        return true;
    }

    static void hear(void* context, StoreEvent event, const char* path, const char* text) {
        auto* const self = static_cast<Watched*>(context);
        self->events_ += self->events_.empty() ? "" : " ";
        self->events_ += name_of(event);
        self->path_ = path;
        self->text_ = text;
    }

    std::vector<std::string> paths_;
    std::vector<const char*> pointers_;
    StoreTable table_;
    std::int64_t now_ = 1'700'000'000;
    std::string events_;
    std::string text_;
    std::string path_;
};

// Runs steps in a child, as some faults end a process that does not see them coming.
template <typename Steps>
void check_in_child(Steps steps) {
    const std::string outcome = in_child([&] {
        steps();
        return std::string();
    });
    check(outcome.empty(), "{}", outcome);
}

inline void swap_link(const std::string& target, const std::string& link) {
    const std::string temporary = link + ".new";
    if (symlink(target.c_str(), temporary.c_str()) != 0 ||
        std::rename(temporary.c_str(), link.c_str()) != 0) {
        throw std::runtime_error("swap a symlink");
    }
}

inline void move(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
        throw std::runtime_error("rename " + from);
    }
}

}  // namespace token_auth::unit
