// Lists: the parameters that all of them have, and their pages.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_fwd.hpp"
#include "registry/pages.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/response.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// Which page of the call's list is asked for; all parameters but limit and cursor, and the path,
// say which list it is.
class Paging {
  public:
    // Reads `limit` and `cursor`.
    Paging(const Call& call, ParameterReader& parameters);

    // Where the page begins, for keys of these kinds (cursor.hpp). Problem (cursor_invalid).
    registry::PageRange range(std::string_view kinds) const;
    // {"items":[…],"next_cursor":…}
    Response response(const base::Json& items, const std::optional<registry::PageKey>& next) const;
    // The same of an array as JSON.
    Response text_response(const std::string& items,
                           const std::optional<registry::PageKey>& next) const;

  private:
    std::string list_;
    std::size_t limit_;
    std::optional<std::string> cursor_;
};

}  // namespace token_auth::tokenapi
