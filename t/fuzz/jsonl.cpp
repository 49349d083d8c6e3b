// The JSON Lines reader: it refuses a file with a message that gives nothing away, or accepts it;
// accepted lines come back unchanged when they are written and read again, and fit into the store.
#include <array>
#include <sstream>
#include <string>
#include <variant>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "fuzz.hpp"
#include "registry/file/content.hpp"
#include "registry/jsonl.hpp"
#include "registry/validate.hpp"
#include "token_auth/address.hpp"
#include "token_auth/record.hpp"

namespace token_auth::fuzz {
namespace {

template <typename Record>
void require_fits(const Record& record) {
    static std::array<char, value_max> buffer;
    require(encode(record, buffer.data(), buffer.size()) != 0, "fits into a record of the store");
}

// The records of an accepted file.
class Fitting : public registry::Sink {
  public:
    void put(const registry::Role& role) override {
        const std::string scopes = registry::join_words(role.scopes);
        require_fits(RoleRecord{scopes});
    }
    void put(const registry::Organization& organization) override {
        KeyBuffer buffer;
        require(!organization_key(organization.id, buffer).empty(), "an organization has a key");
    }
    void put(const registry::User& user) override {
        KeyBuffer buffer;
        require(!user_key(user.id, buffer).empty(), "a user has a key");
    }
    void put(const registry::Membership& membership) override {
        KeyBuffer buffer;
        require(!membership_key(membership.user, membership.organization, buffer).empty(),
                "a membership has a key");
        require_fits(MembershipRecord{membership.role});
    }
    void put(const registry::Token& token) override {
        ++tokens;
        std::string allow;
        for (const std::string& text : token.allow) {
            Cidr block;
            require(parse_cidr(text, block), "a block is one");
            allow.append(reinterpret_cast<const char*>(block.data()), block.size());
        }
        const std::string scopes = registry::join_words(token.scopes);
        TokenRecord record;
        record.kind = token.kind;
        record.revoked = token.revoked != 0;
        record.not_before = token.not_before;
        record.expires = token.expires;
        record.id = token.id;
        record.subject = token.user;
        record.organization = token.organization;
        record.group = token.group;
        record.role = token.role;
        record.name = token.name;
        record.scopes = scopes;
        record.allow = allow;
        require_fits(record);
    }
    void gone_membership(const std::string&, const std::string&) override { none_goes(); }
    void gone_organization(const std::string&) override { none_goes(); }
    void gone_role(const std::string&) override { none_goes(); }
    void gone_token(const Digest&) override { none_goes(); }
    void gone_user(const std::string&) override { none_goes(); }

    std::uint64_t tokens = 0;

  private:
    static void none_goes() { require(false, "a whole file takes nothing away"); }
};

void check_message(const base::Error& error) {
    const std::string text = error.what();
    require(!text.empty() && text.find('\n') == std::string::npos, "a message is one line");
    require(
        text.rfind("input line ", 0) == 0 || text ==
                                                 "input: holds no line; where no tokens "
                                                 "are meant, leave a role or an organization in it",
        "a message names its place");
    require(base::redacted(text) == text, "a message shows nothing that could be a token");
}

void check_lines(const std::string& text) {
    std::istringstream input(text);
    registry::JsonlReader reader(input, "input");
    try {
        while (const auto entity = reader.next()) {
            const std::string line = std::visit(
                [](const auto& value) { return registry::to_json(value).dump(); }, *entity);
            require(registry::parse_entity(line) == *entity, "is written as it was read");
        }
    } catch (const base::Error& error) {
        check_message(error);
    }
}

void check_file(const std::string& text) {
    std::istringstream input(text);
    try {
        const registry::FileContent content(input, "input");
        Fitting sink;
        content.give(sink);
        require(sink.tokens == content.token_count(), "every token is given");
    } catch (const base::Error& error) {
        check_message(error);
    }
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(token_auth::fuzz::text_of(data, size));
    token_auth::fuzz::check_lines(text);
    token_auth::fuzz::check_file(text);
    return 0;
}
