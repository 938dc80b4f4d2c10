/* What has been counted of a customer's day: a cell for each half-hour and each route, and numbers of status codes. */
#ifndef COUNTED_H
#define COUNTED_H

#include "tally.h"

/* Durations are a list of buckets; when that is long, an encoded cell takes them up. */
typedef struct {
    cell_numbers numbers;
    uint16_t *list;
    uint8_t *encoded;
    uint32_t length, capacity, encoded_length;
} tallied_cell;

typedef struct { uint32_t route, cell; } route_entry; /* 1 + the route's number; 0 when free */
typedef struct { uint64_t count; int32_t code; } status_count;

#define NO_ROUTE UINT32_MAX

struct counted {
    tallied_cell slots[SLOTS];
    uint64_t used_slots;        /* a bit for each */
    tallied_cell *cells;        /* of routes */
    uint32_t *routes;           /* their numbers */
    uint32_t length, capacity;
    route_entry *table;
    uint32_t mask;
    uint32_t last_kept;         /* after routes were left out: those that rank behind are OTHER */
    uint32_t prune_from;        /* so many cells */
    status_count *statuses;
    uint32_t status_length, status_capacity;
};

/* What returns an int, returns 0, or NO_MEMORY. */
counted *new_counted(tallies *);
void free_counted(tallies *, counted *);
void forget_counted(tallies *, counted *); /* as new */

/* A larger block for a list, whose bytes are counted; NULL when out of memory. */
void *grown(tallies *, void *old, size_t before, size_t after);

int grow_durations(tallies *, tallied_cell *);

static inline int count_in_cell(tallies *t, tallied_cell *cell, const noted_request *request, uint16_t bucket) {
    if (request->timed) {
        if (cell->length == cell->capacity && grow_durations(t, cell)) return NO_MEMORY;
        cell->list[cell->length++] = bucket;
        cell->numbers.sum += request->us;
    }
    count_request(cell->numbers.counts, request->status, request->timed);
    return 0;
}

/* The number of a route's cell; of one that is left out, that of OTHER. */
int find_cell(tallies *, counted *, uint32_t route, uint32_t *cell);

/* Leave out all routes but those that are kept in any case, if there are more than `limit`. */
int prune_routes(tallies *, counted *, size_t limit);

/* Append the items of a part. */
int write_slots(tallies *, const counted *, buffer *out);
int write_routes(tallies *, counted *, buffer *out);
int write_statuses(counted *, buffer *out);

#endif
