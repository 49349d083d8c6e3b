// Making tokens, once for each Idempotency-Key.
#include <optional>
#include <utility>

#include "base/json.hpp"
#include "registry/sha256.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"
#include "tokenapi/shapes.hpp"
#include "tokenapi/token_fields.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::GuardedWriter;

// The request's key, if it has one: for the place's tokens, however the path was written.
std::optional<registry::RequestKey> request_key(const Call& call,
                                                const registry::PlaceName& place) {
    const auto key = idempotency_key(call.request);
    if (!key) {
        return std::nullopt;
    }
    const std::string of = place.organization.empty() ? "/api/v1/me" : path_of(place);
    return registry::RequestKey{of + "/tokens", *key};
}

// The token that the same request made before, as it is now.
Response replay(GuardedWriter& writer, const registry::KeyedRequest& earlier,
                const registry::PlaceName& place, const registry::TokenFields& fields) {
    writer.require_creation(place, fields);
    Response response = token_response(writer, writer.token(earlier.token));
    response.headers.emplace_back("Idempotent-Replay", "true");
    return response;
}

Response make(const Call& call, GuardedWriter& writer, const registry::PlaceName& place,
              const registry::TokenFields& fields, std::string& id) {
    const registry::NewToken made = writer.create_token(place, fields, call.settings->digester());
    Response response = new_token_response(writer, made.view, *made.text);
    id = made.view.token.id;
    response.if_unsent = revocation(id, writer.author());
    return response;
}

}  // namespace

Step create_token(Call& call) {
    ParameterReader(call.parameters).finish();
    const registry::PlaceName place = place_of(call);
    const auto key = request_key(call, place);
    const std::string digest = key ? registry::sha256_hex(call.request.body) : std::string();
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const auto earlier = key ? writer.earlier_request(*key) : std::nullopt;
        if (earlier && earlier->body != digest) {
            throw Problem(ProblemCode::idempotency_key_reused);
        }
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const registry::TokenFields wanted =
            read_token_fields(fields, place.organization.empty(), writer.now());
        if (earlier) {
            response = replay(writer, *earlier, place, wanted);
            return;
        }
        std::string made;
        run_with(fields, [&] { response = make(call, writer, place, wanted, made); });
        if (key) {
            writer.note_request(*key, {digest, made});
        }
    });
    return response;
}

}  // namespace token_auth::tokenapi
