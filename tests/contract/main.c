/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract [PATTERN…]: all tests, or those whose name fits one of the patterns of a
 * shell. contract --open: opens the target that the environment names (CONTRACT_DIR, and
 * DRAY_RUNTIME if it is set) and prints what dray_info says, or "KIND: TEXT" and exits
 * with the kind; for tests that need another user or another set of programs.
 */
#include "contract.h"

#include <fnmatch.h>

#include "fixture.h"

extern const struct tests target_tests, identity_tests, image_tests, create_tests,
    life_tests, stop_tests, output_tests, exec_tests, stats_tests, error_tests,
    state_tests, race_tests, kill_tests, flood_tests, network_tests, credential_tests,
    distro_tests, deployment_tests;

static int open_only(void)
{
    const char *place = getenv("CONTRACT_DIR");
    char *paths[3];
    static const char *const names_of[] = {"root", "run", "cache"};
    for (int i = 0; i < 3; i++)
        if (!place || asprintf(&paths[i], "%s/%s", place, names_of[i]) < 0)
            return 100;
    struct dray_open_options options = {.size = sizeof options,
                                        .root = paths[0],
                                        .run_root = paths[1],
                                        .cache_dir = paths[2],
                                        .runtime = getenv("DRAY_RUNTIME")};
    if (getenv("CONTRACT_DEFAULTS"))
        options = (struct dray_open_options){.size = sizeof options};
    struct dray_target *handle = NULL;
    struct dray_error *err = NULL;
    char *json = NULL;
    if (dray_open(&options, &handle, &err) == 0)
        dray_info(handle, NULL, &json, &err);
    int status = 0;
    if (json)
        puts(json);
    else {
        printf("%s: %s\n", dray_kind_name(err->kind), err->text);
        status = (int)err->kind;
    }
    dray_free(json);
    dray_error_free(err);
    dray_close(handle);
    for (int i = 0; i < 3; i++)
        free(paths[i]);
    return status;
}

char any_runtime[] = "";

/* CONTRACT_ANY_RUNTIME=no: it has been run with another runtime. */
static bool wanted(const struct CMUnitTest *test, char **patterns)
{
    const char *any = getenv("CONTRACT_ANY_RUNTIME");
    bool fits = !*patterns;
    if (any && strcmp(any, "no") == 0 && test->initial_state == any_runtime)
        return false;
    for (; *patterns; patterns++)
        fits = fits || fnmatch(*patterns, test->name, 0) == 0;
    return fits;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--open") == 0)
        return open_only();
    static const struct tests *const files[] = {
        &target_tests, &identity_tests,   &image_tests,   &create_tests,
        &life_tests,   &stop_tests,       &output_tests,  &exec_tests,
        &stats_tests,  &error_tests,      &state_tests,   &race_tests,
        &kill_tests,   &flood_tests,      &network_tests, &credential_tests,
        &distro_tests, &deployment_tests,
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        count += files[i]->count;
    const char *repeat = getenv("CONTRACT_REPEAT");
    size_t times = repeat ? strtoul(repeat, NULL, 10) : 1;
    struct CMUnitTest *tests = calloc(count * times, sizeof *tests);
    count = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        for (size_t j = 0; j < files[i]->count; j++)
            for (size_t n = 0; n < times && wanted(&files[i]->tests[j], argv + 1); n++)
                tests[count++] = files[i]->tests[j];
    int failed =
        _cmocka_run_group_tests("contract", tests, count, fixture_open, fixture_close);
    free(tests);
    return failed || count == 0 ? 1 : 0;
}
