/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec://: any command that takes one more word, `sh`, and gives it plain pipes:
 * `limactl shell default`, `podman machine ssh`, `incus exec NAME --`, `docker exec -i
 * NAME`, `nsenter -t PID -a`, `systemd-run --machine NAME --pipe --wait`.
 */
#include <string.h>

#include "base/json.h"
#include "transport/far.h"

static int exec_argv(const struct transport_address *address, int64_t timeout_ms,
                     char ***ret_argv, struct dr_error *err)
{
    char **argv = NULL;
    for (char **word = address->words; *word; word++)
        dr_strv_add(&argv, *word);
    dr_strv_add(&argv, "sh");
    *ret_argv = argv;
    return 0;
}

char *transport_text_plain(const char *bytes, size_t len)
{
    char *text = dr_alloc(len + 1), *to = text;
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            *to++ = bytes[i];
    return text;
}

static enum dr_kind exec_judge(const struct transport_end *end, const char **ret_hint)
{
    if (!end->booted && end->ended && (end->status == 126 || end->status == 127))
        *ret_hint = "the command must lead to a machine that has sh";
    return DR_ERR_UNAVAILABLE;
}

const struct transport_kind transport_exec = {
    .program = "its command",
    .failed = "its command failed",
    .missing_kind = DR_ERR_CONFIG,
    .missing = "the target's command is not installed here",
    .argv = exec_argv,
    .text = transport_text_plain,
    .judge = exec_judge,
};
