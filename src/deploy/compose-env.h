/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables that a Compose file may ask for, and the files they come from (".env",
 * env_file), in the dotenv syntax that Compose reads.
 */
#ifndef DRAY_DEPLOY_COMPOSE_ENV_H
#define DRAY_DEPLOY_COMPOSE_ENV_H

#include "base/json.h"
#include "deploy/value.h"

#define COMPOSE_ENV_FILE_MAX (1u << 20) /* bytes of one file */

/* Names and values, for quick lookup; a JSON object of strings. */
struct compose_env {
    json_t *values;
};
#define compose_auto_env DR_CLEANUP(compose_env_release)

/* environment: "K=V", NULL-terminated; NULL: this process's. */
void compose_env_init(struct compose_env *env, const char *const *environment);
void compose_env_copy(struct compose_env *env, const struct compose_env *from);
void compose_env_release(struct compose_env *env);
/* Borrowed; NULL: it is not set. */
const char *compose_env_get(const struct compose_env *env, const char *name);
/* What is there already stays, unless replace. */
void compose_env_set(struct compose_env *env, const char *name, const char *value,
                     bool replace);

/*
 * The text of a dotenv file: NAME=VALUE or NAME: VALUE, "export" before it, '…' as it
 * stands, "…" with escapes, both over several lines, $VARIABLES but in '…', a comment
 * after a blank and '#'. NAME alone takes it from outer. Appends "NAME=VALUE" to
 * *ret_pairs, in the order of the file; what a line refers to is looked up in outer
 * first, then in the lines before it. raw: every value as it stands. DR_ERR_CONFIG
 * "NAME:LINE: …".
 */
struct compose_dotenv {
    const char *name; /* for errors */
    const struct compose_env *outer;
    bool raw;
};
int compose_dotenv_parse(const struct compose_dotenv *how, const char *text, size_t len,
                         char ***ret_pairs, struct dr_error *err);
/* The same of the file at path, whose name is in how as well. */
int compose_dotenv_read(const struct compose_dotenv *how, const char *path,
                        char ***ret_pairs, struct dr_error *err);

#endif
