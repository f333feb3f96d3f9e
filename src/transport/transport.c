/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of targets, and what they have in common: a process that leads to a shell
 * over there, and the helper that is started by it. */
#include "transport/transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "transport/boot.h"
#include "transport/far.h"
#include "transport/process.h"

/* A process that has closed its pipes mostly ends a moment later. */
#define END_MS 1000
#define PERSON_MS 120000

static const struct transport_kind *const kinds[] = {
    [TRANSPORT_SSH] = &transport_ssh,
    [TRANSPORT_EXEC] = &transport_exec,
    [TRANSPORT_WSL] = &transport_wsl,
};

static void far_free(struct transport_far *far)
{
    dr_cleanup_fd(&far->words_fd);
    transport_address_release(&far->address);
    dr_strv_free(far->places);
    free(far->name);
    free(far->words);
    free(far->user);
    free(far);
}

static void add_place(struct transport_far *far, const char *place)
{
    for (char **p = far->places; p && *p; p++)
        if (strcmp(*p, place) == 0)
            return;
    dr_strv_add(&far->places, place);
}

/* All of them belong to root: nobody else can put something there. */
static void choose_places(struct transport_far *far, const struct transport_options *o)
{
    add_place(far, o->root);
    add_place(far, o->run_root);
    add_place(far, "/root/.cache/dray");
    add_place(far, "/opt/dray");
}

static int start_far(struct transport_far *far, const struct transport_options *o,
                     struct transport *ret, struct dr_error *err)
{
    dr_auto_strv char **argv = NULL;
    if (far->kind->argv(&far->address, o->timeout_ms, &argv, err) < 0)
        return -1;
    far->words_fd = words_new();
    struct process_options process = {.argv = (const char *const *)argv,
                                      .env = far->kind->env,
                                      .apart = !far->kind->asks,
                                      .words_fd = far->words_fd};
    if (process_start(&process, ret, err) == 0)
        return 0;
    if (err->code != ENOENT && err->code != EACCES)
        return -1;
    err->kind = far->kind->missing_kind;
    return dr_wrap(err, "%s; %s", far->name, far->kind->missing);
}

int transport_open(const struct transport_options *o, struct transport *ret,
                   struct dr_error *err)
{
    *ret = (struct transport){.read_fd = -1, .write_fd = -1, .pid = -1};
    dr_auto_address struct transport_address address;
    if (transport_address_parse(o->target, &address, err) < 0)
        return -1;
    if (!address.user && transport_address_user(&address, o->user, err) < 0)
        return -1;
    if (address.scheme == TRANSPORT_LOCAL)
        return transport_local(o->root, ret, err);
    if (!kinds[address.scheme])
        return dr_fail(err, DR_ERR_UNSUPPORTED, "target '%s' cannot be reached from here",
                       o->target);
    struct transport_far *far = dr_alloc(sizeof *far);
    far->kind = kinds[address.scheme];
    far->address = address;
    address = (struct transport_address){TRANSPORT_LOCAL};
    far->words_fd = -1;
    far->name = dr_escape(o->target ? o->target : transport_default, 200);
    choose_places(far, o);
    if (start_far(far, o, ret, err) < 0) {
        far_free(far);
        return -1;
    }
    ret->far = far;
    return 0;
}

bool transport_needs_boot(const struct transport *transport)
{
    return transport->far != NULL;
}

int64_t transport_patience_ms(const struct transport *transport)
{
    return transport->far && transport->far->kind->asks && process_has_terminal()
               ? PERSON_MS
               : 0;
}

int transport_boot(struct transport *transport, int64_t deadline_ms, int cancel_fd,
                   struct dr_error *err)
{
    struct transport_far *far = transport->far;
    struct boot boot = {.read_fd = transport->read_fd,
                        .write_fd = transport->write_fd,
                        .name = far->name,
                        .places = (const char *const *)far->places,
                        .deadline_ms = deadline_ms,
                        .cancel_fd = cancel_fd};
    int rc = boot_run(&boot, err);
    far->booted = rc == 0;
    far->answered = boot.answered;
    far->user = DR_TAKE(boot.user);
    far->words_len = boot.words.len;
    far->words = dr_buf_take(&boot.words);
    boot_release(&boot);
    return rc;
}

char *transport_last_lines(const char *text, size_t max)
{
    dr_auto_free char *copy = dr_strdup(text);
    size_t len = strlen(copy);
    while (len > 0 && strchr(" \r\n\t", copy[len - 1]))
        copy[--len] = '\0';
    char *from = len > max ? copy + len - max : copy;
    dr_auto_free char *clean = dr_alloc(strlen(from) + 1);
    char *to = clean;
    for (const char *c = from; *c; c++)
        if (*c != '\r')
            *to++ = *c;
    return dr_escape(clean, max);
}

const char *transport_name(const struct transport *transport)
{
    return transport->far ? transport->far->name : "local";
}

char *transport_said(const struct transport *transport)
{
    const struct transport_far *far = transport->far;
    if (!far)
        return dr_strdup("");
    dr_auto_free char *said = words_read(far->words_fd, 2000);
    dr_auto_free char *text = far->kind->text(said, strlen(said));
    return transport_last_lines(text, 400);
}

/* What was said over here about it: by the process' stderr, or before our first line. */
static char *far_words(struct transport_far *far)
{
    const struct transport self = {.far = far};
    dr_auto_free char *before =
        far->kind->text(far->words ? far->words : "", far->words_len);
    dr_auto_free char *a = transport_said(&self);
    dr_auto_free char *b =
        far->booted ? dr_strdup("") : transport_last_lines(before, 400);
    if (*a && *b)
        return dr_printf("%s; %s", b, a);
    return dr_strdup(*a ? a : b);
}

void transport_explain(struct transport *transport, struct dr_error *err)
{
    struct transport_far *far = transport->far;
    if (!far || err->kind == DR_ERR_CONFIG || err->kind == DR_ERR_CANCELLED)
        return;
    int status = -1;
    bool ended = process_ended(transport->pid, END_MS, &status);
    dr_auto_free char *words = far_words(far);
    if (!far->booted && far->user && ended) {
        dr_fail_at(
            err, DR_AT_TRANSPORT, DR_ERR_CONFIG, 0,
            "%s: running containers needs root there, %s is not, and sudo -n does "
            "not work (%s); allow it without a password, or use a user who is root",
            far->name, far->user, *words ? words : "it says nothing");
        return;
    }
    if (far->booted && !*words && err->kind == DR_ERR_NONE) {
        dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                   "%s: the connection was lost", far->name);
        return;
    }
    /* the silence is what is wrong, whatever was said before it */
    if (far->booted && (!*words || err->code == ETIMEDOUT)) {
        dr_auto_free char *was = dr_strdup(err->text);
        if (*words)
            dr_fail_at(err, err->origin, err->kind, err->code, "%s; it said: %s", was,
                       words);
        dr_wrap(err, "%s", far->name);
        return;
    }
    struct transport_end end = {.booted = far->booted,
                                .answered = far->answered,
                                .ended = ended,
                                .status = status,
                                .words = words};
    const char *hint = NULL;
    enum dr_kind kind = far->kind->judge(&end, &hint);
    const char *what = far->booted         ? "the connection was lost"
                       : far->kind->failed ? far->kind->failed
                                           : "it cannot be reached";
    dr_auto_free char *was =
        dr_strdup(err->kind == DR_ERR_TIMEOUT || !*words ? err->text : "");
    if (*words)
        dr_fail_at(err, DR_AT_TRANSPORT, kind, 0, "%s: %s: %s%s%s", far->name, what,
                   words, hint ? "; " : "", hint ? hint : "");
    else if (ended)
        dr_fail_at(err, DR_AT_TRANSPORT, kind, 0, "%s: %s: %s ended with status %d%s%s",
                   far->name, what, far->kind->program, status, hint ? "; " : "",
                   hint ? hint : "");
    else
        dr_fail_at(err, DR_AT_TRANSPORT, kind, 0, "%s", was);
}

int transport_close(struct transport *transport, int wait_ms)
{
    int status = -1;
    if (transport->pid > 0)
        status = process_end(transport->pid, wait_ms);
    transport->pid = -1;
    if (transport->far)
        far_free(transport->far);
    transport->far = NULL;
    return status;
}
