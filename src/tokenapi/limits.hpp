// Every limit of the server. docs/API.md lists those that a client meets.
#pragma once

#include <chrono>
#include <cstddef>

namespace token_auth::tokenapi::limits {

// Connections. Further ones wait until one ends.
inline constexpr unsigned connections = 1000;
// From a connection's beginning, or the answer before, until a request is whole; and for a client
// to take an answer. libmicrohttpd's own limit counts only silence, so a byte a second outwits it.
inline constexpr std::chrono::seconds request_time{10};
// For a worker to become free; then 503.
inline constexpr std::chrono::seconds queue_time{10};
// For what runs to end after SIGTERM: what a request may take at each of its stages.
inline constexpr std::chrono::seconds stop_time{30};

// A request. The request line and the fields, with what libmicrohttpd keeps of them, and the
// answer's header: 431 beyond that, 414 if the target alone is too long.
inline constexpr std::size_t header_size = 20 * 1024;
inline constexpr std::size_t body_size = 64 * 1024;
// Of all requests that are being received; then 503. Keeps 1,000 connections within memory.
inline constexpr std::size_t bodies_size = 4 * 1024 * 1024;
inline constexpr std::size_t json_levels = 16;
inline constexpr std::size_t json_names = 100;  // in one object
inline constexpr std::size_t parameters = 32;   // of a query or a form
inline constexpr std::size_t errors = 100;      // that one answer tells of
inline constexpr std::size_t cursor_size = 1024;
inline constexpr std::size_t idempotency_key_size = 64;
inline constexpr unsigned page_default = 50;
inline constexpr unsigned page_max = 200;

// Threads beside the one that reads and writes.
inline constexpr unsigned workers = 16;  // each with a registry connection
inline constexpr unsigned hash_threads = 2;
inline constexpr std::size_t hashes_waiting = 32;  // then 503

// For PostgreSQL to answer a statement; then 503.
inline constexpr std::chrono::seconds registry_patience{10};
// Between two attempts to reach a registry that is gone.
inline constexpr std::chrono::milliseconds registry_rest{1000};

}  // namespace token_auth::tokenapi::limits
