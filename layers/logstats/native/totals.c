/* Percentiles of many encoded histograms added up: a count for each bucket there is, and bits that find those in use. */
#include "encoding.h"

#include <stdlib.h>

#define BUCKETS (((UINT64_C(22) << SUB_BUCKET_BITS) + (MAX_DURATION_US >> 22)) + 1)
#define WORDS (BUCKETS / 64 + 1)
_Static_assert(MAX_DURATION_US >> 22 < UINT64_C(2) << SUB_BUCKET_BITS, "22 is the largest shift of bucket_index");

typedef struct {
    uint64_t counts[BUCKETS];
    uint64_t used[WORDS];          /* a bit for each bucket whose count is not zero */
    uint64_t blocks[WORDS / 64 + 1]; /* a bit for each word of these */
    uint64_t pages[PAGES][PAGE];   /* counts of whole milliseconds that came in pages, beside those above */
    uint64_t used_pages[PAGES / 64];
    uint64_t total;
} totals;

static inline void add_count(totals *to, uint64_t bucket, uint64_t count) {
    to->counts[bucket] += count;
    to->used[bucket / 64] |= UINT64_C(1) << bucket % 64;
    to->blocks[bucket / 4096] |= UINT64_C(1) << bucket / 64 % 64;
}

static int add_total(totals *to, uint64_t count) {
    to->total += count; /* both below 2^63 */
    return to->total > INT64_MAX ? HISTOGRAM_TOO_MANY : 0;
}

/* Add the page that comes next, unless a bucket of the list is in it. Returns 1 if it is not added. */
static int add_page(totals *to, reader *in) {
    if (in->page == PAGES || !is_at_page(in, in->page) || in->list.bucket <= last_of_page(in->page)) return 1;
    uint32_t counts[PAGE];
    unpack(in->packed, counts, in->bits);
    uint64_t *sums = to->pages[in->page];
    for (int i = 0; i < PAGE; i++) sums[i] += counts[i];
    to->used_pages[in->page / 64] |= UINT64_C(1) << in->page % 64;
    return next_page(in);
}

static int add_histogram(totals *to, const uint8_t *data, size_t length) {
    reader in;
    if (open_histogram(&in, data, length)) return HISTOGRAM_MALFORMED;
    for (int64_t bucket; (bucket = next_bucket(&in)) != NO_BUCKET;) {
        int failed = add_page(to, &in);
        if (failed > 0 && !open_page(&in)) {
            uint64_t count;
            failed = take_bucket(&in, &count);
            if (!failed) add_count(to, (uint64_t)bucket, count);
        }
        if (failed < 0) return HISTOGRAM_MALFORMED;
    }
    return total_of(&in) > INT64_MAX ? HISTOGRAM_MALFORMED : add_total(to, total_of(&in));
}

/* Add what came in pages to the other counts. */
static void close_pages(totals *from) {
    for (size_t word = 0; word < PAGES / 64; word++) {
        for (uint64_t bits = from->used_pages[word]; bits; bits &= bits - 1) {
            const int page = (int)(64 * word) + __builtin_ctzll(bits);
            for (int i = 0; i < PAGE; i++) {
                const uint64_t count = from->pages[page][i];
                if (count) add_count(from, (uint64_t)millisecond_bucket(page * PAGE + i), count);
            }
            memset(from->pages[page], 0, sizeof from->pages[page]);
        }
        from->used_pages[word] = 0;
    }
}

/* Empty the totals bucket by bucket, in ascending order; a failure of `take` is returned at the end. */
typedef int taker(void *state, uint64_t bucket, uint64_t count);
static inline int empty(totals *from, taker *take, void *state) {
    int failed = 0;
    close_pages(from);
    for (size_t block = 0; block <= WORDS / 64; block++) {
        for (uint64_t words = from->blocks[block]; words; words &= words - 1) {
            const size_t word = 64 * block + (size_t)__builtin_ctzll(words);
            for (uint64_t bits = from->used[word]; bits; bits &= bits - 1) {
                const size_t bucket = 64 * word + (size_t)__builtin_ctzll(bits);
                if (!failed) failed = take(state, bucket, from->counts[bucket]);
                from->counts[bucket] = 0;
            }
            from->used[word] = 0;
        }
        from->blocks[block] = 0;
    }
    from->total = 0;
    return failed;
}

/* ---- Rows of COPY (FORMAT BINARY), without its header: a group (integer), a histogram (bytea) ------------ */

typedef struct {
    uint32_t group, length;
    const uint8_t *histogram;
} row;

static uint32_t big_endian(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}

/* Returns 1 with the next row; 0 at the end, or where the next row is not whole; ROWS_MALFORMED. */
static int next_row(const uint8_t **at, const uint8_t *end, row *out) {
    enum { FIXED = 14 };
    static const uint8_t beginning[] = {0, 2, 0, 0, 0, 4}, trailer[] = {0xFF, 0xFF};
    const size_t left = (size_t)(end - *at);
    if (left >= 2 && !memcmp(*at, trailer, 2)) {
        *at += 2;
        return *at == end ? 0 : ROWS_MALFORMED;
    }
    if (left < FIXED) return 0;
    out->group = big_endian(*at + 6);
    out->length = big_endian(*at + 10);
    out->histogram = *at + FIXED;
    if (memcmp(*at, beginning, sizeof beginning) || out->length > INT32_MAX) return ROWS_MALFORMED;
    if (left - FIXED < out->length) return 0;
    *at = out->histogram + out->length;
    return 1;
}

/* ---- One sum of all rows --------------------------------------------------------------------------------- */

static int write_bucket_of(void *to, uint64_t bucket, uint64_t count) {
    return write_count(to, (int64_t)bucket, count) ? NO_MEMORY : 0;
}

int64_t rows_sum(const uint8_t *rows, size_t length, uint64_t *consumed, uint8_t **out) {
    const uint8_t *at = rows;
    totals *all = calloc(1, sizeof *all);
    writer w = {0};
    buffer sum = {0};
    row next;
    int found = all ? 1 : NO_MEMORY;
    while (found > 0) {
        found = next_row(&at, rows + length, &next);
        const int failed = found > 0 ? add_histogram(all, next.histogram, next.length) : 0;
        if (failed) found = failed;
    }
    *consumed = (uint64_t)(at - rows);
    begin_histogram(&w);
    if (!found) found = empty(all, write_bucket_of, &w);
    if (!found && finish_histogram(&w, &sum)) found = NO_MEMORY;
    free_writer(&w);
    free(all);
    *out = sum.bytes;
    return found ? found : (int64_t)sum.length;
}

/* ---- Percentiles of each group --------------------------------------------------------------------------- */

typedef struct {
    uint64_t ranks[4], *values, below;
    int next;
} rank_search;

static int pass_bucket(void *state, uint64_t bucket, uint64_t count) {
    rank_search *s = state;
    s->below += count;
    for (; s->next < 4 && s->ranks[s->next] <= s->below; s->next++) s->values[s->next] = representative(bucket);
    return 0;
}

static void take_percentiles(totals *from, uint64_t values[4]) {
    rank_search s = {.values = values};
    set_ranks(s.ranks, from->total);
    memset(values, 0, 4 * sizeof *values);
    empty(from, pass_bucket, &s);
}

/* The rows in the order of their groups: those of group g are from starts[g] to starts[g + 1]. */
static int sort_rows(const uint8_t *rows, const uint8_t *end, uint32_t groups, size_t *starts, row *sorted) {
    const uint8_t *at = rows;
    row next;
    int found;
    while ((found = next_row(&at, end, &next)) > 0) {
        if (next.group >= groups) return ROWS_MALFORMED;
        if (sorted) sorted[starts[next.group]++] = next;
        else starts[next.group]++;
    }
    return found || at != end ? ROWS_MALFORMED : 0;
}

static int group_rows(const uint8_t *rows, const uint8_t *end, uint32_t groups, size_t *starts, row **sorted) {
    if (sort_rows(rows, end, groups, starts, NULL)) return ROWS_MALFORMED;
    size_t count = 0;
    for (uint32_t group = 0; group <= groups; group++) { /* counts become starts */
        const size_t here = starts[group];
        starts[group] = count;
        count += here;
    }
    *sorted = malloc((count + !count) * sizeof **sorted);
    if (!*sorted) return NO_MEMORY;
    sort_rows(rows, end, groups, starts, *sorted); /* each start is now the next group's */
    memmove(starts + 1, starts, groups * sizeof *starts);
    starts[0] = 0;
    return 0;
}

int64_t rows_percentiles(const uint8_t *rows, size_t length, uint32_t groups, uint64_t *out) {
    totals *all = calloc(1, sizeof *all);
    size_t *starts = calloc((size_t)groups + 1, sizeof *starts);
    row *sorted = NULL;
    int failed = all && starts ? group_rows(rows, rows + length, groups, starts, &sorted) : NO_MEMORY;
    for (uint32_t group = 0; group < groups && !failed; group++) {
        for (size_t i = starts[group]; i < starts[group + 1] && !failed; i++)
            failed = add_histogram(all, sorted[i].histogram, sorted[i].length);
        if (!failed) take_percentiles(all, out + 4 * (size_t)group);
    }
    free(sorted);
    free(starts);
    free(all);
    return failed ? failed : (int64_t)groups;
}
