/* Arithmetic on encoded histograms. */
#include "encoding.h"

#include <stdlib.h>

/* What one of two histograms has of a page: its own page, if it has that, and buckets of its list. Returns 1 if there are
 * other buckets between. */
static int take_page(const reader *in, int page, list_reader *list, uint32_t counts[PAGE]) {
    if (in->page == page)
        unpack(in->packed, counts, in->bits);
    else
        memset(counts, 0, PAGE * sizeof *counts);
    *list = in->list;
    return take_list(list, page, counts);
}

/* The page that comes next of one or both, added or subtracted. Returns 1 if none comes next as a whole. */
static int combine_pages(reader *a, reader *b, int sign, writer *out) {
    const int page = a->page < b->page ? a->page : b->page;
    if (page == PAGES || !is_at_page(a, page) || !is_at_page(b, page)) return 1;
    const int64_t last = last_of_page(page);
    if (a->page != b->page && a->list.bucket > last && b->list.bucket > last) {
        reader *only = a->page == page ? a : b;
        if (sign < 0 && only == b) return HISTOGRAM_NEGATIVE;
        return write_packed(out, page, only->packed, only->bits) ? NO_MEMORY : next_page(only);
    }
    uint32_t left[PAGE], right[PAGE], is_negative = 0;
    list_reader a_list, b_list;
    int failed = take_page(a, page, &a_list, left);
    if (!failed) failed = take_page(b, page, &b_list, right);
    if (failed) return failed;
    for (int i = 0; i < PAGE; i++) {
        is_negative |= sign < 0 && left[i] < right[i];
        left[i] = sign < 0 ? left[i] - right[i] : left[i] + right[i];
    }
    if (is_negative) return HISTOGRAM_NEGATIVE;
    if (write_page(out, page, left)) return NO_MEMORY;
    a->list = a_list;
    b->list = b_list;
    return (a->page == page && next_page(a)) || (b->page == page && next_page(b)) ? HISTOGRAM_MALFORMED : 0;
}

/* The next bucket of both. */
static int combine_buckets(reader *a, reader *b, int sign, writer *out) {
    const int64_t next_a = next_bucket(a), next_b = next_bucket(b), bucket = next_a < next_b ? next_a : next_b;
    if ((next_a == bucket && open_page(a)) || (next_b == bucket && open_page(b))) return 0;
    uint64_t left = 0, right = 0;
    if ((next_a == bucket && take_bucket(a, &left)) || (next_b == bucket && take_bucket(b, &right)))
        return HISTOGRAM_MALFORMED;
    if (sign < 0 && left < right) return HISTOGRAM_NEGATIVE;
    const uint64_t count = sign < 0 ? left - right : left + right;
    return count && write_count(out, bucket, count) ? NO_MEMORY : 0;
}

int append_combined(writer *w, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign,
                    buffer *out) {
    reader left, right;
    if (open_histogram(&left, a, a_length) || open_histogram(&right, b, b_length)) return HISTOGRAM_MALFORMED;
    begin_histogram(w);
    while (next_bucket(&left) != NO_BUCKET || next_bucket(&right) != NO_BUCKET) {
        int failed = combine_pages(&left, &right, sign, w);
        if (failed > 0) failed = combine_buckets(&left, &right, sign, w);
        if (failed) return failed;
    }
    if (total_of(&left) > INT64_MAX || total_of(&right) > INT64_MAX) return HISTOGRAM_MALFORMED;
    if (sign > 0 && total_of(&left) + total_of(&right) > INT64_MAX) return HISTOGRAM_TOO_MANY;
    return finish_histogram(w, out) ? NO_MEMORY : 0;
}

int64_t histogram_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign,
                          uint8_t **out) {
    writer w = {0};
    buffer sum = {0};
    const int failed = append_combined(&w, a, a_length, b, b_length, sign, &sum);
    free_writer(&w);
    *out = sum.bytes;
    return failed ? failed : (int64_t)sum.length;
}

void kernel_free(uint8_t *bytes) { free(bytes); }

/* Values wanted at ascending ranks, the next of which is ranks[next]. */
typedef struct {
    const uint64_t *ranks;
    size_t count, next;
    uint64_t total, *values; /* total: of the buckets that are behind */
} search;

static inline uint64_t next_rank(const search *s) { return s->next < s->count ? s->ranks[s->next] : UINT64_MAX; }

static inline void pass(search *s, int64_t bucket, uint64_t count) {
    s->total += count;
    for (; next_rank(s) <= s->total; s->next++) s->values[s->next] = representative((uint64_t)bucket);
}

/* Pass the list's buckets while the total stays below the next rank, four at a time: while each has one byte of distance
 * and one of count, a word has no high bit and no zero byte. */
static inline void pass_list(search *s, list_reader *list, int64_t page_bucket) {
    while (list->end - list->at >= 8 && list->bucket != NO_BUCKET) {
        const uint64_t word = load8(list->at), last = word >> 56;
        const uint64_t counts = (word >> 8 & LANES) * LANE_SUM >> 48, taken = list->count + counts - last;
        const int64_t bucket = list->bucket + (int64_t)((word & LANES) * LANE_SUM >> 48);
        if (((word | (word - ONES)) & HIGH) || s->total + taken >= next_rank(s) || bucket >= page_bucket ||
            bucket > last_bucket() || list->total > INT64_MAX - counts)
            return;
        s->total += taken;
        list->total += counts;
        list->bucket = bucket;
        list->count = last;
        list->at += 8;
    }
}

/* Pass the page that comes next, unless a bucket of the list is in it. Returns 1 if it is not passed. */
static int pass_page(search *s, reader *in) {
    if (in->page == PAGES || !is_at_page(in, in->page) || in->list.bucket <= last_of_page(in->page)) return 1;
    if (next_rank(s) <= s->total + in->page_total) unpack(in->packed, in->counts, in->bits);
    uint64_t below = s->total;
    s->total += in->page_total;
    for (int i = -1; next_rank(s) <= s->total; s->next++) {
        while (below < next_rank(s)) below += in->counts[++i];
        s->values[s->next] = representative((uint64_t)millisecond_bucket(in->page * PAGE + i));
    }
    return next_page(in);
}

int64_t histogram_values_at(const uint8_t *data, size_t length, const uint64_t *ranks, size_t count,
                            uint64_t *values) {
    reader in;
    search s = {.ranks = ranks, .count = count, .values = values};
    if (open_histogram(&in, data, length)) return HISTOGRAM_MALFORMED;
    while (next_bucket(&in) != NO_BUCKET) {
        int failed = pass_page(&s, &in);
        if (failed > 0 && !open_page(&in)) {
            pass_list(&s, &in.list, in.page_bucket);
            const int64_t bucket = next_bucket(&in);
            uint64_t here;
            failed = take_bucket(&in, &here);
            if (!failed) pass(&s, bucket, here);
        }
        if (failed < 0) return HISTOGRAM_MALFORMED;
    }
    return s.total > INT64_MAX ? HISTOGRAM_MALFORMED : (int64_t)s.total;
}

static int compare(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

int append_encoded(writer *w, uint64_t *values, size_t count, buffer *out) {
    for (size_t i = 0; i < count; i++) values[i] = bucket_index(values[i]);
    if (count) qsort(values, count, sizeof *values, compare);
    begin_histogram(w);
    for (size_t i = 0, same; i < count; i = same) {
        for (same = i; same < count && values[same] == values[i];) same++;
        if (write_count(w, (int64_t)values[i], same - i)) return NO_MEMORY;
    }
    return finish_histogram(w, out) ? NO_MEMORY : 0;
}

int64_t histogram_encode(uint64_t *values, size_t count, uint8_t **out) {
    writer w = {0};
    buffer encoded = {0};
    const int failed = append_encoded(&w, values, count, &encoded);
    free_writer(&w);
    *out = encoded.bytes;
    return failed ? failed : (int64_t)encoded.length;
}
