/* Breakdowns, added and subtracted as they are encoded: see breakdown.h. */
#include "breakdown.h"
#include "hash.h"

#include <stdlib.h>

/* ---- Reading ----------------------------------------------------------------------------------- */

int open_breakdown(breakdown *b, const uint8_t *data, size_t length) {
    const uint8_t *at = data, *end = data + length;
    *b = (breakdown){0};
    if (length < 2 || at[0] != BREAKDOWN_VERSION || !at[1] || at[1] > ALL_PARTS) return BREAKDOWN_MALFORMED;
    b->parts = at[1];
    at += 2;
    if (take_number(&at, end, &b->total) || b->total > INT64_MAX) return BREAKDOWN_MALFORMED;
    for (int i = 0; i < 3; i++) {
        uint64_t bytes;
        if (!(b->parts >> i & 1)) continue;
        if (take_number(&at, end, &bytes) || bytes > (size_t)(end - at)) return BREAKDOWN_MALFORMED;
        b->part[i] = (part_bytes){at, at + bytes};
        at += bytes;
    }
    return at == end ? 0 : BREAKDOWN_MALFORMED;
}

item_reader read_items(const breakdown *b, unsigned part) {
    const part_bytes bytes = b->part[part == PART_ROUTES];
    return (item_reader){.at = bytes.at, .end = bytes.end, .is_route = part == PART_ROUTES};
}

static int is_name(const uint8_t *name, uint32_t length) {
    if (length == 1 && (name[0] == NOT_FOUND || name[0] == OTHER)) return 1;
    for (uint32_t i = 0; i < length; i++)
        if (name[i] < 0x20 || name[i] > 0x7E) return 0;
    return name[0] == '/' || name[0] == DECLARED || (name[0] >= 'A' && name[0] <= 'Z');
}

static int next_route(item_reader *in) {
    if (in->end - in->at < 3) return BREAKDOWN_MALFORMED;
    const uint32_t shared = in->at[0], rest = in->at[1];
    in->at += 2;
    if (!rest || shared > in->length || shared + rest > MAX_NAME || (size_t)(in->end - in->at) < rest ||
        (shared < in->length && in->at[0] <= in->name[shared]))
        return BREAKDOWN_MALFORMED;
    memcpy(in->name + shared, in->at, rest);
    in->length = shared + rest;
    in->at += rest;
    return is_name(in->name, in->length) ? 0 : BREAKDOWN_MALFORMED;
}

int next_item(item_reader *in) {
    if (in->at == in->end) {
        in->length = 0;
        return 0;
    }
    if (in->is_route) return next_route(in);
    const uint8_t slot = *in->at++;
    if (slot >= SLOTS || (in->length && slot <= in->name[0])) return BREAKDOWN_MALFORMED;
    in->name[0] = slot;
    in->length = 1;
    return 0;
}

int read_item(item_reader *in, cell_numbers *cell, bucket_counts *buckets, int sign) {
    const int failed = read_cell(&in->at, in->end, cell, buckets, sign);
    if (failed) return failed;
    if (cell->counts[TOTAL_REQUESTS] > INT64_MAX - in->total) return BREAKDOWN_MALFORMED;
    in->total += cell->counts[TOTAL_REQUESTS];
    return 0;
}

int compare_names(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length) {
    return compare_customers(a, a_length, b, b_length);
}

/* ---- Writing ----------------------------------------------------------------------------------- */

int write_name(item_writer *w, const uint8_t *name, uint32_t length) {
    if (reserve(w->out, 2 + (size_t)length)) return NO_MEMORY;
    uint8_t *to = w->out->bytes + w->out->length;
    if (!w->is_route) {
        *to = name[0];
        w->out->length++;
        return 0;
    }
    uint32_t shared = 0;
    while (shared < length && shared < w->length && name[shared] == w->name[shared]) shared++;
    to[0] = (uint8_t)shared;
    to[1] = (uint8_t)(length - shared);
    memcpy(to + 2, name + shared, length - shared);
    memcpy(w->name + shared, name + shared, length - shared);
    w->length = length;
    w->out->length += 2 + (size_t)(length - shared);
    return 0;
}

int append_bytes(const uint8_t *bytes, size_t length, buffer *out) {
    if (reserve(out, length)) return NO_MEMORY;
    if (length) memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
    return 0;
}

int append_number(uint64_t value, buffer *out) {
    if (reserve(out, 10)) return NO_MEMORY;
    out->length = (size_t)(write_varint(out->bytes + out->length, value) - out->bytes);
    return 0;
}

int write_head(unsigned parts, uint64_t total, buffer *out) {
    const uint8_t head[] = {BREAKDOWN_VERSION, (uint8_t)parts};
    return append_bytes(head, sizeof head, out) || append_number(total, out) ? NO_MEMORY : 0;
}

int write_part(const buffer *part, buffer *out) {
    return append_number(part->length, out) || append_bytes(part->bytes, part->length, out) ? NO_MEMORY : 0;
}

void free_workspace(workspace *w) {
    free(w->part.bytes);
    free(w->bounded.bytes);
    free(w->names.bytes);
    free(w->ranks.bytes);
}

/* ---- The bound --------------------------------------------------------------------------------- */

uint64_t route_hash(const uint8_t *name, size_t length) { return hash_bytes(name, length, FIXED_KEY); }

int by_name(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    return compare_names(a->name, a->length, b->name, b->length);
}

int compare_ranks(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    const int a_declared = a->name[0] == DECLARED, b_declared = b->name[0] == DECLARED;
    if (a_declared != b_declared) return b_declared - a_declared;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return by_name(a, b);
}

void rank_routes(ranked *routes, size_t count) { qsort(routes, count, sizeof *routes, compare_ranks); }

/* Collect the names of routes, and rank them. Returns how many there are, or what is wrong. */
static int64_t rank_items(workspace *w, item_reader in) {
    w->names.length = w->ranks.length = 0;
    cell_numbers cell;
    for (;;) {
        if (next_item(&in)) return BREAKDOWN_MALFORMED;
        if (!in.length) break;
        const ranked route = {.hash = route_hash(in.name, in.length), .length = in.length,
                              .index = (uint32_t)w->names.length};
        if (in.length > 1 && (append_bytes(in.name, in.length, &w->names) ||
                              append_bytes((const uint8_t *)&route, sizeof route, &w->ranks)))
            return NO_MEMORY;
        if (read_item(&in, &cell, NULL, 1)) return BREAKDOWN_MALFORMED;
    }
    ranked *routes = (ranked *)w->ranks.bytes;
    const size_t count = w->ranks.length / sizeof *routes;
    for (size_t i = 0; i < count; i++) routes[i].name = w->names.bytes + routes[i].index;
    if (count > MAX_ROUTES) rank_routes(routes, count);
    return (int64_t)count;
}

size_t kept_of(const ranked *routes, size_t count) {
    size_t kept = count < MAX_ROUTES ? count : MAX_ROUTES;
    while (kept < count && routes[kept].name[0] == DECLARED) kept++;
    return kept;
}

static int is_kept(const item_reader *in, const ranked *last) {
    const ranked route = {.hash = route_hash(in->name, in->length), .name = in->name, .length = in->length};
    return in->length == 1 || compare_ranks(&route, last) <= 0;
}

/* Write the routes again, those beyond the last one that is kept as OTHER. */
static int write_bounded(workspace *w, item_reader in, const ranked *last, buffer *out) {
    static const uint8_t other_name[] = {OTHER};
    cell_numbers other = {0}, cell;
    for (item_reader all = in;;) {
        if (next_item(&all)) return BREAKDOWN_MALFORMED;
        if (!all.length) break;
        const int is_other = all.length == 1 ? all.name[0] == OTHER : !is_kept(&all, last);
        if (read_item(&all, &cell, is_other ? &w->buckets : NULL, 1)) return BREAKDOWN_MALFORMED;
        if (is_other && add_numbers(&other, &cell, 1)) return BREAKDOWN_TOO_MANY;
    }
    item_writer to = {.out = out, .is_route = 1};
    for (int is_written = 0;;) {
        if (next_item(&in)) return BREAKDOWN_MALFORMED;
        if (!is_written && (in.length != 1 || in.name[0] == OTHER)) {
            is_written = 1;
            if (write_name(&to, other_name, 1) || write_cell(&other, &w->buckets, out)) return NO_MEMORY;
        }
        if (!in.length) return 0;
        const uint8_t *from = in.at;
        if (read_item(&in, &cell, NULL, 1)) return BREAKDOWN_MALFORMED;
        if ((in.length == 1 && in.name[0] == OTHER) || !is_kept(&in, last)) continue;
        if (write_name(&to, in.name, in.length) || append_bytes(from, (size_t)(in.at - from), out)) return NO_MEMORY;
    }
}

/* Bound the routes that the workspace's part holds; they may go into another buffer. */
static int bound_routes(workspace *w, const buffer **part) {
    *part = &w->part;
    if (!w->part.length) return 0;
    const item_reader in = {.at = w->part.bytes, .end = w->part.bytes + w->part.length, .is_route = 1};
    const int64_t count = rank_items(w, in);
    if (count <= MAX_ROUTES) return count < 0 ? (int)count : 0;
    const ranked *routes = (const ranked *)w->ranks.bytes;
    const size_t kept = kept_of(routes, (size_t)count);
    if (kept == (size_t)count) return 0;
    w->bounded.length = 0;
    *part = &w->bounded;
    return write_bounded(w, in, &routes[kept - 1], &w->bounded);
}

/* ---- Addition ---------------------------------------------------------------------------------- */

static int copy_item(item_reader *in, item_writer *to) {
    cell_numbers cell;
    const uint8_t *from = in->at;
    const int failed = read_item(in, &cell, NULL, 1);
    if (failed) return failed;
    if (write_name(to, in->name, in->length)) return NO_MEMORY;
    return append_bytes(from, (size_t)(in->at - from), to->out);
}

static int combine_items(workspace *w, item_reader *a, item_reader *b, int sign, item_writer *to) {
    cell_numbers cell, other;
    int failed = read_item(a, &cell, &w->buckets, 1);
    if (!failed) failed = read_item(b, &other, &w->buckets, sign);
    if (!failed) failed = add_numbers(&cell, &other, sign);
    if (failed) return failed;
    if (cell.counts[TOTAL_REQUESTS] == 0 && cell.sum == 0 && !cell.counts[CLIENT_ERRORS] &&
        !cell.counts[SERVER_ERRORS] && !cell.counts[UNTIMED_REQUESTS]) {
        forget_buckets(&w->buckets);
        return 0;
    }
    if (!is_consistent(&cell, &w->buckets)) return BREAKDOWN_NEGATIVE;
    if (write_name(to, a->name, a->length)) return NO_MEMORY;
    return write_cell(&cell, &w->buckets, to->out);
}

static int append_items(workspace *w, const breakdown *a, const breakdown *b, unsigned part, int sign) {
    item_reader left = read_items(a, part), right = read_items(b, part);
    item_writer to = {.out = &w->part, .is_route = part == PART_ROUTES};
    if (next_item(&left) || next_item(&right)) return BREAKDOWN_MALFORMED;
    while (left.length || right.length) {
        const int order = !right.length ? -1 : !left.length ? 1
            : compare_names(left.name, left.length, right.name, right.length);
        if (order > 0 && sign < 0) return BREAKDOWN_NEGATIVE;
        const int failed = order == 0 ? combine_items(w, &left, &right, sign, &to)
                                      : copy_item(order < 0 ? &left : &right, &to);
        if (failed) return failed;
        if ((order <= 0 && next_item(&left)) || (order >= 0 && next_item(&right))) return BREAKDOWN_MALFORMED;
    }
    return left.total == a->total && right.total == b->total ? 0 : BREAKDOWN_MALFORMED;
}

int next_status(status_reader *in) {
    uint64_t distance;
    if (in->at == in->end) {
        in->code = MAX_STATUS + 1;
        return 0;
    }
    if (read_entry(&in->at, in->end, &distance, &in->count) || distance > (uint64_t)(MAX_STATUS - in->code) ||
        in->count > INT64_MAX - in->total)
        return BREAKDOWN_MALFORMED;
    in->code += (int64_t)distance;
    in->total += in->count;
    return 0;
}

status_reader read_statuses(const breakdown *b) {
    return (status_reader){.at = b->part[2].at, .end = b->part[2].end, .code = -1};
}

static int append_statuses(workspace *w, const breakdown *a, const breakdown *b, int sign) {
    status_reader left = read_statuses(a), right = read_statuses(b);
    int64_t last = -1;
    if (next_status(&left) || next_status(&right)) return BREAKDOWN_MALFORMED;
    while (left.code <= MAX_STATUS || right.code <= MAX_STATUS) {
        const int64_t code = left.code < right.code ? left.code : right.code;
        const uint64_t is = left.code == code ? left.count : 0, more = right.code == code ? right.count : 0;
        if (sign < 0 && more > is) return BREAKDOWN_NEGATIVE;
        const uint64_t count = sign < 0 ? is - more : is + more;
        if (count) {
            if (append_number((uint64_t)(code - last), &w->part) || append_number(count, &w->part)) return NO_MEMORY;
            last = code;
        }
        if ((left.code == code && next_status(&left)) || (right.code == code && next_status(&right)))
            return BREAKDOWN_MALFORMED;
    }
    return left.total == a->total && right.total == b->total ? 0 : BREAKDOWN_MALFORMED;
}

static int append_parts(workspace *w, const breakdown *a, const breakdown *b, int sign, int is_bounded, buffer *out) {
    const unsigned parts = a->parts & b->parts;
    for (unsigned part = PART_SLOTS; part <= PART_STATUSES; part <<= 1) {
        if (!(parts & part)) continue;
        const buffer *written = &w->part;
        w->part.length = 0;
        int failed = part == PART_STATUSES ? append_statuses(w, a, b, sign) : append_items(w, a, b, part, sign);
        if (!failed && part == PART_ROUTES && is_bounded) failed = bound_routes(w, &written);
        if (!failed) failed = write_part(written, out);
        if (failed) return failed;
    }
    return 0;
}

int append_breakdowns(workspace *w, const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length, int sign,
                      int is_bounded, buffer *out) {
    breakdown left, right;
    if (open_breakdown(&left, a, a_length) || open_breakdown(&right, b, b_length)) return BREAKDOWN_MALFORMED;
    if (sign > 0 && right.total > INT64_MAX - left.total) return BREAKDOWN_TOO_MANY;
    /* What keeps a part was not made with what does not. */
    if (sign < 0 && (right.total > left.total || left.parts & ~right.parts)) return BREAKDOWN_NEGATIVE;
    if (!(left.parts & right.parts)) return 0;
    const uint64_t total = sign < 0 ? left.total - right.total : left.total + right.total;
    int failed = write_head(left.parts & right.parts, total, out);
    if (!failed) failed = append_parts(w, &left, &right, sign, is_bounded, out);
    if (failed) forget_buckets(&w->buckets);
    return failed;
}
