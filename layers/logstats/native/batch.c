/* Batches of summaries: adding two, and rows for PostgreSQL. */
#include "batch.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

const uint32_t summary_counts = COUNTS;

int compare_customers(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length) {
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

int next_record(record *in, const uint8_t *end) {
    in->at += in->length;
    in->length = 0;
    const size_t left = (size_t)(end - in->at);
    if (left == 0) return 0;
    if (left < sizeof in->header) return BATCH_MALFORMED;
    memcpy(&in->header, in->at, sizeof in->header);
    const size_t length = sizeof in->header + (size_t)in->header.customer_length + in->header.histogram_length +
        in->header.breakdown_length;
    if (left < length || in->header.day < 0 || in->header.day > LAST_DAY) return BATCH_MALFORMED;
    in->customer = in->at + sizeof in->header;
    in->histogram = in->customer + in->header.customer_length;
    in->breakdown = in->histogram + in->header.histogram_length;
    in->length = length;
    return 0;
}

int64_t batch_count(const uint8_t *batch, size_t length) {
    record in = {.at = batch};
    int64_t count = 0;
    while (!next_record(&in, batch + length))
        if (in.length) count++; else return count;
    return BATCH_MALFORMED;
}

/* ---- Addition ---------------------------------------------------------------------------------- */

void free_adder(adder *a) {
    free_writer(&a->histograms);
    if (a->breakdowns) free_workspace(a->breakdowns);
    free(a->breakdowns);
}

/* There is no breakdown if one of two summaries has none. */
static int add_breakdowns(const record *a, const record *b, adder *to, int is_bounded, buffer *out) {
    if (!a->header.breakdown_length || !b->header.breakdown_length) return 0;
    if (!to->breakdowns && !(to->breakdowns = calloc(1, sizeof *to->breakdowns))) return NO_MEMORY;
    return append_breakdowns(to->breakdowns, a->breakdown, a->header.breakdown_length, b->breakdown,
                             b->header.breakdown_length, 1, is_bounded, out);
}

int add_records(const record *a, const record *b, adder *to, int is_bounded, buffer *out) {
    summary_header sum = a->header;
    const size_t header_at = out->length, histogram_at = header_at + sizeof sum + sum.customer_length;
    if (reserve(out, sizeof sum + sum.customer_length)) return NO_MEMORY;
    memcpy(out->bytes + header_at + sizeof sum, a->customer, sum.customer_length);
    out->length = histogram_at;
    int failed = append_combined(&to->histograms, a->histogram, a->header.histogram_length, b->histogram,
                                 b->header.histogram_length, 1, out);
    sum.histogram_length = (uint32_t)(out->length - histogram_at);
    if (!failed) failed = add_breakdowns(a, b, to, is_bounded, out);
    if (failed) return failed;
    sum.breakdown_length = (uint32_t)(out->length - histogram_at - sum.histogram_length);
    for (int i = 0; i < COUNTS; i++) sum.counts[i] += b->header.counts[i];
    sum.sum_low += b->header.sum_low;
    sum.sum_high += b->header.sum_high + (sum.sum_low < b->header.sum_low);
    if (b->header.min < sum.min) sum.min = b->header.min;
    if (b->header.max > sum.max) sum.max = b->header.max;
    memcpy(out->bytes + header_at, &sum, sizeof sum);
    return 0;
}

static int append_record(const record *in, buffer *out) {
    if (reserve(out, in->length)) return NO_MEMORY;
    memcpy(out->bytes + out->length, in->at, in->length);
    out->length += in->length;
    return 0;
}

static int append_sum(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, adder *to, buffer *out) {
    record left = {.at = a}, right = {.at = b};
    if (next_record(&left, a + a_length) || next_record(&right, b + b_length)) return BATCH_MALFORMED;
    while (left.length || right.length) {
        const int order = !right.length ? -1 : !left.length ? 1
            : compare_customers(left.customer, left.header.customer_length,
                                right.customer, right.header.customer_length);
        const int failed = order == 0 ? add_records(&left, &right, to, 1, out)
                                      : append_record(order < 0 ? &left : &right, out);
        if (failed) return failed;
        if ((order <= 0 && next_record(&left, a + a_length)) ||
            (order >= 0 && next_record(&right, b + b_length)))
            return BATCH_MALFORMED;
    }
    return 0;
}

int64_t batch_add(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, uint8_t **out) {
    adder to = {0};
    buffer sum = {0};
    const int failed = reserve(&sum, a_length > b_length ? a_length : b_length)
        ? NO_MEMORY : append_sum(a, a_length, b, b_length, &to, &sum);
    free_adder(&to);
    *out = sum.bytes;
    return failed ? failed : (int64_t)sum.length;
}

/* ---- COPY ... (FORMAT BINARY) ------------------------------------------------------------------ */

uint8_t *put_numeric(uint8_t *to, unsigned __int128 value) {
    uint16_t digits[NUMERIC_DIGITS];
    int count = 0;
    for (; value; value /= 10000) digits[count++] = (uint16_t)(value % 10000);
    to = put32(to, NUMERIC_HEAD + 2 * (uint32_t)count);
    to = put16(to, (uint16_t)count);
    to = put16(to, (uint16_t)(count ? count - 1 : 0));
    to = put16(put16(to, 0), 0);
    while (count) to = put16(to, digits[--count]);
    return to;
}

int record_percentiles(const record *in, uint64_t values[4]) {
    const summary_header *header = &in->header;
    const uint64_t timed = timed_requests(header);
    uint64_t ranks[4];
    set_ranks(ranks, timed);
    memset(values, 0, 4 * sizeof *values);
    const int64_t total = histogram_values_at(in->histogram, header->histogram_length, ranks, 4, values);
    if (total < 0 || (uint64_t)total != timed || !header->counts[TOTAL_REQUESTS]) return BATCH_MALFORMED;
    for (int i = 0; timed && i < 4; i++) {
        if (values[i] < header->min) values[i] = header->min;
        if (values[i] > header->max) values[i] = header->max;
    }
    return 0;
}

static int append_row(const record *in, int64_t attempt_id, int64_t part, buffer *out) {
    enum { COLUMNS = COUNTS + 13, DAYS_TO_2000 = 10957, FIXED_BYTES = 12 * COLUMNS + 32 };
    uint64_t values[4];
    if (record_percentiles(in, values)) return BATCH_MALFORMED;
    if (reserve(out, in->length + FIXED_BYTES)) return NO_MEMORY;
    const summary_header *header = &in->header;
    uint8_t *to = put_bigint(put16(out->bytes + out->length, COLUMNS), (uint64_t)attempt_id);
    to = put_bytes(to, in->customer, header->customer_length);
    to = put32(put32(to, 4), (uint32_t)(header->day - DAYS_TO_2000));
    to = put_bigint(to, (uint64_t)part);
    for (int i = 0; i < COUNTS; i++) to = put_bigint(to, header->counts[i]);
    to = put_numeric(to, (unsigned __int128)header->sum_high << 64 | header->sum_low);
    const int timed = timed_requests(header) > 0;
    to = put_duration(to, header->min, timed);
    to = put_duration(to, header->max, timed);
    to = put_bytes(to, in->histogram, header->histogram_length);
    to = header->breakdown_length ? put_bytes(to, in->breakdown, header->breakdown_length) : put32(to, NULL_LENGTH);
    for (int i = 0; i < 4; i++) to = put_duration(to, values[i], timed);
    out->length = (size_t)(to - out->bytes);
    return 0;
}

int64_t batch_copy_rows(const uint8_t *batch, size_t length, int64_t attempt_id, int64_t part, uint8_t **out) {
    record in = {.at = batch};
    buffer rows = {0};
    int failed = reserve(&rows, length + length / 4);
    for (;;) {
        failed = failed ? NO_MEMORY : next_record(&in, batch + length);
        if (!failed && in.length) failed = append_row(&in, attempt_id, part, &rows);
        *out = rows.bytes;
        if (failed || !in.length) return failed ? failed : (int64_t)rows.length;
    }
}

int64_t batch_percentiles(const uint8_t *batch, size_t length, uint64_t *out) {
    record in = {.at = batch};
    for (int64_t count = 0;; count++) {
        if (next_record(&in, batch + length)) return BATCH_MALFORMED;
        if (!in.length) return count;
        if (record_percentiles(&in, out + 4 * count)) return BATCH_MALFORMED;
    }
}
