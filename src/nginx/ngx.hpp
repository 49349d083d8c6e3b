// nginx's headers, included only here.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
}

extern "C" ngx_module_t ngx_http_token_auth_module;
