// HTTP on a Unix socket: the one file that knows libmicrohttpd.
//
// The thread that calls run() reads and writes for all connections. A request that is whole is
// suspended and given to the dispatcher, which answers from its own threads.
#pragma once

#include <memory>

#include "base/file_descriptor.hpp"
#include "tokenapi/dispatcher.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::cli {
class Service;
}

namespace token_auth::tokenapi {

class ListeningSocket;
class Metrics;

class HttpServer {
  public:
    // All that is given outlives the server. base::Error.
    HttpServer(ListeningSocket& socket, const Router& router, Dispatcher& dispatcher,
               Metrics& metrics);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    // Serves until `stop_fd` is readable; then takes no more connections, and finishes what runs.
    // base::Error if that takes longer than limits::stop_time; the process has to end then, because
    // a worker hangs.
    void run(int stop_fd, cli::Service& service);

  private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace token_auth::tokenapi
