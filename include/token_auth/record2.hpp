#pragma once
#include "token_auth/record.hpp"
