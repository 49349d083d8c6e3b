#include "registry/new_token.hpp"

#include "base/error.hpp"

namespace token_auth::registry {

std::unique_ptr<TokenText> put_new_token(Writer& writer, TokenDigester& digester, Token& token) {
    auto text = std::make_unique<TokenText>(token.prefix);
    token.id = text->id();
    token.created_by = writer.author().name;
    token.created_via = writer.author().via;
    token.digest = digester.digest(text->view());
    if (writer.token(token.id)) {
        throw base::Error("the random id is in use already; try again");
    }
    writer.put(token, "create");
    token = writer.token(token.id)->token;
    return text;
}

}  // namespace token_auth::registry
