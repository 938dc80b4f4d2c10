/* Tallies: the requests of a customer's day, counted by half-hour, by route and by status as they come.
 *
 * Requests are noted in a list, which is short for most. When it is full, they are counted: each then finds its cells with many
 * others, so that what is touched together is touched at once. */
#ifndef TALLY_H
#define TALLY_H

#include "program.h"
#include "route.h"

#ifndef MAX_NOTED           /* requests in a list */
#define MAX_NOTED 256
#endif

typedef struct { uint64_t us; uint32_t route; uint16_t status; uint8_t slot, timed; } noted_request;
typedef struct counted counted;

typedef struct {
    noted_request *noted;
    uint32_t length, capacity;
    counted *counted;
} tally;

/* What all tallies of an aggregator share. */
typedef struct {
    unsigned parts;         /* those that are kept; 0: no breakdown is made */
    route_table routes;
    workspace work;
    counted *spare;         /* of a tally that was never full, while it is written */
    uint64_t memory;        /* bytes held by tallies */
} tallies;

int tallies_new(tallies *, uint64_t parts, const uint8_t *declared, size_t length, hash_key key);
void tallies_free(tallies *);
void tallies_forget(tallies *); /* the routes, after all tallies have been freed */
uint64_t tallies_memory(const tallies *); /* bytes held by tallies and routes */

/* What returns, returns 0, or NO_MEMORY. */
int note_request(tallies *, tally *, const log_line *);
int append_tally(tallies *, tally *, uint64_t total, buffer *out); /* `total`: how many requests were noted */
void free_tally(tallies *, tally *);

#endif
