/* Blocks of lines to daily summaries, in one pass.
 *
 * Almost every line of a real log has the same plain shape, which the fast path below reads eight bytes
 * at a time. Whatever it does not recognise, and every line of another format, goes to the format's program (program.c), so the
 * fast path can only be fast, never wrong in its own way: it accepts nothing that the program would not.
 *
 * Memory follows the customers and days, not the lines. A summary's durations start as a short list and
 * become counters: one per whole millisecond below 16.384 s, a hash table for anything else.
 */
#include "program.h"
#include "tally.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LIST_LIMIT 64       /* durations kept as a list before they become counters */
#define DENSE_LIMIT 16384   /* milliseconds counted directly; each has a bucket of its own */
#define AWAITED 8           /* lines on their way: their summaries are fetched from memory meanwhile */
#define PENDING 32          /* durations on their way: the same of their counters */

typedef struct { uint32_t bucket; uint32_t used; uint64_t count; } table_entry;

/* What every request needs stands first, in two lines of the processor's cache. */
#define CACHE_LINE 64
typedef struct {
    _Alignas(CACHE_LINE) uint64_t hash;
    uint32_t customer_length;
    int32_t day;
    uint8_t start[32];      /* of the customer: mostly all of it */
    uint8_t *dense;         /* by millisecond, modulo 256: each wrap adds 256 to the table */
    uint32_t dense_capacity;
    int counting;           /* 1 once the list has become counters */
    uint64_t counts[COUNTS], min, max;
    unsigned __int128 sum;
    uint8_t *customer;
    uint64_t *list;         /* until LIST_LIMIT values have come */
    uint32_t list_length, list_capacity;
    uint32_t table_length, table_capacity;
    table_entry *table;     /* by bucket */
    tally tally;            /* for the breakdown */
} summary;

typedef struct { log_line line; uint64_t hash; } awaited; /* of the line's customer and day; the customer is NULL when empty */
typedef struct { uint32_t summary; uint64_t us; } pending; /* summary: 1 + index, 0 when empty */
typedef struct { uint32_t shard; int32_t day; uint64_t prefix; uint32_t summary; } ordered; /* for sorting */

struct aggregator {
    line_counts counts;
    program *program;
    calendar calendar;
    int32_t plain_days;     /* the fast path reads lines of the days before; 0 if it reads none */
    summary *summaries;
    void *summaries_memory;
    uint32_t length, capacity;
    uint32_t *slots;        /* open addressing: 1 + index into summaries, 0 when free */
    uint32_t slot_mask;
    hash_key key;
    uint64_t memory;        /* but for the tallies' */
    tallies tallies;
    uint64_t max_rejects, max_reject_bytes, rejects_kept;
    buffer rejects, out;
    writer writer;
    awaited awaited[AWAITED];
    pending pending[PENDING];
    uint32_t next_awaited, next_pending;
    ordered *order;         /* while the summaries are handed out, batch by batch */
    uint32_t handed_out;
};

/* ---- Memory ------------------------------------------------------------------------------------ */

#ifdef __GLIBC__
/* Large blocks go back to the system when they are freed, of the whole process. glibc would keep some of any size that has been
 * freed once: an ingest of a million customers held a third more. Smaller ones, of which commits need many, it may keep. */
__attribute__((constructor)) static void return_large_blocks(void) {
    mallopt(M_MMAP_THRESHOLD, 2 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}
#endif

int aggregator_new(const line_format *format, uint64_t max_rejects, uint64_t max_reject_bytes, uint64_t seed,
                   uint64_t multiplier, aggregator **out) {
    *out = NULL;
    aggregator *a = calloc(1, sizeof *a);
    if (!a) return NO_MEMORY;
    a->slot_mask = 1023;
    a->slots = calloc(a->slot_mask + 1, sizeof *a->slots);
    a->key = (hash_key){seed, multiplier | 1};
    a->max_rejects = max_rejects;
    a->max_reject_bytes = max_reject_bytes;
    int failed = a->slots ? program_load(format->program, format->program_length, &a->program) : NO_MEMORY;
    if (!failed && program_set_columns(a->program, format->columns, format->columns_length)) failed = NO_MEMORY;
    if (!failed) failed = tallies_new(&a->tallies, format->parts, format->routes, format->routes_length, a->key);
    if (failed) {
        tallies_free(&a->tallies);
        program_free(a->program);
        free(a->slots);
        free(a);
        return failed;
    }
    const int64_t last = LAST_DAY * INT64_C(86400), latest = format->latest;
    a->calendar.latest = (latest < 0 ? -1 : latest > last + 86400 ? last + 86400 : latest) * NS_PER_SECOND;
    if (format->parts & PART_ROUTES) program_read_targets(a->program);
    if (program_is_native(a->program)) a->plain_days = (int32_t)(a->calendar.latest / NS_PER_DAY);
    for (int i = 0; i < CACHED_DAYS; i++) a->calendar.days[i].day = INT32_MIN;
    *out = a;
    return 0;
}

static void forget_summaries(aggregator *a) {
    for (uint32_t i = 0; i < a->length; i++) {
        summary *s = &a->summaries[i];
        free(s->customer); free(s->list); free(s->dense); free(s->table);
        free_tally(&a->tallies, &s->tally);
    }
    tallies_forget(&a->tallies);
    memset(a->slots, 0, (a->slot_mask + 1) * sizeof *a->slots);
    free(a->order);
    a->order = NULL;
    a->length = a->handed_out = 0;
    a->memory = 0;
}

void aggregator_free(aggregator *a) {
    if (!a) return;
    forget_summaries(a);
    tallies_free(&a->tallies);
    program_free(a->program);
    free_writer(&a->writer);
    free(a->summaries_memory); free(a->slots); free(a->rejects.bytes); free(a->out.bytes); free(a);
}

/* ---- Summaries --------------------------------------------------------------------------------- */

/* Where the search for a bucket starts in a table of a power of two entries. */
static inline uint32_t place_of(const aggregator *a, uint32_t bucket, uint32_t capacity) {
    return (uint32_t)((bucket * a->key.multiplier) >> 32) & (capacity - 1);
}

static int grow_slots(aggregator *a) {
    const uint32_t mask = a->slot_mask * 2 + 1;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof *slots);
    if (!slots) return -1;
    for (uint32_t i = 0; i < a->length; i++) {
        uint32_t at = (uint32_t)a->summaries[i].hash & mask;
        while (slots[at]) at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    free(a->slots);
    a->slots = slots;
    a->slot_mask = mask;
    return 0;
}

static int grow_summaries(aggregator *a) {
    const uint32_t capacity = a->capacity ? a->capacity * 2 : 256;
    void *memory = malloc(capacity * sizeof(summary) + CACHE_LINE);
    if (!memory) return -1;
    summary *grown = (summary *)(((uintptr_t)memory + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (a->length) memcpy(grown, a->summaries, a->length * sizeof *grown);
    free(a->summaries_memory);
    a->summaries_memory = memory;
    a->summaries = grown;
    a->capacity = capacity;
    return 0;
}

static summary *add_summary(aggregator *a, const uint8_t *customer, uint32_t length, int32_t day,
                            uint64_t hash) {
    if (a->length == a->capacity && grow_summaries(a)) return NULL;
    if (a->length >= a->slot_mask / 2 && grow_slots(a)) return NULL;
    uint8_t *copy = malloc(length);
    if (!copy) return NULL;
    memcpy(copy, customer, length);
    summary *s = &a->summaries[a->length];
    *s = (summary){.hash = hash, .customer = copy, .customer_length = length, .day = day, .min = UINT64_MAX};
    memcpy(s->start, customer, length < sizeof s->start ? length : sizeof s->start);
    uint32_t at = (uint32_t)hash & a->slot_mask;
    while (a->slots[at]) at = (at + 1) & a->slot_mask;
    a->slots[at] = ++a->length;
    a->memory += sizeof *s + length + 2 * sizeof *a->slots + 32;
    return s;
}

/* Compare customers. They are short, so a call of memcmp would take longer. The last load of a word
 * overlaps the one before, so that nothing depends on the length but how many words there are. */
static inline int is_same(const uint8_t *a, const uint8_t *b, uint32_t length) {
    if (length < 4) return a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1];
    if (length < 8) return load4(a) == load4(b) && load4(a + length - 4) == load4(b + length - 4);
    for (uint32_t i = 0; i + 8 < length; i += 8)
        if (load8(a + i) != load8(b + i)) return 0;
    return load8(a + length - 8) == load8(b + length - 8);
}

static inline summary *find_summary(aggregator *a, const uint8_t *customer, uint32_t length, int32_t day, uint64_t hash) {
    for (uint32_t at = (uint32_t)hash & a->slot_mask; a->slots[at]; at = (at + 1) & a->slot_mask) {
        summary *s = &a->summaries[a->slots[at] - 1];
        if (s->hash == hash && s->day == day && s->customer_length == length &&
            is_same(length <= sizeof s->start ? s->start : s->customer, customer, length))
            return s;
    }
    return add_summary(a, customer, length, day, hash);
}

/* ---- Durations --------------------------------------------------------------------------------- */

static int grow_table(aggregator *a, summary *s) {
    const uint32_t capacity = s->table_capacity ? s->table_capacity * 2 : 64;
    table_entry *table = calloc(capacity, sizeof *table);
    if (!table) return -1;
    for (uint32_t i = 0; i < s->table_capacity; i++) {
        if (!s->table[i].used) continue;
        uint32_t at = place_of(a, s->table[i].bucket, capacity);
        while (table[at].used) at = (at + 1) & (capacity - 1);
        table[at] = s->table[i];
    }
    a->memory += (uint64_t)(capacity - s->table_capacity) * sizeof *table;
    free(s->table);
    s->table = table;
    s->table_capacity = capacity;
    return 0;
}

static int count_in_table(aggregator *a, summary *s, uint32_t bucket, uint64_t count) {
    if (2 * s->table_length >= s->table_capacity && grow_table(a, s)) return -1;
    uint32_t at = place_of(a, bucket, s->table_capacity);
    while (s->table[at].used && s->table[at].bucket != bucket) at = (at + 1) & (s->table_capacity - 1);
    s->table_length += !s->table[at].used;
    s->table[at].used = 1;
    s->table[at].bucket = bucket;
    s->table[at].count += count;
    return 0;
}

static int grow_dense(aggregator *a, summary *s, uint64_t ms) {
    uint32_t capacity = s->dense_capacity ? s->dense_capacity : 256;
    while (capacity <= ms) capacity *= 2;
    uint8_t *dense = realloc(s->dense, capacity);
    if (!dense) return -1;
    memset(dense + s->dense_capacity, 0, capacity - s->dense_capacity);
    a->memory += capacity - s->dense_capacity;
    s->dense = dense;
    s->dense_capacity = capacity;
    return 0;
}

static inline int count_duration(aggregator *a, summary *s, uint64_t us) {
    const uint64_t ms = us / 1000;
    if (ms * 1000 == us && ms < DENSE_LIMIT) {
        if (ms >= s->dense_capacity && grow_dense(a, s, ms)) return -1;
        if (++s->dense[ms]) return 0;
        return count_in_table(a, s, bucket_index(us), 256);
    }
    return count_in_table(a, s, bucket_index(us), 1);
}

static int list_duration(aggregator *a, summary *s, uint64_t us) {
    if (s->list_length == LIST_LIMIT) {
        uint64_t longest = 0;
        for (uint32_t i = 0; i < s->list_length; i++) {
            const uint64_t ms = s->list[i] / 1000;
            if (ms * 1000 == s->list[i] && ms < DENSE_LIMIT && ms > longest) longest = ms;
        }
        if (longest && grow_dense(a, s, longest)) return -1; /* once, not step by step */
        s->counting = 1;
        for (uint32_t i = 0; i < s->list_length; i++)
            if (count_duration(a, s, s->list[i])) return -1;
        a->memory -= s->list_capacity * sizeof *s->list;
        free(s->list);
        s->list = NULL;
        s->list_length = s->list_capacity = 0;
        return count_duration(a, s, us);
    }
    if (s->list_length == s->list_capacity) {
        const uint32_t capacity = s->list_capacity ? s->list_capacity * 2 : 4;
        uint64_t *grown = realloc(s->list, capacity * sizeof *grown);
        if (!grown) return -1;
        a->memory += (capacity - s->list_capacity) * sizeof *grown;
        s->list = grown;
        s->list_capacity = capacity;
    }
    s->list[s->list_length++] = us;
    return 0;
}

static int count_pending(aggregator *a, pending due) {
    if (!due.summary) return 0;
    summary *s = &a->summaries[due.summary - 1];
    return s->counting ? count_duration(a, s, due.us) : list_duration(a, s, due.us);
}

static int flush_pending(aggregator *a) {
    for (int i = 0; i < PENDING; i++) {
        if (count_pending(a, a->pending[i])) return -1;
        a->pending[i].summary = 0;
    }
    return 0;
}

static int count_line(aggregator *a, const log_line *line, uint64_t hash) {
    summary *s = find_summary(a, line->customer, line->customer_length, line->day, hash);
    if (!s) return -1;
    a->counts.accepted++;
    count_request(s->counts, line->status, line->timed);
    if (a->tallies.parts && note_request(&a->tallies, &s->tally, line)) return -1;
    if (!line->timed) return 0;
    const uint64_t us = line->duration_us, ms = us / 1000;
    if (ms < s->dense_capacity) __builtin_prefetch(&s->dense[ms], 1);
    s->sum += us;
    if (us < s->min) s->min = us;
    if (us > s->max) s->max = us;
    pending *slot = &a->pending[a->next_pending++ % PENDING];
    const pending due = *slot;
    *slot = (pending){(uint32_t)(s - a->summaries) + 1, us};
    return count_pending(a, due);
}

/* Copy what is needed. */
static inline void copy_line(const aggregator *a, log_line *to, const log_line *from) {
    if (a->tallies.parts) *to = *from;
    else memcpy(to, from, offsetof(log_line, second));
}

/* The summaries and their counters do not fit into the cache, and each line wants others. So a line only asks for its
 * summary, AWAITED lines later that asks for the counter, and PENDING lines later it is there. Measured: 2 to 3 times as fast.
 * What does not stay where it is until the end of the block is counted at once. */
static inline int record(aggregator *a, const log_line *line, uint64_t customer_hash, int stays) {
    const uint64_t hash = mix(customer_hash, (uint64_t)line->day + 1, a->key.multiplier);
    if (!stays) return count_line(a, line, hash);
    const uint32_t likely = a->slots[hash & a->slot_mask];
    if (likely) {
        __builtin_prefetch(&a->summaries[likely - 1], 1);
        __builtin_prefetch(&a->summaries[likely - 1].counts, 1);
    }
    awaited *slot = &a->awaited[a->next_awaited++ % AWAITED], due;
    due.hash = slot->hash;
    slot->hash = hash;
    copy_line(a, &due.line, &slot->line);
    copy_line(a, &slot->line, line);
    return due.line.customer ? count_line(a, &due.line, due.hash) : 0;
}

static int flush_awaited(aggregator *a) {
    for (int i = 0; i < AWAITED; i++) {
        const awaited due = a->awaited[i];
        a->awaited[i].line.customer = NULL;
        if (due.line.customer && count_line(a, &due.line, due.hash)) return -1;
    }
    return flush_pending(a);
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static int reject(aggregator *a, enum reason reason, const uint8_t *line, size_t length) {
    a->counts.rejected[reason]++;
    if (a->rejects_kept == a->max_rejects) return 0;
    if (length > a->max_reject_bytes) length = a->max_reject_bytes;
    const reject_header header = {a->counts.physical_lines, (uint32_t)reason, (uint32_t)length};
    if (reserve(&a->rejects, sizeof header + length)) return -1;
    uint8_t *to = a->rejects.bytes + a->rejects.length;
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, line, length);
    a->rejects.length += sizeof header + length;
    a->rejects_kept++;
    return 0;
}

static inline int is_within(span value, const uint8_t *line, const uint8_t *stop) {
    return !value.at || (value.at >= line && value.at <= stop);
}

/* Whether what is to be known of a request is in the line itself, where it stays until the end of the block. */
static inline int stays(const aggregator *a, const log_line *read, const uint8_t *line, const uint8_t *stop) {
    return read->customer >= line && read->customer < stop &&
        (!a->tallies.parts || (is_within(read->method, line, stop) && is_within(read->target, line, stop)));
}

/* The end of the line that starts there: its LF, or the end of the block. It is plain if it is seen to be printable ASCII. */
static const uint8_t *line_end(const uint8_t *p, const uint8_t *end, int *is_plain) {
    *is_plain = 0;
#ifdef HAS_WIDE
    while (end - p >= 2 * ROW) { /* nearly all of a line: what is plain in all four is so in the highest of each */
        strip all = load_strip(p) - ' ';
        for (int i = STRIP; i < 2 * ROW; i += STRIP) all = __builtin_elementwise_max(all, load_strip(p + i) - ' ');
        if (STRIP_BITS(all > '~' - ' ')) break;
        p += 2 * ROW;
    }
#endif
    for (; end - p >= ROW; p += ROW) {
        const uint64_t others = BITS(p, (wide)(v - ' ') > '~' - ' ');
        if (!others) continue;
        p += __builtin_ctzll(others);
        *is_plain = *p == '\n' || (*p == '\r' && end - p > 1 && p[1] == '\n');
        break;
    }
    p = memchr(p, '\n', (size_t)(end - p));
    return p ? p : end;
}

/* One line by the program. Returns the position after it, or NULL when out of memory. */
static const uint8_t *any_line(aggregator *a, const uint8_t *line, const uint8_t *end) {
    int is_plain;
    const uint8_t *stop = line_end(line, end, &is_plain), *next = stop < end ? stop + 1 : end;
    size_t length = (size_t)(stop - line);
    a->counts.physical_lines++;
    if (length && line[length - 1] == '\r') length--;
    if (length == 0) return next;
    log_line read;
    const int verdict = program_run(a->program, line, length, is_plain, end, &a->calendar, &read);
    if (verdict == SKIPPED) {
        a->counts.skipped++;
        return next;
    }
    if (verdict == LINE_FAILED) return NULL;
    const int failed = verdict == ACCEPTED
        ? record(a, &read, hash_readable(read.customer, read.customer_length, a->key), stays(a, &read, line, stop))
        : reject(a, (enum reason)verdict, line, length);
    return failed ? NULL : next;
}

/* High bit set in every byte that is not printable ASCII above space (0x21-0x7E); exact up to and
 * including the first such byte, which is all that is used. */
static inline uint64_t stops(uint64_t word) {
    return (((word - ONES * 0x21) | word | (word + ONES)) & HIGH);
}

/* The fast path: one plain line of the native format, or NULL to have the program look at it. */
static inline const uint8_t *plain_line(aggregator *a, const uint8_t *p, const uint8_t *end, log_line *line,
                                        uint64_t *hash) {
    enum { TIMESTAMP_BYTES = 20, SHORTEST_REST = 24 };
    if (end - p < TIMESTAMP_BYTES + SHORTEST_REST) return NULL;
    line->day = day_of(&a->calendar, 1, p);
    if (line->day < 0 || line->day >= a->plain_days) return NULL;
    line->second = clock_second(p + 11);
    if (line->second < 0 || p[10] != ' ' || p[19] != ' ') return NULL;
    p += TIMESTAMP_BYTES;
    if (*p == '"') return NULL; /* a customer in quotes loses them */

    line->customer = p;
    uint64_t word, found, customer_hash = a->key.start;
    for (;; p += 8) {
        if (end - p < 16) return NULL;
        word = load8(p);
        found = stops(word);
        if (found) break;
        customer_hash = mix(customer_hash, word, a->key.multiplier);
    }
    unsigned bytes = (unsigned)__builtin_ctzll(found) >> 3;
    customer_hash = mix(customer_hash, bytes ? word & (~UINT64_C(0) >> (64 - 8 * bytes)) : 0, a->key.multiplier);
    p += bytes;
    const ptrdiff_t customer_length = p - line->customer;
    if (*p != ' ' || customer_length == 0 || customer_length > MAX_CUSTOMER_CHARACTERS) return NULL;
    line->customer_length = (uint32_t)customer_length;
    *hash = customer_hash;

    const uint8_t *path = ++p;
    if (*path != '/') return NULL;
    for (;; p += 8) {
        if (end - p < 16) return NULL;
        found = stops(load8(p));
        if (found) break;
    }
    p += (unsigned)__builtin_ctzll(found) >> 3;
    if (*p != ' ' || p - path > MAX_LINE_BYTES / 2) return NULL;
    p++;

    /* At least 8 bytes are left. */
    const unsigned hundreds = (unsigned)p[0] - '0', tens = (unsigned)p[1] - '0', units = (unsigned)p[2] - '0';
    if (hundreds - 1 > 4 || tens > 9 || units > 9 || p[3] != ' ') return NULL;
    if (a->tallies.parts) {
        line->method = (span){NULL, 0};
        line->target = between(path, p - 1);
    }
    line->status = (int32_t)(hundreds * 100 + tens * 10 + units);
    if (line->status == 101) return NULL;
    p += 4;

    /* Up to 5 digits, a point, up to 6 digits, LF. */
    uint64_t seconds = 0, micros = 0;
    const uint8_t *start = p, *limit = end - p > 14 ? p + 14 : end;
    for (; p < limit && (unsigned)*p - '0' < 10; p++) seconds = seconds * 10 + (*p - '0');
    if (p == start || p - start > 5 || p == limit || seconds >= 86400) return NULL;
    if (*p == '.') {
        static const uint32_t scale[] = {0, 100000, 10000, 1000, 100, 10, 1};
        const uint8_t *point = p++;
        for (; p < limit && (unsigned)*p - '0' < 10; p++) micros = micros * 10 + (*p - '0');
        const ptrdiff_t digits = p - point - 1;
        if (digits == 0 || digits > 6 || p == limit) return NULL;
        micros *= scale[digits];
    }
    if (*p == '\r' && end - p > 1) p++;
    if (*p != '\n') return NULL;
    line->timed = 1;
    line->duration_us = seconds * 1000000 + micros;
    return p + 1;
}

int aggregator_feed(aggregator *a, const uint8_t *data, size_t length) {
    if (a->order) return AGGREGATOR_DRAINING;
    const uint8_t *p = data, *end = data + length;
    while (p < end) {
        log_line line;
        uint64_t hash;
        const uint8_t *next = a->plain_days ? plain_line(a, p, end, &line, &hash) : NULL;
        if (next) {
            a->counts.physical_lines++;
            if (record(a, &line, hash, 1)) return -1;
        } else if (!(next = any_line(a, p, end))) return -1;
        p = next;
    }
    return flush_awaited(a);
}

/* ---- Results ----------------------------------------------------------------------------------- */

uint64_t aggregator_memory(const aggregator *a) { return a->memory + tallies_memory(&a->tallies); }

uint32_t aggregator_longest_search(const aggregator *a) {
    uint32_t longest = 0;
    for (uint32_t at = 0; at <= a->slot_mask; at++) {
        if (!a->slots[at]) continue;
        const uint32_t distance = (at - (uint32_t)a->summaries[a->slots[at] - 1].hash) & a->slot_mask;
        if (distance > longest) longest = distance;
    }
    for (uint32_t i = 0; i < a->length; i++) {
        const summary *s = &a->summaries[i];
        for (uint32_t at = 0; at < s->table_capacity; at++) {
            if (!s->table[at].used) continue;
            const uint32_t distance = (at - place_of(a, s->table[at].bucket, s->table_capacity)) & (s->table_capacity - 1);
            if (distance > longest) longest = distance;
        }
    }
    return longest;
}

void aggregator_counts(const aggregator *a, line_counts *out) { *out = a->counts; }

int64_t aggregator_columns(const aggregator *a, const uint8_t **out) {
    const span line = program_columns(a->program);
    *out = line.at;
    return (int64_t)line.length;
}

static int by_bucket(const void *left, const void *right) {
    const uint32_t a = ((const table_entry *)left)->bucket, b = ((const table_entry *)right)->bucket;
    return (a > b) - (a < b);
}

/* Write what the table holds up to a bucket. Returns the first entry beyond. */
static const table_entry *write_table(writer *w, const table_entry *next, const table_entry *stop, int64_t last) {
    for (; next < stop && (int64_t)next->bucket <= last; next++)
        if (write_count(w, next->bucket, next->count)) return NULL;
    return next;
}

/* 64 milliseconds, and what the table holds up to their last: more of a millisecond, or what lies between. */
static const table_entry *write_mixed(writer *w, const table_entry *next, const table_entry *stop, int page,
                                      const uint8_t *dense) {
    for (int i = 0; i < PAGE; i++) {
        const int64_t bucket = millisecond_bucket(page * PAGE + i);
        uint64_t count = dense[i];
        if (!(next = write_table(w, next, stop, bucket - 1))) return NULL;
        if (next < stop && next->bucket == bucket) count += next++->count;
        if (count && write_count(w, bucket, count)) return NULL;
    }
    return next;
}

/* Milliseconds and table merged in bucket order. */
static int append_counters(aggregator *a, summary *s) {
    uint32_t entries = 0;
    for (uint32_t i = 0; i < s->table_capacity; i++)
        if (s->table[i].used) s->table[entries++] = s->table[i];
    if (entries) qsort(s->table, entries, sizeof *s->table, by_bucket); /* without entries there is no table */
    const table_entry *next = s->table, *stop = s->table + entries;
    begin_histogram(&a->writer);
    for (int page = 0; page * PAGE < (int)s->dense_capacity; page++) {
        const uint8_t *dense = s->dense + page * PAGE;
        uint64_t any = 0;
        for (int i = 0; i < PAGE; i += 8) any |= load8(dense + i);
        if (!any) continue; /* the table's own entries have no need of it */
        if (entries && next < stop && (int64_t)next->bucket <= last_of_page(page)) {
            if (!(next = write_mixed(&a->writer, next, stop, page, dense))) return -1;
            continue;
        }
        if (write_bytes(&a->writer, page, dense)) return -1;
    }
    if (entries && !write_table(&a->writer, next, stop, NO_BUCKET)) return -1;
    return finish_histogram(&a->writer, &a->out);
}

/* Append a summary's record to `out`. Returns 0, or -1 when out of memory. */
static int write_record(aggregator *a, summary *s) {
    const size_t header_at = a->out.length, histogram_at = header_at + sizeof(summary_header) + s->customer_length;
    if (reserve(&a->out, histogram_at - header_at)) return -1;
    memcpy(a->out.bytes + header_at + sizeof(summary_header), s->customer, s->customer_length);
    a->out.length = histogram_at;
    if (s->counting ? append_counters(a, s) : append_encoded(&a->writer, s->list, s->list_length, &a->out)) return -1;
    const size_t breakdown_at = a->out.length;
    if (a->tallies.parts && append_tally(&a->tallies, &s->tally, s->counts[TOTAL_REQUESTS], &a->out)) return -1;
    summary_header header = {
        .day = s->day, .customer_length = s->customer_length, .sum_low = (uint64_t)s->sum,
        .histogram_length = (uint32_t)(breakdown_at - histogram_at),
        .breakdown_length = (uint32_t)(a->out.length - breakdown_at), .sum_high = (uint64_t)(s->sum >> 64),
        .min = s->min, .max = s->max};
    memcpy(header.counts, s->counts, sizeof header.counts);
    memcpy(a->out.bytes + header_at, &header, sizeof header);
    return 0;
}

/* How many bytes all customers begin with: `cust_`, for example. */
static size_t shared_of(const aggregator *a) {
    const summary *first = a->summaries;
    size_t shared = a->length ? first->customer_length : 0;
    for (uint32_t i = 1; i < a->length; i++) {
        const summary *s = &a->summaries[i];
        if (shared > s->customer_length) shared = s->customer_length;
        while (memcmp(first->customer, s->customer, shared)) shared--;
    }
    return shared;
}

/* The eight bytes of a customer behind those, zero-padded, so that they compare as a number. */
static uint64_t prefix_of(const summary *s, size_t shared) {
    const size_t left = s->customer_length - shared;
    uint64_t prefix = 0;
    memcpy(&prefix, s->customer + shared, left < 8 ? left : 8);
    return __builtin_bswap64(prefix);
}

static _Thread_local const summary *sorted_summaries; /* what qsort's comparison cannot be given */

static int by_batch_and_customer(const void *left, const void *right) {
    const ordered *a = left, *b = right;
    if (a->shard != b->shard) return a->shard < b->shard ? -1 : 1;
    if (a->day != b->day) return a->day < b->day ? -1 : 1;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    const summary *s = &sorted_summaries[a->summary], *t = &sorted_summaries[b->summary];
    return compare_customers(s->customer, s->customer_length, t->customer, t->customer_length);
}

static int put_in_order(aggregator *a, uint32_t shards) {
    a->order = malloc((a->length + 1) * sizeof *a->order);
    if (!a->order) return -1;
    const size_t shared = shared_of(a);
    for (uint32_t i = 0; i < a->length; i++) {
        const summary *s = &a->summaries[i];
        const uint32_t shard = (uint32_t)(hash_bytes(s->customer, s->customer_length, FIXED_KEY) % shards);
        a->order[i] = (ordered){shard, s->day, prefix_of(s, shared), i};
    }
    sorted_summaries = a->summaries;
    qsort(a->order, a->length, sizeof *a->order, by_batch_and_customer);
    return 0;
}

/* Summaries are written in an order in which they do not lie: fetch what comes soon, and what those before it point to. */
static void fetch_next(const aggregator *a) {
    enum { SOON = 8 };
    const ordered *next = a->order + a->handed_out;
    if (a->length - a->handed_out <= 2 * SOON) return;
    const char *later = (const char *)&a->summaries[next[2 * SOON].summary];
    for (size_t i = 0; i < sizeof(summary); i += 64) __builtin_prefetch(later + i);
    const summary *soon = &a->summaries[next[SOON].summary];
    __builtin_prefetch(soon->customer);
    __builtin_prefetch(soon->list);
    __builtin_prefetch(soon->tally.noted);
}

int64_t aggregator_drain(aggregator *a, uint32_t shards, batch_key *key, const uint8_t **out) {
    if (!a->order && put_in_order(a, shards)) return -1;
    a->out.length = 0;
    *out = a->out.bytes;
    if (a->handed_out == a->length) {
        forget_summaries(a);
        return 0;
    }
    *key = (batch_key){a->order[a->handed_out].shard, a->order[a->handed_out].day};
    for (; a->handed_out < a->length; a->handed_out++) {
        const ordered *next = &a->order[a->handed_out];
        if (next->shard != key->shard || next->day != key->day) break;
        fetch_next(a);
        if (write_record(a, &a->summaries[next->summary])) return -1;
    }
    *out = a->out.bytes;
    return (int64_t)a->out.length;
}

int64_t aggregator_rejects(aggregator *a, const uint8_t **out) {
    const int64_t length = (int64_t)a->rejects.length;
    a->rejects.length = 0;
    *out = a->rejects.bytes;
    return length;
}
