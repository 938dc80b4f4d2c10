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

/* ---- Pages ------------------------------------------------------------------------------------- */

static inline void unpack_bits(const uint8_t *from, uint32_t counts[PAGE], int bits) {
    const int n = 8 * bits, mask = (1 << bits) - 1;
    for (int lane = 0; lane < 8 / bits; lane++)
        for (int i = 0; i < n; i++) counts[lane * n + i] = (uint32_t)(from[i] >> (lane * bits) & mask);
}

static void unpack(const uint8_t *from, uint32_t counts[PAGE], int bits) {
    switch (bits) { /* each with a constant, so that the compiler can use vectors */
    case 1: unpack_bits(from, counts, 1); break;
    case 2: unpack_bits(from, counts, 2); break;
    case 4: unpack_bits(from, counts, 4); break;
    case 8: unpack_bits(from, counts, 8); break;
    default:
        for (int i = 0; i < PAGE; i++) counts[i] = (uint32_t)(from[i] | from[PAGE + i] << 8);
    }
}

static inline void pack_bits(const uint32_t counts[PAGE], uint8_t *to, int bits) {
    const int n = 8 * bits;
    for (int i = 0; i < n; i++) {
        uint32_t byte = 0;
        for (int lane = 0; lane < 8 / bits; lane++) byte |= counts[lane * n + i] << (lane * bits);
        to[i] = (uint8_t)byte;
    }
}

static void pack(const uint32_t counts[PAGE], uint8_t *to, int bits) {
    switch (bits) {
    case 1: pack_bits(counts, to, 1); break;
    case 2: pack_bits(counts, to, 2); break;
    case 4: pack_bits(counts, to, 4); break;
    case 8: pack_bits(counts, to, 8); break;
    default:
        for (int i = 0; i < PAGE; i++) {
            to[i] = (uint8_t)counts[i];
            to[PAGE + i] = (uint8_t)(counts[i] >> 8);
        }
    }
}

/* ---- Reading ----------------------------------------------------------------------------------- */

int next_page(reader *in) {
    in->is_fresh = 1;
    if (in->page_at == in->pages_end) {
        in->page = PAGES;
        in->page_bucket = NO_BUCKET;
        return 0;
    }
    const int bits = in->page_at[1];
    in->page = in->page_at[0];
    unpack(in->page_at + 2, in->counts, bits);
    in->page_at += 2 + 8 * bits;
    uint32_t sum = 0;
    for (int i = 0; i < PAGE; i++) sum += in->counts[i];
    if (sum == 0 || sum > INT64_MAX - in->total) return HISTOGRAM_MALFORMED;
    in->total += in->page_total = sum;
    in->place = 0;
    return next_of_page(in);
}

int open_histogram(reader *in, const uint8_t *data, size_t length) {
    const uint8_t *at = data + 1, *end = data + length;
    if (length == 0 || (data[0] == 2 && length < 2) || data[0] < 1 || data[0] > 2) return HISTOGRAM_MALFORMED;
    in->page_at = at;
    if (data[0] == 2) {
        in->page_at = ++at;
        for (int left = data[1] + 1, before = -1; left; left--) {
            if (end - at < 2) return HISTOGRAM_MALFORMED;
            const int page = at[0], bits = at[1];
            if (page <= before || bits > 16 || bits == 0 || (bits & (bits - 1)) || end - at < 2 + 8 * bits)
                return HISTOGRAM_MALFORMED;
            before = page;
            at += 2 + 8 * bits;
        }
    }
    in->pages_end = in->at = at;
    in->end = end;
    in->list_bucket = -1;
    in->total = 0;
    return next_of_list(in) || next_page(in) ? HISTOGRAM_MALFORMED : 0;
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

/* Write a page whose counts have at most 16 bits. */
static int append_page(writer *w, int page, const uint32_t counts[PAGE], uint32_t all) {
    const int bits = all < 2 ? 1 : all < 4 ? 2 : all < 16 ? 4 : all < 256 ? 8 : 16;
    if (reserve(&w->pages, 2 + 8 * (size_t)bits)) return -1;
    uint8_t *to = w->pages.bytes + w->pages.length;
    to[0] = (uint8_t)page;
    to[1] = (uint8_t)bits;
    pack(counts, to + 2, bits);
    w->pages.length += 2 + 8 * (size_t)bits;
    w->page_count++;
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
