#include "tokenapi/fields.hpp"
#include "tokenapi/metrics.hpp"
#include "tokenapi/operations.hpp"

namespace token_auth::tokenapi {

// Whether the process lives, not whether the registry does: a restart would not bring that back.
Step get_health(Call& call) {
    ParameterReader(call.parameters).finish();
    return Response{200, {{"Content-Type", "text/plain; charset=utf-8"}}, "ok\n", {}};
}

Step get_metrics(Call& call) {
    ParameterReader(call.parameters).finish();
    return Response{200,
                    {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                    call.metrics->text(),
                    {}};
}

}  // namespace token_auth::tokenapi
