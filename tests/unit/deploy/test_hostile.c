/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are made to cost much: refused or read within an address space of 192 MiB,
 * and without loops over all pairs of what they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/check.h"
#include "deploy/read.h"

#ifdef __has_feature
#define CLANG_SANITIZES __has_feature(address_sanitizer)
#else
#define CLANG_SANITIZES 0
#endif
#define HEAD "version: v1\ndeployment: shop\nservices:\n"

static void add(struct dr_buf *buf, const char *fmt, ...)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    assert_int_equal(dr_buf_add(buf, text, strlen(text), &err), 0);
}

static void says(struct dr_buf *buf, const char *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    struct deploy_sources sources = {.text = buf->data, .directory = "/srv"};
    struct deploy_model *model = NULL;
    int rc = deploy_read(&sources, &problems, &model, &err);
    if (rc == 0)
        rc = deploy_check(model, &problems, &err);
    deploy_model_free(model);
    dr_buf_release(buf);
    assert_int_equal(rc, why ? -1 : 0);
    if (why && !strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void aliases_of_aliases(void **state)
{
    struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    add(&buf, "x-0: &a0 {a: 1, b: 2}\n");
    for (int i = 1; i < 30; i++)
        add(&buf, "x-%d: &a%d {<<: *a%d, c%d: *a%d, d%d: *a%d}\n", i, i, i - 1, i, i - 1,
            i, i - 1);
    add(&buf, HEAD);
    says(&buf, "more values than a deployment can have");

    for (int i = 0; i < 100000; i++)
        add(&buf, "- &a%d 1\n", i);
    says(&buf, "more than 1000 anchors");
}

static void long_texts_and_deep_nesting(void **state)
{
    struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    dr_auto_free char *text = dr_alloc((1 << 20) + 1);
    memset(text, 'x', 1 << 20);
    add(&buf, HEAD "  web: {image: x, hostname: %s}\n", text);
    says(&buf, "this text is too long: at most 256 KiB");

    /* as large as they may be, but too large together */
    text[200000] = '\0';
    add(&buf, HEAD "  web:\n    image: x\n    labels:\n");
    for (int i = 0; i < 10; i++)
        add(&buf, "      k%d: %s\n", i, text);
    says(&buf, "all of it together is too large: at most 1 MiB");

    add(&buf, "version: v1\nx-a: ");
    for (int i = 0; i < 100000; i++)
        add(&buf, "[");
    says(&buf, "nested too deep");
}

static void many_services_and_variables(void **state)
{
    struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    add(&buf, HEAD);
    for (int i = 0; i < 60000; i++)
        add(&buf, "  s%d: {image: x}\n", i);
    says(&buf, "there are 60000 of them; at most 1000 can be");

    add(&buf, HEAD);
    for (int i = 0; i < 100000; i++)
        add(&buf, "  s%d: {a: b}\n", i);
    says(&buf, "more values than a deployment can have");

    add(&buf, HEAD "  web:\n    image: x\n    env:\n");
    for (int i = 0; i < 100000; i++)
        add(&buf, "      V%d: x\n", i);
    says(&buf, "there are 100000 of them; at most 10000 can be");

    add(&buf, HEAD);
    for (int i = 0; i < 1000; i++) {
        add(&buf, "  s%d:\n    image: x\n    depends:\n", i);
        for (int j = 0; j < 150; j++)
            add(&buf, "    - nobody%d\n", j);
    }
    says(&buf, "s0 depends on 'nobody0', which is no service here (and 149999 more)");
}

static void what_is_looked_up_is_found_at_once(void **state)
{
    struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    add(&buf, HEAD);
    for (int i = 0; i < 200; i++) {
        add(&buf, "  s%d:\n    image: x\n    storage:\n", i);
        for (int j = 0; j < 150; j++)
            add(&buf, "    - v%d_%d:/%d\n", i, j, j);
    }
    says(&buf, NULL);

    add(&buf, "x-a: &a {");
    for (int i = 0; i < 60000; i++)
        add(&buf, "k%d: 1,", i);
    add(&buf, "}\nx-b: {<<: *a,");
    for (int i = 0; i < 70000; i++)
        add(&buf, "m%d: 1,", i);
    add(&buf, "}\n" HEAD);
    says(&buf, NULL);

    add(&buf, HEAD "  web:\n    image: x\n    env:\n");
    for (int i = 0; i < 10000; i++)
        add(&buf, "    - V%d=x\n", i);
    says(&buf, NULL);
}

int main(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !CLANG_SANITIZES
    const struct rlimit limit = {192 << 20, 192 << 20};
    if (setrlimit(RLIMIT_AS, &limit) < 0)
        return 1;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aliases_of_aliases),
        cmocka_unit_test(long_texts_and_deep_nesting),
        cmocka_unit_test(many_services_and_variables),
        cmocka_unit_test(what_is_looked_up_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
