/* SPDX-License-Identifier: Apache-2.0 */
/* Dockerfile instructions that change a config (`commit --change`). */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guest/images/changes.h"

#define CHANGES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void becomes(const char *before, const char *const *changes, const char *after)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = dr_json_parse(before, strlen(before), 65536, &err);
    assert_non_null(config);
    if (image_config_change(config, changes, &err) < 0)
        fail_msg("%s", err.text);
    dr_auto_free char *text = dr_json_text(config);
    assert_string_equal(text, after);
}

static void refused(const char *change, const char *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = json_object();
    dr_auto_free char *want = dr_printf("change '%s': ", change);
    assert_int_equal(image_config_change(config, CHANGES(change), &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    if (strncmp(err.text, want, strlen(want)) != 0 || !strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_int_equal(json_object_size(config), 0);
}

static void cmd_and_entrypoint_have_an_exec_form_and_a_shell_form(void **state)
{
    becomes("{}", CHANGES("CMD [\"a\", \"b c\"]"), "{\"Cmd\":[\"a\",\"b c\"]}");
    becomes("{}", CHANGES("cmd a \"b c\"  "),
            "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a \\\"b c\\\"\"]}");
    becomes("{\"Shell\":[\"bash\",\"-ec\"]}", CHANGES("CMD x"),
            "{\"Cmd\":[\"bash\",\"-ec\",\"x\"],\"Shell\":[\"bash\",\"-ec\"]}");
    /* no JSON array of strings: a shell's words */
    becomes("{}", CHANGES("CMD [ -f x ]"), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[ -f x ]\"]}");
}

static void an_entrypoint_takes_the_old_cmd_away(void **state)
{
    becomes("{\"Cmd\":[\"old\"]}", CHANGES("ENTRYPOINT [\"e\"]"),
            "{\"Entrypoint\":[\"e\"]}");
    becomes("{\"Cmd\":[\"old\"]}", CHANGES("CMD [\"new\"]", "ENTRYPOINT [\"e\"]"),
            "{\"Cmd\":[\"new\"],\"Entrypoint\":[\"e\"]}");
    becomes("{\"Entrypoint\":[\"e\"]}", CHANGES("ENTRYPOINT []"), "{}");
}

static void env_replaces_adds_quotes_and_expands(void **state)
{
    becomes("{\"Env\":[\"A=1\",\"B=2\"]}", CHANGES("ENV A=x C=\"a b\" D=a\\ b E='$A'"),
            "{\"Env\":[\"A=x\",\"B=2\",\"C=a b\",\"D=a b\",\"E=$A\"]}");
    /* values of one instruction see the environment before it */
    becomes("{\"Env\":[\"A=1\"]}", CHANGES("ENV A=2 B=${A}x", "ENV C=$A"),
            "{\"Env\":[\"A=2\",\"B=1x\",\"C=2\"]}");
    becomes("{}", CHANGES("ENV OLD form of it"), "{\"Env\":[\"OLD=form of it\"]}");
    becomes("{}", CHANGES("ENV A=$NONE$"), "{\"Env\":[\"A=$\"]}");
    refused("ENV A", "it takes NAME=VALUE");
    refused("ENV =x", "a name is empty");
    refused("ENV A=\"x", "a quote is not closed");
    refused("ENV A=${B:-c}", "only $NAME and ${NAME}");
}

static void labels_ports_and_volumes_join_what_is_there(void **state)
{
    becomes("{\"Labels\":{\"a\":\"1\"}}", CHANGES("LABEL b=2 \"c d\"=\"e f\""),
            "{\"Labels\":{\"a\":\"1\",\"b\":\"2\",\"c d\":\"e f\"}}");
    becomes("{\"ExposedPorts\":{\"1/tcp\":{}}}", CHANGES("EXPOSE 80 53/UDP 7-8/tcp"),
            "{\"ExposedPorts\":{\"1/tcp\":{},\"53/udp\":{},\"7/tcp\":{},\"8/tcp\":{},"
            "\"80/tcp\":{}}}");
    becomes("{\"Volumes\":null}", CHANGES("VOLUME [\"/a b\"]", "VOLUME /c /d"),
            "{\"Volumes\":{\"/a b\":{},\"/c\":{},\"/d\":{}}}");
    refused("EXPOSE 0", "'0' is no port");
    refused("EXPOSE 9-8", "'9-8' is no port");
    refused("EXPOSE 80/xyz", "'80/xyz' is no port");
    refused("VOLUME [\"\"]", "a volume's path is empty");
}

static void user_workdir_and_stop_signal_are_set(void **state)
{
    becomes("{}", CHANGES("USER me:us", "STOPSIGNAL SIGUSR1"),
            "{\"StopSignal\":\"SIGUSR1\",\"User\":\"me:us\"}");
    becomes("{}", CHANGES("WORKDIR /a", "WORKDIR b/../c d"),
            "{\"WorkingDir\":\"/a/c d\"}");
    becomes("{\"WorkingDir\":\"\"}", CHANGES("WORKDIR x"), "{\"WorkingDir\":\"/x\"}");
    refused("USER a b", "it takes one word");
    refused("STOPSIGNAL SIGNOPE", "SIGNOPE");
}

static void health_checks_have_options_and_two_forms(void **state)
{
    becomes("{}", CHANGES("HEALTHCHECK --interval=5s --retries=2 CMD curl -f x"),
            "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":2,\"Test\":[\"CMD-"
            "SHELL\",\"curl -f x\"]}}");
    becomes("{}", CHANGES("HEALTHCHECK CMD [\"a\",\"b\"]"),
            "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\",\"b\"]}}");
    becomes("{}", CHANGES("HEALTHCHECK NONE"), "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
    refused("HEALTHCHECK true", "it takes NONE, or CMD and a command");
    refused("HEALTHCHECK --size=1 CMD x", "unknown option '--size=1'");
}

static void onbuild_keeps_its_text_and_refuses_itself(void **state)
{
    becomes("{}", CHANGES("ONBUILD RUN make"), "{\"OnBuild\":[\"RUN make\"]}");
    refused("ONBUILD onbuild RUN x", "ONBUILD is not allowed in it");
    refused("ONBUILD FROM x", "FROM is not allowed in it");
}

static void every_other_instruction_is_refused(void **state)
{
    refused("RUN x", "are possible");
    refused("", "are possible");
    refused("CMD", "it has no argument");
    refused("COPY a b", "CMD, ENTRYPOINT, ENV");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmd_and_entrypoint_have_an_exec_form_and_a_shell_form),
        cmocka_unit_test(an_entrypoint_takes_the_old_cmd_away),
        cmocka_unit_test(env_replaces_adds_quotes_and_expands),
        cmocka_unit_test(labels_ports_and_volumes_join_what_is_there),
        cmocka_unit_test(user_workdir_and_stop_signal_are_set),
        cmocka_unit_test(health_checks_have_options_and_two_forms),
        cmocka_unit_test(onbuild_keeps_its_text_and_refuses_itself),
        cmocka_unit_test(every_other_instruction_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
