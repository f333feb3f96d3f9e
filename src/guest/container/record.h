/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of a container: the record (spec.json, written at create, and again when
 * it is renamed or updated) and the state (state.json, replaced whenever it changes).
 *
 * record: {"version":1,"id","name","slug","image","image_id","diff_ids":[…],"created_ns",
 *          "bundle","log","hostname","process":{"args":[…],"env":[…],"cwd","user"},
 *          "stop_signal":N,"stop_timeout_s":N,"volumes":[{"name","target","source",
 *          "anonymous","copy"}],"spec":{…spec_container_to_json…},"image_config":{…},
 *          "renaming": the name it is about to get}
 * state:
 * {"version":1,"status":"created|running|restarting|scheduled|exited","name","image",
 *          "image_id","command","created_ns","labels":{},"network","mounts","auto_remove",
 *          "runtime","pid","pid_start","monitor_pid","boot_id","started_ns",
 *          "finished_ns","exit_code" (null: unknown, I6),"oom_killed","error","restart",
 *          "restart_max","restart_count","schedule","run_count","failed_count",
 *          "next_run_ns" (while it waits),"service","replica","deployment","stopped" (a
 * person ended it),"ports" (while it is up: container_ports_shown())}. It has what `ps`
 * shows, so that a list reads one small file per container. It is the monitor's while the
 * container runs; whoever changes it holds container_state_lock() meanwhile.
 *
 * A directory without state.json is being made; one that `run` makes has its state in the
 * run directory until it runs (CONTAINER_FIRST_STATE). `rm` renames state.json to
 * rmove.json, or to rmvol.json when anonymous volumes go too: that needs no space (I7)
 * and says after a crash that the removal has to be finished.
 */
#ifndef DRAY_GUEST_CONTAINER_RECORD_H
#define DRAY_GUEST_CONTAINER_RECORD_H

#include <stdbool.h>
#include <sys/types.h>

#include "guest/guest.h"

#define CONTAINER_ID_HEX 64
#define RECORD_VERSION 1
#define RECORD_MAX (4u << 20) /* bytes of spec.json and of state.json */
/* In the run directory: the state at the end, when its disk had no room for it. */
#define CONTAINER_KEPT_END "exit.json"
/* In the run directory: the state of a container that `run` makes, until it runs. That
 * costs no disk, and after a power cut the container was never there. */
#define CONTAINER_FIRST_STATE "first.json"
/* In the run directory: a person has ended this run, no policy brings the next one. */
#define CONTAINER_STOPPED "stopped"

struct container {
    char id[CONTAINER_ID_HEX + 1];
    char *dir, *run_dir;    /* owned */
    json_t *record, *state; /* references; NULL when not there (being made, torn) */
    bool end_is_kept;       /* state is CONTAINER_KEPT_END's, still to be written down */
};

bool container_is_id(const char *text); /* 64 lower-case hex digits */
char *container_dir(const struct guest *guest, const char *id);
char *container_run_dir(const struct guest *guest, const char *id);

/* Reads both files. DR_ERR_NOT_FOUND when the directory is not there. A file that is
 * missing or torn leaves its member NULL; one of a later version is DR_ERR_UNSUPPORTED.
 */
int container_load(const struct guest *guest, const char *id, struct container *ret,
                   struct dr_error *err);
/* The state alone, for lists. */
int container_load_state(const struct guest *guest, const char *id, struct container *ret,
                         struct dr_error *err);
void container_release(struct container *container);
#define container_auto DR_CLEANUP(container_release)

/* "created", "running", "restarting", "scheduled", "exited", "creating" (being made),
 * "removing", "dead" (torn). */
const char *container_status(const struct container *container);
/* Does its monitor wait for its next run, by its policy or its schedule? */
bool container_waits(const struct container *container);
/* Is there a monitor for it: does it run, or is it about to (again)? */
bool container_is_up(const struct container *container);
bool container_auto_remove(const struct container *container);
/* The name, or the short id when it has none yet. Borrowed. */
const char *container_name(const struct container *container);

/* Writes the record, and the state. Synced unless the container is removed with its end.
 */
int container_write_record(const struct container *container, struct dr_error *err);
int container_write_state(const struct container *container, struct dr_error *err);
/* The same, without waiting for the disk; and the waiting, for what is there. */
int container_note_record(const struct container *container, struct dr_error *err);
int container_note_state(const struct container *container, struct dr_error *err);
void container_sync_state(const struct container *container);

/* The state of one that `run` makes, to CONTAINER_FIRST_STATE. */
int container_hold_state(const struct container *container, struct dr_error *err);
/* The first state.json, which makes it a container: everything that create has made is on
 * the disk before it, and it is when this returns. (One that is removed with its end
 * waits for nothing.) */
int container_commit_state(const struct container *container, const char *bundle,
                           struct dr_error *err);

/* Taken before a state is loaded in order to be changed and written, by the monitor and
 * by commands (update, rename) alike, for moments. Waits; the descriptor, -1 when the
 * container is gone. */
int container_state_lock(const struct guest *guest, const char *id);

/* (pid, start time) names a process for good; 0 when there is none such. */
int64_t container_pid_start(pid_t pid);
/* A pidfd of the container's first process while it is alive; -1 otherwise. *ret_pid may
 * be NULL. */
int container_pidfd(const struct container *container, pid_t *ret_pid);

/* Calls each with every container's id, in no order; stops at a result that is not 0. */
int container_each(const struct guest *guest, int (*each)(void *arg, const char *id),
                   void *arg, struct dr_error *err);

#endif
