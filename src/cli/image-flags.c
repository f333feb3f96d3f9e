/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of the verbs for images in files, of copy, and of the cache. */
#include "cli/registry-flags.h"

#define SAVE(member) offsetof(struct save_args, member)
const struct cli_option cli_save_options[] = {
    {0, "format", CLI_TEXT, SAVE(format), "string",
     "docker-archive (default), oci-archive, oci-dir or docker-dir"},
    {'o', "output", CLI_TEXT, SAVE(output), "file", "Write there, not to stdout"},
    {0}};

#define LOAD(member) offsetof(struct load_args, member)
const struct cli_option cli_load_options[] = {
    {'i', "input", CLI_TEXT, LOAD(input), "file",
     "Read an archive or a directory, not stdin"},
    {0, "platform", CLI_TEXT, LOAD(platform), "string",
     "Of an image for several platforms, this one (default: the target's)"},
    {'q', "quiet", CLI_BOOL, LOAD(quiet), NULL, "Show no progress"},
    OPTION_SIGNATURE_POLICY_AT(LOAD(signature_policy)),
    {0}};

#define IMPORT(member) offsetof(struct import_args, member)
const struct cli_option cli_import_options[] = {
    OPTION_CERT_DIR(IMPORT(registry)),
    {'c', "change", CLI_LIST, IMPORT(changes), "list",
     "Dockerfile instruction that changes the image's config"},
    {'m', "message", CLI_TEXT, IMPORT(message), "string",
     "What its history says (default: where it came from)"},
    {0, "platform", CLI_TEXT, IMPORT(platform), "string",
     "What it is for (default: the target)"},
    OPTION_SIGNATURE_POLICY(IMPORT(registry)),
    OPTION_TLS_CA(IMPORT(registry)),
    OPTION_TLS_VERIFY(IMPORT(registry)),
    {0}};

#define COPY(member) offsetof(struct copy_args, member)
const struct cli_option cli_copy_options[] = {
    {'a', "all", CLI_BOOL, COPY(all), NULL,
     "All platforms of an index, and all else in it"},
    OPTION_AUTHFILE(COPY(registry)),
    OPTION_CERT_DIR(COPY(registry)),
    OPTION_CREDS(COPY(registry)),
    OPTIONS_SIDE("dest", COPY(to)),
    OPTION_PASSWORD_STDIN(COPY(registry)),
    {0, "platform", CLI_TEXT, COPY(platform), "string",
     "Platform of the image (default: linux on this machine's CPU)"},
    {'q', "quiet", CLI_BOOL, COPY(quiet), NULL, "Print nothing"},
    OPTION_SIGNATURE_POLICY(COPY(registry)),
    OPTIONS_SIDE("src", COPY(from)),
    OPTION_TLS_CA(COPY(registry)),
    OPTION_TLS_VERIFY(COPY(registry)),
    {0}};

#define SEARCH(member) offsetof(struct search_args, member)
const struct cli_option cli_search_options[] = {
    OPTION_AUTHFILE(SEARCH(registry)),
    OPTION_CERT_DIR(SEARCH(registry)),
    OPTION_CREDS(SEARCH(registry)),
    {'f', "filter", CLI_LIST, SEARCH(filters), "filter",
     "Show what matches: is-official=, stars="},
    {0, "format", CLI_TEXT, SEARCH(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {0, "limit", CLI_INT, SEARCH(limit), "int", "Show at most so many (default 25)", 1,
     100, 25},
    {0, "no-trunc", CLI_BOOL, SEARCH(no_trunc), NULL, "Do not cut descriptions"},
    OPTION_PASSWORD_STDIN(SEARCH(registry)),
    OPTION_TLS_CA(SEARCH(registry)),
    OPTION_TLS_VERIFY(SEARCH(registry)),
    {0}};

#define CACHE(member) offsetof(struct cache_args, member)
#define CACHE_FORMAT                                                                     \
    {                                                                                    \
        0, "format", CLI_TEXT, CACHE(format), "string",                                  \
            "table, json, 'table TEMPLATE' or a template as '{{.Digest}}'"               \
    }
const struct cli_option cli_cache_ls_options[] = {
    CACHE_FORMAT,
    {0, "no-trunc", CLI_BOOL, CACHE(no_trunc), NULL, "Do not cut digests"},
    {'q', "quiet", CLI_BOOL, CACHE(quiet), NULL, "Only show digests"},
    {0}};

const struct cli_option cli_cache_df_options[] = {{0, "format", CLI_TEXT, CACHE(format),
                                                   "string",
                                                   "json, or a template as '{{.Size}}'"},
                                                  {0}};

const struct cli_option cli_cache_prune_options[] = {
    {'f', "force", CLI_BOOL, CACHE(force), NULL, "Do not ask"},
    {0, "keep", CLI_BYTES, CACHE(keep_bytes), "bytes",
     "Keep as much of what was used last (default: nothing)"},
    {0}};
