// Who calls, and transactions in which that holds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json_fwd.hpp"
#include "registry/callers.hpp"
#include "registry/rights.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// Run `body` in one transaction with who calls, read in it: by a session or by a token. Throw
// Problem if that is nobody (401), if the token may not be used (as nginx refuses it), or if a
// change by cookie comes from a page that is not ours.
//
// write() may run `body` again, if other transactions were in its way.
void read_as_caller(Call& call,
                    const std::function<void(registry::Reader&, const registry::Identity&)>& body);
void write_as_caller(Call& call,
                     const std::function<void(registry::Writer&, const registry::Identity&)>& body);

// Throws Problem if rights refuse it.
void require(const registry::Identity& identity, const registry::rights::Request& request);
// The same for what needs no more than that action's name.
void require(const registry::Identity& identity, registry::rights::Action action);

// The client's address for the audit trail; empty if it is not known.
std::string client_address_of(const Call& call);

// As GET /me answers.
base::Json me_json(const registry::Identity& identity);

}  // namespace token_auth::tokenapi
