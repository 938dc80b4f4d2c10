/* Bytes of a line, and how they are searched, 16 or 64 at a time. */
#ifndef SPAN_H
#define SPAN_H

#include "logstats.h"

#if defined __SSE2__
#include <emmintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

/* What is searched can be read so far beyond its end. */
#define PADDING 64

typedef struct { const uint8_t *at; size_t length; } span; /* `at` is NULL: there is no such value */

typedef uint8_t vector __attribute__((vector_size(16)));
static inline vector load16(const uint8_t *p) { vector v; memcpy(&v, p, 16); return v; }

/* The first byte of which a comparison was true, 16 if none. */
static inline unsigned first_of(vector matches) {
#if defined __SSE2__
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)matches) | 0x10000);
#elif defined __aarch64__ /* four bits of each byte */
    const uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8((uint8x16_t)matches), 4);
    const uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
    return mask ? (unsigned)__builtin_ctzll(mask) >> 2 : 16;
#else
    uint64_t half[2];
    memcpy(half, &matches, 16);
    if (half[0]) return (unsigned)__builtin_ctzll(half[0]) >> 3;
    return half[1] ? 8 + ((unsigned)__builtin_ctzll(half[1]) >> 3) : 16;
#endif
}

/* A bit for each of 64 bytes `v` from a position on, whether a comparison is true. */
#define ROW 64
#if defined __has_extension
#if __has_extension(ext_vector_type_boolean)
#define HAS_WIDE
#endif
#endif
#ifdef HAS_WIDE /* Clang makes the widest comparisons of it that the processor has */
typedef uint8_t wide __attribute__((vector_size(ROW)));
typedef _Bool wide_bits __attribute__((ext_vector_type(ROW)));
#define STRIP 32
typedef uint8_t strip __attribute__((vector_size(STRIP)));
typedef _Bool strip_bits __attribute__((ext_vector_type(STRIP)));
static inline strip load_strip(const uint8_t *p) { strip v; memcpy(&v, p, STRIP); return v; }
/* A bit for each byte of a strip, whether a comparison is true. */
#define STRIP_BITS(comparison) ({ \
    uint32_t word; \
    const strip_bits truths = __builtin_convertvector(comparison, strip_bits); \
    memcpy(&word, &truths, sizeof word); \
    word; \
})
#define BITS(row, comparison) ({ \
    wide v; \
    uint64_t word; \
    memcpy(&v, row, ROW); \
    const wide_bits truths = __builtin_convertvector(comparison, wide_bits); \
    memcpy(&word, &truths, sizeof word); \
    word; \
})
#else
typedef vector wide;
static inline uint64_t bits_of(vector matches) {
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)matches);
#else
    uint64_t bits = 0;
    for (int i = 0; i < 16; i++) bits |= (uint64_t)(matches[i] & 1) << i;
    return bits;
#endif
}
#define STRIP 16
typedef vector strip;
#define load_strip load16
#define STRIP_BITS(comparison) bits_of((vector)(comparison))
#define BITS(row, comparison) ({ \
    const uint8_t *bytes_of_row = row; \
    uint64_t word = 0; \
    for (int place = 0; place < ROW; place += 16) { \
        const wide v = load16(bytes_of_row + place); \
        word |= bits_of((vector)(comparison)) << place; \
    } \
    word; \
})
#endif

/* For many searches of one byte, each behind the last one: among the 64 bytes in view the next is found sooner. */
typedef struct { const uint8_t *start; uint64_t bits; } view;

static inline view view_from(const uint8_t *start, uint8_t byte) { return (view){start, BITS(start, v == byte)}; }

/* The first such byte, or the end. */
static inline const uint8_t *next_in(view *v, uint8_t byte, const uint8_t *end) {
    while (!v->bits) {
        if (v->start + ROW >= end) return end;
        *v = view_from(v->start + ROW, byte);
    }
    const uint8_t *found = v->start + __builtin_ctzll(v->bits);
    v->bits &= v->bits - 1;
    return found < end ? found : end;
}

/* The first such byte, or NULL. */
static inline const uint8_t *find(const uint8_t *p, const uint8_t *end, uint8_t byte) {
    for (; p < end; p += 16) {
        const unsigned first = first_of((vector)(load16(p) == byte));
        if (first < 16) return p + first < end ? p + first : NULL;
    }
    return NULL;
}

/* Most texts differ in their first byte. */
static inline int has_bytes(const uint8_t *p, span text) {
    return text.length == 0 || (*p == *text.at && memcmp(p, text.at, text.length) == 0);
}

static inline int starts_with(const uint8_t *p, const uint8_t *end, span text) {
    return (size_t)(end - p) >= text.length && has_bytes(p, text);
}

/* The first such text, which may be empty, or NULL. */
static inline const uint8_t *find_text(const uint8_t *p, const uint8_t *end, span text) {
    if (text.length == 0) return p;
    while ((p = find(p, end, text.at[0])) && text.length > 1 && !starts_with(p, end, text)) p++;
    return p;
}

static inline int is_equal(span a, span b) { return a.length == b.length && has_bytes(a.at, b); }

/* No key, null, empty or `-`. */
static inline int is_absent(span value) {
    return !value.at || value.length == 0 || (value.length == 1 && value.at[0] == '-');
}

static inline span between(const uint8_t *at, const uint8_t *end) { return (span){at, (size_t)(end - at)}; }

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* A value that is wholly in quotes, without them. */
static inline span unquoted(span value) {
    if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
        return (span){value.at + 1, value.length - 2};
    return value;
}

#endif
