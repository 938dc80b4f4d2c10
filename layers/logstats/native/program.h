/* A format's declaration, compiled by program.py: what it says about a line. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "encoding.h"
#include "values.h"

typedef struct {
    const uint8_t *customer;
    uint32_t customer_length;
    int32_t day;            /* UTC, since 1970 */
    int32_t status;
    int timed;              /* whether there is a duration */
    uint64_t duration_us;
    /* From here on only for breakdowns. */
    int32_t second;         /* of the day */
    span method, target;    /* as written */
} log_line;

#define MAX_VALUES 64       /* each has a bit */
#define NONE 255            /* instead of a value's number: it is not wanted */

enum { NOT_SIMPLE = 256 };
typedef struct { span text; uint64_t start, mask; } literal;
typedef struct {
    literal until;
    uint8_t value, is_quoted;
    uint8_t first;          /* byte of `until` */
    uint16_t only;          /* the same, if the value is not quoted and `until` has no more; NOT_SIMPLE otherwise */
    uint8_t resumed;        /* the number of the hole, from 0, if a later template that begins alike goes on here; otherwise 0 */
} hole;
typedef struct {
    span lead, separator;
    hole *holes;
    uint32_t count;
    uint32_t shared;        /* lead and holes that the template before begins with, too */
    uint64_t present;       /* the values that a line has of which it fits */
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

/* A line that is being divided: the values that were found. */
enum { MAX_SHARED = 32 };
typedef struct {
    values values;
    uint32_t reached;       /* holes of the last template that fitted, as far as another goes on from there; and where */
    const uint8_t *began[MAX_SHARED + 1];
    const uint8_t *opened, *closed; /* the last value in quotes: another template may ask for it again */
} divided_line;

/* Take the values of a template from a line, those of the first `known` holes aside. Returns the position after it, or NULL
 * if it does not fit; a `prefix` may be followed by anything. */
const uint8_t *fit(divided_line *, const template *, uint32_t known, const uint8_t *at, const uint8_t *end, int is_prefix);

/* The next quote that no backslash precedes, or the end. */
const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end);

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

/* The verdict on a line, without LF and trailing CR: ACCEPTED, SKIPPED, a reason, or LINE_FAILED when out of memory. `is_plain`: it is
 * known to be printable ASCII. `readable` is the end of what can be read behind the line. What
 * `out` points to lives as long as the line, and until the next. */
enum { SKIPPED = -2, LINE_FAILED = -3 };
int program_run(program *, const uint8_t *line, size_t length, int is_plain, const uint8_t *readable, calendar *, log_line *out);

/* The shape of a document: the text before each string and number, then the rest. A log has documents of few shapes. One of
 * known shape is compared with it, instead of being parsed. */
enum { MAX_PIECES = 64, MAX_SHAPE_BYTES = 4096, MAX_MISSES = 16 };
typedef struct { uint32_t length; uint8_t value, is_string; } piece; /* of the text, and what follows it */
typedef struct {
    uint32_t count, rest;
    uint64_t present;
    piece pieces[MAX_PIECES];
    uint8_t text[MAX_SHAPE_BYTES + PADDING];
} shape;

/* What reading JSON documents needs. */
typedef struct {
    const node *nodes;
    shape shape;            /* of a document that was parsed; rest is 0 if it is not known */
    uint32_t misses;     /* documents in a row that did not have it: after MAX_MISSES it is seldom tried */
    uint8_t decoded[MAX_LINE_BYTES + PADDING]; /* strings that had escapes */
} json;

/* Take the wanted values of a JSON document, which must be an object. Returns 1 if the line is one: what Python's `json`
 * reads, without NaN and Infinity, in at most 64 levels. Behind the line is a control character. */
int read_json(json *, const uint8_t *line, size_t length, values *out);

#endif
