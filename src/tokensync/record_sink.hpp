// Turns a source's entities into records.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/source.hpp"
#include "store_writer/change_set.hpp"
#include "tokensync/progress.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/spool.hpp"

namespace token_auth::tokensync {

// What changed, as changes of records.
class ChangeSink final : public registry::Sink {
  public:
    // `numbers` are the store's.
    ChangeSink(store_writer::ChangeSet& changes, const store_writer::Numbers& numbers);

    void put(const registry::Organization& organization) override;
    void put(const registry::Role& role) override;
    void put(const registry::Token& token) override;
    void put_memberships(const std::string& user,
                         const std::vector<registry::MemberOf>& all) override;
    void gone_organization(const std::string& id) override { changes_.resume(id); }
    void gone_role(const std::string& id) override;
    void gone_token(const Digest& digest) override { changes_.erase_token(digest); }

    // That was all. The numbers that the changes use.
    const store_writer::Numbers& finish();

  private:
    store_writer::ChangeSet& changes_;
    store_writer::Numbers numbers_;
    std::size_t known_roles_;
    std::set<std::string> written_roles_;
    Encoder encoder_{numbers_};
};

// Everything, as records in the order of their keys.
class RecordSink : public registry::Sink {
  public:
    explicit RecordSink(Progress* progress, store_writer::Numbers numbers = {})
        : progress_(progress), numbers_(std::move(numbers)) {}

    void put(const registry::Organization& organization) override;
    void put(const registry::Role& role) override;
    void put(const registry::Token& token) override;
    void put_memberships(const std::string& user,
                         const std::vector<registry::MemberOf>& all) override;
    void gone_organization(const std::string&) override {}
    void gone_role(const std::string&) override {}
    void gone_token(const Digest&) override {}

    // That was all.
    void finish();
    const store_writer::Numbers& numbers() const noexcept { return numbers_; }

  private:
    virtual void record(std::uint64_t key, std::string_view value) = 0;

    void give_token();
    void give_users();
    void give_suspensions();
    void give_roles();

    Progress* progress_;
    store_writer::Numbers numbers_;
    Encoder encoder_{numbers_};
    std::uint64_t token_key_ = 0;
    std::string token_;  // entries of that key; empty: none yet
    Spool users_;
    std::map<std::string, std::string> roles_;                     // records, by name
    std::map<std::uint64_t, std::vector<std::string>> suspended_;  // ids, by key
};

// For a target with put(key, value).
template <typename Target>
class RecordsTo final : public RecordSink {
  public:
    RecordsTo(Target& target, Progress* progress, store_writer::Numbers numbers = {})
        : RecordSink(progress, std::move(numbers)), target_(target) {}

  private:
    void record(std::uint64_t key, std::string_view value) override { target_.put(key, value); }

    Target& target_;
};

}  // namespace token_auth::tokensync
