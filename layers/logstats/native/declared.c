/* Declared routes: see route.h. */
#include "route.h"

#include <stdlib.h>

enum segment_kind { STATIC_SEGMENT, PATTERN, PARAMETER, SEGMENT_KINDS };

typedef struct {
    enum segment_kind kind;
    span text;
    uint32_t child, sibling;    /* the first child, the next sibling; 0 if none: the root is neither */
    uint32_t route;             /* 1 + the first route that ends here */
} segment_node;

typedef struct { span method, template; uint32_t next; } declared_route; /* next: 1 + another that ends there */

struct declared_routes {
    segment_node *nodes;
    declared_route *routes;
    uint32_t node_count, route_count;
    uint8_t *code;
};

typedef struct { const uint8_t *at, *end; int failed; } code_reader;

static uint32_t take_word(code_reader *in) {
    if (in->failed || in->end - in->at < 2) {
        in->failed = 1;
        return 0;
    }
    in->at += 2;
    return (uint32_t)in->at[-2] | (uint32_t)in->at[-1] << 8;
}

static span take_text(code_reader *in) {
    const uint32_t length = take_word(in);
    if (in->failed || (size_t)(in->end - in->at) < length) {
        in->failed = 1;
        return (span){in->end, 0};
    }
    in->at += length;
    return (span){in->at - length, length};
}

/* The child of a node for a segment; it is made if there is none. */
static uint32_t child_of(declared_routes *d, uint32_t parent, enum segment_kind kind, span text) {
    uint32_t *link = &d->nodes[parent].child;
    for (; *link; link = &d->nodes[*link].sibling)
        if (d->nodes[*link].kind == kind && is_equal(d->nodes[*link].text, text)) return *link;
    *link = d->node_count;
    d->nodes[d->node_count] = (segment_node){.kind = kind, .text = text};
    return d->node_count++;
}

static void load_route(declared_routes *d, code_reader *in) {
    declared_route route = {.method = take_text(in)};
    route.template = take_text(in);
    uint32_t node = 0;
    for (uint32_t segments = take_word(in); segments && !in->failed; segments--) {
        const uint32_t kind = take_word(in);
        const span text = take_text(in);
        if (kind >= SEGMENT_KINDS) in->failed = 1;
        if (!in->failed) node = child_of(d, node, (enum segment_kind)kind, text);
    }
    if (route.method.length > MAX_METHOD || route.template.length > MAX_TEMPLATE || !node) in->failed = 1;
    if (in->failed) return;
    uint32_t *link = &d->nodes[node].route;
    while (*link) link = &d->routes[*link - 1].next;
    d->routes[d->route_count++] = route;
    *link = d->route_count;
}

int declared_load(const uint8_t *code, size_t length, declared_routes **out) {
    *out = NULL;
    declared_routes *d = calloc(1, sizeof *d);
    if (!d) return NO_MEMORY;
    /* A segment takes four bytes of code, and a route six. */
    d->nodes = calloc(length / 4 + 1, sizeof *d->nodes);
    d->routes = calloc(length / 6 + 1, sizeof *d->routes);
    d->code = malloc(length + PADDING);
    if (!d->nodes || !d->routes || !d->code) {
        declared_free(d);
        return NO_MEMORY;
    }
    memcpy(d->code, code, length);
    memset(d->code + length, 0, PADDING);
    d->node_count = 1;
    code_reader in = {.at = d->code, .end = d->code + length};
    while (in.at < in.end && !in.failed) load_route(d, &in);
    if (in.failed) {
        declared_free(d);
        return PROGRAM_MALFORMED;
    }
    *out = d;
    return 0;
}

void declared_free(declared_routes *d) {
    if (!d) return;
    free(d->nodes);
    free(d->routes);
    free(d->code);
    free(d);
}

/* The first route of a node that is of a method, or else of all; of no method, the other way round. */
static const declared_route *route_at(const declared_routes *d, uint32_t first, span method) {
    const declared_route *any = NULL;
    for (uint32_t route = first; route; route = d->routes[route - 1].next) {
        const declared_route *found = &d->routes[route - 1];
        if (method.at && is_equal(found->method, method)) return found;
        if (found->method.length == 0 || (!method.at && !any)) any = found;
    }
    return any;
}

static int fits(const segment_node *node, span segment) {
    switch (node->kind) {
    case STATIC_SEGMENT: return is_equal(node->text, segment);
    case PATTERN: return matches(node->text, segment);
    default: return segment.length > 0;
    }
}

/* Below a node, at a slash of the path or at its end. A node is reached in one way, so it is looked at once. */
static const declared_route *find_below(const declared_routes *d, uint32_t node, span method, const uint8_t *at, const uint8_t *end) {
    if (at == end) return route_at(d, d->nodes[node].route, method);
    const uint8_t *start = ++at;
    while (at < end && *at != '/') at++;
    for (uint32_t child = d->nodes[node].child; child; child = d->nodes[child].sibling) {
        if (!fits(&d->nodes[child], between(start, at))) continue;
        const declared_route *found = find_below(d, child, method, at, end);
        if (found) return found;
    }
    return NULL;
}

/* The methods of RFC 9110 and RFC 5789: of a route that is declared for all, those are declared. Anyone can invent others. */
static int is_common(span method) {
    static const char *const common[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (is_equal(method, (span){(const uint8_t *)common[i], strlen(common[i])})) return 1;
    return 0;
}

int find_declared(const declared_routes *d, span method, span path, route_text *out) {
    const declared_route *found = find_below(d, 0, method, path.at, path.at + path.length);
    if (!found) return 0;
    out->length = 0;
    out->is_declared = !method.at || found->method.length > 0 || is_common(method);
    if (method.at) {
        memcpy(out->text, method.at, method.length);
        out->text[method.length] = ' ';
        out->length = (uint32_t)method.length + 1;
    }
    memcpy(out->text + out->length, found->template.at, found->template.length);
    out->length += (uint32_t)found->template.length;
    return 1;
}
