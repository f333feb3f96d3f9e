/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same rules by the iptables programs. Three chains of our own: KEEP, which drops and
 * comes first in FORWARD; PASS, which accepts what nobody else has refused, and comes
 * last; MASQ, in POSTROUTING. Each program's rules of one table go in at once
 * (iptables-restore).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "guest/net/firewall-private.h"
#include "guest/runtime/runtime.h"

#define RULES_MAX (8u << 20)
#define WORDS_MAX (16u << 10)
#define PROGRAM_MS 30000
#define NOTE_MAX 4096

/* --- calling the programs --- */

/* Its exit status, or -1. input: NULL for none. What it complains about goes into text.
 */
static int call(const char *program, const char *const *words, const struct dr_buf *input,
                struct dr_buf *text, struct dr_error *err)
{
    struct runtime found;
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    if (runtime_find(program, &found, &missing) < 0)
        return dr_fail(err, DR_ERR_NETWORK, "%s is not installed", program);
    dr_auto_strv char **argv = NULL;
    dr_strv_add(&argv, found.path);
    for (; *words; words++)
        dr_strv_add(&argv, *words);
    dr_auto_fd int in = input ? memfd_create("rules", MFD_CLOEXEC) : -1;
    int fds[2] = {-1, -1}, status, result = -1;
    pid_t pid;
    if ((input && (in < 0 || dr_write_full(in, input->data, input->len) < 0 ||
                   lseek(in, 0, SEEK_SET) < 0)) ||
        pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        dr_fail_errno(err, DR_ERR_NETWORK, "start %s", program);
    } else {
        struct runtime_call spawn = {
            .runtime = &found, .stdio = {in, fds[1], fds[1]}, .mount_ns = -1};
        result = runtime_spawn(&spawn, argv, &pid, err);
        close(DR_TAKE_FD(fds[1]));
        if (result == 0)
            result = runtime_wait_reading(pid, fds[0], NULL, dr_clock_ms() + PROGRAM_MS,
                                          &status, text, err);
        close(fds[0]);
        if (result < 0)
            dr_wrap(err, "%s", program);
    }
    runtime_release(&found);
    if (result < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool has_jump(const char *program, const char *table, const char *chain,
                     const char *to)
{
    const char *words[] = {"-w", "-t", table, "-C", chain, "-j", to, NULL};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(WORDS_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    return call(program, words, NULL, &text, &ignored) == 0;
}

static int restore(const char *program, const struct dr_buf *rules, struct dr_error *err)
{
    dr_auto_free char *name = dr_printf("%s-restore", program);
    const char *words[] = {"-w", "-n", NULL};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(WORDS_MAX);
    int status = call(name, words, rules, &text, err);
    if (status <= 0)
        return status;
    dr_auto_free char *said = dr_escape(text.data ? text.data : "", 300);
    return dr_fail(err, DR_ERR_NETWORK, "%s failed (status %d): %s", name, status, said);
}

/* --- what they are told --- */

/* One program's part: what of the rules it has. */
struct part {
    const char *program;
    int family;
    bool pass_only;
};

struct chains {
    char keep[32], pass[32], masq[32];
};

static struct chains chains_of(const struct firewall *f)
{
    struct chains chains;
    char tag[16];
    snprintf(tag, sizeof tag, "%s", f->tag);
    for (char *p = tag; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    snprintf(chains.keep, sizeof chains.keep, "%s-KEEP", tag);
    snprintf(chains.pass, sizeof chains.pass, "%s-PASS", tag);
    snprintf(chains.masq, sizeof chains.masq, "%s-MASQ", tag);
    return chains;
}

static int write_keep(struct dr_buf *rules, const char *chain,
                      const struct firewall_network *network, struct dr_error *err)
{
    const char *link = network->link;
    if (dr_buf_addf(rules, err, "-A %s -i %s -o %s -j RETURN\n", chain, link, link) < 0)
        return -1;
    if (network->internal)
        return dr_buf_addf(rules, err, "-A %s -i %s -j DROP\n-A %s -o %s -j DROP\n",
                           chain, link, chain, link);
    return dr_buf_addf(
        rules, err,
        "-A %s -o %s -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN\n"
        "-A %s -o %s -j DROP\n",
        chain, link, chain, link);
}

static int write_pass(struct dr_buf *rules, const char *chain,
                      const struct firewall_network *network, struct dr_error *err)
{
    return dr_buf_addf(rules, err, "-A %s -i %s -j ACCEPT\n-A %s -o %s -j ACCEPT\n",
                       chain, network->link, chain, network->link);
}

static int write_masq(struct dr_buf *rules, const char *chain, int family,
                      const struct firewall_network *network, struct dr_error *err)
{
    for (size_t i = 0; i < DR_COUNT(network->subnets); i++) {
        struct dr_subnet subnet = network->subnets[i];
        char text[DR_SUBNET_TEXT];
        if (subnet.ip.family != family || network->internal)
            continue;
        subnet.ip = dr_subnet_base(&subnet);
        dr_subnet_format(&subnet, text);
        if (dr_buf_addf(rules, err, "-A %s -s %s ! -o %s -j MASQUERADE\n", chain, text,
                        network->link) < 0)
            return -1;
    }
    return 0;
}

/* The line that names a chain makes it, or empties it. */
static int write_filter(struct dr_buf *rules, const struct firewall *f,
                        const struct part *part, const struct chains *chains,
                        struct dr_error *err)
{
    bool jumps = has_jump(part->program, "filter", "FORWARD", chains->pass);
    if (dr_buf_addf(rules, err, "*filter\n:%s - [0:0]\n", chains->pass) < 0 ||
        (!part->pass_only && dr_buf_addf(rules, err, ":%s - [0:0]\n", chains->keep) < 0))
        return -1;
    for (size_t i = 0; i < f->count; i++)
        if (write_pass(rules, chains->pass, &f->networks[i], err) < 0 ||
            (!part->pass_only &&
             write_keep(rules, chains->keep, &f->networks[i], err) < 0))
            return -1;
    if (!jumps && dr_buf_addf(rules, err, "-A FORWARD -j %s\n", chains->pass) < 0)
        return -1;
    if (!part->pass_only && !has_jump(part->program, "filter", "FORWARD", chains->keep) &&
        dr_buf_addf(rules, err, "-I FORWARD 1 -j %s\n", chains->keep) < 0)
        return -1;
    return dr_buf_addf(rules, err, "COMMIT\n");
}

static int write_nat(struct dr_buf *rules, const struct firewall *f,
                     const struct part *part, const struct chains *chains,
                     struct dr_error *err)
{
    if (dr_buf_addf(rules, err, "*nat\n:%s - [0:0]\n", chains->masq) < 0)
        return -1;
    for (size_t i = 0; i < f->count; i++)
        if (write_masq(rules, chains->masq, part->family, &f->networks[i], err) < 0)
            return -1;
    if (!has_jump(part->program, "nat", "POSTROUTING", chains->masq) &&
        dr_buf_addf(rules, err, "-A POSTROUTING -j %s\n", chains->masq) < 0)
        return -1;
    return dr_buf_addf(rules, err, "COMMIT\n");
}

static int make(const struct firewall *f, const struct part *part, struct dr_error *err)
{
    struct chains chains = chains_of(f);
    dr_auto_buf struct dr_buf rules = DR_BUF_INIT(RULES_MAX);
    if (write_filter(&rules, f, part, &chains, err) < 0 ||
        (!part->pass_only && write_nat(&rules, f, part, &chains, err) < 0))
        return -1;
    return restore(part->program, &rules, err);
}

/* The chain is made when it is not there, since there is no "remove if". */
static int write_removal(struct dr_buf *rules, const char *program, const char *table,
                         const char *from, const char *chain, struct dr_error *err)
{
    bool jump = has_jump(program, table, from, chain);
    return dr_buf_addf(rules, err, "*%s\n:%s - [0:0]\n%s%s%s%s%s-X %s\nCOMMIT\n", table,
                       chain, jump ? "-D " : "", jump ? from : "", jump ? " -j " : "",
                       jump ? chain : "", jump ? "\n" : "", chain);
}

static int unmake(const struct firewall *f, const struct part *part, struct dr_error *err)
{
    struct chains chains = chains_of(f);
    dr_auto_buf struct dr_buf rules = DR_BUF_INIT(RULES_MAX);
    const char *program = part->program;
    if (write_removal(&rules, program, "filter", "FORWARD", chains.pass, err) < 0)
        return -1;
    if (!part->pass_only &&
        (write_removal(&rules, program, "filter", "FORWARD", chains.keep, err) < 0 ||
         write_removal(&rules, program, "nat", "POSTROUTING", chains.masq, err) < 0))
        return -1;
    return restore(program, &rules, err);
}

/* --- the note of which programs have rules of ours: {"iptables-legacy":"pass|all"} ---
 */

static char *note_path(const char *run_root)
{
    return dr_printf("%s/networks/iptables", run_root);
}

static json_t *note_read(const char *run_root)
{
    dr_auto_free char *path = note_path(run_root);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NOTE_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    json_t *note = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0)
        note = dr_json_parse(text.data ? text.data : "", text.len, NOTE_MAX, &ignored);
    return note ? note : json_object();
}

static int note_write(const struct firewall *f, const json_t *note, struct dr_error *err)
{
    dr_auto_free char *path = note_path(f->run_root);
    if (json_object_size(note) == 0) {
        unlink(path);
        return 0;
    }
    dr_auto_free char *dir = dr_path_join(f->run_root, "networks");
    dr_auto_free char *text = dr_json_text(note);
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

bool firewall_iptables_noted(const char *run_root)
{
    dr_auto_json json_t *note = note_read(run_root);
    const char *program;
    json_t *what;
    json_object_foreach (note, program, what)
        if (json_is_string(what) && strcmp(json_string_value(what), "all") == 0)
            return true;
    return false;
}

static int make_noted(const struct firewall *f, json_t *note, const struct part *part,
                      struct dr_error *err)
{
    dr_json_set_str(note, part->program, part->pass_only ? "pass" : "all");
    if (note_write(f, note, err) < 0)
        return -1;
    return make(f, part, err);
}

static int family_of(const char *program)
{
    return strncmp(program, "ip6", 3) == 0 ? 6 : 4;
}

/* The first failure is told; what could not be removed stays noted. */
static int unmake_noted(const struct firewall *f, json_t *note, struct dr_error *err)
{
    const char *program;
    json_t *what;
    void *next;
    int result = 0;
    json_object_foreach_safe(note, next, program, what)
    {
        dr_auto_error struct dr_error failed = DR_ERROR_INIT;
        const char *how = json_string_value(what);
        struct part part = {program, family_of(program), how && strcmp(how, "pass") == 0};
        if (unmake(f, &part, &failed) == 0)
            json_object_del(note, program);
        else if (result == 0)
            result = dr_error_move(err, &failed);
    }
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    if (note_write(f, note, &failed) < 0 && result == 0)
        result = dr_error_move(err, &failed);
    return result;
}

/* --- the two ways --- */

int firewall_iptables_beside(const struct firewall *f, struct dr_error *err)
{
    static const struct part parts[] = {{"iptables-legacy", 4, true},
                                        {"ip6tables-legacy", 6, true}};
    dr_auto_json json_t *note = note_read(f->run_root);
    if (f->count == 0)
        return json_object_size(note) > 0 ? unmake_noted(f, note, err) : 0;
    for (size_t i = 0; i < DR_COUNT(parts); i++) {
        const struct part *part = &parts[i];
        dr_auto_error struct dr_error failed = DR_ERROR_INIT;
        if (!json_object_get(note, part->program) &&
            !(firewall_has_family(f, part->family) &&
              firewall_legacy_drops(part->family)))
            continue;
        if (make_noted(f, note, part, &failed) == 0)
            continue;
        /* one table goes in whole or not at all: nothing was made */
        json_object_del(note, part->program);
        if (note_write(f, note, err) < 0)
            return -1;
        firewall_warn(f,
                      "the FORWARD chain of %s drops what is forwarded, and containers "
                      "cannot get out: %s",
                      part->program, failed.text);
    }
    return 0;
}

static int make_family(const struct firewall *f, json_t *note, int family,
                       struct dr_error *err)
{
    /* the system's choice first */
    static const char *const flavours[] = {"tables", "tables-legacy", "tables-nft"};
    dr_auto_error struct dr_error first = DR_ERROR_INIT;
    for (size_t i = 0; i < DR_COUNT(flavours); i++) {
        dr_auto_free char *program =
            dr_printf("%s%s", family == 6 ? "ip6" : "ip", flavours[i]);
        struct part part = {program, family, false};
        const char *has = dr_json_str(note, program);
        if (has && strcmp(has, "all") == 0)
            return make(f, &part, err);
    }
    for (size_t i = 0; i < DR_COUNT(flavours); i++) {
        dr_auto_error struct dr_error failed = DR_ERROR_INIT, ignored = DR_ERROR_INIT;
        dr_auto_free char *program =
            dr_printf("%s%s", family == 6 ? "ip6" : "ip", flavours[i]);
        struct part part = {program, family, false};
        if (make_noted(f, note, &part, &failed) == 0)
            return 0;
        unmake(f, &part, &ignored);
        json_object_del(note, program);
        if (first.kind == DR_ERR_NONE)
            dr_error_move(&first, &failed);
    }
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    note_write(f, note, &ignored);
    return dr_error_move(err, &first);
}

int firewall_iptables_instead(const struct firewall *f, struct dr_error *err)
{
    dr_auto_json json_t *note = note_read(f->run_root);
    if (f->count == 0)
        return unmake_noted(f, note, err);
    for (int family = 4; family <= 6; family += 2)
        if (firewall_has_family(f, family) && make_family(f, note, family, err) < 0)
            return -1;
    return 0;
}
