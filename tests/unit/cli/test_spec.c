/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "cli/args.h"
#include "cli/cli.h"

#define ARGV(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

/* The spec that a command line asks for, as its JSON; NULL with err. */
static char *spec_of(char **argv, struct dr_error *err)
{
    struct run_args args;
    struct cli_parsed parsed;
    char *text = NULL;
    if (cli_parse(cli_run_options, "run", CLI_STOP_AT_WORD, argv, &args, &parsed, err) <
        0)
        return NULL;
    struct dray_spec *spec = cli_spec(&args, parsed.words, err);
    if (spec) {
        char *json = dray_spec_to_json(spec);
        text = dr_strdup(json);
        dray_free(json);
    }
    dray_spec_free(spec);
    cli_args_release(cli_run_options, &args);
    cli_parsed_release(&parsed);
    return text;
}

static void assert_spec(const char *wanted, char **argv)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *text = spec_of(argv, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(text, wanted);
}

static void assert_refused(const char *wanted, enum dr_kind kind, char **argv)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *text = spec_of(argv, &err);
    assert_null(text);
    assert_string_equal(err.text, wanted);
    assert_int_equal(err.kind, kind);
}

#define ALPINE "\"image\":\"docker.io/library/alpine:latest\""

static void flags_become_members(void **state)
{
    assert_spec("{" ALPINE "}", ARGV("alpine"));
    assert_spec("{\"args\":[\"echo\",\"-n\",\"\"],\"auto_remove\":true," ALPINE "}",
                ARGV("--rm", "alpine", "echo", "-n", ""));
    assert_spec("{\"cpu_shares\":5," ALPINE ",\"memory_bytes\":67108864,\"nano_cpus\":"
                "1500000000,\"pids_limit\":-1}",
                ARGV("-m", "64m", "--cpus", "1.5", "-c5", "--pids-limit=-1", "alpine"));
    assert_spec("{\"has_entrypoint\":true," ALPINE "}",
                ARGV("--entrypoint", "", "alpine"));
    assert_spec("{\"entrypoint\":[\"sh\"],\"has_entrypoint\":true," ALPINE "}",
                ARGV("--entrypoint", "sh", "alpine"));
    assert_spec("{" ALPINE ",\"labels\":[\"a=\",\"b=c\"]}",
                ARGV("-l", "a", "--label=b=c", "alpine"));
    assert_spec("{" ALPINE ",\"stop_signal\":\"SIGINT\",\"stop_timeout_s\":0}",
                ARGV("--stop-signal", "int", "--stop-timeout", "0", "alpine"));
    assert_spec("{" ALPINE ",\"networks\":[{\"name\":\"host\"}]}",
                ARGV("--net=host", "alpine"));
    assert_spec("{" ALPINE ",\"networks\":[{\"aliases\":[\"x\"],\"ip\":\"10.0.0.2\","
                "\"mac\":\"02:00:00:00:00:01\",\"name\":\"a\"},{\"ip6\":\"fd00::2\","
                "\"name\":\"b\"}]}",
                ARGV("--ip", "10.0.0.2", "--network", "a", "--network",
                     "name=b,ip6=fd00::2", "--network-alias", "x", "--mac-address",
                     "02:00:00:00:00:01", "alpine"));
}

static void relative_sources_are_seen_from_here(void **state)
{
    char here[4000], wanted[5000];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(wanted, sizeof(wanted),
             "{" ALPINE ",\"mounts\":[{\"source\":\"%s/d\",\"target\":\"/x\",\"type\":"
             "\"bind\"},{\"source\":\"/home/u/e\",\"target\":\"/y\",\"type\":\"bind\"},"
             "{\"source\":\"vol\",\"target\":\"/z\",\"type\":\"volume\"}]}",
             here);
    setenv("HOME", "/home/u", 1);
    assert_spec(wanted, ARGV("-v", "./d:/x", "-v", "~/e:/y", "-v", "vol:/z", "alpine"));
}

static void mounts_are_volumes_and_tmpfs(void **state)
{
    assert_spec("{" ALPINE
                ",\"mounts\":[{\"read_only\":true,\"source\":\"/a\",\"target\":\"/b\","
                "\"type\":\"bind\"},{\"source\":\"vol\",\"target\":\"/c\",\"type\":"
                "\"volume\"}]}",
                ARGV("--mount", "type=bind,src=/a,dst=/b,readonly", "--mount",
                     "source=vol,target=/c", "alpine"));
}

static void bad_values_are_named(void **state)
{
    assert_refused("--network: 'name=a,x=b': there is no option 'x'; name, alias, ip, "
                   "ip6 and mac-address are what there is",
                   DR_ERR_INVALID, ARGV("--network", "name=a,x=b", "alpine"));
    assert_refused("network: 'host' goes with no other network", DR_ERR_INVALID,
                   ARGV("--network", "web", "--network", "host", "alpine"));
    assert_refused("--env-file: open /does/not/exist: No such file or directory",
                   DR_ERR_NOT_FOUND, ARGV("--env-file", "/does/not/exist", "alpine"));
    assert_refused("invalid environment variable \"=x\": it must be NAME or NAME=VALUE",
                   DR_ERR_INVALID, ARGV("-e", "=x", "alpine"));
    assert_refused(
        "-v ~other/x:/y: ~other/x: only ~ and ~/… can stand for a home directory; "
        "write the absolute path",
        DR_ERR_INVALID, ARGV("-v", "~other/x:/y", "alpine"));
    assert_refused("invalid reference 'Alpine': the repository name must be lower case",
                   DR_ERR_INVALID, ARGV("Alpine"));
}

static void a_seccomp_profile_crosses_as_its_text(void **state)
{
    char path[] = "/tmp/dray-seccomp-XXXXXX", option[64], wanted[300];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "{ \"a\" : 1 }", 11), 11);
    snprintf(option, sizeof(option), "seccomp=%s", path);
    assert_spec(
        "{" ALPINE ",\"security_opts\":[\"seccomp={\\\"a\\\":1}\",\"no-new-"
        "privileges\"]}",
        ARGV("--security-opt", option, "--security-opt", "no-new-privileges", "alpine"));
    assert_int_equal(ftruncate(fd, 5), 0);
    snprintf(wanted, sizeof(wanted), "--security-opt seccomp: %s: ", path);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_null(spec_of(ARGV("--security-opt", option, "alpine"), &err));
    assert_memory_equal(err.text, wanted, strlen(wanted));
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    close(fd);
    unlink(path);
    assert_spec("{" ALPINE ",\"security_opts\":[\"seccomp=unconfined\"]}",
                ARGV("--security-opt", "seccomp=unconfined", "alpine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_become_members),
        cmocka_unit_test(relative_sources_are_seen_from_here),
        cmocka_unit_test(mounts_are_volumes_and_tmpfs),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(a_seccomp_profile_crosses_as_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
