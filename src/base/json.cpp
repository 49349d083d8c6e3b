#include "base/json.hpp"

namespace token_auth::base {

std::string json_line(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace token_auth::base
