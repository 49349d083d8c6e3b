// The table of directives, and their handlers.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "nginx/conf.hpp"
#include "nginx/status.hpp"
#include "nginx/text.hpp"
#include "nginx/usage.hpp"
#include "nginx/verify.hpp"
#include "nginx/zone.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::nginx {
namespace {

char* const failed = static_cast<char*>(NGX_CONF_ERROR);

char duplicate[] = "is duplicate";

ngx_str_t* arguments(ngx_conf_t* cf) noexcept {
    return static_cast<ngx_str_t*>(cf->args->elts);
}

Place place_of(ngx_conf_t* cf) noexcept {
    return {reinterpret_cast<const char*>(arguments(cf)[0].data),
            reinterpret_cast<const char*>(cf->conf_file->file.name.data), cf->conf_file->line};
}

// Returns what follows `prefix`; false if the text does not begin with it.
bool strip_prefix(const ngx_str_t& text, std::string_view prefix, ngx_str_t& out) noexcept {
    if (view(text).substr(0, prefix.size()) != prefix) {
        return false;
    }
    out.data = text.data + prefix.size();
    out.len = text.len - prefix.size();
    return true;
}

// Notes a directive that requires something. False without memory.
bool note_rule(ngx_conf_t* cf, LocConf& conf) noexcept {
    if (conf.rule.len != 0) {
        return true;
    }
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    auto** const slot = static_cast<LocConf**>(ngx_array_push(&main.rules));
    if (slot == nullptr) {
        return false;
    }
    *slot = &conf;
    conf.rule = arguments(cf)[0];
    conf.rule_file = reinterpret_cast<const char*>(cf->conf_file->file.name.data);
    conf.rule_line = cf->conf_file->line;
    return true;
}

// A token= parameter of token_auth.
char* add_place(ngx_conf_t* cf, ngx_str_t* parameter, ngx_array_t& places) noexcept {
    ngx_str_t value;
    if (!strip_prefix(*parameter, "token=", value)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"token_auth\", it takes "
                           "\"token=$variable\" and \"token=authorization\"",
                           parameter);
        return failed;
    }
    const bool is_authorization = view(value) == "authorization";
    // The value is not logged, because it may be a token.
    if (!is_authorization && (value.len < 2 || value.data[0] != '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the \"token=\" parameter of \"token_auth\" takes a variable, such "
                           "as token=$http_x_api_key, or \"authorization\"");
        return failed;
    }
    const Expression* place = is_authorization ? nullptr : compile(cf, value);
    auto** slot = static_cast<const Expression**>(ngx_array_push(&places));
    if (slot == nullptr || (place == nullptr && !is_authorization)) {
        return failed;
    }
    *slot = place;
    return NGX_CONF_OK;
}

// token_auth <realm> [token=$variable | token=authorization]... | off
char* set_token_auth(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    ngx_str_t* args = arguments(cf);
    if (conf->realm != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    conf->file = reinterpret_cast<const char*>(cf->conf_file->file.name.data);
    conf->line = cf->conf_file->line;

    if (view(args[1]) == "off") {
        if (cf->args->nelts != 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"token_auth off\" takes no parameter");
            return failed;
        }
        conf->realm = nullptr;
        return NGX_CONF_OK;
    }
    if (view(args[1]) == "on") {
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0,
            "\"on\" in \"token_auth\" is the realm that clients are shown; any realm "
            "turns it on, so give a name, such as \"token_auth api\"");
    }
    conf->realm = compile(cf, args[1]);
    if (conf->realm == nullptr) {
        return failed;
    }
    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }
    conf->places = ngx_array_create(cf->pool, cf->args->nelts - 2, sizeof(void*));
    if (conf->places == nullptr) {
        return failed;
    }
    for (ngx_uint_t i = 2; i < cf->args->nelts; ++i) {
        if (add_place(cf, &args[i], *conf->places) != NGX_CONF_OK) {
            return failed;
        }
    }
    return NGX_CONF_OK;
}

// False without memory.
bool warn_of_missing_store(ngx_conf_t* cf, const ngx_str_t& path) noexcept {
    constexpr std::string_view name = "/data.mdb";
    auto* const file = static_cast<u_char*>(ngx_pnalloc(cf->pool, path.len + name.size() + 1));
    if (file == nullptr) {
        return false;
    }
    *append(append(file, view(path)), name) = '\0';
    struct stat info {};
    if (stat(reinterpret_cast<char*>(file), &info) != 0 && errno == ENOENT) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "there is no token store at \"%V\" yet, so requests get 503; make it by "
                           "\"tokensync run --db %V\", or correct the path",
                           &path, &path);
    }
    return true;
}

// Finds a store among those of other locations, or adds it; NGX_CONF_UNSET_UINT if that fails.
ngx_uint_t add_store(ngx_conf_t* cf, MainConf& main, ngx_str_t& path) noexcept {
    const auto** paths = static_cast<const char**>(main.stores.elts);
    for (ngx_uint_t i = 0; i < main.stores.nelts; ++i) {
        if (view(path) == paths[i]) {
            return i;
        }
    }
    struct stat info {};
    if (stat(reinterpret_cast<char*>(path.data), &info) == 0 && !S_ISDIR(info.st_mode)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"token_auth_db\" is not a directory; name the directory "
                           "that tokensync keeps",
                           &path);
        return NGX_CONF_UNSET_UINT;
    }
    auto** slot = static_cast<const char**>(ngx_array_push(&main.stores));
    if (slot == nullptr || !warn_of_missing_store(cf, path)) {
        return NGX_CONF_UNSET_UINT;
    }
    *slot = reinterpret_cast<const char*>(path.data);
    return main.stores.nelts - 1;
}

// One spelling for a path, as what workers share of a store is kept by it: no "//", no "/./", no
// "/" at the end. It begins with a "/".
void simplify(ngx_str_t& path) noexcept {
    u_char* end = path.data;
    for (const u_char* at = path.data; at < path.data + path.len;) {
        const u_char* next = at + 1;
        while (next < path.data + path.len && *next != '/') {
            ++next;
        }
        const auto size = static_cast<std::size_t>(next - at);
        if (size > 1 && !(size == 2 && at[1] == '.')) {
            std::memmove(end, at, size);
            end += size;
        }
        at = next;
    }
    if (end == path.data) {
        ++end;
    }
    path.len = static_cast<std::size_t>(end - path.data);
    *end = '\0';
}

// token_auth_db <directory>
char* set_db(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    auto* main =
        static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    if (conf->store != NGX_CONF_UNSET_UINT) {
        return duplicate;
    }
    ngx_str_t path = arguments(cf)[1];
    if (path.len == 0 || ngx_http_script_variables_count(&path) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid directory \"%V\" in \"token_auth_db\", it takes the path of a "
                           "directory without variables",
                           &path);
        return failed;
    }
    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return failed;
    }
    simplify(path);
    conf->store = add_store(cf, *main, path);
    return conf->store == NGX_CONF_UNSET_UINT ? failed : NGX_CONF_OK;
}

struct OrganizationModeName {
    std::string_view name;
    OrganizationMode mode;
};

constexpr OrganizationModeName organization_modes[] = {
    {"required", OrganizationMode::required},
    {"optional", OrganizationMode::optional},
    {"off", OrganizationMode::off},
};

// Whether a text reads like the name of a field or a variable rather than that of an organization.
bool reads_like_field(std::string_view text) noexcept {
    constexpr std::string_view beginnings[] = {"x-", "http_", "arg_", "cookie_"};
    return std::any_of(std::begin(beginnings), std::end(beginnings), [&](std::string_view first) {
        return text.size() > first.size() &&
               ngx_strncasecmp(str(text).data, str(first).data, first.size()) == 0;
    });
}

// Checks an organization that is the same for each request.
bool check_organization(ngx_conf_t* cf, ngx_str_t& value) noexcept {
    if (ngx_http_script_variables_count(&value) != 0) {
        return true;
    }
    if (!is_identifier(view(value))) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "invalid organization \"%V\" in \"token_auth_org\", it has 1 to 64 "
            "characters of A-Z a-z 0-9 . _ -; a request field is given as $http_name",
            &value);
        return false;
    }
    if (reads_like_field(view(value))) {
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0,
            "\"token_auth_org\" takes \"%V\" for the organization of each request; "
            "a request field is given as $http_name, such as \"from=$http_x_org_id\"",
            &value);
    }
    return true;
}

// token_auth_org required | optional | off [from=<value>]
char* set_organization(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    ngx_str_t* args = arguments(cf);
    if (conf->organization_mode != NGX_CONF_UNSET_UINT) {
        return duplicate;
    }
    const std::string_view mode = view(args[1]);
    for (const OrganizationModeName& row : organization_modes) {
        if (mode == row.name) {
            conf->organization_mode = static_cast<ngx_uint_t>(row.mode);
        }
    }
    if (conf->organization_mode == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"token_auth_org\", it takes \"required\", "
                           "\"optional\" or \"off\"",
                           &args[1]);
        return failed;
    }
    if (cf->args->nelts == 3) {
        ngx_str_t value;
        if (!strip_prefix(args[2], "from=", value) || value.len == 0 || mode == "off") {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"token_auth_org\", \"required\" and "
                               "\"optional\" take \"from=value\", \"off\" takes nothing",
                               &args[2]);
            return failed;
        }
        conf->organization = check_organization(cf, value) ? compile(cf, value) : nullptr;
        if (conf->organization == nullptr) {
            return failed;
        }
    }
    return note_rule(cf, *conf) ? NGX_CONF_OK : failed;
}

// Takes the words of values without variables once, rather than for each request. False if memory
// is short.
bool split_constants(ngx_conf_t* cf, Values& values) noexcept {
    const auto* const each = static_cast<const Expression* const*>(values.expressions.elts);
    const ngx_uint_t count = values.expressions.nelts;
    values.is_constant = std::all_of(each, each + count, [](const Expression* value) {
        return value->compiled.lengths == nullptr;
    });
    if (!values.is_constant) {
        return true;
    }
    auto* const texts =
        static_cast<std::string_view*>(ngx_palloc(cf->pool, count * sizeof(std::string_view)));
    if (texts == nullptr) {
        return false;
    }
    std::transform(each, each + count, texts,
                   [](const Expression* value) { return view(value->compiled.value); });
    // The literal "" takes an inherited requirement off.
    return split_words(cf->pool, texts, count, IfEmpty::nothing_is_required, values.words);
}

// What the values of a directive consist of.
struct WordKind {
    const char* name;
    bool (*valid)(std::string_view) noexcept;
    const char* form;  // for messages
    IfEmpty if_empty;
};

constexpr WordKind group_word = {
    "group", is_group,
    "write \"group\" or \"organization/group\", each of 1 to 64 of A-Z a-z 0-9 . _ -",
    IfEmpty::met_by_nobody};
constexpr WordKind role_word = {"role", is_identifier, "write 1 to 64 of A-Z a-z 0-9 . _ -",
                                IfEmpty::met_by_nobody};
constexpr WordKind scope_word = {"scope", is_scope,
                                 "write 1 to 128 ASCII characters without \" and \\",
                                 IfEmpty::nothing_is_required};

bool check_words(ngx_conf_t* cf, const ngx_str_t& value, const WordKind& kind) noexcept {
    ngx_str_t* directive = arguments(cf);
    std::string_view list = view(value);
    std::string_view word = next_word(list);
    if (value.len != 0 && word.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "blank value in \"%V\"; write \"\" to require nothing", directive);
        return false;
    }
    for (; !word.empty(); word = next_word(list)) {
        if (!kind.valid(word)) {
            ngx_str_t text = str(word);
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s \"%V\" in \"%V\"; %s", kind.name,
                               &text, directive, kind.form);
            return false;
        }
    }
    return true;
}

// A scope may hold a comma, but commas between scopes make one of them, which nobody has.
void warn_of_comma(ngx_conf_t* cf, const ngx_str_t& value, const WordKind& kind) noexcept {
    if (kind.valid == is_scope && view(value).find(',') != std::string_view::npos) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "comma in the scope \"%V\" of \"%V\"; scopes are separated by spaces",
                           &value, arguments(cf));
    }
}

bool has_empty(const Values& values) noexcept {
    const auto* const each = static_cast<const Expression* const*>(values.expressions.elts);
    return std::any_of(each, each + values.expressions.nelts,
                       [](const Expression* value) { return value->compiled.value.len == 0; });
}

// Adds the values of a directive; those without variables are checked here.
char* set_words(ngx_conf_t* cf, LocConf& conf, Values*& words, const WordKind& kind) noexcept {
    if (!note_rule(cf, conf)) {
        return failed;
    }
    if (words == NGX_CONF_UNSET_PTR) {
        words = static_cast<Values*>(ngx_pcalloc(cf->pool, sizeof(Values)));
        if (words == nullptr || ngx_array_init(&words->expressions, cf->pool, cf->args->nelts - 1,
                                               sizeof(void*)) != NGX_OK) {
            return failed;
        }
        words->if_empty = kind.if_empty;
    }
    ngx_str_t* args = arguments(cf);
    for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
        if (ngx_http_script_variables_count(&args[i]) == 0 && !check_words(cf, args[i], kind)) {
            return failed;
        }
        warn_of_comma(cf, args[i], kind);
        auto** const slot = static_cast<const Expression**>(ngx_array_push(&words->expressions));
        const Expression* const compiled = compile(cf, args[i]);
        if (slot == nullptr || compiled == nullptr) {
            return failed;
        }
        *slot = compiled;
    }
    if (words->expressions.nelts > 1 && has_empty(*words)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"\" in \"%V\" beside another value; \"\" takes an inherited "
                           "requirement off, and stands alone",
                           &args[0]);
        return failed;
    }
    return split_constants(cf, *words) ? NGX_CONF_OK : failed;
}

// token_auth_group <value> …
char* set_groups(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    return conf->groups != NGX_CONF_UNSET_PTR ? duplicate
                                              : set_words(cf, *conf, conf->groups, group_word);
}

// token_auth_role <value> …
char* set_roles(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    return conf->roles != NGX_CONF_UNSET_PTR ? duplicate
                                             : set_words(cf, *conf, conf->roles, role_word);
}

// token_auth_kind organization | group | user …
char* set_kinds(ngx_conf_t* cf, ngx_command_t* command, void* data) noexcept {
    return note_rule(cf, *static_cast<LocConf*>(data))
               ? ngx_conf_set_bitmask_slot(cf, command, data)
               : failed;
}

// token_auth_max_age <time>
char* set_max_age(ngx_conf_t* cf, ngx_command_t* command, void* data) noexcept {
    constexpr time_t heartbeats = 10;  // tokensync marks a sync as completed every few seconds
    auto* conf = static_cast<LocConf*>(data);
    char* const problem = note_rule(cf, *conf) ? ngx_conf_set_sec_slot(cf, command, data) : failed;
    if (problem == NGX_CONF_OK && conf->max_age > 0 && conf->max_age < heartbeats) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"token_auth_max_age\" of %V is so short that requests may get 503 "
                           "between two syncs; give it at least %Ts",
                           &arguments(cf)[1], heartbeats);
    }
    return problem;
}

// token_auth_scope <value> …; may be given several times, because all scopes are required
char* set_scopes(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    return set_words(cf, *conf, conf->scopes, scope_word);
}

// token_auth_scope_any <value> …
char* set_scopes_any(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    return conf->scopes_any != NGX_CONF_UNSET_PTR
               ? duplicate
               : set_words(cf, *conf, conf->scopes_any, scope_word);
}

// token_auth_verify
char* set_verify(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    auto& core = *static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core.handler == verify_handler) {
        return duplicate;
    }
    core.handler = verify_handler;
    conf->verify = place_of(cf);
    return NGX_CONF_OK;
}

// token_auth_label <name>
char* set_label(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* conf = static_cast<LocConf*>(data);
    const ngx_str_t name = arguments(cf)[1];
    if (conf->label != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    if (!is_identifier(view(name))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"token_auth_label\"; write 1 to 64 of A-Z a-z "
                           "0-9 . _ -",
                           &name);
        return failed;
    }
    conf->label = obtain_label(cf, name);
    return conf->label == nullptr ? failed : NGX_CONF_OK;
}

// Makes `handler` answer requests to the location. It shows what the zone holds.
void set_handler(ngx_conf_t* cf, ngx_http_handler_pt handler) noexcept {
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    if (main.zone_user.directive == nullptr) {
        main.zone_user = place_of(cf);
    }
    static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module))
        ->handler = handler;
}

// token_auth_status prometheus | json
char* set_status(ngx_conf_t* cf, ngx_command_t* command, void* data) noexcept {
    set_handler(cf, status_handler);
    return ngx_conf_set_enum_slot(cf, command, data);
}

// token_auth_usage [public]
char* set_usage(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto& conf = *static_cast<LocConf*>(data);
    if (cf->args->nelts == 2 && view(arguments(cf)[1]) != "public") {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"token_auth_usage\", it takes \"public\" "
                           "or nothing",
                           &arguments(cf)[1]);
        return failed;
    }
    if (conf.usage_public != NGX_CONF_UNSET) {
        return duplicate;
    }
    conf.usage_public = cf->args->nelts == 2 ? 1 : 0;
    static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module))
        ->notes_use = true;
    set_handler(cf, usage_handler);
    return NGX_CONF_OK;
}

// Reads the first `size` bytes of a file. Returns the number of bytes read, or -1 with errno set.
ssize_t read_file(const char* path, u_char* buffer, std::size_t size) noexcept {
    const ngx_fd_t fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return -1;
    }
    const ssize_t length = ngx_read_fd(fd, buffer, size);
    const ngx_err_t error = ngx_errno;
    ngx_close_file(fd);
    ngx_set_errno(error);
    return length;
}

// token_auth_key <file>; may be given several times, while keys are rotated
char* set_key(ngx_conf_t* cf, ngx_command_t* /*command*/, void* data) noexcept {
    auto* main = static_cast<MainConf*>(data);
    ngx_str_t path = arguments(cf)[1];
    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return failed;
    }
    if (main->keys.nelts == keys_max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "more than %uz \"token_auth_key\" directives",
                           keys_max);
        return failed;
    }
    auto* content = static_cast<u_char*>(ngx_pnalloc(cf->pool, key_file_max));
    auto* slot = static_cast<ngx_str_t*>(ngx_array_push(&main->keys));
    if (content == nullptr || slot == nullptr) {
        return failed;
    }
    const ssize_t length = read_file(reinterpret_cast<char*>(path.data), content, key_file_max);
    if (length < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot read the key file \"%V\" of \"token_auth_key\"", &path);
        return failed;
    }
    const std::string_view key =
        key_of_file({reinterpret_cast<char*>(content), static_cast<std::size_t>(length)});
    if (key.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" of \"token_auth_key\" holds no key of %uz to %uz "
                           "bytes; make one with \"openssl rand -hex 32\"",
                           &path, key_min, key_max);
        return failed;
    }
    *slot = str(key);
    return NGX_CONF_OK;
}

ngx_conf_bitmask_t schemes[] = {
    {ngx_string("Bearer"), scheme_bearer},
    {ngx_string("Token"), scheme_token},
    {ngx_null_string, 0},
};

ngx_conf_bitmask_t kinds[] = {
    {ngx_string("organization"), kind_organization},
    {ngx_string("group"), kind_group},
    {ngx_string("user"), kind_user},
    {ngx_null_string, 0},
};

ngx_conf_enum_t error_bodies[] = {
    {ngx_string("problem"), error_problem},
    {ngx_string("html"), error_html},
    {ngx_string("grpc"), error_grpc},
    {ngx_null_string, 0},
};

ngx_conf_enum_t status_formats[] = {
    {ngx_string("prometheus"), status_prometheus},
    {ngx_string("json"), status_json},
    {ngx_null_string, 0},
};

constexpr ngx_uint_t blocks = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;
constexpr ngx_uint_t everywhere = blocks | NGX_HTTP_LMT_CONF;

}  // namespace

ngx_command_t commands[] = {
    {ngx_string("token_auth"), everywhere | NGX_CONF_1MORE, set_token_auth,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_db"), blocks | NGX_CONF_TAKE1, set_db, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("token_auth_schemes"), everywhere | NGX_CONF_1MORE, ngx_conf_set_bitmask_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, schemes), schemes},
    {ngx_string("token_auth_anonymous"), everywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, anonymous), nullptr},
    {ngx_string("token_auth_preflight"), everywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, preflight), nullptr},
    {ngx_string("token_auth_org"), everywhere | NGX_CONF_TAKE12, set_organization,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_kind"), everywhere | NGX_CONF_1MORE, set_kinds,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, kinds), kinds},
    {ngx_string("token_auth_group"), everywhere | NGX_CONF_1MORE, set_groups,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_role"), everywhere | NGX_CONF_1MORE, set_roles,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_scope"), everywhere | NGX_CONF_1MORE, set_scopes,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_scope_any"), everywhere | NGX_CONF_1MORE, set_scopes_any,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_max_age"), everywhere | NGX_CONF_TAKE1, set_max_age,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, max_age), nullptr},
    {ngx_string("token_auth_recheck"), everywhere | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, recheck), nullptr},
    {ngx_string("token_auth_error"), everywhere | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, error_body), error_bodies},
    {ngx_string("token_auth_forward"), everywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, forward), nullptr},
    {ngx_string("token_auth_key"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_key,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_verify"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_verify,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_label"), blocks | NGX_CONF_TAKE1, set_label, NGX_HTTP_LOC_CONF_OFFSET,
     0, nullptr},
    {ngx_string("token_auth_status"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, status_format), status_formats},
    {ngx_string("token_auth_usage"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1,
     set_usage, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("token_auth_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_zone,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    ngx_null_command,
};

}  // namespace token_auth::nginx
