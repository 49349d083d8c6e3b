#include "nginx/worker.hpp"

#include <new>

#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "token_auth/store_pool.hpp"

namespace token_auth::nginx {
namespace {

struct Worker {
    const MainConf* conf = nullptr;
    StorePool stores;
    Digester digester;
};

// A plain pointer, because no destructor may run when the module is unloaded.
Worker* worker = nullptr;

void log_event(void* /*context*/, StoreEvent event, const char* path, const char* text) noexcept {
    ngx_log_t* log = ngx_cycle->log;
    switch (event) {
        case StoreEvent::opened:
            ngx_log_error(NGX_LOG_NOTICE, log, 0, "token store \"%s\" is served: %s", path, text);
            break;
        case StoreEvent::replaced:
            ngx_log_error(NGX_LOG_NOTICE, log, 0, "token store \"%s\" was replaced: %s", path,
                          text);
            break;
        case StoreEvent::older:
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "token store \"%s\" was replaced by an older one, which is not taken "
                          "up: %s",
                          path, text);
            break;
        case StoreEvent::damaged:
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "token store \"%s\" is damaged in part, requests whose token lies "
                          "there get 503: %s",
                          path, text);
            break;
        case StoreEvent::lost:
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "token store \"%s\" is unavailable, requests get 503: %s", path, text);
            break;
    }
}

void stop() noexcept {
    delete worker;
    worker = nullptr;
}

bool start(const MainConf& conf) noexcept {
    worker = new (std::nothrow) Worker;
    bool ready = worker != nullptr && worker->digester.init();
    const auto* keys = static_cast<const ngx_str_t*>(conf.keys.elts);
    for (ngx_uint_t i = 0; ready && i < conf.keys.nelts; ++i) {
        ready = worker->digester.add_key(view(keys[i]));
    }
    const auto* paths = static_cast<const char* const*>(conf.stores.elts);
    if (!ready ||
        !worker->stores.init(paths, conf.stores.nelts, conf.min_generations, log_event, nullptr)) {
        ngx_log_error(
            NGX_LOG_ALERT, ngx_cycle->log, 0,
            "token_auth cannot start in this process, so requests get 503: libcrypto failed "
            "or memory ran out; free some memory and reload nginx");
        stop();
        return false;
    }
    worker->conf = &conf;
    for (ngx_uint_t i = 0; i < conf.stores.nelts; ++i) {
        worker->stores.refresh(i, steady_seconds());
    }
    return true;
}

// Without a master process, a reload changes the configuration of a running process.
bool ready_for(const MainConf& conf) noexcept {
    if (worker != nullptr && worker->conf == &conf) {
        return true;
    }
    stop();
    return start(conf);
}

}  // namespace

ngx_int_t init_process(ngx_cycle_t* cycle) noexcept {
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }
    const auto* conf = static_cast<const MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_token_auth_module));
    if (conf != nullptr && conf->stores.nelts != 0) {
        ready_for(*conf);  // logs a failure; requests try again
    }
    return NGX_OK;
}

void exit_process(ngx_cycle_t* /*cycle*/) noexcept {
    stop();
}

StorePool* store_pool(const MainConf& conf) noexcept {
    return ready_for(conf) ? &worker->stores : nullptr;
}

Digester& digester() noexcept {
    return worker->digester;
}

}  // namespace token_auth::nginx
