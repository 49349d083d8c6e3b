#include "registry/file/content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <variant>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "registry/token_columns.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

// The earliest element whose key one before it has too: { index, index of that one }.
template <typename Elements, typename KeyOf>
std::optional<std::pair<std::size_t, std::size_t>> first_repeated(const Elements& elements,
                                                                  const KeyOf& key_of) {
    std::vector<std::size_t> order(elements.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto& left = key_of(elements[a]);
        const auto& right = key_of(elements[b]);
        return left < right || (left == right && a < b);
    });
    std::optional<std::pair<std::size_t, std::size_t>> found;
    for (std::size_t i = 1; i < order.size(); ++i) {
        const bool same = key_of(elements[order[i - 1]]) == key_of(elements[order[i]]);
        if (same && (!found || order[i] < found->first)) {
            found = {order[i], order[i - 1]};
        }
    }
    return found;
}

}  // namespace

FileContent::FileContent(std::istream& input, std::string name) : name_(std::move(name)) {
    JsonlReader reader(input, name_);
    bool empty = true;
    while (auto entity = reader.next()) {
        empty = false;
        std::visit([&](auto& value) { take(std::move(value), reader.line()); }, *entity);
    }
    if (empty) {
        throw base::Error(fmt::format(
            "{}: holds no line; where no tokens are meant, leave a role or an organization in it",
            name_));
    }
    require_distinct_tokens();
    for (const auto& [key, group] : groups_) {
        check(group.value, group.line);
    }
    for (const auto& [key, membership] : memberships_) {
        check(membership.value, membership.line);
    }
    for (auto& [token, line] : tokens_) {
        check(token, line);
        link_user(token, line);
    }
    require_no_idle_user();
    std::sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) {
        return a.value.digest.bytes < b.value.digest.bytes;
    });
}

void FileContent::give(Sink& sink) const {
    for (const auto& [key, organization] : organizations_) {
        sink.put(organization.value);
    }
    for (const auto& [key, role] : roles_) {
        sink.put(role.value);
    }
    for (const auto& [token, line] : tokens_) {
        if (token.kind != kind_user) {
            sink.put(token);
            continue;
        }
        Token whole = token;
        whole.memberships = memberships_of(token.user, memberships_max + 1);
        sink.put(whole);
    }
    for (const auto& [id, user] : users_) {
        const auto all = memberships_of(id, SIZE_MAX);
        if (all.size() > memberships_max) {
            sink.put_memberships(id, all);
        }
    }
}

std::vector<MemberOf> FileContent::memberships_of(const std::string& user, std::size_t most) const {
    std::vector<MemberOf> all;
    for (auto at = memberships_.lower_bound({user, ""});
         at != memberships_.end() && at->first.first == user && all.size() < most; ++at) {
        all.push_back({at->first.second, at->second.value.role});
    }
    return all;
}

void FileContent::take(Role role, std::size_t line) {
    const auto [at, added] = roles_.try_emplace(role.id);
    if (!added) {
        fail_twice(line, fmt::format("id {} is that of a role", base::quoted(role.id)),
                   at->second.line);
    }
    at->second = {std::move(role), line};
}

void FileContent::take(Organization organization, std::size_t line) {
    const auto [at, added] = organizations_.try_emplace(organization.id);
    if (!added) {
        fail_twice(line,
                   fmt::format("id {} is that of an organization", base::quoted(organization.id)),
                   at->second.line);
    }
    at->second = {std::move(organization), line};
}

void FileContent::take(Group group, std::size_t line) {
    const auto [at, added] = groups_.try_emplace({group.organization, group.id});
    if (!added) {
        fail_twice(line,
                   fmt::format("id {} is that of a group of organization {}",
                               base::quoted(group.id), base::quoted(group.organization)),
                   at->second.line);
    }
    at->second = {std::move(group), line};
}

void FileContent::take(User user, std::size_t line) {
    const auto [at, added] = users_.try_emplace(user.id);
    if (!added) {
        fail_twice(line, fmt::format("id {} is that of a user", base::quoted(user.id)),
                   at->second.line);
    }
    at->second = {std::move(user), line};
}

void FileContent::take(Membership membership, std::size_t line) {
    if (!membership.group.empty()) {
        return;  // for managing: the store knows nothing of it
    }
    const auto [at, added] = memberships_.try_emplace({membership.user, membership.organization});
    if (!added) {
        fail_twice(
            line,
            fmt::format("user {} is a member of organization {}", base::quoted(membership.user),
                        base::quoted(membership.organization)),
            at->second.line);
    }
    at->second = {std::move(membership), line};
}

void FileContent::take(Token token, std::size_t line) {
    // What the store does not hold need not be kept.
    keep_stored(token);
    tokens_.push_back({std::move(token), line});
}

void FileContent::require_distinct_tokens() const {
    const auto by_id = [](const auto& token) -> const std::string& { return token.value.id; };
    if (const auto found = first_repeated(tokens_, by_id)) {
        const auto& token = tokens_[found->first];
        fail_twice(token.line,
                   fmt::format("id {} is that of a token", base::quoted(token.value.id)),
                   tokens_[found->second].line);
    }
    const auto by_digest = [](const auto& token) -> const Digest& {
        return token.value.digest.bytes;
    };
    if (const auto found = first_repeated(tokens_, by_digest)) {
        const auto& first = tokens_[found->second];
        fail_twice(tokens_[found->first].line,
                   fmt::format("digest is that of token {}", base::quoted(first.value.id)),
                   first.line);
    }
}

void FileContent::check(const Group& group, std::size_t line) const {
    require_organization(group.organization, line);
}

void FileContent::check(const Membership& membership, std::size_t line) const {
    const PlacedUser& member = user(membership.user, line);
    if (member.value.technical) {
        fail(line, fmt::format("user {} is a technical user (line {}), which is a member of "
                               "nothing; name a person",
                               base::quoted(membership.user), member.line));
    }
    require_organization(membership.organization, line);
    require_role(membership.role, line);
}

void FileContent::check(const Token& token, std::size_t line) const {
    if (!token.organization.empty()) {
        require_organization(token.organization, line);
    }
    if (!token.group.empty() && !groups_.contains({token.organization, token.group})) {
        fail_missing(line, "group", token.organization + "/" + token.group);
    }
    if (!token.role.empty()) {
        require_role(token.role, line);
    }
}

void FileContent::link_user(Token& token, std::size_t line) {
    if (token.user.empty()) {
        token.user = technical_user_id(token.id);
        if (!is_identifier(token.user)) {
            fail(line, technical_user_too_long);
        }
        if (!users_.contains(token.user)) {
            return;
        }
    }
    PlacedUser& subject = user(token.user, line);
    if (token.kind == kind_user && subject.value.technical) {
        fail(line, fmt::format("user {} is a technical user (line {}), which has no personal "
                               "tokens; name a person",
                               base::quoted(token.user), subject.line));
    }
    if (token.kind != kind_user && !subject.value.technical) {
        fail(line, fmt::format("user {} is a person (line {}), but organization and group tokens "
                               "act for technical users; leave the user out, or name another",
                               base::quoted(token.user), subject.line));
    }
    subject.acts = true;
    token.user_disabled = subject.value.disabled;
}

// Its line would do nothing, least of all disable the token that was meant.
void FileContent::require_no_idle_user() const {
    for (const auto& [id, user] : users_) {
        if (user.value.technical && !user.acts) {
            fail(user.line, fmt::format("id {} is that of a technical user for whom no token acts; "
                                        "take the line out, or add the token",
                                        base::quoted(id)));
        }
    }
}

void FileContent::require_organization(const std::string& id, std::size_t line) const {
    if (!organizations_.contains(id)) {
        fail_missing(line, "organization", id);
    }
}

void FileContent::require_role(const std::string& id, std::size_t line) const {
    if (!roles_.contains(id)) {
        fail_missing(line, "role", id);
    }
}

const FileContent::PlacedUser& FileContent::user(const std::string& id, std::size_t line) const {
    const auto found = users_.find(id);
    if (found == users_.end()) {
        fail_missing(line, "user", id);
    }
    return found->second;
}

FileContent::PlacedUser& FileContent::user(const std::string& id, std::size_t line) {
    return const_cast<PlacedUser&>(std::as_const(*this).user(id, line));
}

void FileContent::fail(std::size_t line, const std::string& text) const {
    throw base::Error(fmt::format("{} line {}: {}", name_, line, text));
}

void FileContent::fail_missing(std::size_t line, const char* field, const std::string& id) const {
    fail(line, fmt::format("{} {} has no line in the file; add one, or name another", field,
                           base::quoted(id)));
}

void FileContent::fail_twice(std::size_t line, const std::string& what, std::size_t first) const {
    fail(line, fmt::format("{} already (line {}); leave one of the two out", what, first));
}

}  // namespace token_auth::registry
