#include "nginx/recheck.hpp"

#include <algorithm>
#include <new>

#include "nginx/access.hpp"
#include "nginx/conf.hpp"
#include "nginx/denial.hpp"
#include "nginx/text.hpp"
#include "nginx/variables.hpp"

namespace token_auth::nginx {

namespace {

struct Recheck {
    ngx_event_t timer;
    ngx_http_request_t* request;
    Basis basis;
    bool is_unavailable;  // the last decision was a 503
    ngx_msec_t unavailable_since;
};

constexpr ngx_msec_t unavailable_max = 60'000;  // unless token_auth_max_age is set

bool copy(ngx_pool_t* pool, std::string_view& text) noexcept {
    auto* const room = static_cast<u_char*>(ngx_pnalloc(pool, text.size()));
    if (room == nullptr) {
        return false;
    }
    append(room, text);
    text = {reinterpret_cast<char*>(room), text.size()};
    return true;
}

bool copy(ngx_pool_t* pool, Words& words) noexcept {
    auto* const values =
        static_cast<std::string_view*>(ngx_palloc(pool, words.count * sizeof(std::string_view)));
    if (values == nullptr) {
        return false;
    }
    std::copy(words.values, words.values + words.count, values);
    words.values = values;
    return std::all_of(values, values + words.count,
                       [&](std::string_view& value) { return copy(pool, value); });
}

bool copy(ngx_pool_t* pool, const Requirements*& requirements) noexcept {
    void* const room = ngx_palloc(pool, sizeof(Requirements));
    if (room == nullptr) {
        return false;
    }
    auto* const out = new (room) Requirements(*requirements);
    requirements = out;
    return copy(pool, out->groups) && copy(pool, out->roles) && copy(pool, out->scopes) &&
           copy(pool, out->scopes_any);
}

bool copy(ngx_pool_t* pool, Basis& basis) noexcept {
    return copy(pool, basis.token) && copy(pool, basis.realm) && copy(pool, basis.organization) &&
           (!basis.conf->has_variables || copy(pool, basis.requirements));
}

// The milliseconds for which the request may go on; 0: none.
ngx_msec_t time_left(Recheck& recheck, Code code) noexcept {
    const LocConf& conf = *recheck.basis.conf;
    const auto status = static_cast<ngx_uint_t>(answer(code).status);
    if (status == 0) {
        recheck.is_unavailable = false;
        return conf.recheck;
    }
    if (status != NGX_HTTP_SERVICE_UNAVAILABLE) {
        return 0;
    }
    if (!recheck.is_unavailable) {
        recheck.is_unavailable = true;
        recheck.unavailable_since = ngx_current_msec;
    }
    const ngx_msec_t passed = ngx_current_msec - recheck.unavailable_since;
    const ngx_msec_t limit =
        conf.max_age == 0 ? unavailable_max : static_cast<ngx_msec_t>(conf.max_age) * 1000;
    return passed < limit ? std::min(conf.recheck, limit - passed) : 0;
}

bool waits_for_upstream(const ngx_http_request_t* r) noexcept {
    return r->upstream != nullptr && r->upstream->cleanup != nullptr;
}

// No subrequest is under way, nor a task of another thread.
bool is_alone(const ngx_http_request_t* r) noexcept {
    return r == r->connection->data && r->postponed == nullptr && r->blocked == 0;
}

// Whether the refusal can be the answer: none was begun, no subrequest is under way, and the
// request waits for what end() takes from it, its upstream or the rest of its body. A handler of
// another module that waits for something of its own would go on after the answer.
bool can_answer(const ngx_http_request_t* r) noexcept {
    const bool waits =
        waits_for_upstream(r) || (r->request_body != nullptr && r->request_body->rest > 0);
    return waits && !r->header_sent && (r->upstream == nullptr || !r->upstream->header_sent) &&
           is_alone(r);
}

// Whether nothing hinders the end of an answer that an upstream began.
bool can_end_answer(const ngx_http_request_t* r) noexcept {
    return waits_for_upstream(r) && r->header_sent && is_alone(r) && r->buffered == 0 &&
           r->connection->buffered == 0;
}

// Ends the request to the upstream, as ngx_http_upstream_create() does: that takes one reference.
void end_upstream(ngx_http_request_t* r) noexcept {
    if (waits_for_upstream(r)) {
        ++r->main->count;
        (*r->upstream->cleanup)(r);
    }
}

// Ends the request without an answer. As its cleanups, other modules may give up the reference by
// which they hold it; this one keeps it until nginx, which then drops all of them, is done. (A
// post_action goes on with the references that there are.)
void terminate(ngx_http_request_t* r) noexcept {
    const auto& core = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (core.post_action.data == nullptr) {
        ++r->main->count;
    }
    ngx_http_finalize_request(r, NGX_ERROR);
}

void log_end(ngx_http_request_t* r, const Context& context, bool hides_request_line) noexcept {
    ngx_log_t* const log = r->connection->log;
    ngx_str_t name = str(answer(context.code).name);
    ngx_str_t id = str(context.token.id());
    ngx_log_handler_pt const handler = log->handler;
    if (hides_request_line) {  // the token may be part of it
        log->handler = nullptr;
    }
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "token_auth: stream ended by %V, token id %V", &name,
                  &id);
    log->handler = handler;
}

// The connection that the request is a stream of, if it is one of HTTP/2; else null.
ngx_connection_t* http2_connection(const ngx_http_request_t* r) noexcept {
#if (NGX_HTTP_V2)
    if (r->stream != nullptr) {
        return r->stream->connection->connection;
    }
#endif
    static_cast<void>(r);
    return nullptr;
}

void end(ngx_http_request_t* r, Context& context, const Basis& basis, Denial& denial) noexcept {
    denial.realm = basis.realm;
    denial.schemes = static_cast<unsigned>(basis.conf->schemes);
    denial.token_from_variable = basis.conf->places != nullptr;
    r->keepalive = 0;
    const bool answers = can_answer(r);
    const bool ends_answer = can_end_answer(r);
    // First: as a cleanup of a terminated request it would free the request under nginx's hands.
    end_upstream(r);
    if (!answers) {
        log_end(r, context, denial.token_from_variable);
        if (ends_answer && add_grpc_trailers(r, context)) {
            ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
        } else {
            terminate(r);
        }
        return;
    }
    r->read_event_handler = ngx_http_block_reading;  // the rest of its body
    ngx_http_set_ctx(r, &context, ngx_http_token_auth_module);
    ngx_http_finalize_request(r, deny(r, context, denial));
}

void on_timer(ngx_event_t* timer) noexcept {
    auto& recheck = *static_cast<Recheck*>(timer->data);
    ngx_http_request_t* const r = recheck.request;
    ngx_connection_t* const c = r->connection;
    Context* const context = find_context(r);
    if (context == nullptr || r->done) {  // the answer is complete
        return;
    }
    ngx_http_set_log_request(c->log, r);
    Denial denial{};
    const Code code = decide_again(r, recheck.basis, denial);
    count_recheck(*recheck.basis.conf->label, code);
    const ngx_msec_t left = time_left(recheck, code);
    if (left != 0) {
        ngx_add_timer(timer, left);
        return;
    }
    context->code = code;
    context->let_in = false;
    context->kept.early = nullptr;
    forget_variables(r);
    ngx_connection_t* const http2 = http2_connection(r);
    end(r, *context, recheck.basis, denial);
    ngx_http_run_posted_requests(c);
    if (http2 != nullptr) {
        // nginx queues the frame that resets a stream, and sends it along with the next one of any
        // other stream, however late that comes.
        ngx_post_event(http2->write, &ngx_posted_events);
    }
}

void recheck_cleanup(void* data) noexcept {
    auto& recheck = *static_cast<Recheck*>(data);
    if (recheck.timer.timer_set) {
        ngx_del_timer(&recheck.timer);
    }
}

// Null if none was started. It is found like a cleared context: most requests have none.
Recheck* find_recheck(const ngx_http_request_t* r) noexcept {
    for (ngx_pool_cleanup_t* entry = r->pool->cleanup; entry != nullptr; entry = entry->next) {
        if (entry->handler == recheck_cleanup) {
            return static_cast<Recheck*>(entry->data);
        }
    }
    return nullptr;
}

Recheck* make_recheck(ngx_http_request_t* r) noexcept {
    ngx_pool_cleanup_t* const entry = ngx_pool_cleanup_add(r->pool, sizeof(Recheck));
    if (entry == nullptr) {
        return nullptr;
    }
    auto* const recheck = new (entry->data) Recheck{};
    recheck->request = r;
    recheck->timer.data = recheck;
    recheck->timer.handler = on_timer;
    recheck->timer.log = r->connection->log;
    entry->handler = recheck_cleanup;
    return recheck;
}

}  // namespace

bool start_recheck(ngx_http_request_t* r, Context& context, const Basis& basis) noexcept {
    Recheck* recheck = find_recheck(r);
    if (recheck == nullptr) {
        recheck = make_recheck(r);
    }
    if (recheck == nullptr) {
        return false;
    }
    recheck->basis = basis;
    recheck->is_unavailable = false;
    if (!copy(r->pool, recheck->basis)) {
        return false;
    }
    context.kept.is_rechecked = true;
    ngx_add_timer(&recheck->timer, basis.conf->recheck);
    return true;
}

void stop_recheck(ngx_http_request_t* r, Context& context) noexcept {
    recheck_cleanup(find_recheck(r));
    context.kept.is_rechecked = false;
}

}  // namespace token_auth::nginx
