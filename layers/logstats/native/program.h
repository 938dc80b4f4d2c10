/* A format's declaration, compiled by program.py: what it says about a line. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "encoding.h"
#include "values.h"

typedef struct {
    const uint8_t *customer;
    uint32_t customer_length;
    int32_t day, second;    /* UTC: since 1970, and of the day */
    span method, target;    /* as written; only if targets are read */
    int32_t status;
    int timed;              /* whether there is a duration */
    uint64_t duration_us;
} log_line;

#define MAX_VALUES 64       /* each has a bit */
#define NONE 255            /* instead of a value's number: it is not wanted */

typedef struct { span until; uint8_t value, is_quoted, is_simple; } hole; /* simple: not quoted, up to one byte */
typedef struct {
    span lead, separator;
    const hole *holes;
    byte_set stops;         /* what holes can end with */
    uint32_t count;
    uint32_t shared;        /* lead and holes that the template before begins with, too */
    int rest;
} template;

/* Where values stand in JSON documents. Nodes come before their children. */
typedef struct { span key; uint64_t start; uint32_t index, node; } step; /* `start`: the first bytes of a key */
typedef struct {
    const step *keys, *indices;
    uint32_t key_count, index_count;
    uint64_t below;         /* the values of the node and all below */
    uint64_t filter;        /* a bit for each key, so that most others are known at once */
    uint8_t value;
} node;

static inline unsigned filter_bit(uint64_t start, size_t length) {
    return (unsigned)((start ^ length) * UINT64_C(0x9E3779B97F4A7C15) >> 58);
}

typedef struct {
    uint64_t present;       /* a bit for each value that the line has */
    span at[MAX_VALUES];
} values;

typedef struct program program;

/* Returns 0, NO_MEMORY or PROGRAM_MALFORMED: whatever the code is, a program that was loaded is safe to run. */
int program_load(const uint8_t *code, size_t length, program **);
void program_free(program *);

/* The `#Fields:` line in force, empty if there is none; to set it returns 0, or -1 when out of memory. */
int program_set_columns(program *, const uint8_t *line, size_t length);
span program_columns(const program *);

/* Whether what the program reads is the native format, all of which the fast path may read. */
int program_is_native(const program *);

/* Read the method and the target of every request, whoever the customer is. */
void program_read_targets(program *);

/* The verdict on a line, without LF and trailing CR: ACCEPTED, SKIPPED, a reason, or LINE_FAILED when out of memory. Later than
 * `latest` (nanoseconds since 1970) no request can be. `readable` is the end of what can be read behind the line. What
 * `out` points to lives as long as the line, and until the next. */
enum { SKIPPED = -2, LINE_FAILED = -3 };
int program_run(program *, const uint8_t *line, size_t length, const uint8_t *readable, int64_t latest, log_line *out);

/* What reading a JSON document needs: places in the line, and strings whose escapes are decoded. */
typedef struct {
    uint32_t marks[MAX_LINE_BYTES + PADDING];
    uint8_t decoded[MAX_LINE_BYTES + PADDING];
} json_room;

/* Take the wanted values of a JSON document, which must be an object. Returns 1 if the line is one: what Python's `json`
 * reads, without NaN and Infinity, in at most 64 levels. Behind the line is a control character. */
int read_json(const node *nodes, const uint8_t *line, size_t length, json_room *, values *out);

#endif
