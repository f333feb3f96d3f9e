/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file "notes" of a layer: NUL-terminated records, the first byte tells the kind. It
 * exists only when there is one.
 */
#ifndef DRAY_GUEST_LAYERS_NOTES_H
#define DRAY_GUEST_LAYERS_NOTES_H

enum {
    NOTE_IMPLIED = 'I',     /* "Iusr/lib": used by the layer, not brought by it */
    NOTE_ROOT = 'R',        /* the layer brings "/" itself */
    NOTE_ROOT_OPAQUE = 'O', /* it hides everything below it */
};

/* Bytes of the notes of one layer; a layer that needs more is refused. */
#define NOTES_MAX ((size_t)1 << 20)

#endif
