/* Breakdowns for those who read them: their items with percentiles, and sums of many. */
#include "breakdown.h"
#include "hash.h"

#include <stdlib.h>

int64_t breakdown_combine(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign, int is_bounded,
                          uint8_t **out) {
    buffer sum = {0};
    *out = NULL;
    workspace *w = calloc(1, sizeof *w);
    if (!w) return NO_MEMORY;
    const int failed = append_breakdowns(w, a, a_length, b, b_length, sign, is_bounded, &sum);
    free_workspace(w);
    free(w);
    *out = sum.bytes;
    return failed ? failed : (int64_t)sum.length;
}

int64_t breakdown_total(const uint8_t *data, size_t length) {
    breakdown b;
    const int failed = open_breakdown(&b, data, length);
    return failed ? failed : (int64_t)b.total;
}

/* ---- Items ------------------------------------------------------------------------------------- */

static void put_numbers(listed_item *item, const cell_numbers *cell, const bucket_counts *buckets) {
    memcpy(item->counts, cell->counts, sizeof item->counts);
    item->sum_low = (uint64_t)cell->sum;
    item->sum_high = (uint64_t)(cell->sum >> 64);
    values_of_cell(cell, buckets, item->values);
}

static int append_item(const listed_item *item, buffer *out) {
    if (reserve(out, sizeof *item)) return NO_MEMORY;
    memcpy(out->bytes + out->length, item, sizeof *item);
    out->length += sizeof *item;
    return 0;
}

static int list_cells(workspace *w, const uint8_t *data, const breakdown *b, unsigned part, buffer *out) {
    item_reader in = read_items(b, part);
    for (;;) {
        if (next_item(&in)) return BREAKDOWN_MALFORMED;
        if (!in.length) return in.total == b->total ? 0 : BREAKDOWN_MALFORMED;
        cell_numbers cell;
        listed_item item = {.part = part, .cell_at = (uint32_t)(in.at - data), .name_length = in.length};
        if (read_item(&in, &cell, &w->buckets, 1)) return BREAKDOWN_MALFORMED;
        item.cell_length = (uint32_t)(in.at - data) - item.cell_at;
        item.key = part == PART_ROUTES ? (uint32_t)w->names.length : in.name[0];
        put_numbers(&item, &cell, &w->buckets);
        forget_buckets(&w->buckets);
        if (append_item(&item, out) || reserve(&w->names, in.length)) return NO_MEMORY;
        if (part != PART_ROUTES) continue;
        memcpy(w->names.bytes + w->names.length, in.name, in.length);
        w->names.length += in.length;
    }
}

static int list_statuses(const breakdown *b, buffer *out) {
    for (status_reader in = read_statuses(b);;) {
        if (next_status(&in)) return BREAKDOWN_MALFORMED;
        if (in.code > MAX_STATUS) return in.total == b->total ? 0 : BREAKDOWN_MALFORMED;
        const listed_item item = {.part = PART_STATUSES, .key = (uint32_t)in.code, .counts = {in.count}};
        if (append_item(&item, out)) return NO_MEMORY;
    }
}

static int list_items(workspace *w, const uint8_t *data, size_t length, buffer *out) {
    breakdown b;
    if (length > UINT32_MAX || open_breakdown(&b, data, length)) return BREAKDOWN_MALFORMED;
    int failed = 0;
    for (unsigned part = PART_SLOTS; part < PART_STATUSES && !failed; part <<= 1)
        if (b.parts & part) failed = list_cells(w, data, &b, part, out);
    if (!failed && b.parts & PART_STATUSES) failed = list_statuses(&b, out);
    if (failed || reserve(out, w->names.length)) return failed ? failed : NO_MEMORY;
    if (w->names.length) memcpy(out->bytes + out->length, w->names.bytes, w->names.length);
    out->length += w->names.length;
    return 0;
}

int64_t breakdown_items(const uint8_t *data, size_t length, uint8_t **out, size_t *names) {
    buffer listed = {0};
    *out = NULL;
    *names = 0;
    workspace *w = calloc(1, sizeof *w);
    if (!w) return NO_MEMORY;
    const int failed = list_items(w, data, length, &listed);
    *names = w->names.length;
    free_workspace(w);
    free(w);
    *out = listed.bytes;
    return failed ? failed : (int64_t)listed.length;
}

/* ---- Cells ------------------------------------------------------------------------------------- */

/* Sums of cells, one after the other, in one memory. */
typedef struct { workspace *w; cell_numbers numbers; } cell_sum;

static int add_cell(cell_sum *sum, const uint8_t **at, const uint8_t *end) {
    cell_numbers cell;
    const int failed = read_cell(at, end, &cell, &sum->w->buckets, 1);
    return failed ? failed : add_numbers(&sum->numbers, &cell, 1);
}

int64_t cell_add(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, listed_item *item, uint8_t **out) {
    buffer sum = {0};
    *out = NULL;
    workspace *w = calloc(1, sizeof *w);
    if (!w) return NO_MEMORY;
    cell_sum total = {.w = w};
    const uint8_t *a_at = a, *b_at = b;
    int failed = add_cell(&total, &a_at, a + a_length);
    if (!failed) failed = add_cell(&total, &b_at, b + b_length);
    if (!failed && (a_at != a + a_length || b_at != b + b_length)) failed = BREAKDOWN_MALFORMED;
    if (!failed) {
        *item = (listed_item){0};
        put_numbers(item, &total.numbers, &w->buckets);
        failed = write_cell(&total.numbers, &w->buckets, &sum);
    }
    free(w);
    *out = sum.bytes;
    return failed ? failed : (int64_t)sum.length;
}

/* ---- Sums of many ------------------------------------------------------------------------------ */

typedef struct { const uint8_t *cell, *end; uint32_t key; } place; /* of a cell; the key: its slot, or its route's number */
typedef struct { uint32_t name, length; uint64_t hash; } known_route;

enum { PLACES_AT_ONCE = 1 << 18, MAX_PARTIALS = 64 };

typedef struct {
    workspace work;
    unsigned parts;
    hash_key key;
    const uint8_t *route;           /* the only one that is wanted, if not NULL */
    size_t route_length;
    buffer slots, routes, names, sorted; /* places; places; the names of known routes; places by key */
    buffer known;
    uint32_t *table, table_mask;    /* 1 + number of a known route */
    uint64_t statuses[MAX_STATUS + 1], total;
    buffer partials[MAX_PARTIALS];
    int partial_count;
} summing;

static const uint8_t *name_of(const summing *s, const known_route *route) { return s->names.bytes + route->name; }

static int grow_table_of_routes(summing *s) {
    const uint32_t mask = s->table ? s->table_mask * 2 + 1 : 1023;
    uint32_t *table = calloc((size_t)mask + 1, sizeof *table);
    if (!table) return NO_MEMORY;
    const known_route *known = (const known_route *)s->known.bytes;
    for (uint32_t i = 0; i < s->known.length / sizeof *known; i++) {
        uint32_t at = (uint32_t)known[i].hash & mask;
        while (table[at]) at = (at + 1) & mask;
        table[at] = i + 1;
    }
    free(s->table);
    s->table = table;
    s->table_mask = mask;
    return 0;
}

/* The number of a route, which it gets if it has none. */
static int number_of_route(summing *s, const uint8_t *name, uint32_t length, uint32_t *number) {
    const uint32_t count = (uint32_t)(s->known.length / sizeof(known_route));
    if ((!s->table || count > s->table_mask / 2) && grow_table_of_routes(s)) return NO_MEMORY;
    const uint64_t hash = hash_bytes(name, length, s->key);
    uint32_t at = (uint32_t)hash & s->table_mask;
    for (; s->table[at]; at = (at + 1) & s->table_mask) {
        const known_route *route = (const known_route *)s->known.bytes + s->table[at] - 1;
        if (route->hash == hash && route->length == length && !memcmp(name_of(s, route), name, length)) {
            *number = s->table[at] - 1;
            return 0;
        }
    }
    const known_route route = {(uint32_t)s->names.length, length, hash};
    if (append_bytes(name, length, &s->names) || append_bytes((const uint8_t *)&route, sizeof route, &s->known))
        return NO_MEMORY;
    s->table[at] = count + 1;
    *number = count;
    return 0;
}

static int is_wanted_route(const summing *s, const item_reader *in) {
    if (!s->route) return 1;
    const uint32_t sign = in->name[0] == DECLARED;
    return in->length - sign == s->route_length && !memcmp(in->name + sign, s->route, s->route_length);
}

static int place_cells(summing *s, const breakdown *b, unsigned part) {
    item_reader in = read_items(b, part);
    buffer *to = part == PART_SLOTS ? &s->slots : &s->routes;
    for (;;) {
        if (next_item(&in)) return BREAKDOWN_MALFORMED;
        if (!in.length) return in.total == b->total ? 0 : BREAKDOWN_MALFORMED;
        cell_numbers cell;
        place found = {.cell = in.at, .key = in.name[0]};
        if (read_item(&in, &cell, NULL, 1)) return BREAKDOWN_MALFORMED;
        found.end = in.at;
        if (part == PART_ROUTES) {
            if (!is_wanted_route(s, &in)) continue;
            if (number_of_route(s, in.name, in.length, &found.key)) return NO_MEMORY;
            if (s->route) s->total += cell.counts[TOTAL_REQUESTS];
        }
        if (append_bytes((const uint8_t *)&found, sizeof found, to)) return NO_MEMORY;
    }
}

static int count_statuses(summing *s, const breakdown *b) {
    for (status_reader in = read_statuses(b);;) {
        if (next_status(&in)) return BREAKDOWN_MALFORMED;
        if (in.code > MAX_STATUS) return in.total == b->total ? 0 : BREAKDOWN_MALFORMED;
        s->statuses[in.code] += in.count; /* at most `total`, which is checked */
    }
}

static int place_breakdown(summing *s, const uint8_t *data, size_t length) {
    breakdown b;
    if (open_breakdown(&b, data, length)) return BREAKDOWN_MALFORMED;
    int failed = 0;
    if (!s->route) {
        if (b.total > INT64_MAX - s->total) return BREAKDOWN_TOO_MANY;
        s->total += b.total;
    }
    if (s->parts & PART_SLOTS) failed = place_cells(s, &b, PART_SLOTS);
    if (!failed && s->parts & PART_ROUTES) failed = place_cells(s, &b, PART_ROUTES);
    if (!failed && s->parts & PART_STATUSES) failed = count_statuses(s, &b);
    return failed;
}

/* Put places in the order of their keys; `starts` gets where those of each key begin. */
static int sort_places(summing *s, const buffer *from, uint32_t keys, uint32_t **starts) {
    const place *places = (const place *)from->bytes;
    const size_t count = from->length / sizeof *places;
    *starts = calloc((size_t)keys + 2, sizeof **starts);
    s->sorted.length = 0;
    if (!*starts || reserve(&s->sorted, from->length + sizeof *places)) return NO_MEMORY;
    place *to = (place *)s->sorted.bytes;
    for (size_t i = 0; i < count; i++) (*starts)[places[i].key + 2]++;
    for (uint32_t key = 0; key < keys; key++) (*starts)[key + 2] += (*starts)[key + 1];
    for (size_t i = 0; i < count; i++) to[(*starts)[places[i].key + 1]++] = places[i];
    return 0;
}

static int write_sum_of_places(summing *s, const place *from, const place *to, buffer *out) {
    cell_sum sum = {.w = &s->work};
    for (; from < to; from++) {
        const uint8_t *at = from->cell;
        const int failed = add_cell(&sum, &at, from->end);
        if (failed) return failed;
    }
    return write_cell(&sum.numbers, &s->work.buckets, out);
}

static int write_sums(summing *s, unsigned part, buffer *out) {
    const known_route *known = (const known_route *)s->known.bytes;
    const uint32_t keys = part == PART_SLOTS ? SLOTS : (uint32_t)(s->known.length / sizeof *known);
    uint32_t *starts;
    item_writer to = {.out = &s->work.part, .is_route = part == PART_ROUTES};
    s->work.part.length = s->work.ranks.length = 0;
    int failed = sort_places(s, part == PART_SLOTS ? &s->slots : &s->routes, keys, &starts);
    if (!failed && reserve(&s->work.ranks, (keys + 1) * sizeof(ranked))) failed = NO_MEMORY;
    ranked *order = (ranked *)s->work.ranks.bytes;
    const place *places = (const place *)s->sorted.bytes;
    uint8_t slots[SLOTS];
    for (uint32_t key = 0; key < keys && !failed; key++) {
        if (part == PART_SLOTS) slots[key] = (uint8_t)key;
        order[key] = part == PART_SLOTS ? (ranked){0, &slots[key], 1, key} : (ranked){0, name_of(s, &known[key]), known[key].length, key};
    }
    if (!failed && part == PART_ROUTES) qsort(order, keys, sizeof *order, by_name);
    for (uint32_t i = 0; i < keys && !failed; i++) {
        const uint32_t key = order[i].index;
        if (starts[key] == starts[key + 1]) continue;
        failed = write_name(&to, order[i].name, order[i].length);
        if (!failed) failed = write_sum_of_places(s, places + starts[key], places + starts[key + 1], &s->work.part);
    }
    free(starts);
    return failed ? failed : write_part(&s->work.part, out);
}

static int write_status_sums(summing *s, buffer *out) {
    int last = -1;
    s->work.part.length = 0;
    for (int code = 0; code <= MAX_STATUS; code++) {
        if (!s->statuses[code]) continue;
        if (append_number((uint64_t)(code - last), &s->work.part) || append_number(s->statuses[code], &s->work.part))
            return NO_MEMORY;
        last = code;
    }
    return write_part(&s->work.part, out);
}

/* Add two partial sums up. */
static int merge_partials(summing *s) {
    buffer *a = &s->partials[s->partial_count - 2], *b = a + 1, sum = {0};
    const int failed = append_breakdowns(&s->work, a->bytes, a->length, b->bytes, b->length, 1, 0, &sum);
    free(a->bytes);
    free(b->bytes);
    *a = sum;
    *b = (buffer){0};
    s->partial_count--;
    return failed;
}

/* Make a partial sum of what has been placed. Each is merged with as large ones, so that little is written often. */
static int flush_places(summing *s) {
    buffer *out = &s->partials[s->partial_count++];
    int failed = write_head(s->parts, s->total, out);
    if (!failed && s->parts & PART_SLOTS) failed = write_sums(s, PART_SLOTS, out);
    if (!failed && s->parts & PART_ROUTES) failed = write_sums(s, PART_ROUTES, out);
    if (!failed && s->parts & PART_STATUSES) failed = write_status_sums(s, out);
    s->slots.length = s->routes.length = 0;
    s->total = 0;
    memset(s->statuses, 0, sizeof s->statuses);
    while (!failed && s->partial_count > 1 && (s->partial_count == MAX_PARTIALS ||
           s->partials[s->partial_count - 2].length <= 2 * s->partials[s->partial_count - 1].length))
        failed = merge_partials(s);
    return failed;
}

static int sum_rows(summing *s, const uint8_t *const *rows, const size_t *lengths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int failed = place_breakdown(s, rows[i], lengths[i]);
        if (failed) return failed;
        if (s->slots.length + s->routes.length < PLACES_AT_ONCE * sizeof(place) && i + 1 < count) continue;
        const int unwritten = flush_places(s);
        if (unwritten) return unwritten;
    }
    while (s->partial_count > 1) {
        const int failed = merge_partials(s);
        if (failed) return failed;
    }
    return 0;
}

static int shared_parts(const uint8_t *const *rows, const size_t *lengths, size_t count, unsigned *parts) {
    for (size_t i = 0; i < count; i++) {
        breakdown b;
        if (open_breakdown(&b, rows[i], lengths[i])) return BREAKDOWN_MALFORMED;
        *parts &= b.parts;
    }
    return 0;
}

int64_t breakdown_sum(const uint8_t *const *rows, const size_t *lengths, size_t count, const uint8_t *route,
                      size_t route_length, unsigned parts, uint64_t seed, uint64_t multiplier, uint8_t **out) {
    *out = NULL;
    if (route) parts &= PART_ROUTES;
    if (shared_parts(rows, lengths, count, &parts)) return BREAKDOWN_MALFORMED;
    if (!parts || !count) return 0;
    summing *s = calloc(1, sizeof *s);
    if (!s) return NO_MEMORY;
    s->parts = parts;
    s->key = (hash_key){seed, multiplier | 1};
    s->route = route;
    s->route_length = route_length;
    const int failed = sum_rows(s, rows, lengths, count);
    const int64_t length = failed ? failed : (int64_t)s->partials[0].length;
    *out = s->partials[0].bytes;
    for (int i = 1; i < MAX_PARTIALS; i++) free(s->partials[i].bytes);
    free_workspace(&s->work);
    free(s->slots.bytes); free(s->routes.bytes); free(s->names.bytes); free(s->sorted.bytes); free(s->known.bytes);
    free(s->table);
    free(s);
    return length;
}
