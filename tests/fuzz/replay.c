/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over every file of the directories and files that are given, and
 * over each of their prefixes while they are short: seeds stay useful without a fuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALL_PREFIXES_BELOW 4096
#define SEED_MAX (16 * 1024 * 1024)

static int inputs;

/* A copy of exactly the size, so that a sanitizer sees each byte that is read too far. */
static void one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(SEED_MAX);
    if (!file || !data) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, SEED_MAX, file);
    fclose(file);
    one(data, size);
    for (size_t cut = 0; size <= ALL_PREFIXES_BELOW && cut < size; cut++)
        one(data, cut);
    free(data);
    return 0;
}

static int replay(const char *path)
{
    struct stat st;
    DIR *dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    if (!dir)
        return replay_file(path);
    int failed = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        failed |= replay(name);
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%d inputs\n", inputs);
    return failed || inputs == 0;
}
