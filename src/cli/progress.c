/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress of a pull or a push. On a terminal the layers that move are bars at the
 * bottom, redrawn at most ten times a second, and each one that is done becomes a line
 * above them: so the number of bars is the number of parallel downloads, whatever the
 * image. Anywhere else: a line for each change.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "base/text.h"
#include "cli/cli.h"

#define REDRAW_MS 100
#define BARS_MAX 16
#define BAR_MAX 50
#define FILE_NAME_MAX 30 /* characters that are shown */
#define WIDTH_DEFAULT 80

struct layer {
    char *digest; /* owned; of a file its name */
    char *image;  /* owned; NULL: there is only one */
    bool file;    /* that an import downloads */
    int stage;
    int64_t done_bytes, total_bytes;
    bool listed; /* its line "Pulling fs layer" was printed */
    bool over;
};

struct cli_progress {
    FILE *out;
    bool terminal;
    struct layer *layers;
    size_t count;
    size_t drawn; /* lines of bars below the cursor's first line */
    int64_t drawn_ms;
};

struct cli_progress *cli_progress_new(FILE *out)
{
    struct cli_progress *p = dr_alloc(sizeof(*p));
    const char *term = getenv("TERM");
    p->out = out;
    p->terminal = isatty(fileno(out)) && !(term && strcmp(term, "dumb") == 0);
    return p;
}

static struct layer *find(struct cli_progress *p, const char *image, const char *digest)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->layers[i].digest, digest) == 0 &&
            strcmp(p->layers[i].image ?: "", image ?: "") == 0)
            return &p->layers[i];
    p->layers = dr_realloc(p->layers, (p->count + 1) * sizeof(*p->layers));
    struct layer *layer = &p->layers[p->count++];
    *layer = (struct layer){.digest = dr_strdup(digest), .image = dr_strdup(image)};
    return layer;
}

static size_t terminal_width(const struct cli_progress *p)
{
    struct winsize size = {0};
    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

/* Takes the bars away: the cursor stands where the first of them was. */
static void erase(struct cli_progress *p)
{
    if (p->drawn)
        fprintf(p->out, "\x1b[%zuA\x1b[J", p->drawn);
    p->drawn = 0;
}

static char *name_of(const struct layer *layer)
{
    if (layer->file)
        return dr_escape(layer->digest, FILE_NAME_MAX);
    dr_auto_free char *image = layer->image ? cli_familiar(layer->image) : NULL;
    return dr_printf("%s%s%s", image ? image : "", image ? " " : "",
                     cli_short_id(layer->digest));
}

static void draw_bar(struct cli_progress *p, const struct layer *layer, size_t width)
{
    dr_auto_free char *done = dr_size_text(layer->done_bytes);
    dr_auto_free char *total = dr_size_text(layer->total_bytes);
    static const char *const words[] = {
        [DRAY_LAYER_UNPACKING] = "Extracting", [DRAY_LAYER_PUSHING] = "Pushing"};
    const char *word = layer->stage < (int)DR_COUNT(words) && words[layer->stage]
                           ? words[layer->stage]
                           : "Downloading";
    dr_auto_free char *name = name_of(layer);
    dr_auto_free char *head = dr_printf("%s: %s", name, word);
    dr_auto_free char *tail =
        layer->total_bytes > 0 ? dr_printf("%s/%s", done, total) : dr_strdup(done);
    size_t used = strlen(head) + strlen(tail) + 5;
    size_t room = width > used + 1 ? width - used - 1 : 0;
    if (room > BAR_MAX)
        room = BAR_MAX;
    if (room < 5) { /* too narrow for a bar */
        fprintf(p->out, "%.*s\n", (int)width - 1, head);
        return;
    }
    char bar[BAR_MAX + 1];
    double part = layer->total_bytes > 0
                      ? (double)layer->done_bytes / (double)layer->total_bytes
                      : 0;
    size_t filled = part >= 1 ? room : (size_t)(part * (double)room);
    for (size_t i = 0; i < room; i++)
        bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[room] = '\0';
    fprintf(p->out, "%s [%s]  %s\n", head, bar, tail);
}

static void draw(struct cli_progress *p, bool now)
{
    int64_t ms = dr_clock_ms();
    if (!now && ms - p->drawn_ms < REDRAW_MS)
        return;
    size_t width = terminal_width(p);
    p->drawn_ms = ms;
    erase(p);
    for (size_t i = 0; i < p->count && p->drawn < BARS_MAX; i++) {
        const struct layer *layer = &p->layers[i];
        if (layer->over || layer->stage == DRAY_LAYER_WAITING ||
            layer->stage == DRAY_LAYER_PREPARING)
            continue;
        draw_bar(p, layer, width);
        p->drawn++;
    }
    fflush(p->out);
}

/* A line that stays, above the bars. */
static void say(struct cli_progress *p, const struct layer *layer, const char *text)
{
    erase(p);
    dr_auto_free char *name = name_of(layer);
    fprintf(p->out, "%s: %s\n", name, text);
    if (!p->terminal)
        fflush(p->out);
}

static void finish(struct cli_progress *p, struct layer *layer, const char *text)
{
    if (layer->over)
        return;
    layer->over = true;
    say(p, layer, text);
    if (p->terminal)
        draw(p, true);
}

/* In the registry's words, which may be anybody's. */
static void print_retry(FILE *out, const struct dray_progress *step)
{
    dr_auto_free char *why = dr_escape(step->why, 300);
    fprintf(out, "Retrying in %.1f s: %s\n", (double)step->wait_ms / 1000, why);
}

void cli_progress_retry(void *arg, const struct dray_progress *step)
{
    if (step->what == DRAY_PROGRESS_RETRY)
        print_retry(stderr, step);
}

static void say_retry(struct cli_progress *p, const struct dray_progress *step)
{
    erase(p);
    print_retry(p->out, step);
    if (p->terminal)
        draw(p, true);
    fflush(p->out);
}

void cli_progress_line(struct cli_progress *p, const char *line)
{
    erase(p);
    fprintf(p->out, "%s\n", line);
    draw(p, true);
}

void cli_progress_step(void *arg, const struct dray_progress *step)
{
    cli_progress_image(arg, NULL, step);
}

void cli_progress_image(void *arg, const char *image, const struct dray_progress *step)
{
    struct cli_progress *p = arg;
    if (step->what == DRAY_PROGRESS_RETRY) {
        say_retry(p, step);
        return;
    }
    if (step->what == DRAY_PROGRESS_RESOLVED || !step->layer)
        return;
    struct layer *layer = find(p, image, step->layer);
    bool push = step->stage == DRAY_LAYER_PUSHING || step->stage == DRAY_LAYER_PREPARING;
    layer->file = step->from && step->what != DRAY_PROGRESS_LAYER_MOUNTED;
    layer->done_bytes = step->done;
    layer->total_bytes = step->total;
    switch (step->what) {
    case DRAY_PROGRESS_LAYER_EXISTS:
        finish(p, layer, push ? "Layer already exists" : "Already exists");
        return;
    case DRAY_PROGRESS_LAYER_DONE:
        finish(p, layer,
               push          ? "Pushed"
               : layer->file ? "Download complete"
                             : "Pull complete");
        return;
    case DRAY_PROGRESS_LAYER_MOUNTED: {
        dr_auto_free char *text =
            dr_printf("Mounted from %s", step->from ? step->from : "another repository");
        finish(p, layer, text);
        return;
    }
    case DRAY_PROGRESS_LAYER:
    case DRAY_PROGRESS_RESOLVED:
    case DRAY_PROGRESS_RETRY:
        break;
    }
    layer->stage = step->stage;
    if (p->terminal) {
        draw(p, false);
    } else if (!layer->listed) {
        layer->listed = true;
        say(p, layer,
            push          ? "Preparing"
            : layer->file ? "Downloading"
                          : "Pulling fs layer");
    }
}

void cli_progress_end(struct cli_progress *p)
{
    if (!p)
        return;
    erase(p);
    fflush(p->out);
    for (size_t i = 0; i < p->count; i++) {
        free(p->layers[i].digest);
        free(p->layers[i].image);
    }
    free(p->layers);
    free(p);
}
