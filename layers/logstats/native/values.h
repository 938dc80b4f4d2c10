/* The meaning of values: times, numbers, and parts of an address. */
#ifndef VALUES_H
#define VALUES_H

#include "span.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_DAY (86400 * NS_PER_SECOND)
#define LAST_DAY 84005 /* 2199-12-31 */

enum form { ISO8601, CLF, EPOCH_S, EPOCH_MS, EPOCH_US, EPOCH_NS, FORMS };
enum unit { UNIT_S, UNIT_MS, UNIT_US, UNIT_NS, UNIT_SUFFIX, UNITS };
enum part { WHOLE, HOST, LABEL, SEGMENT, QUERY, SPLIT, PARTS };

/* Python's strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629). */
int is_utf8(const uint8_t *, size_t length);

/* No lone surrogate of a JSON string; the text is valid UTF-8 but for those. */
int is_unicode(span);
/* Not empty, no control character (Unicode category Cc), and no lone surrogate. */
int is_text(span);
size_t characters(span);

/* High bit set in each byte that is another one, exact up to and including the first. */
static inline uint64_t bytes_equal(uint64_t word, uint8_t byte) {
    const uint64_t differs = word ^ ONES * byte;
    return (differs - ONES) & ~differs & HIGH;
}

/* High bit set in each byte that is not an ASCII digit, exact up to and including the first. */
static inline uint64_t not_digits(uint64_t word) {
    return (((word & ~HIGH) + ONES * 0x46) | (word - ONES * 0x30) | word) & HIGH;
}

/* Of eight characters, at each the number of two digits that starts there; of others anything. */
static inline uint64_t digit_pairs(uint64_t text) {
    const uint64_t digits = text & ONES * 0x0F;
    return digits * 10 + (digits >> 8);
}

/* The second of the day of "HH:MM:SS", or -1. */
static inline int32_t clock_second(const uint8_t *p) {
    const uint64_t text = load8(p), digits = text & UINT64_C(0xFFFF00FFFF00FFFF), pairs = digit_pairs(text);
    if (text - digits != UINT64_C(0x00003A00003A0000) || not_digits(digits | UINT64_C(0x0000300000300000))) return -1;
    const unsigned hour = pairs & 0xFF, minute = pairs >> 24 & 0xFF, second = pairs >> 48 & 0xFF;
    return hour < 24 && minute < 60 && second < 60 ? (int32_t)((hour * 60 + minute) * 60 + second) : -1;
}

/* Dates seen lately: a log has few. */
enum { DAY_BITS = 8, CACHED_DAYS = 1 << DAY_BITS };
typedef struct { uint64_t start; uint32_t rest; int32_t day; } cached_day;
typedef struct {
    int64_t latest;         /* the time after which no request can be, in nanoseconds since 1970 */
    cached_day days[CACHED_DAYS];
} calendar;

/* Days from 1970-01-01 of "YYYY-MM-DD" and of "DD/Mon/YYYY"; INT32_MIN for what is not a calendar date of 1969-2200. */
int32_t iso_day(const uint8_t *);
int32_t clf_day(const uint8_t *);

/* The same of what is 11 bytes, the byte behind a date in ISO 8601 included. That is to be checked, and the one behind a date in CLF,
 * because a date of either form may be found. */
static inline int32_t day_of(calendar *c, int is_iso, const uint8_t *p) {
    const uint64_t start = load8(p);
    const uint32_t rest = load4(p + 7);
    cached_day *cached = &c->days[(start ^ (uint64_t)rest << 24) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - DAY_BITS)];
    if (cached->start == start && cached->rest == rest) return cached->day;
    const int32_t day = is_iso ? iso_day(p) : clf_day(p);
    if (day >= 0) *cached = (cached_day){start, rest, day};
    return day;
}

/* What returns, returns 1 if the text is one. Nanoseconds since 1970, cut, on a day of 1970-2199; `zone` is the offset
 * from UTC in nanoseconds where the text says none. */
int parse_time(span, enum form, int64_t zone, calendar *, int64_t *ns);
/* Microseconds, rounded half-even, at most a day. */
int parse_duration(span, enum unit, uint64_t *us);

/* The number of eight digits: pairs of them, pairs of these, then both halves. */
static inline uint64_t eight_digits(uint64_t text) {
    const uint64_t fours = (digit_pairs(text) & LANES) * (1 + (100 << 16)) >> 16;
    return (fours & UINT64_C(0x0000FFFF0000FFFF)) * (1 + (UINT64_C(10000) << 32)) >> 32;
}

/* The power of ten that makes microseconds of a unit; negative if that of a value is not known. */
static inline int shift_of(enum unit unit) { return 6 - 3 * (int)unit; }

/* The same of up to eight characters, digits and perhaps a point: nearly all. Without the point they are digits in a row. Returns 0 for
 * others, and for a fraction of a microsecond; a result can be longer than a day. */
static inline int read_short_duration(span text, int shift, uint64_t *us) {
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (text.length - 1 >= 8) return 0;
    int digits = (int)text.length, decimals = 0;
    uint64_t word = load8(text.at) << (64 - 8 * digits);
    const uint64_t points = bytes_equal(word, '.');
    if (points) {
        const uint64_t point = (points & -points) >> 7, before = point - 1;
        decimals = 7 - __builtin_ctzll(point) / 8;
        word = (word & ~before & ~(point * 0xFF)) | (word & before) << 8;
        digits--;
    }
    word |= ONES * '0' >> 4 * digits >> 4 * digits;
    if (digits == 0 || decimals > shift || not_digits(word)) return 0;
    *us = eight_digits(word) * powers[shift - decimals];
    return 1;
}
/* The same, from one time to another. */
int duration_between(int64_t start, int64_t end, uint64_t *us);

/* A part of a value: `index` from 0, or from the end if negative; `text` is the parameter's name or the separator. */
span part_of(span value, enum part, int index, span text);
/* The path of a target, without query and fragment. */
span path_of(span target);
/* The target in "METHOD target PROTOCOL". */
span target_of(span request);

/* Whether a pattern, where * is any bytes and ? is one, matches the whole value. */
int matches(span pattern, span value);

#endif
