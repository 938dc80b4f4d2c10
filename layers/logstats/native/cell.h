/* Cells: the requests of one half-hour, or of one route, of a customer's day.
 *
 * A cell is encoded without a fixed header, since most are small: a byte of flags; the number of requests; those numbers of
 * client errors, server errors and untimed requests that are not zero (bits 0 to 2 of the flags); if any are timed, the sum
 * of their durations in microseconds; if more than one is, their histogram. All are LEB128 numbers.
 *
 * The histogram has 128 buckets to each power of two: a percentile is within 0.4 % of the duration. It is a list (bit 3 is
 * clear): for each used bucket 2 * (the number of buckets passed since the one before) + (1 if it has more than one), and
 * then that count less 2; it ends when all timed requests are counted. Or it is a run (bit 3 is set), which is shorter where
 * neighbouring buckets are used: the first bucket, the number of buckets, and for each bucket how its count differs from the one
 * expected, half the sum of the two counts before, rounded down. The difference is a number z (0, -1, 1, -2, ... are 0, 1, 2, 3,
 * ...) in Rice's code: z >> k zero bits, a one, then the k lower bits of z; or, if these were 20 zeros or more, 20 zeros, a one,
 * the number of z's bits less one in 6 bits, and z. Bits are taken from each byte's lowest. k is the smallest with 4 << k at least
 * the spread, which is 0 at first, and to which each z adds itself (at most 2^40) less a quarter of the spread.
 *
 * What is written is canonical: a run if it is shorter than the list, and a quarter of its buckets are used. So equal cells are
 * equal bytes. Readers take no numbers but those that make sense.
 */
#ifndef CELL_H
#define CELL_H

#include "encoding.h"

#define CELL_BITS 7
#define CELL_WORDS 61 /* of bits for buckets: the last, that of MAX_DURATION_US, is 3872 */
#define MAX_CELL_HEADER (10 * COUNTS + 40) /* bytes before the histogram, at the most */

static inline uint32_t cell_bucket(uint64_t us) {
    if (us < (UINT64_C(2) << CELL_BITS)) return (uint32_t)us;
    const int shift = 63 - __builtin_clzll(us) - CELL_BITS;
    return ((uint32_t)shift << CELL_BITS) + (uint32_t)(us >> shift);
}

/* What a cell counts, all but its histogram; `counts` as in a summary. */
typedef struct {
    uint64_t counts[COUNTS];
    unsigned __int128 sum; /* of the timed requests' durations, in microseconds */
} cell_numbers;

static inline uint64_t timed_of(const cell_numbers *cell) {
    return cell->counts[TOTAL_REQUESTS] - cell->counts[UNTIMED_REQUESTS];
}

/* A histogram on which one works: a count for each bucket, and bits for those that may not be zero. */
typedef struct {
    uint64_t counts[CELL_WORDS * 64], words[CELL_WORDS], used;
    uint16_t buckets[CELL_WORDS * 64]; /* the used ones in order, and their counts, while they are written */
    uint64_t in_order[CELL_WORDS * 64];
} bucket_counts;

static inline void count_bucket(bucket_counts *to, uint32_t bucket, uint64_t count) {
    to->counts[bucket] += count;
    to->words[bucket / 64] |= UINT64_C(1) << bucket % 64;
    to->used |= UINT64_C(1) << bucket / 64;
}

void forget_buckets(bucket_counts *);

/* Read a cell and advance behind it. Its histogram is added to the buckets (sign > 0), or subtracted (sign < 0), or only
 * looked at if there are none. Returns 0, BREAKDOWN_MALFORMED or BREAKDOWN_NEGATIVE; then the buckets are to be forgotten. */
int read_cell(const uint8_t **at, const uint8_t *end, cell_numbers *, bucket_counts *, int sign);

/* Append a cell with the histogram that the buckets hold, or that a list of buckets is, in any order, which is sorted.
 * The buckets are forgotten. Return 0, or NO_MEMORY. */
int write_cell(const cell_numbers *, bucket_counts *, buffer *out);
int write_listed_cell(const cell_numbers *, uint16_t *list, uint32_t length, bucket_counts *, buffer *out);

/* Add or subtract numbers. Returns 0, BREAKDOWN_TOO_MANY or BREAKDOWN_NEGATIVE. */
int add_numbers(cell_numbers *, const cell_numbers *, int sign);

/* Whether the buckets that are left can be those of the numbers that are left. */
int is_consistent(const cell_numbers *, const bucket_counts *);

/* The nearest-rank p50, p90, p95 and p99 and the longest duration of the buckets, in microseconds; of a single timed request
 * they are its duration. Zeros without any. */
enum { CELL_VALUES = 5 };
void values_of_cell(const cell_numbers *, const bucket_counts *, uint64_t values[CELL_VALUES]);

/* A LEB128 number, which may be zero; returns 0, or BREAKDOWN_MALFORMED. */
static inline int take_number(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    if (*at < end && **at < 0x80) {
        *value = *(*at)++;
        return 0;
    }
    *value = read_varint(at, end);
    return *value ? 0 : BREAKDOWN_MALFORMED;
}

#endif
