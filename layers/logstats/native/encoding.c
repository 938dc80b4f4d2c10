/* Encoded histograms: see encoding.h. */
#include "encoding.h"

#include <stdlib.h>

int reserve(buffer *b, size_t more) {
    if (b->length + more <= b->capacity) return 0;
    size_t wanted = b->capacity ? b->capacity : 4096;
    while (wanted < b->length + more) wanted *= 2;
    uint8_t *grown = realloc(b->bytes, wanted);
    if (!grown) return -1;
    b->bytes = grown;
    b->capacity = wanted;
    return 0;
}

/* ---- Pages: eight counts at a time, while each fits in a byte -------------------------------------- */

/* Inline, so that the compiler makes one of each for every number of bits. */
static inline void unpack_bytes(const uint8_t *packed, uint8_t counts[PAGE], int bits) {
    const uint64_t mask = ONES * ((1U << bits) - 1);
    for (int i = 0; i < bits; i++)
        for (int lane = 0; lane < 8 / bits; lane++)
            store8(counts + 8 * (bits * lane + i), load8(packed + 8 * i) >> (bits * lane) & mask);
}

static inline void pack_bytes(const uint8_t counts[PAGE], uint8_t *to, int bits) {
    for (int i = 0; i < bits; i++) {
        uint64_t word = 0;
        for (int lane = 0; lane < 8 / bits; lane++) word |= load8(counts + 8 * (bits * lane + i)) << (bits * lane);
        store8(to + 8 * i, word);
    }
}

void unpack(const uint8_t *packed, uint32_t counts[PAGE], int bits) {
    uint8_t bytes[PAGE];
    switch (bits) {
    case 1: unpack_bytes(packed, bytes, 1); break;
    case 2: unpack_bytes(packed, bytes, 2); break;
    case 4: unpack_bytes(packed, bytes, 4); break;
    case 8: memcpy(bytes, packed, PAGE); break;
    default:
        for (int i = 0; i < PAGE; i++) counts[i] = (uint32_t)(packed[i] | packed[PAGE + i] << 8);
        return;
    }
    for (int i = 0; i < PAGE; i++) counts[i] = bytes[i];
}

/* Counts below 256, in up to 8 bits. */
static void pack(const uint8_t counts[PAGE], uint8_t *to, int bits) {
    switch (bits) {
    case 1: pack_bytes(counts, to, 1); break;
    case 2: pack_bytes(counts, to, 2); break;
    case 4: pack_bytes(counts, to, 4); break;
    default: memcpy(to, counts, PAGE);
    }
}

/* The sum of the counts, as they are packed. */
static inline uint32_t packed_total(const uint8_t *packed, int bits) {
    if (bits == 16) return packed_total(packed, 8) + 256 * packed_total(packed + PAGE, 8);
    uint64_t sum = 0;
    for (int i = 0; i < bits; i++) {
        uint64_t word = load8(packed + 8 * i);
        if (bits == 1) word = (word & ONES * 0x55) + (word >> 1 & ONES * 0x55);
        if (bits <= 2) word = (word & ONES * 0x33) + (word >> 2 & ONES * 0x33);
        if (bits <= 4) word = (word & ONES * 0x0F) + (word >> 4 & ONES * 0x0F);
        sum += (word & LANES) + (word >> 8 & LANES);
    }
    return (uint32_t)(sum * LANE_SUM >> 48);
}

/* ---- Reading ----------------------------------------------------------------------------------- */

int next_page(reader *in) {
    in->is_open = 0;
    if (in->pages == in->pages_end) {
        in->page = PAGES;
        in->page_bucket = NO_BUCKET;
        return 0;
    }
    in->page = in->pages[0];
    in->bits = in->pages[1];
    in->packed = in->pages + 2;
    in->pages = in->packed + 8 * in->bits;
    in->page_total = packed_total(in->packed, in->bits);
    in->pages_total += in->page_total;
    in->page_bucket = first_of_page(in->page);
    return in->page_total ? 0 : HISTOGRAM_MALFORMED;
}

int open_histogram(reader *in, const uint8_t *data, size_t length) {
    const uint8_t *at = data + 1, *end = data + length;
    if (length == 0 || (data[0] == 2 && length < 2) || data[0] < 1 || data[0] > 2) return HISTOGRAM_MALFORMED;
    in->pages = at;
    if (data[0] == 2) {
        in->pages = ++at;
        for (int left = data[1] + 1, before = -1; left; left--) {
            if (end - at < 2) return HISTOGRAM_MALFORMED;
            const int page = at[0], bits = at[1];
            if (page <= before || bits > 16 || bits == 0 || (bits & (bits - 1)) || end - at < 2 + 8 * bits)
                return HISTOGRAM_MALFORMED;
            before = page;
            at += 2 + 8 * bits;
        }
    }
    in->pages_end = at;
    in->pages_total = 0;
    in->list = (list_reader){.at = at, .end = end, .bucket = -1};
    return next_of_list(&in->list) || next_page(in) ? HISTOGRAM_MALFORMED : 0;
}

/* The whole millisecond below 16.384 s of which this is the bucket, or -1. */
static inline int whole_millisecond(int64_t bucket) {
    uint64_t low = (uint64_t)bucket, width = 1;
    if (bucket >= 2 << SUB_BUCKET_BITS) {
        const int shift = (int)(bucket >> SUB_BUCKET_BITS) - 1;
        low = ((uint64_t)bucket - ((uint64_t)shift << SUB_BUCKET_BITS)) << shift;
        width <<= shift;
    }
    const uint64_t ms = (low + 999) / 1000;
    return ms < PAGE * PAGES && ms * 1000 < low + width ? (int)ms : -1;
}

int take_list(list_reader *list, int page, uint32_t counts[PAGE]) {
    for (const int64_t last = last_of_page(page); list->bucket <= last;) {
        const int place = whole_millisecond(list->bucket) - page * PAGE;
        if (place < 0 || list->count > UINT16_MAX) return 1;
        if (counts[place]) return HISTOGRAM_MALFORMED; /* counted in both */
        counts[place] = (uint32_t)list->count;
        if (next_of_list(list)) return HISTOGRAM_MALFORMED;
    }
    return 0;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

void free_writer(writer *w) {
    free(w->pages.bytes);
    free(w->list.bytes);
    *w = (writer){0};
}

void begin_histogram(writer *w) {
    w->pages.length = w->list.length = 0;
    w->page_count = 0;
    w->last = w->open = -1;
}

/* Room for a page of counts that have no bit but those of `all`; how many bits each gets. NULL when out of memory. */
static uint8_t *begin_page(writer *w, int page, uint32_t all, int *bits) {
    *bits = all < 2 ? 1 : all < 4 ? 2 : all < 16 ? 4 : all < 256 ? 8 : 16;
    const size_t length = 2 + 8 * (size_t)*bits;
    if (reserve(&w->pages, length)) return NULL;
    uint8_t *to = w->pages.bytes + w->pages.length;
    to[0] = (uint8_t)page;
    to[1] = (uint8_t)*bits;
    w->pages.length += length;
    w->page_count++;
    return to + 2;
}

static int append_page(writer *w, int page, const uint32_t counts[PAGE], uint32_t all) {
    int bits;
    uint8_t *to = begin_page(w, page, all, &bits), bytes[PAGE];
    if (!to) return -1;
    for (int i = 0; i < PAGE; i++) bytes[i] = (uint8_t)counts[i];
    if (bits < 16) {
        pack(bytes, to, bits);
    } else {
        memcpy(to, bytes, PAGE);
        for (int i = 0; i < PAGE; i++) to[PAGE + i] = (uint8_t)(counts[i] >> 8);
    }
    return 0;
}

/* The list's last milliseconds may be enough for a page: then they move there. */
static int close_page(writer *w) {
    const int page = w->open;
    w->open = -1;
    if (page < 0 || w->open_used < DENSE_FROM || w->open_is_large) return 0;
    uint32_t counts[PAGE] = {0}, all = 0;
    const uint8_t *at = w->list.bytes + w->open_from, *end = w->list.bytes + w->list.length;
    uint8_t *to = w->list.bytes + w->open_from;
    int64_t bucket = w->open_after;
    w->last = bucket;
    while (at < end) { /* what stays is written where it was read, or before */
        uint64_t distance, count;
        if (read_entry(&at, end, &distance, &count)) return -1;
        bucket += (int64_t)distance;
        const int ms = whole_millisecond(bucket);
        if (ms >= 0 && ms / PAGE == page) {
            counts[ms % PAGE] = (uint32_t)count;
            all |= (uint32_t)count;
        } else {
            to = write_varint(write_varint(to, (uint64_t)(bucket - w->last)), count);
            w->last = bucket;
        }
    }
    w->list.length = (size_t)(to - w->list.bytes);
    return append_page(w, page, counts, all);
}

int write_count(writer *w, int64_t bucket, uint64_t count) {
    const int ms = whole_millisecond(bucket);
    if (ms >= 0) {
        if (ms / PAGE != w->open) {
            if (close_page(w)) return -1;
            w->open = ms / PAGE;
            w->open_from = w->list.length;
            w->open_after = w->last;
            w->open_used = 0;
            w->open_is_large = 0;
        }
        w->open_used++;
        w->open_is_large |= count > UINT16_MAX;
    }
    if (reserve(&w->list, 20)) return -1;
    uint8_t *at = w->list.bytes + w->list.length;
    w->list.length += (size_t)(write_bucket(at, (uint64_t)(bucket - w->last), count) - at);
    w->last = bucket;
    return 0;
}

int write_page(writer *w, int page, const uint32_t counts[PAGE]) {
    uint32_t all = 0, used = 0;
    for (int i = 0; i < PAGE; i++) {
        all |= counts[i];
        used += counts[i] != 0;
    }
    if (used >= DENSE_FROM && all <= UINT16_MAX)
        return close_page(w) ? -1 : append_page(w, page, counts, all);
    for (int i = 0; i < PAGE; i++)
        if (counts[i] && write_count(w, millisecond_bucket(page * PAGE + i), counts[i])) return -1;
    return 0;
}

/* Whether packed counts are what would be written of them: enough are used, and one needs all the bits. */
static int is_canonical(const uint8_t *packed, int bits) {
    const uint64_t one = UINT64_MAX / ((1U << bits) - 1), high = one * ((1U << bits) - (1U << bits / 2));
    uint64_t all = 0;
    int used = 0;
    for (int i = 0; i < bits; i++) {
        uint64_t word = load8(packed + 8 * i);
        all |= word;
        for (int shift = bits / 2; shift; shift /= 2) word |= word >> shift;
        used += __builtin_popcountll(word & one);
    }
    return used >= DENSE_FROM && (bits == 1 || all & high);
}

int write_packed(writer *w, int page, const uint8_t *packed, int bits) {
    if (bits == 16 || !is_canonical(packed, bits)) {
        uint32_t counts[PAGE];
        unpack(packed, counts, bits);
        return write_page(w, page, counts);
    }
    if (close_page(w)) return -1;
    uint8_t *to = begin_page(w, page, (1U << bits) - 1, &bits);
    if (to) memcpy(to, packed, 8 * (size_t)bits);
    return to ? 0 : -1;
}

int write_bytes(writer *w, int page, const uint8_t counts[PAGE]) {
    uint64_t all = 0;
    int used = 0;
    for (int i = 0; i < PAGE; i += 8) {
        const uint64_t word = load8(counts + i);
        all |= word;
        used += __builtin_popcountll((((word & ~HIGH) + ~HIGH) | word) & HIGH);
    }
    if (used < DENSE_FROM) {
        uint32_t wide[PAGE];
        for (int i = 0; i < PAGE; i++) wide[i] = counts[i];
        return write_page(w, page, wide);
    }
    if (close_page(w)) return -1;
    for (int shift = 32; shift >= 8; shift /= 2) all |= all >> shift;
    int bits;
    uint8_t *to = begin_page(w, page, all & 0xFF, &bits);
    if (to) pack(counts, to, bits);
    return to ? 0 : -1;
}

int finish_histogram(writer *w, buffer *out) {
    if (close_page(w) || reserve(out, 2 + w->pages.length + w->list.length)) return -1;
    uint8_t *to = out->bytes + out->length;
    *to++ = w->page_count ? 2 : 1;
    if (w->page_count) {
        *to++ = (uint8_t)(w->page_count - 1);
        memcpy(to, w->pages.bytes, w->pages.length);
        to += w->pages.length;
    }
    if (w->list.length) memcpy(to, w->list.bytes, w->list.length);
    out->length = (size_t)(to - out->bytes) + w->list.length;
    return 0;
}
