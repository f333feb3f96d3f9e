/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials-file.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"

#define AUTH_FILE_MAX (1u << 20)

/* "<value of variable>/<tail>", or with `otherwise` below the home directory. */
static char *place(const char *variable, const char *otherwise, const char *tail)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base && *base)
        return dr_printf("%s/%s", base, tail);
    if (otherwise && home && *home)
        return dr_printf("%s/%s/%s", home, otherwise, tail);
    return NULL;
}

char *credentials_docker_file(void)
{
    return place("DOCKER_CONFIG", ".docker", "config.json");
}

char **credentials_places(const char *auth_file, bool *ret_must_exist)
{
    char **places = NULL;
    if (!auth_file)
        auth_file = getenv("REGISTRY_AUTH_FILE");
    *ret_must_exist = auth_file != NULL;
    if (auth_file) {
        if (*auth_file)
            dr_strv_add(&places, auth_file);
        return places ? places : dr_alloc(sizeof *places);
    }
    char *runtime = place("XDG_RUNTIME_DIR", NULL, "containers/auth.json");
    char *found[] = {
        runtime ? runtime : dr_printf("/run/containers/%u/auth.json", (unsigned)getuid()),
        place("XDG_CONFIG_HOME", ".config", "containers/auth.json"),
        credentials_docker_file(),
    };
    for (size_t i = 0; i < DR_COUNT(found); i++) {
        if (found[i])
            dr_strv_add(&places, found[i]);
        free(found[i]);
    }
    return places;
}

int credentials_file_read(const char *path, bool must_exist, json_t **ret_doc,
                          struct dr_error *err)
{
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(AUTH_FILE_MAX);
    if (dr_file_read(AT_FDCWD, path, &buf, &problem) < 0) {
        bool missing = problem.code == ENOENT || problem.code == ENOTDIR;
        if (missing && !must_exist)
            return 0;
        dr_error_move(err, &problem);
        err->kind = DR_ERR_CONFIG;
        return -1;
    }
    json_t *doc =
        dr_json_parse(buf.data ? buf.data : "", buf.len, AUTH_FILE_MAX, &problem);
    if (buf.data)
        explicit_bzero(buf.data, buf.len);
    if (!json_is_object(doc)) {
        /* jansson's words may quote the file */
        json_decref(doc);
        return dr_fail(err, DR_ERR_CONFIG, "it is not a JSON object: correct it");
    }
    *ret_doc = doc;
    return 1;
}

/* The directory, made when missing, with a lock that goes with the descriptor. */
static int lock_directory(const char *path, struct dr_error *err)
{
    dr_auto_free char *directory = dr_path_parent(path);
    if (dr_mkdir_all(directory, 0700, err) < 0)
        return -1;
    dr_auto_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd;
    while (fd >= 0 && (rc = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "lock %s", directory);
    return DR_TAKE_FD(fd);
}

/* Under the lock: whatever has the temporary's name is left from a crash. */
static int replace(int directory, const char *name, const char *text,
                   struct dr_error *err)
{
    struct stat before;
    dr_auto_free char *temporary = dr_printf("%s.new", name);
    unlinkat(directory, temporary, 0);
    dr_auto_fd int fd =
        openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "create %s", temporary);
    bool fine = fchmod(fd, 0600) == 0 && dr_write_full(fd, text, strlen(text)) == 0;
    /* root who writes for a user (sudo) leaves the file the user's */
    if (fine && fstatat(directory, name, &before, 0) == 0 &&
        (before.st_uid != geteuid() || before.st_gid != getegid()) && geteuid() == 0)
        fine = fchown(fd, before.st_uid, before.st_gid) == 0;
    fine = fine && fsync(fd) == 0 && renameat(directory, temporary, directory, name) == 0;
    if (!fine) {
        dr_fail_errno(err, DR_ERR_NONE, "write %s", name);
        unlinkat(directory, temporary, 0);
        return -1;
    }
    fsync(directory);
    return 0;
}

int credentials_file_change(const char *path, credentials_change *change, void *arg,
                            struct dr_error *err)
{
    /* a link that somebody keeps to a file elsewhere stays one */
    dr_auto_free char *real = realpath(path, NULL);
    const char *file = real ? real : path;
    dr_auto_fd int directory = lock_directory(file, err);
    if (directory < 0)
        return -1;
    dr_auto_json json_t *doc = NULL;
    int rc = credentials_file_read(file, false, &doc, err);
    if (rc == 0)
        doc = json_object();
    if (rc >= 0)
        rc = change(arg, doc, err);
    if (rc <= 0)
        return rc;
    char *text = json_dumps(doc, JSON_INDENT(4));
    rc = text ? replace(directory, dr_path_last(file), text, err)
              : dr_fail(err, DR_ERR_INTERNAL, "it cannot be written as JSON");
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}
