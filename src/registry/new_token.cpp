#include "registry/new_token.hpp"

namespace token_auth::registry {

std::unique_ptr<TokenText> put_new_token(Writer& writer, TokenDigester& digester, Token& token) {
    auto text = std::make_unique<TokenText>(token.prefix);
    token.id = text->id();
    token.created_by = writer.author().name;
    token.created_via = writer.author().via;
    token.digest = digester.digest(text->view());
    writer.add(token, "create");
    return text;
}

}  // namespace token_auth::registry
