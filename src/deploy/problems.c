/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/problems.h"

#include <string.h>

#include "base/text.h"

void deploy_problems_release(struct deploy_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = DEPLOY_PROBLEMS_INIT;
}

static void add(struct deploy_problems *problems, const struct deploy_where *where,
                const char *text)
{
    if (problems->count == DEPLOY_PROBLEMS_MAX) {
        problems->more++;
        return;
    }
    problems->items =
        dr_realloc(problems->items, (problems->count + 1) * sizeof *problems->items);
    struct deploy_problem *p = &problems->items[problems->count++];
    *p = (struct deploy_problem){.text = dr_escape(text, DR_ERROR_TEXT_MAX)};
    if (!where)
        return;
    p->file = dr_strdup(where->file);
    p->line = where->line;
    p->column = where->column;
}

bool deploy_problems_full(const struct deploy_problems *problems)
{
    return problems->count == DEPLOY_PROBLEMS_MAX;
}

void deploy_problem(struct deploy_problems *problems, const struct deploy_where *where,
                    const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    add(problems, where, text);
}

void deploy_problem_error(struct deploy_problems *problems,
                          const struct deploy_where *where, const struct dr_error *found)
{
    add(problems, where, found->text);
}

static int by_place(const void *a, const void *b)
{
    const struct deploy_problem *const *x = a, *const *y = b;
    int order = (*x)->file && (*y)->file ? strcmp((*x)->file, (*y)->file)
                                         : ((*x)->file ? 1 : 0) - ((*y)->file ? 1 : 0);
    if (order)
        return order;
    if ((*x)->line != (*y)->line)
        return (*x)->line < (*y)->line ? -1 : 1;
    if ((*x)->column != (*y)->column)
        return (*x)->column < (*y)->column ? -1 : 1;
    return *x < *y ? -1 : 1; /* as they were found */
}

/* Owned; the problems are borrowed. */
static const struct deploy_problem **sorted(const struct deploy_problems *problems)
{
    const struct deploy_problem **all = dr_alloc((problems->count + 1) * sizeof *all);
    for (size_t i = 0; i < problems->count; i++)
        all[i] = &problems->items[i];
    qsort(all, problems->count, sizeof *all, by_place);
    return all;
}

int deploy_problems_end(const struct deploy_problems *problems, struct dr_error *err)
{
    if (!problems->count)
        return 0;
    dr_auto_free const struct deploy_problem **all = sorted(problems);
    const struct deploy_problem *first = all[0];
    size_t more = problems->count - 1 + problems->more;
    dr_fail(err, DR_ERR_CONFIG, "%s", first->text);
    if (more) {
        dr_error_release(err);
        dr_fail(err, DR_ERR_CONFIG, "%s (and %zu more)", first->text, more);
    }
    if (!first->file)
        return -1;
    dr_auto_free char *file = dr_escape(first->file, 300);
    return first->line ? dr_wrap(err, "%s:%u:%u", file, first->line, first->column)
                       : dr_wrap(err, "%s", file);
}

json_t *deploy_problems_json(const struct deploy_problems *problems)
{
    dr_auto_free const struct deploy_problem **all = sorted(problems);
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        json_t *item = json_object();
        dr_json_set_str(item, "file", all[i]->file);
        dr_json_set_int(item, "line", all[i]->line);
        dr_json_set_int(item, "column", all[i]->column);
        dr_json_set_str(item, "text", all[i]->text);
        json_array_append_new(list, item);
    }
    return list;
}
