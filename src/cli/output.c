/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and tables on stdout. */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "cli/cli.h"

/* as Docker's tables: cells of at least 10 characters, 3 blanks between */
#define CELL_MIN 10
#define CELL_GAP 3
/* how msvcrt calls a pipe whose reader is gone */
#ifdef _WIN32
#define OUTPUT_GONE EINVAL
#else
#define OUTPUT_GONE EPIPE
#endif
#define LIST_MAX_BYTES (256u << 20)

void cli_line(const char *text)
{
    dr_auto_free char *safe = dr_escape(text, 0);
    puts(safe);
}

const char *cli_short_id(const char *id)
{
    static _Thread_local char text[13];
    const char *colon = id ? strchr(id, ':') : NULL;
    snprintf(text, sizeof(text), "%s", colon ? colon + 1 : id ? id : "");
    return text;
}

char *cli_familiar(const char *canonical)
{
    static const char *const prefixes[] = {"docker.io/library/", "docker.io/"};
    for (size_t i = 0; canonical && i < DR_COUNT(prefixes); i++)
        if (strncmp(canonical, prefixes[i], strlen(prefixes[i])) == 0)
            return dr_strdup(canonical + strlen(prefixes[i]));
    return dr_strdup(canonical ? canonical : "");
}

int cli_finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno == EPIPE || errno == OUTPUT_GONE)
        return CLI_PIPE;
    cli_warn("cannot write to stdout: %s", strerror(errno));
    return code ? code : CLI_FAILED;
}

static size_t text_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

void cli_print_aligned(const char *text, size_t min_width)
{
    size_t widths[64] = {0};
    for (const char *line = text; *line;
         line += strcspn(line, "\n"), line += *line == '\n')
        for (size_t column = 0, used; column < DR_COUNT(widths); column++) {
            used = strcspn(line, "\t\n");
            size_t width = text_width(line, used);
            widths[column] = width > widths[column] ? width : widths[column];
            line += used;
            if (*line != '\t')
                break;
            line++;
        }
    for (size_t column = 0; *text; text++) {
        size_t used = strcspn(text, "\t\n");
        size_t wide = widths[column < DR_COUNT(widths) ? column : DR_COUNT(widths) - 1];
        size_t cell = wide + CELL_GAP > min_width ? wide + CELL_GAP : min_width;
        size_t width = text_width(text, used);
        fwrite(text, 1, used, stdout);
        text += used;
        if (*text == '\t') {
            printf("%*s", (int)(cell > width ? cell - width : 1), "");
            column++;
            continue;
        }
        putchar('\n');
        column = 0;
        if (!*text)
            break;
    }
}

/* The default table as a template: "{{.ID}}\t{{.Names}}" */
static char *default_format(const struct cli_column *columns)
{
    struct dr_buf buf = DR_BUF_INIT(4096);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (; columns->key; columns++)
        if (columns->shown)
            dr_buf_addf(&buf, &err, "%s{{.%s}}", buf.len ? "\t" : "", columns->key);
    return dr_buf_take(&buf);
}

static int add_row(const char *format, const json_t *row, struct dr_buf *buf,
                   struct dr_error *err)
{
    if (cli_format(format, row, buf, err) < 0)
        return -1;
    return dr_buf_add(buf, "\n", 1, err);
}

static int add_headings(const char *format, const struct cli_column *columns,
                        struct dr_buf *buf, struct dr_error *err)
{
    dr_auto_json json_t *headings = json_object();
    for (const struct cli_column *c = columns; c->key; c++)
        dr_json_set_str(headings, c->key, c->header);
    return add_row(format, headings, buf, err);
}

void cli_row_set(json_t *row, const char *key, char *value)
{
    dr_json_set_str(row, key, value ?: "");
    free(value);
}

int cli_list_print(const char *format, const struct cli_column *columns,
                   const json_t *rows, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(LIST_MAX_BYTES);
    dr_auto_free char *shown = NULL;
    bool table = !format || strcmp(format, "table") == 0;
    size_t i;
    json_t *row;
    if (table) {
        format = shown = default_format(columns);
    } else if (strncmp(format, "table ", 6) == 0) {
        table = true;
        format += 6;
    } else if (strcmp(format, "json") == 0) {
        format = "{{json .}}";
    }
    if (table && add_headings(format, columns, &buf, err) < 0)
        return -1;
    json_array_foreach ((json_t *)rows, i, row) {
        if (add_row(format, row, &buf, err) < 0)
            return -1;
    }
    if (table)
        cli_print_aligned(buf.data ? buf.data : "", CELL_MIN);
    else
        fwrite(buf.data ? buf.data : "", 1, buf.len, stdout);
    return 0;
}
