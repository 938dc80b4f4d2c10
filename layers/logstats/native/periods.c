/* The half-hours of many breakdowns added up to periods, such as the hours of a time zone, and written as rows of text.
 *
 * A month by the hour is 720 rows: as Python objects they take four times as long as their sums. */
#include "breakdown.h"

#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 13, BETWEEN_ROWS = NUMBERS + 2, NO_VALUE, MAX_NUMBER = 40 };
enum { SIGNIFICANT = 17, MANTISSA = 53 }; /* digits that tell every double from its neighbours; bits of a double */

typedef struct {
    const period_texts *texts;
    buffer out;
    workspace *w;
    cell_numbers sum;
    const uint8_t *label; /* of the first half-hour of the open period */
} period_writer;

static void put(buffer *out, const void *bytes, size_t length) {
    if (length) memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

static void put_text(period_writer *w, int number) { put(&w->out, w->texts->texts[number], w->texts->lengths[number]); }

static void put_whole(buffer *out, uint64_t value) {
    uint8_t digits[20], *at = digits + sizeof digits;
    do *--at = (uint8_t)('0' + value % 10); while (value /= 10);
    put(out, at, (size_t)(digits + sizeof digits - at));
}

/* A number of `decimals` decimals, without zeros at its end, but with at least one decimal. */
static void put_decimal(buffer *out, uint64_t value, int decimals) {
    uint8_t digits[32];
    int count = 0;
    while (decimals > 1 && value % 10 == 0) value /= 10, decimals--;
    for (; value || count <= decimals; value /= 10) digits[count++] = (uint8_t)('0' + value % 10);
    while (count) {
        out->bytes[out->length++] = digits[--count];
        if (count == decimals) out->bytes[out->length++] = '.';
    }
}

/* The fewest digits from 15 to 17 that are nearest to this double, and to no other. It is positive, or 0.
 *
 * value = mantissa / 2^shift; its digits are mantissa * 10^decimals / 2^shift, exactly, in 128 bits. A number of fewer digits is
 * as good if it is less than half a unit of the mantissa away. */
static void put_double(buffer *out, double value) {
    if (value == 0) {
        put_decimal(out, 0, 1);
        return;
    }
    if (value < 1e-6 || value >= 1e6) {
        out->length += (size_t)snprintf((char *)out->bytes + out->length, MAX_NUMBER, "%.17g", value);
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int shift = 1023 + MANTISSA - 1 - (int)(bits >> (MANTISSA - 1));
    const uint64_t mantissa = (bits & ((UINT64_C(1) << (MANTISSA - 1)) - 1)) | UINT64_C(1) << (MANTISSA - 1);
    int decimals = SIGNIFICANT - 1;
    unsigned __int128 unit = 1;
    for (double power = 1; power * 10 <= value; power *= 10) decimals--;
    for (double scaled = value; scaled < 1; scaled *= 10) decimals++;
    for (int i = 0; i < decimals; i++) unit *= 10;
    const unsigned __int128 exact = mantissa * unit, half = (unsigned __int128)1 << (shift - 1);
    for (uint64_t step = 100; ; step /= 10) {
        const uint64_t digits = (uint64_t)((exact / step + half) >> shift) * step;
        const unsigned __int128 found = (unsigned __int128)digits << shift;
        if (step > 1 && (found > exact ? found - exact : exact - found) * 2 >= unit) continue;
        put_decimal(out, digits, decimals);
        return;
    }
}

/* As Python divides: the double next to the quotient. Above 2^53 microseconds (285 years) it may be the one beside it. */
static double quotient(unsigned __int128 dividend, uint64_t divisor) { return (double)dividend / (double)divisor; }

static void put_numbers(period_writer *w) {
    const uint64_t *counts = w->sum.counts, total = counts[TOTAL_REQUESTS], timed = timed_of(&w->sum);
    const uint64_t failed = counts[CLIENT_ERRORS] + counts[SERVER_ERRORS];
    const uint64_t whole[] = {total, timed, total - failed, failed, counts[CLIENT_ERRORS], counts[SERVER_ERRORS]};
    enum { WHOLE = sizeof whole / sizeof *whole };
    uint64_t values[CELL_VALUES];
    values_of_cell(&w->sum, &w->w->buckets, values);
    for (int i = 0; i < NUMBERS; i++) {
        put_text(w, i + 1);
        if (i < WHOLE) put_whole(&w->out, whole[i]);
        else if (i == WHOLE) put_double(&w->out, quotient((unsigned __int128)100 * (total - counts[SERVER_ERRORS]), total));
        else if (!timed) put_text(w, NO_VALUE);
        else if (i == WHOLE + 1) put_double(&w->out, quotient(w->sum.sum, timed * 1000000));
        else put_decimal(&w->out, values[i - WHOLE - 2], 6);
    }
}

static int close_period(period_writer *w) {
    if (!w->label) return 0;
    size_t length = w->texts->label_length + NUMBERS * MAX_NUMBER;
    for (int i = 0; i <= NO_VALUE; i++) length += w->texts->lengths[i];
    if (reserve(&w->out, length + NUMBERS * w->texts->lengths[NO_VALUE])) return NO_MEMORY;
    if (w->out.length) put_text(w, BETWEEN_ROWS);
    put_text(w, 0);
    put(&w->out, w->label, w->texts->label_length);
    put_numbers(w);
    put_text(w, NUMBERS + 1);
    w->sum = (cell_numbers){0};
    forget_buckets(&w->w->buckets);
    return 0;
}

static int add_slots(period_writer *w, const breakdown *b, const uint8_t *labels) {
    item_reader in = read_items(b, PART_SLOTS);
    for (;;) {
        if (next_item(&in)) return BREAKDOWN_MALFORMED;
        if (!in.length) return in.total == b->total ? 0 : BREAKDOWN_MALFORMED;
        const uint8_t *label = labels + in.name[0] * w->texts->label_length;
        cell_numbers cell;
        if (!*label) { /* outside of what is asked for */
            if (read_item(&in, &cell, NULL, 1)) return BREAKDOWN_MALFORMED;
            continue;
        }
        if (!w->label || memcmp(label, w->label, w->texts->key_length)) {
            const int failed = close_period(w);
            if (failed) return failed;
            w->label = label;
        }
        int failed = read_item(&in, &cell, &w->w->buckets, 1);
        if (!failed) failed = add_numbers(&w->sum, &cell, 1);
        if (failed) return failed;
    }
}

int64_t breakdown_periods(const uint8_t *const *rows, const size_t *lengths, size_t count, const uint8_t *labels,
                          const period_texts *texts, uint8_t **out) {
    period_writer w = {.texts = texts};
    *out = NULL;
    w.w = calloc(1, sizeof *w.w);
    if (!w.w) return NO_MEMORY;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        breakdown b;
        failed = open_breakdown(&b, rows[i], lengths[i]);
        if (!failed && !(b.parts & PART_SLOTS)) failed = BREAKDOWN_MALFORMED;
        if (!failed) failed = add_slots(&w, &b, labels + i * SLOTS * texts->label_length);
    }
    if (!failed) failed = close_period(&w);
    free(w.w);
    *out = w.out.bytes;
    return failed ? failed : (int64_t)w.out.length;
}
