/* Lines with holes: templates, and how their values are found. See program.h. */
#include "program.h"

static inline void put(divided_line *d, unsigned value, span text) {
    if (value != NONE) d->values.at[value] = text;
}

const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        const uint64_t bits = BITS(at, (v == '"') | (v == '\\'));
        if (!bits) {
            at += ROW;
            continue;
        }
        at += __builtin_ctzll(bits);
        if (at >= end || *at == '"') break;
        at += 2;
    }
    return at < end ? at : end;
}

static inline int is_there(const literal *l, const uint8_t *at, const uint8_t *end) {
    return (size_t)(end - at) >= l->text.length && ((load8(at) ^ l->start) & l->mask) == 0 &&
        (l->text.length <= 8 || memcmp(at + 8, l->text.at + 8, l->text.length - 8) == 0);
}

/* The next text that ends a hole, which may be empty, or the end. */
static inline const uint8_t *next_text(const hole *h, const uint8_t *at, const uint8_t *end) {
    if (h->until.text.length == 0) return at;
    view firsts = view_from(at, h->first);
    do at = next_in(&firsts, h->first, end);
    while (at < end && !is_there(&h->until, at, end));
    return at;
}

/* A value in quotes, or a dash without; returns the position after it, or NULL. */
static inline const uint8_t *fit_quoted(divided_line *d, const hole *h, const uint8_t *at, const uint8_t *end) {
    if (at == end) return NULL;
    const uint8_t *stop = at;
    if (*at == '"') {
        if (++at != d->opened) d->closed = closing_quote(d->opened = at, end);
        stop = d->closed;
        if (stop >= end) return NULL;
        put(d, h->value, between(at, stop));
    } else {
        if (*at != '-') return NULL;
        put(d, h->value, between(at, at + 1));
    }
    return stop + 1;
}

/* The last value of a line and what ends it; the same. */
static const uint8_t *fit_last(divided_line *d, const template *t, const hole *h, const uint8_t *at, const uint8_t *end) {
    if (h->is_quoted) {
        at = fit_quoted(d, h, at, end);
        if (!at || (t->rest && at == end)) return at;
        if (!is_there(&h->until, at, end)) return NULL;
        at += h->until.text.length;
        return t->rest || at == end ? at : NULL;
    }
    const uint8_t *stop;
    if (t->rest) stop = next_text(h, at, end);
    else {
        if ((size_t)(end - at) < h->until.text.length) return NULL;
        stop = end - h->until.text.length;
        if (!is_there(&h->until, stop, end)) return NULL;
        if (t->separator.length && find_text(at, end, t->separator)) return NULL;
    }
    put(d, h->value, unquoted(between(at, stop)));
    return stop == end ? end : stop + h->until.text.length;
}

static inline void note_resumption(divided_line *d, const hole *h, const uint8_t *at) {
    if (!h->resumed) return;
    d->reached = h->resumed;
    d->began[h->resumed] = at;
}

const uint8_t *fit(divided_line *d, const template *t, uint32_t known, const uint8_t *at, const uint8_t *end,
                          int is_prefix) {
    d->reached = known;
    if (known) at = d->began[known];
    else {
        d->opened = NULL;
        if (!starts_with(at, end, t->lead)) return NULL;
        at += t->lead.length;
    }
    const hole *h = &t->holes[known], *last = &t->holes[t->count - !is_prefix];
    while (h < last) {
        const uint8_t *stop;
        if (h->only != NOT_SIMPLE) { /* nearly all; mostly several end with the same byte */
            const uint16_t only = h->only;
            view ends = view_from(at, (uint8_t)only);
            do {
                note_resumption(d, h, at);
                stop = next_in(&ends, (uint8_t)only, end);
                if (stop == end) return NULL;
                put(d, h->value, unquoted(between(at, stop)));
                at = stop + 1;
            } while (++h < last && h->only == only);
            continue;
        }
        note_resumption(d, h, at);
        if (h->is_quoted) {
            at = fit_quoted(d, h, at, end);
            if (!at || !is_there(&h->until, at, end)) return NULL;
        } else {
            stop = next_text(h, at, end);
            if (stop == end && h->until.text.length) return NULL;
            put(d, h->value, unquoted(between(at, stop)));
            at = stop;
        }
        at += h->until.text.length;
        h++;
    }
    if (!is_prefix) {
        note_resumption(d, h, at);
        at = fit_last(d, t, h, at, end);
    }
    d->values.present = t->present;
    return at;
}
