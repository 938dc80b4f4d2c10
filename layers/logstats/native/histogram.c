/* Arithmetic on encoded histograms.
 *
 * Encoding: one version byte, then for each bucket in ascending order the distance to the bucket
 * before it (the first: to -1) and its count, both non-zero LEB128 numbers. The encoding is canonical:
 * equal histograms are equal bytes.
 */
#include "logstats.h"

#include <stdlib.h>

typedef struct {
    const uint8_t *at, *end;
    int64_t bucket; /* -1 before the first */
    uint64_t count; /* 0: exhausted */
    uint64_t total; /* counts read so far, below 2^63 */
} cursor;

/* A non-zero varint, or 0 when there is none. */
static uint64_t read_varint(cursor *in) {
    uint64_t value = 0;
    for (int shift = 0; in->at < in->end && shift < 64; shift += 7) {
        const uint8_t byte = *in->at++;
        if (shift == 63 && byte > 1) return 0;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return shift && byte == 0 ? 0 : value;
    }
    return 0;
}

static int next_bucket(cursor *in) {
    in->count = 0;
    if (in->at == in->end) return 0;
    const uint64_t distance = read_varint(in);
    const int64_t last = bucket_index(MAX_DURATION_US);
    if (distance == 0 || distance > (uint64_t)(last - in->bucket)) return HISTOGRAM_MALFORMED;
    in->bucket += (int64_t)distance;
    in->count = read_varint(in);
    if (in->count == 0 || in->count > INT64_MAX - in->total) return HISTOGRAM_MALFORMED;
    in->total += in->count;
    return 0;
}

static int open_histogram(cursor *in, const uint8_t *data, size_t length) {
    if (length == 0 || data[0] != HISTOGRAM_VERSION) return HISTOGRAM_MALFORMED;
    *in = (cursor){data + 1, data + length, -1, 0, 0};
    return next_bucket(in);
}

int64_t histogram_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length,
                          int sign, uint8_t *out) {
    cursor left, right;
    if (open_histogram(&left, a, a_length) || open_histogram(&right, b, b_length)) return HISTOGRAM_MALFORMED;
    uint8_t *to = out;
    int64_t written = -1;
    *to++ = HISTOGRAM_VERSION;
    while (left.count || right.count) {
        const int take_left = left.count && (!right.count || left.bucket <= right.bucket);
        const int take_right = right.count && (!left.count || right.bucket <= left.bucket);
        const int64_t bucket = take_left ? left.bucket : right.bucket;
        uint64_t count = take_left ? left.count : 0;
        if (take_right) {
            if (sign < 0 && right.count > count) return HISTOGRAM_NEGATIVE;
            count = sign < 0 ? count - right.count : count + right.count;
        }
        if (count) {
            to = write_varint(to, (uint64_t)(bucket - written));
            to = write_varint(to, count);
            written = bucket;
        }
        if ((take_left && next_bucket(&left)) || (take_right && next_bucket(&right)))
            return HISTOGRAM_MALFORMED;
    }
    if (sign > 0 && left.total + right.total > INT64_MAX) return HISTOGRAM_TOO_MANY;
    return to - out;
}

/* What a bucket stands for: the whole millisecond in it, if there is one, or else its middle. */
static uint64_t representative(uint64_t bucket) {
    if (bucket < (UINT64_C(2) << SUB_BUCKET_BITS)) return bucket;
    const int shift = (int)(bucket >> SUB_BUCKET_BITS) - 1;
    const uint64_t low = (bucket - ((uint64_t)shift << SUB_BUCKET_BITS)) << shift;
    const uint64_t width = UINT64_C(1) << shift;
    const uint64_t millisecond = (low + 999) / 1000 * 1000;
    return millisecond < low + width ? millisecond : low + width / 2;
}

int64_t histogram_values_at(const uint8_t *data, size_t length, const uint64_t *ranks, size_t count,
                            uint64_t *values) {
    cursor in;
    if (open_histogram(&in, data, length)) return HISTOGRAM_MALFORMED;
    size_t next = 0;
    while (in.count) {
        for (; next < count && ranks[next] <= in.total; next++)
            values[next] = representative((uint64_t)in.bucket);
        if (next_bucket(&in)) return HISTOGRAM_MALFORMED;
    }
    return (int64_t)in.total;
}

static int compare(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

int64_t histogram_encode(uint64_t *values, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) values[i] = bucket_index(values[i]);
    qsort(values, count, sizeof *values, compare);
    uint8_t *to = out;
    int64_t written = -1;
    *to++ = HISTOGRAM_VERSION;
    for (size_t i = 0; i < count;) {
        size_t same = i;
        while (same < count && values[same] == values[i]) same++;
        to = write_varint(to, (uint64_t)((int64_t)values[i] - written));
        to = write_varint(to, same - i);
        written = (int64_t)values[i];
        i = same;
    }
    return to - out;
}
