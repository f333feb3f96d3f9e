/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ground.h"
#include "guest/net/nft.h"

#define INET 1

/* Words of four bytes in hex, as they are in memory. */
static char *hex_of(const struct nft_batch *batch)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1 << 16);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (size_t i = 0; i < batch->bytes.len; i++)
        dr_buf_addf(&text, &err, "%s%02x", i && i % 4 == 0 ? " " : "",
                    (unsigned char)batch->bytes.data[i]);
    return dr_buf_take(&text);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* length, type and flags, number, port; family, version, resource; attributes */
#define BEGIN "14000000 10000100 01000000 00000000 0000000a"

static void a_table_is_written_as_the_kernel_reads_it(void **state)
{
    (void)state;
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    nft_add_table(&batch, INET, "dray");
    nft_batch_end(&batch);
    dr_auto_free char *hex = hex_of(&batch);
    assert_string_equal(hex, BEGIN
                        /* NEWTABLE, REQUEST|ACK|CREATE; NAME of 5 bytes and padding */
                        " 20000000 000a0504 02000000 00000000 01000000"
                        " 09000100 64726179 00000000"
                        " 14000000 11000100 03000000 00000000 0000000a");
}

static void a_rule_is_written_as_the_kernel_reads_it(void **state)
{
    (void)state;
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    nft_rule_begin(&batch, INET, "t", "c");
    nft_match_output(&batch, "dr-0", false);
    nft_verdict(&batch, false);
    nft_rule_end(&batch, "me");
    dr_auto_free char *hex = hex_of(&batch);
    assert_string_equal(
        hex,
        BEGIN " c0000000 060a010c 02000000 00000000 01000000"
              " 06000100 74000000 06000200 63000000"
              " 90000480"                                     /* EXPRESSIONS */
              " 24000180 09000100 6d657461 00000000"          /* meta */
              " 14000280 08000100 00000001 08000200 00000007" /* to register 1: OIFNAME */
              " 38000180 08000100 636d7000"                   /* cmp */
              " 2c000280 08000100 00000001 08000200 00000001" /* register 1, not equal */
              " 18000380 14000100 64722d30 00000000 00000000 00000000"
              " 30000180 0e000100 696d6d65 64696174 65000000" /* immediate */
              " 1c000280 08000100 00000000"          /* to the verdict register */
              " 10000280 0c000280 08000100 00000000" /* NF_DROP */
              " 09000700 00036d65 00000000");        /* USERDATA: a comment */
}
#endif

static int count_chain(void *arg, const struct nft_chain *chain)
{
    int *count = arg;
    if (chain->family == INET && strcmp(chain->table, "t") == 0 &&
        strcmp(chain->name, "forward") == 0 && chain->hook == 2 && !chain->drops)
        ++*count;
    return 0;
}

static int keep_rule(void *arg, const struct nft_rule *rule)
{
    struct nft_rule *kept = arg;
    *kept = *rule;
    return 0;
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_fd int fd = -1;
    int chains = 0;
    struct nft_rule rule = {0};
    assert_int_equal(nft_open(&fd, &err), 0);
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    nft_add_table(&batch, INET, "t");
    nft_add_chain(&batch, INET, "t", "forward", NFT_FORWARD);
    nft_rule_begin(&batch, INET, "t", "forward");
    nft_match_established(&batch);
    nft_verdict(&batch, true);
    nft_rule_end(&batch, "a comment of ours");
    assert_int_equal(nft_send(fd, &batch, &err), 0);
    assert_int_equal(nft_each_chain(fd, count_chain, &chains, &err), 0);
    assert_int_equal(chains, 1);
    assert_int_equal(nft_each_rule(fd, INET, "t", "forward", keep_rule, &rule, &err), 0);
    assert_string_equal(rule.comment, "a comment of ours");
    assert_true(rule.handle > 0);
    dr_auto_free char *list = ground_says("nft list table inet t");
    assert_string_equal(
        list, "table inet t {\n"
              "\tchain forward {\n"
              "\t\ttype filter hook forward priority filter; policy accept;\n"
              "\t\tct state established,related accept comment \"a comment of ours\"\n"
              "\t}\n"
              "}\n");
}

static void a_batch_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_fd int fd = -1;
    assert_int_equal(nft_open(&fd, &err), 0);
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    nft_add_table(&batch, INET, "t");
    nft_delete_table(&batch, INET, "not-there");
    nft_add_table(&batch, INET, "u");
    assert_int_equal(nft_send(fd, &batch, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NETWORK);
    assert_int_equal(err.code, 2);
    assert_string_equal(err.text,
                        "nf_tables refuses the rules: No such file or directory");
    dr_auto_free char *list = ground_says("nft list tables");
    assert_string_equal(list, "");
}

static void a_batch_may_be_large(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_fd int fd = -1;
    assert_int_equal(nft_open(&fd, &err), 0);
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    nft_add_table(&batch, INET, "t");
    nft_add_chain(&batch, INET, "t", "forward", NFT_FORWARD);
    for (int i = 0; i < 5000; i++) {
        nft_rule_begin(&batch, INET, "t", "forward");
        nft_match_input(&batch, "dr-0123456789ab");
        nft_verdict(&batch, true);
        nft_rule_end(&batch, NULL);
    }
    assert_int_equal(nft_send(fd, &batch, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        cmocka_unit_test(a_table_is_written_as_the_kernel_reads_it),
        cmocka_unit_test(a_rule_is_written_as_the_kernel_reads_it),
#endif
        cmocka_unit_test_setup(what_was_written_is_read_back, ground_set_up),
        cmocka_unit_test_setup(a_batch_is_taken_whole_or_not_at_all, ground_set_up),
        cmocka_unit_test_setup(a_batch_may_be_large, ground_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
