/* SPDX-License-Identifier: Apache-2.0 */
#include "host/distro.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "transport/wsl-command.h"

#define LIST_MS 60000 /* the service may have to be started */
#define UNREGISTER_MS 120000
#define DISK "ext4.vhdx"

#ifdef _WIN32
#define PLACE_VARIABLE "LOCALAPPDATA"
#define HOME_VARIABLE "USERPROFILE"
#define BELOW_HOME "AppData\\Local"
#define PARTS "%s\\dray\\distros"
#else
#define PLACE_VARIABLE "XDG_DATA_HOME"
#define HOME_VARIABLE "HOME"
#define BELOW_HOME ".local/share"
#define PARTS "%s/dray/distros"
#endif

char *distro_place(struct dr_error *err)
{
    const char *base = getenv(PLACE_VARIABLE), *home = getenv(HOME_VARIABLE);
    dr_auto_free char *below = NULL;
    if (!base || !*base) {
        if (!home || !*home) {
            dr_fail(err, DR_ERR_CONFIG,
                    "there is no place for distros; set %s, or give --dir",
                    PLACE_VARIABLE);
            return NULL;
        }
        base = below = dr_path_join(home, BELOW_HOME);
    }
    return dr_printf(PARTS, base);
}

/* A command of this call. deadline: NULL words are wsl.exe's; 0 ms: as long as it takes.
 */
static struct wsl_command command_for(const struct distro *d, const char *const *words,
                                      int64_t timeout_ms)
{
    const struct limits *limits = d->limits;
    struct wsl_command command = {.words = words, .cancel_fd = -1};
    if (limits && limits->cancel) {
        command.cancel = &limits->cancel->triggered;
        command.cancel_fd = limits->cancel->fd;
    }
    if (limits && limits->deadline_ms)
        command.deadline_ms = limits->deadline_ms;
    int64_t own = timeout_ms ? dr_clock_ms() + timeout_ms : 0;
    if (own && (!command.deadline_ms || own < command.deadline_ms))
        command.deadline_ms = own;
    return command;
}

/* ---- what is there ---- */

int distro_is_registered(const struct distro *d, bool *ret, struct dr_error *err)
{
    static const char *const words[] = {"--list", "--all", "--quiet", NULL};
    struct wsl_command command = command_for(d, words, LIST_MS);
    dr_auto_free char *text = NULL;
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    bool found = false;
    if (wsl_run(&command, &text, &why) < 0) {
        /* older ones fail when there is none at all, and say so in prose */
        if (why.kind != DR_ERR_INTERNAL)
            return dr_error_move(err, &why);
        *ret = false;
        return 0;
    }
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        found = found || strcasecmp(line, d->name) == 0;
    *ret = found;
    return 0;
}

bool distro_has_disk(const struct distro *d)
{
    struct stat st;
    dr_auto_free char *disk = dr_path_join(d->dir, DISK);
    return stat(disk, &st) == 0;
}

/* ---- making and removing ---- */

struct feeding {
    int (*write)(void *arg,
                 int (*sink)(void *to, const void *data, size_t len,
                             struct dr_error *err),
                 void *to, struct dr_error *err);
    void *arg;
};

static int to_stdin(void *to, const void *data, size_t len, struct dr_error *err)
{
    return wsl_stdin_write(to, data, len, err);
}

static int feed_tar(void *arg, struct wsl_stdin *to, struct dr_error *err)
{
    struct feeding *feeding = arg;
    return feeding->write(feeding->arg, to_stdin, to, err);
}

/* What WSL itself takes back when an import fails; and what it did not, since we were not
 * there any more to be told. */
static void take_back(const struct distro *d)
{
    const struct distro quiet = {d->name, d->dir, NULL}; /* also when it was cancelled */
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    bool there = false;
    if (distro_has_disk(d) && distro_is_registered(&quiet, &there, &ignored) == 0 &&
        there)
        distro_unregister(&quiet, &ignored);
    rmdir(d->dir);
}

int distro_import(const struct distro *d,
                  int (*write)(void *arg,
                               int (*sink)(void *to, const void *data, size_t len,
                                           struct dr_error *err),
                               void *to, struct dr_error *err),
                  void *arg, struct dr_error *err)
{
    const char *const words[] = {"--import",  d->name, d->dir, "-",
                                 "--version", "2",     NULL};
    struct wsl_command command = command_for(d, words, 0);
    struct feeding feeding = {write, arg};
    command.feed = feed_tar;
    command.arg = &feeding;
    command.spoil = true;
    if (wsl_run(&command, NULL, err) == 0)
        return 0;
    if (err->kind != DR_ERR_EXISTS) /* that one is not ours */
        take_back(d);
    return -1;
}

struct script {
    const char *text;
};

static int feed_script(void *arg, struct wsl_stdin *to, struct dr_error *err)
{
    const struct script *script = arg;
    return wsl_stdin_write(to, script->text, strlen(script->text), err);
}

int distro_run(const struct distro *d, const char *script, struct dr_error *err)
{
    const char *const words[] = {"-d", d->name,  "-u",      "root", "--cd",
                                 "/",  "--exec", "/bin/sh", NULL};
    struct wsl_command command = command_for(d, words, 0);
    struct script feeding = {script};
    command.feed = feed_script;
    command.arg = &feeding;
    return wsl_run(&command, NULL, err);
}

int distro_unregister(const struct distro *d, struct dr_error *err)
{
    const char *const words[] = {"--unregister", d->name, NULL};
    struct wsl_command command = command_for(d, words, UNREGISTER_MS);
    if (wsl_run(&command, NULL, err) < 0)
        return -1;
    rmdir(d->dir);
    return 0;
}
