/* What has been counted of a customer's day: see counted.h. */
#include "counted.h"

#include <stdlib.h>

#ifndef MAX_LISTED          /* durations in a list */
#define MAX_LISTED 1020
#endif

/* With the eight bytes that an allocator takes for itself, powers of two. */
static inline uint32_t next_capacity(uint32_t capacity) { return capacity ? 2 * capacity + 4 : 12; }

enum { PRUNE_FROM = 2 * MAX_ROUTES };

/* ---- Memory ------------------------------------------------------------------------------------ */

void *grown(tallies *t, void *old, size_t before, size_t after) {
    void *block = realloc(old, after);
    if (block) t->memory += after - before;
    return block;
}

counted *new_counted(tallies *t) {
    counted *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->last_kept = NO_ROUTE;
    c->prune_from = PRUNE_FROM;
    t->memory += sizeof *c;
    return c;
}

static void free_cell(tallies *t, tallied_cell *cell) {
    t->memory -= cell->capacity * sizeof *cell->list + cell->encoded_length;
    free(cell->list);
    free(cell->encoded);
    *cell = (tallied_cell){0};
}

void free_counted(tallies *t, counted *c) {
    if (!c) return;
    for (int slot = 0; slot < SLOTS; slot++) free_cell(t, &c->slots[slot]);
    for (uint32_t i = 0; i < c->length; i++) free_cell(t, &c->cells[i]);
    t->memory -= sizeof *c + c->capacity * (sizeof *c->cells + sizeof *c->routes) +
        (c->table ? ((size_t)c->mask + 1) * sizeof *c->table : 0) + c->status_capacity * sizeof *c->statuses;
    free(c->cells);
    free(c->routes);
    free(c->table);
    free(c->statuses);
    free(c);
}

void forget_counted(tallies *t, counted *c) {
    for (uint64_t used = c->used_slots; used; used &= used - 1) free_cell(t, &c->slots[__builtin_ctzll(used)]);
    for (uint32_t i = 0; i < c->length; i++) free_cell(t, &c->cells[i]);
    if (c->table) memset(c->table, 0, ((size_t)c->mask + 1) * sizeof *c->table);
    c->used_slots = 0;
    c->length = c->status_length = 0;
    c->last_kept = NO_ROUTE;
    c->prune_from = PRUNE_FROM;
}

/* ---- Cells ------------------------------------------------------------------------------------- */

/* Add a cell's durations to the buckets. */
static int load_cell(tallies *t, const tallied_cell *cell) {
    cell_numbers before;
    const uint8_t *at = cell->encoded;
    if (at && read_cell(&at, at + cell->encoded_length, &before, &t->work.buckets, 1)) return NO_MEMORY; /* never: we have written it */
    for (uint32_t i = 0; i < cell->length; i++) count_bucket(&t->work.buckets, cell->list[i], 1);
    return 0;
}

/* Encode a cell whose durations are those of the buckets. */
static int store_cell(tallies *t, tallied_cell *cell) {
    buffer *out = &t->work.part;
    out->length = 0;
    if (write_cell(&cell->numbers, &t->work.buckets, out)) return NO_MEMORY;
    uint8_t *encoded = grown(t, cell->encoded, cell->encoded_length, out->length);
    if (!encoded) return NO_MEMORY;
    memcpy(encoded, out->bytes, out->length);
    cell->encoded = encoded;
    cell->encoded_length = (uint32_t)out->length;
    cell->length = 0;
    return 0;
}

int grow_durations(tallies *t, tallied_cell *cell) {
    if (cell->capacity >= MAX_LISTED) return load_cell(t, cell) || store_cell(t, cell) ? NO_MEMORY : 0;
    const uint32_t capacity = next_capacity(cell->capacity);
    uint16_t *list = grown(t, cell->list, cell->capacity * sizeof *list, capacity * sizeof *list);
    if (!list) return NO_MEMORY;
    cell->list = list;
    cell->capacity = capacity;
    return 0;
}

static int append_cell(tallies *t, const tallied_cell *cell, buffer *out) {
    bucket_counts *buckets = &t->work.buckets;
    if (!cell->encoded) return write_listed_cell(&cell->numbers, cell->list, cell->length, buckets, out);
    return load_cell(t, cell) || write_cell(&cell->numbers, buckets, out) ? NO_MEMORY : 0;
}

/* ---- Routes of a customer's day ---------------------------------------------------------------- */

static inline uint32_t place_of_route(uint32_t number, uint32_t mask) { return number * UINT32_C(0x9E3779B1) >> 7 & mask; }

static int fill_table(tallies *t, counted *c, uint32_t mask) {
    route_entry *table = calloc((size_t)mask + 1, sizeof *table);
    if (!table) return NO_MEMORY;
    for (uint32_t i = 0; i < c->length; i++) {
        uint32_t at = place_of_route(c->routes[i], mask);
        while (table[at].route) at = (at + 1) & mask;
        table[at] = (route_entry){c->routes[i] + 1, i};
    }
    t->memory += ((uint64_t)mask + 1) * sizeof *table - (c->table ? ((uint64_t)c->mask + 1) * sizeof *table : 0);
    free(c->table);
    c->table = table;
    c->mask = mask;
    return 0;
}

static int add_cell_of_route(tallies *t, counted *c, uint32_t number, uint32_t *cell) {
    if (c->length == c->capacity) {
        const uint32_t capacity = c->capacity ? c->capacity * 2 : 4;
        tallied_cell *cells = grown(t, c->cells, c->capacity * sizeof *cells, capacity * sizeof *cells);
        if (!cells) return NO_MEMORY;
        c->cells = cells;
        uint32_t *routes = realloc(c->routes, capacity * sizeof *routes);
        if (!routes) { /* the cells have room that does not count */
            t->memory -= (capacity - c->capacity) * sizeof *cells;
            return NO_MEMORY;
        }
        t->memory += (capacity - c->capacity) * sizeof *routes;
        c->routes = routes;
        c->capacity = capacity;
    }
    if (2 * c->length >= c->mask && fill_table(t, c, c->table ? c->mask * 2 + 1 : 7)) return NO_MEMORY;
    uint32_t at = place_of_route(number, c->mask);
    while (c->table[at].route) at = (at + 1) & c->mask;
    c->table[at] = (route_entry){number + 1, c->length};
    c->cells[c->length] = (tallied_cell){0};
    c->routes[c->length] = number;
    *cell = c->length++;
    return 0;
}

int find_cell(tallies *t, counted *c, uint32_t number, uint32_t *cell) {
    for (;;) {
        if (c->table)
            for (uint32_t at = place_of_route(number, c->mask); c->table[at].route; at = (at + 1) & c->mask)
                if (c->table[at].route == number + 1) {
                    *cell = c->table[at].cell;
                    return 0;
                }
        if (number < FIRST_ROUTE || c->last_kept == NO_ROUTE || !is_beyond(&t->routes, number, c->last_kept))
            return add_cell_of_route(t, c, number, cell);
        number = ROUTE_OTHER;
    }
}

/* Rank the routes of their own. Returns how many there are, or NO_MEMORY. */
static int64_t rank_cells(tallies *t, const counted *c) {
    buffer *ranks = &t->work.ranks;
    ranks->length = 0;
    if (reserve(ranks, (c->length + 1) * sizeof(ranked))) return NO_MEMORY;
    ranked *routes = (ranked *)ranks->bytes;
    size_t count = 0;
    for (uint32_t i = 0; i < c->length; i++) {
        if (c->routes[i] < FIRST_ROUTE) continue;
        const route_name *name = route_of_number(&t->routes, c->routes[i]);
        routes[count++] = (ranked){name->rank, t->routes.bytes.bytes + name->at, name->length, i};
    }
    return (int64_t)count;
}

int prune_routes(tallies *t, counted *c, size_t limit) {
    const int64_t found = c->length > limit ? rank_cells(t, c) : 0;
    const size_t count = found < 0 ? 0 : (size_t)found;
    ranked *routes = (ranked *)t->work.ranks.bytes;
    if (count <= limit) return found < 0 ? NO_MEMORY : 0;
    rank_routes(routes, count);
    const size_t kept = kept_of(routes, count);
    uint32_t other;
    if (kept == count) return 0;
    if (find_cell(t, c, ROUTE_OTHER, &other) || load_cell(t, &c->cells[other])) return NO_MEMORY;
    for (size_t i = kept; i < count; i++) {
        tallied_cell *cell = &c->cells[routes[i].index];
        if (load_cell(t, cell)) return NO_MEMORY;
        add_numbers(&c->cells[other].numbers, &cell->numbers, 1);
        free_cell(t, cell);
    }
    if (store_cell(t, &c->cells[other])) return NO_MEMORY;
    c->last_kept = c->routes[routes[kept - 1].index];
    for (size_t i = kept; i < count; i++) c->routes[routes[i].index] = NO_ROUTE;
    uint32_t length = 0;
    for (uint32_t i = 0; i < c->length; i++) {
        if (c->routes[i] == NO_ROUTE) continue;
        c->cells[length] = c->cells[i];
        c->routes[length++] = c->routes[i];
    }
    c->length = length;
    c->prune_from = length + MAX_ROUTES; /* it is more than that, if more are declared */
    return fill_table(t, c, c->mask);
}

/* ---- Writing ----------------------------------------------------------------------------------- */

int write_slots(tallies *t, const counted *c, buffer *out) {
    item_writer to = {.out = out};
    for (uint64_t used = c->used_slots; used; used &= used - 1) {
        const uint8_t slot = (uint8_t)__builtin_ctzll(used);
        if (write_name(&to, &slot, 1) || append_cell(t, &c->slots[slot], out)) return NO_MEMORY;
    }
    return 0;
}

int write_routes(tallies *t, counted *c, buffer *out) {
    item_writer to = {.out = out, .is_route = 1};
    if (prune_routes(t, c, MAX_ROUTES)) return NO_MEMORY;
    const int64_t count = rank_cells(t, c);
    if (count < 0) return NO_MEMORY;
    for (uint32_t number = 0; number < FIRST_ROUTE; number++) {
        const uint8_t name = number == ROUTE_NOT_FOUND ? NOT_FOUND : OTHER;
        for (uint32_t i = 0; i < c->length; i++)
            if (c->routes[i] == number && (write_name(&to, &name, 1) || append_cell(t, &c->cells[i], out)))
                return NO_MEMORY;
    }
    ranked *routes = (ranked *)t->work.ranks.bytes;
    qsort(routes, (size_t)count, sizeof *routes, by_name);
    for (int64_t i = 0; i < count; i++)
        if (write_name(&to, routes[i].name, routes[i].length) || append_cell(t, &c->cells[routes[i].index], out))
            return NO_MEMORY;
    return 0;
}

static int by_code(const void *left, const void *right) {
    return ((const status_count *)left)->code - ((const status_count *)right)->code;
}

int write_statuses(counted *c, buffer *out) {
    int32_t last = -1;
    if (c->status_length) qsort(c->statuses, c->status_length, sizeof *c->statuses, by_code);
    for (uint32_t i = 0; i < c->status_length; i++) {
        if (append_number((uint64_t)(c->statuses[i].code - last), out) || append_number(c->statuses[i].count, out))
            return NO_MEMORY;
        last = c->statuses[i].code;
    }
    return 0;
}
