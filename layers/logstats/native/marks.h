/* Where the bytes are that separate values: found in many lines at once, a bit for each byte.
 *
 * A value is short, and ends anywhere: to search for the end of each would wait for one search after the other. To compare 64
 * bytes takes a few instructions, and where the next mark is then takes a shift and a count of zeros.
 */
#ifndef MARKS_H
#define MARKS_H

#include "span.h"

enum { ROW = 64, STRETCH = 16384, MAX_SETS = 16, ROWS = (MAX_LINE_BYTES + PADDING) / ROW + 3 };

/* The sets of all formats: what is not printable ASCII; the bytes at which a string can end, which are quotes, backslashes, and in
 * JSON control characters. Others have the bytes that a format asks for; there are only so many, so the last one may have several. */
enum { LINE_FEEDS, NOT_PLAIN, STRING_ENDS, FIRST_SET };
typedef struct { uint8_t bytes[256]; uint32_t count; } byte_set;

typedef struct {
    const uint8_t *start, *end; /* what is marked; NULL: nothing */
    int is_plain;               /* but for the line feeds */
    int controls_end_strings;
    uint32_t count;
    byte_set sets[MAX_SETS];
    uint64_t bits[MAX_SETS][ROWS];
} marks;

/* Returns the number of a set that has the byte, perhaps among others. */
uint8_t set_with(marks *, uint8_t byte);

/* Mark up to ROWS rows. */
void mark(marks *, const uint8_t *start, const uint8_t *end);

/* A bit for each of the 64 bytes from a position on, which must be marked. */
static inline uint64_t marks_from(const marks *m, unsigned set, const uint8_t *from) {
    const size_t at = (size_t)(from - m->start);
    const unsigned shift = at % ROW;
    const uint64_t *row = m->bits[set] + at / ROW;
    return row[0] >> shift | row[1] << 1 << (ROW - 1 - shift);
}

/* The first byte of a set, or the end. */
static inline const uint8_t *next_mark(const marks *m, unsigned set, const uint8_t *from, const uint8_t *end) {
    for (; from < end; from += ROW) {
        const uint64_t bits = marks_from(m, set, from);
        if (bits) {
            from += __builtin_ctzll(bits);
            break;
        }
    }
    return from < end ? from : end;
}

/* The first such byte, of a set that may have others, or the end. */
static inline const uint8_t *next_byte(const marks *m, unsigned set, uint8_t byte, const uint8_t *from, const uint8_t *end) {
    while ((from = next_mark(m, set, from, end)) < end && *from != byte) from++;
    return from;
}

/* For many searches of one set, none of which starts before the last one: among the 64 marks in view the next is found sooner. */
typedef struct { const marks *marks; unsigned set; const uint8_t *view; uint64_t bits; } cursor;

static inline cursor cursor_at(const marks *m, unsigned set, const uint8_t *from) {
    return (cursor){m, set, from, marks_from(m, set, from)};
}

/* The same as next_mark; `from` is before the end. */
static inline const uint8_t *seek(cursor *c, const uint8_t *from, const uint8_t *end) {
    const size_t ahead = (size_t)(from - c->view);
    if (ahead < ROW) c->bits &= UINT64_MAX << ahead;
    else {
        c->view = from;
        c->bits = marks_from(c->marks, c->set, from);
    }
    while (!c->bits) {
        if ((c->view += ROW) >= end) return end;
        c->bits = marks_from(c->marks, c->set, c->view);
    }
    from = c->view + __builtin_ctzll(c->bits);
    return from < end ? from : end;
}

#endif
