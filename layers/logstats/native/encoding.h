/* Encoded histograms, read and written bucket by bucket, or page by page.
 *
 * Version 1: a version byte, then the list: for each bucket in ascending order the distance to the bucket before it
 * (the first: to -1) and its count, both non-zero LEB128 numbers.
 *
 * Version 2: a version byte, the number of pages less one, the pages, then the list of all other buckets. A page is
 * 64 buckets, those of 64 consecutive whole milliseconds below 16.384 s: its number, the bits to a count (1, 2, 4, 8
 * or 16), and the counts. Of n = 8 * bits bytes, byte i % n has count i, from bit (i / n) * bits; with 16 bits, byte i
 * has the low half of count i, and byte 64 + i the high one.
 *
 * What is written is canonical: a page for every 64 milliseconds of which at least 8 are used, if no count needs more
 * than 16 bits, in the fewest bits that hold every count; version 1 if there is no page. So equal histograms are equal
 * bytes. Readers take every list and page that makes sense, also the lists of millisecond logs written before there
 * were pages.
 */
#ifndef ENCODING_H
#define ENCODING_H

#include "logstats.h"

#define PAGE 64
#define PAGES 256
#define DENSE_FROM 8
#define NO_BUCKET INT64_MAX

typedef struct { uint8_t *bytes; size_t length, capacity; } buffer;

/* Room for `more` bytes behind what a buffer holds; doubles. Returns 0, or -1 when out of memory. */
int reserve(buffer *, size_t more);

/* ---- Reading ----------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end;        /* the rest of the list */
    const uint8_t *page_at, *pages_end;
    int64_t list_bucket;            /* the list's next bucket, NO_BUCKET at its end */
    uint64_t list_count;
    int64_t page_bucket;            /* the page's next bucket, NO_BUCKET when there is no page */
    int page;                       /* PAGES when there is no page */
    uint32_t page_total;
    int is_fresh;                   /* nothing has been taken from the page */
    int place;                      /* of the page's next bucket */
    uint32_t counts[PAGE];
    uint64_t total;                 /* counts read so far, below 2^63 */
} reader;

/* All return 0 or HISTOGRAM_MALFORMED. */
int open_histogram(reader *, const uint8_t *data, size_t length);
int next_page(reader *);
/* The next page that the list has a bucket in or before, or the rank is in: `total` counts what has been read, and then
 * what is in the pages between. They are not even unpacked. */
int skip_pages(reader *, uint64_t rank, uint64_t *total);

static inline int64_t last_bucket(void) { return bucket_index(MAX_DURATION_US); }
static inline int64_t millisecond_bucket(int ms) { return bucket_index((uint64_t)ms * 1000); }
static inline int64_t last_of_page(int page) { return millisecond_bucket(page * PAGE + PAGE - 1); }

/* A non-zero varint, or 0 when there is none. */
static inline uint64_t read_varint(const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        const uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1) return 0;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return shift && byte == 0 ? 0 : value;
    }
    return 0;
}

/* An entry of a list; the short form, which nearly all have, is one or two bytes of distance, and one of count.
 * Returns 0 or HISTOGRAM_MALFORMED. */
static inline int read_entry(const uint8_t **at, const uint8_t *end, uint64_t *distance, uint64_t *count) {
    if (end - *at >= 8) {
        const uint64_t word = load8(*at), two = word >> 7 & 1;
        *distance = (word & 0x7F) | (word >> 1 & 0x3F80 & (0 - two));
        *count = word >> (8 + 8 * two) & 0xFF;
        if ((*count - 1 < 0x7F) & (*distance > two * 0x7F) & !(word & two << 15)) {
            *at += 2 + two;
            return 0;
        }
    }
    *distance = read_varint(at, end);
    *count = *distance ? read_varint(at, end) : 0;
    return *count ? 0 : HISTOGRAM_MALFORMED;
}

static inline int next_of_list(reader *in) {
    if (in->at == in->end) {
        in->list_bucket = NO_BUCKET;
        return 0;
    }
    uint64_t distance;
    if (read_entry(&in->at, in->end, &distance, &in->list_count)) return HISTOGRAM_MALFORMED;
    if (distance > (uint64_t)(last_bucket() - in->list_bucket)) return HISTOGRAM_MALFORMED;
    if (in->list_count > INT64_MAX - in->total) return HISTOGRAM_MALFORMED;
    in->list_bucket += (int64_t)distance;
    in->total += in->list_count;
    return 0;
}

static inline int next_of_page(reader *in) {
    while (in->place < PAGE && !in->counts[in->place]) in->place++;
    if (in->place == PAGE) return next_page(in);
    in->page_bucket = millisecond_bucket(in->page * PAGE + in->place);
    return 0;
}

static inline int64_t next_bucket(const reader *in) {
    return in->list_bucket < in->page_bucket ? in->list_bucket : in->page_bucket;
}

/* Take the next bucket, of which there must be one. Returns 0 or HISTOGRAM_MALFORMED. */
static inline int take_bucket(reader *in, uint64_t *count) {
    if (in->list_bucket < in->page_bucket) {
        *count = in->list_count;
        return next_of_list(in);
    }
    if (in->list_bucket == in->page_bucket) return HISTOGRAM_MALFORMED; /* counted in both */
    *count = in->counts[in->place++];
    in->is_fresh = 0;
    return next_of_page(in);
}

/* The page that comes next as a whole in one or both of two histograms, without a bucket of a list in between, or -1. */
static inline int whole_page(const reader *a, const reader *b) {
    const int page = a->page < b->page ? a->page : b->page;
    if (page == PAGES || !a->is_fresh || !b->is_fresh) return -1;
    const int64_t last = last_of_page(page);
    return a->list_bucket > last && b->list_bucket > last ? page : -1;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

typedef struct {
    buffer pages, list;
    unsigned page_count;
    int64_t last;                   /* the last bucket in the list, -1 before the first */
    int open;                       /* the page of the last whole millisecond in the list, -1 if none */
    size_t open_from;               /* where the list was when that page began, and its last bucket then */
    int64_t open_after;
    unsigned open_used;
    int open_is_large;              /* a count needs more than 16 bits */
} writer;

void free_writer(writer *);

/* Buckets come in ascending order, with counts that are not zero. What returns, returns 0, or -1 when out of memory. */
void begin_histogram(writer *);
int write_count(writer *, int64_t bucket, uint64_t count);
int write_page(writer *, int page, const uint32_t counts[PAGE]);
int write_bytes(writer *, int page, const uint8_t counts[PAGE]); /* the same, for counts below 256 */
int finish_histogram(writer *, buffer *out); /* appends it */

/* Append a + b (sign > 0) or a - b (sign < 0), or the histogram of values up to MAX_DURATION_US (which are replaced by
 * their sorted buckets). Return 0, or what histogram_combine returns. */
int append_combined(writer *, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign, buffer *out);
int append_encoded(writer *, uint64_t *values, size_t count, buffer *out);

#endif
