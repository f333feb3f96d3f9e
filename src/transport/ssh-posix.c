/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dray adds to ssh's configuration: a connection that stays for a minute, so that
 * the next command need not make one, and a look now and then whether it is alive. The
 * first value of an option counts, so the user's files come first: a ControlMaster or
 * ControlPath of their own is used as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "transport/far.h"

static const char config[] = "%s"
                             "Include /etc/ssh/ssh_config\n"
                             "Match all\n"
                             "ControlMaster auto\n"
                             "ControlPath \"%s/%%C\"\n"
                             "ControlPersist 60\n"
                             "ServerAliveInterval 4\n"
                             "ServerAliveCountMax 2\n";

/* Where ssh itself looks: the home that the user has by the books, whatever HOME says. */
static char *user_config(void)
{
    struct passwd entry, *user = NULL;
    char text[4096];
    if (getpwuid_r(getuid(), &entry, text, sizeof text, &user) != 0 || !user ||
        user->pw_dir[0] != '/' || strpbrk(user->pw_dir, "\"%\n*?[\\"))
        return dr_strdup("");
    return dr_printf("Include \"%s/.ssh/config\"\n", user->pw_dir);
}

/* Ours, and nobody else may look into it: whoever can use the socket in it is us. */
static bool private_dir(const char *dir)
{
    struct stat st;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return false;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

/* A socket's path has at most 107 bytes: the hash has 40, ssh's temporary suffix 17. */
#define DIR_MAX 48

static char *control_dir(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && *runtime == '/' && strlen(runtime) + 5 <= DIR_MAX) {
        dr_auto_free char *dir = dr_path_join(runtime, "dray");
        if (private_dir(dir))
            return DR_TAKE(dir);
    }
    dr_auto_free char *dir = dr_printf("/tmp/dray-ssh-%u", geteuid());
    return private_dir(dir) ? DR_TAKE(dir) : NULL;
}

char *ssh_config_file(void)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *dir = control_dir();
    if (!dir || strpbrk(dir, "\"%\n"))
        return NULL;
    dr_auto_free char *path = dr_path_join(dir, "config");
    dr_auto_free char *theirs = user_config();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    dr_auto_free char *text = dr_printf(config, theirs, dir);
#pragma GCC diagnostic pop
    dr_auto_buf struct dr_buf there = DR_BUF_INIT(4096);
    if (dr_file_read(AT_FDCWD, path, &there, &ignored) == 0 &&
        there.len == strlen(text) && memcmp(there.data, text, there.len) == 0)
        return DR_TAKE(path);
    if (dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &ignored) < 0)
        return NULL;
    return DR_TAKE(path);
}
