/* Marks: see marks.h. */
#include "marks.h"

/* A bit for each byte `v` of a row, whether a comparison is true. */
#if defined __has_extension
#if __has_extension(ext_vector_type_boolean)
#define HAS_WIDE
#endif
#endif
#ifdef HAS_WIDE /* Clang makes the widest comparisons of it that the processor has */
typedef uint8_t wide __attribute__((vector_size(ROW)));
typedef _Bool wide_bits __attribute__((ext_vector_type(ROW)));
#define BITS(row, comparison) ({ \
    wide v; \
    uint64_t word; \
    memcpy(&v, row, ROW); \
    const wide_bits truths = __builtin_convertvector(comparison, wide_bits); \
    memcpy(&word, &truths, sizeof word); \
    word; \
})
#else
typedef uint8_t wide;
#define BITS(row, comparison) ({ \
    const uint8_t *bytes_of_row = row; \
    uint64_t word = 0; \
    for (int place = 0; place < ROW; place++) { \
        const wide v = bytes_of_row[place]; \
        word |= (uint64_t)(comparison) << place; \
    } \
    word; \
})
#endif

uint8_t set_with(marks *m, uint8_t byte) {
    if (m->count < FIRST_SET) m->count = FIRST_SET;
    for (uint32_t i = FIRST_SET; i < m->count; i++)
        if (memchr(m->sets[i].bytes, byte, m->sets[i].count)) return (uint8_t)i;
    if (m->count < MAX_SETS) m->count++;
    byte_set *last = &m->sets[m->count - 1];
    last->bytes[last->count++] = byte;
    return (uint8_t)(m->count - 1);
}

static void mark_rows(marks *m, const uint8_t *p, size_t first, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        const uint8_t *row = p + i * ROW;
        m->bits[LINE_FEEDS][first + i] = BITS(row, v == '\n');
        m->bits[NOT_PLAIN][first + i] = BITS(row, (wide)(v - ' ') > '~' - ' ');
        m->bits[STRING_ENDS][first + i] = BITS(row, v == '"') | BITS(row, v == '\\');
    }
    for (size_t i = 0; m->controls_end_strings && i < rows; i++)
        m->bits[STRING_ENDS][first + i] |= BITS(p + i * ROW, v < ' ');
    for (uint32_t set = FIRST_SET; set < m->count; set++) {
        uint64_t *bits = m->bits[set] + first;
        const byte_set *bytes = &m->sets[set];
        for (size_t i = 0; i < rows; i++) bits[i] = BITS(p + i * ROW, v == bytes->bytes[0]);
        for (uint32_t j = 1; j < bytes->count; j++)
            for (size_t i = 0; i < rows; i++) bits[i] |= BITS(p + i * ROW, v == bytes->bytes[j]);
    }
}

void mark(marks *m, const uint8_t *start, const uint8_t *end) {
    const size_t rows = (size_t)(end - start) / ROW, rest = (size_t)(end - start) % ROW;
    m->start = start;
    m->end = end;
    mark_rows(m, start, 0, rows);
    if (rest) {
        uint8_t last[ROW] = {0};
        memcpy(last, start + rows * ROW, rest);
        mark_rows(m, last, rows, 1);
    }
    uint64_t odd = rest;
    for (size_t i = 0; i < rows; i++) odd |= m->bits[NOT_PLAIN][i] & ~m->bits[LINE_FEEDS][i];
    m->is_plain = !odd;
}
