#include "nginx/forward.hpp"

#include <algorithm>

#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "token_auth/credential.hpp"

namespace token_auth::nginx {

const IdentityField identity_fields[] = {
    {"X-Token-Id", "x-token-id", Field::id},
    {"X-Token-Kind", "x-token-kind", Field::kind},
    {"X-Token-Subject", "x-token-subject", Field::subject},
    {"X-Token-Org", "x-token-org", Field::organization},
    {"X-Token-Group", "x-token-group", Field::group},
    {"X-Token-Role", "x-token-role", Field::role},
    {"X-Token-Scopes", "x-token-scopes", Field::scopes},
};

namespace {

constexpr std::size_t added_max = std::size(identity_fields) + 1;  // and the organization

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Whether a name reads like `other`, in lower case with hyphens: upstreams often take any byte but
// letters and digits for a separator.
bool reads_like(std::string_view name, std::string_view other) noexcept {
    return name.size() == other.size() &&
           std::equal(name.begin(), name.end(), other.begin(), [](char a, char b) {
               return b == '-' ? !is_alphanumeric(lower(a)) : lower(a) == b;
           });
}

constexpr std::string_view identity_prefix = "x-token-";

// Every request's fields are asked, so quickly.
inline bool may_be_identity(const ngx_table_elt_t& field) noexcept {
    return field.key.len >= identity_prefix.size() && (field.key.data[0] | 0x20) == 'x';
}

bool is_identity(const ngx_table_elt_t& field) noexcept {
    return may_be_identity(field) &&
           reads_like(view(field.key).substr(0, identity_prefix.size()), identity_prefix);
}

// Whether add_identity() put the field in: a client's name lies in the client's bytes.
bool is_own(const ngx_table_elt_t& field) noexcept {
    return std::any_of(std::begin(identity_fields), std::end(identity_fields),
                       [&](const IdentityField& identity) {
                           return view(field.key).data() == identity.name.data();
                       });
}

bool is_of_client(const ngx_table_elt_t& field) noexcept {
    return is_identity(field) && !is_own(field);
}

bool any_of_client(const ngx_list_part_t& fields) noexcept {
    return any_field(fields, [](const ngx_table_elt_t& field) { return is_of_client(field); });
}

// Where headers_in has a pointer to a field, lets it point to the copy, or if there is none, to the
// next field of that name.
void relink(ngx_http_request_t* r, const ngx_table_elt_t& field, ngx_table_elt_t* copy) noexcept {
    auto& core = *static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    const auto* const known = static_cast<const ngx_http_header_t*>(
        field.lowcase_key == nullptr
            ? nullptr
            : ngx_hash_find(&core.headers_in_hash, field.hash, field.lowcase_key, field.key.len));
    if (known == nullptr || known->offset == 0) {
        return;
    }
    char* const member = reinterpret_cast<char*>(&r->headers_in) + known->offset;
#if (nginx_version >= 1023000)
    auto** link = reinterpret_cast<ngx_table_elt_t**>(member);
    while (*link != nullptr && *link != &field) {
        link = &(*link)->next;
    }
    if (*link != nullptr) {
        *link = copy != nullptr ? copy : field.next;
    }
#else
    bool is_array = known->offset == offsetof(ngx_http_headers_in_t, cookies);
#if (NGX_HTTP_X_FORWARDED_FOR)
    is_array = is_array || known->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for);
#endif
    if (is_array) {
        auto& array = *reinterpret_cast<ngx_array_t*>(member);
        auto** const each = static_cast<ngx_table_elt_t**>(array.elts);
        ngx_table_elt_t** const end = each + array.nelts;
        ngx_table_elt_t** const found = std::find(each, end, &field);
        if (found != end && copy != nullptr) {
            *found = copy;
        } else if (found != end) {
            std::copy(found + 1, end, found);
            --array.nelts;
        }
        return;
    }
    auto** const link = reinterpret_cast<ngx_table_elt_t**>(member);
    if (*link == &field) {
        *link = copy;
    }
#endif
}

// Empties nginx's slots of $http_... variables, which hold the fields as they were when somebody
// first asked.
void flush_variables(ngx_http_request_t* r) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    const ngx_http_get_variable_pt handler = field_handler(core);
    const auto* const variables = static_cast<const ngx_http_variable_t*>(core.variables.elts);
    for (ngx_uint_t i = 0; i < core.variables.nelts; ++i) {
        if (variables[i].get_handler == handler) {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 0;
        }
    }
}

// Replaces a request's list of fields by a copy. Subrequests share the parts of their parent's
// list, so it must not change in place; nor may any be marked as deleted, because upstream modules
// do not look at the mark.
class FieldsCopy {
  public:
    // Copies the fields but those that `drop` says, and leaves room for `more`. False without
    // memory.
    template <typename Drop>
    bool make(ngx_http_request_t* r, std::size_t more, Drop drop) noexcept {
        ngx_list_t& list = r->headers_in.headers;
        const ngx_list_part_t old = list.part;
        std::size_t count = more;
        for_each_field(old, [&](const ngx_table_elt_t&) { ++count; });
        auto* const copies =
            static_cast<ngx_table_elt_t*>(ngx_palloc(r->pool, count * sizeof(ngx_table_elt_t)));
        if (copies == nullptr) {
            return false;
        }
        part_ = &list.part;
        list.part = {copies, 0, nullptr};
        list.last = part_;
        list.nalloc = count;
        for_each_field(old, [&](const ngx_table_elt_t& field) {
            ngx_table_elt_t* const copy = drop(field) ? nullptr : push(field);
            relink(r, field, copy);
        });
        flush_variables(r);
        return true;
    }

    ngx_table_elt_t* push(const ngx_table_elt_t& field) noexcept {
        auto* const slot = static_cast<ngx_table_elt_t*>(part_->elts) + part_->nelts++;
        *slot = field;
        return slot;
    }

    // Adds no field without a value, like proxy_set_header.
    void add(std::string_view name, std::string_view lower_name, std::string_view value) noexcept {
        if (value.empty()) {
            return;
        }
        ngx_table_elt_t field{};
        field.key = str(name);
        field.value = str(value);
        field.lowcase_key = str(lower_name).data;
        field.hash = ngx_hash_key(field.lowcase_key, lower_name.size());
        push(field);
    }

  private:
    ngx_list_part_t* part_ = nullptr;
};

// Keeps the request's fields as they are now. False without memory.
bool snapshot(ngx_http_request_t* r, const ngx_list_part_t*& out) noexcept {
    auto* const part = static_cast<ngx_list_part_t*>(ngx_palloc(r->pool, sizeof(ngx_list_part_t)));
    if (part == nullptr) {
        return false;
    }
    *part = r->headers_in.headers.part;
    out = part;
    return true;
}

// Takes the client's fields off, and keeps the list that had them for restore().
[[gnu::noinline]] ngx_int_t strip_any(ngx_http_request_t* r) noexcept {
    if (!any_of_client(r->headers_in.headers.part)) {
        return NGX_DECLINED;
    }
    Context* const context = obtain_context(r);
    if (context == nullptr || !snapshot(r, context->kept.unstripped)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    FieldsCopy copy;
    return copy.make(r, 0, is_of_client) ? NGX_DECLINED : NGX_HTTP_SERVICE_UNAVAILABLE;
}

[[gnu::noinline]] ngx_int_t strip(ngx_http_request_t* r) noexcept {
    const auto may = [](const ngx_table_elt_t& field) { return may_be_identity(field); };
    return any_field(r->headers_in.headers.part, may) ? strip_any(r) : NGX_DECLINED;
}

// Puts the client's fields in again, but not beside an identity.
[[gnu::noinline]] ngx_int_t restore(ngx_http_request_t* r) noexcept {
    Context* const context = find_context(r);
    if (context == nullptr || context->kept.unstripped == nullptr ||
        context->kept.checks.conf != nullptr || any_of_client(r->headers_in.headers.part)) {
        return NGX_DECLINED;
    }
    std::size_t count = 0;
    for_each_field(*context->kept.unstripped,
                   [&](const ngx_table_elt_t& field) { count += is_of_client(field) ? 1 : 0; });
    FieldsCopy copy;
    if (!copy.make(r, count, [](const ngx_table_elt_t&) { return false; })) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    for_each_field(*context->kept.unstripped, [&](const ngx_table_elt_t& field) {
        if (is_of_client(field)) {
            copy.push(field);
        }
    });
    return NGX_DECLINED;
}

bool is_field_of(const ngx_table_elt_t& field, const Expression& expression) noexcept {
    return expression.is_field && reads_like(view(field.key), view(expression.field));
}

// Whether a check takes its credential from the field.
bool is_credential(ngx_http_request_t* r, const ngx_table_elt_t& field,
                   const LocConf& conf) noexcept {
    const auto is_place = [&](const Expression* place) {
        if (place != nullptr) {
            return is_field_of(field, *place);
        }
        return reads_like(view(field.key), authorization_name(r)) &&
               parse_authorization(view(field.value), static_cast<unsigned>(conf.schemes)).status !=
                   CredentialStatus::missing;
    };
    if (conf.places == nullptr) {
        return is_place(nullptr);
    }
    const auto* const places = static_cast<const Expression* const*>(conf.places->elts);
    return std::any_of(places, places + conf.places->nelts, is_place);
}

// The field that names the organization; null if none does.
const Expression* organization_field(const LocConf& conf) noexcept {
    const bool is_off = conf.organization_mode == static_cast<ngx_uint_t>(OrganizationMode::off);
    return !is_off && conf.organization->is_field ? conf.organization : nullptr;
}

bool is_read(ngx_http_request_t* r, const ngx_table_elt_t& field, const Check* check) noexcept {
    for (; check != nullptr; check = check->next) {
        const Expression* const organization = organization_field(*check->conf);
        if (is_credential(r, field, *check->conf) ||
            (organization != nullptr && is_field_of(field, *organization))) {
            return true;
        }
    }
    return false;
}

bool add_identity(ngx_http_request_t* r, const Context& context, FieldsCopy& fields) noexcept {
    if (!context.let_in || context.conf == nullptr || context.conf->forward == 0) {
        return true;
    }
    for (const IdentityField& identity : identity_fields) {
        std::string_view value;
        if (!field_of(r, context, identity.field, value)) {
            return false;
        }
        fields.add(identity.name, identity.lower, value);
    }
    const Expression* const organization = organization_field(*context.conf);
    if (organization != nullptr) {
        fields.add(view(organization->field_name), view(organization->field), context.organization);
    }
    return true;
}

}  // namespace

ngx_int_t post_read_handler(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    return strips(conf) ? strip(r) : NGX_DECLINED;
}

ngx_int_t rewrite_handler(ngx_http_request_t* r) noexcept {
    const auto& conf =
        *static_cast<const LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_token_auth_module));
    // An error_page of a request that nginx could not read skips the post-read phase; and a
    // redirect may come from a location that restored the fields.
    if (strips(conf)) {
        return !conf.strips_early || r->internal ? strip(r) : NGX_DECLINED;
    }
    return conf.strips_early ? restore(r) : NGX_DECLINED;
}

bool note_further_check(ngx_http_request_t* r, Context& context, const LocConf& conf) noexcept {
    Check* const first = &context.kept.checks;
    for (const Check* check = first; check != nullptr; check = check->next) {
        if (check->conf->places == conf.places && check->conf->schemes == conf.schemes &&
            check->conf->organization_mode == conf.organization_mode &&
            check->conf->organization == conf.organization) {
            return true;
        }
    }
    auto* const check = static_cast<Check*>(ngx_palloc(r->pool, sizeof(Check)));
    if (check == nullptr) {
        return false;
    }
    *check = {&conf, first->next};
    first->next = check;
    context.kept.forwarded = nullptr;
    return true;
}

bool forward(ngx_http_request_t* r, Context& context) noexcept {
    if (context.kept.unforwarded == nullptr && !snapshot(r, context.kept.unforwarded)) {
        return false;
    }
    FieldsCopy fields;
    if (!fields.make(r, added_max,
                     [&](const ngx_table_elt_t& field) {
                         return is_identity(field) || is_read(r, field, &context.kept.checks);
                     }) ||
        !add_identity(r, context, fields)) {
        return false;
    }
    context.kept.forwarded = r->headers_in.headers.part.elts;
    return true;
}

}  // namespace token_auth::nginx
