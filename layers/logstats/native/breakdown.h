/* Breakdowns: the requests of a customer's day by half-hour, by route and by status.
 *
 * Version 1: a version byte, the parts that are kept (bits: PART_SLOTS, PART_ROUTES, PART_STATUSES), and the number of all
 * requests; then each part that is kept, in that order, as its length in bytes and its items in ascending order:
 *
 *   slots      the half-hour of the day, UTC, from 0 to 47, in a byte; its cell (cell.h)
 *   routes     how many bytes the name shares with the one before, and how many follow, a byte each; those; its cell
 *   statuses   the distance from the status code before (the first: from -1), and the number of requests
 *
 * Numbers are LEB128. A part's requests are all requests. Equal breakdowns are equal bytes. A name is up to 255 bytes: that of
 * a route, of a declared one after `=`, or NOT_FOUND or OTHER.
 *
 * Breakdowns add up item by item, and are subtracted in the same way; of two that keep different parts, the sum keeps those
 * that both keep. What one object contributes to a day has at most MAX_ROUTES routes: the declared ones, then those with the
 * smallest hashes (route_hash), of equal ones those with the smaller names; what the others have counts under OTHER. The
 * smallest of a union are among the smallest of each of its parts, so it does not matter how the object was divided.
 */
#ifndef BREAKDOWN_H
#define BREAKDOWN_H

#include "cell.h"

#ifndef MAX_ROUTES /* tests have fewer, so that they reach everything soon */
#define MAX_ROUTES 500
#endif

enum { PART_SLOTS = 1, PART_ROUTES = 2, PART_STATUSES = 4, ALL_PARTS = 7 };
enum { BREAKDOWN_VERSION = 1, SLOTS = 48, MAX_STATUS = 999, MAX_NAME = 255 };
enum { NOT_FOUND = 1, OTHER = 2, DECLARED = '=' }; /* names of a byte, and what the names of declared routes start with */

typedef struct { const uint8_t *at, *end; } part_bytes;
typedef struct {
    unsigned parts;
    uint64_t total;
    part_bytes part[3];
} breakdown;

/* Read the head of a breakdown, and find its parts; what is in these is checked as it is read. */
int open_breakdown(breakdown *, const uint8_t *data, size_t length);

/* Items of slots or routes, one by one: `length` is 0 at the end. The cell, at `cell`, is the caller's to read or to skip. */
typedef struct {
    const uint8_t *at, *end;
    int is_route;
    uint64_t total;         /* of the cells so far */
    uint32_t length;
    uint8_t name[MAX_NAME]; /* a slot's is its byte */
} item_reader;

item_reader read_items(const breakdown *, unsigned part);
int next_item(item_reader *);
int read_item(item_reader *, cell_numbers *, bucket_counts *, int sign);
int compare_names(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length);

typedef struct {
    buffer *out;
    int is_route;
    uint32_t length;
    uint8_t name[MAX_NAME];
} item_writer;

int write_name(item_writer *, const uint8_t *name, uint32_t length);

/* Status codes, one by one: `code` is MAX_STATUS + 1 at the end. */
typedef struct { const uint8_t *at, *end; int64_t code; uint64_t count, total; } status_reader;

status_reader read_statuses(const breakdown *);
int next_status(status_reader *);

int append_bytes(const uint8_t *, size_t length, buffer *out);
int append_number(uint64_t, buffer *out);

/* Append the head, then each part that is kept. */
int write_head(unsigned parts, uint64_t total, buffer *out);
int write_part(const buffer *part, buffer *out);

/* Memory that arithmetic works in; all zeros at first. */
typedef struct {
    bucket_counts buckets;
    buffer part, bounded, names, ranks;
} workspace;

void free_workspace(workspace *);

/* Append a + b (sign > 0) or a - b (sign < 0); a sum is bounded to MAX_ROUTES if asked for. Returns 0, BREAKDOWN_MALFORMED,
 * BREAKDOWN_NEGATIVE if b was not added to a, BREAKDOWN_TOO_MANY or NO_MEMORY. */
int append_breakdowns(workspace *, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign,
                      int is_bounded, buffer *out);

/* The hash that chooses routes: the same everywhere. */
uint64_t route_hash(const uint8_t *name, size_t length);
typedef struct { uint64_t hash; const uint8_t *name; uint32_t length, index; } ranked;
/* Put routes in the order in which they are chosen, declared ones first. */
void rank_routes(ranked *, size_t count);
int compare_ranks(const void *, const void *); /* of `ranked`, for qsort, as by_name */
int by_name(const void *, const void *);
/* How many of the ranked routes are kept. */
size_t kept_of(const ranked *, size_t count);

#endif
