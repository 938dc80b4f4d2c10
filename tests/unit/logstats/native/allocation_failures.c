/* Runs the same work again and again, with the first, the second, ... allocation failing, until none does.
 * Each run must report its failure, and give back all it took. Prints the number of failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long until_failure, held;

static int fails(void) { return --until_failure == 0; }
static void *try_malloc(size_t size) { return fails() ? NULL : (held++, malloc(size)); }
static void *try_calloc(size_t count, size_t size) { return fails() ? NULL : (held++, calloc(count, size)); }
static void *try_realloc(void *old, size_t size) { return fails() ? NULL : (held += !old, realloc(old, size)); }
static void give_back(void *old) { held -= old != NULL; free(old); }

#define malloc try_malloc
#define calloc try_calloc
#define realloc try_realloc
#define free give_back
#include "aggregate.c"
#define record batch_record /* aggregate.c has a function of that name */
#include "batch.c"
#include "merge.c"
#undef record
#include "breakdown.c"
#include "cell.c"
#include "counted.c"
#include "declared.c"
#include "encoding.c"
#include "histogram.c"
#include "json.c"
#define put_numbers put_numbers_of_period /* sums.c has a function of that name, text.c the other */
#define put put_in_period
#include "periods.c"
#undef put_numbers
#undef put
#include "program.c"
#include "text.c"
#include "totals.c"
#include "route.c"
#include "sums.c"
#include "tally.c"
#include "values.c"

typedef struct { uint8_t bytes[4096]; size_t length; } file;
static file native, columns, routes; /* programs, and declared routes */

static int feed_text(aggregator *a, const char *text) { return aggregator_feed(a, (const uint8_t *)text, strlen(text)); }

/* Values that have to be joined, in columns that change. */
static int work_in_columns(void) {
    const char *header = "#Fields: date time x-host-header sc-status";
    const line_format format = {.program = columns.bytes, .columns = (const uint8_t *)header, .program_length = columns.length,
                                .columns_length = strlen(header), .latest = INT64_MAX};
    aggregator *a;
    int failed = aggregator_new(&format, 10, 100, 1, 1, &a);
    failed = failed || feed_text(a, "2024-09-03\t12:00:00\ta.example.com\t200\n") ||
        feed_text(a, "#Fields: time date sc-status x-host-header\n12:00:00\t2024-09-03\t200\ta.example.com\n");
    failed = failed || a->counts.accepted != 2;
    aggregator_free(a);
    return failed;
}

/* Rows of a contribution twice, beside statistics that are the same: `batch` has the summary. */
static size_t put_merged(const batch_record *summary, uint8_t *rows) {
    const summary_header *header = &summary->header;
    uint8_t *to = rows;
    for (int row = 0; row < 4; row++) {
        to = put_bigint(put16(to, ROW_COLUMNS), row < 3 ? 1 : 2);
        to = put32(put32(put_bytes(to, (const uint8_t *)"b" + (row > 1), row < 2), 4), 0);
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < COUNTS; i++) to = put_bigint(to, header->counts[i]);
            to = put_numeric(to, header->sum_low);
            to = put_bigint(put_bigint(to, header->min), header->max);
            to = put_bytes(to, summary->histogram, header->histogram_length);
            to = put_bytes(to, summary->breakdown, header->breakdown_length);
        }
    }
    return (size_t)(put16(to, UINT16_MAX) - rows);
}

static int work_on_days(const uint8_t *batch, size_t length) {
    static uint8_t rows[1 << 16];
    batch_record summary = {.at = batch};
    if (next_record(&summary, batch + length) || 16 * summary.length > sizeof rows) return -1;
    const int64_t added[] = {1, 2};
    uint64_t repeated[2], lengths[DAY_COLUMNS + KEY_COLUMNS];
    uint8_t *out = NULL;
    const int64_t days = rows_merge(rows, put_merged(&summary, rows), added, 2, repeated, lengths, &out);
    kernel_free(out);
    return days != 2 || repeated[0] != 1;
}

/* Routes enough to leave some out, and durations enough to take lists up; then sums of what comes out. */
static int work_on_routes(void) {
    const line_format format = {.program = native.bytes, .program_length = native.length, .latest = INT64_MAX,
                                .parts = ALL_PARTS, .routes = routes.bytes, .routes_length = routes.length};
    aggregator *a;
    if (aggregator_new(&format, 0, 0, 1, 1, &a)) return -1;
    int failed = 0;
    char line[128];
    for (int i = 0; i < 120 && !failed; i++) {
        snprintf(line, sizeof line, "2024-09-03 %02d:00:00 c%d /r%dx/%d %d 0.%03d\n", i % 24, i % 7 == 0,
                 i < 60 ? 0 : i, i, i % 9 ? 200 : 404 + i % 20, i % 900);
        failed = feed_text(a, line);
    }
    const uint8_t *out = NULL;
    batch_key key;
    const int64_t length = failed ? -1 : aggregator_drain(a, 1, &key, &out);
    summary_header header = {0};
    if (length > 0) memcpy(&header, out, sizeof header);
    const uint8_t *row = length <= 0 ? NULL : out + sizeof header + header.customer_length + header.histogram_length;
    const uint8_t *rows[] = {row, row};
    const size_t lengths[] = {header.breakdown_length, header.breakdown_length};
    uint8_t labels[2 * SLOTS];
    for (int i = 0; i < 2 * SLOTS; i++) labels[i] = (uint8_t)('0' + i / 2);
    const uint8_t *texts[PERIOD_TEXTS] = {0};
    const size_t texts_lengths[PERIOD_TEXTS] = {0};
    const period_texts around = {texts, texts_lengths, 1, 1};
    size_t names;
    uint8_t *text = NULL, *sum = NULL, *back = NULL, *items = NULL, *all = NULL, *batch = NULL;
    int64_t twice = 0;
    failed = length <= 0 || (twice = breakdown_combine(row, lengths[0], row, lengths[0], 1, 1, &sum)) < 0 ||
        breakdown_combine(sum, (size_t)twice, row, lengths[0], -1, 0, &back) < 0 ||
        breakdown_items(row, lengths[0], &items, &names) < 0 ||
        breakdown_sum(rows, lengths, 2, NULL, 0, ALL_PARTS, 1, 1, &all) < 0 ||
        breakdown_periods(rows, lengths, 2, labels, &around, &text) < 0 ||
        batch_add(out, (size_t)length, out, (size_t)length, &batch) < 0 || work_on_days(out, (size_t)length);
    kernel_free(sum);
    kernel_free(back);
    kernel_free(items);
    kernel_free(all);
    kernel_free(text);
    kernel_free(batch);
    aggregator_free(a);
    return failed;
}

/* Customers and days enough to grow every table; durations enough to leave the list, whole milliseconds and others. */
static int work(void) {
    const line_format format = {.program = native.bytes, .program_length = native.length, .latest = INT64_MAX};
    aggregator *a;
    if (aggregator_new(&format, 2000, 100, 1, 1, &a)) return -1;
    int failed = 0;
    char line[128];
    for (int round = 0; round < 2 && !failed; round++) {
        for (int i = 0; i < 3000 && !failed; i++) {
            const int customer = i < 1500 ? i : 0;
            const int length = snprintf(line, sizeof line, "2024-09-03 12:00:00 cust_%d /a 200 %d.%06d\n%s",
                                        customer, i % 20, i % 3 ? i * 7 : i % 900 * 1000, i % 10 ? "" : "bad\n");
            failed = aggregator_feed(a, (const uint8_t *)line, (size_t)length);
        }
        const uint8_t *out;
        batch_key key;
        int64_t length = 0;
        while (!failed && (length = aggregator_drain(a, 8, &key, &out)) > 0) {
            uint8_t *sum, *rows = NULL;
            failed = batch_add(out, (size_t)length, out, (size_t)length, &sum) < 0 ||
                batch_copy_rows(out, (size_t)length, 1, 1, &rows) < 0;
            kernel_free(sum);
            kernel_free(rows);
        }
        failed = failed || length < 0;
    }
    uint64_t values[] = {1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 9001};
    uint8_t *encoded = NULL, *sum = NULL;
    int64_t length = 0;
    failed = failed || (length = histogram_encode(values, 10, &encoded)) < 0 ||
        histogram_combine(encoded, (size_t)length, encoded, (size_t)length, 1, &sum) < 0;
    uint8_t rows[64] = {0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, (uint8_t)length}, *total = NULL;
    uint64_t consumed, percentiles[4];
    if (!failed) memcpy(rows + 14, encoded, (size_t)length);
    failed = failed || rows_sum(rows, 14 + (size_t)length, &consumed, &total) < 0 ||
        rows_percentiles(rows, 14 + (size_t)length, 1, percentiles) < 0;
    kernel_free(total);
    kernel_free(encoded);
    kernel_free(sum);
    aggregator_free(a);
    return failed || work_in_columns() || work_on_routes();
}

static void read_file(const char *name, file *out) {
    FILE *in = fopen(name, "rb");
    out->length = in ? fread(out->bytes, 1, sizeof out->bytes, in) : 0;
    if (in) fclose(in);
}

/* The files are the programs of a format like the native one, and of one in columns, and declared routes. */
int main(int count, char **files) {
    if (count != 4) return 2;
    read_file(files[1], &native);
    read_file(files[2], &columns);
    read_file(files[3], &routes);
    long failures = 0;
    for (;; failures++) {
        until_failure = failures + 1;
        const int failed = work();
        if (held) { printf("after failure %ld, %ld allocations are held\n", failures + 1, held); return 1; }
        if (until_failure > 0) { /* nothing failed */
            if (failed) { printf("failed without a reason\n"); return 1; }
            break;
        }
        if (!failed) { printf("failure %ld was not reported\n", failures + 1); return 1; }
    }
    printf("%ld\n", failures);
    return 0;
}
