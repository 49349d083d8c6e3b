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

// Evaluates the values of a directive. False if that fails.
bool evaluate(ngx_http_request_t* r, const Values* values, Words& out) noexcept {
    if (values == nullptr) {
        return true;
    }
    const ngx_uint_t count = values->compiled.nelts;
    if (values->constant != nullptr) {
        out = {values->constant, count};
        return true;
    }
    auto* words =
        static_cast<std::string_view*>(ngx_palloc(r->pool, count * sizeof(std::string_view)));
    if (words == nullptr) {
        return false;
    }
    auto* value = static_cast<ngx_http_complex_value_t*>(values->compiled.elts);
    for (ngx_uint_t i = 0; i < count; ++i) {
        ngx_str_t text;
        if (ngx_http_complex_value(r, &value[i], &text) != NGX_OK) {
            return false;
        }
        words[i] = view(text);
    }
    out = {words, count};
    return true;
}

// Evaluates what the location requires. False if that fails.
bool requirements_of(ngx_http_request_t* r, const LocConf& conf, Requirements& out) noexcept {
    out.kinds = static_cast<unsigned>(conf.kinds);
    out.organization_mode = static_cast<OrganizationMode>(conf.organization_mode);
    if (out.organization_mode != OrganizationMode::off) {
        ngx_str_t organization;
        if (ngx_http_complex_value(r, conf.organization, &organization) != NGX_OK) {
            return false;
        }
        out.organization = view(organization);
    }
    return evaluate(r, conf.groups, out.groups) && evaluate(r, conf.roles, out.roles) &&
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

// Decides, and copies what variables need. Claims point into the store's map, so they are read in a
// guarded call, which must not allocate. Returns Lookup::broken if they cannot be read.
Lookup conclude(ngx_http_request_t* r, Snapshot& snapshot, const Claims& claims,
                const Requirements& requirements, Context& context, Denial& denial,
                Code& code) noexcept {
    const Address client = client_address(r);
    const time_t now = ngx_time();
    if (!claims.known) {
        code = decide(claims, requirements, now, client);
        return Lookup::found;
    }
    auto* const room = static_cast<char*>(ngx_pnalloc(r->pool, size_to_remember(claims)));
    if (room == nullptr) {
        return Lookup::not_found;
    }
    return snapshot.guarded([&] {
        const Code decided = decide(claims, requirements, now, client);
        if (decided == Code::scope_missing) {
            denial.scopes = missing_scopes(claims, requirements).words;
        }
        remember(context, claims, decided == Code::ok, room);
        code = decided;
        return Lookup::found;
    });
}

// Looks up the token and decides, within one snapshot of the store.
Code decide_by_store(ngx_http_request_t* r, const LocConf& conf, const Requirements& requirements,
                     std::string_view token, Context& context, Denial& denial) noexcept {
    const auto& main =
        *static_cast<const MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_token_auth_module));
    Store* store = store_at(main, conf.store);
    if (store == nullptr) {
        return Code::store_unavailable;
    }
    Identified identified = Identified::broken;
    Code code = Code::store_unavailable;
    {
        Snapshot snapshot(*store);
        if (snapshot.ok()) {
            const MetaRecord& meta = snapshot.meta();
            context.generation = meta.generation;
            context.synced = meta.synced;
            if (conf.max_age != 0 &&
                now_milliseconds() - meta.synced > static_cast<std::int64_t>(conf.max_age) * 1000) {
                return Code::store_stale;
            }
            Claims claims;
            KeyId missing = no_key;
            identified = identify(snapshot, digester(), token, requirements.organization_mode,
                                  requirements.organization, claims, missing);
            if (identified == Identified::found || identified == Identified::not_found) {
                if (conclude(r, snapshot, claims, requirements, context, denial, code) ==
                    Lookup::broken) {
                    identified = Identified::broken;
                }
            } else if (identified == Identified::key_missing) {
                log_missing_key(missing);
            }
        }
    }
    if (identified == Identified::broken) {
        give_up_store(main, conf.store);
    }
    return code;
}

// Takes the credential from where the location says. False if that fails.
bool find_credential(ngx_http_request_t* r, const LocConf& conf, Credential& out) noexcept {
    if (conf.token != nullptr) {
        ngx_str_t value;
        if (ngx_http_complex_value(r, conf.token, &value) != NGX_OK) {
            return false;
        }
        out = parse_bare(view(value));
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
    ngx_str_t realm;
    if (ngx_http_complex_value(r, conf.realm, &realm) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    denial.realm = view(realm);
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
