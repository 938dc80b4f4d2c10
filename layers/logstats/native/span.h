/* Bytes of a line, and how they are searched, sixteen at a time. */
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

/* The first such byte, or NULL. */
static inline const uint8_t *find(const uint8_t *p, const uint8_t *end, uint8_t byte) {
    for (; p < end; p += 16) {
        const unsigned first = first_of((vector)(load16(p) == byte));
        if (first < 16) return p + first < end ? p + first : NULL;
    }
    return NULL;
}

/* A bit for each of 64 bytes, whether a comparison was true. */
static inline uint64_t bits_of(vector a, vector b, vector c, vector d) {
#if defined __SSE2__
    const uint64_t low = (uint64_t)_mm_movemask_epi8((__m128i)a) | (uint64_t)_mm_movemask_epi8((__m128i)b) << 16;
    const uint64_t high = (uint64_t)_mm_movemask_epi8((__m128i)c) | (uint64_t)_mm_movemask_epi8((__m128i)d) << 16;
    return low | high << 32;
#elif defined __aarch64__
    const vector bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t half = vpaddq_u8((uint8x16_t)(a & bit), (uint8x16_t)(b & bit));
    const uint8x16_t sum = vpaddq_u8(half, vpaddq_u8((uint8x16_t)(c & bit), (uint8x16_t)(d & bit)));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
#else
    const vector all[] = {a, b, c, d};
    uint64_t words[8], bits = 0;
    memcpy(words, all, sizeof words);
    for (int i = 0; i < 8; i++) bits |= ((words[i] & HIGH) >> 7) * UINT64_C(0x0102040810204080) >> 56 << (8 * i);
    return bits;
#endif
}

/* Where the bytes of a set are in a line, 64 at a time. A line's values are short: to find each separator anew would
 * wait for one load after the other. */
typedef struct { const vector *bytes; unsigned count; } byte_set; /* each in all places */
typedef struct { const uint8_t *at, *end; uint64_t marks; byte_set set; } scanner;

static inline uint64_t marks_at(const uint8_t *p, byte_set set) {
    const vector a = load16(p), b = load16(p + 16), c = load16(p + 32), d = load16(p + 48);
    vector e = {0}, f = e, g = e, h = e;
    for (unsigned i = 0; i < set.count; i++) {
        const vector byte = set.bytes[i];
        e |= (vector)(a == byte);
        f |= (vector)(b == byte);
        g |= (vector)(c == byte);
        h |= (vector)(d == byte);
    }
    return bits_of(e, f, g, h);
}

static inline scanner scan(const uint8_t *line, const uint8_t *end, byte_set set) {
    return (scanner){line, end, line < end ? marks_at(line, set) : 0, set};
}

/* The first of two bytes, from a position that is never before the last one; or the end. */
static inline const uint8_t *next_of(scanner *s, const uint8_t *from, uint8_t byte, uint8_t other) {
    for (;;) {
        for (; s->marks; s->marks &= s->marks - 1) {
            const uint8_t *p = s->at + __builtin_ctzll(s->marks);
            if (p >= from && (*p == byte || *p == other)) return p < s->end ? p : s->end;
        }
        if (s->end - s->at <= 64) return s->end;
        s->at += 64;
        s->marks = marks_at(s->at, s->set);
    }
}

static inline int starts_with(const uint8_t *p, const uint8_t *end, span text) {
    return (size_t)(end - p) >= text.length && memcmp(p, text.at, text.length) == 0;
}

/* The first such text, which may be empty, or NULL. */
static inline const uint8_t *find_text(const uint8_t *p, const uint8_t *end, span text) {
    if (text.length == 0) return p;
    while ((p = find(p, end, text.at[0])) && text.length > 1 && !starts_with(p, end, text)) p++;
    return p;
}

static inline int is_equal(span a, span b) { return a.length == b.length && memcmp(a.at, b.at, a.length) == 0; }

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
