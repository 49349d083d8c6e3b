#include "tokenapi/system_call.hpp"

#include "base/time.hpp"

namespace token_auth::tokenapi {

void read_system(Call& call, const std::function<void(registry::SystemReader&)>& body) {
    read_as_caller(call, [&](registry::Reader& reader, const registry::Identity& identity) {
        refusals_as_problems(identity, [&] {
            registry::SystemReader system(reader, identity.caller, base::now());
            body(system);
        });
    });
}

void write_system(Call& call, const std::function<void(registry::SystemWriter&)>& body) {
    write_as_caller(call, [&](registry::Writer& writer, const registry::Identity& identity) {
        refusals_as_problems(identity, [&] {
            registry::SystemWriter system(writer, identity.caller);
            body(system);
        });
    });
}

}  // namespace token_auth::tokenapi
