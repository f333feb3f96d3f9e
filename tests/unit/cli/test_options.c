/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"
#include "cli/args.h"
#include "cli/cli.h"

struct args {
    bool detach, interactive, proxy;
    const char *name;
    char **env;
    int64_t lines, memory_bytes;
};

#define AT(member) offsetof(struct args, member)
static const struct cli_option table[] = {
    {'d', "detach", CLI_BOOL, AT(detach), NULL, "d"},
    {'i', "interactive", CLI_BOOL, AT(interactive), NULL, "i"},
    {0, "sig-proxy", CLI_BOOL, AT(proxy), NULL, "p", .otherwise = 1},
    {0, "name", CLI_TEXT, AT(name), "string", "n", .alias = "called"},
    {'e', "env", CLI_LIST, AT(env), "list", "e"},
    {'n', "lines", CLI_INT, AT(lines), "int", "l", -1, 100, 7},
    {'m', "memory", CLI_BYTES, AT(memory_bytes), "bytes", "m", 6 << 20},
    {0}};

static struct args args;
static struct cli_parsed parsed;

static int parse(int flags, struct dr_error *err, char **argv)
{
    return cli_parse(table, "run", flags, argv, &args, &parsed, err);
}

#define ARGV(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

static int teardown(void **state)
{
    (void)state;
    cli_args_release(table, &args);
    cli_parsed_release(&parsed);
    return 0;
}

static void assert_fails(const char *text, enum dr_kind kind, int flags, char **argv)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(flags, &err, argv), -1);
    assert_string_equal(err.text, text);
    assert_int_equal(err.kind, kind);
}

static void nothing_given_leaves_the_defaults(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(0, &err, ARGV("")), 0);
    assert_false(args.detach);
    assert_true(args.proxy);
    assert_null(args.name);
    assert_null(args.env);
    assert_int_equal(args.lines, 7);
    assert_int_equal(args.memory_bytes, 0);
    assert_int_equal(parsed.word_count, 1); /* an empty word is a word */
}

static void every_way_to_give_a_value_is_understood(void **state)
{
    static const char *const ways[][4] = {{"--lines", "5"}, {"--lines=5"}, {"-n", "5"},
                                          {"-n5"},          {"-n=5"},      {"-dn", "5"},
                                          {"-din5"}};
    for (size_t i = 0; i < DR_COUNT(ways); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(parse(0, &err, (char **)ways[i]), 0);
        assert_int_equal(args.lines, 5);
        assert_int_equal(parsed.word_count, 0);
        teardown(NULL);
    }
}

static void clustered_booleans_and_their_negation(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(0, &err, ARGV("-di", "--sig-proxy=false")), 0);
    assert_true(args.detach && args.interactive && !args.proxy);
    teardown(NULL);
    assert_int_equal(parse(0, &err, ARGV("-di=false", "--detach=0")), 0);
    assert_true(!args.detach && !args.interactive);
}

static void lists_keep_their_order_and_texts_take_the_last(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(
        parse(0, &err, ARGV("-e", "A=1", "--name", "x", "--env=B", "--called=y", "-eC")),
        0);
    assert_int_equal(dr_strv_len(args.env), 3);
    assert_string_equal(args.env[0], "A=1");
    assert_string_equal(args.env[1], "B");
    assert_string_equal(args.env[2], "C");
    assert_string_equal(args.name, "y");
}

static void a_value_may_look_like_a_flag_or_be_empty(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(0, &err, ARGV("-e", "-d", "--name=", "--env", "--name")), 0);
    assert_string_equal(args.env[0], "-d");
    assert_string_equal(args.env[1], "--name");
    assert_string_equal(args.name, "");
    assert_false(args.detach);
}

static void words_behind_the_image_are_the_containers(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(CLI_STOP_AT_WORD, &err,
                           ARGV("-d", "alpine", "ls", "-i", "--nope", "--", "--help")),
                     0);
    assert_int_equal(parsed.word_count, 6);
    assert_string_equal(parsed.words[2], "-i");
    assert_string_equal(parsed.words[4], "--");
    assert_false(args.interactive || parsed.help);
}

static void other_verbs_take_flags_behind_words(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(0, &err, ARGV("a", "-d", "b", "--", "-i", "-")), 0);
    assert_true(args.detach && !args.interactive);
    assert_int_equal(parsed.word_count, 4);
    assert_string_equal(parsed.words[2], "-i");
    assert_string_equal(parsed.words[3], "-"); /* a lone dash is a word */
}

static void help_is_always_there(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(parse(0, &err, ARGV("--help", "--nope")), 0);
    assert_true(parsed.help);
    teardown(NULL);
    assert_int_equal(parse(0, &err, ARGV("-h")), 0);
    assert_true(parsed.help);
}

static void bad_values_name_flag_value_and_what_is_right(void **state)
{
    assert_fails(
        "invalid argument \"x\" for \"-n, --lines\" flag: it must be a whole number "
        "from -1 to 100",
        DR_ERR_INVALID, 0, ARGV("-n", "x"));
    assert_fails("invalid argument \"101\" for \"-n, --lines\" flag: it must be a whole "
                 "number from -1 to 100",
                 DR_ERR_INVALID, 0, ARGV("-n101"));
    assert_fails(
        "invalid argument \"maybe\" for \"-d, --detach\" flag: it must be true or "
        "false",
        DR_ERR_INVALID, 0, ARGV("--detach=maybe"));
    assert_fails(
        "invalid argument \"5x\" for \"-m, --memory\" flag: it must be a size: a "
        "number with b, k, m or g behind it",
        DR_ERR_INVALID, 0, ARGV("-m", "5x"));
    assert_fails("invalid argument \"1m\" for \"-m, --memory\" flag: the minimum is 6m",
                 DR_ERR_INVALID, 0, ARGV("-m", "1m"));
    assert_fails("flag needs an argument: -e, --env list", DR_ERR_INVALID, 0,
                 ARGV("-e", "a", "-e"));
    assert_fails("flag needs an argument: --name string", DR_ERR_INVALID, 0,
                 ARGV("--name"));
}

static void a_bad_value_is_escaped(void **state) /* H3 */
{
    assert_fails(
        "invalid argument \"\\x1b[2J\" for \"-n, --lines\" flag: it must be a whole "
        "number from -1 to 100",
        DR_ERR_INVALID, 0, ARGV("-n", "\x1b[2J"));
    assert_fails("unknown flag: --\\x1b", DR_ERR_INVALID, 0, ARGV("--\x1b"));
}

static void unknown_flags_are_named_with_what_was_meant(void **state)
{
    assert_fails("unknown flag: --detahc (did you mean --detach?)", DR_ERR_INVALID, 0,
                 ARGV("--detahc"));
    assert_fails("unknown flag: --zzz", DR_ERR_INVALID, 0, ARGV("--zzz=5"));
    assert_fails("unknown shorthand flag: -z", DR_ERR_INVALID, 0, ARGV("-dz"));
}

static void flags_of_docker_are_refused_by_name(void **state)
{
    assert_fails("--gpus is not supported yet (use --device)", DR_ERR_UNSUPPORTED,
                 CLI_STOP_AT_WORD, ARGV("-i", "--gpus", "all", "alpine"));
    assert_fails("--memory-swap is not supported yet (this limit is still to come)",
                 DR_ERR_UNSUPPORTED, CLI_STOP_AT_WORD,
                 ARGV("--memory-swap=1g", "alpine"));
    assert_non_null(cli_refused_flag("create", "gpus", 4, 0));
    assert_null(cli_refused_flag("ps", "gpus", 4, 0));
}

/* The tables of the program itself. */
static void no_table_has_a_flag_twice_or_one_that_is_refused(void **state)
{
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        for (const struct cli_option *o = v->options; o->name; o++) {
            assert_non_null(o->help);
            assert_true((o->type == CLI_BOOL) == (o->value == NULL));
            assert_ptr_equal(cli_option_find(v->options, o->name, strlen(o->name)), o);
            assert_null(cli_refused_flag(v->name, o->name, strlen(o->name), 0));
            if (!o->letter)
                continue;
            assert_ptr_equal(cli_option_letter(v->options, o->letter), o);
            /* history has Docker's -H, which is --host elsewhere */
            if (o->letter != 'H')
                assert_null(cli_refused_flag(v->name, NULL, 0, o->letter));
        }
    }
}

static const char *next_of(void *state)
{
    const char ***at = state;
    return **at ? *(*at)++ : NULL;
}

static const char *nearest(const char *text)
{
    static const char *words[] = {"run", "rm", "rmi", "images", "inspect", "kill", NULL};
    const char **at = words;
    return dr_nearest(text, next_of, &at);
}

static void typos_find_the_nearest_word(void **state)
{
    assert_string_equal(nearest("runn"), "run");
    assert_string_equal(nearest("imgaes"), "images");
    assert_string_equal(nearest("ispect"), "inspect");
    assert_string_equal(nearest("klil"), "kill");
    assert_null(nearest("x"));
    assert_null(nearest("something"));
    assert_null(nearest("0123456789012345678901234567890123456789012345678901234567890"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_given_leaves_the_defaults, teardown),
        cmocka_unit_test_teardown(every_way_to_give_a_value_is_understood, teardown),
        cmocka_unit_test_teardown(clustered_booleans_and_their_negation, teardown),
        cmocka_unit_test_teardown(lists_keep_their_order_and_texts_take_the_last,
                                  teardown),
        cmocka_unit_test_teardown(a_value_may_look_like_a_flag_or_be_empty, teardown),
        cmocka_unit_test_teardown(words_behind_the_image_are_the_containers, teardown),
        cmocka_unit_test_teardown(other_verbs_take_flags_behind_words, teardown),
        cmocka_unit_test_teardown(help_is_always_there, teardown),
        cmocka_unit_test(bad_values_name_flag_value_and_what_is_right),
        cmocka_unit_test(a_bad_value_is_escaped),
        cmocka_unit_test(unknown_flags_are_named_with_what_was_meant),
        cmocka_unit_test(flags_of_docker_are_refused_by_name),
        cmocka_unit_test(no_table_has_a_flag_twice_or_one_that_is_refused),
        cmocka_unit_test(typos_find_the_nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
