/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/resolv.h"

#include <string.h>

#include "base/fs.h"
#include "base/ip.h"
#include "base/json.h"

#define FILE_MAX (64u << 10)

/* The guest's, then what lies behind a resolver on its loopback. */
static const char *const paths[] = {
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
};

static const char *const public_servers[] = {"8.8.8.8", "8.8.4.4"};
static const char *const public_servers6[] = {"2001:4860:4860::8888",
                                              "2001:4860:4860::8844"};

struct resolv {
    char **servers, **search, **options;
};

static void resolv_release(struct resolv *resolv)
{
    dr_strv_free(resolv->servers);
    dr_strv_free(resolv->search);
    dr_strv_free(resolv->options);
}

/* resolv.conf(5): the last search or domain line counts, options add up. */
static void parse_line(char *line, struct resolv *ret)
{
    char *rest = NULL, *word = strtok_r(line, " \t\r", &rest);
    if (!word || *word == '#' || *word == ';')
        return;
    char ***list = NULL;
    if (strcmp(word, "nameserver") == 0) {
        list = &ret->servers;
    } else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
        dr_strv_free(ret->search);
        ret->search = NULL;
        list = &ret->search;
    } else if (strcmp(word, "options") == 0) {
        list = &ret->options;
    }
    while (list && (word = strtok_r(NULL, " \t\r", &rest))) {
        dr_strv_add(list, word);
        if (list == &ret->servers)
            break;
    }
}

static void parse(const char *text, struct resolv *ret)
{
    dr_auto_free char *copy = dr_strdup(text);
    char *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        parse_line(line, ret);
}

/* From within a network of its own. An address with a zone ("fe80::1%eth0") means a link
 * of the guest. */
static bool reaches(const struct resolv_wish *wish, const char *server)
{
    struct dr_ip ip;
    if (wish->guests)
        return true;
    return dr_ip_parse(server, &ip) && !dr_ip_is_loopback(&ip) && !dr_ip_is_zero(&ip) &&
           (ip.family == 4 || wish->v6);
}

static void choose(const struct resolv_wish *wish, char *const *files, size_t count,
                   struct resolv *ret)
{
    for (size_t i = 0; i < count && !ret->servers; i++) {
        struct resolv one DR_CLEANUP(resolv_release) = {0};
        if (files[i])
            parse(files[i], &one);
        for (char **server = one.servers; server && *server; server++)
            if (reaches(wish, *server))
                dr_strv_add(&ret->servers, *server);
        /* the first file's, unless another one's resolvers are used */
        if (!ret->servers && i > 0)
            continue;
        dr_strv_free(ret->search);
        dr_strv_free(ret->options);
        ret->search = DR_TAKE(one.search);
        ret->options = DR_TAKE(one.options);
    }
}

static int add_words(struct dr_buf *buf, const char *keyword, char *const *words,
                     struct dr_error *err)
{
    bool first = true;
    for (; words && *words; words++) {
        if (strcmp(*words, ".") == 0)
            continue;
        if (dr_buf_addf(buf, err, "%s %s", first ? keyword : "", *words) < 0)
            return -1;
        first = false;
    }
    return first ? 0 : dr_buf_addf(buf, err, "\n");
}

int resolv_compose(const struct resolv_wish *wish, char *const *files, size_t file_count,
                   struct dr_buf *ret, bool *ret_fallback, struct dr_error *err)
{
    struct resolv guest DR_CLEANUP(resolv_release) = {0};
    choose(wish, files, file_count, &guest);
    char *const *servers =
        wish->servers && *wish->servers ? wish->servers : guest.servers;
    bool fallback = !servers && !wish->guests;
    for (size_t i = 0; fallback && i < DR_COUNT(public_servers); i++)
        dr_strv_add(&guest.servers, public_servers[i]);
    for (size_t i = 0; fallback && wish->v6 && i < DR_COUNT(public_servers6); i++)
        dr_strv_add(&guest.servers, public_servers6[i]);
    if (!servers)
        servers = guest.servers;
    for (char *const *server = servers; server && *server; server++)
        if (dr_buf_addf(ret, err, "nameserver %s\n", *server) < 0)
            return -1;
    if (add_words(ret, "search",
                  wish->search && *wish->search ? wish->search : guest.search, err) < 0 ||
        add_words(ret, "options",
                  wish->options && *wish->options ? wish->options : guest.options,
                  err) < 0)
        return -1;
    *ret_fallback = fallback;
    return 0;
}

int resolv_make(const struct resolv_wish *wish, struct dr_buf *ret, bool *ret_fallback,
                struct dr_error *err)
{
    char *files[DR_COUNT(paths)] = {NULL};
    for (size_t i = 0; i < DR_COUNT(paths); i++) {
        dr_auto_buf struct dr_buf text = DR_BUF_INIT(FILE_MAX);
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (dr_file_read(AT_FDCWD, paths[i], &text, &ignored) == 0)
            files[i] = dr_buf_take(&text);
    }
    int result = resolv_compose(wish, files, DR_COUNT(files), ret, ret_fallback, err);
    for (size_t i = 0; i < DR_COUNT(files); i++)
        free(files[i]);
    return result;
}
