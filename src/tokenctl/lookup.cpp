#include "tokenctl/lookup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/redact.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokenctl {
namespace {

base::Error missing(std::string_view noun, std::string_view name, std::string_view list) {
    return base::Error(fmt::format("{} {} does not exist; `tokenctl {}` lists what there is", noun,
                                   base::quoted(name), list));
}

base::Error is_token(std::string_view id) {
    return base::Error(
        fmt::format(
            "that is a whole token, not a token's id ({}); others may have seen it on the "
            "command line: replace it with `tokenctl rotate`",
            id.empty() ? "the part between \"_\" and \".\"" : fmt::format("the id is {}", id)),
        base::ErrorKind::invalid_argument);
}

base::Error no_identifier(std::string_view noun, const std::string& name) {
    return base::Error(fmt::format("{} {} {}", noun, base::quoted(name), registry::identifier_rule),
                       base::ErrorKind::invalid_argument);
}

base::Error no_token_id(const std::string& id) {
    return base::Error(fmt::format("{} is no token id, which {}; `tokenctl list` lists them",
                                   base::quoted(id), registry::identifier_rule),
                       base::ErrorKind::invalid_argument);
}

}  // namespace

void require_identifiers(std::string_view noun, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (!is_identifier(name) || registry::holds_token(name)) {
            throw no_identifier(noun, name);
        }
    }
}

registry::Group parse_group(const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || !is_identifier(text.substr(0, slash)) ||
        !is_identifier(text.substr(slash + 1)) || registry::holds_token(text)) {
        throw base::Error(fmt::format("group {} must be written ORG/GROUP, each of which {}",
                                      base::quoted(text), registry::identifier_rule),
                          base::ErrorKind::invalid_argument);
    }
    return {text.substr(0, slash), text.substr(slash + 1), 0};
}

std::vector<std::string> words_of(std::string_view noun, const std::vector<std::string>& values) {
    std::vector<std::string> words;
    for (const std::string& value : values) {
        auto more = registry::split_words(value);
        if (more.empty()) {
            throw base::Error(
                fmt::format("{} must hold at least one in each value; leave the empty one out",
                            noun),
                base::ErrorKind::invalid_argument);
        }
        std::move(more.begin(), more.end(), std::back_inserter(words));
    }
    return words;
}

std::vector<std::string> scopes_of(const std::vector<std::string>& values) {
    auto scopes = registry::canonical(words_of("scopes", values));
    for (const std::string& scope : scopes) {
        if (scope.find(',') != std::string::npos) {
            cli::warn(
                fmt::format("{} is one scope that holds a comma; to give several, put spaces "
                            "between them",
                            base::quoted(scope)));
        }
    }
    return scopes;
}

void require_no_whole_tokens(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
        if (registry::holds_token(id)) {
            throw is_token({});
        }
    }
}

void require_token_ids(const std::vector<std::string>& ids) {
    require_no_whole_tokens(ids);
    for (const std::string& id : ids) {
        if (!is_identifier(id)) {
            throw no_token_id(id);
        }
    }
}

registry::Organization need_organization(registry::Reader& reader, const std::string& id) {
    const auto found = reader.organization(id);
    if (!found) {
        throw no_organization(id);
    }
    return *found;
}

registry::Group need_group(registry::Reader& reader, const registry::Group& named) {
    const auto found = reader.group(named.organization, named.id);
    if (!found) {
        throw missing("group", named.organization + "/" + named.id, "group list");
    }
    return *found;
}

registry::User need_user(registry::Reader& reader, const std::string& id) {
    const auto found = reader.user(id);
    if (!found) {
        throw no_user(id);
    }
    return *found;
}

registry::Role need_role(registry::Reader& reader, const std::string& id) {
    const auto found = reader.role(id);
    if (!found) {
        throw missing("role", id, "role list");
    }
    return *found;
}

registry::TokenView need_token(registry::Reader& reader, const std::string& id) {
    auto found = reader.token(id);
    if (!found) {
        throw no_token(reader, id);
    }
    return *found;
}

base::Error no_organization(const std::string& id) {
    return is_identifier(id) ? missing("organization", id, "org list")
                             : no_identifier("organization", id);
}

base::Error no_user(const std::string& id) {
    return is_identifier(id) ? missing("user", id, "user list") : no_identifier("user", id);
}

base::Error no_token(registry::Reader& reader, const std::string& id) {
    // A token made elsewhere may look like an id.
    Digester digester;
    Digest digest{};
    if (digester.init() && digester.plain(id, digest)) {
        if (const auto holder = reader.token_of_digest(digest)) {
            return is_token(*holder);
        }
    }
    if (!is_identifier(id)) {
        return no_token_id(id);
    }
    return missing("token", id, "list");
}

std::string require_no_tokens(registry::Reader& reader, const registry::TokenFilter& filter,
                              std::string_view noun, std::string_view name, bool force) {
    const auto tokens = reader.count_tokens(filter);
    if (tokens > 0 && !force) {
        throw base::Error(
            fmt::format("{} {} has {}, which would be deleted for good; add --force to do that",
                        noun, base::quoted(name), base::counted(tokens, "token")));
    }
    return tokens == 0 ? ""
                       : fmt::format(" with {}, which tokensync removes at once, as you meant it",
                                     base::counted(tokens, "token"));
}

base::Error exists(std::string_view noun, std::string_view name) {
    return base::Error(
        fmt::format("{} {} exists already; nothing was changed", noun, base::quoted(name)));
}

}  // namespace token_auth::tokenctl
