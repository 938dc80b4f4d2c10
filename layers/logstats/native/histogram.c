/* Arithmetic on encoded histograms. */
#include "encoding.h"

#include <stdlib.h>

/* The page of both, added or subtracted. Returns 0, HISTOGRAM_MALFORMED, HISTOGRAM_NEGATIVE or NO_MEMORY. */
static int combine_pages(reader *a, reader *b, int sign, int page, writer *out) {
    static const uint32_t none[PAGE];
    const uint32_t *left = a->page == page ? a->counts : none, *right = b->page == page ? b->counts : none;
    uint32_t counts[PAGE], is_negative = 0;
    if (sign > 0)
        for (int i = 0; i < PAGE; i++) counts[i] = left[i] + right[i];
    else
        for (int i = 0; i < PAGE; i++) {
            is_negative |= left[i] < right[i];
            counts[i] = left[i] - right[i];
        }
    if (is_negative) return HISTOGRAM_NEGATIVE;
    if (write_page(out, page, counts)) return NO_MEMORY;
    if ((a->page == page && next_page(a)) || (b->page == page && next_page(b))) return HISTOGRAM_MALFORMED;
    return 0;
}

/* The next bucket of both. */
static int combine_buckets(reader *a, reader *b, int sign, writer *out) {
    const int64_t bucket = next_bucket(a) < next_bucket(b) ? next_bucket(a) : next_bucket(b);
    uint64_t left = 0, right = 0;
    if ((next_bucket(a) == bucket && take_bucket(a, &left)) || (next_bucket(b) == bucket && take_bucket(b, &right)))
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
        const int page = whole_page(&left, &right);
        const int failed = page >= 0 && page != w->open ? combine_pages(&left, &right, sign, page, w)
                                                        : combine_buckets(&left, &right, sign, w);
        if (failed) return failed;
    }
    if (sign > 0 && left.total + right.total > INT64_MAX) return HISTOGRAM_TOO_MANY;
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

/* What a bucket stands for: the whole millisecond in it, if there is one, or else its middle. */
static uint64_t representative(uint64_t bucket) {
    if (bucket < (UINT64_C(2) << SUB_BUCKET_BITS)) return bucket;
    const int shift = (int)(bucket >> SUB_BUCKET_BITS) - 1;
    const uint64_t low = (bucket - ((uint64_t)shift << SUB_BUCKET_BITS)) << shift;
    const uint64_t width = UINT64_C(1) << shift;
    const uint64_t millisecond = (low + 999) / 1000 * 1000;
    return millisecond < low + width ? millisecond : low + width / 2;
}

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
static inline void pass_list(search *s, reader *in) {
    const uint64_t lanes = UINT64_C(0x00FF00FF00FF00FF), sum = UINT64_C(0x0001000100010001);
    while (in->end - in->at >= 8 && in->list_bucket != NO_BUCKET) {
        const uint64_t word = load8(in->at), last = word >> 56;
        const uint64_t counts = (word >> 8 & lanes) * sum >> 48, taken = in->list_count + counts - last;
        const int64_t bucket = in->list_bucket + (int64_t)((word & lanes) * sum >> 48);
        if (((word | (word - ONES)) & HIGH) || s->total + taken >= next_rank(s) || bucket >= in->page_bucket ||
            bucket > last_bucket() || in->total > INT64_MAX - counts)
            return;
        s->total += taken;
        in->total += counts;
        in->list_bucket = bucket;
        in->list_count = last;
        in->at += 8;
    }
}

/* Pass a page that comes next as a whole, and those behind it that no rank is in. */
static int pass_pages(search *s, reader *in) {
    uint64_t below = s->total + in->counts[0];
    s->total += in->page_total;
    for (int i = 0; next_rank(s) <= s->total; s->next++) {
        while (below < next_rank(s)) below += in->counts[++i];
        s->values[s->next] = representative((uint64_t)millisecond_bucket(in->page * PAGE + i));
    }
    return skip_pages(in, next_rank(s), &s->total);
}

int64_t histogram_values_at(const uint8_t *data, size_t length, const uint64_t *ranks, size_t count,
                            uint64_t *values) {
    reader in;
    search s = {.ranks = ranks, .count = count, .values = values};
    if (open_histogram(&in, data, length)) return HISTOGRAM_MALFORMED;
    while (next_bucket(&in) != NO_BUCKET) {
        if (whole_page(&in, &in) >= 0) {
            if (pass_pages(&s, &in)) return HISTOGRAM_MALFORMED;
            continue;
        }
        pass_list(&s, &in);
        const int64_t bucket = next_bucket(&in);
        uint64_t here;
        if (take_bucket(&in, &here)) return HISTOGRAM_MALFORMED;
        pass(&s, bucket, here);
    }
    return (int64_t)s.total;
}

static int compare(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

int append_encoded(writer *w, uint64_t *values, size_t count, buffer *out) {
    for (size_t i = 0; i < count; i++) values[i] = bucket_index(values[i]);
    qsort(values, count, sizeof *values, compare);
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
