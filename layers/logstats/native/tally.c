/* Tallies: see tally.h. */
#include "counted.h"

#include <stdlib.h>

enum { SLOT_SECONDS = 1800 };

void free_tally(tallies *t, tally *tally) {
    t->memory -= tally->capacity * sizeof *tally->noted;
    free(tally->noted);
    free_counted(t, tally->counted);
    tally->noted = NULL;
    tally->counted = NULL;
    tally->length = tally->capacity = 0;
}

int tallies_new(tallies *t, uint64_t parts, const uint8_t *declared, size_t length, hash_key key) {
    *t = (tallies){.parts = (unsigned)parts};
    if (parts > ALL_PARTS) return PROGRAM_MALFORMED;
    return parts ? route_table_new(&t->routes, declared, length, key) : 0;
}

void tallies_free(tallies *t) {
    free_counted(t, t->spare);
    route_table_free(&t->routes);
    free_workspace(&t->work);
}

void tallies_forget(tallies *t) {
    free_counted(t, t->spare);
    t->spare = NULL;
    if (t->parts) forget_routes(&t->routes);
}

/* ---- Requests ---------------------------------------------------------------------------------- */

static int count_status(tallies *t, counted *c, int32_t code) {
    uint32_t i = 0;
    while (i < c->status_length && c->statuses[i].code != code) i++;
    if (i == c->status_capacity) {
        const uint32_t capacity = i ? 2 * i : 4;
        status_count *statuses = grown(t, c->statuses, i * sizeof *statuses, capacity * sizeof *statuses);
        if (!statuses) return NO_MEMORY;
        c->statuses = statuses;
        c->status_capacity = capacity;
    }
    if (i == c->status_length) c->statuses[c->status_length++] = (status_count){.code = code};
    c->statuses[i].count++;
    return 0;
}

/* Count all that are noted. Their cells are fetched from memory all at once. */
static int count_noted(tallies *t, tally *tally, counted *c) {
    uint32_t cells[MAX_NOTED];
    const noted_request *noted = tally->noted;
    if (t->parts & PART_ROUTES)
        for (uint32_t i = 0; i < tally->length; i++) {
            if (find_cell(t, c, noted[i].route, &cells[i])) return NO_MEMORY;
            __builtin_prefetch(&c->cells[cells[i]], 1);
        }
    for (uint32_t i = 0; i < tally->length; i++) {
        const noted_request *request = &noted[i];
        const uint16_t bucket = (uint16_t)cell_bucket(request->us);
        if (t->parts & PART_ROUTES && count_in_cell(t, &c->cells[cells[i]], request, bucket)) return NO_MEMORY;
        if (t->parts & PART_SLOTS) {
            c->used_slots |= UINT64_C(1) << request->slot;
            if (count_in_cell(t, &c->slots[request->slot], request, bucket)) return NO_MEMORY;
        }
        if (t->parts & PART_STATUSES && count_status(t, c, request->status)) return NO_MEMORY;
    }
    tally->length = 0;
    return c->length < c->prune_from ? 0 : prune_routes(t, c, MAX_ROUTES);
}

static int make_room(tallies *t, tally *tally) {
    if (tally->capacity == MAX_NOTED) {
        if (!tally->counted && !(tally->counted = new_counted(t))) return NO_MEMORY;
        return count_noted(t, tally, tally->counted);
    }
    const uint32_t capacity = tally->capacity ? 2 * tally->capacity : 2;
    noted_request *noted = grown(t, tally->noted, tally->capacity * sizeof *noted, capacity * sizeof *noted);
    if (!noted) return NO_MEMORY;
    tally->noted = noted;
    tally->capacity = capacity;
    return 0;
}

static int number_of(tallies *t, const tally *tally, span method, span target, int32_t status, uint32_t *number) {
    *number = find_route(&t->routes, method, target, status);
    if (*number != UNKNOWN_ROUTE) return 0;
    const uint32_t last = tally->counted ? tally->counted->last_kept : NO_ROUTE;
    if (last != NO_ROUTE && ranks_behind(&t->routes, last)) {
        *number = ROUTE_OTHER;
        return 0;
    }
    return add_route(&t->routes, number);
}

uint64_t tallies_memory(const tallies *t) { return t->parts ? t->memory + route_table_memory(&t->routes) : 0; }

int note_request(tallies *t, tally *tally, const log_line *line) {
    if (tally->length == tally->capacity && make_room(t, tally)) return NO_MEMORY;
    uint32_t route = ROUTE_OTHER;
    if (t->parts & PART_ROUTES && number_of(t, tally, line->method, line->target, line->status, &route)) return NO_MEMORY;
    tally->noted[tally->length++] = (noted_request){
        line->duration_us, route, (uint16_t)line->status, (uint8_t)(line->second / SLOT_SECONDS), (uint8_t)line->timed};
    return 0;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

static int append_parts_of(tallies *t, counted *c, buffer *out) {
    buffer *items = &t->work.bounded;
    for (unsigned part = PART_SLOTS; part <= PART_STATUSES; part <<= 1) {
        if (!(t->parts & part)) continue;
        items->length = 0;
        const int failed = part == PART_SLOTS ? write_slots(t, c, items)
            : part == PART_ROUTES ? write_routes(t, c, items) : write_statuses(c, items);
        if (failed || write_part(items, out)) return NO_MEMORY;
    }
    return 0;
}

int append_tally(tallies *t, tally *tally, uint64_t total, buffer *out) {
    counted *c = tally->counted ? tally->counted : t->spare;
    if (!c && !(c = t->spare = new_counted(t))) return NO_MEMORY;
    if (count_noted(t, tally, c) || write_head(t->parts, total, out) || append_parts_of(t, c, out)) return NO_MEMORY;
    if (c == t->spare) forget_counted(t, c);
    return 0;
}
