/* SPDX-License-Identifier: Apache-2.0 */
/* The one session that a command has with its target, and calls on many things by it. */
#include <pthread.h>
#include <string.h>

#include "cli/cli.h"

#define EACH_MAX_THREADS 16

struct host *cli_host(struct cli *cli, struct dr_error *err)
{
    if (cli->host)
        return cli->host;
    struct host_options options = {
        .target = cli->global.target,
        .root = cli->global.root,
        .run_root = cli->global.run_root,
        .runtime = cli->global.runtime,
        .cache_dir = cli->global.cache_dir,
    };
    if (host_open(&options, &cli->host, err) < 0)
        return NULL;
    if (cli->global.debug)
        cli_warn("debug: %d process(es) started for the session",
                 host_spawn_count(cli->host));
    return cli->host;
}

int cli_call(struct cli *cli, json_t *request, json_t **ret_reply, struct dr_error *err)
{
    json_t *reply = NULL;
    struct host *host = cli_host(cli, err);
    if (!host) {
        json_decref(request);
        return -1;
    }
    if (host_call(host, request, &reply, err) < 0)
        return -1;
    if (ret_reply)
        *ret_reply = reply;
    else
        json_decref(reply);
    return 0;
}

/* May people mean an image's id by this? */
static bool like_id(const char *text)
{
    size_t len = strlen(text);
    return len >= 2 && len <= DR_SHA256_HEX && strspn(text, "0123456789abcdef") == len;
}

/* Names win over ids, as in Docker, so both are asked for: in this order, and only for
 * words that can be either. */
char *cli_image_ref(struct cli *cli, const char *word, struct dr_error *err)
{
    dr_auto_free char *name = host_image_name(word, err);
    if (!name || !like_id(word) || strcmp(name, word) == 0)
        return DR_TAKE(name);
    const char *refs[] = {name, word};
    for (size_t i = 0; i < DR_COUNT(refs); i++) {
        json_t *request = host_request("image.get");
        dr_json_set_str(request, "ref", refs[i]);
        if (cli_call(cli, request, NULL, err) == 0)
            return dr_strdup(refs[i]);
        if (err->kind != DR_ERR_NOT_FOUND)
            return NULL;
        dr_error_release(err);
    }
    return DR_TAKE(name);
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
    if (!cli_host(cli, &err))
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
