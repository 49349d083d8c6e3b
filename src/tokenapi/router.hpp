// Which operation a method and a path name.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenapi/request.hpp"
#include "tokenapi/response.hpp"

namespace token_auth::tokenapi {

class Metrics;
class RegistryConnection;
class Settings;
struct Call;

// A password's hash to compute, which takes long and much memory: `work` runs in one of few threads
// for that, then `then` in a worker again. Both may keep what they need of the call.
struct Hashing;
using Step = std::variant<Response, Hashing>;
struct Hashing {
    std::function<void(Call&)> work;
    std::function<Step(Call&)> then;
    // In the worker, before the call is answered that there is too much to do.
    std::function<void(Call&)> if_refused{};
};

// Who answers.
enum class Runs {
    here,    // the thread that reads and writes: must not wait
    worker,  // has a registry connection
};

// Throws Problem to refuse.
using Handler = Step (*)(Call&);

struct Route {
    const char* method;     // HEAD is answered as GET
    const char* path;       // "/api/v1/tokens/{id}": what is in braces is an identifier
    const char* operation;  // operationId in openapi.json
    Takes takes;
    Runs runs;
    Handler handler;
};

using Arguments = std::map<std::string, std::string, std::less<>>;

// A request on its way.
struct Call {
    Request request{};
    const Route* route = nullptr;  // null: none
    Arguments arguments{};
    std::vector<Parameter> parameters{};  // of the query
    const Metrics* metrics = nullptr;
    // In a worker:
    RegistryConnection* registry = nullptr;
    const Settings* settings = nullptr;

    // Of the path.
    const std::string& argument(std::string_view name) const {
        return arguments.find(name)->second;
    }
};

class Router {
  public:
    // The routes outlive the router.
    explicit Router(std::span<const Route> routes);

    // Sets the call's route, arguments and parameters by its method, path and query. Problem
    // (not_found, method_not_allowed with Allow, query_invalid).
    void find(Call& call) const;

  private:
    struct Pattern {
        const Route* route;
        std::vector<std::string> segments;
    };

    std::vector<Pattern> patterns_;
};

}  // namespace token_auth::tokenapi
