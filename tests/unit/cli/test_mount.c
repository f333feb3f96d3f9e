/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static void a_mount_becomes_the_shorter_flag(void **state)
{
    static const struct {
        const char *mount, *field, *flag;
    } rows[] = {
        {"type=bind,source=/a,target=/b", "volume", "/a:/b"},
        {"type=bind,src=/a,dst=/b,readonly", "volume", "/a:/b:ro"},
        {"type=bind,src=/a,dst=/b,ro=false", "volume", "/a:/b"},
        {"dst=/b,type=bind,src=/a,bind-propagation=rslave,ro", "volume",
         "/a:/b:rslave,ro"},
        {"src=data,destination=/d", "volume", "data:/d"},
        {"type=volume,src=data,dst=/d,volume-nocopy", "volume", "data:/d:nocopy"},
        {"type=bind,src=C:\\a,dst=/b,ro", "volume", "C:\\a:/b:ro"},
        {"type=bind,src=\\\\wsl$\\D\\a,dst=/b", "volume", "\\\\wsl$\\D\\a:/b"},
        {"dst=/d", "volume", "/d"},
        {"type=tmpfs,dst=/t", "tmpfs", "/t"},
        {"type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777", "tmpfs",
         "/t:size=1m,mode=1777"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        const char *field = NULL;
        dr_auto_free char *flag = cli_mount(rows[i].mount, &field, &err);
        assert_string_equal(err.text, "");
        assert_string_equal(flag, rows[i].flag);
        assert_string_equal(field, rows[i].field);
    }
}

static void what_the_shorter_flag_cannot_say_is_refused(void **state)
{
    static const struct {
        const char *mount, *text;
        enum dr_kind kind;
    } rows[] = {
        {"", "it must be KEY=VALUE[,KEY=VALUE...], as in type=bind,source=/a,target=/b",
         DR_ERR_INVALID},
        {"type=bind,src=/a", "target is missing", DR_ERR_INVALID},
        {"type=bind,dst=/a", "source is missing", DR_ERR_INVALID},
        {"type", "type needs a value", DR_ERR_INVALID},
        {"src=a:b,dst=/b", "src=a:b: a colon in it is not supported", DR_ERR_UNSUPPORTED},
        {"src=C:\\a:b,dst=/b", "src=C:\\a:b: a colon in it is not supported",
         DR_ERR_UNSUPPORTED},
        {"dst=/b,ro",
         "options of a volume without a name are not supported; give a source",
         DR_ERR_UNSUPPORTED},
        {"type=image,src=a,dst=/b",
         "type=image is not supported; bind, volume and tmpfs are", DR_ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        const char *field;
        assert_null(cli_mount(rows[i].mount, &field, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.kind, rows[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mount_becomes_the_shorter_flag),
        cmocka_unit_test(what_the_shorter_flag_cannot_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
