/* SPDX-License-Identifier: Apache-2.0 */
/* C04: a distro out of an image or a root file system, and the target that it becomes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "host/config.h"
#include "host/distro.h"
#include "host/rootfs.h"
#include "transport/address.h"

#define CONNECT_MS 60000

/* Quiet, since its words are the error's text. */
static const char install_script[] =
    "{\n"
    "exec </dev/null\n"
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    "export DEBIAN_FRONTEND=noninteractive\n"
    "has() { command -v $1 >/dev/null 2>&1; }\n"
    "if has apt-get; then\n"
    "  apt-get update -qq && apt-get install -y -qq --no-install-recommends crun\n"
    "elif has dnf; then dnf install -y -q crun\n"
    "elif has microdnf; then microdnf install -y crun\n"
    "elif has apk; then apk add --no-cache -q crun\n"
    "elif has zypper; then zypper --non-interactive --quiet install crun\n"
    "elif has pacman; then pacman -Sy --noconfirm crun\n"
    "else echo DRAY-NO-MANAGER; exit 1\n"
    "fi\n"
    "exit\n"
    "}\n";

struct making {
    const struct dray_distro_options *options;
    struct distro distro;
    char *url, *journal;
    int journal_fd;
    bool dir_made;
    char *runtime; /* in the distro, when we brought it */
};

static void step(const struct making *m, const char *fmt, ...) DR_PRINTF(2, 3);
static void step(const struct making *m, const char *fmt, ...)
{
    if (!m->options->step)
        return;
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    m->options->step(m->options->step_arg, text);
}

/* ---- the journal: what a crash leaves is undone by who comes next ---- */

static int undo(const char *name, const char *dir, struct dr_error *err)
{
    const struct distro left = {(char *)name, (char *)dir, NULL};
    bool there = false;
    if (distro_has_disk(&left) && distro_is_registered(&left, &there, err) < 0)
        return -1;
    if (there && distro_unregister(&left, err) < 0)
        return -1;
    rmdir(dir);
    return 0;
}

static int journal_begin(struct making *m, const char *place, struct dr_error *err)
{
    dr_auto_free char *making = dr_path_join(place, ".making");
    dr_auto_buf struct dr_buf left = DR_BUF_INIT(64 << 10);
    m->journal = dr_path_join(making, m->distro.name);
    if (dr_mkdir_all(making, 0700, err) < 0)
        return -1;
    int rc = dr_lock(AT_FDCWD, m->journal, true, false, &m->journal_fd, err);
    if (rc == -2)
        return dr_fail(err, DR_ERR_CONFLICT, "another dray is making the distro %s",
                       m->distro.name);
    if (rc < 0 || dr_file_read(AT_FDCWD, m->journal, &left, err) < 0)
        return -1;
    if (left.len > 0 && undo(m->distro.name, left.data, err) < 0)
        return dr_wrap(err, "undo what an earlier dray has left of the distro %s",
                       m->distro.name);
    if (ftruncate(m->journal_fd, 0) < 0 || lseek(m->journal_fd, 0, SEEK_SET) < 0 ||
        dr_write_full(m->journal_fd, m->distro.dir, strlen(m->distro.dir)) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write %s", m->journal);
    return 0;
}

/* Nothing of it is half-made any more. */
static void journal_end(struct making *m)
{
    if (m->journal_fd >= 0)
        unlink(m->journal);
    dr_cleanup_fd(&m->journal_fd);
    m->journal_fd = -1;
}

/* ---- before anything is made ---- */

static int check_name(const char *name, struct dr_error *err)
{
    dr_auto_user_config struct config config = {0};
    if (!config_name_ok(name)) {
        dr_auto_free char *safe = dr_escape(name, 100);
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' cannot be the name of a distro: it is letters, digits, _, . "
                       "and -, and not local",
                       safe);
    }
    if (config_read(&config, err) < 0)
        return -1;
    for (size_t i = 0; i < config.count; i++)
        if (strcmp(config.targets[i].name, name) == 0)
            return dr_fail(err, DR_ERR_EXISTS, "a target %s is there already", name);
    return 0;
}

static int choose_dir(struct making *m, const char *place, struct dr_error *err)
{
    const char *given = m->options->dir;
    if (given && !dr_path_is_absolute(given))
        return dr_fail(err, DR_ERR_INVALID, "'%s' is not an absolute path", given);
    m->distro.dir = given ? dr_strdup(given) : dr_path_join(place, m->distro.name);
    return 0;
}

/* wsl.exe makes only the last component. */
static int check_dir(const struct making *m, struct dr_error *err)
{
    const char *dir = m->distro.dir;
    dr_auto_free char *parent = dr_path_parent(dir);
    if (rmdir(dir) < 0 && errno != ENOENT) /* an empty one is as good as none */
        return dr_fail(err, DR_ERR_EXISTS,
                       "the directory %s is there already, and not empty; choose "
                       "another one by --dir",
                       dir);
    return dr_mkdir_all(parent, 0700, err);
}

static int check_free(const struct making *m, struct dr_error *err)
{
    bool there;
    if (distro_is_registered(&m->distro, &there, err) < 0)
        return -1;
    if (there)
        return dr_fail(err, DR_ERR_EXISTS,
                       "a distro %s is there already; choose another name, or use it as "
                       "it is: dray target add %s %s",
                       m->distro.name, m->distro.name, m->url);
    return check_dir(m, err);
}

/* ---- after the import ---- */

static int open_it(const struct making *m, struct dray_target **ret, struct dr_error *err)
{
    const struct dray_open_options open = {.size = sizeof open,
                                           .target = m->url,
                                           .runtime = m->runtime,
                                           .connect_timeout_ms = CONNECT_MS};
    return target_open(&open, NULL, ret, err);
}

/* What is missing for containers, first of all something else than a runtime. 1: only a
 * runtime. */
static int examine(const struct making *m, struct dray_target *target,
                   struct dr_error *err)
{
    dr_auto_json json_t *items = NULL;
    json_t *one, *runtime = NULL;
    size_t i;
    if (request_list(target, request_new("system.examine"), m->distro.limits, &items,
                     err) < 0)
        return -1;
    json_array_foreach (items, i, one) {
        if (strcmp(dr_json_str(one, "state"), "missing") != 0)
            continue;
        if (strcmp(dr_json_str(one, "what"), "runtime") == 0) {
            runtime = one;
            continue;
        }
        const char *advice = dr_json_str(one, "advice");
        return dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFIG, 0, "%s: %s%s%s",
                          dr_json_str(one, "what"), dr_json_str(one, "text"),
                          advice ? "; " : "", advice ? advice : "");
    }
    if (!runtime)
        return 0;
    dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFIG, 0, "%s", dr_json_str(runtime, "text"));
    return 1;
}

static int look(const struct making *m, json_t **ret_runtime, struct dr_error *err)
{
    struct dray_target *target;
    dr_auto_json json_t *info = NULL;
    if (open_it(m, &target, err) < 0)
        return -1;
    int rc = examine(m, target, err);
    if (rc == 0)
        rc = request_call(target, request_new("system.info"), m->distro.limits, &info,
                          err);
    dray_close(target);
    const json_t *runtime = dr_json_object(info, "runtime");
    /* its version is what it says when it is run */
    if (rc == 0 && !dr_json_str(runtime, "version"))
        return dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFIG, 0,
                          "%s does not run in the distro; it must be a static program, "
                          "or find its libraries there",
                          m->runtime ? m->options->runtime_file
                                     : dr_json_str(runtime, "path"));
    if (rc == 0)
        *ret_runtime = json_incref((json_t *)(uintptr_t)runtime);
    return rc;
}

static int install(const struct making *m, struct dr_error *err)
{
    static const char way[] =
        "give a static crun, youki or runc by --runtime-file, or an image that has one";
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    step(m, "It has no OCI runtime: installing crun by its package manager");
    if (distro_run(&m->distro, install_script, &why) == 0)
        return 0;
    if (why.kind == DR_ERR_CANCELLED || why.kind == DR_ERR_UNAVAILABLE)
        return dr_error_move(err, &why);
    if (strstr(why.text, "DRAY-NO-MANAGER"))
        return dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFIG, 0,
                          "it has no OCI runtime, and no package manager that could "
                          "install one; %s",
                          way);
    return dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFIG, 0,
                      "it has no OCI runtime, and its package manager could not install "
                      "crun: %s; %s",
                      why.text, way);
}

/* A runtime is there in the end, and everything else that containers need. */
static int make_fit(const struct making *m, json_t **ret_runtime, struct dr_error *err)
{
    step(m, "Checking it");
    int rc = look(m, ret_runtime, err);
    if (rc != 1)
        return rc;
    if (m->runtime)
        return -1; /* what was brought does not work: the text says why */
    dr_error_release(err);
    if (install(m, err) < 0)
        return -1;
    rc = look(m, ret_runtime, err);
    return rc == 0 ? 0 : -1;
}

static int record(const struct making *m, struct dr_error *err)
{
    const struct config_target target = {.name = m->distro.name,
                                         .url = m->url,
                                         .runtime = m->runtime,
                                         .distro_dir = m->distro.dir};
    if (config_add(&target, err) < 0)
        return -1;
    if (!m->options->use || config_use(m->distro.name, err) == 0)
        return 0;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    config_remove(m->distro.name, &ignored);
    return -1;
}

/* ---- all of it ---- */

static int write_rootfs(void *arg,
                        int (*sink)(void *to, const void *data, size_t len,
                                    struct dr_error *err),
                        void *to, struct dr_error *err)
{
    return rootfs_write(arg, sink, to, err);
}

static int import(struct making *m, const struct rootfs_options *from,
                  struct dr_error *err)
{
    struct rootfs *rootfs;
    step(m, "Reading %s", from->from);
    if (rootfs_open(from, m->distro.limits, &rootfs, err) < 0)
        return -1;
    step(m, "Making the distro %s in %s", m->distro.name, m->distro.dir);
    int rc = distro_import(&m->distro, write_rootfs, rootfs, err);
    rootfs_close(rootfs);
    return rc;
}

static void take_back(const struct making *m, struct dr_error *err)
{
    const struct distro quiet = {m->distro.name, m->distro.dir, NULL};
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (distro_unregister(&quiet, &why) == 0)
        return;
    dr_auto_free char *was = dr_strdup(err->text);
    err->text[0] = '\0';
    dr_wrap(err,
            "%s; and the distro %s could not be removed again (%s): `wsl "
            "--unregister %s` does that",
            was, m->distro.name, why.text, m->distro.name);
}

static int make(struct making *m, const struct rootfs_options *from, json_t **ret_runtime,
                struct dr_error *err)
{
    dr_auto_free char *place = distro_place(err);
    if (!place || choose_dir(m, place, err) < 0 || journal_begin(m, place, err) < 0 ||
        check_free(m, err) < 0 || import(m, from, err) < 0)
        return -1;
    if (make_fit(m, ret_runtime, err) == 0 && record(m, err) == 0)
        return 0;
    dr_wrap(err, "the distro %s was removed again", m->distro.name);
    take_back(m, err);
    return -1;
}

static int check_options(const char *name, const struct dray_distro_options *o,
                         struct dr_error *err)
{
    if (!o->from || !*o->from)
        return dr_fail(err, DR_ERR_INVALID,
                       "say what the distro is made of: an image, as --from alpine, or a "
                       "root file system, as --from ./rootfs.tar.gz");
    if (getenv("WSL_DISTRO_NAME"))
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "this is inside of WSL; distros are made on Windows, by dray.exe");
    return check_name(name, err);
}

/* "/tmp/crun-1.20-linux-amd64" becomes usr/local/bin/crun: it is known by that name. */
static char *program_path(const char *file)
{
    static const char *const names[] = {"youki", "crun", "runc"};
    const char *name = dr_path_last(file);
    for (size_t i = 0; i < DR_COUNT(names); i++)
        if (strncasecmp(name, names[i], strlen(names[i])) == 0)
            return dr_printf("usr/local/bin/%s", names[i]);
    return dr_strdup("usr/local/bin/crun");
}

static int create(const char *name, const struct dray_distro_options *o,
                  const struct limits *limits, json_t **ret, struct dr_error *err)
{
    if (check_options(name, o, err) < 0)
        return -1;
    struct making m = {.options = o, .journal_fd = -1};
    dr_auto_json json_t *runtime = NULL;
    dr_auto_free char *path = o->runtime_file ? program_path(o->runtime_file) : NULL;
    const struct rootfs_options from = {.from = o->from,
                                        .platform = o->platform,
                                        .cache_dir = o->cache_dir,
                                        .registry = o->registry,
                                        .program = o->runtime_file,
                                        .program_path = path};
    m.distro.name = dr_strdup(name);
    m.distro.limits = limits;
    m.url = dr_printf("wsl://%s", name);
    m.runtime = path ? dr_printf("/%s", path) : NULL;
    int rc = make(&m, &from, &runtime, err);
    journal_end(&m);
    if (rc == 0) {
        *ret =
            json_pack("{s:s,s:s,s:s}", "name", name, "url", m.url, "dir", m.distro.dir);
        json_object_set(*ret, "runtime", runtime);
    }
    free(m.distro.name);
    free(m.distro.dir);
    free(m.url);
    free(m.journal);
    free(m.runtime);
    return rc;
}

int dray_distro_create(const char *name, const struct dray_distro_options *options,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *json = NULL;
    struct dray_distro_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = API_COPY(&o, options, &err);
    if (rc == 0)
        rc = create(name ? name : "dray", &o, &limits, &json, &err);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(json);
    return api_end(rc, &err, ret_err);
}

/* ---- and away with it ---- */

static int not_ours(const struct config_target *t, const char *why, struct dr_error *err)
{
    dr_auto_address struct transport_address address = {TRANSPORT_LOCAL};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (transport_address_parse(t->url, &address, &ignored) < 0 ||
        address.scheme != TRANSPORT_WSL)
        return dr_fail(err, DR_ERR_INVALID, "target %s is no distro", t->name);
    dr_auto_free char *safe = dr_escape(address.host, 100);
    return dr_fail(err, DR_ERR_CONFLICT,
                   "%s, so dray does not remove it; `wsl --unregister %s` does, with all "
                   "that is in it",
                   why, safe);
}

static int unregister(const char *name, const struct limits *limits, struct dr_error *err)
{
    dr_auto_user_config struct config config = {0};
    const struct config_target *t = NULL;
    if (config_read(&config, err) < 0)
        return -1;
    for (size_t i = 0; i < config.count && name; i++)
        if (strcmp(config.targets[i].name, name) == 0)
            t = &config.targets[i];
    if (!t)
        return config_remove(name ? name : "", err); /* which says so */
    if (!t->distro_dir)
        return not_ours(t, "the distro was not made by dray", err);
    const struct distro d = {t->name, t->distro_dir, limits};
    bool there;
    if (distro_is_registered(&d, &there, err) < 0)
        return -1;
    if (there && !distro_has_disk(&d))
        return not_ours(t, "the distro of that name is not the one that dray made", err);
    if (there && distro_unregister(&d, err) < 0)
        return -1;
    rmdir(t->distro_dir); /* empty, when somebody else has unregistered it */
    return config_remove(name, err);
}

int dray_distro_unregister(const char *target, const struct dray_call *call,
                           struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    return api_end(unregister(target, &limits, &err), &err, ret_err);
}
