// What a call does to the registry, behind the rights of its caller.
#pragma once

#include <functional>

#include "registry/guarded.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// As read_as_caller(), write_as_caller(); what the registry refuses is thrown as Problem.
void read_guarded(Call& call, const std::function<void(registry::GuardedReader&)>& body);
void write_guarded(Call& call, const std::function<void(registry::GuardedWriter&)>& body);

// The problem document of a refusal. `by_token`: a token calls, which then gets a challenge.
Problem problem_of(const registry::Refusal& refusal, bool by_token);

// Runs `body`, of a transaction; its Refusal is thrown as Problem.
void refusals_as_problems(const registry::Identity& identity, const std::function<void()>& body);

// Runs an operation on what a body's reader understood, then refuses what is wrong with the fields:
// what the reader found, and what the registry did, are told together. So a caller who may not do
// it learns that, and the transaction is rolled back.
void run_with(FieldReader& fields, const std::function<void()>& operation);

// Throws Problem (query_invalid) if nobody tells which tokens are unused.
void require_uses(Call& call);

// The text as JSON, null if it is empty; the time, null if it is 0.
base::Json text_or_null(const std::string& text);
base::Json time_or_null(std::int64_t time);

}  // namespace token_auth::tokenapi
