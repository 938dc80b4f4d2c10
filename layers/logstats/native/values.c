/* The meaning of values: see values.h. */
#include "values.h"

/* ---- Text -------------------------------------------------------------------------------------- */

int is_utf8(const uint8_t *p, size_t length) {
    const uint8_t *end = p + length;
    while (p < end) {
        const uint8_t lead = *p;
        if (lead < 0x80) {
            if (end - p >= 8 && !(load8(p) & HIGH)) p += 8; else p++;
            continue;
        }
        int more;
        uint8_t low = 0x80, high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) more = 1;
        else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            if (lead == 0xE0) low = 0xA0;
            if (lead == 0xED) high = 0x9F;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            if (lead == 0xF0) low = 0x90;
            if (lead == 0xF4) high = 0x8F;
        } else return 0;
        if (end - p <= more || p[1] < low || p[1] > high) return 0;
        for (int i = 2; i <= more; i++)
            if ((p[i] & 0xC0) != 0x80) return 0;
        p += more + 1;
    }
    return 1;
}

/* U+0000-U+001F and U+007F-U+009F. The text is valid UTF-8, but for surrogates. */
int is_text(span text) {
    size_t i = 0;
    while (i < text.length) {
        const vector v = load16(text.at + i);
        const unsigned plain = first_of((vector)(v < 0x20) | (vector)(v >= 0x7F));
        i += plain;
        if (plain == 16 || i >= text.length) continue;
        const uint8_t byte = text.at[i];
        if (byte < 0x20 || byte == 0x7F) return 0;
        if (byte == 0xC2 && text.at[i + 1] < 0xA0) return 0;
        if (byte == 0xED && text.at[i + 1] >= 0xA0) return 0;
        i += byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    }
    return text.length > 0;
}

size_t characters(span text) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) count += (text.at[i] & 0xC0) != 0x80;
    return count;
}

int is_unicode(span text) {
    const uint8_t *p = text.at, *end = p + text.length;
    while ((p = find(p, end, 0xED)))
        if (*++p >= 0xA0) return 0;
    return 1;
}

int matches(span pattern, span value) {
    size_t p = 0, v = 0, star = SIZE_MAX, from = 0;
    while (v < value.length) {
        if (p < pattern.length && pattern.at[p] == '*') {
            star = p++;
            from = v;
        } else if (p < pattern.length && (pattern.at[p] == '?' || pattern.at[p] == value.at[v])) {
            p++;
            v++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            v = ++from;
        } else return 0;
    }
    while (p < pattern.length && pattern.at[p] == '*') p++;
    return p == pattern.length;
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

static const uint64_t POWERS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000), UINT64_C(10000000000000),
    UINT64_C(100000000000000), UINT64_C(1000000000000000), UINT64_C(10000000000000000),
    UINT64_C(100000000000000000), UINT64_C(1000000000000000000)};

/* An exact decimal number, as its integer part (at most UINT64_MAX) and how the rest compares. */
enum rest { NOTHING, BELOW_HALF, HALF, ABOVE_HALF };
typedef struct { uint64_t whole; enum rest rest; } decimal;

static inline uint64_t shifted(uint64_t number, unsigned digit) {
    return number > (UINT64_MAX - 9) / 10 ? UINT64_MAX : number * 10 + digit;
}

/* The number with these digits, of which `point` come before the point. */
static decimal scaled(const uint8_t *p, const uint8_t *end, int64_t point) {
    decimal out = {0, NOTHING};
    int64_t place = 0;
    int next = 0, sticky = 0;
    for (; p < end; p++) {
        if (*p == '.') continue;
        const unsigned digit = *p - '0';
        if (place < point) out.whole = shifted(out.whole, digit);
        else if (place == point) next = (int)digit;
        else sticky |= digit != 0;
        place++;
    }
    for (; place < point && out.whole && out.whole < UINT64_MAX; place++) out.whole = shifted(out.whole, 0);
    if (next == 5 && !sticky) out.rest = HALF;
    else if (next >= 5) out.rest = ABOVE_HALF;
    else if (next || sticky) out.rest = BELOW_HALF;
    return out;
}

/* Digits with at most one point, and perhaps an exponent, times ten to `shift`. */
static int parse_number(span text, int shift, decimal *out) {
    const uint8_t *p = text.at, *end = p + text.length, *point = NULL;
    uint64_t mantissa = 0;
    for (; p < end; p++) {
        const unsigned digit = (unsigned)*p - '0';
        if (digit < 10) mantissa = mantissa * 10 + digit;
        else if (*p == '.' && !point) point = p;
        else break;
    }
    const ptrdiff_t digits = p - text.at - (point != NULL);
    if (digits <= 0) return 0;
    const ptrdiff_t decimals = point ? p - point - 1 : 0;
    if (p == end && digits <= 18) { /* nearly all */
        const ptrdiff_t power = shift - decimals;
        if (power >= 0 && digits + power <= 19) {
            *out = (decimal){mantissa * POWERS[power], NOTHING};
            return 1;
        }
        if (power < 0 && power >= -18) {
            const uint64_t unit = POWERS[-power], half = unit / 2, rest = mantissa % unit;
            *out = (decimal){mantissa / unit, rest == 0 ? NOTHING : rest < half ? BELOW_HALF : rest == half ? HALF : ABOVE_HALF};
            return 1;
        }
    }
    const uint8_t *mantissa_end = p;
    int64_t exponent = 0;
    if (p < end) {
        if (*p != 'e' && *p != 'E') return 0;
        const int negative = ++p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (p == end) return 0;
        for (; p < end; p++) {
            if (!is_digit(*p)) return 0;
            if (exponent < 1000000) exponent = exponent * 10 + (*p - '0');
        }
        if (negative) exponent = -exponent;
    }
    *out = scaled(text.at, mantissa_end, digits - decimals + exponent + shift);
    return 1;
}

static int rounds_up(decimal number) {
    return number.rest == ABOVE_HALF || (number.rest == HALF && (number.whole & 1));
}

int parse_duration(span text, enum unit unit, uint64_t *us) {
    if (unit == UNIT_SUFFIX) {
        if (text.length < 2 || text.at[text.length - 1] != 's') return 0;
        unit = UNIT_S;
        text.length--;
        const uint8_t before = text.at[text.length - 1];
        if (before == 'n' || before == 'u' || before == 'm') {
            unit = before == 'n' ? UNIT_NS : before == 'u' ? UNIT_US : UNIT_MS;
            text.length--;
        } else if (before == 0xB5 && text.length > 2 && text.at[text.length - 2] == 0xC2) { /* the micro sign */
            unit = UNIT_US;
            text.length -= 2;
        }
    }
    decimal number;
    if (!parse_number(text, shift_of(unit), &number)) return 0;
    if (number.whole > MAX_DURATION_US || (number.whole == MAX_DURATION_US && number.rest != NOTHING)) return 0;
    *us = number.whole + (uint64_t)rounds_up(number);
    return 1;
}

int duration_between(int64_t start, int64_t end, uint64_t *us) {
    if (end < start) return 0;
    const uint64_t ns = (uint64_t)(end - start);
    if (ns > MAX_DURATION_US * 1000) return 0;
    const unsigned rest = (unsigned)(ns % 1000);
    *us = ns / 1000;
    *us += rest > 500 || (rest == 500 && (*us & 1));
    return 1;
}

/* ---- Times ------------------------------------------------------------------------------------- */

/* Days from 1970-01-01; INT32_MIN for what is not a calendar date of 1969-2200. */
static int32_t day_number(unsigned year, unsigned month, unsigned day) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    if (year < 1969 || year > 2200 || month < 1 || month > 12 || day < 1) return INT32_MIN;
    const unsigned is_leap = year % 4 == 0 && year % 100 != 0 ? 1 : year == 2000;
    if (day > lengths[month - 1] + (month == 2 ? is_leap : 0)) return INT32_MIN;
    const unsigned leap_days = (year - 1969) / 4 - (year > 2100) + (is_leap && month > 2);
    return (int32_t)(365 * year + leap_days + before[month - 1] + day) - (365 * 1970 + 1);
}

/* Two digits; whatever is none makes the result at least 1000. */
static inline unsigned two_digits(const uint8_t *p) {
    const unsigned tens = (unsigned)p[0] - '0', units = (unsigned)p[1] - '0';
    return tens > 9 || units > 9 ? 1000 : tens * 10 + units;
}

int32_t iso_day(const uint8_t *p) {
    const uint64_t text = load8(p), digits = text & UINT64_C(0x00FFFF00FFFFFFFF), pairs = digit_pairs(text);
    if (text - digits != UINT64_C(0x2D00002D00000000) || not_digits(digits | UINT64_C(0x3000003000000000))) return INT32_MIN;
    return day_number((pairs & 0xFF) * 100 + (pairs >> 16 & 0xFF), pairs >> 40 & 0xFF, two_digits(p + 8));
}

/* The month of "/Sep"; 0 if it is none. */
static unsigned month_of(const uint8_t *p) {
    static const char names[] = "/Jan/Feb/Mar/Apr/May/Jun/Jul/Aug/Sep/Oct/Nov/Dec/";
    unsigned found = 0;
    for (unsigned month = 0; month < 12; month++)
        found |= (unsigned)(load4(p) == load4((const uint8_t *)names + 4 * month)) << (month + 1);
    return found ? (unsigned)__builtin_ctz(found) : 0;
}

int32_t clf_day(const uint8_t *p) {
    if (p[6] != '/') return INT32_MIN;
    return day_number(two_digits(p + 7) * 100 + two_digits(p + 9), month_of(p + 2), two_digits(p));
}

/* What follows the seconds: a fraction, and a zone. */
static int parse_rest(const uint8_t *p, const uint8_t *end, int comma, int64_t *fraction, int64_t *zone) {
    *fraction = 0;
    if (p < end && (*p == '.' || (comma && *p == ','))) {
        const uint64_t text = load8(++p), others = not_digits(text);
        const ptrdiff_t found = others ? __builtin_ctzll(others) >> 3 : 8, digits = found < end - p ? found : end - p;
        if (digits == 0) return 0;
        *fraction = (int64_t)(eight_digits(text << (64 - 8 * digits)) * POWERS[9 - digits]);
        p += digits;
        if (digits == 8 && p < end && is_digit(*p)) *fraction += *p - '0';
        while (p < end && is_digit(*p)) p++; /* cut */
    }
    if (p == end) return 1;
    if (*p == ' ') p++;
    if (end - p == 1 && *p == 'Z') {
        *zone = 0;
        return 1;
    }
    const ptrdiff_t length = end - p;
    if (length == 5 && load4(p) == load4((const uint8_t *)"+000") && p[4] == '0') {
        *zone = 0;
        return 1;
    }
    if ((length != 3 && length != 5 && length != 6) || (*p != '+' && *p != '-')) return 0;
    if (length == 6 && p[3] != ':') return 0;
    const unsigned hours = two_digits(p + 1), minutes = length == 3 ? 0 : two_digits(end - 2);
    if (hours > 23 || minutes > 59) return 0;
    *zone = (int64_t)(hours * 60 + minutes) * 60 * NS_PER_SECOND;
    if (*p == '-') *zone = -*zone;
    return 1;
}

int parse_time(span text, enum form form, int64_t zone, calendar *calendar, int64_t *ns) {
    if (form >= EPOCH_S) {
        decimal number;
        if (!parse_number(text, 9 - 3 * (form - EPOCH_S), &number)) return 0;
        if (number.whole >= (uint64_t)(LAST_DAY + 1) * (uint64_t)NS_PER_DAY) return 0;
        *ns = (int64_t)number.whole;
        return 1;
    }
    const int is_iso = form == ISO8601;
    const uint8_t *p = text.at, *end = p + text.length, *clock = p + 12 - is_iso;
    if (end - clock < 8 || (is_iso ? p[10] != 'T' && p[10] != ' ' : p[11] != ':')) return 0;
    const int32_t day = day_of(calendar, is_iso, p), second = clock_second(clock);
    int64_t fraction;
    if (day == INT32_MIN || second < 0) return 0;
    if (!parse_rest(clock + 8, end, is_iso, &fraction, &zone)) return 0;
    *ns = (day * INT64_C(86400) + second) * NS_PER_SECOND + fraction - zone;
    return *ns >= 0 && *ns < (LAST_DAY + 1) * NS_PER_DAY;
}

/* ---- Addresses --------------------------------------------------------------------------------- */

static const span NOWHERE = {NULL, 0};
static const uint8_t SLASH[PADDING + 1] = "/";

static inline int is_letter(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }

/* The first of three bytes, or the end. */
static inline const uint8_t *first_stop(const uint8_t *p, const uint8_t *end, uint8_t a, uint8_t b, uint8_t c) {
    for (; p < end; p += 16) {
        const vector v = load16(p);
        const unsigned stop = first_of((vector)(v == a) | (vector)(v == b) | (vector)(v == c));
        if (stop < 16) return p + stop < end ? p + stop : end;
    }
    return end;
}

/* The authority of an absolute URL, whose start is `scheme://`; or nowhere. */
static span authority_of(span value) {
    const uint8_t *p = value.at, *end = p + value.length;
    if (value.length == 0 || !is_letter(*p)) return NOWHERE;
    if (value.length >= 4 && load4(p) == load4((const uint8_t *)"http")) p += 4;
    while (p < end && *p != ':' && (is_letter(*p) || is_digit(*p) || *p == '+' || *p == '-' || *p == '.')) p++;
    if (end - p < 3 || p[0] != ':' || p[1] != '/' || p[2] != '/') return NOWHERE;
    return between(p + 3, first_stop(p + 3, end, '/', '?', '#'));
}

span path_of(span target) {
    const uint8_t *end = target.at + target.length, *start = target.at;
    if (target.length == 0) return NOWHERE;
    if (*start != '/') {
        const span authority = authority_of(target);
        if (!authority.at) return NOWHERE;
        start = authority.at + authority.length;
    }
    const uint8_t *stop = first_stop(start, end, '?', '#', '#');
    return stop == start ? (span){SLASH, 1} : between(start, stop);
}

span target_of(span request) {
    const uint8_t *end = request.at + request.length, *space = find(request.at, end, ' '), *last = end;
    if (request.length > 8 && !bytes_equal(load8(end - 8), ' ')) last -= 8; /* the protocol */
    if (!space) return NOWHERE;
    while (*--last != ' ') {}
    return between(space + 1, last == space ? end : last);
}

static span host_of(span value) {
    if (value.length && value.at[0] == '/') return NOWHERE;
    span host = authority_of(value);
    if (!host.at) {
        const uint8_t *slash = find(value.at, value.at + value.length, '/');
        host = slash ? between(value.at, slash) : value;
    }
    const uint8_t *end = host.at + host.length, *p = host.at;
    for (const uint8_t *sign = p; (sign = find(sign, end, '@'));) p = ++sign;
    host = between(p, end);
    if (find(p, end, ' ')) return NOWHERE; /* "- -", of a request without a target */
    if (host.length && *p == '[') {
        const uint8_t *bracket = find(p, end, ']');
        if (bracket) return between(p, bracket + 1);
    }
    const uint8_t *colon = find(p, end, ':');
    return colon ? between(p, colon) : host;
}

/* Of IPv4, which ends in a number, or of IPv6 in brackets. */
static int is_address(span host) {
    const uint8_t *digit = host.at + host.length;
    if (!host.length || *host.at == '[') return host.length > 0;
    while (digit > host.at && is_digit(digit[-1])) digit--;
    return digit < host.at + host.length && (digit == host.at || digit[-1] == '.');
}

/* A piece of what is divided by a separator: from 0, or from the end if negative. */
static span piece_of(span value, span separator, int index) {
    const uint8_t *p = value.at, *end = p + value.length;
    if (index < 0) {
        for (const uint8_t *next = p; (next = find_text(next, end, separator)); next += separator.length) index++;
        if (++index < 0) return NOWHERE;
    }
    for (; index; index--) {
        if (!(p = find_text(p, end, separator))) return NOWHERE;
        p += separator.length;
    }
    const uint8_t *stop = find_text(p, end, separator);
    return between(p, stop ? stop : end);
}

static span parameter_of(span value, span name) {
    const uint8_t *p = value.at, *end = p + value.length, *fragment = find(p, end, '#');
    if (fragment) end = fragment;
    p = find(p, end, '?');
    while (p) {
        p++;
        const uint8_t *next = find(p, end, '&'), *stop = next ? next : end;
        if (starts_with(p, stop, name)) {
            const uint8_t *equals = p + name.length;
            if (equals == stop) return between(stop, stop);
            if (*equals == '=') return between(equals + 1, stop);
        }
        p = next;
    }
    return NOWHERE;
}

span part_of(span value, enum part part, int index, span text) {
    static const span dot = {(const uint8_t *)".", 1}, slash = {SLASH, 1};
    switch (part) {
    case HOST: return host_of(value);
    case LABEL:
        value = host_of(value);
        return value.at && !is_address(value) ? piece_of(value, dot, index) : NOWHERE;
    case SEGMENT:
        value = path_of(value);
        return value.at ? piece_of((span){value.at + 1, value.length - 1}, slash, index) : NOWHERE;
    case QUERY: return parameter_of(value, text);
    case SPLIT: return piece_of(value, text, index);
    default: return value;
    }
}
