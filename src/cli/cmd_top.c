/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define TABLE_MAX_BYTES (64u << 20)
#define CELL_MIN 20 /* as Docker's top */

/* Docker hands the words to ps on the host. What people ask for with them is which
 * columns they get: "-o pid,comm", "-opid", "-eo pid", "o pid"; "-ef" is what comes
 * anyway. */
static int columns_parse(char *const *words, char **ret_columns, struct dr_error *err)
{
    struct dr_buf buf = DR_BUF_INIT(4096);
    for (; *words; words++) {
        const char *word = *words, *letters = word + (*word == '-');
        size_t len = strspn(letters, "ef");
        const char *list = NULL;
        if (letters[len] == 'o')
            list = letters[len + 1] ? letters + len + 1 : *++words;
        else if (!letters[len] && len)
            continue;
        if (!list || dr_buf_addf(&buf, err, "%s%s", buf.len ? "," : "", list) < 0) {
            dr_auto_free char *safe = dr_escape(word, 100);
            dr_buf_release(&buf);
            return dr_fail(
                err, DR_ERR_UNSUPPORTED,
                "%s is not supported; -o COLUMN[,COLUMN...] is, as ps takes it", safe);
        }
    }
    *ret_columns = buf.len ? dr_buf_take(&buf) : NULL;
    dr_buf_release(&buf);
    return 0;
}

static int add_line(struct dr_buf *buf, const json_t *cells, struct dr_error *err)
{
    for (size_t i = 0; i < json_array_size(cells); i++) {
        dr_auto_free char *safe =
            dr_escape(json_string_value(json_array_get(cells, i)), 0);
        if (dr_buf_addf(buf, err, "%s%s", i ? "\t" : "", safe) < 0)
            return -1;
    }
    return dr_buf_add(buf, "\n", 1, err);
}

static int top(struct cli *cli, const char *columns, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(TABLE_MAX_BYTES);
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_container_top(target, cli->words[0], columns, NULL, &text, &failed);
    dr_auto_json json_t *table = cli_rc_json(rc, &text, &failed, err);
    if (!table || add_line(&buf, dr_json_array(table, "titles"), err) < 0)
        return -1;
    size_t i;
    json_t *process;
    json_array_foreach (dr_json_array(table, "processes"), i, process) {
        if (add_line(&buf, process, err) < 0)
            return -1;
    }
    cli_print_aligned(buf.data, CELL_MIN);
    return 0;
}

int cmd_top(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *columns = NULL;
    if (columns_parse(cli->words + 1, &columns, &err) < 0)
        return cli_usage_error(cli, &err);
    return top(cli, columns, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
