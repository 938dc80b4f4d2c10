/* Fuzz targets of the kernel, for libFuzzer (LLVM): compiled with -DTARGET=feed, load, decode, rows, days, breakdown or route. */
#include "logstats.h"
#include "programs.h" /* the presets, compiled: written by run.py */

#include <stdlib.h>

#define CHECK(condition) do { if (!(condition)) abort(); } while (0)

/* Code that no compiler has written is refused, or reads lines all the same. */
void load(const uint8_t *data, size_t size) {
    const line_format format = {.program = data, .program_length = size, .latest = INT64_MAX};
    aggregator *a;
    if (aggregator_new(&format, 0, 0, 1, 3, &a)) return;
    CHECK(!aggregator_feed(a, data, size));
    aggregator_free(a);
}

/* Histograms and batches come from the database: of any bytes, only those that mean something may be added up. */
void decode(const uint8_t *data, size_t size) {
    const uint64_t ranks[] = {1, 2, 50, 1000};
    uint64_t values[4], percentiles[4];
    uint8_t *sum = NULL, *back = NULL;
    const size_t half = size / 2;
    const uint8_t *a = data, *b = data + half;
    const int64_t in_a = histogram_values_at(a, half, ranks, 4, values);
    const int64_t in_b = histogram_values_at(b, size - half, ranks, 4, values);
    const int64_t length = histogram_combine(a, half, b, size - half, 1, &sum);
    if (length >= 0) {
        CHECK(in_a >= 0 && in_b >= 0);
        CHECK(histogram_values_at(sum, (size_t)length, ranks, 4, values) == in_a + in_b);
        const int64_t rest = histogram_combine(sum, (size_t)length, b, size - half, -1, &back);
        CHECK(rest >= 0 && histogram_values_at(back, (size_t)rest, ranks, 4, values) == in_a);
    }
    kernel_free(sum);
    kernel_free(back);
    sum = back = NULL;
    const int64_t added = batch_add(a, half, b, size - half, &sum);
    if (added >= 0) CHECK(batch_count(sum, (size_t)added) >= 0);
    kernel_free(sum);
    if (batch_count(data, size) == 1 && batch_percentiles(data, size, percentiles) == 1) {
        sum = NULL;
        batch_copy_rows(data, size, 1, 1, &sum);
        kernel_free(sum);
    }
}

/* Rows of histograms come from the database too: they are added up as one by one, or not at all. */
void rows(const uint8_t *data, size_t size) {
    uint64_t consumed, percentiles[4 * 4];
    uint8_t *sum = NULL;
    const int64_t length = rows_sum(data, size, &consumed, &sum);
    CHECK(length < 0 || (consumed <= size && histogram_values_at(sum, (size_t)length, NULL, 0, NULL) >= 0));
    kernel_free(sum);
    CHECK(rows_percentiles(data, size, 4, percentiles) < 0 || length >= 0);
}

/* So do contributions beside their days' statistics: they become columns that are all equally long, or are postponed, or refused. */
void days(const uint8_t *data, size_t size) {
    const int64_t added[] = {1, 2};
    uint64_t repeated[2], lengths[32], total = 0;
    uint8_t *out = NULL;
    CHECK(merged_columns <= 32);
    const int64_t count = rows_merge(data, size, added, 2, repeated, lengths, &out);
    for (uint32_t i = 0; count >= 0 && i < merged_columns; total += lengths[i++]) {
        if (i + 2 < merged_columns) CHECK(!lengths[i] == !count);
        if (lengths[i] && i + 2 < merged_columns) {
            CHECK(out[total + 15] == (uint8_t)count && out[total + 14] == (uint8_t)(count >> 8));
        }
    }
    CHECK(count < 0 || !total == !out);
    kernel_free(out);
}

/* How many requests all items of a breakdown have, of each part that there is; or what is wrong with it. */
static int64_t requests_of(const uint8_t *data, size_t size) {
    uint8_t *out;
    size_t names;
    uint64_t requests[5] = {0};
    const int64_t length = breakdown_items(data, size, &out, &names);
    const size_t count = length < 0 ? 0 : ((size_t)length - names) / sizeof(listed_item);
    for (size_t i = 0; i < count; i++) {
        listed_item item;
        memcpy(&item, out + i * sizeof item, sizeof item);
        requests[item.part] += item.counts[TOTAL_REQUESTS];
        for (int value = 0; value < 4; value++) CHECK(item.values[value] <= item.values[value + 1]);
    }
    kernel_free(out);
    const int64_t total = length < 0 ? length : breakdown_total(data, size);
    for (int part = 1; part < 5 && total >= 0; part++) CHECK(!requests[part] || requests[part] == (uint64_t)total);
    return total;
}

/* Breakdowns, too, come from the database: of any bytes, only those that mean something are added up, and subtracted again. */
void breakdown(const uint8_t *data, size_t size) {
    const size_t half = size / 2;
    const uint8_t *const rows[] = {data, data + half};
    const size_t lengths[] = {half, size - half};
    const int64_t in_a = requests_of(rows[0], half), in_b = requests_of(rows[1], size - half);
    uint8_t *sum = NULL, *back = NULL, *all = NULL;
    const int64_t length = breakdown_combine(rows[0], half, rows[1], size - half, 1, 0, &sum);
    if (length > 0) {
        CHECK(in_a >= 0 || in_b >= 0 || sum[1] < 7); /* what is not kept is not looked at */
        if (in_a >= 0 && in_b >= 0) CHECK(requests_of(sum, (size_t)length) == in_a + in_b);
        const int64_t rest = breakdown_combine(sum, (size_t)length, rows[1], size - half, -1, 0, &back);
        if (in_a >= 0 && in_b >= 0) CHECK(rest > 0 && requests_of(back, (size_t)rest) == in_a);
        const int64_t summed = breakdown_sum(rows, lengths, 2, NULL, 0, 7, 1, 3, &all);
        CHECK(summed > 0 && requests_of(all, (size_t)summed) == requests_of(sum, (size_t)length));
    }
    kernel_free(sum);
    kernel_free(back);
    kernel_free(all);
    uint8_t labels[96], *text = NULL;
    for (int slot = 0; slot < 96; slot++) labels[slot] = (uint8_t)(slot / 7);
    const uint8_t *const texts[PERIOD_TEXTS] = {0};
    const size_t no_lengths[PERIOD_TEXTS] = {0};
    const period_texts around = {texts, no_lengths, 1, 1};
    if (breakdown_periods(rows, lengths, 2, labels, &around, &text) >= 0) CHECK(data[1] & data[half + 1] & 1);
    kernel_free(text);
    sum = NULL;
    const int64_t united = breakdown_combine(rows[0], half, rows[1], size - half, 1, 1, &sum);
    CHECK((united >= 0) == (length >= 0));
    kernel_free(sum);
}

/* Declared routes that nobody has compiled are refused, or match something; the first byte says how long they are. */
void route(const uint8_t *data, size_t size) {
    const size_t length = data[0] < size ? data[0] : size - 1;
    const line_format format = {.program = programs[0].at, .program_length = programs[0].length, .latest = INT64_MAX,
                                .parts = 2, .routes = data + 1, .routes_length = length};
    aggregator *a;
    if (aggregator_new(&format, 0, 0, 1, 3, &a)) return;
    CHECK(!aggregator_feed(a, data + 1 + length, size - 1 - length));
    aggregator_free(a);
}

/* Any bytes are lines of any format, read, skipped or rejected, in one block or two; the first byte chooses the format. */
void feed(const uint8_t *data, size_t size) {
    const span_of_code code = programs[data[0] % PROGRAMS];
    const line_format format = {.program = code.at, .program_length = code.length, .latest = INT64_MAX, .parts = 7};
    aggregator *a;
    CHECK(!aggregator_new(&format, 4, 64, 1, 3, &a));
    data++;
    size--;
    const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
    const size_t first = line_end ? (size_t)(line_end - data) + 1 : size, rest = size - first;
    /* Exactly as long as what is fed, so that a look beyond is seen. */
    uint8_t *block = malloc(first + !first), *other = malloc(rest + !rest);
    CHECK(block && other);
    memcpy(block, data, first);
    memcpy(other, data + first, rest);
    CHECK(!aggregator_feed(a, block, first) && !aggregator_feed(a, other, rest));
    free(block);
    free(other);
    line_counts counts;
    aggregator_counts(a, &counts);
    uint64_t known = counts.accepted + counts.skipped, summaries = 0, requests = 0;
    for (int reason = 0; reason < REASONS; reason++) known += counts.rejected[reason];
    CHECK(known <= counts.physical_lines);
    batch_key key;
    const uint8_t *out;
    for (int64_t length; (length = aggregator_drain(a, 3, &key, &out)) > 0;) {
        const int64_t found = batch_count(out, (size_t)length);
        CHECK(found > 0);
        summaries += (uint64_t)found;
        summary_header header;
        memcpy(&header, out, sizeof header);
        requests += header.counts[TOTAL_REQUESTS];
        const uint8_t *row = out + sizeof header + header.customer_length + header.histogram_length;
        CHECK(breakdown_total(row, header.breakdown_length) == (int64_t)header.counts[TOTAL_REQUESTS]);
    }
    CHECK(summaries <= counts.accepted && requests <= counts.accepted);
    aggregator_rejects(a, &out);
    aggregator_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size) TARGET(data, size); /* without, `data` is NULL, which no caller hands over */
    return 0;
}
