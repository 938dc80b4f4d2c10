/* Fuzz targets of the kernel, for libFuzzer (LLVM): compiled with -DTARGET=feed, load, decode or rows. */
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

/* Any bytes are lines of any format, read, skipped or rejected, in one block or two; the first byte chooses the format. */
void feed(const uint8_t *data, size_t size) {
    const span_of_code code = programs[data[0] % PROGRAMS];
    const line_format format = {.program = code.at, .program_length = code.length, .latest = INT64_MAX};
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
    }
    CHECK(summaries <= counts.accepted && requests <= counts.accepted);
    aggregator_rejects(a, &out);
    aggregator_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size) TARGET(data, size); /* without, `data` is NULL, which no caller hands over */
    return 0;
}
