// What a caller may give to a token.
#include "base/json.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/settings.hpp"
#include "tokenapi/shapes.hpp"

namespace token_auth::tokenapi {

Step get_grants(Call& call) {
    ParameterReader(call.parameters).finish();
    const registry::PlaceName place = place_of(call);
    registry::Grants grants;
    read_guarded(call, [&](registry::GuardedReader& reader) {
        grants = place.organization.empty() ? reader.personal_grants() : reader.grants(place);
    });
    base::Json answer = grants_json(grants);
    const Settings& settings = *call.settings;
    answer["example"] = {
        {"url", settings.example_url().empty() ? base::Json() : base::Json(settings.example_url())},
        {"organization_field", settings.organization_field()}};
    return json_response(200, answer);
}

}  // namespace token_auth::tokenapi
