/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh://: the user's own ssh, with its config, agent, jump hosts and known hosts. Nothing
 * of that is overruled but what would stand in the way of a session: terminals, forwarded
 * ports, commands of its own.
 */
#include <string.h>

#include "base/json.h"
#include "transport/far.h"

static const char *const always[] = {
    "-T",
    "-a",
    "-x",
    "-oClearAllForwardings=yes",
    "-oPermitLocalCommand=no",
    "-oRemoteCommand=none",
};

static int ssh_argv(const struct transport_address *address, int64_t timeout_ms,
                    char ***ret_argv, struct dr_error *err)
{
    char **argv = NULL;
    dr_auto_free char *config = ssh_config_file();
    dr_strv_add(&argv, "ssh");
    if (config) {
        dr_strv_add(&argv, "-F");
        dr_strv_add(&argv, config);
    }
    for (size_t i = 0; i < DR_COUNT(always); i++)
        dr_strv_add(&argv, always[i]);
    if (timeout_ms >= 1000) {
        dr_auto_free char *option =
            dr_printf("-oConnectTimeout=%lld", (long long)timeout_ms / 1000);
        dr_strv_add(&argv, option);
    }
    if (address->port) {
        dr_auto_free char *port = dr_printf("-p%d", address->port);
        dr_strv_add(&argv, port);
    }
    if (address->user) {
        dr_strv_add(&argv, "-l");
        dr_strv_add(&argv, address->user);
    }
    dr_strv_add(&argv, "--");
    dr_strv_add(&argv, address->host);
    dr_strv_add(&argv, "exec sh"); /* the same in every shell: sh, bash, fish, csh … */
    *ret_argv = argv;
    return 0;
}

/* OpenSSH's words are not translated. The first that fits wins. */
static const struct {
    const char *words;
    enum dr_kind kind;
    const char *hint;
} known[] = {
    {"Could not resolve hostname", DR_ERR_UNAVAILABLE, "look at the host's name"},
    {"IDENTIFICATION HAS CHANGED", DR_ERR_UNAVAILABLE,
     "the host shows another key than before: find out why, and only then take the old "
     "one out with `ssh-keygen -R HOST`"},
    {"Host key verification failed", DR_ERR_UNAVAILABLE,
     "connect once with `ssh HOST`, look at its key, and accept it"},
    {"Permission denied", DR_ERR_UNAVAILABLE,
     "the host took no key and no password of yours: `ssh HOST` must work first (see "
     "ssh-add, ssh-copy-id)"},
    {"Too many authentication failures", DR_ERR_UNAVAILABLE,
     "the agent has many keys: name one with IdentityFile in ~/.ssh/config"},
    {"Connection refused", DR_ERR_UNAVAILABLE, "does sshd run there, on that port?"},
    {"timed out", DR_ERR_UNAVAILABLE, "is the host up, and is there a way to it?"},
    {"No route to host", DR_ERR_UNAVAILABLE, "is the host up, and is there a way to it?"},
    {"Network is unreachable", DR_ERR_UNAVAILABLE, "is there a network?"},
    {"Bad configuration option", DR_ERR_CONFIG, "ssh cannot read its configuration"},
    {"Bad owner or permissions", DR_ERR_CONFIG, "ssh does not trust that file"},
    {"account is currently not available", DR_ERR_CONFIG,
     "the user has no shell there; take another one"},
};

/* 255 is ssh's own; every other status is the shell's over there. */
static enum dr_kind ssh_judge(const struct transport_end *end, const char **ret_hint)
{
    for (size_t i = 0; i < DR_COUNT(known); i++)
        if (!end->booted && strstr(end->words, known[i].words)) {
            *ret_hint = known[i].hint;
            return known[i].kind;
        }
    if (!end->booted && end->ended && end->status == 127) {
        *ret_hint = "there must be sh";
        return DR_ERR_CONFIG;
    }
    return DR_ERR_UNAVAILABLE;
}

const struct transport_kind transport_ssh = {
    .program = "ssh",
    .asks = true,
    .failed = "it cannot be reached",
    .missing_kind = DR_ERR_CONFIG,
    .missing = "install OpenSSH's client (openssh-client)",
    .argv = ssh_argv,
    .text = transport_text_plain,
    .judge = ssh_judge,
};
