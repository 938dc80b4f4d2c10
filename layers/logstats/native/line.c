/* The strict parser, rule by rule and in the order of the rejection reasons. */
#include "line.h"

#include <string.h>

typedef struct { const uint8_t *at; size_t length; } field;

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* Python's strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629). */
static int is_utf8(const uint8_t *p, size_t length) {
    const uint8_t *end = p + length;
    while (p < end) {
        const uint8_t lead = *p;
        if (lead < 0x80) { p++; continue; }
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

/* Unicode category Cc: U+0000-U+001F and U+007F-U+009F. The text is valid UTF-8. */
static int has_control(field text) {
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.at[i];
        if (byte < 0x20 || byte == 0x7F) return 1;
        if (byte == 0xC2 && text.at[i + 1] < 0xA0) return 1;
    }
    return 0;
}

static size_t characters(field text) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) count += (text.at[i] & 0xC0) != 0x80;
    return count;
}

/* A number of exactly `digits` digits, or -1. */
static int fixed_number(const uint8_t *p, int digits) {
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(p[i])) return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

int32_t day_number(int year, int month, int day) {
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1) return -1;
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (leap && month == 2)) return -1;
    /* Howard Hinnant, "chrono-compatible low-level date algorithms": days_from_civil. */
    const int y = year - (month <= 2), era = y / 400, yoe = y - era * 400;
    const int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int32_t parse_day(field date) {
    if (date.length != 10 || date.at[4] != '-' || date.at[7] != '-') return -1;
    return day_number(fixed_number(date.at, 4), fixed_number(date.at + 5, 2), fixed_number(date.at + 8, 2));
}

static int is_time(field time) {
    if (time.length != 8 || time.at[2] != ':' || time.at[5] != ':') return 0;
    const int hour = fixed_number(time.at, 2), minute = fixed_number(time.at + 3, 2),
              second = fixed_number(time.at + 6, 2);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
}

/* Plain decimal, 0 to 86 400 seconds, rounded half-even to microseconds. Returns 1 if valid. */
static int parse_duration(field text, uint64_t *us) {
    size_t point = 0;
    while (point < text.length && is_digit(text.at[point])) point++;
    const size_t fraction = point < text.length ? text.length - point - 1 : 0;
    if (point < text.length && (text.at[point] != '.' || fraction == 0)) return 0;
    if (text.length == 0) return 0;
    const uint8_t *digits = text.at + point + 1;

    uint64_t seconds = 0;
    for (size_t i = 0; i < point; i++) {
        seconds = seconds * 10 + (text.at[i] - '0');
        if (seconds > 86400) return 0;
    }
    uint64_t micros = 0;
    int beyond_zero = 0, rest_beyond_half = 0;
    for (size_t i = 0; i < fraction; i++) {
        if (!is_digit(digits[i])) return 0;
        beyond_zero |= digits[i] != '0';
        if (i < 6) micros = micros * 10 + (digits[i] - '0');
        if (i > 6) rest_beyond_half |= digits[i] != '0';
    }
    if (seconds == 86400 && beyond_zero) return 0;
    for (size_t i = fraction; i < 6; i++) micros *= 10;
    if (fraction > 6) {
        const uint8_t seventh = digits[6];
        micros += seventh > '5' || (seventh == '5' && (rest_beyond_half || (micros & 1)));
    }
    *us = seconds * 1000000 + micros;
    return 1;
}

enum reason parse_line(const uint8_t *line, size_t length, log_line *out) {
    if (length > MAX_LINE_BYTES) return TOO_LONG;
    if (!is_utf8(line, length)) return ENCODING;

    enum { DATE, TIME, CUSTOMER, PATH, STATUS, SECONDS, FIELDS };
    field fields[FIELDS];
    int count = 0;
    for (const uint8_t *at = line, *end = line + length;; ) {
        const uint8_t *space = memchr(at, ' ', (size_t)(end - at));
        const uint8_t *stop = space ? space : end;
        if (count == FIELDS) return FIELD_COUNT;
        fields[count++] = (field){at, (size_t)(stop - at)};
        if (!space) break;
        at = space + 1;
    }
    if (count != FIELDS) return FIELD_COUNT;

    const int32_t day = parse_day(fields[DATE]);
    if (day < 0 || !is_time(fields[TIME])) return TIMESTAMP;

    const field customer = fields[CUSTOMER];
    if (customer.length == 0 || characters(customer) > MAX_CUSTOMER_CHARACTERS || has_control(customer))
        return CUSTOMER_ID;

    const field path = fields[PATH];
    if (path.length == 0 || path.at[0] != '/' || has_control(path)) return REQUEST_PATH;

    const int status = fields[STATUS].length == 3 ? fixed_number(fields[STATUS].at, 3) : -1;
    if (status < 100 || status > 599) return STATUS_CODE;

    uint64_t us;
    if (!parse_duration(fields[SECONDS], &us)) return DURATION;

    *out = (log_line){customer.at, (uint32_t)customer.length, day, status, 1, us};
    return ACCEPTED;
}
