/* Templates of paths, and the routes that are known: see route.h. */
#include "route.h"

#include <stdlib.h>

/* ---- Templates --------------------------------------------------------------------------------- */

enum { LONGEST_SEGMENT = 40 };

/* What a byte of a segment is. */
enum { DIGIT = 1, HEX = 2, LOWER = 4, UPPER = 8, DASH = 16, POINT = 32, COMMA = 64, OTHER_SIGN = 128, STRANGE = 256 };

static inline unsigned kind_of(uint8_t byte) {
    if (is_digit(byte)) return DIGIT;
    if ((uint8_t)((byte | 0x20) - 'a') < 26)
        return (byte & 0x20 ? LOWER : UPPER) | ((uint8_t)((byte | 0x20) - 'a') < 6 ? HEX : 0U);
    switch (byte) {
    case '-': return DASH;
    case '.': case '_': case ':': return POINT;
    case ',': return COMMA;
    case '%': case '@': return STRANGE;
    default: return byte > 0x20 && byte < 0x7F ? OTHER_SIGN : STRANGE;
    }
}

/* Letters, a sign, digits. */
static int is_numbered(span segment) {
    const uint8_t *p = segment.at, *end = p + segment.length;
    while (p < end && (uint8_t)((*p | 0x20) - 'a') < 26) p++;
    if (p == segment.at || p == end || !(*p == '_' || *p == '-' || *p == '.' || *p == ':' || *p == '~')) return 0;
    const uint8_t *digits = ++p;
    while (p < end && is_digit(*p)) p++;
    return p == end && p > digits;
}

/* Whether a segment looks generated. */
static int is_generated(span segment) {
    if (segment.length > LONGEST_SEGMENT) return 1;
    unsigned kinds = 0, digits = 0, hexadecimal = 0, dashes = 0;
    for (size_t i = 0; i < segment.length; i++) {
        const unsigned kind = kind_of(segment.at[i]);
        kinds |= kind;
        digits += kind & DIGIT;
        hexadecimal += (kind & (DIGIT | HEX)) != 0;
        dashes += kind == DASH;
    }
    if (kinds & STRANGE) return 1;
    if (!digits) return 0;
    if (!(kinds & ~(unsigned)(DIGIT | DASH | POINT | COMMA))) return 1;
    if (hexadecimal >= 8 && hexadecimal + dashes == segment.length) return 1;
    if (is_numbered(segment)) return 1;
    if (segment.length >= 10 && kinds & UPPER && kinds & LOWER && digits >= 2) return 1;
    return segment.length >= 20 && kinds & (UPPER | LOWER) && digits * 5 >= segment.length;
}

static int append_text(route_text *to, const void *text, size_t length) {
    if (length > ROUTE_ROOM - to->length) return 0;
    memcpy(to->text + to->length, text, length);
    to->length += (uint32_t)length;
    return 1;
}

int append_template(span path, route_text *to) {
    const uint8_t *p = path.at, *end = p + path.length;
    const uint32_t limit = to->length + MAX_TEMPLATE;
    while (p < end) { /* at a slash */
        const uint8_t *start = ++p;
        while (p < end && *p != '/') p++;
        const span segment = between(start, p);
        if (!append_text(to, "/", 1)) return 0;
        if (!(is_generated(segment) ? append_text(to, "{id}", 4) : append_text(to, segment.at, segment.length))) return 0;
    }
    return to->length <= limit;
}

/* ---- Known routes ------------------------------------------------------------------------------ */

static uint32_t no_table[1]; /* in which nothing is found */

int route_table_new(route_table *t, const uint8_t *code, size_t length, hash_key key) {
    *t = (route_table){.key = key};
    const int failed = length ? declared_load(code, length, &t->declared) : 0;
    if (failed) return failed;
    t->table = no_table;
    if (reserve(&t->bytes, 2) || reserve(&t->names, FIRST_ROUTE * sizeof(route_name))) return NO_MEMORY;
    static const uint8_t special[] = {NOT_FOUND, OTHER};
    memcpy(t->bytes.bytes, special, sizeof special);
    for (uint32_t i = 0; i < FIRST_ROUTE; i++) ((route_name *)t->names.bytes)[i] = (route_name){.at = i, .length = 1};
    forget_routes(t);
    return 0;
}

void route_table_free(route_table *t) {
    declared_free(t->declared);
    free(t->bytes.bytes);
    free(t->names.bytes);
    if (t->mask) free(t->table);
}

void forget_routes(route_table *t) {
    t->bytes.length = FIRST_ROUTE;
    t->names.length = FIRST_ROUTE * sizeof(route_name);
    if (t->mask) free(t->table);
    t->table = no_table;
    t->mask = 0;
}

uint64_t route_table_memory(const route_table *t) {
    const size_t special = FIRST_ROUTE * (1 + sizeof(route_name));
    return t->bytes.length + t->names.length - special + (t->mask ? ((uint64_t)t->mask + 1) * sizeof *t->table : 0);
}

static inline const uint8_t *text_of(const route_table *t, const route_name *name, uint32_t *length) {
    const uint8_t *at = t->bytes.bytes + name->at;
    const uint32_t sign = *at == DECLARED;
    *length = name->length - sign;
    return at + sign;
}

static uint32_t look_up(const route_table *t, const uint8_t *text, uint32_t length, uint64_t hash) {
    for (uint32_t at = (uint32_t)hash & t->mask; t->table[at]; at = (at + 1) & t->mask) {
        const route_name *name = route_of_number(t, t->table[at] - 1);
        uint32_t its_length;
        if (name->hash != hash) continue;
        const uint8_t *its_text = text_of(t, name, &its_length);
        if (its_length == length && !memcmp(its_text, text, length)) return t->table[at] - 1;
    }
    return UNKNOWN_ROUTE;
}

static inline uint32_t look_up_text(const route_table *t) {
    return look_up(t, t->text.text, t->text.length, hash_readable(t->text.text, t->text.length, t->key));
}

static int is_method(span method) {
    if (method.length == 0 || method.length > MAX_METHOD) return 0;
    for (size_t i = 0; i < method.length; i++)
        if (method.at[i] < 'A' || method.at[i] > 'Z') return 0;
    return 1;
}

/* Begin with the method, if there is one. */
static inline void begin_text(route_text *to, span method) {
    to->length = 0;
    to->is_declared = 0;
    if (!method.at) return;
    memcpy(to->text, method.at, method.length);
    to->text[method.length] = ' ';
    to->length = (uint32_t)method.length + 1;
}

static uint32_t find_new_route(route_table *t, span method, span path) {
    if (t->declared && find_declared(t->declared, method, path, &t->text)) return look_up_text(t);
    begin_text(&t->text, method);
    return append_template(path, &t->text) ? look_up_text(t) : ROUTE_OTHER;
}

uint32_t find_route(route_table *t, span method, span target, int32_t status) {
    if (status == 404 || !target.at) return ROUTE_NOT_FOUND;
    if (method.at && !is_method(method)) return path_of(target).at ? ROUTE_OTHER : ROUTE_NOT_FOUND;
    /* What is a route as it is written, nearly all, is known by that: no route has a query or a host. */
    /* Without a method it is a path: a target can be a method and a path. */
    const int may_be_known = target.length > 0 && target.length <= MAX_TEMPLATE && (method.at || *target.at == '/');
    if (may_be_known && !method.at) {
        const uint32_t known = look_up(t, target.at, (uint32_t)target.length, hash_readable(target.at, target.length, t->key));
        if (known != UNKNOWN_ROUTE) return known;
    } else if (may_be_known) {
        begin_text(&t->text, method);
        append_text(&t->text, target.at, target.length);
        const uint32_t known = look_up_text(t);
        if (known != UNKNOWN_ROUTE) return known;
    }
    const span path = path_of(target);
    return path.at ? find_new_route(t, method, path) : ROUTE_NOT_FOUND;
}

static int grow_route_table(route_table *t) {
    const uint32_t mask = t->mask ? t->mask * 2 + 1 : 255;
    uint32_t *table = calloc((size_t)mask + 1, sizeof *table);
    if (!table) return NO_MEMORY;
    const uint32_t count = (uint32_t)(t->names.length / sizeof(route_name));
    for (uint32_t number = FIRST_ROUTE; number < count; number++) {
        uint32_t at = (uint32_t)route_of_number(t, number)->hash & mask;
        while (table[at]) at = (at + 1) & mask;
        table[at] = number + 1;
    }
    if (t->mask) free(t->table);
    t->table = table;
    t->mask = mask;
    return 0;
}

/* The name under which the text is stored, behind all other names. */
static int store_text(route_table *t, route_name *name) {
    const uint32_t sign = t->text.is_declared;
    if (reserve(&t->bytes, sign + t->text.length)) return NO_MEMORY;
    uint8_t *to = t->bytes.bytes + t->bytes.length;
    if (sign) *to = DECLARED;
    memcpy(to + sign, t->text.text, t->text.length);
    name->at = (uint32_t)t->bytes.length;
    name->length = sign + t->text.length;
    name->rank = route_hash(to, name->length);
    return 0;
}

int add_route(route_table *t, uint32_t *number) {
    route_name name = {.hash = hash_readable(t->text.text, t->text.length, t->key)};
    *number = (uint32_t)(t->names.length / sizeof name);
    if ((*number > t->mask / 2 && grow_route_table(t)) || store_text(t, &name) ||
        append_bytes((const uint8_t *)&name, sizeof name, &t->names))
        return NO_MEMORY;
    t->bytes.length += name.length;
    uint32_t at = (uint32_t)name.hash & t->mask;
    while (t->table[at]) at = (at + 1) & t->mask;
    t->table[at] = *number + 1;
    return 0;
}

static ranked rank_of(const route_table *t, uint32_t number) {
    const route_name *name = route_of_number(t, number);
    return (ranked){name->rank, t->bytes.bytes + name->at, name->length, number};
}

int ranks_behind(const route_table *t, uint32_t number) {
    if (t->text.is_declared) return 0;
    const ranked last = rank_of(t, number);
    const ranked found = {route_hash(t->text.text, t->text.length), t->text.text, t->text.length, 0};
    return compare_ranks(&found, &last) > 0;
}

int is_beyond(const route_table *t, uint32_t number, uint32_t last) {
    const ranked a = rank_of(t, number), b = rank_of(t, last);
    return *a.name != DECLARED && compare_ranks(&a, &b) > 0;
}
