/* SPDX-License-Identifier: Apache-2.0 */
/* The one session that a command has with its target, and calls on many things by it. */
#include <pthread.h>
#include <string.h>

#include "cli/cli.h"

#define EACH_MAX_THREADS 16

struct dray_target *cli_target(struct cli *cli, struct dr_error *err)
{
    if (cli->target)
        return cli->target;
    struct dray_error *failed = NULL;
    if (!cli->global.target) {
        if (cli_rc(dray_target_current(&cli->current, &failed), &failed, err) < 0)
            return NULL;
        cli->global.target = cli->current;
    }
    struct dray_open_options options = {
        .size = sizeof(options),
        .target = cli->global.target,
        .root = cli->global.root,
        .run_root = cli->global.run_root,
        .runtime = cli->global.runtime,
        .cache_dir = cli->global.cache_dir,
    };
    if (cli_rc(dray_open_lazy(&options, &cli->target, &failed), &failed, err) < 0)
        return NULL;
    if (cli->global.debug)
        cli_warn("debug: %d process(es) started for the session",
                 dray_spawn_count(cli->target));
    return cli->target;
}

/* What all threads of one cli_each share. */
struct each {
    struct cli *cli;
    cli_one one;
    const void *arg;
    pthread_mutex_t mutex; /* guards next */
    size_t next;
    struct result {
        bool failed;
        char *line;
        struct dr_error err;
    } * results;
};

static void *each_thread(void *arg)
{
    struct each *each = arg;
    for (;;) {
        pthread_mutex_lock(&each->mutex);
        size_t i = each->next++;
        pthread_mutex_unlock(&each->mutex);
        if (i >= each->cli->word_count)
            return NULL;
        struct result *result = &each->results[i];
        int rc = each->one(each->cli, each->cli->words[i], each->arg, &result->line,
                           &result->err);
        result->failed = rc < 0;
    }
}

/* All were tried: one that failed makes the code, and the first one says which. */
static int each_print(struct each *each)
{
    int code = CLI_OK;
    for (size_t i = 0; i < each->cli->word_count; i++) {
        struct result *result = &each->results[i];
        char *save = NULL; /* a result may have several lines */
        for (char *line =
                 strtok_r(result->line ? result->line : (char[]){""}, "\n", &save);
             line; line = strtok_r(NULL, "\n", &save))
            cli_line(line);
        if (result->failed) {
            int failed = cli_error(each->cli, &result->err);
            code = code ? code : failed;
        }
        free(result->line);
        dr_error_release(&result->err);
    }
    return code;
}

int cli_each(struct cli *cli, size_t threads, cli_one one, const void *arg)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!cli_target(cli, &err))
        return cli_error(cli, &err);
    struct each each = {.cli = cli, .one = one, .arg = arg};
    dr_auto_free struct result *results = dr_alloc(cli->word_count * sizeof(*results));
    pthread_t ids[EACH_MAX_THREADS];
    size_t started = 0;
    each.results = results;
    pthread_mutex_init(&each.mutex, NULL);
    if (threads > cli->word_count)
        threads = cli->word_count;
    if (threads > EACH_MAX_THREADS)
        threads = EACH_MAX_THREADS;
    while (started + 1 < threads &&
           pthread_create(&ids[started], NULL, each_thread, &each) == 0)
        started++;
    each_thread(&each); /* this thread works too: without others it does all */
    while (started > 0)
        pthread_join(ids[--started], NULL);
    pthread_mutex_destroy(&each.mutex);
    return each_print(&each);
}
