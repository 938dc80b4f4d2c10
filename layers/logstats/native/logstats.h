/* The compiled kernel: log lines in, daily summaries out, and arithmetic on encoded histograms.
 *
 * Plain C11 with no dependency but libc. Python calls it through ctypes, mostly without the GIL.
 * The definitions are those of logstats.domain.reader and logstats.domain.histogram; tests compare them input by input.
 */
#ifndef LOGSTATS_H
#define LOGSTATS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- Latency histogram: log-linear buckets over integer microseconds ------------------------- */

#define SUB_BUCKET_BITS 14 /* 16 384 buckets per octave: exact for milliseconds below 16.7 s */

#define MAX_DURATION_US UINT64_C(86400000000)

enum { HISTOGRAM_MALFORMED = -1, HISTOGRAM_NEGATIVE = -2, HISTOGRAM_TOO_MANY = -3, NO_MEMORY = -5,
       PROGRAM_MALFORMED = -6, BREAKDOWN_MALFORMED = -7, BREAKDOWN_NEGATIVE = -8, BREAKDOWN_TOO_MANY = -9 };

/* Index of the bucket that holds a duration. Values below 2^15 have a bucket each. */
static inline uint32_t bucket_index(uint64_t us) {
    if (us < (UINT64_C(2) << SUB_BUCKET_BITS)) return (uint32_t)us;
    const int shift = 63 - __builtin_clzll(us) - SUB_BUCKET_BITS;
    return ((uint32_t)shift << SUB_BUCKET_BITS) + (uint32_t)(us >> shift);
}

/* LEB128: seven bits a byte, least significant first. Returns the position after the number. */
static inline uint8_t *write_varint(uint8_t *out, uint64_t value) {
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* A word of bytes; little-endian, as everything that looks into one expects. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read little-endian");
#define ONES UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)
#define LANES UINT64_C(0x00FF00FF00FF00FF)    /* the lower byte of each 16 bits */
#define LANE_SUM UINT64_C(0x0001000100010001) /* times this, the highest 16 bits are the sum of all */
static inline uint32_t load4(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load8(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void store8(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

/* One bucket: its distance to the bucket before, then its count. Four bytes are written whatever the length. Nearly
 * all distances have one or two bytes, in no order that a processor could predict: hence no branch between these.
 * Without a count nothing is written to stay. */
static inline uint8_t *write_bucket(uint8_t *out, uint64_t distance, uint64_t count) {
    if (distance >= UINT64_C(1) << 14 || count >= 0x80)
        return count ? write_varint(write_varint(out, distance), count) : out;
    const uint32_t two = distance > 0x7F;
    const uint32_t word = (uint32_t)((distance & 0x7F) | two << 7 | (distance >> 7) << 8 | count << (8 + 8 * two));
    memcpy(out, &word, 4);
    return out + (count ? 2 + two : 0);
}

/* The encoding is described in encoding.h. What is returned in `out` is to be freed with kernel_free, also after a
 * failure. */
void kernel_free(uint8_t *);

/* Encode microsecond values up to MAX_DURATION_US in any order (they are replaced by their sorted buckets).
 * Returns the length, or NO_MEMORY. */
int64_t histogram_encode(uint64_t *values, size_t count, uint8_t **out);

/* a + b (sign > 0) or a - b (sign < 0). Returns the length, HISTOGRAM_MALFORMED, HISTOGRAM_NEGATIVE if b holds more
 * than a, HISTOGRAM_TOO_MANY if the sum would hold 2^63 values or more, or NO_MEMORY. */
int64_t histogram_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign,
                          uint8_t **out);

/* The representative value, in microseconds, of each of the ascending 1-based ranks. Returns the
 * number of values recorded, or HISTOGRAM_MALFORMED; ranks beyond that number are left alone. */
int64_t histogram_values_at(const uint8_t *data, size_t length, const uint64_t *ranks, size_t count,
                            uint64_t *values);

/* ---- Aggregator: blocks of whole lines to summaries per customer and day ---------------------- */

#define MAX_LINE_BYTES 65536
#define MAX_CUSTOMER_CHARACTERS 255
#define MAX_CUSTOMER_BYTES (4 * MAX_CUSTOMER_CHARACTERS)

/* In the order in which they are tested: the first that applies is the reason. */
enum reason { ACCEPTED = -1, TOO_LONG, ENCODING, LAYOUT, TIMESTAMP, CUSTOMER_ID, REQUEST_PATH,
              STATUS_CODE, DURATION, REASONS };

typedef struct {
    uint64_t physical_lines; /* blank ones included: the base of line numbers */
    uint64_t accepted;
    uint64_t skipped; /* no requests, by the format */
    uint64_t rejected[REASONS];
} line_counts;

typedef struct aggregator aggregator;

/* A compiled format (program.py); the time after which no request can be, in seconds since 1970; and the `#Fields:` line that
 * names the columns, if the format has them and it is known. Of a breakdown the parts that are kept (breakdown.h), and the
 * declared routes, compiled (program.py). */
typedef struct {
    const uint8_t *program, *columns;
    size_t program_length, columns_length;
    int64_t latest;
    uint64_t parts;
    const uint8_t *routes;
    size_t routes_length;
} line_format;

/* At most `max_rejects` rejected lines are kept, each cut to `max_reject_bytes`. `seed` and `multiplier` are the key of
 * its hash tables: two random numbers. Returns 0, NO_MEMORY or PROGRAM_MALFORMED. */
int aggregator_new(const line_format *, uint64_t max_rejects, uint64_t max_reject_bytes, uint64_t seed, uint64_t multiplier,
                   aggregator **out);
void aggregator_free(aggregator *);

enum { AGGREGATOR_DRAINING = -2 };

/* Lines separated by LF; the last one may lack it. Returns 0, -1 when out of memory, or
 * AGGREGATOR_DRAINING. */
int aggregator_feed(aggregator *, const uint8_t *data, size_t length);

/* Bytes held for summaries, and the line counts so far. */
uint64_t aggregator_memory(const aggregator *);
void aggregator_counts(const aggregator *, line_counts *);

/* The `#Fields:` line in force; its length. */
int64_t aggregator_columns(const aggregator *, const uint8_t **out);

/* Exposed for tests: how far from its place the hash tables' most displaced entry is. */
uint32_t aggregator_longest_search(const aggregator *);

/* What is counted of the requests of a day, in the order of the columns (logstats.rows). */
enum { TOTAL_REQUESTS, CLIENT_ERRORS, SERVER_ERRORS, UNTIMED_REQUESTS, COUNTS };
extern const uint32_t summary_counts; /* COUNTS, for the binding */

static inline void count_request(uint64_t counts[COUNTS], int32_t status, int timed) {
    counts[TOTAL_REQUESTS]++;
    counts[CLIENT_ERRORS] += (unsigned)(status - 400) < 100;
    counts[SERVER_ERRORS] += (unsigned)(status - 500) < 100;
    counts[UNTIMED_REQUESTS] += !timed;
}

/* Summaries are handed out in batches: those of one day, and of the customers of one shard, in the order
 * of the customers' bytes. A batch is a sequence of records: `summary_header`, then the customer's bytes,
 * then the encoded histogram, then the encoded breakdown. Batches come in the order of shard and day, one a call; at the end the call
 * returns 0, and the summaries are forgotten. Until then the aggregator cannot be fed.
 * The buffer is the aggregator's and lives until its next call.
 * After a failure (-1, also of `aggregator_feed`) the aggregator can only be freed. */
typedef struct {
    int32_t day; /* since 1970-01-01 */
    uint32_t customer_length, histogram_length, breakdown_length; /* 0: there is no breakdown */
    uint64_t counts[COUNTS], sum_low, sum_high, min, max; /* in microseconds; of no durations, so that they add up: 0, UINT64_MAX, 0 */
} summary_header;
typedef struct { uint32_t shard; int32_t day; } batch_key;
int64_t aggregator_drain(aggregator *, uint32_t shards, batch_key *key, const uint8_t **out);

/* One record a rejected line: `reject_header`, then the line's bytes. Forgets them. */
typedef struct {
    uint64_t line_number; /* 1-based, in what was fed since aggregator_new */
    uint32_t reason, length;
} reject_header;
int64_t aggregator_rejects(aggregator *, const uint8_t **out);

/* ---- Batches ----------------------------------------------------------------------------------- */

enum { BATCH_MALFORMED = -4 };

/* Order of customers: bytes, then length, as PostgreSQL's collation "C". */
int compare_customers(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length);

/* The sum of two batches of one day; `out` is to be freed with kernel_free. Returns the length, BATCH_MALFORMED, or
 * what histogram_combine returns. */
int64_t batch_add(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, uint8_t **out);

/* How many summaries a batch holds, or BATCH_MALFORMED. */
int64_t batch_count(const uint8_t *batch, size_t length);

/* Rows for COPY ... (FORMAT BINARY), without its header and trailer; the columns are logstats.rows.COPY. `out` is to be
 * freed with kernel_free. Returns the length, BATCH_MALFORMED or NO_MEMORY. */
int64_t batch_copy_rows(const uint8_t *batch, size_t length, int64_t attempt_id, int64_t part, uint8_t **out);

/* The p50, p90, p95 and p99 of each summary, in microseconds, into `out` of 4 numbers a summary; 0 without durations.
 * Returns the number of summaries, or BATCH_MALFORMED. */
int64_t batch_percentiles(const uint8_t *batch, size_t length, uint64_t *out);

/* ---- Histograms as PostgreSQL sends them ------------------------------------------------------- */

enum { ROWS_MALFORMED = -10 };

/* Rows of COPY ... TO (FORMAT BINARY), without its header: a group (integer, not null) and an encoded histogram (bytea).
 *
 * The encoded sum of all rows, whatever their group; `consumed` is how long the rows are that were whole, with the trailer if
 * it is there. Returns the sum's length, ROWS_MALFORMED or what histogram_combine returns. */
int64_t rows_sum(const uint8_t *rows, size_t length, uint64_t *consumed, uint8_t **out);

/* The p50, p90, p95 and p99, in microseconds, of the sum of each group from 0 to `groups` less one, into `out` of 4 numbers
 * a group; 0 without durations. All rows must be whole. Returns `groups`, ROWS_MALFORMED or what histogram_combine returns. */
int64_t rows_percentiles(const uint8_t *rows, size_t length, uint32_t groups, uint64_t *out);

/* ---- Contributions that are merged into the daily statistics ------------------------------------- */

/* Rows of COPY ... TO (FORMAT BINARY), without its header: attempt, customer and date, then of the contribution and of the day's
 * statistics (all null: there are none) the columns logstats.rows.SUMMARY; in the order of customer, date and attempt.
 *
 * Each day's statistics and contributions are added up: those of one attempt as parts of an object. `out` has the columns logstats.rows.KEY
 * and COLUMNS of the sums, as arrays in PostgreSQL's binary form, empty if there are none. Then the KEYs of the days that are left out: those to
 * which an attempt contributes that is none of `added`, those whose breakdown is not of all their requests, and those that cannot be added up.
 * `lengths` are those of the `merged_columns` arrays. `repeated` counts of each added attempt the rows that are not its first one of a day.
 * Returns the number of sums, ROWS_MALFORMED or NO_MEMORY. */
extern const uint32_t merged_columns;
int64_t rows_merge(const uint8_t *rows, size_t length, const int64_t *added, size_t added_count, uint64_t *repeated,
                   uint64_t *lengths, uint8_t **out);

/* ---- Breakdowns -------------------------------------------------------------------------------- */

/* The encoding is described in breakdown.h and cell.h. What returns, returns BREAKDOWN_MALFORMED, BREAKDOWN_NEGATIVE if what
 * is subtracted was not added, BREAKDOWN_TOO_MANY if 2^63 requests or more are added up, or NO_MEMORY. */

/* a + b (sign > 0) or a - b (sign < 0); a sum can be bounded to the routes that an object may contribute. Returns the length,
 * which is 0 if the two keep nothing in common. */
int64_t breakdown_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign, int is_bounded,
                          uint8_t **out);

/* How many requests it is of. */
int64_t breakdown_total(const uint8_t *data, size_t length);

/* A cell or a status code. `key` is the slot, the code, or where the route's name begins behind the items. */
typedef struct {
    uint32_t part, key, name_length, cell_at, cell_length, reserved;
    uint64_t counts[COUNTS], sum_low, sum_high, values[5]; /* p50, p90, p95, p99 and the longest duration, in microseconds */
} listed_item;

/* All items, then the routes' names, of which `names` gets the length. Returns the length of both. */
int64_t breakdown_items(const uint8_t *data, size_t length, uint8_t **out, size_t *names);

/* The sum of two encoded cells. Returns its length; the item has its numbers. */
int64_t cell_add(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, listed_item *item, uint8_t **out);

/* The sum of many, or of one route of many, with no parts but these; the seed and the multiplier are as in aggregator_new. Returns the length, which is
 * 0 if they keep nothing in common. */
int64_t breakdown_sum(const uint8_t *const *rows, const size_t *lengths, size_t count, const uint8_t *route,
                      size_t route_length, unsigned parts, uint64_t seed, uint64_t multiplier, uint8_t **out);

/* What is written around the values of a row: before the label (0), before each of the 13 numbers (1 to 13: as the API has them,
 * from the total of the requests to the longest duration), at the end of a row (14), between rows (15), and for no value (16). */
enum { PERIOD_TEXTS = 17 };
typedef struct {
    const uint8_t *const *texts;
    const size_t *lengths;
    size_t label_length, key_length;
} period_texts;

/* Add the slots of breakdowns up to periods, and write a row of text for each that has requests. Of each breakdown's 48 slots
 * there is a label, of which the first bytes (the key) say to which period it belongs; the row has the label of its period's
 * first slot. A label that begins with 0 leaves a slot out. Returns the length of the text. */
int64_t breakdown_periods(const uint8_t *const *rows, const size_t *lengths, size_t count, const uint8_t *labels,
                          const period_texts *, uint8_t **out);

#endif
