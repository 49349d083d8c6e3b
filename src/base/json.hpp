// JSON values, for the files that make or read them.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json_fwd.hpp"
