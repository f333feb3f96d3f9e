/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/create.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/words.h"
#include "guest/bundle/bundle.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/bundles.h"
#include "guest/container/container.h"
#include "guest/container/event.h"
#include "guest/container/filter.h"
#include "guest/container/health.h"
#include "guest/container/journal.h"
#include "guest/container/names.h"
#include "guest/container/volumes.h"
#include "guest/images/images.h"
#include "guest/init/carry.h"
#include "guest/net/namespace.h"
#include "guest/net/net.h"
#include "guest/runtime/runtime.h"
#include "guest/volumes/volumes.h"

#define ENTER_MS 5000

static struct bundle_facts facts;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

static void read_facts(void)
{
    bundle_facts_read(&facts);
}

const struct bundle_facts *container_facts(void)
{
    pthread_once(&facts_once, read_facts);
    return &facts;
}

/* What is known before anything is made. */
struct plan {
    struct guest *guest;
    struct spec_container *spec;
    bool for_run;
    struct image image;
    struct layer_stack stack;
    struct runtime runtime;
    char *name, *slug, *hostname, *bundle, *rootfs, *log;
    json_t *volumes, *config;
    char *self; /* this program, which is also the containers' init */
};

static void plan_release(struct plan *plan)
{
    image_release(&plan->image);
    layer_stack_release(&plan->stack);
    runtime_release(&plan->runtime);
    free(plan->name);
    free(plan->slug);
    free(plan->hostname);
    free(plan->bundle);
    free(plan->rootfs);
    free(plan->log);
    free(plan->self);
    json_decref(plan->volumes);
    json_decref(plan->config);
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

static int resolve_user(struct plan *plan, struct bundle_user *ret, struct dr_error *err)
{
    size_t count = dr_strv_len(plan->stack.lowers);
    int *fds = dr_alloc((count + 1) * sizeof *fds), result = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i] = open(plan->stack.lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[i] < 0 && result == 0)
            result =
                dr_fail_errno(err, DR_ERR_CREATE, "open layer %s", plan->stack.lowers[i]);
    }
    if (result == 0)
        result = bundle_resolve_user(
            fds, count, bundle_user_text(plan->spec, plan->image.config), ret, err);
    close_all(fds, count);
    return result;
}

static int plan_volumes(struct plan *plan, struct dr_error *err)
{
    dr_auto_strv char **targets =
        bundle_image_volumes(plan->spec, plan->image.config, err);
    if (!targets)
        return -1;
    plan->volumes = volumes_plan(plan->guest, plan->spec, targets, err);
    return plan->volumes ? 0 : -1;
}

/* config.json, from volumes, user and files that may not exist yet. */
static int plan_config(struct plan *plan, const char *id, const char *dir,
                       struct dr_error *err)
{
    const struct spec_container *spec = plan->spec;
    bundle_auto_user struct bundle_user user = {0};
    if (resolve_user(plan, &user, err) < 0)
        return -1;
    dr_auto_free const char **sources =
        dr_alloc((spec->mount_count + 1) * sizeof *sources);
    size_t all = json_array_size(plan->volumes), used = 0, i;
    for (i = 0; i < spec->mount_count; i++)
        if (spec->mounts[i].type == SPEC_MOUNT_VOLUME)
            sources[i] = dr_json_str(json_array_get(plan->volumes, used++), "source");
    dr_auto_free struct bundle_volume *image = dr_alloc((all + 1) * sizeof *image);
    for (i = used; i < all; i++) {
        json_t *volume = json_array_get(plan->volumes, i);
        image[i - used] = (struct bundle_volume){.target = dr_json_str(volume, "target"),
                                                 .source = dr_json_str(volume, "source")};
    }
    dr_auto_free char *hosts = dr_path_join(dir, "hosts");
    dr_auto_free char *hostname = dr_path_join(dir, "hostname");
    dr_auto_free char *resolv = dr_path_join(dir, "resolv.conf");
    dr_auto_free char *cgroup = cgroup_path(id);
    dr_auto_free char *run_dir = container_run_dir(plan->guest, id);
    dr_auto_free char *netns = dr_path_join(run_dir, NETNS_FILE);
    struct bundle_input input = {.spec = spec,
                                 .image_config = plan->image.config,
                                 .facts = container_facts(),
                                 .user = &user,
                                 .id = id,
                                 .slug = plan->slug,
                                 .hostname = plan->hostname,
                                 .rootfs_path = plan->rootfs,
                                 .cgroups_path = cgroup,
                                 .netns_path = netns,
                                 .hosts_file = hosts,
                                 .hostname_file = hostname,
                                 .resolv_file = resolv,
                                 .init_path = plan->self,
                                 .volume_sources = sources,
                                 .image_volumes = image,
                                 .image_volume_count = all - used};
    plan->config = bundle_config(&input, err);
    if (!plan->config)
        return -1;
    dr_auto_free char *filter = filter_path(plan->guest, &plan->runtime, plan->config);
    filter_use(filter, plan->config);
    return 0;
}

/* What is found out without having made anything. */
static int look_up(struct plan *plan, struct dr_error *err)
{
    const struct spec_container *spec = plan->spec;
    if (spec->name && spec_name_check(spec->name, err) < 0)
        return -1;
    if (!spec->image)
        return dr_fail(err, DR_ERR_INVALID, "the container names no image");
    if (net_check(plan->guest, plan->spec, err) < 0)
        return -1;
    /* A missing runtime is told now, not when the container is started. */
    if (runtime_find(plan->guest->runtime, &plan->runtime, err) < 0 ||
        image_lookup(plan->guest, spec->image_id ? spec->image_id : spec->image,
                     &plan->image, err) < 0)
        return -1;
    return layer_store_stack(plan->guest->layers, plan->image.diff_ids,
                             plan->image.diff_id_count, &plan->stack, err);
}

/* The name, for good. One that is made up gives way to another when it is taken. */
static int take_name(struct plan *plan, const char *id, struct dr_error *err)
{
    const struct spec_container *spec = plan->spec;
    for (int attempt = 0;; attempt++) {
        free(plan->name);
        plan->name = spec->name ? dr_strdup(spec->name)
                     : spec->service
                         ? spec_service_slug(spec->service, (unsigned)spec->replica)
                         : name_generate(attempt);
        if (name_reserve(plan->guest, plan->name, id, err) == 0)
            break;
        if (err->kind != DR_ERR_EXISTS || spec->name || spec->service || attempt == 20)
            return -1;
        dr_error_release(err);
    }
    /* C05: the name of a replica is a slug already */
    bool is_slug = !spec->name && spec->service;
    plan->slug = is_slug ? dr_strdup(plan->name) : spec_slug(plan->name);
    plan->hostname = dr_strdup(spec->hostname ? spec->hostname : plan->slug);
    return 0;
}

static int work_out(struct plan *plan, const char *id, const char *dir, char *bundle,
                    struct dr_error *err)
{
    free(plan->bundle);
    free(plan->rootfs);
    free(plan->log);
    json_decref(DR_TAKE(plan->config));
    plan->bundle = bundle;
    plan->rootfs = dr_path_join(bundle, "rootfs");
    plan->log = bundle_log_path(plan->guest, bundle);
    return plan_config(plan, id, dir, err);
}

static json_t *make_record(const struct plan *plan, const char *id)
{
    const json_t *process = dr_json_object(plan->config, "process");
    json_t *record = json_object(), *run = json_object(), *diff_ids = json_array();
    dr_json_set_int(record, "version", RECORD_VERSION);
    dr_json_set_str(record, "id", id);
    dr_json_set_str(record, "name", plan->name);
    dr_json_set_str(record, "slug", plan->slug);
    dr_json_set_str(record, "image", plan->spec->image);
    dr_json_set_str(record, "image_id", plan->image.id);
    for (size_t i = 0; i < plan->image.diff_id_count; i++)
        json_array_append_new(diff_ids, json_string(plan->image.diff_ids[i].text));
    dr_json_set(record, "diff_ids", diff_ids);
    dr_json_set_int(record, "created_ns", dr_now_ns());
    dr_json_set_str(record, "bundle", plan->bundle);
    if (!plan->spec->log_driver || strcmp(plan->spec->log_driver, "none") != 0)
        dr_json_set_str(record, "log", plan->log);
    dr_json_set_str(record, "hostname", plan->hostname);
    static const char *const kept[] = {"args", "env", "cwd", "user"};
    for (size_t i = 0; i < DR_COUNT(kept); i++)
        dr_json_set(run, kept[i], json_incref(json_object_get(process, kept[i])));
    dr_json_set(record, "process", run);
    dr_json_set_int(record, "stop_signal",
                    bundle_stop_signal(plan->spec, plan->image.config));
    dr_json_set_int(record, "stop_timeout_s",
                    plan->spec->stop_timeout_s >= 0 ? plan->spec->stop_timeout_s : 10);
    dr_json_set(record, "volumes", json_incref(plan->volumes));
    dr_json_set(
        record, "health",
        health_plan(&plan->spec->health, dr_json_object(plan->image.config, "config")));
    dr_json_set(record, "spec", spec_container_to_json(plan->spec));
    dr_json_set(record, "image_config",
                json_incref(dr_json_object(plan->image.config, "config")));
    return record;
}

/* The image's labels; the spec's go on top of them. */
static json_t *image_labels(const struct image *image)
{
    json_t *labels = json_object();
    const char *key;
    json_t *value;
    json_object_foreach (
        dr_json_object(dr_json_object(image->config, "config"), "Labels"), key, value)
        if (json_is_string(value))
            dr_json_set(labels, key, json_incref(value));
    return labels;
}

/* For lists: the volumes' names, or what is bound, and where. NULL: nothing. */
static json_t *shown_mounts(const struct plan *plan)
{
    json_t *shown = json_array(), *volume;
    const struct spec_container *spec = plan->spec;
    size_t i;
    json_array_foreach (plan->volumes, i, volume) {
        json_t *one = json_object();
        dr_json_set_str(one, "name", dr_json_str(volume, "name"));
        dr_json_set_str(one, "target", dr_json_str(volume, "target"));
        json_array_append_new(shown, one);
    }
    for (i = 0; i < spec->mount_count; i++) {
        if (spec->mounts[i].type != SPEC_MOUNT_BIND)
            continue;
        json_t *one = json_object();
        dr_json_set_str(one, "source", spec->mounts[i].source);
        dr_json_set_str(one, "target", spec->mounts[i].target);
        json_array_append_new(shown, one);
    }
    if (json_array_size(shown) > 0)
        return shown;
    json_decref(shown);
    return NULL;
}

static json_t *make_state(const struct plan *plan, const json_t *record)
{
    json_t *state = json_object();
    dr_json_set_int(state, "version", RECORD_VERSION);
    dr_json_set_str(state, "status", "created");
    static const char *const same[] = {"name", "image", "image_id", "created_ns"};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set(state, same[i], json_incref(json_object_get(record, same[i])));
    dr_auto_buf struct dr_buf command =
        DR_BUF_INIT(4096); /* a list shows its beginning */
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    size_t i;
    json_t *word;
    dr_auto_json json_t *words =
        dr_words_shown(dr_json_array(dr_json_object(record, "process"), "args"));
    json_array_foreach (words, i, word)
        if (dr_buf_addf(&command, &full, "%s%s", i ? " " : "", json_string_value(word)) <
            0)
            break;
    dr_auto_free char *text = dr_buf_take(&command);
    dr_json_set_str(state, "command", text);
    json_t *labels = image_labels(&plan->image);
    for (i = 0; plan->spec->labels && plan->spec->labels[i]; i++) {
        const char *label = plan->spec->labels[i], *equals = strchr(label, '=');
        dr_auto_free char *key =
            dr_strndup(label, equals ? (size_t)(equals - label) : strlen(label));
        dr_json_set_str(labels, key, equals ? equals + 1 : "");
    }
    dr_json_set(state, "labels", labels);
    dr_auto_free char *networks = spec_network_names(plan->spec);
    dr_json_set_str(state, "network", networks);
    dr_json_set(state, "mounts", shown_mounts(plan));
    dr_json_set_bool(state, "auto_remove", plan->spec->auto_remove);
    if (plan->spec->restart) {
        dr_json_set_str(state, "restart", plan->spec->restart);
        dr_json_set_int(state, "restart_max", plan->spec->restart_max);
    }
    dr_json_set_str(state, "schedule", plan->spec->schedule);
    if (plan->spec->service) {
        dr_json_set_str(state, "service", plan->spec->service);
        dr_json_set_int(state, "replica", plan->spec->replica);
    }
    dr_json_set_str(state, "deployment", plan->spec->deployment);
    if (plan->for_run)
        dr_json_set_bool(state, "for_run", true);
    return state;
}

static bool is_taken(const char *bundle, const char *log)
{
    return access(bundle, F_OK) == 0 || access(log, F_OK) == 0;
}

/* Of the bundle it is enough that the record is there before: by the container's name it
 * is found without a record, too. Volumes are not. */
static int note_record(const struct plan *plan, const struct container *c,
                       struct dr_error *err)
{
    return json_array_size(plan->volumes) > 0 ? container_write_record(c, err)
                                              : container_note_record(c, err);
}

/*
 * The bundle's directory, and the record that says where it is, before it is there. The
 * slug may be another's: a container keeps its own when it is renamed, and another target
 * may use this bundle root.
 */
static int make_bundle(struct plan *plan, struct container *c, struct dr_error *err)
{
    char *bundle = bundle_path(plan->guest, c->id, plan->slug, false);
    dr_auto_free char *log = bundle_log_path(plan->guest, bundle);
    bool alternative = is_taken(bundle, log);
    if (alternative) {
        free(bundle);
        bundle = bundle_path(plan->guest, c->id, plan->slug, true);
    }
    if (bundle_stage(plan->guest, c->id, err) < 0) {
        free(bundle);
        return -1;
    }
    for (;; alternative = true) {
        if (work_out(plan, c->id, c->dir, bundle, err) < 0)
            return -1;
        json_decref(c->record);
        c->record = make_record(plan, c->id);
        if (note_record(plan, c, err) < 0)
            return -1;
        int claimed = bundle_claim(plan->guest, c->id, plan->bundle, err);
        if (claimed <= 0)
            return claimed;
        if (alternative)
            return dr_fail(err, DR_ERR_EXISTS, "bundle %s exists", plan->bundle);
        bundle = bundle_path(plan->guest, c->id, plan->slug, true);
    }
}

static int write_config(const struct plan *plan, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(plan->bundle, "config.json");
    dr_auto_json json_t *config = json_deep_copy(plan->config);
    carry_process(dr_json_object(config, "process"));
    dr_auto_free char *text = bundle_text(config);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

/* The upper directory is what "/" of the container looks like from inside. */
static int make_upper(const struct plan *plan, const char *dir, struct dr_error *err)
{
    dr_auto_free char *upper = dr_path_join(dir, "upper");
    dr_auto_free char *work = dr_path_join(dir, "work");
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    times[1].tv_sec = plan->stack.root_mtime_ns / 1000000000;
    times[1].tv_nsec = plan->stack.root_mtime_ns % 1000000000;
    if (mkdir(upper, 0755) < 0 || mkdir(work, 0700) < 0 ||
        chown(upper, plan->stack.root_uid, plan->stack.root_gid) < 0 ||
        chmod(upper, plan->stack.root_mode) < 0)
        return dr_fail_errno(err, DR_ERR_CREATE, "make %s", upper);
    if (times[1].tv_nsec >= 0)
        utimensat(AT_FDCWD, upper, times,
                  0); /* a time that cannot be kept is no failure */
    return 0;
}

static int make_directory(const struct guest *guest, const char *dir,
                          struct dr_error *err)
{
    if (mkdir(dir, 0711) == 0)
        return 0;
    if (errno == ENOENT) {
        dr_auto_free char *parent = dr_path_join(guest->root, "containers");
        if (dr_mkdir_all(parent, 0711, err) < 0)
            return -1;
        if (mkdir(dir, 0711) == 0)
            return 0;
    }
    return dr_fail_errno(err, DR_ERR_CREATE, "make %s", dir);
}

/* Each step is undone by container_destroy_by_name. The last one makes it a container;
 * of one that `run` makes that is its monitor's, when it runs. */
static int make_all(struct plan *plan, struct container *c, struct dr_error *err)
{
    const struct spec_container *spec = plan->spec;
    dr_auto_fd int volumes = -1; /* no prune between "it has them" and "they are there" */
    plan->self = realpath("/proc/self/exe", NULL);
    if (make_directory(plan->guest, c->dir, err) < 0 || take_name(plan, c->id, err) < 0 ||
        plan_volumes(plan, err) < 0)
        return -1;
    if (json_array_size(plan->volumes) > 0 &&
        volumes_lock(plan->guest, false, &volumes, err) < 0)
        return -1;
    if (make_bundle(plan, c, err) < 0 ||
        volumes_make(plan->guest, plan->volumes, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->mount_count; i++)
        if (spec->mounts[i].type == SPEC_MOUNT_BIND &&
            bundle_prepare_bind_source(&spec->mounts[i], err) < 0)
            return -1;
    if (make_upper(plan, c->dir, err) < 0 ||
        bundle_write_files(c->dir, plan->hostname, spec_network_first(spec), err) < 0 ||
        write_config(plan, err) < 0)
        return -1;
    c->state = make_state(plan, c->record);
    return plan->for_run ? container_hold_state(c, err)
                         : container_commit_state(c, plan->bundle, err);
}

static int create_locked(struct plan *plan, struct container *c, int *ret_lock,
                         struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    if (look_up(plan, err) < 0)
        return -1;
    /* Nobody knows the id, but a command that starts just now may look for a moment at
     * the entry whose lock is not there yet (journal_take). */
    int entered = journal_enter(plan->guest, c->id, ENTER_MS, &lock, err);
    if (entered == 1 || (entered == 0 && lock < 0))
        return dr_fail(err, DR_ERR_CREATE, "no space left in %s", plan->guest->run_root);
    if (entered < 0)
        return -1;
    if (make_all(plan, c, err) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        container_destroy_by_name(plan->guest, c->id, true, &ignored);
        return -1;
    }
    *ret_lock = DR_TAKE_FD(lock);
    return 0;
}

int container_create(struct guest *guest, struct spec_container *spec, bool for_run,
                     struct container *ret, int *ret_lock, struct dr_error *err)
{
    struct container c = {0};
    dr_random_hex(CONTAINER_ID_HEX, c.id);
    c.dir = container_dir(guest, c.id);
    c.run_dir = container_run_dir(guest, c.id);
    /* from looking at the image until the record names its layers, no sweep may run */
    dr_auto_fd int images = -1;
    struct plan plan = {.guest = guest, .spec = spec, .for_run = for_run};
    int lock = -1, result = image_lock(guest, false, &images, err);
    if (result == 0)
        result = create_locked(&plan, &c, &lock, err);
    plan_release(&plan);
    if (result < 0) {
        container_release(&c);
        return -1;
    }
    container_event(guest, &c, "create", NULL, NULL);
    if (ret_lock)
        *ret_lock = lock;
    else if (journal_leave(guest, c.id, lock, err) < 0) {
        container_release(&c);
        return -1;
    }
    *ret = c;
    return 0;
}
