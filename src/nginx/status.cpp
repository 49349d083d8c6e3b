#include "nginx/status.hpp"

#include "nginx/conf.hpp"
#include "nginx/page.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "nginx/worker.hpp"
#include "token_auth/version.hpp"

namespace token_auth::nginx {
namespace {

// What this worker serves of a store.
struct StoreState {
    std::string_view path;
    bool up;
    std::uint64_t generation;
    std::uint64_t tokens;
    std::int64_t synced;  // Unix milliseconds
};

StoreState read_store(const MainConf& main, ngx_uint_t index) noexcept {
    StoreState out{};
    out.path = static_cast<const char* const*>(main.stores.elts)[index];
    StorePool* const stores = store_pool(main);
    const auto pass = [&](Snapshot& snapshot) {
        const StoreMeta& meta = snapshot.meta();
        out.generation = meta.generation;
        out.tokens = meta.counts.tokens;
        out.synced = meta.synced;
        return Found::found;
    };
    out.up = stores != nullptr && stores->read(index, steady_seconds(), pass) == Lookup::found;
    return out;
}

template <typename Visit>
void for_each_store(const MainConf& main, Visit visit) noexcept {
    for (ngx_uint_t i = 0; i < main.stores.nelts; ++i) {
        visit(read_store(main, i));
    }
}

template <typename Visit>
void for_each_label(const MainConf& main, Visit visit) noexcept {
    const auto* const* const labels = static_cast<const Label* const*>(main.labels.elts);
    for (ngx_uint_t i = 0; i < main.labels.nelts; ++i) {
        visit(view(labels[i]->name), *labels[i]->counters);
    }
}

using Count = std::uint64_t (*)(const LabelCounters&, Code) noexcept;

template <typename Visit>
void for_each_result(const LabelCounters& counters, Count count, Visit visit) noexcept {
    for (std::size_t i = 0; i < code_count; ++i) {
        const auto code = static_cast<Code>(i);
        visit(answer(code).name, count(counters, code));
    }
}

std::uint64_t usage_lost(const MainConf& main) noexcept {
    return main.usage == nullptr ? 0 : main.usage->lost();
}

void begin_metric(Page& page, std::string_view name, std::string_view type,
                  std::string_view help) noexcept {
    page << "# HELP " << name << " " << help << "\n# TYPE " << name << " " << type << "\n";
}

void add_results(Page& page, const MainConf& main, std::string_view metric, Count count) noexcept {
    for_each_label(main, [&](std::string_view label, const LabelCounters& counters) {
        for_each_result(counters, count, [&](std::string_view result, std::uint64_t value) {
            page << metric << "{label=";
            page.add_label_value(label) << ",result=\"" << result << "\"} " << value << "\n";
        });
    });
}

// A store that is not up has no numbers: `add` adds those of one that is.
template <typename Add>
void add_stores(Page& page, const MainConf& main, std::string_view metric, bool only_up,
                Add add) noexcept {
    for_each_store(main, [&](const StoreState& store) {
        if (store.up || !only_up) {
            page << metric << "{store=";
            page.add_label_value(store.path) << "} ";
            add(store);
            page << "\n";
        }
    });
}

void add_prometheus(Page& page, const MainConf& main) noexcept {
    begin_metric(page, "token_auth_requests_total", "counter",
                 "Client requests, by the result of their last check.");
    add_results(page, main, "token_auth_requests_total", request_count);
    begin_metric(page, "token_auth_rechecks_total", "counter",
                 "Checks of requests that were let in and are still open.");
    add_results(page, main, "token_auth_rechecks_total", recheck_count);
    begin_metric(page, "token_auth_store_up", "gauge", "Whether the store is served.");
    add_stores(page, main, "token_auth_store_up", false,
               [&](const StoreState& store) { page << (store.up ? "1" : "0"); });
    begin_metric(page, "token_auth_store_generation", "gauge",
                 "The number of the commit that is served; it only grows.");
    add_stores(page, main, "token_auth_store_generation", true,
               [&](const StoreState& store) { page << store.generation; });
    begin_metric(page, "token_auth_store_tokens", "gauge", "Tokens in the store.");
    add_stores(page, main, "token_auth_store_tokens", true,
               [&](const StoreState& store) { page << store.tokens; });
    begin_metric(page, "token_auth_store_last_sync_timestamp_seconds", "gauge",
                 "When the last completed sync of the store ended, in Unix seconds.");
    add_stores(page, main, "token_auth_store_last_sync_timestamp_seconds", true,
               [&](const StoreState& store) { page.add_seconds(store.synced); });
    begin_metric(page, "token_auth_usage_lost_total", "counter",
                 "Last uses of tokens that had no room, or lost it before anybody asked.");
    page << "token_auth_usage_lost_total " << usage_lost(main) << "\n";
    begin_metric(page, "token_auth_build_info", "gauge",
                 "Always 1; the versions of module and nginx are in its labels.");
    page << "token_auth_build_info{version=\"" << version << "\",nginx=\"" NGINX_VERSION "\"} 1\n";
}

void add_json_results(Page& page, const LabelCounters& counters, Count count) noexcept {
    std::string_view separator = "{";
    for_each_result(counters, count, [&](std::string_view result, std::uint64_t value) {
        page << separator << "\"" << result << "\":" << value;
        separator = ",";
    });
    page << "}";
}

void add_json(Page& page, const MainConf& main) noexcept {
    page << "{\"version\":\"" << version << "\",\"nginx\":\"" NGINX_VERSION "\",\"labels\":{";
    std::string_view separator;
    for_each_label(main, [&](std::string_view label, const LabelCounters& counters) {
        page << separator;
        page.add_json(label) << ":{\"requests\":";
        add_json_results(page, counters, request_count);
        page << ",\"rechecks\":";
        add_json_results(page, counters, recheck_count);
        page << "}";
        separator = ",";
    });
    page << "},\"stores\":{";
    separator = {};
    for_each_store(main, [&](const StoreState& store) {
        page << separator;
        page.add_json(store.path) << ":{\"up\":" << (store.up ? "true" : "false");
        if (store.up) {
            page << ",\"generation\":" << store.generation << ",\"tokens\":" << store.tokens
                 << ",\"last_sync\":";
            page.add_seconds(store.synced);
        }
        page << "}";
        separator = ",";
    });
    page << "},\"usage_lost\":" << usage_lost(main) << "}\n";
}

}  // namespace

ngx_int_t status_handler(ngx_http_request_t* r) noexcept {
    const ngx_int_t accepted = accept_get(r);
    if (accepted != NGX_OK) {
        return accepted;
    }
    const auto& main =
        *static_cast<const MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_token_auth_module));
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    Page page(r);
    if (conf.status_format == status_json) {
        add_json(page, main);
        return page.send("application/json");
    }
    add_prometheus(page, main);
    return page.send("text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace token_auth::nginx
