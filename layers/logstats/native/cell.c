/* Cells, read and written: see cell.h. */
#include "cell.h"

/* The bit of a run stays where it was with four counts, and those of later counts are above it: what is stored stays readable. */
enum { IS_RUN = 1 << 3, KNOWN_FLAGS = (1 << COUNTS) - 1 };

static inline uint8_t flag_of(int count) { return (uint8_t)(1 << (count <= UNTIMED_REQUESTS ? count - 1 : count)); }
enum { FAR = 20, MAX_ENTRY = 12 };
#define MAX_SPREAD (UINT64_C(1) << 40)

static inline uint32_t last_cell_bucket(void) { return cell_bucket(MAX_DURATION_US); }

/* ---- Buckets ----------------------------------------------------------------------------------- */

void forget_buckets(bucket_counts *b) {
    for (; b->used; b->used &= b->used - 1) {
        const unsigned word = (unsigned)__builtin_ctzll(b->used);
        b->words[word] = 0;
        memset(b->counts + 64 * word, 0, 64 * sizeof *b->counts);
    }
}

/* Put the buckets with a count in order, and forget them. Returns how many there are. */
static uint32_t take_in_order(bucket_counts *b) {
    uint32_t length = 0;
    for (; b->used; b->used &= b->used - 1) {
        const unsigned word = (unsigned)__builtin_ctzll(b->used);
        for (uint64_t bits = b->words[word]; bits; bits &= bits - 1) {
            const unsigned bucket = 64 * word + (unsigned)__builtin_ctzll(bits);
            b->buckets[length] = (uint16_t)bucket;
            b->in_order[length] = b->counts[bucket];
            length += b->counts[bucket] > 0;
            b->counts[bucket] = 0;
        }
        b->words[word] = 0;
    }
    return length;
}

/* The same for a list, which is sorted: short ones in place, others by way of the counts. */
static uint32_t list_in_order(bucket_counts *b, uint16_t *list, uint32_t length) {
    enum { SHORT = 24 };
    if (length > SHORT) {
        for (uint32_t i = 0; i < length; i++) count_bucket(b, list[i], 1);
        return take_in_order(b);
    }
    for (uint32_t i = 1; i < length; i++) {
        const uint16_t bucket = list[i];
        uint32_t at = i;
        for (; at && list[at - 1] > bucket; at--) list[at] = list[at - 1];
        list[at] = bucket;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (used && b->buckets[used - 1] == list[i]) {
            b->in_order[used - 1]++;
            continue;
        }
        b->buckets[used] = list[i];
        b->in_order[used++] = 1;
    }
    return used;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

/* What is passed of buckets, and whether the count is written. */
static inline uint64_t entry_of_list(const bucket_counts *b, uint32_t i) {
    const uint32_t from = i ? b->buckets[i - 1] + 1U : 0;
    return (uint64_t)(b->buckets[i] - from) << 1 | (b->in_order[i] > 1);
}

static inline uint64_t zigzag(uint64_t expected, uint64_t count) {
    return count >= expected ? (count - expected) << 1 : ((expected - count) << 1) - 1;
}

/* What comes next in a run, as it follows from what came before. */
typedef struct { uint64_t last, before, spread; } prediction;

static inline uint64_t expected_count(const prediction *p) { return (p->last + p->before) / 2; }
static inline unsigned rice_bits(const prediction *p) {
    return p->spread <= 4 ? 0 : 64 - (unsigned)__builtin_clzll((p->spread - 1) >> 2);
}

static inline void learn(prediction *p, uint64_t count, uint64_t z) {
    p->spread += (z < MAX_SPREAD ? z : MAX_SPREAD) - (p->spread >> 2);
    p->before = p->last;
    p->last = count;
}

typedef struct { uint8_t *at; uint64_t bits; unsigned held; } bit_writer; /* holds less than 8 bits between calls */

static inline void put_bits(bit_writer *w, uint64_t bits, unsigned count) { /* at most 56 */
    w->bits |= bits << w->held;
    w->held += count;
    store8(w->at, w->bits);
    w->at += w->held / 8;
    w->bits >>= w->held / 8 * 8;
    w->held %= 8;
}

static inline void put_rice(bit_writer *w, uint64_t z, unsigned k) {
    const uint64_t zeros = z >> k, low = z & ((UINT64_C(1) << k) - 1);
    if (zeros < FAR) {
        const int is_short = k <= 56 - FAR;
        put_bits(w, ((is_short ? low : 0) << 1 | 1) << zeros, (unsigned)zeros + 1 + (is_short ? k : 0));
        if (!is_short) put_bits(w, low, k);
        return;
    }
    const unsigned length = 64 - (unsigned)__builtin_clzll(z);
    put_bits(w, UINT64_C(1) << FAR | (uint64_t)(length - 1) << (FAR + 1), FAR + 7);
    put_bits(w, z & UINT32_MAX, length < 32 ? length : 32);
    if (length > 32) put_bits(w, z >> 32, length - 32);
}

/* Write the used buckets as a run in less than `limit` bytes. Returns the position after it, or NULL. Up to 20 bytes more are
 * written. */
static uint8_t *write_run(uint8_t *to, const bucket_counts *b, uint32_t used, size_t limit) {
    const uint32_t first = b->buckets[0], buckets = b->buckets[used - 1] - first + 1U;
    if (used < (buckets + 3) / 4) return NULL;
    const uint8_t *start = to;
    bit_writer w = {.at = write_varint(write_varint(to, first), buckets)};
    prediction next = {0};
    for (uint32_t bucket = first, i = 0; bucket < first + buckets; bucket++) {
        const uint64_t count = b->buckets[i] == bucket ? b->in_order[i++] : 0, z = zigzag(expected_count(&next), count);
        put_rice(&w, z, rice_bits(&next));
        learn(&next, count, z);
        if ((size_t)(w.at - start) >= limit) return NULL;
    }
    if (w.held) *w.at++ = (uint8_t)w.bits;
    return (size_t)(w.at - start) < limit ? w.at : NULL;
}

/* Nearly all entries are one or two bytes, and one or none of a count; without a branch, of which each would be wrong often. */
static uint8_t *write_list(uint8_t *to, const bucket_counts *b, uint32_t used) {
    for (uint32_t i = 0; i < used; i++) {
        const uint64_t entry = entry_of_list(b, i), more = b->in_order[i] - 2, is_long = entry > 0x7F;
        if (b->in_order[i] > 0x81) {
            to = write_varint(write_varint(to, entry), more);
            continue;
        }
        store8(to, (entry & 0x7F) | is_long << 7 | entry >> 7 << 8 | (more & 0x7F) << (8 + 8 * is_long));
        to += 1 + is_long + (entry & 1);
    }
    return to;
}

/* Write the used buckets as a list, or as a run if that is shorter, behind which there is room. Returns whether it is a run. */
static int write_buckets(uint8_t **to, const bucket_counts *b, uint32_t used) {
    uint8_t *list = *to, *run = write_list(list, b, used), *end = write_run(run, b, used, (size_t)(run - list));
    if (end) memmove(list, run, (size_t)(end - run));
    *to = end ? list + (end - run) : run;
    return end != NULL;
}

static uint8_t *write_sum(uint8_t *to, unsigned __int128 sum) {
    for (; sum >= 0x80; sum >>= 7) *to++ = (uint8_t)(sum | 0x80);
    *to++ = (uint8_t)sum;
    return to;
}

/* The cell's numbers, then what is in order. */
static int write_in_order(const cell_numbers *cell, const bucket_counts *b, uint32_t used, buffer *out) {
    const uint64_t timed = timed_of(cell);
    if (reserve(out, MAX_CELL_HEADER + 2 * MAX_ENTRY * (size_t)used)) return NO_MEMORY;
    uint8_t *flags = out->bytes + out->length, *to = write_varint(flags + 1, cell->counts[TOTAL_REQUESTS]);
    *flags = 0;
    for (int i = TOTAL_REQUESTS + 1; i < COUNTS; i++) {
        if (!cell->counts[i]) continue;
        *flags |= flag_of(i);
        to = write_varint(to, cell->counts[i]);
    }
    if (timed) to = write_sum(to, cell->sum);
    if (timed > 1 && write_buckets(&to, b, used)) *flags |= IS_RUN;
    out->length = (size_t)(to - out->bytes);
    return 0;
}

int write_cell(const cell_numbers *cell, bucket_counts *b, buffer *out) {
    return write_in_order(cell, b, take_in_order(b), out);
}

int write_listed_cell(const cell_numbers *cell, uint16_t *list, uint32_t length, bucket_counts *b, buffer *out) {
    return write_in_order(cell, b, length > 1 ? list_in_order(b, list, length) : 0, out);
}

/* ---- Reading ----------------------------------------------------------------------------------- */

static inline int take_bucket_of_cell(bucket_counts *to, uint32_t bucket, uint64_t count, int sign) {
    if (!to) return 0;
    if (sign > 0) {
        count_bucket(to, bucket, count);
        return 0;
    }
    if (to->counts[bucket] < count) return BREAKDOWN_NEGATIVE;
    to->counts[bucket] -= count;
    return 0;
}

/* An entry of a list, and its count less one; most are as short as write_list has them. */
static inline int take_entry(const uint8_t **at, const uint8_t *end, uint64_t *entry, uint64_t *more) {
    if (end - *at >= 8) {
        const uint64_t word = load8(*at), is_long = word >> 7 & 1, count = word >> (8 + 8 * is_long) & 0xFF;
        *entry = (word & 0x7F) | (word >> 1 & 0x3F80 & (0 - is_long));
        const uint64_t has_count = *entry & 1;
        if ((*entry >= is_long << 7) & !(word & is_long << 15) & !(has_count & count >> 7)) {
            *more = (count + 1) & (0 - has_count);
            *at += 1 + is_long + has_count;
            return 0;
        }
    }
    *more = 0;
    if (take_number(at, end, entry)) return BREAKDOWN_MALFORMED;
    if (!(*entry & 1)) return 0;
    return take_number(at, end, more) || ++*more == 0 ? BREAKDOWN_MALFORMED : 0;
}

static int read_list_of_cell(const uint8_t **at, const uint8_t *end, uint64_t timed, bucket_counts *to, int sign) {
    uint64_t bucket = 0, entry, more;
    for (uint64_t left = timed; left; left -= more + 1, bucket++) {
        if (take_entry(at, end, &entry, &more)) return BREAKDOWN_MALFORMED;
        if (entry >> 1 > last_cell_bucket() - bucket || more >= left) return BREAKDOWN_MALFORMED;
        bucket += entry >> 1;
        if (bucket == last_cell_bucket() && more + 1 < left) return BREAKDOWN_MALFORMED;
        if (take_bucket_of_cell(to, (uint32_t)bucket, more + 1, sign)) return BREAKDOWN_NEGATIVE;
    }
    return 0;
}

typedef struct { const uint8_t *at, *end; uint64_t bits; unsigned held; } bit_reader;

static inline void refill(bit_reader *in) { /* to 56 bits, or what is left */
    if (in->end - in->at >= 8) {
        in->bits |= load8(in->at) << in->held;
        in->at += (63 - in->held) / 8;
        in->held |= 56;
        return;
    }
    for (; in->held <= 48 && in->at < in->end; in->held += 8) in->bits |= (uint64_t)*in->at++ << in->held;
}

static inline void drop_bits(bit_reader *in, unsigned count) { in->bits >>= count; in->held -= count; }

static inline int take_bits(bit_reader *in, unsigned count, uint64_t *bits) { /* at most 48 */
    if (in->held < count) refill(in);
    if (in->held < count) return BREAKDOWN_MALFORMED;
    *bits = in->bits & ((UINT64_C(1) << count) - 1);
    drop_bits(in, count);
    return 0;
}

/* A number in Rice's code; it is written in one way only. */
static inline int take_rice(bit_reader *in, unsigned k, uint64_t *z) {
    refill(in);
    if (!in->bits) return BREAKDOWN_MALFORMED;
    const unsigned zeros = (unsigned)__builtin_ctzll(in->bits);
    if (zeros > FAR) return BREAKDOWN_MALFORMED;
    drop_bits(in, zeros + 1);
    uint64_t low, high = 0, length;
    if (zeros < FAR) {
        if (take_bits(in, k, &low)) return BREAKDOWN_MALFORMED;
        *z = (uint64_t)zeros << k | low;
        return 0;
    }
    if (take_bits(in, 6, &length) || take_bits(in, length < 31 ? (unsigned)length + 1 : 32, &low)) return BREAKDOWN_MALFORMED;
    if (length > 31 && take_bits(in, (unsigned)length - 31, &high)) return BREAKDOWN_MALFORMED;
    *z = high << 32 | low;
    return *z >> k >= FAR && *z >> length == 1 ? 0 : BREAKDOWN_MALFORMED;
}

static int read_run_of_cell(const uint8_t **at, const uint8_t *end, uint64_t timed, bucket_counts *to, int sign) {
    uint64_t first, buckets, left = timed, used = 0;
    if (take_number(at, end, &first) || take_number(at, end, &buckets)) return BREAKDOWN_MALFORMED;
    if (!buckets || first > last_cell_bucket() || buckets - 1 > last_cell_bucket() - first) return BREAKDOWN_MALFORMED;
    bit_reader in = {.at = *at, .end = end};
    prediction next = {0};
    for (uint32_t i = 0; i < (uint32_t)buckets; i++) {
        const uint64_t expected = expected_count(&next);
        uint64_t z;
        if (take_rice(&in, rice_bits(&next), &z)) return BREAKDOWN_MALFORMED;
        const uint64_t is_less = z & 1, by = z / 2 + is_less;
        if (by > (is_less ? expected : left)) return BREAKDOWN_MALFORMED;
        const uint64_t count = expected + ((by ^ (0 - is_less)) + is_less);
        if (count > left || (count == 0 && (i == 0 || i + 1 == (uint32_t)buckets))) return BREAKDOWN_MALFORMED;
        left -= count;
        used += count > 0;
        learn(&next, count, z);
        if (take_bucket_of_cell(to, (uint32_t)first + i, count, sign)) return BREAKDOWN_NEGATIVE;
    }
    if (used < (buckets + 3) / 4) return BREAKDOWN_MALFORMED;
    *at = in.at - in.held / 8;
    return left || (in.bits & ((UINT64_C(1) << in.held % 8) - 1)) ? BREAKDOWN_MALFORMED : 0;
}

static int take_sum(const uint8_t **at, const uint8_t *end, unsigned __int128 *sum) {
    *sum = 0;
    for (int shift = 0; *at < end && shift < 112; shift += 7) {
        const uint8_t byte = *(*at)++;
        *sum |= (unsigned __int128)(byte & 0x7F) << shift;
        if (byte < 0x80) return shift && byte == 0 ? BREAKDOWN_MALFORMED : 0;
    }
    return BREAKDOWN_MALFORMED;
}

/* Whether requests can have these numbers. */
static int is_possible(const cell_numbers *cell) {
    const uint64_t *counts = cell->counts, total = counts[TOTAL_REQUESTS];
    return total && total <= INT64_MAX && counts[CLIENT_ERRORS] <= total &&
        counts[SERVER_ERRORS] <= total - counts[CLIENT_ERRORS] && counts[UNTIMED_REQUESTS] <= total &&
        cell->sum <= (unsigned __int128)timed_of(cell) * MAX_DURATION_US;
}

int read_cell(const uint8_t **at, const uint8_t *end, cell_numbers *out, bucket_counts *to, int sign) {
    if (*at == end) return BREAKDOWN_MALFORMED;
    const uint8_t flags = *(*at)++;
    *out = (cell_numbers){0};
    if (flags > KNOWN_FLAGS || take_number(at, end, &out->counts[TOTAL_REQUESTS])) return BREAKDOWN_MALFORMED;
    for (int i = TOTAL_REQUESTS + 1; i < COUNTS; i++)
        if (flags & flag_of(i) && !(out->counts[i] = read_varint(at, end))) return BREAKDOWN_MALFORMED;
    if (out->counts[UNTIMED_REQUESTS] > out->counts[TOTAL_REQUESTS]) return BREAKDOWN_MALFORMED;
    const uint64_t timed = timed_of(out);
    if ((timed && take_sum(at, end, &out->sum)) || !is_possible(out)) return BREAKDOWN_MALFORMED;
    if (timed > 1)
        return flags & IS_RUN ? read_run_of_cell(at, end, timed, to, sign) : read_list_of_cell(at, end, timed, to, sign);
    if (flags & IS_RUN) return BREAKDOWN_MALFORMED;
    return timed ? take_bucket_of_cell(to, cell_bucket((uint64_t)out->sum), 1, sign) : 0;
}

/* ---- Arithmetic -------------------------------------------------------------------------------- */

int add_numbers(cell_numbers *a, const cell_numbers *b, int sign) {
    if (sign > 0 && b->counts[TOTAL_REQUESTS] > INT64_MAX - a->counts[TOTAL_REQUESTS]) return BREAKDOWN_TOO_MANY;
    for (int i = 0; i < COUNTS; i++) {
        if (sign < 0 && a->counts[i] < b->counts[i]) return BREAKDOWN_NEGATIVE;
        a->counts[i] = sign < 0 ? a->counts[i] - b->counts[i] : a->counts[i] + b->counts[i];
    }
    if (sign < 0 && a->sum < b->sum) return BREAKDOWN_NEGATIVE;
    a->sum = sign < 0 ? a->sum - b->sum : a->sum + b->sum;
    return 0;
}

int is_consistent(const cell_numbers *cell, const bucket_counts *b) {
    if (!is_possible(cell)) return 0;
    return timed_of(cell) != 1 || b->counts[cell_bucket((uint64_t)cell->sum)] == 1;
}

/* What a bucket stands for: its middle. */
static uint64_t middle_of(uint32_t bucket) {
    if (bucket < 2 << CELL_BITS) return bucket;
    const int shift = (int)(bucket >> CELL_BITS) - 1;
    return (((uint64_t)bucket - ((uint64_t)shift << CELL_BITS)) << shift) + (UINT64_C(1) << shift) / 2;
}

void values_of_cell(const cell_numbers *cell, const bucket_counts *b, uint64_t values[CELL_VALUES]) {
    static const unsigned percents[CELL_VALUES] = {50, 90, 95, 99, 100};
    const uint64_t timed = timed_of(cell);
    uint64_t passed = 0;
    int next = 0;
    if (timed <= 1) {
        for (int i = 0; i < CELL_VALUES; i++) values[i] = timed ? (uint64_t)cell->sum : 0;
        return;
    }
    for (uint64_t used = b->used; used; used &= used - 1) {
        const unsigned word = (unsigned)__builtin_ctzll(used);
        for (uint64_t bits = b->words[word]; bits; bits &= bits - 1) {
            const unsigned bucket = 64 * word + (unsigned)__builtin_ctzll(bits);
            passed += b->counts[bucket];
            while (next < CELL_VALUES && passed >= ((unsigned __int128)timed * percents[next] + 99) / 100)
                values[next++] = middle_of(bucket);
        }
    }
}
