/* SPDX-License-Identifier: Apache-2.0 */
/* The flags about registries that several verbs have. */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "cli/args.h"
#include "cli/cli.h"

#define PASSWORD_MAX (64 * 1024)

void cli_forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

int cli_password_stdin(char **ret_password, struct dr_error *err)
{
    dr_auto_free char *text = dr_alloc(PASSWORD_MAX + 2);
    ssize_t len = dr_read_full(STDIN_FILENO, text, PASSWORD_MAX + 1);
    if (len < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the password from stdin");
    int rc = 0;
    if (len > PASSWORD_MAX)
        rc = dr_fail(err, DR_ERR_INVALID,
                     "the password on stdin has more than 64 KiB: is it the right file?");
    else if (memchr(text, '\0', (size_t)len))
        rc = dr_fail(err, DR_ERR_INVALID, "the password on stdin has a NUL byte in it");
    if (rc == 0 && len > 0 && text[len - 1] == '\n')
        len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
    if (rc == 0 && len == 0)
        rc = dr_fail(err, DR_ERR_INVALID, "the password on stdin is empty");
    if (rc == 0)
        *ret_password = dr_strndup(text, (size_t)len);
    explicit_bzero(text, PASSWORD_MAX + 2);
    return rc;
}

/* Everybody on this machine can read the command line; not for longer than needed. */
static char *take_from_command_line(const char *secret)
{
    char *copy = dr_strdup(secret);
    memset((char *)secret, '*', strlen(secret));
    cli_warn("warning: a password in the command line can be seen by every user of this "
             "machine, and stays in the shell's history; give --creds USER "
             "--password-stdin, or `dray login` once");
    return copy;
}

static int take_creds(const struct registry_args *args, struct cli_registry *ret,
                      struct dr_error *err)
{
    const char *colon = args->creds ? strchr(args->creds, ':') : NULL;
    if (!args->creds)
        return !args->password_stdin
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID,
                             "--password-stdin needs a user name: give --creds USER");
    if (colon == args->creds || !*args->creds)
        return dr_fail(err, DR_ERR_INVALID, "--creds has no user name before the colon");
    if (colon && args->password_stdin) {
        memset((char *)colon + 1, '*', strlen(colon + 1));
        return dr_fail(err, DR_ERR_INVALID,
                       "--password-stdin and a password in --creds: give one of them");
    }
    ret->user = colon ? dr_strndup(args->creds, (size_t)(colon - args->creds))
                      : dr_strdup(args->creds);
    if (colon)
        ret->password = take_from_command_line(colon + 1);
    else if (args->password_stdin)
        return cli_password_stdin(&ret->password, err);
    else
        return cli_prompt("Password", true, &ret->password, err);
    return 0;
}

int cli_registry(const struct registry_args *args, struct cli_registry *ret,
                 struct dr_error *err)
{
    struct cli_registry registry = {0};
    if (take_creds(args, &registry, err) < 0) {
        cli_registry_release(&registry);
        return -1;
    }
    registry.options = (struct dray_registry_options){
        .size = sizeof(registry.options),
        .user = registry.user,
        .password = registry.password,
        .auth_file = args->authfile,
        .ca_file = args->tls_ca,
        .cert_dir = args->cert_dir,
        .signature_policy = args->signature_policy,
        .insecure = !args->tls_verify,
        .progress = cli_progress_retry,
    };
    *ret = registry;
    return 0;
}

void cli_registry_release(struct cli_registry *registry)
{
    cli_forget(&registry->password);
    free(registry->user);
    *registry = (struct cli_registry){0};
}
