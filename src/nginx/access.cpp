#include "nginx/access.hpp"

#include <algorithm>
#include <new>

#include "nginx/conf.hpp"
#include "nginx/context.hpp"
#include "nginx/denial.hpp"
#include "nginx/forward.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "nginx/usage.hpp"
#include "nginx/variables.hpp"
#include "nginx/verify.hpp"
#include "nginx/worker.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"

namespace token_auth::nginx {
namespace {

// Evaluates the values of a directive. False if that fails.
bool evaluate(ngx_http_request_t* r, const Values* values, Context& context, Words& out) noexcept {
    if (values == nullptr || values->is_constant) {
        return true;
    }
    const auto* const each = static_cast<const Expression* const*>(values->expressions.elts);
    const ngx_uint_t count = values->expressions.nelts;
    auto* const texts =
        static_cast<std::string_view*>(ngx_palloc(r->pool, count * sizeof(std::string_view)));
    if (texts == nullptr) {
        return false;
    }
    context.names_itself = false;
    for (ngx_uint_t i = 0; i < count; ++i) {
        if (!evaluate(r, context, *each[i], texts[i])) {
            return false;
        }
    }
    if (context.names_itself) {
        // The module's own variables are empty here, which must not lift a requirement.
        out.met_by_nobody = true;
        return true;
    }
    return split_words(r->pool, texts, count, values->if_empty, out);
}

[[gnu::noinline]] const Requirements* evaluate_requirements(ngx_http_request_t* r,
                                                            const LocConf& conf,
                                                            Context& context) noexcept {
    void* const room = ngx_palloc(r->pool, sizeof(Requirements));
    if (room == nullptr) {
        return nullptr;
    }
    auto* const out = new (room) Requirements(conf.requirements);
    return evaluate(r, conf.groups, context, out->groups) &&
                   evaluate(r, conf.roles, context, out->roles) &&
                   evaluate(r, conf.scopes, context, out->scopes) &&
                   evaluate(r, conf.scopes_any, context, out->scopes_any)
               ? out
               : nullptr;
}

// What the location requires. Null if that cannot be evaluated.
inline const Requirements* requirements_of(ngx_http_request_t* r, const LocConf& conf,
                                           Context& context) noexcept {
    return conf.has_variables ? evaluate_requirements(r, conf, context) : &conf.requirements;
}

void log_missing_key(KeyId id) noexcept {
    // At most once a minute, because every unknown token would cause it.
    static time_t logged = 0;
    if (ngx_time() - logged >= 60) {
        logged = ngx_time();
        ngx_log_error(
            NGX_LOG_ERR, ngx_cycle->log, 0,
            "the token store has digests under key %08xD, but no \"token_auth_key\" specifies "
            "it, so its tokens get 503; add a \"token_auth_key\" with the key's file",
            id);
    }
}

// Takes what the last early decision looked up, if it was the same, just now: later, the store may
// say something else.
[[gnu::noinline]] bool take_look_up(const EarlyDecision& early, const Basis& basis,
                                    Identify& out) noexcept {
    if (early.token.bytes().empty() || early.looked_up != ngx_current_msec ||
        early.conf->store != basis.conf->store || early.presented != basis.token ||
        early.organization_mode != basis.requirements->organization_mode ||
        early.named_organization != basis.organization) {
        return false;
    }
    out.generation = early.generation;
    out.synced = early.synced;
    out.claims = {true,
                  early.token,
                  early.organization,
                  early.member,
                  early.suspended,
                  early.role,
                  early.role_scopes,
                  nullptr};
    return true;
}

void note_look_up(EarlyDecision& out, const Claims& claims, const Basis& basis) noexcept {
    out.looked_up = ngx_current_msec;
    out.member = claims.member;
    out.suspended = claims.suspended;
    out.presented = basis.token;
    out.organization_mode = basis.requirements->organization_mode;
    out.named_organization = basis.organization;
}

// Looks up, unless `stores` is null, and decides.
Code decide_identified(ngx_http_request_t* r, const Basis& basis, StorePool* stores,
                       Identify& identify, Denial& denial) noexcept {
    const LocConf& conf = *basis.conf;
    if (stores != nullptr &&
        stores->read(conf.store, steady_seconds(), identify) == Lookup::broken) {
        identify.claims.known = false;
        identify.generation = 0;
        return Code::store_unavailable;
    }
    if (is_stale(identify.synced, now_milliseconds(), conf.max_age)) {
        return Code::store_stale;
    }
    const Claims& claims = identify.claims;
    if (!claims.known && identify.missing_key != no_key) {
        log_missing_key(identify.missing_key);
        return Code::store_unavailable;
    }
    if (!claims.known) {
        return identify.no_digest ? Code::store_unavailable : Code::token_unknown;
    }
    return decide(claims, *basis.requirements, basis.organization, ngx_time(), client_address(r),
                  denial.scopes);
}

// Looks the token up and decides. Keeps in the context what variables ask for, unless that is null.
// Every way to a decision leads through it, so that the compiler inlines what it calls.
[[gnu::noinline]] Code decide_by_store(ngx_http_request_t* r, const Basis& basis, Context* context,
                                       Denial& denial) noexcept {
    StorePool* const stores = store_pool(*static_cast<const MainConf*>(
        ngx_http_get_module_main_conf(r, ngx_http_token_auth_module)));
    if (stores == nullptr) {
        return Code::store_unavailable;
    }
    Identify identify(digester(), basis.token, basis.requirements->organization_mode,
                      basis.organization);
    const EarlyDecision* const before = context == nullptr ? nullptr : context->kept.early;
    const bool taken = before != nullptr && take_look_up(*before, basis, identify);
    const Code code = decide_identified(r, basis, taken ? nullptr : stores, identify, denial);
    if (context == nullptr) {
        return code;
    }
    context->generation = identify.generation;
    context->synced = identify.synced;
    const Claims& claims = identify.claims;
    if (!claims.known) {
        denial.unknown_token = code == Code::token_unknown ? basis.token : std::string_view{};
        return code;
    }
    if (code == Code::store_stale) {
        return code;
    }
    if (!remember(r, *context, claims, code == Code::ok)) {
        return Code::store_unavailable;
    }
    if (context->deciding_early) {
        note_look_up(*context->kept.early, claims, basis);
    } else if (code == Code::ok && basis.conf->recheck != 0 && r == r->main &&
               !start_recheck(r, *context, basis)) {
        return Code::store_unavailable;
    }
    return code;
}

bool is_same_place(const Expression* one, const Expression* other) noexcept {
    if (one == other || one == nullptr || other == nullptr) {
        return one == other;
    }
    return one->variable != NGX_ERROR ? one->variable == other->variable
                                      : view(one->compiled.value) == view(other->compiled.value);
}

const Taken* find_taken(const Context& context, const Expression* place) noexcept {
    const Taken* taken = context.kept.taken.is_set ? &context.kept.taken : nullptr;
    while (taken != nullptr && !is_same_place(taken->place, place)) {
        taken = taken->next;
    }
    return taken;
}

bool remember_taken(ngx_http_request_t* r, Context& context, const Taken& taken) noexcept {
    Taken& first = context.kept.taken;
    if (!first.is_set) {
        first = taken;
        return true;
    }
    auto* const further = static_cast<Taken*>(ngx_palloc(r->pool, sizeof(Taken)));
    if (further == nullptr) {
        return false;
    }
    *further = taken;
    further->next = first.next;
    first.next = further;
    return true;
}

// Reads what stands in a place. False if that fails.
bool read_place(ngx_http_request_t* r, const Context& context, const Expression* place,
                std::string_view& value, bool& is_repeated) noexcept {
    if (place != nullptr) {
        return evaluate(r, context, *place, value);
    }
    const ngx_table_elt_t* const field = authorization(r, is_repeated);
    value = field == nullptr ? std::string_view{} : view(field->value);
    return true;
}

// Takes a credential from a place, or as an earlier check took it from there. False if that fails.
bool take_credential(ngx_http_request_t* r, const LocConf& conf, const Expression* place,
                     Context& context, Credential& out) noexcept {
    const Taken* const before = find_taken(context, place);
    std::string_view value;
    bool is_repeated = false;
    if (before != nullptr) {
        value = before->value;
        is_repeated = before->is_repeated;
    } else if (!read_place(r, context, place, value, is_repeated)) {
        return false;
    }
    if (is_repeated) {
        out = {CredentialStatus::malformed_request, {}};
    } else if (place != nullptr) {
        out = parse_bare(value);
    } else {
        out = parse_authorization(value, static_cast<unsigned>(conf.schemes));
    }
    return before != nullptr || out.status == CredentialStatus::missing ||
           remember_taken(r, context, {true, is_repeated, place, value, nullptr});
}

// Takes the credential from the places of a location, or as earlier checks took it. False if that
// fails.
[[gnu::noinline]] bool find_in_places(ngx_http_request_t* r, const LocConf& conf, Context& context,
                                      Credential& out) noexcept {
    if (conf.places == nullptr) {
        return take_credential(r, conf, nullptr, context, out);
    }
    const auto* const places = static_cast<const Expression* const*>(conf.places->elts);
    for (ngx_uint_t i = 0; i < conf.places->nelts; ++i) {
        Credential next;
        if (!take_credential(r, conf, places[i], context, next)) {
            return false;
        }
        if (out.status == CredentialStatus::missing) {
            out = next;
        } else if (next.status != CredentialStatus::missing &&
                   (next.status != out.status || next.token != out.token)) {
            out = {CredentialStatus::malformed_request, {}};
        }
    }
    return true;
}

// Takes the credential from where the location says. False if that fails.
inline bool find_credential(ngx_http_request_t* r, const LocConf& conf, Context& context,
                            Credential& out) noexcept {
    Taken& taken = context.kept.taken;
    if (conf.places != nullptr || taken.is_set) {
        return find_in_places(r, conf, context, out);
    }
    bool is_repeated = false;
    const ngx_table_elt_t* const field = authorization(r, is_repeated);
    if (field == nullptr) {
        return true;
    }
    out = is_repeated
              ? Credential{CredentialStatus::malformed_request, {}}
              : parse_authorization(view(field->value), static_cast<unsigned>(conf.schemes));
    if (out.status != CredentialStatus::missing) {
        taken.is_set = true;
        taken.is_repeated = is_repeated;
        taken.value = view(field->value);
    }
    return true;
}

// Whether the request has one such field.
bool has_field(const ngx_list_part_t& fields, std::string_view name) noexcept {
    unsigned count = 0;
    for_each_field(fields, [&](const ngx_table_elt_t& field) {
        const bool is_it = field.key.len == name.size() && field.value.len != 0 &&
                           std::memcmp(field.lowcase_key, name.data(), name.size()) == 0;
        count += is_it ? 1 : 0;
    });
    return count == 1;
}

// Whether the request is a CORS preflight (Fetch Standard, "CORS-preflight fetch"). Browsers send
// no credentials with it, but keep the query.
[[gnu::noinline]] bool is_preflight(ngx_http_request_t* r, const LocConf& conf,
                                    Context& context) noexcept {
    const ngx_list_part_t& fields = client_fields(r, context);
    if (r->main->method != NGX_HTTP_OPTIONS || !has_field(fields, "origin") ||
        !has_field(fields, "access-control-request-method")) {
        return false;
    }
    const Expression* const authorization_field = nullptr;
    const auto* places = &authorization_field;
    ngx_uint_t count = 1;
    if (conf.places != nullptr) {
        places = static_cast<const Expression* const*>(conf.places->elts);
        count = conf.places->nelts;
    }
    return std::all_of(places, places + count, [&](const Expression* place) {
        if (place != nullptr && !place->is_cookie && !place->is_field) {
            return true;
        }
        Credential credential;
        return take_credential(r, conf, place, context, credential) &&
               credential.status == CredentialStatus::missing;
    });
}

// In two places, one of which every request passes.
[[gnu::always_inline]] inline Code decide_request(ngx_http_request_t* r, const LocConf& conf,
                                                  Context& context, Denial& denial) noexcept {
    if (conf.preflight != 0 && is_preflight(r, conf, context)) {
        return Code::preflight;
    }
    Credential credential;
    if (!find_credential(r, conf, context, credential)) {
        return Code::store_unavailable;
    }
    switch (credential.status) {
        case CredentialStatus::missing:
            return conf.anonymous ? Code::anonymous : Code::credentials_missing;
        case CredentialStatus::malformed_request:
            return Code::request_malformed;
        case CredentialStatus::malformed_token:
            return Code::token_malformed;
        case CredentialStatus::well_formed:
            break;
    }
    Basis basis{&conf, requirements_of(r, conf, context), {}, credential.token, denial.realm};
    if (basis.requirements == nullptr ||
        (basis.requirements->organization_mode != OrganizationMode::off &&
         !evaluate(r, context, *conf.organization, basis.organization))) {
        return Code::store_unavailable;
    }
    return decide_by_store(r, basis, &context, denial);
}

[[gnu::noinline]] bool evaluate_variable_realm(ngx_http_request_t* r, const LocConf& conf,
                                               std::string_view& out) noexcept {
    Context* const context = obtain_context(r);
    if (context == nullptr) {
        return false;
    }
    context->deciding = true;  // not by the module's own variables
    const bool done = evaluate(r, *context, *conf.realm, out);
    context->deciding = false;
    return done;
}

inline bool evaluate_realm(ngx_http_request_t* r, const LocConf& conf,
                           std::string_view& out) noexcept {
    if (conf.realm->compiled.lengths != nullptr) {
        return evaluate_variable_realm(r, conf, out);
    }
    out = view(conf.realm->compiled.value);
    return true;
}

bool is_in_access_phase(ngx_http_request_t* r) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    return core.phase_engine.handlers[r->phase_handler].checker == ngx_http_core_access_phase;
}

// Under "satisfy any", another module may have let the request in before this one was asked; and
// nginx asks no access module in a subrequest. False without memory.
[[gnu::noinline]] bool note_unasked(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    const Context* const context = find_context(r);
    if (conf.realm == nullptr || (context != nullptr && context->conf == &conf)) {
        return true;
    }
    std::string_view realm;
    if (!evaluate_realm(r, conf, realm)) {
        return false;
    }
    if (realm == "off") {
        return true;
    }
    Context* const noted = obtain_context(r);
    return noted != nullptr && note_check(r, *noted, conf);
}

// Makes an early decision, unless the realm says "off". False if that fails.
bool decide_early(ngx_http_request_t* r, const LocConf& conf, Context& context) noexcept {
    std::string_view realm;
    if (!evaluate_realm(r, conf, realm)) {
        return false;
    }
    if (realm == "off") {
        return true;
    }
    auto* const early = static_cast<EarlyDecision*>(ngx_pcalloc(r->pool, sizeof(EarlyDecision)));
    if (early == nullptr) {
        return false;
    }
    // Only the access phase decides, and takes a credential, for good.
    const Context before = context;
    static_cast<Decision&>(context) = Decision{};
    Denial denial{};
    context.deciding = true;
    context.deciding_early = true;
    context.kept.early = early;
    context.code = decide_request(r, conf, context, denial);
    context.conf = &conf;
    context.decided = true;
    static_cast<Decision&>(*early) = context;
    context = before;
    context.kept.early = early;
    return true;
}

}  // namespace

bool decide_for_variable(ngx_http_request_t* r, Context*& context) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    if (conf.realm == nullptr || (context != nullptr && last_decision(*context).conf == &conf)) {
        return true;
    }
    context = obtain_context(r);
    SavedRequest saved;
    if (context == nullptr || !saved.save(r)) {
        return false;
    }
    const bool done = decide_early(r, conf, *context);
    saved.restore(r);
    forget_variables(r);
    return done;
}

ngx_int_t access_handler(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    if (conf.realm == nullptr) {
        return NGX_DECLINED;
    }
    Denial denial{};
    if (!evaluate_realm(r, conf, denial.realm)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    if (denial.realm == "off") {
        return NGX_DECLINED;
    }
    Context* const context = obtain_context(r);
    if (context == nullptr || !note_check(r, *context, conf) ||
        // The earlier decision put its fields in before this one, which is to touch none.
        (conf.forward == 0 && must_forward(r, *context) && !forward(r, *context))) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    begin_decision(r, *context, conf);
    if (context->kept.is_rechecked) {
        stop_recheck(r, *context);
    }
    context->deciding = true;
    const Code code = decide_request(r, conf, *context, denial);
    context->deciding = false;
    context->decided = true;
    context->code = code;
    context->kept.early = nullptr;
    forget_variables(r);
    if (answer(code).status == 0) {
        if (context->kept.field_count != 0) {
            retract(*context);  // a denial that an error_page led here from
        }
        if (code == Code::ok) {
            note_use(r, *context);
        }
        return NGX_OK;
    }
    denial.schemes = static_cast<unsigned>(conf.schemes);
    denial.token_from_variable = conf.places != nullptr;
    return deny(r, *context, denial);
}

ngx_int_t check_subrequest(ngx_http_request_t* r) noexcept {
    void* const room = ngx_palloc(r->pool, sizeof(Context));
    if (room == nullptr) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    auto* const context = new (room) Context{};
    const Context* const main = find_context(r);
    if (main != nullptr) {
        context->kept.taken = main->kept.taken;
        context->kept.unforwarded = main->kept.unforwarded;
    }
    ngx_http_set_ctx(r, context, ngx_http_token_auth_module);
    return access_handler(r);
}

Code decide_again(ngx_http_request_t* r, const Basis& basis, Denial& denial) noexcept {
    return decide_by_store(r, basis, nullptr, denial);
}

ngx_int_t precontent_handler(ngx_http_request_t* r) noexcept {
    // A subrequest of the access phase, such as that of auth_request, still sees the credential.
    const bool forwards = r->content_handler != nullptr && r->content_handler != verify_handler &&
                          !is_in_access_phase(r->main);
    if (forwards && !note_unasked(r)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    Context* const context = find_context(r);
    if (context == nullptr) {
        return NGX_DECLINED;
    }
    if (r == r->main && context->denied &&
        ngx_http_get_module_ctx(r, ngx_http_token_auth_module) != nullptr) {
        retract(*context);
    }
    return forwards && must_forward(r, *context) && !forward(r, *context)
               ? NGX_HTTP_SERVICE_UNAVAILABLE
               : NGX_DECLINED;
}

ngx_int_t log_handler(ngx_http_request_t* r) noexcept {
    if (r != r->main) {  // for log_subrequest
        auto* const own =
            static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
        if (own != nullptr) {
            own->logging = true;
        } else {
            ngx_http_set_ctx(r, obtain_context(r), ngx_http_token_auth_module);
        }
        return NGX_OK;
    }
    Context* const context = note_answer(r);
    if (context == nullptr) {
        return NGX_OK;
    }
    context->logging = true;
    const Decision& last = last_decision(*context);
    if (last.decided) {
        count_request(*last.conf->label, last.code);
    }
    if (last.code != Code::ok) {
        forget_variables(r);
    }
    return NGX_OK;
}

}  // namespace token_auth::nginx
