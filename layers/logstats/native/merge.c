/* Contributions, each beside the statistics that there are of its day: added up, as rows that PostgreSQL hands out and takes. */
#include "batch.h"

#include <stdlib.h>

/* ---- Rows of COPY ... TO (FORMAT BINARY), without its header ------------------------------------- */

enum { ATTEMPT, CUSTOMER, DATE, CONTRIBUTION };
enum { SUM_COLUMN = COUNTS, MIN_COLUMN, MAX_COLUMN, HISTOGRAM_COLUMN, BREAKDOWN_COLUMN, SUMMARY_COLUMNS };
enum { STATISTICS = CONTRIBUTION + SUMMARY_COLUMNS, ROW_COLUMNS = STATISTICS + SUMMARY_COLUMNS };

typedef struct { const uint8_t *at; uint32_t length; } cell_bytes; /* null: `at` is NULL */

typedef struct {
    int64_t attempt;
    cell_bytes customer, date;
    record contribution, statistics;
    int has_statistics;
} touched_row;

static uint64_t get_big_endian(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

static int get_bigint(cell_bytes from, uint64_t *value) {
    if (!from.at || from.length != 8) return ROWS_MALFORMED;
    *value = get_big_endian(from.at, 8);
    return *value > INT64_MAX ? ROWS_MALFORMED : 0;
}

/* A whole number, not negative: see put_numeric. */
static int get_numeric(cell_bytes from, summary_header *to) {
    if (!from.at || from.length < NUMERIC_HEAD) return ROWS_MALFORMED;
    const unsigned count = (unsigned)get_big_endian(from.at, 2), weight = (unsigned)get_big_endian(from.at + 2, 2);
    if (from.length != NUMERIC_HEAD + 2 * count || get_big_endian(from.at + 4, 4)) return ROWS_MALFORMED;
    if (count && (weight >= NUMERIC_DIGITS || count > weight + 1)) return ROWS_MALFORMED;
    unsigned __int128 value = 0;
    for (unsigned i = 0; count && i <= weight; i++) {
        const uint64_t digit = i < count ? get_big_endian(from.at + NUMERIC_HEAD + 2 * i, 2) : 0;
        if (digit > 9999 || value > (~(unsigned __int128)0 >> 1) / 10000 - 1) return ROWS_MALFORMED;
        value = value * 10000 + digit;
    }
    to->sum_low = (uint64_t)value;
    to->sum_high = (uint64_t)(value >> 64);
    return 0;
}

/* There is a shortest and a longest duration if, and only if, a request has one. */
static int get_extremes(const cell_bytes *from, summary_header *to) {
    if (to->counts[UNTIMED_REQUESTS] > to->counts[TOTAL_REQUESTS]) return ROWS_MALFORMED;
    to->min = UINT64_MAX;
    to->max = 0;
    if (timed_requests(to)) return get_bigint(from[MIN_COLUMN], &to->min) || get_bigint(from[MAX_COLUMN], &to->max) ? ROWS_MALFORMED : 0;
    return from[MIN_COLUMN].at || from[MAX_COLUMN].at ? ROWS_MALFORMED : 0;
}

static int get_summary(const cell_bytes *from, record *to) {
    summary_header *header = &to->header;
    *to = (record){0};
    for (int i = 0; i < COUNTS; i++)
        if (get_bigint(from[i], &header->counts[i])) return ROWS_MALFORMED;
    if (get_numeric(from[SUM_COLUMN], header) || get_extremes(from, header)) return ROWS_MALFORMED;
    if (!from[HISTOGRAM_COLUMN].at || (from[BREAKDOWN_COLUMN].at && !from[BREAKDOWN_COLUMN].length)) return ROWS_MALFORMED;
    to->customer = to->histogram = from[HISTOGRAM_COLUMN].at; /* no bytes of a customer, but not NULL */
    header->histogram_length = from[HISTOGRAM_COLUMN].length;
    to->breakdown = from[BREAKDOWN_COLUMN].at;
    header->breakdown_length = from[BREAKDOWN_COLUMN].length;
    return 0;
}

/* Returns 1 with the values of the next row, 0 behind the trailer, or ROWS_MALFORMED. */
static int next_values(const uint8_t **at, const uint8_t *end, cell_bytes values[ROW_COLUMNS]) {
    if (end - *at < 2) return ROWS_MALFORMED;
    const uint64_t columns = get_big_endian(*at, 2);
    *at += 2;
    if (columns == UINT16_MAX) return *at == end ? 0 : ROWS_MALFORMED;
    if (columns != ROW_COLUMNS) return ROWS_MALFORMED;
    for (int i = 0; i < ROW_COLUMNS; i++) {
        if (end - *at < 4) return ROWS_MALFORMED;
        const uint32_t length = (uint32_t)get_big_endian(*at, 4);
        *at += 4;
        values[i] = length == NULL_LENGTH ? (cell_bytes){0} : (cell_bytes){*at, length};
        if (values[i].length > (size_t)(end - *at)) return ROWS_MALFORMED;
        *at += values[i].length;
    }
    return 1;
}

static int next_touched(const uint8_t **at, const uint8_t *end, touched_row *to) {
    cell_bytes values[ROW_COLUMNS];
    uint64_t attempt;
    const int found = next_values(at, end, values);
    if (found <= 0) return found;
    to->customer = values[CUSTOMER];
    to->date = values[DATE];
    to->has_statistics = values[STATISTICS].at != NULL;
    if (get_bigint(values[ATTEMPT], &attempt) || !to->customer.at || !to->date.at || to->date.length != 4 ||
        get_summary(values + CONTRIBUTION, &to->contribution) ||
        (to->has_statistics && get_summary(values + STATISTICS, &to->statistics)))
        return ROWS_MALFORMED;
    to->attempt = (int64_t)attempt;
    return 1;
}

/* ---- Columns as arrays of PostgreSQL -------------------------------------------------------------- */

enum { OID_BYTEA = 17, OID_BIGINT = 20, OID_TEXT = 25, OID_DATE = 1082, OID_NUMERIC = 1700 };
enum { ARRAY_HEAD = 20, KEY_COLUMNS = 2, PERCENTILES = 4, DAY_COLUMNS = KEY_COLUMNS + SUMMARY_COLUMNS + PERCENTILES };

const uint32_t merged_columns = DAY_COLUMNS + KEY_COLUMNS;

typedef struct { buffer bytes; uint32_t count, has_null; } column;

/* Room for one value more of so many bytes; where it goes, or NULL. */
static uint8_t *grow(column *c, size_t length) {
    if (!c->bytes.length) {
        if (reserve(&c->bytes, ARRAY_HEAD)) return NULL;
        c->bytes.length = ARRAY_HEAD;
    }
    if (reserve(&c->bytes, 4 + length)) return NULL;
    c->count++;
    return c->bytes.bytes + c->bytes.length;
}

static int add_value(column *c, const uint8_t *bytes, uint32_t length) {
    uint8_t *to = grow(c, length);
    if (!to) return NO_MEMORY;
    c->has_null |= !bytes;
    to = bytes ? put_bytes(to, bytes, length) : put32(to, NULL_LENGTH);
    c->bytes.length = (size_t)(to - c->bytes.bytes);
    return 0;
}

static int add_bigint(column *c, uint64_t value, int there) {
    uint8_t *to = grow(c, 8);
    if (!to) return NO_MEMORY;
    c->has_null |= !there;
    c->bytes.length = (size_t)(put_duration(to, value, there) - c->bytes.bytes);
    return 0;
}

static int add_numeric(column *c, const summary_header *header) {
    uint8_t *to = grow(c, NUMERIC_BYTES);
    if (!to) return NO_MEMORY;
    to = put_numeric(to, (unsigned __int128)header->sum_high << 64 | header->sum_low);
    c->bytes.length = (size_t)(to - c->bytes.bytes);
    return 0;
}

static int add_key(column *columns, cell_bytes customer, cell_bytes date) {
    return add_value(columns, customer.at, customer.length) || add_value(columns + 1, date.at, date.length) ? NO_MEMORY : 0;
}

/* The columns are logstats.rows.KEY and COLUMNS. */
static int add_day(column *columns, cell_bytes customer, cell_bytes date, const record *day) {
    const summary_header *header = &day->header;
    const int timed = timed_requests(header) > 0;
    column *numbers = columns + KEY_COLUMNS;
    uint64_t values[PERCENTILES];
    if (record_percentiles(day, values)) return BATCH_MALFORMED;
    if (add_key(columns, customer, date)) return NO_MEMORY;
    for (int i = 0; i < COUNTS; i++)
        if (add_bigint(numbers + i, header->counts[i], 1)) return NO_MEMORY;
    if (add_numeric(numbers + SUM_COLUMN, header) || add_bigint(numbers + MIN_COLUMN, header->min, timed) ||
        add_bigint(numbers + MAX_COLUMN, header->max, timed) ||
        add_value(numbers + HISTOGRAM_COLUMN, day->histogram, header->histogram_length) ||
        add_value(numbers + BREAKDOWN_COLUMN, header->breakdown_length ? day->breakdown : NULL, header->breakdown_length))
        return NO_MEMORY;
    for (int i = 0; i < PERCENTILES; i++)
        if (add_bigint(numbers + SUMMARY_COLUMNS + i, values[i], timed)) return NO_MEMORY;
    return 0;
}

static uint32_t element_of(int place) {
    switch (place < DAY_COLUMNS ? place : place - DAY_COLUMNS) {
    case 0: return OID_TEXT;
    case 1: return OID_DATE;
    case KEY_COLUMNS + SUM_COLUMN: return OID_NUMERIC;
    case KEY_COLUMNS + HISTOGRAM_COLUMN: case KEY_COLUMNS + BREAKDOWN_COLUMN: return OID_BYTEA;
    default: return OID_BIGINT;
    }
}

/* The arrays one behind the other: dimensions, whether there are nulls, the type, how many, the first index, then the values. */
static int join_columns(column *columns, uint64_t *lengths, buffer *out) {
    for (int i = 0; i < DAY_COLUMNS + KEY_COLUMNS; i++) {
        uint8_t head[ARRAY_HEAD], *to = put32(put32(head, 1), columns[i].has_null);
        put32(put32(put32(to, element_of(i)), columns[i].count), 1);
        if (columns[i].count) memcpy(columns[i].bytes.bytes, head, ARRAY_HEAD);
        lengths[i] = columns[i].bytes.length;
        if (append_bytes(columns[i].bytes.bytes, columns[i].bytes.length, out)) return NO_MEMORY;
    }
    return 0;
}

/* ---- Addition ------------------------------------------------------------------------------------- */

/* A sum so far, in one of the buffers, or where its only term is. */
typedef struct {
    record value;
    int is_there, which;
    buffer bytes[2];
} running_sum;

typedef struct {
    const int64_t *added;
    size_t added_count;
    uint64_t *repeated;
    adder adder;
    column columns[DAY_COLUMNS + KEY_COLUMNS];
    cell_bytes customer, date; /* of the day at hand; at first null */
    running_sum day, attempt;
    int64_t attempt_id;
    int is_postponed;
    int64_t days;
} merger;

static int add_to(merger *m, running_sum *sum, const record *term, int is_bounded) {
    if (!sum->is_there) {
        sum->value = *term;
        sum->is_there = 1;
        return 0;
    }
    for (int i = 0; i < COUNTS; i++)
        if (term->header.counts[i] > INT64_MAX - sum->value.header.counts[i]) return HISTOGRAM_TOO_MANY;
    buffer *out = &sum->bytes[sum->which ^= 1];
    out->length = 0;
    const int failed = add_records(&sum->value, term, &m->adder, is_bounded, out);
    if (failed) return failed;
    sum->value = (record){.at = out->bytes};
    return next_record(&sum->value, out->bytes + out->length);
}

/* Add what the attempt at hand contributes to the day, united from its parts. */
static int close_attempt(merger *m) {
    int failed = 0;
    if (!m->attempt.is_there) return 0;
    if (m->day.is_there) {
        failed = add_to(m, &m->day, &m->attempt.value, 0);
    } else { /* the sum goes with its buffers */
        const running_sum empty = m->day;
        m->day = m->attempt;
        m->attempt = empty;
    }
    m->attempt.is_there = 0;
    return failed;
}

/* A day that cannot be added is left to code that says why. */
static int postpone(merger *m, int failed) {
    if (failed == NO_MEMORY) return failed;
    m->is_postponed |= failed != 0;
    return 0;
}

static int close_day(merger *m) {
    if (!m->customer.at) return 0;
    if (!m->is_postponed && postpone(m, close_attempt(m))) return NO_MEMORY;
    if (!m->is_postponed && postpone(m, add_day(m->columns, m->customer, m->date, &m->day.value))) return NO_MEMORY;
    m->days += !m->is_postponed;
    m->day.is_there = m->attempt.is_there = 0;
    return m->is_postponed ? add_key(m->columns + DAY_COLUMNS, m->customer, m->date) : 0;
}

/* Statistics that code from before the breakdown has changed are not simply added to. */
static void open_day(merger *m, const touched_row *in) {
    const summary_header *known = &in->statistics.header;
    m->customer = in->customer;
    m->date = in->date;
    m->is_postponed = 0;
    m->attempt_id = -1;
    if (!in->has_statistics) return;
    m->day.value = in->statistics;
    m->day.is_there = 1;
    if (!known->breakdown_length) return;
    const int64_t total = breakdown_total(in->statistics.breakdown, known->breakdown_length);
    m->is_postponed = total < 0 || (uint64_t)total != known->counts[TOTAL_REQUESTS];
}

static int is_of_day(const merger *m, const touched_row *in) {
    return m->customer.at && m->customer.length == in->customer.length &&
        !memcmp(m->customer.at, in->customer.at, in->customer.length) && !memcmp(m->date.at, in->date.at, 4);
}

static int take_row(merger *m, const touched_row *in) {
    if (!is_of_day(m, in)) {
        if (close_day(m)) return NO_MEMORY;
        open_day(m, in);
    }
    size_t place = 0;
    while (place < m->added_count && m->added[place] != in->attempt) place++;
    if (place == m->added_count) {
        m->is_postponed = 1;
        return 0;
    }
    const int is_part = m->attempt_id == in->attempt;
    m->attempt_id = in->attempt;
    m->repeated[place] += is_part;
    if (m->is_postponed) return 0;
    if (!is_part && postpone(m, close_attempt(m))) return NO_MEMORY;
    return postpone(m, add_to(m, &m->attempt, &in->contribution, 1));
}

static void free_merger(merger *m) {
    free_adder(&m->adder);
    for (int i = 0; i < DAY_COLUMNS + KEY_COLUMNS; i++) free(m->columns[i].bytes.bytes);
    for (int i = 0; i < 2; i++) {
        free(m->day.bytes[i].bytes);
        free(m->attempt.bytes[i].bytes);
    }
}

int64_t rows_merge(const uint8_t *rows, size_t length, const int64_t *added, size_t added_count, uint64_t *repeated,
                   uint64_t *lengths, uint8_t **out) {
    merger m = {.added = added, .added_count = added_count, .repeated = repeated};
    const uint8_t *at = rows;
    touched_row in;
    buffer joined = {0};
    int found;
    memset(repeated, 0, added_count * sizeof *repeated);
    while ((found = next_touched(&at, rows + length, &in)) > 0)
        if ((found = take_row(&m, &in))) break;
    if (!found) found = close_day(&m);
    if (!found) found = join_columns(m.columns, lengths, &joined);
    free_merger(&m);
    *out = joined.bytes;
    return found ? found : m.days;
}
