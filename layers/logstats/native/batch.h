/* Records of batches (logstats.h), added up; and values as PostgreSQL takes them in binary: big-endian, each after its length. */
#ifndef BATCH_H
#define BATCH_H

#include "breakdown.h"

/* A summary of a batch, or one from elsewhere, which need not have a customer. */
typedef struct {
    summary_header header;
    const uint8_t *at, *customer, *histogram, *breakdown;
    size_t length; /* 0: the batch has ended */
} record;

/* Go on to the record behind, up to `end`. Returns 0 or BATCH_MALFORMED. */
int next_record(record *, const uint8_t *end);

/* Memory that additions work in; all zeros at first. */
typedef struct { writer histograms; workspace *breakdowns; } adder;

void free_adder(adder *);

/* Append the sum of two as a record of a batch; it has the customer of the first. The routes of a sum can be bounded to those that an
 * object may contribute. Returns 0, BATCH_MALFORMED, or what histogram_combine and breakdown_combine return. */
int add_records(const record *, const record *, adder *, int is_bounded, buffer *out);

/* The percentiles of DailySummary.percentiles_us; zeros where it has none. Returns 0 or BATCH_MALFORMED. */
int record_percentiles(const record *, uint64_t values[4]);

static inline uint64_t timed_requests(const summary_header *header) {
    return header->counts[TOTAL_REQUESTS] - header->counts[UNTIMED_REQUESTS];
}

#define NULL_LENGTH UINT32_MAX

static inline uint8_t *put16(uint8_t *to, uint16_t value) {
    value = __builtin_bswap16(value);
    memcpy(to, &value, 2);
    return to + 2;
}

static inline uint8_t *put32(uint8_t *to, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(to, &value, 4);
    return to + 4;
}

static inline uint8_t *put_bigint(uint8_t *to, uint64_t value) {
    to = put32(to, 8);
    value = __builtin_bswap64(value);
    memcpy(to, &value, 8);
    return to + 8;
}

/* Null if there is none. */
static inline uint8_t *put_duration(uint8_t *to, uint64_t us, int there) {
    return there ? put_bigint(to, us) : put32(to, NULL_LENGTH);
}

static inline uint8_t *put_bytes(uint8_t *to, const uint8_t *bytes, uint32_t length) {
    to = put32(to, length);
    memcpy(to, bytes, length);
    return to + length;
}

/* numeric: count of base 10 000 digits, weight of the first, sign, decimals, then the digits. */
enum { NUMERIC_DIGITS = 10, NUMERIC_HEAD = 8, NUMERIC_BYTES = 4 + NUMERIC_HEAD + 2 * NUMERIC_DIGITS };
uint8_t *put_numeric(uint8_t *to, unsigned __int128 value);

#endif
