/* SPDX-License-Identifier: Apache-2.0 */
/* C01: the targets that have a name. */
#include <string.h>

#include "host/config.h"
#include "host/target.h"
#include "transport/address.h"

static json_t *target_json(const struct config *config, const struct config_target *t)
{
    json_t *json = json_object();
    dr_json_set_str(json, "name", t->name);
    for (const struct config_key *key = config_keys; key->name; key++) {
        const void *slot = (const char *)t + key->at;
        if (key->form == CONFIG_TIME && *(const int64_t *)slot) {
            dr_auto_free char *name = dr_printf("%s_ms", key->name);
            dr_json_set_int(json, name, *(const int64_t *)slot);
        } else if (key->form == CONFIG_TEXT || key->form == CONFIG_PATH ||
                   key->form == CONFIG_FALLBACK) {
            dr_json_set_str(json, key->name, *(char *const *)slot);
        }
    }
    dr_json_set_bool(json, "current",
                     config->current && strcmp(config->current, t->name) == 0);
    return json;
}

int dray_targets(char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_user_config struct config config = {0};
    int rc = config_read(&config, &err);
    if (rc == 0) {
        dr_auto_json json_t *json = json_object();
        json_t *all = json_array();
        dr_json_set_str(json, "file", config.path);
        dr_json_set(json, "current",
                    config.current ? json_string(config.current) : json_null());
        for (size_t i = 0; i < config.count; i++)
            json_array_append_new(all, target_json(&config, &config.targets[i]));
        dr_json_set(json, "targets", all);
        *ret_json = dr_json_text(json);
    }
    return api_end(rc, &err, ret_err);
}

int dray_target_current(char **ret_name, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_user_config struct config config = {0};
    int rc = config_read(&config, &err);
    if (rc == 0) {
        bool local = config.current && strcmp(config.current, "local") == 0;
        *ret_name = local ? NULL : DR_TAKE(config.current);
    }
    return api_end(rc, &err, ret_err);
}

static int add(const struct dray_target_settings *settings, struct dr_error *err)
{
    struct dray_target_settings s = {0};
    dr_auto_address struct transport_address address = {TRANSPORT_LOCAL};
    if (API_COPY(&s, settings, err) < 0)
        return -1;
    if (!s.name || !config_name_ok(s.name))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' cannot be the name of a target: it is letters, digits, _, . "
                       "and -, and not local",
                       s.name ? s.name : "");
    if (!s.url)
        return dr_fail(err, DR_ERR_INVALID, "target %s needs a URL", s.name);
    if (transport_address_parse(s.url, &address, err) < 0 ||
        (!address.user && transport_address_user(&address, s.user, err) < 0))
        return -1;
    if (s.network_fallback && !config_fallback_ok(s.network_fallback))
        return dr_fail(err, DR_ERR_INVALID, "network fallback '%s' must be host or fail",
                       s.network_fallback);
    const char *const places[] = {s.root, s.run_root, s.bundle_root, s.log_root};
    for (size_t i = 0; i < DR_COUNT(places); i++)
        if (places[i] && *places[i] != '/')
            return dr_fail(err, DR_ERR_INVALID, "'%s' is not an absolute path",
                           places[i]);
    /* only read from */
    struct config_target t = {.name = (char *)s.name,
                              .url = (char *)s.url,
                              .root = (char *)s.root,
                              .run_root = (char *)s.run_root,
                              .bundle_root = (char *)s.bundle_root,
                              .log_root = (char *)s.log_root,
                              .runtime = (char *)s.runtime,
                              .user = (char *)s.user,
                              .network_fallback = (char *)s.network_fallback,
                              .connect_timeout_ms = s.connect_timeout_ms,
                              .line_timeout_ms = s.line_timeout_ms};
    return config_add(&t, err);
}

int dray_target_add(const struct dray_target_settings *settings,
                    struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(add(settings, &err), &err, ret_err);
}

int dray_target_use(const char *name, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(config_use(name, &err), &err, ret_err);
}

int dray_target_forget(const char *name, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(config_remove(name, &err), &err, ret_err);
}
