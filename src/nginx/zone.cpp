#include "nginx/zone.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include "nginx/text.hpp"
#include "nginx/usage.hpp"

namespace token_auth::nginx {
namespace {

constexpr std::size_t default_size = std::size_t{4} << 20;
constexpr ngx_uint_t pages_min = 8;  // as nginx's own zones ask for

// An entry of a list. It stays in place once it is made: workers of an older configuration may
// still write to it.
template <typename T>
struct Entry {
    Entry* next;
    std::size_t name_size;
    T value;

    // Stands right behind.
    char* name() noexcept { return reinterpret_cast<char*>(this + 1); }
};

struct Shared {
    Entry<MinGeneration>* stores;  // by path
    Entry<LabelCounters>* labels;
    UsageTable* usage;
};

// Returns the value of a name, a new one of zeros if there is none yet. Null without room.
template <typename T>
T* obtain(ngx_slab_pool_t& pool, Entry<T>*& first, std::string_view name) noexcept {
    for (Entry<T>* each = first; each != nullptr; each = each->next) {
        if (std::string_view{each->name(), each->name_size} == name) {
            return &each->value;
        }
    }
    void* const room = ngx_slab_calloc(&pool, sizeof(Entry<T>) + name.size());
    if (room == nullptr) {
        return nullptr;
    }
    first = new (room) Entry<T>{first, name.size(), {}};
    std::memcpy(first->name(), name.data(), name.size());
    return &first->value;
}

bool obtain_all(ngx_slab_pool_t& pool, Shared& shared, MainConf& conf) noexcept {
    const auto* const paths = static_cast<const char* const*>(conf.stores.elts);
    for (ngx_uint_t i = 0; i < conf.stores.nelts; ++i) {
        conf.min_generations[i] = obtain(pool, shared.stores, paths[i]);
        if (conf.min_generations[i] == nullptr) {
            return false;
        }
    }
    auto* const* const labels = static_cast<Label* const*>(conf.labels.elts);
    for (ngx_uint_t i = 0; i < conf.labels.nelts; ++i) {
        labels[i]->counters = obtain(pool, shared.labels, view(labels[i]->name));
        if (labels[i]->counters == nullptr) {
            return false;
        }
    }
    if (conf.notes_use && shared.usage == nullptr) {
        shared.usage = make_usage_table(pool, conf.zone->shm.size / 2);
    }
    conf.usage = conf.notes_use ? shared.usage : nullptr;
    return !conf.notes_use || conf.usage != nullptr;
}

// Runs in the master, before the workers of this configuration start.
ngx_int_t init_zone(ngx_shm_zone_t* zone, void* /*old*/) noexcept {
    auto& conf = *static_cast<MainConf*>(zone->data);
    auto& pool = *reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (pool.data == nullptr) {
        pool.log_nomem = 0;  // said below, with the remedy
        pool.data = ngx_slab_calloc(&pool, sizeof(Shared));
    }
    auto* const shared = static_cast<Shared*>(pool.data);
    if (shared == nullptr || !obtain_all(pool, *shared, conf)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"token_auth_zone\" of %uz bytes is too small for the stores and labels "
                      "that are named; give it more",
                      zone->shm.size);
        return NGX_ERROR;
    }
    return NGX_OK;
}

char* add_zone(ngx_conf_t* cf, MainConf& conf, std::size_t size) noexcept {
    ngx_str_t name = ngx_string("token_auth");
    ngx_shm_zone_t* const zone =
        ngx_shared_memory_add(cf, &name, size, &ngx_http_token_auth_module);
    if (zone == nullptr) {
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    zone->init = init_zone;
    zone->data = &conf;
    conf.zone = zone;
    return NGX_CONF_OK;
}

}  // namespace

char* set_zone(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto& conf = *static_cast<MainConf*>(data);
    auto* const args = static_cast<ngx_str_t*>(cf->args->elts);
    static char duplicate[] = "is duplicate";
    if (conf.zone != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    if (view(args[1]) == "off") {
        conf.zone = nullptr;
        return NGX_CONF_OK;
    }
    const ssize_t size = ngx_parse_size(&args[1]);
    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of \"token_auth_zone\", it takes a size such as "
                           "\"4m\", or \"off\"",
                           &args[1]);
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (static_cast<std::size_t>(size) < pages_min * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"token_auth_zone\" of %V is too small, it takes at least %uik",
                           &args[1], pages_min * ngx_pagesize / 1024);
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    return add_zone(cf, conf, static_cast<std::size_t>(size));
}

char* add_default_zone(ngx_conf_t* cf, MainConf& conf) noexcept {
    const ngx_uint_t stores = conf.stores.nelts;
    if (conf.zone == NGX_CONF_UNSET_PTR) {
        conf.zone = nullptr;
        if ((stores != 0 || conf.zone_user.directive != nullptr) &&
            add_zone(cf, conf, default_size) != NGX_CONF_OK) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
    }
    if (conf.zone == nullptr && conf.zone_user.directive != nullptr) {
        // ngx_conf_log_error() would name the end of the http block.
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" has nothing to show, because \"token_auth_zone\" is off; give it a "
                      "size, or remove the directive in %s:%ui",
                      conf.zone_user.directive, conf.zone_user.file, conf.zone_user.line);
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (conf.zone == nullptr) {
        return NGX_CONF_OK;
    }
    conf.min_generations = static_cast<MinGeneration**>(
        ngx_pcalloc(cf->pool, std::max<ngx_uint_t>(stores, 1) * sizeof(MinGeneration*)));
    return conf.min_generations == nullptr ? static_cast<char*>(NGX_CONF_ERROR) : NGX_CONF_OK;
}

}  // namespace token_auth::nginx
