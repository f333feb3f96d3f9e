/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with Compose files is named with its place, all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/read.h"

static const char *const environment[] = {"HOME=/home/me", "SET=x", NULL};

/* Reads a text as if it were in compose/bad; the problems are as "LINE:COLUMN: TEXT", one
 * on a line, in the order of places. */
static char *problems_of(const char *text, char ***ret_warnings)
{
    const struct deploy_sources sources = {
        .text = text, .directory = SOURCE_DIR "/compose/bad", .environment = environment};
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = NULL;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(1 << 20);
    int rc = deploy_read(&sources, &problems, &model, &err);
    dr_auto_json json_t *all = deploy_problems_json(&problems);
    size_t i;
    json_t *one;
    json_array_foreach (all, i, one) {
        const char *file = dr_json_str(one, "file");
        const char *name = file && strcmp(file, "-") != 0 ? strrchr(file, '/') : NULL;
        dr_buf_addf(&out, &err, "%s%s%lld:%lld: %s\n", name ? name + 1 : "",
                    name ? ":" : "", (long long)dr_json_int(one, "line", 0),
                    (long long)dr_json_int(one, "column", 0), dr_json_str(one, "text"));
    }
    if (rc < 0 && !json_array_size(all))
        dr_buf_addf(&out, &err, "%s\n", err.text);
    if (rc < 0)
        assert_int_equal(err.kind, DR_ERR_CONFIG);
    if (model && ret_warnings)
        *ret_warnings = DR_TAKE(model->warnings);
    deploy_model_free(model);
    return dr_buf_take(&out);
}

static void refused(const char *text, const char *wanted)
{
    dr_auto_free char *found = problems_of(text, NULL);
    if (strcmp(found, wanted) != 0) { /* longer than cmocka prints */
        print_error("%s\n--- found:\n", text);
        print_error("%s", found);
        print_error("--- wanted:\n");
        print_error("%s", wanted);
        fail();
    }
}

/* Members of a service a that has an image, on a line each. */
static void service_refused(const char *members, const char *wanted)
{
    dr_auto_free char *text =
        dr_printf("services:\n a:\n  image: x\n%s\nvolumes: {v: }\n", members);
    refused(text, wanted);
}

static void all_problems_are_named_at_once(void **state)
{
    refused(
        "servces: {}\n"
        "services:\n"
        "  web:\n"
        "    imgae: x\n"
        "    ports: [\"80:80:80:80\", 70000]\n"
        "    build: .\n"
        "  db:\n"
        "    image: Upper\n"
        "    mem_limit: lots\n"
        "networks: [a]\n",
        "1:1: a Compose file has no field 'servces'; did you mean 'services'?\n"
        "4:5: a service has no field 'imgae'; did you mean 'image'?\n"
        "5:13: invalid port '80:80:80:80': an IPv6 address stands in brackets; it is "
        "written [[ADDRESS:]HOST:]CONTAINER[/tcp|/udp], as in 8080:80 or "
        "[::1]:53:53/udp\n"
        "5:28: invalid port '70000': the container's port is a number from 1 to 65535, "
        "or a range; it is written "
        "[[ADDRESS:]HOST:]CONTAINER[/tcp|/udp], as in 8080:80 or [::1]:53:53/udp\n"
        "6:12: build: images cannot be built here yet: build it elsewhere, and name "
        "it in 'image'\n"
        "8:12: invalid reference 'Upper': the repository name must be lower case\n"
        "9:16: 'lots' is not a size: use a number with b, k, m or g\n"
        "10:11: expected a mapping of names\n");
}

static void what_is_not_supported_says_why(void **state)
{
    service_refused("  pid: host", "4:3: pid: a container has a PID namespace of its own "
                                   "here\n");
    service_refused("  ipc: host", "4:8: 'host': a container has an IPC namespace of its "
                                   "own here\n");
    service_refused("  runtime: nvidia", "4:12: 'nvidia': the runtime is the target's, "
                                         "for all containers\n");
    service_refused("  volumes_from: [b]",
                    "4:3: volumes_from: is not supported here: name "
                    "the same volumes in both services\n");
    service_refused(
        "  logging: {driver: syslog}",
        "4:21: 'syslog': output is kept in a file here (json-file, local), or "
        "not at all (none)\n");
    service_refused("  deploy: {resources: {reservations: {devices: [{capabilities: "
                    "[gpu]}]}}}",
                    "4:39: devices: GPUs cannot be given to a container here\n");
    service_refused("  pull_policy: build",
                    "4:16: images cannot be built here yet: build "
                    "it elsewhere, and name it in 'image'\n");
    refused("services: {a: {image: x}}\nmodels: {m: }\n",
            "2:1: models: language models are not run here\n");
    refused("services: {a: {image: x}}\nnetworks: {n: {driver: overlay}}\n",
            "2:24: networks are bridges of the target here: driver 'bridge' only\n");
    refused("services: {a: {image: x}}\nvolumes: {n: {driver: nfs}}\n",
            "2:23: volumes are directories of the target here: driver 'local' only\n");
    refused("services: {a: {image: x}}\nvolumes: {n: {driver_opts: {type: nfs}}}\n",
            "2:28: a volume has no options here; a directory of the target can be a bind "
            "mount instead\n");
    refused("services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}\n",
            "2:14: external: there is no store for secrets here; name a 'file', an "
            "'environment' variable\n");
}

static void values_have_their_forms(void **state)
{
    service_refused("  platform: l",
                    "4:13: 'l' is not a platform: write os/architecture[/variant], for "
                    "example linux/arm64 or linux/arm/v7\n");
    service_refused("  tty: maybe", "4:8: expected true or false\n");
    service_refused("  scale: many", "4:10: expected a number from 0 to 1000\n");
    service_refused("  command: {a: b}",
                    "4:12: expected a command line, or a list of words\n");
    service_refused("  command: \"it's\"", "4:12: a quote is not closed\n");
    service_refused("  environment: x",
                    "4:16: expected NAME: VALUE, or a list of NAME=VALUE\n");
    service_refused("  environment: {a: [b]}", "4:20: expected a text\n");
    service_refused("  depends_on: {b: {condition: up}}",
                    "4:31: expected service_started, service_healthy or "
                    "service_completed_successfully\n");
    service_refused("  healthcheck: {test: [curl, x]}",
                    "4:23: the list begins with NONE, CMD or CMD-SHELL\n");
    service_refused("  healthcheck: {intervall: 5s}",
                    "4:17: healthcheck has no field 'intervall'; did you mean "
                    "'interval'?\n");
    service_refused("  ulimits: {nofile: {soft: 1}}",
                    "4:21: expected a number, or 'soft' and 'hard'\n");
    service_refused("  ulimits: {files: 1}",
                    "4:13: invalid ulimit 'files=1': there is no limit 'files' (nofile, "
                    "nproc, core, memlock, stack, …)\n");
    service_refused("  restart: sometimes",
                    "4:12: 'sometimes': expected no, always, unless-stopped, on-failure "
                    "or on-failure:N\n");
    service_refused(
        "  deploy: {replicas: 2}\n  scale: 3",
        "4:22: 'scale' and 'deploy.replicas' are two numbers for one thing\n");
    service_refused("  deploy: {resources: {limits: {memory: 1g}}}\n  mem_limit: 2g",
                    "4:41: 'mem_limit' of the service says something else\n");
    service_refused("  volumes: [{type: bind, target: /x}]",
                    "4:13: a bind mount needs a source\n");
    service_refused("  volumes: [{source: v, target: /x}]",
                    "4:13: a volume needs a type: bind, volume or tmpfs\n");
    service_refused("  volumes: [{type: volume, source: v}]",
                    "4:13: a volume needs a target, an absolute path\n");
    service_refused("  volumes: [{type: tmpfs, target: /x, tmpfs: {mode: 888}}]", "");
    service_refused("  volumes: [{type: tmpfs, target: /x, tmpfs: {mode: 0888}}]",
                    "4:53: expected a mode, such as 0440\n");
    service_refused("  devices: [{target: /dev/x}]", "4:13: a device needs a source\n");
    service_refused("  ports: [{published: 80}]", "4:11: a port needs a target\n");
    service_refused("  env_file: [{path: a, must: 1, required: no}]",
                    "4:24: env_file has only the fields 'path', 'required' and "
                    "'format'\n");
    refused("services:\n 'a b': {image: x}\n",
            "2:2: a service's name is made of letters, digits, '.', '_' and '-'\n");
    refused("services:\n a: {tty: true}\n", "2:2: the service has no image\n");
    refused("services:\n a: {image: }\n", "2:2: the service has no image\n");
    refused("services:\n a: {image: , build: }\n", "2:2: the service has no image\n");
    refused("services:\n a: x\n", "2:5: expected a mapping\n");
    refused("- a\n", "1:1: expected a mapping with 'services' and the like\n");
    refused("services: [a]\n", "1:11: expected a mapping of names\n");
    refused("name: Not A Name\nservices: {a: {image: x}}\n",
            "1:7: a name is made of a-z, 0-9, '-' and '_', at most 63, and begins with a "
            "letter or digit\n");
}

static void what_is_referred_to_must_be_there(void **state)
{
    service_refused("  volumes: [\"w:/x\"]",
                    "4:13: there is no volume 'w': define it under 'volumes', or begin a "
                    "path with './'\n");
    service_refused("  networks: [n]",
                    "4:14: there is no network 'n': define it under 'networks'\n");
    service_refused("  secrets: [s]",
                    "4:13: there is no secret 's': define it under 'secrets'\n");
    service_refused("  configs: [{target: /x}]", "4:13: expected the name of a config\n");
    service_refused("  network_mode: service:b", "4:17: there is no service 'b'\n");
    service_refused("  links: [\"b:c\"]", "4:11: there is no service 'b'\n");
    service_refused("  network_mode: host\n  networks: [n]",
                    "4:17: a service has either 'network_mode' or 'networks'\n");
    service_refused("  env_file: nowhere.env",
                    "4:13: open " SOURCE_DIR
                    "/compose/bad/nowhere.env: No such file or directory\n");
    refused("services:\n a: {image: x, configs: [c]}\nconfigs:\n c: {file: nowhere}\n",
            "4:12: open " SOURCE_DIR "/compose/bad/nowhere: No such file or directory\n");
    refused("services:\n a: {image: x, configs: [c]}\nconfigs:\n c: {environment: NO}\n",
            "4:19: the variable NO is not set\n");
    refused(
        "services:\n a: {image: x, configs: [c]}\nconfigs:\n c: {file: x, content: y}\n",
        "4:5: a config comes from one of 'file', 'environment' and 'content'\n");
    refused("services:\n a: {image: x, depends_on: [b]}\n b: {image: x, profiles: [p]}\n",
            "2:29: service 'b' is switched off by its profiles: switch one on with "
            "--profile, or say 'required: false'\n");
}

static void variables_have_places(void **state)
{
    refused("services:\n a:\n  image: ${NO:?which image}\n  user: \"$\"\n",
            "3:10: the variable NO must be set: which image\n"
            "4:9: '$': behind '$' comes NAME, {NAME}, or one of {NAME:-DEFAULT}, "
            "{NAME-DEFAULT}, {NAME:?ERROR}, {NAME?ERROR}, {NAME:+OTHER}, {NAME+OTHER}; a "
            "'$' of its own is written '$$'\n");
    dr_auto_strv char **warnings = NULL;
    dr_auto_free char *found =
        problems_of("services:\n a:\n  image: x:$SET\n  user: \"$NO\"\n", &warnings);
    assert_string_equal(found, "");
    assert_int_equal(dr_strv_len(warnings), 1);
    assert_string_equal(warnings[0],
                        "-:4:9: the variable NO is not set: nothing is put in for it");
}

static void extending_has_an_end(void **state)
{
    refused("services:\n a: {extends: b}\n b: {extends: c}\n c: {extends: a, image: x}\n",
            "4:15: service 'a' extends itself\n");
    refused("services:\n a: {extends: a, image: x}\n",
            "2:15: service 'a' extends itself\n");
    refused("services:\n web: {image: x}\n a: {extends: wbe}\n",
            "3:2: the service has no image\n"
            "3:15: there is no service 'wbe' in -; did you mean 'web'?\n");
    refused("services:\n a: {extends: {file: other.yaml}}\n",
            "2:2: the service has no image\n"
            "2:15: extends needs the name of a service, as 'service: NAME'\n");
    refused("services:\n a: {extends: {file: other.yaml, service: wrong}}\n",
            "other.yaml:3:21: a service has no field 'nonsense'\n");
    refused("services:\n a: {extends: {file: other.yaml, service: a}}\n",
            "main.yaml:2:16: service 'a' extends itself\n");
    refused("services:\n a: {image: x, extends: {file: gone.yaml, service: a}}\n",
            "2:32: open " SOURCE_DIR
            "/compose/bad/gone.yaml: No such file or directory\n");
}

static void included_files_do_not_clash(void **state)
{
    refused("include: [self.yaml]\nservices: {a: {image: x}}\n",
            "self.yaml:1:11: the file includes itself\n");
    refused("include: [{path: self.yaml, way: x}]\nservices: {other: {image: x}}\n",
            "1:29: include has only the fields 'path', 'project_directory' and "
            "'env_file'\n"
            "self.yaml:1:11: the file includes itself\n"
            "self.yaml:3:3: services: 'other' is in -:2 too, and differs\n");
    refused("include: [{env_file: x}]\nservices: {a: {image: x}}\n",
            "1:11: include needs a path\n");
    refused("include: [gone.yaml]\nservices: {a: {image: x}}\n",
            "1:11: open " SOURCE_DIR
            "/compose/bad/gone.yaml: No such file or directory\n");
    refused("include: x\nservices: {a: {image: x}}\n", "1:10: expected a list\n");
}

static void hostile_extending_stays_small(void **state)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(4 << 20);
    struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(&text, &err, "services:\n");
    for (int i = 0; i < 900; i++) {
        dr_buf_addf(&text, &err, " s%d: {image: x, labels: {", i);
        for (int j = 0; j < 20; j++)
            dr_buf_addf(&text, &err, "l%d-%d: x,", i, j);
        if (i)
            dr_buf_addf(&text, &err, "}, extends: s%d}\n", i - 1);
        else
            dr_buf_addf(&text, &err, "}}\n");
    }
    dr_auto_free char *found = problems_of(text.data, NULL);
    assert_string_equal(found,
                        "there are more values than a deployment can have (what is "
                        "extended counts each time)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_problems_are_named_at_once),
        cmocka_unit_test(what_is_not_supported_says_why),
        cmocka_unit_test(values_have_their_forms),
        cmocka_unit_test(what_is_referred_to_must_be_there),
        cmocka_unit_test(variables_have_places),
        cmocka_unit_test(extending_has_an_end),
        cmocka_unit_test(included_files_do_not_clash),
        cmocka_unit_test(hostile_extending_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
