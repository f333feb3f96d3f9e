/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a deployment when none is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "deploy/find.h"

static const char *const nothing[] = {NULL};

static int make_directory(void **state)
{
    char name[] = "/tmp/dray-find-XXXXXX";
    *state = dr_strdup(mkdtemp(name));
    return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    int rc = dr_remove_all(AT_FDCWD, *state, &err);
    free(*state);
    return rc;
}

static void put(const char *directory, const char *name, const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = dr_path_join(directory, name);
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err), 0);
}

/* wanted: names below directory, with a blank between them */
static void finds(const char *directory, const char *from, const char *const *environment,
                  const char *wanted)
{
    dr_auto_strv char **found = deploy_find(from, environment);
    dr_auto_free char *all = dr_strdup("");
    for (size_t i = 0; found && found[i]; i++) {
        const char *name = found[i];
        if (strncmp(name, directory, strlen(directory)) == 0)
            name += strlen(directory) + 1;
        char *more = dr_printf("%s%s%s", all, i ? " " : "", name);
        free(all);
        all = more;
    }
    assert_string_equal(all, wanted);
}

static void the_first_name_wins_and_has_its_override(void **state)
{
    const char *here = *state;
    put(here, "docker-compose.yml", "");
    put(here, "compose.override.yml", "");
    finds(here, here, nothing, "docker-compose.yml");
    put(here, "docker-compose.override.yml", "");
    finds(here, here, nothing, "docker-compose.yml docker-compose.override.yml");
    put(here, "compose.yml", "");
    finds(here, here, nothing, "compose.yml compose.override.yml");
    put(here, "compose.override.yaml", "");
    finds(here, here, nothing, "compose.yml compose.override.yaml");
    put(here, "dray.yml", "");
    finds(here, here, nothing, "dray.yml");
}

static void a_directory_above_is_as_good(void **state)
{
    const char *here = *state;
    dr_auto_free char *below = dr_path_join(here, "a/b");
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_mkdir_all(below, 0755, &err), 0);
    put(here, "compose.yaml", "");
    put(here, "compose.override.yaml", "");
    finds(here, below, nothing, "compose.yaml compose.override.yaml");
}

static void the_environment_says_which(void **state)
{
    const char *here = *state;
    static const char *const two[] = {"COMPOSE_FILE=x.yaml:/y.yaml", NULL};
    static const char *const other[] = {"COMPOSE_FILE=x;y", "COMPOSE_PATH_SEPARATOR=;",
                                        NULL};
    put(here, "compose.yaml", "");
    finds(here, here, two, "x.yaml /y.yaml");
    finds(here, here, other, "x y");
    put(here, ".env", "COMPOSE_FILE=from-env.yaml\n");
    finds(here, here, nothing, "from-env.yaml");
    finds(here, here, two, "x.yaml /y.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_name_wins_and_has_its_override,
                                        make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_directory_above_is_as_good, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(the_environment_says_which, make_directory,
                                        remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
