/* JSON documents: all of them are checked, and the wanted values taken, in one pass. */
#include "program.h"

#define DEPTH 64

typedef struct { const node *node; uint32_t index; int is_array; } level;

static inline const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

static inline int hex_digit(uint8_t byte) {
    if (is_digit(byte)) return byte - '0';
    const unsigned letter = (unsigned)(byte | 0x20) - 'a';
    return letter < 6 ? (int)letter + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int code_unit(const uint8_t *p) {
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Quotes, backslashes and control characters. */
static inline uint64_t string_ends(const uint8_t *row) {
    return BITS(row, (v == '"') | (v == '\\') | (v < ' '));
}

/* For many searches, none of which starts before the last one: the ends of strings among the 64 bytes in view. */
typedef struct { const uint8_t *view; uint64_t ends; } cursor;

/* The first end of a string from a position on, which is before the end, or the end. */
static inline const uint8_t *seek(cursor *c, const uint8_t *from, const uint8_t *end) {
    const size_t ahead = (size_t)(from - c->view);
    if (ahead < ROW) c->ends &= UINT64_MAX << ahead;
    else *c = (cursor){from, string_ends(from)};
    while (!c->ends) {
        if ((c->view += ROW) >= end) return end;
        c->ends = string_ends(c->view);
    }
    from = c->view + __builtin_ctzll(c->ends);
    return from < end ? from : end;
}

/* The closing quote of a string that has escapes, the first of which is at p; NULL if it is none. */
static const uint8_t *end_of_escaped(const uint8_t *p, const uint8_t *end) {
    for (;;) {
        if (*p == '"') return p;
        if (*p != '\\') return NULL;
        switch (p[1]) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': p += 2; break;
        case 'u':
            if (code_unit(p + 2) < 0) return NULL;
            p += 6;
            break;
        default: return NULL;
        }
        if (p < end) p = seek(&(cursor){p, string_ends(p)}, p, end);
    }
}

/* The closing quote of the string that starts at p, behind the opening one; or NULL. */
static inline const uint8_t *end_of_string(cursor *quotes, const uint8_t *p, const uint8_t *end, int *escaped) {
    p = seek(quotes, p, end);
    *escaped = *p != '"';
    return *escaped ? end_of_escaped(p, end) : p;
}

static uint8_t *put_character(uint8_t *to, unsigned code) {
    if (code < 0x80) {
        *to++ = (uint8_t)code;
        return to;
    }
    if (code < 0x800) *to++ = (uint8_t)(0xC0 | code >> 6);
    else {
        if (code < 0x10000) *to++ = (uint8_t)(0xE0 | code >> 12);
        else {
            *to++ = (uint8_t)(0xF0 | code >> 18);
            *to++ = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    }
    *to++ = (uint8_t)(0x80 | (code & 0x3F));
    return to;
}

/* A valid string's bytes, never more than there were; a lone surrogate as if UTF-8 had it. */
static span decoded(const uint8_t *p, const uint8_t *end, uint8_t *to) {
    static const uint8_t plain[] = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n',
                                    ['r'] = '\r', ['t'] = '\t'};
    uint8_t *const start = to;
    while (p < end) {
        if (*p != '\\') *to++ = *p++;
        else if (p[1] != 'u') {
            *to++ = plain[p[1]];
            p += 2;
        } else {
            unsigned code = (unsigned)code_unit(p + 2);
            p += 6;
            if (code >> 10 == 0xD800 >> 10 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
                const unsigned low = (unsigned)code_unit(p + 2);
                if (low >> 10 == 0xDC00 >> 10) {
                    code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
                    p += 6;
                }
            }
            to = put_character(to, code);
        }
    }
    return (span){start, (size_t)(to - start)};
}

/* The end of a number that starts at p, or NULL. The byte at the end of the line is none that a number has. */
static inline const uint8_t *end_of_number(const uint8_t *p) {
    p += *p == '-';
    if (*p == '0') p++;
    else if (is_digit(*p)) while (is_digit(*p)) p++;
    else return NULL;
    if (*p == '.') {
        if (!is_digit(*++p)) return NULL;
        while (is_digit(*p)) p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        if (!is_digit(*p)) return NULL;
        while (is_digit(*p)) p++;
    }
    return p;
}

static inline const node *find_key(const node *nodes, const node *at, span key) {
    const uint64_t start = load8(key.at) & (key.length >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * key.length) - 1);
    if (!(at->filter >> filter_bit(start, key.length) & 1)) return NULL;
    for (uint32_t i = 0; i < at->key_count; i++) {
        const step *s = &at->keys[i];
        if (s->key.length == key.length && s->start == start &&
            (key.length <= 8 || memcmp(s->key.at + 8, key.at + 8, key.length - 8) == 0))
            return &nodes[s->node];
    }
    return NULL;
}

static inline const node *find_index(const node *nodes, const node *at, uint32_t index) {
    for (uint32_t i = 0; i < at->index_count; i++)
        if (at->indices[i].index == index) return &nodes[at->indices[i].node];
    return NULL;
}

static inline void take(values *out, const node *wanted, span value) {
    if (!wanted || wanted->value == NONE) return;
    out->at[wanted->value] = value;
    out->present |= UINT64_C(1) << wanted->value;
}

/* ---- Shapes ------------------------------------------------------------------------------------ */

/* Whether texts are equal, which are short. They are read up to the part in which they differ, and no further. */
static inline int has_text(const uint8_t *a, const uint8_t *b, size_t length) {
    for (; length > STRIP; a += STRIP, b += STRIP, length -= STRIP)
        if (STRIP_BITS(load_strip(a) != load_strip(b))) return 0;
    return (STRIP_BITS(load_strip(a) != load_strip(b)) & ((UINT64_C(1) << length) - 1)) == 0;
}

/* The end of a string that has escapes, the first of which is at `stop`; its value is decoded, if it is wanted. */
static __attribute__((noinline)) const uint8_t *escaped_value(const uint8_t *p, const uint8_t *stop, const uint8_t *end, uint8_t value,
                                                              values *out, uint8_t **scratch) {
    stop = end_of_escaped(stop, end);
    if (!stop || value == NONE) return stop;
    out->at[value] = decoded(p, stop, *scratch);
    *scratch += out->at[value].length;
    return stop;
}

/* Whether a document has the shape. Then its keys, brackets, commas and words are the same, and each number is one, and each string
 * ends with the quote that the next text begins with: so it is as valid as the one that was parsed, and the same values are present.
 * No text has the line feed that may be read behind the line. */
static __attribute__((noinline)) int has_shape(json *j, const uint8_t *p, const uint8_t *end, values *out) {
    const shape *s = &j->shape;
    const uint8_t *text = s->text, *view = p;
    uint64_t ends = string_ends(view);
    uint8_t *scratch = j->decoded;
    for (const piece *next = s->pieces, *last = next + s->count; next < last; next++) {
        if (!has_text(p, text, next->length)) return 0;
        text += next->length;
        p += next->length;
        if (p >= end) return 0;
        const uint8_t *stop;
        if (next->is_string) {
            const size_t ahead = (size_t)(p - view);
            if (__builtin_expect(ahead < ROW, 1)) ends &= UINT64_MAX << ahead;
            else ends = string_ends(view = p);
            while (!ends) {
                if ((view += ROW) >= end) return 0;
                ends = string_ends(view);
            }
            stop = view + __builtin_ctzll(ends);
            if (next->value != NONE) out->at[next->value] = between(p, stop);
            if (__builtin_expect(*stop == '\\', 0) && !(stop = escaped_value(p, stop, end, next->value, out, &scratch))) return 0;
        } else {
            stop = end_of_number(p);
            if (!stop) return 0;
            if (next->value != NONE) out->at[next->value] = between(p, stop);
        }
        p = stop;
    }
    out->present = s->present;
    return end - p == s->rest && has_text(p, text, s->rest);
}

/* A shape is learned while a document is parsed. `at` is where the text of the next piece begins; NULL if none is learned, because
 * there is too much of it, or a wanted value is a word, which is in no piece. */
typedef struct { shape *shape; const uint8_t *at; uint8_t *text; } learner;

static void learn_text(learner *l, const uint8_t *stop) {
    const size_t length = (size_t)(stop - l->at), left = (size_t)(l->shape->text + MAX_SHAPE_BYTES - l->text);
    if (length > left) l->at = NULL;
    else {
        memcpy(l->text, l->at, length);
        l->text += length;
        l->at = stop;
    }
}

static inline void learn_piece(learner *l, const uint8_t *start, const uint8_t *stop, const node *wanted, int is_string) {
    shape *s = l->shape;
    if (!l->at) return;
    const uint8_t *before = l->at;
    learn_text(l, start);
    if (!l->at || s->count == MAX_PIECES) {
        l->at = NULL;
        return;
    }
    s->pieces[s->count++] = (piece){(uint32_t)(start - before), wanted ? wanted->value : NONE, (uint8_t)is_string};
    l->at = stop;
}

static void learn_rest(learner *l, const uint8_t *end, uint64_t present) {
    const uint8_t *before = l->at;
    if (!before) return;
    learn_text(l, end);
    if (!l->at) return;
    l->shape->rest = (uint32_t)(end - before);
    l->shape->present = present;
}

/* ---- Documents --------------------------------------------------------------------------------- */

int read_json(json *j, const uint8_t *line, size_t length, values *out) {
    static const span words[] = {{(const uint8_t *)"true", 4}, {(const uint8_t *)"false", 5}, {(const uint8_t *)"null", 4}};
    const uint8_t *p = line, *end = line + length;
    const node *nodes = j->nodes;
    uint8_t *scratch = j->decoded;
    level levels[DEPTH], *top = levels;
    const node *wanted;
    int escaped;

    /* Where most documents differ, to compare and to learn would only take time. */
    const int may_be_known = j->misses < MAX_MISSES || j->misses % MAX_MISSES == 0;
    if (may_be_known && j->shape.rest && has_shape(j, line, end, out)) {
        j->misses = 0;
        return 1;
    }
    learner learned = {&j->shape, may_be_known ? line : NULL, j->shape.text};
    if (may_be_known) j->shape.count = j->shape.rest = 0;
    j->misses++;
    cursor quotes = {line, string_ends(line)};
    out->present = 0;
    p = skip_blanks(p, end);
    if (p == end || *p != '{') return 0;
    *top = (level){&nodes[0], 0, 0};
    p = skip_blanks(p + 1, end);
    if (p < end && *p == '}') goto close;

key:
    if (p >= end || *p != '"') return 0;
    {
        const uint8_t *stop = end_of_string(&quotes, ++p, end, &escaped);
        if (!stop) return 0;
        wanted = NULL;
        if (top->node) wanted = find_key(nodes, top->node, escaped ? decoded(p, stop, scratch) : between(p, stop));
        p = stop + 1;
        if (*p != ':') p = skip_blanks(p, end);
        if (p >= end || *p++ != ':') return 0;
        if (*p == ' ') p++;
        if (*p <= ' ') p = skip_blanks(p, end);
        goto value;
    }

element:
    wanted = top->node ? find_index(nodes, top->node, top->index) : NULL;

value:
    if (p >= end) return 0;
    if (wanted) out->present &= ~wanted->below; /* of equal keys the last counts */
    if (*p == '"') {
        const uint8_t *stop = end_of_string(&quotes, ++p, end, &escaped);
        if (!stop) return 0;
        if (wanted && wanted->value != NONE) {
            const span text = escaped ? decoded(p, stop, scratch) : between(p, stop);
            if (escaped) scratch += text.length;
            take(out, wanted, text);
        }
        learn_piece(&learned, p, stop, wanted, 1);
        p = stop + 1;
        goto after;
    }
    switch (*p) {
    case '{': case '[':
        if (++top == levels + DEPTH) return 0;
        *top = (level){wanted, 0, *p == '['};
        p = skip_blanks(p + 1, end);
        if (p >= end) return 0;
        if (*p == (top->is_array ? ']' : '}')) goto close;
        if (top->is_array) goto element;
        goto key;
    case 't': case 'f': case 'n': {
        const span word = words[*p == 't' ? 0 : *p == 'f' ? 1 : 2];
        if (!starts_with(p, end, word)) return 0;
        if (*p != 'n') {
            take(out, wanted, between(p, p + word.length));
            if (wanted) learned.at = NULL;
        }
        p += word.length;
        break;
    }
    default: {
        const uint8_t *stop = end_of_number(p);
        if (!stop) return 0;
        take(out, wanted, between(p, stop));
        learn_piece(&learned, p, stop, wanted, 0);
        p = stop;
    }
    }

after:
    if (*p <= ' ') p = skip_blanks(p, end);
    if (p >= end) return 0;
    if (*p == ',') {
        p++;
        if (*p == ' ') p++;
        if (*p <= ' ') p = skip_blanks(p, end);
        if (!top->is_array) goto key;
        top->index++;
        goto element;
    }
    if (*p != (top->is_array ? ']' : '}')) return 0;

close:
    p++;
    if (top == levels) {
        if (skip_blanks(p, end) != end) return 0;
        learn_rest(&learned, end, out->present);
        return 1;
    }
    top--;
    goto after;
}
