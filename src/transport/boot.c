/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/boot.h"

#include <string.h>

#include "base/text.h"
#include "transport/helpers.h"
#include "transport/process.h"

/* In single quotes, as sh reads them. */
static char *quoted(const char *text)
{
    char *out = dr_alloc(4 * strlen(text) + 3), *to = out;
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = *text;
        }
    }
    *to = '\'';
    return out;
}

static char *join_quoted(const char *const *words)
{
    char *all = dr_strdup("");
    for (; *words; words++) {
        dr_auto_free char *word = quoted(*words);
        char *more = dr_printf("%s %s", all, word);
        free(all);
        all = more;
    }
    return all;
}

static char *all_hashes(void)
{
    char *all = dr_strdup("");
    for (size_t i = 0; i < helper_count; i++) {
        char *more = dr_printf("%s %s", all, helpers[i].sha256);
        free(all);
        all = more;
    }
    return all;
}

/*
 * The mark is written in two pieces, so that a terminal's echo of this is not taken for
 * it. `test -O /` asks without a process whether we are root; where sh does not know it,
 * or / is somebody else's, id(1) does. A file with nothing in it can be executed by a
 * shell, unless the mount says noexec. A WSL1 distro has no Linux kernel, which it says
 * by the M of its name. Nothing but POSIX is used, head -c apart, which
 * has been everywhere for longer.
 */
static const char script[] =
    "{\n"
    "umask 022; cd /; export PATH=\"$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
    "/usr/bin:/sbin:/bin\"\n"
    "say() { echo \"DRAY-\"\"BOOT $*\"; }\n"
    "if test -t 0; then say tty; exit 1; fi\n"
    "k=; read -r k 2>/dev/null </proc/sys/kernel/osrelease\n"
    "case $k in *-Microsoft) say wsl1 \"$WSL_DISTRO_NAME\"; exit 1;; esac\n"
    "if test -O / 2>/dev/null || test \"$(id -u)\" = 0; then :; else\n"
    "  say user \"$(id -un)\"\n"
    "  for s in sudo doas; do\n"
    "    command -v $s >/dev/null 2>&1 && exec $s -n sh\n"
    "  done\n"
    "  say noroot; exit 1\n"
    "fi\n"
    "set --%s\n"
    "for d in \"$@\"; do for h in%s; do\n"
    "  f=$d/bin/$h/dray-guest\n"
    "  if test -x \"$f\"; then say have; exec \"$f\" serve; fi\n"
    "done; done\n"
    "say need \"$(uname -m)\"\n"
    "read -r h n || exit 1\n"
    "for d in \"$@\"; do\n"
    "  b=$d/bin/$h; t=$b/.new.$$\n"
    "  if { mkdir -p \"$b\" && : >\"$t\" && chmod 755 \"$t\" && \"$t\"; } 2>/dev/null; "
    "then\n"
    "    say send \"$d\"\n"
    "    if head -c \"$n\" >\"$t\" && test \"$(wc -c <\"$t\")\" -eq \"$n\"; then :; "
    "else\n"
    "      rm -f \"$t\"; say full \"$d\"; exit 1\n"
    "    fi\n"
    "    if command -v sha256sum >/dev/null 2>&1; then\n"
    "      s=$(sha256sum <\"$t\")\n"
    "      if test \"${s%%%% *}\" = \"$h\"; then :; else\n"
    "        rm -f \"$t\"; say spoilt \"$d\"; exit 1\n"
    "      fi\n"
    "    fi\n"
    "    say have; exec \"$t\" serve fresh\n"
    "  fi\n"
    "  rm -f \"$t\" 2>/dev/null; rmdir \"$b\" \"$d/bin\" 2>/dev/null\n"
    "done\n"
    "say noplace; exit 1\n"
    "}\n";

char *boot_script(const char *const *places)
{
    dr_auto_free char *where = join_quoted(places);
    dr_auto_free char *hashes = all_hashes();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return dr_printf(script, where, hashes);
#pragma GCC diagnostic pop
}

void boot_release(struct boot *boot)
{
    dr_buf_release(&boot->words);
    free(boot->user);
    boot->user = NULL;
}

static int send(struct boot *boot, const void *data, size_t len, struct dr_error *err)
{
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (pipe_write(boot->write_fd, data, len, boot->deadline_ms, boot->cancel_fd,
                   &gone) == 0)
        return 0;
    /* one that is gone may have said why: that comes next */
    return gone.kind == DR_ERR_UNAVAILABLE ? 0 : dr_error_move(err, &gone);
}

static int send_script(struct boot *boot, struct dr_error *err)
{
    dr_auto_free char *text = boot_script(boot->places);
    return send(boot, text, strlen(text), err);
}

/* The end of the pipe, or of our patience. */
static int no_line(struct boot *boot, int rc, struct dr_error *err)
{
    if (rc < 0 && err->kind != DR_ERR_TIMEOUT)
        return -1;
    double seconds = (double)(dr_clock_ms() - boot->begun_ms) / 1000;
    if (rc < 0)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                          "%s did not answer in time (%.3g s); try by hand what leads "
                          "there, or give it a longer connect_timeout",
                          boot->name, seconds);
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                      "%s closed the connection before the helper was there", boot->name);
}

/* The next line of ours, without its mark; owned. What comes before goes to words. */
static char *next_line(struct boot *boot, struct dr_error *err)
{
    size_t start = boot->words.len;
    static const char mark[] = BOOT_MARK;
    for (;;) {
        char c;
        int rc =
            pipe_read_byte(boot->read_fd, &c, boot->deadline_ms, boot->cancel_fd, err);
        if (rc <= 0) {
            no_line(boot, rc, err);
            return NULL;
        }
        dr_auto_error struct dr_error full = DR_ERROR_INIT;
        if (dr_buf_add(&boot->words, &c, 1, &full) < 0) {
            dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                       "%s sent %u bytes of something else, and no helper", boot->name,
                       BOOT_WORDS_MAX);
            return NULL;
        }
        if (c != '\n')
            continue;
        const char *line = boot->words.data + start;
        char *at = memmem(line, boot->words.len - start, mark, strlen(mark));
        if (at) {
            char *found = dr_strndup(
                at + strlen(mark),
                (size_t)(boot->words.data + boot->words.len - 1 - at) - strlen(mark));
            boot->words.len = (size_t)(at - boot->words.data);
            boot->words.data[boot->words.len] = '\0';
            size_t len = strlen(found);
            if (len > 0 && found[len - 1] == '\r')
                found[len - 1] = '\0';
            return found;
        }
        start = boot->words.len;
    }
}

static int refuse(struct boot *boot, struct dr_error *err, const char *fmt, ...)
    DR_PRINTF(3, 4);
static int refuse(struct boot *boot, struct dr_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    dr_auto_free char *safe = dr_escape(text, 700);
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_CONFIG, 0, "%s: %s", boot->name, safe);
}

/* --- what the lines mean; 1: the helper is there, 0: go on --- */

static int on_have(struct boot *boot, const char *rest, struct dr_error *err)
{
    return 1;
}

static int on_user(struct boot *boot, const char *rest, struct dr_error *err)
{
    if (boot->user)
        return refuse(boot, err, "sudo makes %s of %s, and not root", rest, boot->user);
    boot->user = dr_strdup(rest);
    return send_script(boot, err);
}

static int on_need(struct boot *boot, const char *rest, struct dr_error *err)
{
    boot->wanted = helper_find(rest);
    if (!boot->wanted) {
        dr_auto_free char *machines = helper_machines();
        return refuse(boot, err,
                      "its architecture is %s, and this dray has a helper for %s only",
                      *rest ? rest : "unknown", machines);
    }
    dr_auto_free char *line =
        dr_printf("%s %zu\n", boot->wanted->sha256, boot->wanted->size);
    return send(boot, line, strlen(line), err);
}

static int on_send(struct boot *boot, const char *rest, struct dr_error *err)
{
    if (!boot->wanted)
        return refuse(boot, err, "it wants a helper that it did not ask for");
    return send(boot, boot->wanted->data, boot->wanted->size, err);
}

static int on_tty(struct boot *boot, const char *rest, struct dr_error *err)
{
    return refuse(boot, err,
                  "its command gives a terminal, which changes what passes through; use "
                  "one that gives plain pipes");
}

static int on_wsl1(struct boot *boot, const char *rest, struct dr_error *err)
{
    return refuse(boot, err,
                  "it is a WSL1 distro, which has no Linux kernel and cannot run "
                  "containers; `wsl --set-version %s 2` makes a WSL2 distro of it",
                  *rest ? rest : "NAME");
}

static int on_noroot(struct boot *boot, const char *rest, struct dr_error *err)
{
    return refuse(boot, err,
                  "running containers needs root there, %s is not, and there is neither "
                  "sudo nor doas; use a user who is root",
                  boot->user ? boot->user : "the user");
}

static int on_noplace(struct boot *boot, const char *rest, struct dr_error *err)
{
    dr_auto_free char *places = dr_strdup(boot->places[0]);
    for (const char *const *p = boot->places + 1; *p; p++) {
        char *more = dr_printf("%s, %s", places, *p);
        free(places);
        places = more;
    }
    return refuse(boot, err,
                  "there is no place for the helper: none of %s can be written and "
                  "allows programs (read-only, or noexec?); choose another root",
                  places);
}

static int on_full(struct boot *boot, const char *rest, struct dr_error *err)
{
    return refuse(boot, err, "the helper could not be written to %s; is the disk full?",
                  rest);
}

static int on_spoilt(struct boot *boot, const char *rest, struct dr_error *err)
{
    return refuse(boot, err,
                  "the helper arrived in %s with other bytes than were sent; the "
                  "connection changes them",
                  rest);
}

static const struct {
    const char *word;
    int (*take)(struct boot *boot, const char *rest, struct dr_error *err);
} lines[] = {
    {"have", on_have},       {"user", on_user}, {"need", on_need},
    {"send", on_send},       {"tty", on_tty},   {"noroot", on_noroot},
    {"noplace", on_noplace}, {"full", on_full}, {"spoilt", on_spoilt},
    {"wsl1", on_wsl1},
};

static int take_line(struct boot *boot, const char *line, struct dr_error *err)
{
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < DR_COUNT(lines); i++)
        if (strlen(lines[i].word) == len && memcmp(lines[i].word, line, len) == 0)
            return lines[i].take(boot, line[len] ? line + len + 1 : "", err);
    return refuse(boot, err, "it answers '%s', which means nothing to us", line);
}

int boot_run(struct boot *boot, struct dr_error *err)
{
    boot->words.max = BOOT_WORDS_MAX;
    boot->begun_ms = dr_clock_ms();
    if (send_script(boot, err) < 0)
        return -1;
    for (;;) {
        dr_auto_free char *line = next_line(boot, err);
        if (!line)
            return -1;
        boot->answered = true;
        int rc = take_line(boot, line, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
}
