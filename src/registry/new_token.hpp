// Making a token.
#pragma once

#include <memory>

#include "registry/token_digester.hpp"
#include "registry/token_text.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

// Gives the token an id and a digest, and says who made it; puts it into the registry, and is what
// that holds. The result is its text, to be shown once the transaction is committed.
std::unique_ptr<TokenText> put_new_token(Writer& writer, TokenDigester& digester, Token& token);

}  // namespace token_auth::registry
