/* SPDX-License-Identifier: Apache-2.0 */
/* Trees out of YAML: places, aliases, merge keys, and the limits for hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/value.h"

static struct deploy_value *loaded(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    struct deploy_value *value = NULL;
    if (deploy_value_load("f.yaml", text, strlen(text), &value, &err) < 0)
        fail_msg("%s", err.text);
    return value;
}

static void refused(const char *text, size_t len, const char *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_value *value = NULL;
    assert_int_equal(deploy_value_load("f.yaml", text, len, &value, &err), -1);
    assert_null(value);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static const char *at(const struct deploy_value *value, const char *key)
{
    const struct deploy_value *found = deploy_value_get(value, key);
    assert_non_null(found);
    assert_int_equal(found->type, DEPLOY_SCALAR);
    return found->text;
}

static void values_know_where_they_stand(void **state)
{
    deploy_auto_value struct deploy_value *root =
        loaded("a: x\nb:\n  - 1\n  - \"two\"\nc: ~\nd: \"\"\n");
    assert_int_equal(root->type, DEPLOY_MAP);
    assert_int_equal(root->count, 4);
    const struct deploy_value *list = deploy_value_get(root, "b");
    assert_int_equal(list->type, DEPLOY_LIST);
    assert_int_equal(list->items[1]->where.line, 4);
    assert_int_equal(list->items[1]->where.column, 5);
    assert_true(list->items[1]->quoted);
    assert_false(list->items[0]->quoted);
    assert_int_equal(root->key_where[1].line, 2);
    assert_int_equal(deploy_value_get(root, "c")->type, DEPLOY_NULL);
    assert_string_equal(at(root, "d"), "");
    assert_null(deploy_value_get(root, "e"));
    assert_null(deploy_value_get(list, "b"));
}

static void aliases_are_copies_and_merge_keys_give_way(void **state)
{
    deploy_auto_value struct deploy_value *root =
        loaded("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n"
               "one: {<<: *x, b: 9}\nmany:\n  <<: [*x, *y]\n  d: 5\nsame: *x\n");
    const struct deploy_value *one = deploy_value_get(root, "one");
    assert_string_equal(at(one, "a"), "1");
    assert_string_equal(at(one, "b"), "9");
    const struct deploy_value *many = deploy_value_get(root, "many");
    assert_string_equal(at(many, "b"), "2");
    assert_string_equal(at(many, "c"), "4");
    assert_string_equal(at(many, "d"), "5");
    assert_null(deploy_value_get(many, "<<"));
    assert_ptr_not_equal(deploy_value_get(root, "same"), deploy_value_get(root, "x"));
}

static void members_come_and_go(void **state)
{
    deploy_auto_value struct deploy_value *root =
        loaded("{a: 1, b: 2, c: 3, d: 4, e: 5}");
    deploy_value_remove(root, "b");
    deploy_value_remove(root, "nobody");
    assert_int_equal(root->count, 4);
    for (int i = 0; i < 20; i++) {
        char key[8] = {(char)('f' + i), 0};
        deploy_value_set(root, key, NULL, deploy_value_new(DEPLOY_SCALAR, "new", NULL));
    }
    deploy_value_set(root, "a", NULL, deploy_value_new(DEPLOY_SCALAR, "other", NULL));
    assert_int_equal(root->count, 24);
    assert_string_equal(at(root, "a"), "other");
    assert_string_equal(at(root, "e"), "5");
    assert_string_equal(at(root, "y"), "new");
    deploy_auto_value struct deploy_value *copy = deploy_value_copy(root);
    deploy_value_remove(root, "a");
    assert_string_equal(at(copy, "a"), "other");
}

static void empty_files_are_nothing(void **state)
{
    assert_null(loaded(""));
    assert_null(loaded("# only words\n"));
}

static void what_is_no_tree_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"a: [1, 2", "f.yaml:2:1: "},
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: 'a' is there a second time"},
        {"? [a]\n: b\n", "f.yaml:1:3: a key must be a word"},
        {"a: *b\n", "f.yaml:1:4: there is no anchor 'b'"},
        {"a: &b [*b]\n", "f.yaml:1:8: the value of 'b' would hold itself"},
        {"<<: 3\n", "'<<' takes mappings"},
        {"a\n---\nb\n", "f.yaml:2:1: a second document"},
        {"a: \"\\0\"\n", "f.yaml:1:4: a text cannot hold a NUL"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++)
        refused(bad[i].text, strlen(bad[i].text), bad[i].why);
}

static void hostile_files_are_refused_in_bounded_memory(void **state)
{
    /* each line has ten of the one before: 10^9 values */
    dr_auto_free char *bomb = dr_strdup("a0: &a0 [x]\n");
    for (int i = 1; i < 10; i++) {
        char *more =
            dr_printf("%sa%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,"
                      "*a%d]\n",
                      bomb, i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                      i - 1, i - 1);
        free(bomb);
        bomb = more;
    }
    refused(bomb, strlen(bomb), "more values than a deployment can have");

    dr_auto_free char *long_text = dr_alloc((1 << 20) + 8);
    memcpy(long_text, "a: ", 3);
    memset(long_text + 3, 'x', 1 << 20);
    refused(long_text, (1 << 20) + 3, "f.yaml:1:4: this text is too long");

    /* 200 KiB, a thousand times */
    dr_auto_free char *copies = dr_alloc(210000);
    size_t len = (size_t)sprintf(copies, "a: &a ");
    memset(copies + len, 'x', 200000);
    len += 200000;
    len += (size_t)sprintf(copies + len, "\nb: [*a");
    for (int i = 0; i < 1000; i++)
        len += (size_t)sprintf(copies + len, ",*a");
    copies[len++] = ']';
    refused(copies, len, "more values than a deployment can have");

    dr_auto_free char *deep = dr_alloc(20000);
    memset(deep, '[', 10000);
    refused(deep, 10000, "nested too deep");

    dr_auto_free char *large = dr_alloc(DEPLOY_FILE_MAX + 1);
    memset(large, '\n', DEPLOY_FILE_MAX + 1);
    refused(large, DEPLOY_FILE_MAX + 1, "the file is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_know_where_they_stand),
        cmocka_unit_test(aliases_are_copies_and_merge_keys_give_way),
        cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(empty_files_are_nothing),
        cmocka_unit_test(what_is_no_tree_is_refused_with_its_place),
        cmocka_unit_test(hostile_files_are_refused_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
