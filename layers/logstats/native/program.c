/* Programs: loaded once, then run for every line that is not plain. */
#include "program.h"

#include <stdlib.h>

enum layout { TEXT, JSON, LOGFMT, COLUMNS, LAYOUTS };
enum { TARGET = 254, PATH = 253 };          /* instead of a value's number: what a customer can also be made of */
enum { NO_DURATION, SUM, BETWEEN, DURATIONS };
enum { NO_REQUEST, REQUEST_LINE, TARGET_ALONE, REQUESTS };
enum { VERSION = 1, MAX_LIST = 8 };

typedef struct { const span *at; uint32_t count; } texts;
typedef struct { uint8_t at[MAX_LIST], count; } places; /* numbers of values, a few */
typedef struct { uint8_t value; texts globs; } condition;

struct program {
    enum layout layout;
    int is_native;
    uint32_t value_count;
    const template *templates;  /* or one, the prefix */
    uint32_t template_count;
    const span *names;          /* of logfmt and columns */
    uint8_t separator;          /* of columns */
    texts skip;
    const condition *only;
    uint32_t only_count;
    places timestamp;
    enum form form;
    int64_t zone;
    places customer;
    enum part part;
    int index;
    span part_text;
    uint8_t status;
    texts closed;
    int duration;
    places durations;           /* or the two between which it is */
    enum unit unit;
    enum form duration_form;
    int request, is_required;
    uint8_t request_value, method_value;
    int needs_target, needs_path, needs_method;

    buffer fields, field_values; /* the `#Fields:` line in force, and which value each of its columns is */
    divided_line divided;
    buffer joined;              /* of a timestamp in several values */
    span plain;                 /* the line, if it is printable ASCII */
    uint8_t line[MAX_LINE_BYTES + PADDING];    /* one at the end of its block */
    json json;
};

/* ---- Loading ----------------------------------------------------------------------------------- */

/* Code is a sequence of numbers (one, two or four bytes, little-endian) and texts (two bytes of length, then bytes). What
 * it describes is put into memory behind the program, which is large enough for any code: no structure takes more than
 * ROOM_PER_BYTE times the code that describes it. */
typedef struct {
    const uint8_t *at, *end;
    uint8_t *room, *room_end;
    uint32_t values;
    int failed;
} loader;

#define ROOM_PER_BYTE 32

static uint32_t number(loader *in, size_t bytes) {
    uint32_t value = 0;
    if (in->failed || (size_t)(in->end - in->at) < bytes) {
        in->failed = 1;
        return 0;
    }
    memcpy(&value, in->at, bytes);
    in->at += bytes;
    return value;
}

/* A number below a limit. */
static uint32_t below(loader *in, uint32_t limit) {
    const uint32_t value = number(in, 1);
    if (value >= limit) in->failed = 1;
    return in->failed ? 0 : value;
}

static uint8_t value_number(loader *in, int may_be_none) {
    const uint32_t value = number(in, 1);
    if (value >= in->values && !(may_be_none && value == NONE)) in->failed = 1;
    return (uint8_t)value;
}

/* Room for an array, zeroed; NULL if code says there is more than there can be. */
static void *room(loader *in, size_t count, size_t size) {
    const size_t wanted = (count * size + 15) / 16 * 16;
    if (in->failed || (size_t)(in->room_end - in->room) < wanted) {
        in->failed = 1;
        return NULL;
    }
    void *start = in->room;
    in->room += wanted;
    return start;
}

static span text(loader *in) {
    const uint32_t length = number(in, 2);
    if (in->failed || (size_t)(in->end - in->at) < length) {
        in->failed = 1;
        return (span){in->end, 0};
    }
    in->at += length;
    return (span){in->at - length, length};
}

/* A text that follows a value: its first bytes are compared as a word. */
static literal load_literal(loader *in) {
    literal l = {.text = text(in)};
    const size_t length = l.text.length < 8 ? l.text.length : 8;
    l.mask = length ? UINT64_MAX >> (64 - 8 * length) : 0;
    if (!in->failed) memcpy(&l.start, l.text.at, length);
    return l;
}

static texts several_texts(loader *in, uint32_t count) {
    span *list = room(in, count, sizeof *list);
    for (uint32_t i = 0; i < count && !in->failed; i++) list[i] = text(in);
    return (texts){list, count};
}

static places several_values(loader *in, int of_request) {
    places list = {.count = (uint8_t)below(in, MAX_LIST + 1)};
    for (int i = 0; i < list.count && !in->failed; i++) {
        const uint8_t next = in->at < in->end ? *in->at : NONE;
        list.at[i] = of_request && (next == TARGET || next == PATH) ? (uint8_t)number(in, 1) : value_number(in, 0);
    }
    return list;
}

/* The last hole of a template ends otherwise, so it is not shared. */
static uint32_t shared_holes(const template *a, const template *b) {
    uint32_t shared = 0;
    if (!is_equal(a->lead, b->lead)) return 0;
    while (shared < MAX_SHARED && shared + 1 < a->count && shared + 1 < b->count) {
        const hole *h = &a->holes[shared], *other = &b->holes[shared];
        if (h->value != other->value || h->is_quoted != other->is_quoted || !is_equal(h->until.text, other->until.text)) break;
        shared++;
    }
    return shared;
}

static void load_templates(loader *in, program *p) {
    p->template_count = number(in, 1);
    template *list = room(in, p->template_count, sizeof *list);
    for (uint32_t i = 0; i < p->template_count && !in->failed; i++) {
        list[i].lead = text(in);
        list[i].separator = text(in);
        list[i].rest = (int)below(in, 2);
        list[i].count = number(in, 2);
        if (list[i].count == 0) in->failed = 1;
        hole *holes = room(in, list[i].count, sizeof *holes);
        for (uint32_t j = 0; j < list[i].count && !in->failed; j++) {
            holes[j].value = value_number(in, 1);
            holes[j].is_quoted = (uint8_t)below(in, 2);
            holes[j].until = load_literal(in);
            holes[j].only = NOT_SIMPLE;
            const span until = holes[j].until.text;
            if (holes[j].value != NONE) list[i].present |= UINT64_C(1) << holes[j].value % MAX_VALUES;
            if (in->failed || until.length == 0) continue;
            holes[j].first = until.at[0];
            if (!holes[j].is_quoted && until.length == 1) holes[j].only = until.at[0];
        }
        list[i].holes = holes;
        if (i && !in->failed) list[i].shared = shared_holes(&list[i - 1], &list[i]);
    }
    for (uint32_t i = 1; i < p->template_count && !in->failed; i++)
        for (uint32_t j = 0; j < i; j++)
            if (list[i].shared < list[j].count) list[j].holes[list[i].shared].resumed = (uint8_t)list[i].shared;
    p->templates = list;
}

static const step *load_steps(loader *in, uint32_t from, uint32_t nodes, uint32_t *count, uint64_t *filter) {
    *count = number(in, 2);
    step *list = room(in, *count, sizeof *list);
    for (uint32_t i = 0; i < *count && !in->failed; i++) {
        step *s = &list[i];
        if (filter) {
            s->key = text(in);
            if (!in->failed) memcpy(&s->start, s->key.at, s->key.length < 8 ? s->key.length : 8);
            *filter |= UINT64_C(1) << filter_bit(s->start, s->key.length);
        } else s->index = number(in, 2);
        s->node = number(in, 2);
        if (s->node <= from || s->node >= nodes) in->failed = 1;
    }
    return list;
}

static void load_nodes(loader *in, program *p) {
    const uint32_t count = number(in, 2);
    if (count == 0) in->failed = 1;
    node *nodes = room(in, count, sizeof *nodes);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        nodes[i].value = value_number(in, 1);
        nodes[i].keys = load_steps(in, i, count, &nodes[i].key_count, &nodes[i].filter);
        nodes[i].indices = load_steps(in, i, count, &nodes[i].index_count, NULL);
    }
    for (uint32_t i = in->failed ? 0 : count; i--;) { /* children first */
        node *n = &nodes[i];
        if (n->value != NONE) n->below |= UINT64_C(1) << n->value;
        for (uint32_t j = 0; j < n->key_count; j++) n->below |= nodes[n->keys[j].node].below;
        for (uint32_t j = 0; j < n->index_count; j++) n->below |= nodes[n->indices[j].node].below;
    }
    p->json.nodes = nodes;
}

static void load_layout(loader *in, program *p) {
    p->layout = (enum layout)below(in, LAYOUTS);
    in->values = p->value_count = below(in, MAX_VALUES + 1);
    if (p->layout == JSON) load_nodes(in, p);
    else if (p->layout == COLUMNS) p->separator = (uint8_t)number(in, 1);
    else load_templates(in, p);
    if (p->layout == LOGFMT && p->template_count > 1) in->failed = 1;
    if (p->layout == LOGFMT || p->layout == COLUMNS) p->names = several_texts(in, p->value_count).at;
}

static void load_meaning(loader *in, program *p) {
    p->skip = several_texts(in, number(in, 1));
    p->only_count = number(in, 1);
    condition *only = room(in, p->only_count, sizeof *only);
    for (uint32_t i = 0; i < p->only_count && !in->failed; i++) {
        only[i].value = value_number(in, 0);
        only[i].globs = several_texts(in, number(in, 1));
    }
    p->only = only;
    p->timestamp = several_values(in, 0);
    p->form = (enum form)below(in, FORMS);
    p->zone = (int32_t)number(in, 4) * NS_PER_SECOND;
    if (p->zone < -NS_PER_DAY || p->zone > NS_PER_DAY) in->failed = 1;
    p->customer = several_values(in, 1);
    p->part = (enum part)below(in, PARTS);
    p->index = (int16_t)number(in, 2);
    p->part_text = text(in);
    if (p->part == SPLIT && p->part_text.length == 0) in->failed = 1;
    p->status = value_number(in, 0);
    p->closed = several_texts(in, number(in, 1));
    p->duration = (int)below(in, DURATIONS);
    p->durations = several_values(in, 0);
    if (p->duration == BETWEEN && p->durations.count != 2) in->failed = 1;
    p->unit = (enum unit)below(in, UNITS);
    p->duration_form = (enum form)below(in, FORMS);
    p->request = (int)below(in, REQUESTS);
    p->request_value = value_number(in, p->request == NO_REQUEST);
    p->method_value = value_number(in, 1);
    p->is_required = (int)below(in, 2);
    p->needs_path = p->is_required;
    for (int i = 0; i < p->customer.count; i++) {
        p->needs_target |= p->customer.at[i] == TARGET;
        p->needs_path |= p->customer.at[i] == PATH;
    }
    p->needs_target |= p->needs_path;
    if (p->timestamp.count == 0 || in->at != in->end) in->failed = 1;
}

int program_load(const uint8_t *code, size_t length, program **out) {
    *out = NULL;
    if (length > 1 << 20) return PROGRAM_MALFORMED;
    const size_t start = (sizeof(program) + 15) / 16 * 16, size = start + length * (ROOM_PER_BYTE + 1) + 8 + PADDING;
    program *p = calloc(1, size);
    if (!p) return NO_MEMORY;
    uint8_t *copy = (uint8_t *)p + size - length - PADDING;
    if (length) memcpy(copy, code, length);
    loader in = {.at = copy, .end = copy + length, .room = (uint8_t *)p + start, .room_end = copy};
    if (below(&in, VERSION + 1) != VERSION) in.failed = 1;
    p->is_native = (int)below(&in, 2);
    load_layout(&in, p);
    load_meaning(&in, p);
    if (in.failed) {
        free(p);
        return PROGRAM_MALFORMED;
    }
    *out = p;
    return 0;
}

void program_free(program *p) {
    if (!p) return;
    free(p->fields.bytes);
    free(p->field_values.bytes);
    free(p->joined.bytes);
    free(p);
}

void program_read_targets(program *p) { p->needs_target = p->needs_method = 1; }

int program_is_native(const program *p) { return p->is_native; }

/* ---- Layouts ----------------------------------------------------------------------------------- */

static inline void set(program *p, unsigned value, span text) {
    p->divided.values.at[value] = text;
    p->divided.values.present |= UINT64_C(1) << value;
}

static inline span get(const program *p, unsigned value) {
    return p->divided.values.present >> value & 1 ? p->divided.values.at[value] : (span){NULL, 0};
}

static inline int is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

enum { MISFIT, FIT, VALUES_ONLY }; /* a line has the declared form, or not, or all but a single pair */

static int read_logfmt(program *p, const uint8_t *at, const uint8_t *end) {
    if (p->template_count && !(at = fit(&p->divided, p->templates, 0, at, end, 1))) return MISFIT;
    int result = VALUES_ONLY;
    for (;;) {
        while (at < end && is_blank(*at)) at++;
        if (at >= end) return result;
        const uint8_t *start = at;
        while (at < end && *at != '=' && !is_blank(*at)) at++;
        if (at >= end || *at != '=') continue;
        const span key = between(start, at++);
        span value;
        if (at < end && *at == '"') {
            const uint8_t *stop = closing_quote(at + 1, end);
            value = between(at + 1, stop < end ? stop : end);
            at = stop < end ? stop + 1 : end;
        } else {
            start = at;
            while (at < end && !is_blank(*at)) at++;
            value = between(start, at);
        }
        result = FIT;
        for (uint32_t i = 0; i < p->value_count; i++)
            if (is_equal(p->names[i], key)) set(p, i, value);
    }
}

static int read_columns(program *p, const uint8_t *at, const uint8_t *end) {
    view separators = view_from(at, p->separator);
    for (size_t i = 0; i < p->field_values.length; i++) {
        const uint8_t *stop = next_in(&separators, p->separator, end);
        const unsigned value = p->field_values.bytes[i];
        if (value != NONE) set(p, value, unquoted(between(at, stop)));
        if (stop == end) return FIT;
        at = stop + 1;
    }
    return MISFIT;
}

static const span FIELDS = {(const uint8_t *)"#Fields:", 8};

int program_set_columns(program *p, const uint8_t *line, size_t length) {
    p->fields.length = p->field_values.length = 0;
    if (length == 0) return 0;
    if (reserve(&p->fields, length) || reserve(&p->field_values, length)) return -1;
    memcpy(p->fields.bytes, line, length);
    p->fields.length = length;
    const uint8_t *at = line, *end = line + length;
    if (starts_with(at, end, FIELDS)) at += FIELDS.length;
    for (;;) {
        while (at < end && is_blank(*at)) at++;
        if (at == end) return 0;
        const uint8_t *start = at;
        while (at < end && !is_blank(*at)) at++;
        uint8_t value = NONE;
        for (uint32_t i = 0; i < p->value_count; i++)
            if (is_equal(p->names[i], between(start, at))) value = (uint8_t)i;
        for (size_t i = 0; value != NONE && i < p->field_values.length; i++) /* of equal names the last counts */
            if (p->field_values.bytes[i] == value) p->field_values.bytes[i] = NONE;
        p->field_values.bytes[p->field_values.length++] = value;
    }
}

span program_columns(const program *p) { return (span){p->fields.bytes, p->fields.length}; }

static int read_layout(program *p, const uint8_t *line, size_t length) {
    const uint8_t *end = line + length;
    p->divided.values.present = 0;
    switch (p->layout) {
    case TEXT:
        for (uint32_t i = 0; i < p->template_count; i++)
            /* What the template before has not reached, this one does not reach either. */
            if ((i == 0 || p->divided.reached >= p->templates[i].shared) &&
                fit(&p->divided, &p->templates[i], p->templates[i].shared, line, end, 0)) return FIT;
        return MISFIT;
    case JSON: return read_json(&p->json, line, length, &p->divided.values);
    case LOGFMT: return read_logfmt(p, line, end);
    default: return read_columns(p, line, end);
    }
}

/* ---- Meaning ----------------------------------------------------------------------------------- */

static int is_wanted(const program *p) {
    for (uint32_t i = 0; i < p->only_count; i++) {
        const condition *only = &p->only[i];
        const span value = get(p, only->value);
        if (is_absent(value) || !is_unicode(value)) return 0;
        uint32_t glob = 0;
        while (glob < only->globs.count && !matches(only->globs.at[glob], value)) glob++;
        if (glob == only->globs.count) return 0;
    }
    return 1;
}

/* The values of a timestamp, joined by spaces; nowhere if one is absent. Date and time mostly stand so in the line. */
static int join_timestamp(program *p, span *whole) {
    *whole = (span){NULL, 0};
    p->joined.length = 0;
    span joined = get(p, p->timestamp.at[0]);
    if (is_absent(joined)) return 0;
    for (int i = 1; i < p->timestamp.count; i++) {
        const span next = get(p, p->timestamp.at[i]);
        if (is_absent(next)) return 0;
        const uint8_t *stop = joined.at + joined.length;
        if (p->joined.length == 0 && stop + 1 == next.at && *stop == ' ') {
            joined.length += 1 + next.length;
            continue;
        }
        const size_t before = p->joined.length ? 0 : joined.length;
        if (reserve(&p->joined, before + 1 + next.length + PADDING)) return -1;
        uint8_t *to = p->joined.bytes + p->joined.length;
        memcpy(to, joined.at, before);
        to[before] = ' ';
        memcpy(to + before + 1, next.at, next.length);
        p->joined.length += before + 1 + next.length;
        joined = (span){p->joined.bytes, p->joined.length};
    }
    *whole = joined;
    return 0;
}

static span read_target(const program *p) {
    span target = p->request == NO_REQUEST ? (span){NULL, 0} : get(p, p->request_value);
    if (!is_absent(target) && p->request == REQUEST_LINE) target = target_of(target);
    return is_absent(target) ? (span){NULL, 0} : target;
}

/* What is before the target, or in a value of its own. */
static span read_method(const program *p) {
    const uint8_t value = p->request == REQUEST_LINE ? p->request_value : p->method_value;
    if (value == NONE) return (span){NULL, 0};
    span method = get(p, value);
    if (p->request == REQUEST_LINE && !is_absent(method)) {
        const uint8_t *space = find(method.at, method.at + method.length, ' ');
        if (space) method = between(method.at, space);
    }
    return is_absent(method) ? (span){NULL, 0} : method;
}

/* A value of a plain line is text; those that were decoded are elsewhere. */
static inline int is_plain_value(const program *p, span value) {
    return (uintptr_t)value.at - (uintptr_t)p->plain.at < p->plain.length;
}

/* Returns 1 if the customer is one. */
static int read_customer(const program *p, span target, span path, span *customer) {
    static const uint8_t nobody[PADDING] = "-";
    for (int i = 0; i < p->customer.count; i++) {
        const uint8_t name = p->customer.at[i];
        span value = name == TARGET ? target : name == PATH ? path : get(p, name);
        if (is_absent(value)) continue;
        if (p->part != WHOLE) {
            if (!is_plain_value(p, value) && !is_unicode(value)) return 0;
            value = part_of(value, p->part, p->index, p->part_text);
            if (is_absent(value)) continue;
        }
        *customer = value;
        return (is_plain_value(p, value) || is_text(value)) && (value.length <= MAX_CUSTOMER_CHARACTERS || characters(value) <= MAX_CUSTOMER_CHARACTERS);
    }
    *customer = (span){nobody, 1};
    return 1;
}

/* 0 if it is none. */
static int read_status(const program *p) {
    span text = get(p, p->status);
    if (!text.at) text.at = p->line;
    for (uint32_t i = 0; i < p->closed.count; i++)
        if (is_equal(p->closed.at[i], text)) return 499;
    if (text.length != 3 || text.at[0] < '1' || text.at[0] > '5' || !is_digit(text.at[1]) || !is_digit(text.at[2])) return 0;
    return (text.at[0] - '0') * 100 + (text.at[1] - '0') * 10 + text.at[2] - '0';
}

/* Returns 1 if it is one, or if there is none. */
static int read_duration(const program *p, calendar *c, int status, int *timed, uint64_t *us) {
    *timed = 0;
    *us = 0;
    if (p->duration == NO_DURATION || status == 101) return 1; /* 101: how long the connection lasted */
    const int is_sum = p->duration == SUM;
    int is_valid = 1;
    for (int i = 0; i < p->durations.count; i++) {
        const span value = get(p, p->durations.at[i]);
        uint64_t more = 0;
        if (!is_sum || !read_short_duration(value, shift_of(p->unit), &more)) {
            if (is_absent(value) || (value.length == 2 && value.at[0] == '-' && value.at[1] == '1')) {
                *us = 0;
                return 1;
            }
            if (is_sum) is_valid &= parse_duration(value, p->unit, &more);
        }
        *us += more;
    }
    *timed = 1;
    if (p->duration == BETWEEN) {
        int64_t start, end;
        return parse_time(get(p, p->durations.at[0]), p->duration_form, p->zone, c, &start) &&
            parse_time(get(p, p->durations.at[1]), p->duration_form, p->zone, c, &end) && duration_between(start, end, us);
    }
    return is_valid && *us <= MAX_DURATION_US;
}

static int read_request(program *p, calendar *c, log_line *out) {
    int64_t ns;
    span timestamp, customer;
    if (join_timestamp(p, &timestamp)) return LINE_FAILED;
    if (!timestamp.at || !parse_time(timestamp, p->form, p->zone, c, &ns) || ns > c->latest) return TIMESTAMP;
    const span target = p->needs_target ? read_target(p) : (span){NULL, 0};
    const span path = p->needs_path && target.at ? path_of(target) : (span){NULL, 0};
    if (!read_customer(p, target, path, &customer)) return CUSTOMER_ID;
    if (p->is_required && !(path.at && is_text(path))) return REQUEST_PATH;
    if (!(out->status = read_status(p))) return STATUS_CODE;
    if (!read_duration(p, c, out->status, &out->timed, &out->duration_us)) return DURATION;
    out->customer = customer.at;
    out->customer_length = (uint32_t)customer.length;
    out->day = (int32_t)(ns / NS_PER_DAY);
    out->second = (int32_t)(ns % NS_PER_DAY / NS_PER_SECOND);
    out->target = target;
    out->method = target.at && p->needs_method ? read_method(p) : (span){NULL, 0};
    return ACCEPTED;
}

static int is_ascii(const uint8_t *line, size_t length) {
    uint8_t some = 0;
    if (length < 16) {
        for (size_t i = 0; i < length; i++) some |= line[i];
        return some < 0x80;
    }
    vector all = load16(line + length - 16);
    for (size_t i = 0; i + 16 <= length; i += 16) all |= load16(line + i);
    return first_of((vector)(all >= 0x80)) == 16;
}

int program_run(program *p, const uint8_t *line, size_t length, int is_plain, const uint8_t *readable, calendar *c,
                log_line *out) {
    const uint8_t *end = line + length;
    if (p->layout == COLUMNS && starts_with(line, end, FIELDS))
        return program_set_columns(p, line, length) ? LINE_FAILED : SKIPPED;
    for (uint32_t i = 0; i < p->skip.count; i++)
        if (starts_with(line, end, p->skip.at[i])) return SKIPPED;
    if (length > MAX_LINE_BYTES) return TOO_LONG;
    if (readable - end < PADDING) {
        memset(p->line + length, 0, PADDING);
        line = memcpy(p->line, line, length);
    }
    if (!is_plain && !is_ascii(line, length) && !is_utf8(line, length)) return ENCODING;
    p->plain = (span){line, is_plain ? length : 0};
    const int fits = read_layout(p, line, length);
    if (fits == MISFIT) return LAYOUT;
    if (p->only_count && !is_wanted(p)) return SKIPPED;
    return fits == FIT ? read_request(p, c, out) : LAYOUT;
}
