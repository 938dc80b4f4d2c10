/* Routes: the method and the template of a request's path. The definition is logstats.domain.route. */
#ifndef ROUTE_H
#define ROUTE_H

#include "breakdown.h"
#include "hash.h"
#include "values.h"

enum { MAX_METHOD = 16, MAX_TEMPLATE = 200, ROUTE_ROOM = MAX_METHOD + 1 + MAX_TEMPLATE };

/* A route as text: method, space, template; in a `text` of ROUTE_ROOM bytes and PADDING. */
typedef struct { uint8_t text[ROUTE_ROOM + PADDING]; uint32_t length; int is_declared; } route_text;

/* Append the template of a path: generated segments become {id}. Returns 0 if it is too long. */
int append_template(span path, route_text *);

/* ---- Declared routes: a tree of segments, of which the more specific come first ------------------ */

typedef struct declared_routes declared_routes;

/* `code` is what logstats.native.program.compile_routes returns. Returns 0, NO_MEMORY or PROGRAM_MALFORMED. */
int declared_load(const uint8_t *code, size_t length, declared_routes **);
void declared_free(declared_routes *);

/* The first declared route that a method (nowhere: any) and a path match; returns 0 if there is none. */
int find_declared(const declared_routes *, span method, span path, route_text *);

/* ---- Known routes: each has a number ------------------------------------------------------------- */

enum { ROUTE_NOT_FOUND, ROUTE_OTHER, FIRST_ROUTE }; /* numbers of what is no route of its own */

typedef struct {
    uint64_t hash, rank;    /* in the table; route_hash of the stored name */
    uint32_t at, length;    /* of the stored name: a sign before that of a declared route */
} route_name;

typedef struct {
    hash_key key;
    declared_routes *declared;
    buffer bytes, names;    /* of `route_name` */
    uint32_t *table, mask;  /* 1 + number; 0 when free */
    route_text text;        /* of the last one that was looked for */
} route_table;

int route_table_new(route_table *, const uint8_t *code, size_t length, hash_key key);
void route_table_free(route_table *);
void forget_routes(route_table *);
uint64_t route_table_memory(const route_table *);

static inline const route_name *route_of_number(const route_table *t, uint32_t number) {
    return (const route_name *)t->names.bytes + number;
}

/* The route of a request. UNKNOWN_ROUTE: it is new, and in `text`; `add_route` gives it a number. Behind the path can be read. */
#define UNKNOWN_ROUTE UINT32_MAX
uint32_t find_route(route_table *, span method, span target, int32_t status);
int add_route(route_table *, uint32_t *number); /* 0, or NO_MEMORY */

/* Whether the new route in `text` is chosen later than a known one. */
int ranks_behind(const route_table *, uint32_t number);

/* Whether one known route is chosen later than another; a declared one never is. */
int is_beyond(const route_table *, uint32_t number, uint32_t last);

#endif
