/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor's files share. */
#ifndef DRAY_GUEST_MONITOR_STATE_H
#define DRAY_GUEST_MONITOR_STATE_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "guest/container/health.h"
#include "guest/guest.h"
#include "guest/log/log.h"
#include "guest/monitor/monitor.h"
#include "guest/net/ports.h"
#include "guest/runtime/console.h"
#include "spec/schedule.h"

#define MONITOR_CHUNK WIRE_DATA_MAX /* bytes read from the container at once */
#define MONITOR_PIPE (1 << 20)      /* asked of the kernel: fewer and larger reads */
#define MONITOR_REQUEST_MAX 4096    /* bytes of a later client's request */

struct monitor_client {
    struct monitor_client *next;
    int fd;
    bool attached;   /* gets the output */
    bool stdin_open; /* its data goes to the container */
    bool waits;      /* gets the exit event */
    bool asks_code;  /* the exit code is all that it wants: it need not wait for more */
    bool of_run;     /* it is here for one run: it hears the end of that */
    bool leaving;    /* it has heard all that it will: gone when it took that */
    bool hung_up;    /* it left; what it wrote before is still to be read */
    bool gone;
    /* the frame that is being read */
    unsigned char head[WIRE_HEADER_BYTES];
    size_t head_len;
    struct wire_header frame;
    uint32_t left; /* bytes of its payload still to come */
    char *request; /* owned; of a control frame */
    /* what the socket did not take yet */
    char *pending; /* owned */
    size_t pending_len, pending_done;
};

struct monitor {
    /* --- of the monitor's life --- */
    struct guest guest;                                /* paths, owned; no layer store */
    char *id, *rootfs, *run_dir, *cgroup, *state_root; /* owned */
    bool auto_remove;
    bool stdin_keep;       /* stdin outlives those who write to it */
    bool tty;              /* its stdio is one terminal: all output is stream 1 */
    bool prepared;         /* mounts, log and socket are there */
    bool stopped;          /* a person ended it: no run comes after this one */
    bool shutting_down;    /* so does the guest, and it may come back after a reboot */
    json_t *first_request; /* of a start that is tried until it succeeds; a reference */
    unsigned runs;         /* so many have begun */
    int64_t restart_count; /* since a person started the container */
    int64_t delay_ms;      /* before the last restart, or the one to come; 0: none */
    bool scheduled;        /* it runs at times of its own, and waits for them */
    struct spec_schedule schedule;   /* when scheduled */
    int64_t run_count, failed_count; /* since it was created; unseen ends are failures */
    int64_t due_ns, last_due_ns;     /* of the schedule, wall clock; last: 0: none yet */
    int64_t every_due_ns;            /* the same of @every, time since boot */
    int timer_fd;                    /* for due_ns; -1: it does not wait */
    int listen_fd, signal_fd;
    struct log_writer log;
    struct monitor_client *clients;
    char *chunk;    /* MONITOR_CHUNK */
    int log_fds[2]; /* a pipe for what goes to a client and to the log; 0: none */
    struct pollfd *poll_fds; /* owned */
    size_t poll_cap;
    struct ports ports;  /* published ones */
    struct proxy *proxy; /* of those, once the container runs; or NULL */
    int proxy_log_fd;    /* what it says; -1: there is none */

    /* --- of one run of the container --- */
    int output_fds[3]; /* by stream number: read ends of stdout and stderr; −1 closed */
    int stdin_fd;      /* write end; −1: closed or none */
    bool stdin_ends;   /* it is closed once stdin_data is written */
    struct console console; /* the terminal; the others are duplicates of its master */
    char *stdin_data;       /* owned; taken from a client, not yet by the container */
    size_t stdin_len, stdin_done;
    pid_t init;         /* its first process; 0: none */
    int64_t started_ms; /* dr_clock_ms() time */
    bool has_health;
    struct health_check health; /* when has_health */
    enum health_status health_status;
    int64_t
        health_due_ms; /* dr_clock_ms() time: the next probe, or the end of this one */
    pid_t probe;       /* 0: none */
    bool exit_known;   /* false: nobody saw how it ended (a lost monitor) */
    int exit_code;     /* when it is over */
    bool oom_killed;
    bool end_untold;   /* its event is still to be written */
    long gather_ns;    /* so long its output is left to gather; 0: it is not */
    bool stdin_came;   /* since it wrote last */
    int64_t logged_ns; /* the time of the last output that was logged, or of the start */
};

/* clients.c */
struct monitor_client *monitor_client_add(struct monitor *m, int fd);
/* Frees those that are gone; the standard input goes with the last that had it. */
void monitor_clients_sweep(struct monitor *m);
/* A frame to one client; what the socket does not take is kept until it does. */
void monitor_client_send(struct monitor_client *client, enum wire_type type, int stream,
                         const void *data, size_t len);
void monitor_client_flush(struct monitor_client *client);
/* One that is attached: more of its output fits the socket. */
void monitor_client_widen(struct monitor_client *client);
/* The event of that name, before any output. */
void monitor_client_started(struct monitor *m, struct monitor_client *client);
/* Reads what came: requests, standard input. */
void monitor_client_read(struct monitor *m, struct monitor_client *client);
/* It will take nothing more. What it wrote to the container before that is still read, at
 * the container's pace. */
void monitor_client_hang_up(struct monitor_client *client);
/* Does some client have output that it did not take yet? */
bool monitor_clients_behind(const struct monitor *m);
/* May the client's next bytes be read? Not while the container is behind with stdin. */
bool monitor_client_readable(const struct monitor *m,
                             const struct monitor_client *client);
/* Output of the container for all that are attached; len 0: the stream's end. */
void monitor_clients_output(struct monitor *m, int stream, const char *data, size_t len);
/* Who could be given a pipe's bytes as they are: the only one that is attached, when it
 * keeps up. NULL: nobody. */
struct monitor_client *monitor_client_alone(struct monitor *m);
/* len bytes that are in pipe_fd, for one client; moved, where the kernel can do that. */
void monitor_client_splice(struct monitor_client *client, int stream, int pipe_fd,
                           size_t len);
void monitor_stdin_flush(struct monitor *m);
void monitor_stdin_close(struct monitor *m);
/* Who connected just now and what all of them sent. Does not wait. */
void monitor_hear_all(struct monitor *m);
/* The terminal's size; kept for the next run. */
void monitor_resize(struct monitor *m, const json_t *request);

/* start.c: everything up to a running container, or err. The first time request is the
 * whole start request of container/start.c, later container_run_request()'s. */
int monitor_start(struct monitor *m, const json_t *request, struct dr_error *err);
/* Of a container with a schedule: everything up to where its first run begins. */
int monitor_arm(struct monitor *m, const json_t *request, struct dr_error *err);

/* output.c: what the container wrote, to the log and to who is attached. */
void monitor_output(struct monitor *m, int stream, const char *data, size_t len);
/* Now, as the time of an entry: later than any before it, whatever was done to the clock.
 */
int64_t monitor_log_time(struct monitor *m);
/* One read of one stream. */
void monitor_read_output(struct monitor *m, int stream);
/* The container is dead: all that is left; nothing of its streams is open then. */
void monitor_drain(struct monitor *m);

/* loop.c: until the container is dead; its wait status. */
int monitor_loop(struct monitor *m);
/* One poll and what came of it; −1: as long as it takes. True when the container died. */
bool monitor_turn(struct monitor *m, int timeout_ms, int *ret_status);
/* Waits until somebody takes some of what is left for them. False: nothing is left. */
bool monitor_flush_clients(struct monitor *m);
/* Takes who connected to the socket. Does not wait. */
void monitor_accept(struct monitor *m);

/* ports.c */
/* Listens on what is to be published (container_ports()), unless it does already. */
int monitor_ports_open(struct monitor *m, const json_t *list, struct dr_error *err);
/* From now on what comes there goes to the container, whose first process is m->init. */
int monitor_ports_serve(struct monitor *m, struct dr_error *err);
/* Between two runs: what comes is reset. */
void monitor_ports_pause(struct monitor *m);
/* The ports are free; connections go on. */
void monitor_ports_close(struct monitor *m);
/* drain: once their readers had time to take what is left. */
void monitor_ports_end(struct monitor *m, bool drain);
/* Takes what the proxy has to say. */
void monitor_ports_log(struct monitor *m);

/* restart.c */
/* After a run that is over, when its end was taken: true when the next one has begun;
 * false: it was the last. */
bool monitor_restart(struct monitor *m);
/* The same for a container whose monitor was lost: after delay_ms, with first_request. */
bool monitor_resume(struct monitor *m);
/* A person ends it: no other run comes. signal: sent to the one that is there; 0: none.
 */
void monitor_stop(struct monitor *m, int signal);

/* schedule.c */
/* From the start request: "schedule", if any, "run_count", "failed_count". */
void monitor_schedule_take(struct monitor *m, const json_t *request);
/* Sets due_ns: the first time from now on, which is not the last one again. */
void monitor_schedule_plan(struct monitor *m);
/* Writes it into the state of a container that waits. */
void monitor_schedule_write(const struct monitor *m);
/* Into the state, when there is a schedule. waits: for the next run. */
void monitor_schedule_note(const struct monitor *m, json_t *state, bool waits);
/* Serves clients until due_ns. False: there is to be no next run. */
bool monitor_schedule_wait(struct monitor *m);

/* health.c */
/* At the begin of a run; plan: the record's "health", NULL for none. */
void monitor_health_begin(struct monitor *m, const json_t *plan);
/* How long until monitor_health_look() has something to do; -1: nothing will be. */
int monitor_health_wait_ms(const struct monitor *m);
void monitor_health_look(struct monitor *m);
/* A child that ended; false: it was no probe. */
bool monitor_health_reaped(struct monitor *m, pid_t pid, int wait_status);
/* The run is over. */
void monitor_health_end(struct monitor *m);

/* finish.c */
/* What the kernel says of a run's end, before its cgroup goes. */
void monitor_take_end(struct monitor *m, int wait_status);
/* Writes the end of a run into the state: "exited", "restarting" or "scheduled". error:
 * why the next one did not begin; NULL: what is there stays. −1: it is not there (it may
 * be in CONTAINER_KEPT_END). */
int monitor_write_end(struct monitor *m, const char *status, const char *error);
/* Processes, cgroup and the runtime's state. */
int monitor_clear_run(struct monitor *m, struct dr_error *err);
void monitor_unmount(struct monitor *m);
/* The end for one client, the last that it hears. restarting: of this run alone. */
void monitor_client_exited(struct monitor *m, struct monitor_client *client,
                           bool restarting);
/* Cleans up, writes the end down, tells the clients. */
void monitor_finish(struct monitor *m);
/* After a failed start: back to "created", or away with it. */
void monitor_roll_back(struct monitor *m, bool destroy, const struct dr_error *why);

#endif
