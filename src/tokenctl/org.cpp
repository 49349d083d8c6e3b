// org: organizations.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/time_options.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::vector<std::string> names;
    std::string name;
    bool system = false;
    bool force = false;
};

base::Error invalid(const std::string& text) {
    return base::Error(text, base::ErrorKind::invalid_argument);
}

int add(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    if (options.system && options.names.size() > 1) {
        throw invalid("there is only one system organization: name one with --system");
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            if (writer.organization(name)) {
                throw exists("organization", name);
            }
            registry::Organization organization;
            organization.id = name;
            organization.system = options.system;
            writer.put(organization);
            reports.push_back(
                {json_of(*writer.organization(name), "added"),
                 fmt::format("added {}organization {}", options.system ? "system " : "", name)});
        }
    });
    return finish(context, reports);
}

constexpr std::string_view none = "none";

// What `set` sets. Options that are not given leave an organization as it is.
class Settings {
  public:
    void add_to(cli::Command command) {
        const auto option = [&](const char* name, const char* metavar, std::string& value,
                                const std::string& help) {
            return options_.emplace_back(command.option(name, metavar, value, help));
        };
        name_ = option("--display-name", "TEXT", display_name_,
                       "Its name, as pages show it; an "
                       "empty one takes it off")
                    .may_be_empty();
        max_life_ = option("--max-life", "TIME", life_, limit_help("No token lives longer"));
        default_life_ = option("--default-life", "TIME", default_,
                               limit_help("How long a token lives whose maker does not say"));
        max_tokens_ =
            option("--max-tokens", "N", count_, limit_help("How many valid tokens there may be"));
        options_.push_back(
            command.flag("--require-allow", require_allow_, "No token without address blocks"));
        options_.push_back(command.flag("--no-require-allow", no_require_allow_, "Take that off")
                               .excludes(options_.back()));
    }

    void check() const {
        const bool any = std::any_of(options_.begin(), options_.end(),
                                     [](const cli::Option& each) { return each.given(); });
        if (!any) {
            throw invalid(
                "name what to set: --display-name, --max-life, --default-life, "
                "--require-allow or --max-tokens");
        }
        registry::Organization unused;
        apply(unused);
    }

    void apply(registry::Organization& organization) const {
        registry::Policy& policy = organization.policy;
        if (name_->given()) {
            organization.display_name = display_name_;
        }
        if (max_life_->given()) {
            policy.max_life = life_of("--max-life", life_);
        }
        if (default_life_->given()) {
            policy.default_life = life_of("--default-life", default_);
        }
        if (max_tokens_->given()) {
            policy.max_tokens = count_of(count_);
        }
        policy.require_allow = (policy.require_allow || require_allow_) && !no_require_allow_;
    }

  private:
    static std::string limit_help(const char* what) {
        return fmt::format("{}; none takes that off", what);
    }

    static std::int64_t life_of(const char* option, const std::string& text) {
        if (text == none) {
            return 0;
        }
        const std::int64_t seconds = cli::duration_option(option, text);
        if (seconds == 0) {
            throw invalid(fmt::format("{} must be a second at least, or none", option));
        }
        return seconds;
    }

    static std::int64_t count_of(const std::string& text) {
        if (text == none) {
            return 0;
        }
        const auto count = base::number_of<std::int64_t>(text);
        if (std::to_string(count) != text || count < 1 || count > registry::max_tokens_max) {
            throw invalid(
                fmt::format("--max-tokens {} is not understood: write a number from 1 to "
                            "{}, or none",
                            base::quoted(text), registry::max_tokens_max));
        }
        return count;
    }

    std::string display_name_;
    std::string life_;
    std::string default_;
    std::string count_;
    bool require_allow_ = false;
    bool no_require_allow_ = false;
    std::vector<cli::Option> options_;
    std::optional<cli::Option> name_;
    std::optional<cli::Option> max_life_;
    std::optional<cli::Option> default_life_;
    std::optional<cli::Option> max_tokens_;
};

int set(const Context& context, const Options& options, const Settings& settings) {
    require_identifiers("organization", {options.name});
    settings.check();
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        auto organization = need_organization(writer, options.name);
        settings.apply(organization);
        const bool changes = writer.put(organization) != registry::Outcome::unchanged;
        done = {json_of(organization, changes ? "updated" : "unchanged"),
                fmt::format("organization {} is {}", organization.id,
                            changes ? "changed" : "so already")};
    });
    return finish(context, done);
}

int suspend(const Context& context, const Options& options, bool suspended) {
    require_no_whole_tokens(options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            const auto outcome = writer.set_suspended(name, suspended);
            if (!outcome) {
                throw no_organization(name);
            }
            const bool changes = *outcome != registry::Outcome::unchanged;
            const char* state = suspended ? "suspended" : "not suspended";
            reports.push_back(
                {json_of(need_organization(writer, name), name_of(*outcome)),
                 fmt::format("organization {} is {}{}", name, changes ? "now " : "", state) +
                     (changes ? "" : " already")});
        }
    });
    return finish(context, reports);
}

int remove(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            const auto organization = need_organization(writer, name);
            registry::TokenFilter filter;
            filter.organization = name;
            const std::string tokens =
                require_no_tokens(writer, filter, "organization", name, options.force);
            writer.remove(organization);
            reports.push_back({json_of(organization, "removed"),
                               fmt::format("removed organization {}{}", name, tokens)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context) {
    cli::Table table({"ORGANIZATION", "STATUS", "CREATED", "NAME", "POLICY"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.organizations([&](const registry::Organization& each) {
            objects.push_back(json_of(each));
            table.row({each.id,
                       fmt::format("{}{}", each.suspended ? "suspended" : "active",
                                   each.system ? ", system" : ""),
                       base::format_time(each.created), each.display_name,
                       policy_text(each.policy)});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_org(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command org = root.group("org", "Organizations");
    const auto names = [options](cli::Command command) {
        command.positionals("ORG", options->names, "The organization's identifier").required();
    };
    cli::Command adder = org.command("add", "Add organizations",
                                     [&context, options] { return add(context, *options); });
    names(adder);
    adder.flag("--system", options->system,
               "Make it the system organization: its members' auth:system lets them manage "
               "everything");

    const auto settings = std::make_shared<Settings>();
    cli::Command setter =
        org.command("set", "Set an organization's name, and the policy that its new tokens keep to",
                    [&context, options, settings] { return set(context, *options, *settings); });
    setter.positional("ORG", options->name, "The organization's identifier").required();
    settings->add_to(setter);

    org.command("list", "List organizations", [&context] { return list(context); });
    names(org.command("suspend",
                      "Stop all tokens of organizations from being let in; resume undoes it",
                      [&context, options] { return suspend(context, *options, true); }));
    names(org.command("resume", "End a suspension",
                      [&context, options] { return suspend(context, *options, false); }));

    cli::Command remover =
        org.command("remove", "Remove organizations with their groups, memberships and tokens",
                    [&context, options] { return remove(context, *options); });
    names(remover);
    remover.flag("--force", options->force,
                 "Delete the organization's tokens as well; this cannot be undone");
}

}  // namespace token_auth::tokenctl
