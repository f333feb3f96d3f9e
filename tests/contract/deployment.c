/* SPDX-License-Identifier: Apache-2.0 */
/* C35: a deployment out of its YAML. */
#include "contract.h"

/* Every field of the row; web has them all. */
static const char yaml[] =
    "version: v1\n"
    "deployment: shop\n"
    "services:\n"
    "  web:\n"
    "    rtype: service\n"
    "    image: {name: '%s', pull_policy: never}\n"
    "    command: {entrypoint: [/bin/sh, -c], args: [sleep 1000], workdir: /tmp}\n"
    "    env: {GREETING: hello, PLACE: $E:PLACE, TOKEN: $S:TOKEN}\n"
    "    resources: {cpu: 500m, memory: 64Mi, pids: 50}\n"
    "    storage:\n"
    "    - {type: bind, source: ./conf, target: /conf, read_only: true}\n"
    "    - {type: named, source: data, target: /data}\n"
    "    - {type: anonymous, target: /scratch}\n"
    "    - {type: tmpfs, target: /tmp, size: 1Mi}\n"
    "    endpoints: [{name: http, port: 80}]\n"
    "    port_mappings: [{container: 80}]\n"
    "    capabilities: [NET_ADMIN]\n"
    "    cap_drop: [CHOWN]\n"
    "    devices: [/dev/null:/dev/nothing:rw]\n"
    "    privileged: false\n"
    "    health: {command: [test, -f, /conf/app], interval: 200ms, retries: 50}\n"
    "    restart_policy: unless-stopped\n"
    "    hostname: front\n"
    "    dns: [10.0.0.53]\n"
    "    extra_hosts: {elsewhere: 10.0.0.9}\n"
    "    labels: {tier: front}\n"
    "    user: 1000:1000\n"
    "    stop_signal: KILL\n"
    "    stop_grace_period: 3s\n"
    "    sysctls: {net.ipv4.ip_default_ttl: 33}\n"
    "    ulimits: {nofile: 100}\n"
    "    read_only_root_fs: true\n"
    "    tty: true\n"
    "    stdin_open: true\n"
    "    scale: 2\n"
    "    depends: [{service: db, condition: healthy}, {service: once, condition: "
    "completed}]\n"
    "  db:\n"
    "    image: '%s'\n"
    "    command: [sleep, 1000]\n"
    "    stop_signal: KILL\n"
    "    health: {command: 'true', interval: 200ms}\n"
    "  once: {image: '%s', rtype: job, command: ['true'], network_mode: none}\n"
    "  yearly: {image: '%s', rtype: cron, schedule: '@yearly', command: ['true']}\n";

static void free_deployment(void *deployment)
{
    dray_deployment_free(deployment);
}

static struct dray_deployment *parsed_deployment(const char *document)
{
    static const char *const environment[] = {"PLACE=here", NULL};
    struct dray_deployment_options options = DRAY_INIT(options);
    struct dray_deployment *deployment;
    options.text = document;
    options.directory = dir;
    options.environment = environment;
    options.secrets_file = text("%s/tokens", dir);
    OK(dray_deployment_parse(&options, &deployment, NULL, ERR));
    defer(free_deployment, deployment);
    OK(dray_deployment_validate(deployment, NULL, ERR));
    return deployment;
}

/* What was done, besides waiting: "create web-rep-1, …" */
static const char *brought_up(const struct dray_deployment *deployment)
{
    struct dray_plan_options options = DRAY_INIT(options);
    struct dray_plan *plan;
    options.wait = true;
    OK(dray_deployment_plan(target, deployment, &options, NULL, &plan, ERR));
    const json_t *json = parsed(dray_plan_json(plan));
    int rc = dray_plan_apply(target, plan, NULL, NULL, ERR);
    dray_plan_free(plan);
    OK(rc);
    const char *done = "";
    size_t i;
    json_t *step;
    json_array_foreach (at(json, "steps"), i, step)
        if (strcmp(str_at(step, "action"), "wait") != 0)
            done = text("%s%s %s (%s); ", done, str_at(step, "action"),
                        str_at(step, "name"), str_at(step, "why"));
    return done;
}

static void taken_down(const struct dray_deployment *deployment)
{
    struct dray_down_options options = DRAY_INIT(options);
    struct dray_plan *plan;
    options.volumes = true;
    OK(dray_deployment_plan_down(target, "shop", deployment, &options, NULL, &plan, ERR));
    int rc = dray_plan_apply(target, plan, NULL, NULL, ERR);
    dray_plan_free(plan);
    OK(rc);
}

static void C35_a_deployment_comes_up_from_its_yaml(void **s)
{
    shell(NULL, "mkdir -p %s/conf && touch %s/conf/app && echo TOKEN=s3cr3t > %s/tokens",
          dir, dir, dir);
    struct dray_deployment *deployment =
        parsed_deployment(text(yaml, busybox, busybox, busybox, busybox));
    HAS(brought_up(deployment), "create web-rep-2 (");
    SAME(names(), "db-rep-1 once-rep-1 web-rep-1 web-rep-2 yearly-rep-1");
    assert_int_equal(waited("once-rep-1"), 0);
    assert_true(is_phase("web-rep-2", DRAY_RUNNING));

    const json_t *web = inspected("web-rep-1");
    SAME(str_at(web, "State.Health.Status"), "healthy");
    SAME(str_at(web, "Config.Labels.tier"), "front");
    SAME(str_at(web, "Config.StopSignal"), "SIGKILL");
    SAME(str_at(web, "HostConfig.RestartPolicy.Name"), "unless-stopped");
    assert_true(true_at(web, "Config.Tty") && true_at(web, "Config.OpenStdin"));
    assert_int_equal(int_at(web, "HostConfig.Memory"), 64 << 20);
    assert_int_equal(int_at(web, "HostConfig.NanoCpus"), 500000000);
    assert_int_equal(int_at(web, "HostConfig.PidsLimit"), 50);

    struct dray_exec_result seen =
        executed("web-rep-1",
                 "echo $GREETING $PLACE $TOKEN $(hostname) $(id -u) $(pwd) $(ulimit -n);"
                 "ls /conf; touch /x /conf/x 2>&1 | wc -l; touch /tmp/x && ls -d /tmp/x "
                 "/data /scratch;"
                 "cat /proc/sys/net/ipv4/ip_default_ttl; ls /dev/nothing; grep elsewhere "
                 "/etc/hosts;"
                 "cat /etc/resolv.conf; grep -o 'CapBnd.*' /proc/self/status;"
                 "ping -c1 -W5 db >/dev/null && echo reached");
    HAS(seen.out, "hello here s3cr3t front 1000 /tmp 100\n");
    HAS(seen.out, "app\n2\n/data\n/scratch\n/tmp/x\n33\n/dev/nothing\n10.0.0.9");
    HAS(seen.out, "nameserver 10.0.0.53");
    HAS(seen.out, "00000000a80435fa"); /* the usual ones, NET_ADMIN, and not CHOWN */
    HAS(seen.out, "elsewhere");
    HAS(seen.out, "nameserver 10.0.0.53");

    /* nothing differs: nothing is done */
    SAME(brought_up(deployment), "");
    taken_down(deployment);
    SAME(names(), "");
}

static void C35_what_is_no_field_is_refused_with_line_and_column(void **s)
{
    struct dray_deployment_options options = DRAY_INIT(options);
    struct dray_deployment *deployment;
    char *problems = NULL;
    options.text = "version: v1\n"
                   "deployment: shop\n"
                   "services:\n"
                   "  web:\n"
                   "    image: x\n"
                   "    port_mapping: [80]\n"
                   "    resources: {ram: 1g}\n";
    FAILS(DRAY_ERR_CONFIG, dray_deployment_parse(&options, &deployment, &problems, ERR),
          "-:6:5: services.web: there is no field 'port_mapping'",
          "did you mean 'port_mappings'?", "(and 1 more)");
    const json_t *list = parsed(problems);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(int_at(list, "1.line"), 7);
    assert_int_equal(int_at(list, "1.column"), 17);
    HAS(str_at(list, "1.text"), "services.web.resources: there is no field 'ram'");
}

TESTS(deployment_tests, ANY_RUNTIME(C35_what_is_no_field_is_refused_with_line_and_column),
      TEST(C35_a_deployment_comes_up_from_its_yaml));
