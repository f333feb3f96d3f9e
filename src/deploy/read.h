/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files to a model. Which of the two formats they are in is seen here; each has a reader
 * of its own. Reads the files that are named and nothing else: no target is asked.
 */
#ifndef DRAY_DEPLOY_READ_H
#define DRAY_DEPLOY_READ_H

#include "deploy/model.h"
#include "deploy/problems.h"

/* As struct dray_deployment_options of dray.h, which says what each is. All borrowed. */
struct deploy_sources {
    const char *const *files; /* "-": text */
    const char *text;
    const char *name;
    const char *directory;
    const char *const *profiles;
    const char *const *env_files;
    const char *const *environment; /* NULL: this process's */
    const char *secrets_file;
};

/* What a format's reader is given. */
struct deploy_input {
    const struct deploy_sources *sources;
    struct deploy_value **roots; /* a tree for each file; NULL: an empty file */
    size_t count;
    const char *directory; /* absolute: what relative paths begin at */
    struct deploy_problems *problems;
};

/*
 * *ret_model is whole when there are no problems, and may then be checked (check.h).
 * Problems: what is wrong with the files, all of it. Returns -1 with the first as
 * DR_ERR_CONFIG, or with what kept a file from being read.
 */
int deploy_read(const struct deploy_sources *sources, struct deploy_problems *problems,
                struct deploy_model **ret_model, struct dr_error *err);

/* The readers. They fill the model, which is empty, and note problems; -1 with err only
 * for what is no problem of these files, such as another file that cannot be read. */
int deploy_v1_read(const struct deploy_input *input, struct deploy_model *model,
                   struct dr_error *err);
int deploy_compose_read(const struct deploy_input *input, struct deploy_model *model,
                        struct dr_error *err);

/* The deployment's name when nobody says one: the directory's, in lower case and without
 * what a name cannot hold. Owned; NULL: nothing is left of it. */
char *deploy_directory_name(const char *directory);
/* [a-z0-9][a-z0-9_-]*, at most 63 */
bool deploy_name_valid(const char *name);
/*
 * A path of this machine's as the file has it, absolute and owned: from the directory,
 * "~" and "~/…" from the home directory. DR_ERR_CONFIG.
 */
char *deploy_path(const struct deploy_input *input, const char *path,
                  struct dr_error *err);
/* What the environment says, here or in sources->environment; NULL: not set. */
const char *deploy_environment(const struct deploy_sources *sources, const char *name);

#endif
