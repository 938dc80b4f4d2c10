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
    const uint8_t *at, *end;        /* what is behind the next bucket */
    int64_t bucket;                 /* the next one, NO_BUCKET at the end */
    uint64_t count;                 /* its count */
    uint64_t total;                 /* counts read so far, below 2^63 */
} list_reader;

typedef struct {
    list_reader list;
    const uint8_t *pages, *pages_end; /* those behind the next page */
    int page;                       /* the next page, PAGES at the end */
    int bits;
    const uint8_t *packed;          /* its counts */
    uint32_t page_total;            /* their sum */
    uint64_t pages_total;           /* of all pages so far */
    int64_t page_bucket;            /* its next bucket, NO_BUCKET at the end; until it is open, its first millisecond */
    int is_open;                    /* its buckets are read one by one */
    int place;                      /* of the next bucket, and all counts, when it is open */
    uint32_t counts[PAGE];
} reader;

/* What returns, returns 0 or HISTOGRAM_MALFORMED. */
int open_histogram(reader *, const uint8_t *data, size_t length);
int next_page(reader *);
void unpack(const uint8_t *packed, uint32_t counts[PAGE], int bits);

static inline int64_t last_bucket(void) { return bucket_index(MAX_DURATION_US); }
static inline int64_t millisecond_bucket(int ms) { return bucket_index((uint64_t)ms * 1000); }
static inline int64_t first_of_page(int page) { return millisecond_bucket(page * PAGE); }
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

/* An entry of a list; the short form, which nearly all have, is one or two bytes of distance, and one of count. */
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

static inline int next_of_list(list_reader *list) {
    if (list->at == list->end) {
        list->bucket = NO_BUCKET;
        return 0;
    }
    uint64_t distance;
    if (read_entry(&list->at, list->end, &distance, &list->count)) return HISTOGRAM_MALFORMED;
    if (distance > (uint64_t)(last_bucket() - list->bucket)) return HISTOGRAM_MALFORMED;
    if (list->count > INT64_MAX - list->total) return HISTOGRAM_MALFORMED;
    list->bucket += (int64_t)distance;
    list->total += list->count;
    return 0;
}

/* All counts read so far: those of the list are below 2^63, and those of all pages below 2^30. */
static inline uint64_t total_of(const reader *in) { return in->list.total + in->pages_total; }

/* Whether a page comes next as a whole, but for buckets of the list that are between its first and its last. */
static inline int is_at_page(const reader *in, int page) {
    return !in->is_open && in->page >= page && in->list.bucket >= first_of_page(page);
}

/* Take the list's buckets up to the last of a page that comes next into the page's counts. Returns 1 if they are not
 * all whole milliseconds of it, or one's count is large; then as many of the list are taken as are. */
int take_list(list_reader *, int page, uint32_t counts[PAGE]);

static inline int64_t next_bucket(const reader *in) {
    return in->list.bucket < in->page_bucket ? in->list.bucket : in->page_bucket;
}

static inline int next_of_page(reader *in) {
    while (in->place < PAGE && !in->counts[in->place]) in->place++;
    if (in->place == PAGE) return next_page(in);
    in->page_bucket = millisecond_bucket(in->page * PAGE + in->place);
    return 0;
}

/* Read the page's buckets one by one from here on, if it comes next. Returns 1 if it does. */
static inline int open_page(reader *in) {
    if (in->is_open || in->page == PAGES || in->list.bucket < in->page_bucket) return 0;
    unpack(in->packed, in->counts, in->bits);
    in->is_open = 1;
    in->place = 0;
    next_of_page(in);
    return 1;
}

/* Take the next bucket, of which there must be one, not in a page that is not open. */
static inline int take_bucket(reader *in, uint64_t *count) {
    if (in->list.bucket < in->page_bucket) {
        *count = in->list.count;
        return next_of_list(&in->list);
    }
    if (in->list.bucket == in->page_bucket) return HISTOGRAM_MALFORMED; /* counted in both */
    *count = in->counts[in->place++];
    return next_of_page(in);
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
int write_packed(writer *, int page, const uint8_t *packed, int bits); /* the same, for counts as they were read */
int finish_histogram(writer *, buffer *out); /* appends it */

/* Append a + b (sign > 0) or a - b (sign < 0), or the histogram of values up to MAX_DURATION_US (which are replaced by
 * their sorted buckets). Return 0, or what histogram_combine returns. */
int append_combined(writer *, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign, buffer *out);
int append_encoded(writer *, uint64_t *values, size_t count, buffer *out);

/* What a bucket stands for: the whole millisecond in it, if there is one, or else its middle. */
static inline uint64_t representative(uint64_t bucket) {
    if (bucket < (UINT64_C(2) << SUB_BUCKET_BITS)) return bucket;
    const int shift = (int)(bucket >> SUB_BUCKET_BITS) - 1;
    const uint64_t low = (bucket - ((uint64_t)shift << SUB_BUCKET_BITS)) << shift;
    const uint64_t width = UINT64_C(1) << shift;
    const uint64_t millisecond = (low + 999) / 1000 * 1000;
    return millisecond < low + width ? millisecond : low + width / 2;
}

/* The nearest ranks of p50, p90, p95 and p99 among so many values (DailySummary.percentiles_us). */
static inline void set_ranks(uint64_t ranks[4], uint64_t count) {
    static const unsigned percents[4] = {50, 90, 95, 99};
    for (int i = 0; i < 4; i++) ranks[i] = (uint64_t)(((unsigned __int128)count * percents[i] + 99) / 100);
}

#endif
