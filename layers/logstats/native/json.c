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

/* The places of all bytes at which a string can end, or be wrong: quotes, backslashes, and control characters; the last
 * place is the end of the line or behind it. Found at once, because otherwise each string would wait for the one before.
 * Eight places are written at a time, more than there are, so that nothing depends on their number. */
static void find_marks(const uint8_t *line, size_t length, uint32_t *places) {
    for (size_t at = 0; at < length; at += 64) {
        vector found[4];
        for (int i = 0; i < 4; i++) {
            const vector v = load16(line + at + 16 * i);
            found[i] = (vector)(v == '"') | (vector)(v == '\\') | (vector)(v < 0x20);
        }
        uint64_t bits = bits_of(found[0], found[1], found[2], found[3]);
        const int count = __builtin_popcountll(bits);
        for (int group = 0; group < count; group += 8)
            for (int i = 0; i < 8; i++) {
                places[group + i] = (uint32_t)at + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63);
                bits &= bits - 1;
            }
        places += count;
    }
    *places = (uint32_t)length;
}

/* The closing quote of a string that has escapes, the first of which is at `*mark`; NULL if it is none. */
static const uint8_t *end_of_escaped(const uint8_t *line, const uint32_t **mark) {
    for (;;) {
        const uint8_t *p = line + **mark;
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
        while (line + **mark < p) ++*mark;
    }
}

/* The closing quote of the string whose opening one is at p, or NULL; `mark` is left there. */
static inline __attribute__((always_inline)) const uint8_t *end_of_string(const uint8_t *line, const uint32_t **mark,
                                                                          const uint8_t *p, int *escaped) {
    while (line + **mark <= p) ++*mark;
    const uint8_t *stop = line + **mark;
    *escaped = *stop != '"';
    return *escaped ? end_of_escaped(line, mark) : stop;
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

int read_json(const node *nodes, const uint8_t *line, size_t length, json_room *room, values *out) {
    static const span words[] = {{(const uint8_t *)"true", 4}, {(const uint8_t *)"false", 5}, {(const uint8_t *)"null", 4}};
    const uint8_t *p = line, *end = line + length;
    const uint32_t *mark = room->marks;
    uint8_t *scratch = room->decoded;
    level levels[DEPTH], *top = levels;
    const node *wanted;
    int escaped;

    find_marks(line, length, room->marks);
    p = skip_blanks(p, end);
    if (p == end || *p != '{') return 0;
    *top = (level){&nodes[0], 0, 0};
    p = skip_blanks(p + 1, end);
    if (p < end && *p == '}') goto close;

key:
    if (p >= end || *p != '"') return 0;
    {
        const uint8_t *stop = end_of_string(line, &mark, p++, &escaped);
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
        const uint8_t *stop = end_of_string(line, &mark, p++, &escaped);
        if (!stop) return 0;
        if (wanted && wanted->value != NONE) {
            const span text = escaped ? decoded(p, stop, scratch) : between(p, stop);
            if (escaped) scratch += text.length;
            take(out, wanted, text);
        }
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
        if (*p != 'n') take(out, wanted, between(p, p + word.length));
        p += word.length;
        break;
    }
    default: {
        const uint8_t *stop = end_of_number(p);
        if (!stop) return 0;
        take(out, wanted, between(p, stop));
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
    if (top == levels) return skip_blanks(p, end) == end;
    top--;
    goto after;
}
