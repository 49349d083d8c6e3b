#include "tokensync/scrub.hpp"

#include <fmt/core.h>

#include <string_view>

#include "store_writer/error.hpp"
#include "store_writer/meta.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::hours between_passes{1};
constexpr std::chrono::seconds between_steps{1};
constexpr std::chrono::milliseconds step_takes{2};

}  // namespace

void Scrub::read_all() noexcept {
    at_once_ = true;
    next_key_ = 0;
    next_pass_ = next_step_ = {};
}

void Scrub::step() {
    const Clock::time_point begun = Clock::now();
    if (begun < next_step_) {
        return;
    }
    next_step_ = begun + between_steps;
    View view(path_);  // what nobody can open does not wait for a pass
    if (begun < next_pass_) {
        return;
    }
    if (next_key_ == 0) {
        view.size();  // goes through the free pages
    }
    view.rewind(next_key_);
    store_writer::Contents record;
    std::string_view value;
    while (view.next(next_key_, value)) {
        try {
            if (next_key_ != meta_record_key) {
                record = {};
                record.count(next_key_, value, +1);
            }
        } catch (const store_writer::DamagedRecord& error) {
            throw store_writer::DamagedStore(
                fmt::format("the store {} is damaged: {}", path_, error.what()));
        }
        if (!at_once_ && Clock::now() - begun > step_takes) {
            return;  // and goes on with the same record
        }
    }
    next_key_ = 0;
    at_once_ = false;
    next_pass_ = begun + between_passes;
}

}  // namespace token_auth::tokensync
