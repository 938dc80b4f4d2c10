/* Lines with holes: templates, and how their values are found. See program.h. */
#include "program.h"

static inline void put(divided_line *d, unsigned value, span text) {
    if (value != NONE) d->values.at[value] = text;
}

const uint8_t *closing_quote(const divided_line *d, const uint8_t *at, const uint8_t *end) {
    for (;; at += 2) {
        at = next_mark(&d->marks, STRING_ENDS, at, end);
        if (at == end || *at == '"') return at;
    }
}

static inline int is_there(const literal *l, const uint8_t *at, const uint8_t *end) {
    return (size_t)(end - at) >= l->text.length && ((load8(at) ^ l->start) & l->mask) == 0 &&
        (l->text.length <= 8 || memcmp(at + 8, l->text.at + 8, l->text.length - 8) == 0);
}

/* The next text that ends a hole, which may be empty, or the end. */
static inline const uint8_t *next_text(const divided_line *d, const hole *h, const uint8_t *at, const uint8_t *end) {
    if (h->until.text.length == 0) return at;
    for (;; at++) {
        at = next_byte(&d->marks, h->set, h->first, at, end);
        if (at == end || is_there(&h->until, at, end)) return at;
    }
}

/* A value in quotes, or a dash without; returns the position after it, or NULL. */
static inline const uint8_t *fit_quoted(divided_line *d, const hole *h, const uint8_t *at, const uint8_t *end) {
    if (at == end) return NULL;
    const uint8_t *stop = at;
    if (*at == '"') {
        stop = closing_quote(d, ++at, end);
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
    if (t->rest) stop = next_text(d, h, at, end);
    else {
        if ((size_t)(end - at) < h->until.text.length) return NULL;
        stop = end - h->until.text.length;
        if (!is_there(&h->until, stop, end)) return NULL;
        if (t->separator.length && find_text(at, end, t->separator)) return NULL;
    }
    put(d, h->value, unquoted(between(at, stop)));
    return stop == end ? end : stop + h->until.text.length;
}

static inline void note_resumption(divided_line *d, const hole *h, uint32_t number, const uint8_t *at) {
    if (!h->is_resumed) return;
    d->reached = number;
    d->began[number] = at;
}

const uint8_t *fit(divided_line *d, const template *t, uint32_t known, const uint8_t *at, const uint8_t *end,
                          int is_prefix) {
    d->reached = known;
    if (known) at = d->began[known];
    else if (!starts_with(at, end, t->lead)) return NULL;
    else at += t->lead.length;
    const uint8_t *view = at; /* where the 64 marks begin that are in view: mostly several holes end with the same byte */
    uint64_t marked = 0;
    unsigned set_in_view = MAX_SETS;
    const uint32_t last = t->count - !is_prefix;
    for (uint32_t i = known; i < last; i++) {
        const hole *h = &t->holes[i];
        note_resumption(d, h, i, at);
        const uint8_t *stop;
        if (h->is_simple) { /* nearly all */
            if (set_in_view != h->set) {
                set_in_view = h->set;
                view = at;
                marked = at < end ? marks_from(&d->marks, h->set, at) : 0;
            }
            do {
                while (!marked) {
                    if ((view += ROW) >= end) return NULL;
                    marked = marks_from(&d->marks, h->set, view);
                }
                stop = view + __builtin_ctzll(marked);
                marked &= marked - 1;
                if (stop >= end) return NULL;
            } while (*stop != h->first);
            put(d, h->value, unquoted(between(at, stop)));
            at = stop + 1;
            continue;
        }
        set_in_view = MAX_SETS;
        if (h->is_quoted) {
            at = fit_quoted(d, h, at, end);
            if (!at || !is_there(&h->until, at, end)) return NULL;
        } else {
            stop = next_text(d, h, at, end);
            if (stop == end && h->until.text.length) return NULL;
            put(d, h->value, unquoted(between(at, stop)));
            at = stop;
        }
        at += h->until.text.length;
    }
    if (!is_prefix) {
        note_resumption(d, &t->holes[last], last, at);
        at = fit_last(d, t, &t->holes[last], at, end);
    }
    d->values.present = t->present;
    return at;
}
