/* SPDX-License-Identifier: Apache-2.0 */
/* C07, C09 to C12: pulling, and what is done with the images that are there. */
#include "contract.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

/* An image that a test may move, remove and fill the registry with: its reference. Each
 * is removed again with the test. */
static void remove_image(void *reference)
{
    dray_image_remove(target, reference, true, NULL, NULL, ERR);
}

static char *temporary(const char *name)
{
    char *reference = image(name);
    defer(remove_image, reference);
    return reference;
}

static json_t *pulled(const char *reference, enum dray_pull_policy policy)
{
    struct dray_pull_options options = {.size = sizeof options, .policy = policy};
    char *json;
    OK(dray_image_pull(target, reference, &options, NULL, &json, ERR));
    return parsed(json);
}

static bool pull_fails(const char *reference, enum dray_pull_policy policy)
{
    struct dray_pull_options options = {.size = sizeof options, .policy = policy};
    return dray_image_pull(target, reference, &options, NULL, NULL, ERR) < 0;
}

/* How many blobs have been fetched from the registry so far. */
static int blobs_fetched(void)
{
    return atoi(shell(NULL, "grep -c '\"GET /v2/[^ ]*/blobs/' '%s' || :",
                      getenv("CONTRACT_REGISTRY_LOG")));
}

static int requests_made(void)
{
    return atoi(shell(NULL, "grep -c '\"\\(GET\\|HEAD\\) /v2/' '%s' || :",
                      getenv("CONTRACT_REGISTRY_LOG")));
}

/* --- C07 --- */

static void C07_never_takes_what_is_there_and_says_what_is_missing(void **s)
{
    int before = requests_made();
    assert_false(true_at(pulled(busybox, DRAY_PULL_NEVER), "pulled"));
    struct dray_pull_options options = {.size = sizeof options,
                                        .policy = DRAY_PULL_NEVER};
    char *missing = image("never-pulled:1");
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_pull(target, missing, &options, NULL, NULL, ERR),
          "never-pulled:1");
    assert_int_equal(requests_made(), before);
}

static void C07_if_not_present_asks_nobody_when_it_is_there(void **s)
{
    int before = requests_made();
    assert_false(true_at(pulled(busybox, DRAY_PULL_MISSING), "pulled"));
    assert_int_equal(requests_made(), before);
    /* and is the default */
    char *json;
    OK(dray_image_pull(target, busybox, NULL, NULL, &json, ERR));
    assert_false(true_at(parsed(json), "pulled"));
    assert_int_equal(requests_made(), before);
}

static void C07_always_and_newer_see_that_a_tag_has_moved(void **s)
{
    char *moving = temporary("moving:1");
    push("busybox", "moving:1", "config:Labels={\"version\":\"1\"}", NULL);
    json_t *first = pulled(moving, DRAY_PULL_MISSING);
    assert_true(true_at(first, "pulled"));
    push("busybox", "moving:1", "config:Labels={\"version\":\"2\"}", NULL);
    SAME(str_at(pulled(moving, DRAY_PULL_MISSING), "id"), str_at(first, "id"));
    json_t *second = pulled(moving, DRAY_PULL_ALWAYS);
    assert_string_not_equal(str_at(second, "id"), str_at(first, "id"));
    SAME(str_at(image_inspected(moving), "Config.Labels.version"), "2");
    push("busybox", "moving:1", "config:Labels={\"version\":\"3\"}", NULL);
    json_t *third = pulled(moving, DRAY_PULL_NEWER);
    assert_true(true_at(third, "newer"));
    SAME(str_at(image_inspected(moving), "Config.Labels.version"), "3");
    /* nothing new: the same image, and no error */
    SAME(str_at(pulled(moving, DRAY_PULL_NEWER), "id"), str_at(third, "id"));
    SAME(str_at(pulled(moving, DRAY_PULL_ALWAYS), "id"), str_at(third, "id"));
}

static void C07_a_registry_that_is_down_matters_to_always_and_not_to_newer(void **s)
{
    static char unreachable[] = "127.0.0.1:9/busybox:1";
    defer(remove_image, unreachable);
    OK(dray_image_tag(target, busybox, unreachable, NULL, ERR));
    const char *id = str_at(image_inspected(busybox), "Id");
    HAS(id, str_at(pulled(unreachable, DRAY_PULL_MISSING), "id"));
    json_t *newer = pulled(unreachable, DRAY_PULL_NEWER);
    HAS(id, str_at(newer, "id"));
    assert_false(true_at(newer, "newer"));
    assert_true(pull_fails(unreachable, DRAY_PULL_ALWAYS));
    assert_int_equal(last_error->kind, DRAY_ERR_PULL);
    assert_int_equal(last_error->origin, DRAY_AT_REGISTRY);
    HAS(last_error->text, "127.0.0.1:9");
    /* it is still there */
    HAS(id, str_at(pulled(unreachable, DRAY_PULL_NEVER), "id"));
}

static void
C07_what_the_registry_does_not_have_is_pull_failed_and_leaves_nothing(void **s)
{
    char *json;
    OK(dray_image_list(target, NULL, &json, ERR));
    size_t before = json_array_size(parsed(json));
    FAILS(DRAY_ERR_PULL,
          dray_image_pull(target, image("no-such-image:1"), NULL, NULL, NULL, ERR),
          "no-such-image");
    OK(dray_image_list(target, NULL, &json, ERR));
    assert_int_equal(json_array_size(parsed(json)), before);
}

static void C07_a_bad_reference_is_refused_before_anything_is_asked(void **s)
{
    static const char *const bad[] = {"", "library/UPPER:1", "a b", ":tag",
                                      "a@sha256:12"};
    int before = requests_made();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        FAILS(DRAY_ERR_INVALID, dray_image_pull(target, bad[i], NULL, NULL, NULL, ERR));
    assert_int_equal(requests_made(), before);
    char *name;
    OK(dray_reference_normalize("alpine", &name, ERR));
    SAME(keep(name), "docker.io/library/alpine:latest");
    FAILS(DRAY_ERR_INVALID, dray_reference_normalize("a b", &name, ERR), "a b");
}

/* --- C09 --- */

static void C09_the_guest_s_platform_is_taken_whatever_comes_first(void **s)
{
    char *json;
    OK(dray_hello(target, &json, ERR));
    const char *arch = str_at(parsed(json), "arch");
    char *several = temporary("several:1");
    push("busybox", "several:1", text("index=s390x,windows-like,%s", arch), NULL);
    pull(several);
    SAME(str_at(image_inspected(several), "Architecture"), arch);
    SAME(str_at(image_inspected(several), "Os"), "linux");
}

static void C09_a_platform_that_is_not_there_is_refused_and_the_others_are_named(void **s)
{
    char *others = temporary("others:1");
    push("busybox", "others:1", "index=s390x,riscv64", NULL);
    FAILS(DRAY_ERR_PULL, dray_image_pull(target, others, NULL, NULL, NULL, ERR), "s390x",
          "riscv64");
}

static void C09_another_platform_comes_when_it_is_asked_for(void **s)
{
    char *several = temporary("for-others:1");
    push("busybox", "for-others:1", "index=s390x,amd64", NULL);
    struct dray_pull_options options = {.size = sizeof options,
                                        .platform = "linux/s390x"};
    OK(dray_image_pull(target, several, &options, NULL, NULL, ERR));
    SAME(str_at(image_inspected(several), "Architecture"), "s390x");
}

/* --- C10 --- */

static void C10_what_was_pulled_once_is_not_fetched_again(void **s)
{
    char *again = temporary("again:1");
    push("layers", "again:1", "config:Labels={\"for\":\"C10\"}", NULL);
    int start = blobs_fetched();
    pull(again);
    int first = blobs_fetched() - start;
    assert_true(first > 1);
    OK(dray_image_remove(target, again, false, NULL, NULL, ERR));
    pull(again); /* layers and config come out of the host's cache */
    assert_int_equal(blobs_fetched() - start, first);
}

static void C10_gzip_zstd_plain_and_several_members_give_the_same_layer(void **s)
{
    static const char *const forms[] = {"zstd", "none", "gzip-members"};
    const json_t *layers = at(image_inspected(busybox), "RootFS.Layers");
    assert_int_equal(json_array_size(layers), 1);
    for (size_t i = 0; i < 3; i++) {
        /* a cache and a root of its own: the layer is there already otherwise */
        char *name = text("as-%s:1", forms[i]), *place = scratch(), *json;
        push("busybox", name, forms[i], NULL);
        struct dray_open_options options = same_target();
        options.root = text("%s/root", place);
        options.cache_dir = text("%s/cache", place);
        struct dray_target *other = opened(&options);
        OK(dray_image_pull(other, image(name), NULL, NULL, NULL, ERR));
        OK(dray_image_inspect(other, image(name), NULL, &json, ERR));
        assert_true(json_equal(at(parsed(json), "RootFS.Layers"), layers));
        struct dray_spec *spec = keep_spec(dray_spec_new(image(name)));
        add(spec, "args", "cat");
        add(spec, "args", "/etc/passwd");
        set(spec, "rm", "true");
        struct dray_stream *stream;
        OK(dray_container_run(other, spec, NULL, NULL, &stream, ERR));
        HAS(drained(stream).out, "an app");
    }
}

static void C10_a_layer_that_is_broken_never_becomes_visible(void **s)
{
    char *broken = temporary("broken:1");
    push("real", "broken:1", "truncate", NULL);
    char *before = shell(NULL, "ls '%s/layers'", root);
    FAILS(DRAY_ERR_PULL, dray_image_pull(target, broken, NULL, NULL, NULL, ERR));
    SAME(shell(NULL, "ls '%s/layers'", root), before);
    FAILS(DRAY_ERR_NOT_FOUND,
          dray_image_history(target, broken, NULL, &(char *){NULL}, ERR));
}

/* --- C11 --- */

struct watch {
    int64_t helper;
    int steps, sockets;
};

/* Are there network sockets among the descriptors of a process? */
static int network_sockets(int64_t pid)
{
    int found = 0;
    char path[64], link[256];
    snprintf(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    FILE *file = fopen("/proc/net/tcp", "re");
    static char tcp[1 << 16];
    size_t len = file ? fread(tcp, 1, sizeof tcp - 1, file) : 0;
    tcp[len] = '\0';
    if (file)
        fclose(file);
    DIR *fds = opendir(path);
    for (struct dirent *entry; fds && (entry = readdir(fds));) {
        char inode[32], name[128];
        snprintf(name, sizeof name, "%s/%.20s", path, entry->d_name);
        ssize_t n = readlink(name, link, sizeof link - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        if (sscanf(link, "socket:[%30[0-9]]", inode) == 1 && strstr(tcp, inode))
            found++;
    }
    if (fds)
        closedir(fds);
    return found;
}

static void look(void *arg, const struct dray_progress *step)
{
    struct watch *watch = arg;
    watch->steps++;
    watch->sockets += network_sockets(watch->helper);
    assert_true(step->size >= sizeof *step);
}

static void C11_the_registry_is_spoken_to_by_the_host_alone(void **s)
{
    char *json, *watched = temporary("watched:1"), *place = scratch();
    push("busybox", "watched:1", "zstd", NULL);
    struct dray_open_options other_place = same_target();
    other_place.root = text("%s/root", place);
    other_place.cache_dir = text("%s/cache", place);
    struct dray_target *other = opened(&other_place);
    OK(dray_hello(other, &json, ERR));
    struct watch watch = {.helper = int_at(parsed(json), "pid")};
    struct dray_pull_options options = {
        .size = sizeof options, .progress = look, .progress_arg = &watch};
    OK(dray_image_pull(other, watched, &options, NULL, NULL, ERR));
    assert_true(watch.steps >= 2);
    assert_int_equal(watch.sockets, 0);
}

/* --- C12 --- */

static void C12_list_shows_every_image_with_its_names(void **s)
{
    char *json;
    OK(dray_image_list(target, NULL, &json, ERR));
    json_t *list = parsed(json);
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i), *its_names = at(item, "names");
        for (size_t j = 0; j < json_array_size(its_names); j++)
            if (strcmp(json_string_value(json_array_get(its_names, j)), busybox) == 0)
                found = item;
    }
    assert_non_null(found);
    assert_true(int_at(found, "size") > 100000);
    assert_true(json_is_integer(at(found, "created_ns")));
    SAME(str_at(found, "tags.0.tag"), "1");
    HAS(str_at(found, "tags.0.repository"), "busybox");
}

static void C12_inspect_is_in_docker_s_shape(void **s)
{
    json_t *json = image_inspected(conf);
    HAS(str_at(json, "Id"), "sha256:");
    HAS(str_at(json, "RepoTags.0"), "conf:1");
    HAS(str_at(json, "RepoDigests.0"), "@sha256:");
    SAME(str_at(json, "Config.User"), "app");
    SAME(str_at(json, "Config.WorkingDir"), "/made/by/dray");
    SAME(str_at(json, "Config.StopSignal"), "SIGUSR1");
    SAME(str_at(json, "Os"), "linux");
    FAILS(DRAY_ERR_NOT_FOUND,
          dray_image_inspect(target, image("nope:1"), NULL, &(char *){NULL}, ERR),
          "nope:1");
}

static void C12_images_are_named_by_id_and_by_prefix_too(void **s)
{
    const char *id = str_at(image_inspected(busybox), "Id");
    SAME(str_at(image_inspected(id), "Id"), id);
    SAME(str_at(image_inspected(id + 7), "Id"), id);
    SAME(str_at(image_inspected(text("%.12s", id + 7)), "Id"), id);
}

static void C12_history_tells_the_layers_newest_first(void **s)
{
    char *json;
    OK(dray_image_history(target, image("busybox:1"), NULL, &json, ERR));
    json_t *history = parsed(json);
    assert_true(json_array_size(history) >= 1);
    int64_t size = 0;
    for (size_t i = 0; i < json_array_size(history); i++)
        size += int_at(json_array_get(history, i), "size");
    assert_true(size > 100000);
}

static void C12_tag_names_an_image_again_and_takes_a_name_over(void **s)
{
    static char other[] = "localhost/other:tag";
    defer(remove_image, other);
    OK(dray_image_tag(target, busybox, other, NULL, ERR));
    SAME(str_at(image_inspected(other), "Id"), str_at(image_inspected(busybox), "Id"));
    OK(dray_image_tag(target, conf, other, NULL, ERR));
    SAME(str_at(image_inspected(other), "Id"), str_at(image_inspected(conf), "Id"));
    struct dray_spec *spec = keep_spec(dray_spec_new(other));
    add(spec, "entrypoint", "true");
    set(spec, "rm", "true");
    assert_int_equal(ran(spec).code, 0);
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_tag(target, "nope:1", other, NULL, ERR), "nope");
    FAILS(DRAY_ERR_INVALID, dray_image_tag(target, busybox, "NOT A NAME", NULL, ERR));
}

static void C12_remove_takes_a_name_first_and_the_image_with_the_last(void **s)
{
    char *json, *mine = temporary("mine:1");
    static char second[] = "localhost/second:1";
    push("busybox", "mine:1", "config:Labels={\"for\":\"remove\"}", NULL);
    pull(mine);
    OK(dray_image_tag(target, mine, second, NULL, ERR));
    const char *id = str_at(image_inspected(mine), "Id");
    FAILS(DRAY_ERR_CONFLICT, dray_image_remove(target, id, false, NULL, NULL, ERR));
    OK(dray_image_remove(target, mine, false, NULL, &json, ERR));
    json_t *done = parsed(json);
    assert_int_equal(json_array_size(at(done, "untagged")), 1);
    assert_int_equal(json_array_size(at(done, "deleted")), 0);
    SAME(str_at(image_inspected(second), "Id"), id);
    OK(dray_image_remove(target, second, false, NULL, &json, ERR));
    assert_true(json_array_size(at(parsed(json), "deleted")) >= 1);
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_remove(target, second, false, NULL, NULL, ERR),
          "second");
}

static void C12_remove_refuses_an_image_that_a_container_uses(void **s)
{
    created(spec_for("user", "true", NULL));
    FAILS(DRAY_ERR_CONFLICT, dray_image_remove(target, busybox, false, NULL, NULL, ERR),
          "user");
    assert_int_equal(ran_sh("exit 4").code, 4);
}

static void C12_prune_removes_what_has_no_name_and_no_container(void **s)
{
    char *json, *moved = temporary("pruned:1");
    OK(dray_image_prune(target, false, NULL, NULL, NULL, ERR)); /* of the tests before */
    push("busybox", "pruned:1", "config:Labels={\"old\":\"yes\"}", NULL);
    pull(moved);
    const char *old = str_at(image_inspected(moved), "Id");
    push("busybox", "pruned:1", "config:Labels={\"old\":\"no\"}", NULL);
    pulled(moved, DRAY_PULL_ALWAYS);
    const char *new = str_at(image_inspected(moved), "Id");
    /* one without a name is kept as long as a container has it */
    struct dray_spec *spec = keep_spec(dray_spec_new(old));
    set(spec, "name", "has-it");
    add(spec, "args", "true");
    created(spec);
    OK(dray_image_prune(target, false, NULL, NULL, &json, ERR));
    assert_int_equal(json_array_size(at(parsed(json), "deleted")), 0);
    OK(dray_container_remove(target, "has-it", false, false, NULL, ERR));
    OK(dray_image_prune(target, false, NULL, NULL, &json, ERR));
    assert_true(json_array_size(at(parsed(json), "deleted")) >= 1);
    FAILS(DRAY_ERR_NOT_FOUND,
          dray_image_history(target, old, NULL, &(char *){NULL}, ERR));
    SAME(str_at(image_inspected(moved), "Id"), new);
    SAME(str_at(image_inspected(busybox), "Os"), "linux");
}

static const char *const one_image[] = {NULL, NULL};

static int save_to(const char *path, enum dray_archive_format format, const char *image)
{
    const char *const images[] = {image, NULL};
    struct dray_save_options options = {
        .size = sizeof options, .format = format, .path = path};
    return dray_image_save(target, images, &options, NULL, ERR);
}

static void C12_a_saved_image_is_loaded_again_under_its_name_and_id(void **s)
{
    static const enum dray_archive_format formats[] = {DRAY_DOCKER_ARCHIVE,
                                                       DRAY_OCI_ARCHIVE, DRAY_OCI_DIR};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char *path = text("%s/%zu", scratch(), i), *json, *saved = temporary("saved:1");
        push("busybox", "saved:1", "config:Labels={\"for\":\"saving\"}", NULL);
        pull(saved);
        char *id = text("%s", str_at(image_inspected(saved), "Id"));
        OK(save_to(path, formats[i], saved));
        OK(dray_image_remove(target, saved, false, NULL, NULL, ERR));
        struct dray_load_options options = {.size = sizeof options, .path = path};
        OK(dray_image_load(target, &options, NULL, &json, ERR));
        json_t *loaded = parsed(json);
        assert_int_equal(json_array_size(loaded), 1);
        SAME(str_at(loaded, "0.id"), id);
        SAME(str_at(loaded, "0.names.0"), saved);
        SAME(str_at(image_inspected(saved), "Id"), id);
    }
}

static void C12_save_and_load_say_what_is_wrong_and_leave_nothing(void **s)
{
    char *path = text("%s/x", scratch());
    FAILS(DRAY_ERR_NOT_FOUND, save_to(path, DRAY_OCI_ARCHIVE, "never-saved:1"),
          "never-saved:1");
    assert_false(exists(path));
    FAILS(DRAY_ERR_INVALID,
          dray_image_save(
              target, one_image,
              &(struct dray_save_options){.size = sizeof(struct dray_save_options)}, NULL,
              ERR),
          "no image is given");
    spill(path, "no archive", 0600);
    struct dray_load_options options = {.size = sizeof options, .path = path};
    FAILS(DRAY_ERR_FORMAT, dray_image_load(target, &options, NULL, NULL, ERR), path);
}

static void C12_a_pushed_image_is_pulled_again_with_its_id(void **s)
{
    char *json, *pushed = temporary("pushed-again:1");
    OK(dray_image_tag(target, busybox, pushed, NULL, ERR));
    OK(dray_image_push(target, pushed, NULL, NULL, &json, ERR));
    char *digest = text("%s", str_at(parsed(json), "digest"));
    OK(dray_image_remove(target, pushed, false, NULL, NULL, ERR));
    SAME(str_at(pulled(pushed, DRAY_PULL_ALWAYS), "digest"), digest);
    SAME(str_at(image_inspected(pushed), "Id"), str_at(image_inspected(busybox), "Id"));
}

static void C12_an_exported_root_is_imported_as_an_image_that_runs(void **s)
{
    char *place = scratch(), *tar = text("%s/root.tar", place), *id = NULL;
    const char *const changes[] = {"CMD [\"echo\", \"imported\"]", NULL};
    char *name = temporary("imported:1");
    shell(NULL,
          "mkdir -p '%s/r/bin' && cp /bin/busybox '%s/r/bin/echo' && "
          "tar -cf '%s' -C '%s/r' .",
          place, place, tar, place);
    struct dray_import_options options = {
        .size = sizeof options, .path = tar, .name = name, .changes = changes};
    OK(dray_image_import(target, &options, NULL, &id, ERR));
    SAME(str_at(image_inspected(name), "Id"), keep(id));
    struct dray_spec *spec = keep_spec(dray_spec_new(name));
    set(spec, "rm", "true");
    SAME(ran(spec).out, "imported\n");
    FAILS(DRAY_ERR_INVALID,
          dray_image_import(target,
                            &(struct dray_import_options){
                                .size = sizeof options,
                                .path = tar,
                                .changes = (const char *const[]){"NONSENSE x", NULL}},
                            NULL, &id, ERR),
          "NONSENSE");
}

TESTS(image_tests, ANY_RUNTIME(C07_never_takes_what_is_there_and_says_what_is_missing),
      ANY_RUNTIME(C07_if_not_present_asks_nobody_when_it_is_there),
      ANY_RUNTIME(C07_always_and_newer_see_that_a_tag_has_moved),
      ANY_RUNTIME(C07_a_registry_that_is_down_matters_to_always_and_not_to_newer),
      ANY_RUNTIME(C07_what_the_registry_does_not_have_is_pull_failed_and_leaves_nothing),
      ANY_RUNTIME(C07_a_bad_reference_is_refused_before_anything_is_asked),
      ANY_RUNTIME(C09_the_guest_s_platform_is_taken_whatever_comes_first),
      ANY_RUNTIME(C09_a_platform_that_is_not_there_is_refused_and_the_others_are_named),
      ANY_RUNTIME(C09_another_platform_comes_when_it_is_asked_for),
      ANY_RUNTIME(C10_what_was_pulled_once_is_not_fetched_again),
      ANY_RUNTIME(C10_gzip_zstd_plain_and_several_members_give_the_same_layer),
      ANY_RUNTIME(C10_a_layer_that_is_broken_never_becomes_visible),
      ANY_RUNTIME(C11_the_registry_is_spoken_to_by_the_host_alone),
      ANY_RUNTIME(C12_list_shows_every_image_with_its_names),
      ANY_RUNTIME(C12_inspect_is_in_docker_s_shape),
      ANY_RUNTIME(C12_images_are_named_by_id_and_by_prefix_too),
      ANY_RUNTIME(C12_history_tells_the_layers_newest_first),
      ANY_RUNTIME(C12_tag_names_an_image_again_and_takes_a_name_over),
      ANY_RUNTIME(C12_remove_takes_a_name_first_and_the_image_with_the_last),
      ANY_RUNTIME(C12_remove_refuses_an_image_that_a_container_uses),
      ANY_RUNTIME(C12_prune_removes_what_has_no_name_and_no_container),
      ANY_RUNTIME(C12_a_saved_image_is_loaded_again_under_its_name_and_id),
      ANY_RUNTIME(C12_save_and_load_say_what_is_wrong_and_leave_nothing),
      ANY_RUNTIME(C12_a_pushed_image_is_pulled_again_with_its_id),
      TEST(C12_an_exported_root_is_imported_as_an_image_that_runs));
