// Turns a source's entities into records.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/source.hpp"
#include "store_writer/change_set.hpp"
#include "tokensync/left_out.hpp"
#include "tokensync/progress.hpp"
#include "tokensync/record_encoder.hpp"
#include "tokensync/spool.hpp"

namespace token_auth::tokensync {

// What changed, as changes of records.
class ChangeSink final : public registry::Sink {
  public:
    // `numbers` are the store's.
    ChangeSink(store_writer::ChangeSet& changes, const store_writer::Numbers& numbers,
               LeftOut& left_out);

    void put(const registry::Organization& organization) override;
    void put(const registry::Role& role) override;
    void put(const registry::Token& token) override;
    void put_memberships(const std::string& user,
                         const std::vector<registry::MemberOf>& all) override;
    void gone_organization(const std::string& id) override;
    void gone_role(const std::string& id) override;
    void gone_token(const Digest& digest) override { changes_.erase_token(digest); }
    void leave_out(const registry::BadRow& row) override;
    bool changed(std::string_view entity, const std::string& key) override;

    // That was all. The numbers that the changes use.
    const store_writer::Numbers& finish();

    // Users and organizations that changed.
    const std::set<std::string>& users() const noexcept { return users_; }
    const std::set<std::string>& organizations() const noexcept { return organizations_; }

  private:
    void leave_out_unnumbered();

    store_writer::ChangeSet& changes_;
    store_writer::Numbers numbers_;
    LeftOut& left_out_;
    std::size_t known_roles_;
    std::set<std::string> written_roles_;
    std::set<std::string> users_;
    std::set<std::string> organizations_;
    // By ids: rows that are left out, and (empty) those that were and are not any more.
    std::map<std::string, std::string> notes_;
    Encoder encoder_;
};

// Everything, as records in the order of their keys.
class RecordSink : public registry::Sink {
  public:
    // `suspended` are the organizations that the store has as such; `last` as for Encoder.
    RecordSink(Progress* progress, LeftOut* left_out, store_writer::Numbers numbers, bool last,
               std::set<std::string> suspended)
        : progress_(progress),
          left_out_(left_out),
          numbers_(std::move(numbers)),
          encoder_(numbers_, last),
          suspended_before_(std::move(suspended)) {}

    void put(const registry::Organization& organization) override;
    void put(const registry::Role& role) override;
    void put(const registry::Token& token) override;
    void put_memberships(const std::string& user,
                         const std::vector<registry::MemberOf>& all) override;
    void gone_organization(const std::string&) override {}
    void gone_role(const std::string&) override {}
    void gone_token(const Digest&) override {}
    void leave_out(const registry::BadRow& row) override;

    // That was all.
    void finish();
    const store_writer::Numbers& numbers() const noexcept { return numbers_; }
    // Organizations that were suspended, and that the source does not have any more.
    const std::set<std::string>& suspended_and_gone() const noexcept { return suspended_before_; }

  private:
    virtual void record(std::uint64_t key, std::string_view value) = 0;
    // For whoever wants to know more than the store is to keep.
    virtual void left_out(const registry::BadRow& /*row*/) {}

    void leave_out_unnumbered();
    void number_roles();
    void give_token();
    void give_spooled(Spool& spool, std::size_t id_size);
    void give_suspensions();
    void give_roles();

    Progress* progress_;
    LeftOut* left_out_;
    store_writer::Numbers numbers_;
    Encoder encoder_;
    std::uint64_t token_key_ = 0;
    std::string token_;  // entries of that key; empty: none yet
    Spool users_;
    Spool notes_;
    std::map<std::string, std::string> roles_;                     // records, by name
    std::map<std::uint64_t, std::vector<std::string>> suspended_;  // ids, by key
    std::set<std::string> suspended_before_;
};

// For a target with put(key, value).
template <typename Target>
class RecordsTo final : public RecordSink {
  public:
    RecordsTo(Target& target, Progress* progress, LeftOut* left_out, store_writer::Numbers numbers,
              bool last, std::set<std::string> suspended)
        : RecordSink(progress, left_out, std::move(numbers), last, std::move(suspended)),
          target_(target) {}

  private:
    void record(std::uint64_t key, std::string_view value) override { target_.put(key, value); }

    Target& target_;
};

}  // namespace token_auth::tokensync
