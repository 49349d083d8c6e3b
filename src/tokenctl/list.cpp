// list: the tokens there are.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/time_options.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/last_use.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string status;
    std::string expiring;
    std::string unused;
    std::string organization;
    std::string group;
    std::string user;
    std::string kind;
    std::string role;
    bool wide = false;
};

void require_one_of(std::string_view option, const std::string& value,
                    const std::vector<std::string>& allowed) {
    if (!value.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        throw base::Error(fmt::format("{} {} is not known; write one of {}", option,
                                      base::quoted(value), fmt::join(allowed, ", ")),
                          base::ErrorKind::invalid_argument);
    }
}

registry::TokenFilter filter_of(const Options& options, std::int64_t now) {
    require_one_of("--status", options.status,
                   {std::begin(registry::status_names), std::end(registry::status_names)});
    require_one_of("--kind", options.kind, {"organization", "group", "user"});
    registry::TokenFilter filter;
    filter.kind = options.kind;
    filter.organization = options.organization;
    filter.user = options.user;
    filter.role = options.role;
    if (!options.group.empty()) {
        const auto group = parse_group(options.group);
        filter.organization = group.organization;
        filter.group = group.id;
    }
    if (!options.expiring.empty()) {
        filter.expires_after = now;
        filter.expires_until = cli::time_or_duration_option("--expiring", options.expiring, now);
    }
    return filter;
}

// An empty list would hide that a name is wrong.
void require_named(registry::Reader& reader, const Options& options) {
    if (!options.organization.empty()) {
        need_organization(reader, options.organization);
    }
    if (!options.group.empty()) {
        need_group(reader, parse_group(options.group));
    }
    if (!options.user.empty()) {
        need_user(reader, options.user);
    }
    if (!options.role.empty()) {
        need_role(reader, options.role);
    }
}

// The rows that are asked for, and their last use, which is looked up for some hundred at a time.
class Listing {
  public:
    // `unused_since`: 0 if it is not asked for.
    Listing(const Context& context, const Options& options, std::int64_t now,
            std::int64_t unused_since)
        : context_(context),
          options_(options),
          now_(now),
          unused_since_(unused_since),
          last_use_(context),
          table_(head()) {
        if (unused_since_ != 0) {
            last_use_.require_since(unused_since_);
        }
    }

    void add(const registry::TokenView& view) {
        if (is_wanted(view)) {
            waiting_.push_back(view);
        }
        if (waiting_.size() == together) {
            flush();
        }
    }

    void print() {
        flush();
        print_list(context_, table_, objects_);
    }

  private:
    static constexpr std::size_t together = 500;

    std::vector<std::string> head() const {
        std::vector<std::string> head{"ID", "STATUS", "OF", "ROLE", "SCOPES", "EXPIRES"};
        if (last_use_.is_told()) {
            head.emplace_back("LAST USED");
        }
        head.emplace_back("NAME");
        if (options_.wide) {
            head.emplace_back("DESCRIPTION");
        }
        return head;
    }

    bool is_wanted(const registry::TokenView& view) const {
        const auto status = status_of(view, now_);
        if (!options_.status.empty()) {
            return status_name(status) == options_.status;
        }
        const bool is_chosen = !options_.expiring.empty() || unused_since_ != 0;
        return !is_chosen ||
               (status != registry::Status::revoked && status != registry::Status::expired);
    }

    // A token that was never used counts from when it could have been.
    bool is_unused(const registry::Token& token, const registry::TokenUse* use) const {
        const std::int64_t last =
            use != nullptr ? use->time : std::max(token.created, token.not_before);
        return last < unused_since_;
    }

    void flush() {
        std::vector<std::string> ids;
        for (const registry::TokenView& view : waiting_) {
            ids.push_back(view.token.id);
        }
        const registry::TokenUses uses = last_use_.of(ids);
        for (const registry::TokenView& view : waiting_) {
            const auto found = uses.find(view.token.id);
            const registry::TokenUse* const use = found == uses.end() ? nullptr : &found->second;
            if (unused_since_ == 0 || is_unused(view.token, use)) {
                put(view, use);
            }
        }
        waiting_.clear();
    }

    void put(const registry::TokenView& view, const registry::TokenUse* use) {
        if (context_.json) {
            objects_.push_back(json_of(view, now_, last_use_.is_told(), use));
            return;
        }
        const registry::Token& token = view.token;
        std::vector<std::string> row{
            token.id,   status_name(status_of(view, now_)), owner_text(token),
            token.role, registry::join_words(token.scopes), expiry_text(token)};
        if (last_use_.is_told()) {
            row.push_back(use == nullptr ? "never" : base::format_time(use->time));
        }
        row.push_back(token.name);
        if (options_.wide) {
            row.push_back(token.description);
        }
        table_.row(std::move(row));
    }

    const Context& context_;
    const Options& options_;
    std::int64_t now_;
    std::int64_t unused_since_;
    LastUse last_use_;
    cli::Table table_;
    std::vector<std::string> objects_;
    std::vector<registry::TokenView> waiting_;
};

int list(const Context& context, const Options& options) {
    const std::int64_t now = base::now();
    const auto filter = filter_of(options, now);
    const std::int64_t unused_since =
        options.unused.empty() ? 0 : now - cli::duration_option("--unused", options.unused);
    registry::Registry registry = context.open(registry::Access::read);
    Listing listing(context, options, now, unused_since);
    registry.read([&](registry::Reader& reader) {
        require_named(reader, options);
        reader.tokens(filter, [&](const registry::TokenView& view) { listing.add(view); });
    });
    listing.print();
    return cli::exit_done;
}

}  // namespace

void add_list(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = root.command("list", "List tokens",
                                        [&context, options] { return list(context, *options); });
    command.option("--status", "STATUS", options->status,
                   "Only tokens that are active, revoked, expired, pending, disabled or suspended");
    command.option("--expiring", "TIME", options->expiring,
                   "Only tokens that expire within this time, such as 7d, and are not revoked");
    command.option("--unused", "TIME", options->unused,
                   "Only tokens that nobody used for this time, such as 90d, and that are neither "
                   "younger nor revoked nor expired");
    command.flag("--wide", options->wide, "Show the descriptions as well");
    command.option("--org", "ORG", options->organization,
                   "Only tokens of this organization and its groups");
    command.option("--group", "ORG/GROUP", options->group, "Only tokens of this group");
    command.option("--user", "USER", options->user, "Only tokens that act for this user");
    command.option("--kind", "KIND", options->kind,
                   "Only tokens of this kind: organization, group or user");
    command.option("--role", "ROLE", options->role, "Only tokens with this role");
}

}  // namespace token_auth::tokenctl
