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

static inline int64_t last_bucket(void) { return bucket_index(MAX_DURATION_US); }

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

/* The next bucket in the short form that nearly all have: one or two bytes of distance, one of count. */
typedef struct { uint64_t distance, count, length; } short_form; /* length: 0 when it has another form */

static inline short_form read_short(const cursor *in) {
    if (in->end - in->at < 8) return (short_form){0};
    const uint64_t word = load8(in->at), two = word >> 7 & 1;
    const uint64_t distance = (word & 0x7F) | (word >> 1 & 0x3F80 & (0 - two));
    const uint64_t count = word >> (8 + 8 * two) & 0xFF;
    const uint64_t is_short = (count - 1 < 0x7F) & (distance - 1 >= two * 0x7F) & !(word & (two << 15)) & (distance != 0);
    return (short_form){distance, count, is_short ? 2 + two : 0};
}

static int next_bucket(cursor *in) {
    in->count = 0;
    if (in->at == in->end) return 0;
    uint64_t distance, count;
    const short_form found = read_short(in);
    if (found.length) {
        distance = found.distance;
        count = found.count;
        in->at += found.length;
    } else {
        distance = read_varint(in);
        count = distance ? read_varint(in) : 0;
    }
    if (distance == 0 || distance > (uint64_t)(last_bucket() - in->bucket)) return HISTOGRAM_MALFORMED;
    if (count == 0 || count > INT64_MAX - in->total) return HISTOGRAM_MALFORMED;
    in->bucket += (int64_t)distance;
    in->count = count;
    in->total += count;
    return 0;
}

static int open_histogram(cursor *in, const uint8_t *data, size_t length) {
    if (length == 0 || data[0] != HISTOGRAM_VERSION) return HISTOGRAM_MALFORMED;
    *in = (cursor){data + 1, data + length, -1, 0, 0};
    return next_bucket(in);
}

/* Take a short form, or nothing, into a cursor. Without branches: which side comes next cannot be predicted. */
static inline void take(cursor *in, const short_form *next, uint64_t taken) {
    in->at += taken * next->length;
    in->bucket += (int64_t)(taken * next->distance);
    in->count = taken ? next->count : in->count;
    in->total += taken * next->count;
}

int64_t histogram_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length,
                          int sign, uint8_t *out) {
    cursor left, right;
    if (open_histogram(&left, a, a_length) || open_histogram(&right, b, b_length)) return HISTOGRAM_MALFORMED;
    const uint64_t factor = sign < 0 ? UINT64_MAX : 1, most = INT64_MAX - 0x7F;
    uint8_t *to = out;
    int64_t written = -1;
    *to++ = HISTOGRAM_VERSION;
    while (left.count || right.count) {
        const short_form after_left = read_short(&left), after_right = read_short(&right);
        const int is_short = after_left.length && after_right.length && left.count && right.count &&
            left.total < most && right.total < most;
        const uint64_t take_left = left.count && (!right.count || left.bucket <= right.bucket);
        const uint64_t take_right = right.count && (!left.count || right.bucket <= left.bucket);
        const int64_t bucket = take_left ? left.bucket : right.bucket;
        const uint64_t count = take_left * left.count + factor * (take_right * right.count);
        if (sign < 0 && count > INT64_MAX) return HISTOGRAM_NEGATIVE;
        const uint64_t distance = (uint64_t)(bucket - written);
        written = count ? bucket : written;
        if (is_short) { /* so eight bytes are left in each, and four have room in `out` */
            to = write_bucket(to, distance, count);
            take(&left, &after_left, take_left);
            take(&right, &after_right, take_right);
            if (left.bucket > last_bucket() || right.bucket > last_bucket()) return HISTOGRAM_MALFORMED;
        } else {
            if (count) to = write_varint(write_varint(to, distance), count);
            if ((take_left && next_bucket(&left)) || (take_right && next_bucket(&right)))
                return HISTOGRAM_MALFORMED;
        }
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

/* Skip buckets in which the total stays below a rank; four at a time, while each has one byte of distance and one of
 * count: such a word has no high bit and no zero byte. */
static inline void skip_plain(cursor *in, uint64_t rank) {
    const uint64_t lanes = UINT64_C(0x00FF00FF00FF00FF), sum = UINT64_C(0x0001000100010001);
    while (in->end - in->at >= 8) {
        const uint64_t word = load8(in->at);
        const uint64_t total = in->total + ((word >> 8 & lanes) * sum >> 48);
        const int64_t bucket = in->bucket + (int64_t)((word & lanes) * sum >> 48);
        if (((word | (word - ONES)) & HIGH) || total >= rank || bucket > last_bucket()) return;
        in->bucket = bucket;
        in->total = total;
        in->at += 8;
    }
}

int64_t histogram_values_at(const uint8_t *data, size_t length, const uint64_t *ranks, size_t count,
                            uint64_t *values) {
    cursor in;
    if (open_histogram(&in, data, length)) return HISTOGRAM_MALFORMED;
    size_t next = 0;
    while (in.count) {
        for (; next < count && ranks[next] <= in.total; next++)
            values[next] = representative((uint64_t)in.bucket);
        skip_plain(&in, next < count && ranks[next] < INT64_MAX ? ranks[next] : INT64_MAX);
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
