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

/* Both return 0 or HISTOGRAM_MALFORMED. */
int open_histogram(reader *, const uint8_t *data, size_t length);
int next_page(reader *);

static inline int64_t next_bucket(const reader *in) {
    return in->list_bucket < in->page_bucket ? in->list_bucket : in->page_bucket;
}

/* Take the next bucket, of which there must be one. Returns 0 or HISTOGRAM_MALFORMED. */
int take_bucket(reader *, uint64_t *count);

/* The page that comes next as a whole in one or both of two histograms, without a bucket of a list in between, or -1. */
int whole_page(const reader *a, const reader *b);

static inline int64_t last_bucket(void) { return bucket_index(MAX_DURATION_US); }
static inline int64_t millisecond_bucket(int ms) { return bucket_index((uint64_t)ms * 1000); }

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
int finish_histogram(writer *, buffer *out); /* appends it */

/* Append a + b (sign > 0) or a - b (sign < 0), or the histogram of values up to MAX_DURATION_US (which are replaced by
 * their sorted buckets). Return 0, or what histogram_combine returns. */
int append_combined(writer *, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign, buffer *out);
int append_encoded(writer *, uint64_t *values, size_t count, buffer *out);

#endif
