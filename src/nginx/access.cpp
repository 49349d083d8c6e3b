#include "nginx/access.hpp"

#include "nginx/conf.hpp"
#include "nginx/context.hpp"
#include "nginx/denial.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "nginx/worker.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"

namespace token_auth::nginx {
namespace {

// Evaluates the values of a directive that have variables. False if that fails.
bool evaluate_each(ngx_http_request_t* r, const ngx_array_t& expressions, Words& out) noexcept {
    const ngx_uint_t count = expressions.nelts;
    auto* words =
        static_cast<std::string_view*>(ngx_palloc(r->pool, count * sizeof(std::string_view)));
    if (words == nullptr) {
        return false;
    }
    const auto* each = static_cast<const Expression*>(expressions.elts);
    for (ngx_uint_t i = 0; i < count; ++i) {
        if (!evaluate(r, each[i], words[i])) {
            return false;
        }
    }
    out = {words, count, false};
    return true;
}

inline bool evaluate(ngx_http_request_t* r, const Values* values, Words& out) noexcept {
    if (values == nullptr) {
        return true;
    }
    out = {values->constant, values->constant_count, true};
    return values->constant != nullptr || evaluate_each(r, values->expressions, out);
}

// Evaluates what the location requires. False if that fails.
bool requirements_of(ngx_http_request_t* r, const LocConf& conf, Requirements& out) noexcept {
    out.kinds = static_cast<unsigned>(conf.kinds);
    out.organization_mode = static_cast<OrganizationMode>(conf.organization_mode);
    return (out.organization_mode == OrganizationMode::off ||
            evaluate(r, *conf.organization, out.organization)) &&
           evaluate(r, conf.groups, out.groups) && evaluate(r, conf.roles, out.roles) &&
           evaluate(r, conf.scopes, out.scopes) && evaluate(r, conf.scopes_any, out.scopes_any);
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

// Looks the token up and decides.
Code decide_by_store(ngx_http_request_t* r, const LocConf& conf, const Requirements& requirements,
                     std::string_view token, Context& context, Denial& denial) noexcept {
    const auto& main =
        *static_cast<const MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_token_auth_module));
    StorePool* const stores = store_pool(main);
    if (stores == nullptr) {
        return Code::store_unavailable;
    }
    Identify identify(digester(), token, requirements.organization_mode, requirements.organization);
    const Lookup found = stores->read(conf.store, steady_seconds(), identify);
    if (found == Lookup::broken) {
        return Code::store_unavailable;
    }
    context.generation = identify.generation;
    context.synced = identify.synced;
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
    const Code code = decide(claims, requirements, ngx_time(), client_address(r));
    if (!remember(r, context, claims, code == Code::ok)) {
        return Code::store_unavailable;
    }
    if (code == Code::scope_missing) {
        denial.scopes = missing_scopes(claims, requirements).words;
    }
    return code;
}

// Takes the credential from where the location says. False if that fails.
bool find_credential(ngx_http_request_t* r, const LocConf& conf, Credential& out) noexcept {
    if (conf.token != nullptr) {
        std::string_view value;
        if (!evaluate(r, *conf.token, value)) {
            return false;
        }
        out = parse_bare(value);
        return true;
    }
    const ngx_table_elt_t* field = r->headers_in.authorization;
    if (field == nullptr) {
        return true;
    }
    if (authorization_count(r) > 1) {
        out.status = CredentialStatus::malformed_request;
        return true;
    }
    out = parse_authorization(view(field->value), static_cast<unsigned>(conf.schemes));
    return true;
}

Code decide_request(ngx_http_request_t* r, const LocConf& conf, Context& context,
                    Denial& denial) noexcept {
    Credential credential;
    if (!find_credential(r, conf, credential)) {
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
    Requirements requirements;
    if (!requirements_of(r, conf, requirements)) {
        return Code::store_unavailable;
    }
    return decide_by_store(r, conf, requirements, credential.token, context, denial);
}

}  // namespace

ngx_int_t access_handler(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    if (conf.realm == nullptr) {
        return NGX_DECLINED;
    }
    Denial denial{};
    if (!evaluate(r, *conf.realm, denial.realm)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    if (denial.realm == "off") {
        return NGX_DECLINED;
    }
    Context* context = obtain_context(r);
    if (context == nullptr) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    const Code code = decide_request(r, conf, *context, denial);
    context->decided = true;
    context->code = code;
    if (answer(code).status == 0) {
        return NGX_OK;
    }
    context->error_body = conf.error_body;
    denial.schemes = static_cast<unsigned>(conf.schemes);
    denial.token_from_variable = conf.token != nullptr;
    return deny(r, *context, denial);
}

ngx_int_t precontent_handler(ngx_http_request_t* r) noexcept {
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    if (context != nullptr && context->denied && r == r->main) {
        retract(*context);
    }
    return NGX_DECLINED;
}

ngx_int_t log_handler(ngx_http_request_t* r) noexcept {
    Context* context = find_context(r);
    if (context != nullptr) {
        context->logging = true;
    }
    return NGX_OK;
}

}  // namespace token_auth::nginx
