// Turns a source's entities into records.
#pragma once

#include <string>
#include <string_view>

#include "registry/source.hpp"
#include "tokensync/progress.hpp"
#include "tokensync/record_encoder.hpp"

namespace token_auth::tokensync {

// `Target` has put(key, value), and erase(key) if it takes changes.
template <typename Target>
class RecordSink : public registry::Sink {
  public:
    RecordSink(Target& target, Progress* progress) : target_(target), progress_(progress) {}

    void put(const registry::Membership& membership) override { put_entry(membership); }
    void put(const registry::Organization& organization) override { put_entry(organization); }
    void put(const registry::Role& role) override { put_entry(role); }
    void put(const registry::Token& token) override {
        put_entry(token);
        if (progress_ != nullptr) {
            progress_->token();
        }
    }
    void put(const registry::User& user) override { put_entry(user); }

    void gone_membership(const std::string& user, const std::string& organization) override {
        erase(encoder_.membership(user, organization));
    }
    void gone_organization(const std::string& id) override { erase(encoder_.organization(id)); }
    void gone_role(const std::string& id) override { erase(encoder_.role(id)); }
    void gone_token(const Digest& digest) override { erase(encoder_.token(digest)); }
    void gone_user(const std::string& id) override { erase(encoder_.user(id)); }

  private:
    template <typename Entity>
    void put_entry(const Entity& entity) {
        const Entry entry = encoder_.encode(entity);
        target_.put(entry.key, entry.value);
    }

    void erase(std::string_view key) {
        // A full load tells what there is; only changes tell what is gone.
        if constexpr (requires { target_.erase(key); }) {
            target_.erase(key);
        }
    }

    Target& target_;
    Progress* progress_;
    Encoder encoder_;
};

}  // namespace token_auth::tokensync
