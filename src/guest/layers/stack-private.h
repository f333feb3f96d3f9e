/* SPDX-License-Identifier: Apache-2.0 */
/* What stack*.c share: the layers of a stack, and looking through them. */
#ifndef DRAY_GUEST_LAYERS_STACK_PRIVATE_H
#define DRAY_GUEST_LAYERS_STACK_PRIVATE_H

#include "base/buf.h"
#include "guest/layers/store-private.h"

/* A directory of the stack: a layer, or a cover that was made for one (stack-cover.c). */
struct member {
    char *name;                       /* below "<root>/layers", owned */
    const struct oci_digest *diff_id; /* the layer that it is, or is made for */
    struct dr_buf notes;
    const char **implied; /* sorted, into notes */
    size_t n_implied;
    bool brings_root, root_opaque;
    int fs; /* opened when it is needed, else -1 */
};

struct stack {
    struct layer_store *store;
    struct member *members; /* base first, owned */
    size_t n;
    size_t bottom; /* nothing below this one is visible */
};

/* Reads its notes and puts it in as members[at]. */
int stack_insert(struct stack *s, size_t at, const char *name,
                 const struct oci_digest *diff_id, struct dr_error *err);
void stack_release(struct stack *s);
int stack_member_fs(struct stack *s, size_t i, struct dr_error *err); /* borrowed */
bool stack_is_implied(const struct member *m, const char *path);

enum stack_what {
    STACK_NOTHING,
    STACK_DIR,
    STACK_OTHER, /* a symlink or file in the place of the path's last component */
};
struct stack_found {
    enum stack_what what;
    size_t member;
    int fd; /* STACK_DIR: O_RDONLY, the caller's; else -1 */
};
/*
 * What an overlay mount of the members below `below` has at path. Symlinks are not
 * followed; one on the way means that there is nothing. brought: made-up directories do
 * not count, unless there are only such; then the topmost of them is given.
 */
int stack_look(struct stack *s, size_t below, const char *path, bool brought,
               struct stack_found *ret, struct dr_error *err);

/* Those that an image may bring (attrs.h). */
int stack_copy_xattrs(int from, int to); /* -1 with errno */

/*
 * members[i] has entries below path without bringing it, and in the layers under it there
 * is a symlink. Makes (or finds) the cover: the same symlink, and what members[i] has
 * below path at the place where the symlink leads. Puts it in as members[i + 1].
 * DR_ERR_UNSUPPORTED when it is a file and not a symlink, or leads to one.
 */
int stack_cover(struct stack *s, size_t i, const char *path, struct dr_error *err);

#endif
