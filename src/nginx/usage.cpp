#include "nginx/usage.hpp"

#include <charconv>
#include <new>

#include "nginx/page.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "token_auth/load.hpp"

namespace token_auth::nginx {
namespace {

constexpr std::size_t entries_min = 32;

const MainConf& main_conf(ngx_http_request_t* r) noexcept {
    return *static_cast<const MainConf*>(
        ngx_http_get_module_main_conf(r, ngx_http_token_auth_module));
}

// A number of a cursor, and "-" unless it is the last one. False if there is none.
bool take_number(std::string_view& text, int base, std::uint64_t& out) noexcept {
    const char* const end = text.data() + text.size();
    const std::from_chars_result taken = std::from_chars(text.data(), end, out, base);
    if (taken.ec != std::errc{} || (taken.ptr != end && *taken.ptr != '-')) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(taken.ptr - text.data()));
    if (text.size() == 1) {
        return false;  // nothing behind the "-"
    }
    text.remove_prefix(text.empty() ? 0 : 1);
    return true;
}

// "EPOCH-SINCE" or, within a round, "EPOCH-SINCE-UNTIL-NEXT". False if it is malformed; a cursor of
// another epoch is one from the start.
bool parse_cursor(const UsageTable& table, std::string_view text, UsageCursor& out) noexcept {
    if (text.empty()) {
        return true;
    }
    if (text == "last") {
        out.since = table.confirmed();
        return true;
    }
    std::uint64_t epoch = 0;
    std::uint64_t next = 0;
    if (!take_number(text, 16, epoch) || text.empty() || !take_number(text, 10, out.since) ||
        (!text.empty() && (!take_number(text, 10, out.until) || text.empty() ||
                           !take_number(text, 10, next) || !text.empty()))) {
        return false;
    }
    out.next = next;
    if (epoch != table.epoch()) {
        out = {};
        return true;
    }
    return table.is_possible(out);
}

void add_epoch(Page& page, const UsageTable& table) noexcept {
    u_char text[NGX_INT64_LEN];
    const u_char* const end = ngx_sprintf(text, "%xL", table.epoch());
    page << std::string_view{reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)};
}

void add_address(Page& page, const Address& address) noexcept {
    u_char text[NGX_INET6_ADDRSTRLEN];
    std::size_t size = 0;
    if (address.family == 4) {
        size = ngx_inet_ntop(AF_INET, const_cast<std::uint8_t*>(address.bytes.data()), text,
                             sizeof(text));
#if (NGX_HAVE_INET6)
    } else if (address.family == 6) {
        size = ngx_inet6_ntop(const_cast<std::uint8_t*>(address.bytes.data()), text, sizeof(text));
#endif
    }
    if (size == 0) {
        page << "null";
    } else {
        page << "\"" << std::string_view{reinterpret_cast<char*>(text), size} << "\"";
    }
}

void add_use(Page& page, const Use& use) noexcept {
    page << "{\"id\":";
    page.add_json(use.id_view()) << ",\"time\":" << static_cast<std::uint64_t>(use.time)
                                 << ",\"address\":";
    add_address(page, use.address);
    page << ",\"count\":" << use.count << "}\n";
}

void add_end(Page& page, const UsageTable& table, const UsageCursor& cursor) noexcept {
    page << "{\"cursor\":\"";
    add_epoch(page, table);
    page << "-" << cursor.since;
    if (cursor.until != 0) {
        page << "-" << cursor.until << "-" << cursor.next;
    }
    page << "\",\"epoch\":\"";
    add_epoch(page, table);
    page << "\",\"more\":" << (cursor.until != 0 ? "true" : "false") << ",\"lost\":" << table.lost()
         << "}\n";
}

// By the digest behind its first 8 bytes, which is what a record holds of it.
std::uint64_t tag_of(const char* rest) noexcept {
    return load<std::uint64_t>(rest);
}

// The uses of a round of nginx's event loop, which go into the table together at its end. nginx
// runs what is posted before it looks whether the worker is to exit.
constexpr std::size_t waiting_max = 64;

struct Waiting {
    UsageTable* table;
    std::size_t count;
    Use uses[waiting_max];
    ngx_event_t flush;
};

Waiting waiting;

void flush() noexcept {
    if (waiting.count != 0) {
        waiting.table->note(waiting.uses, waiting.count);
        waiting.count = 0;
    }
}

void post_flush() noexcept {
    waiting.flush.handler = [](ngx_event_t*) noexcept { flush(); };
    waiting.flush.log = ngx_cycle->log;
    ngx_post_event(&waiting.flush, &ngx_posted_events);
}

bool may_ask(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    return conf.usage_public == 1 || r->connection->listening->sockaddr->sa_family == AF_UNIX;
}

}  // namespace

void note_use(ngx_http_request_t* r, Context& context) noexcept {
    UsageTable* const table = main_conf(r).usage;
    if (table == nullptr) {
        return;
    }
    const std::uint64_t tag = tag_of(context.token.bytes().data() + token_layout::digest_at);
    if (context.kept.noted == tag) {
        return;
    }
    context.kept.noted = tag;
    if (waiting.table != table || waiting.count == waiting_max) {
        flush();
        waiting.table = table;
    }
    Use& use = waiting.uses[waiting.count++];
    use.tag = tag;
    use.time = ngx_time();
    use.address = client_address(r);
    use.set_id(context.token.id());
    post_flush();
}

UsageTable* make_usage_table(ngx_slab_pool_t& pool, std::size_t room) noexcept {
    void* const table = ngx_slab_calloc(&pool, sizeof(UsageTable));
    std::size_t count = entries_min;
    while (2 * count * UsageTable::entry_size <= room) {
        count *= 2;
    }
    void* entries = nullptr;
    for (; table != nullptr && entries == nullptr && count >= entries_min; count /= 2) {
        entries = ngx_slab_calloc(&pool, count * UsageTable::entry_size);
        if (entries != nullptr) {
            const ngx_time_t* const now = ngx_timeofday();
            const auto epoch = static_cast<std::uint64_t>(now->sec) * 1000 + now->msec;
            return new (table) UsageTable(entries, count, epoch);
        }
    }
    return nullptr;
}

ngx_int_t usage_handler(ngx_http_request_t* r) noexcept {
    if (!may_ask(r)) {
        return NGX_HTTP_FORBIDDEN;
    }
    const ngx_int_t accepted = accept_get(r);
    if (accepted != NGX_OK) {
        return accepted;
    }
    UsageTable& table = *main_conf(r).usage;
    static u_char name[] = "cursor";
    ngx_str_t given{};
    UsageCursor cursor;
    if (ngx_http_arg(r, name, sizeof(name) - 1, &given) == NGX_OK &&
        !parse_cursor(table, view(given), cursor)) {
        return NGX_HTTP_BAD_REQUEST;
    }
    Page page(r);
    table.read(cursor, [&](const Use& use) { add_use(page, use); });
    add_end(page, table, cursor);
    return page.send("application/jsonl");
}

}  // namespace token_auth::nginx
