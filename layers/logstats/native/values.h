/* The meaning of values: times, numbers, and parts of an address. */
#ifndef VALUES_H
#define VALUES_H

#include "span.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_DAY (86400 * NS_PER_SECOND)
#define LAST_DAY 84005 /* 2199-12-31 */

enum form { ISO8601, CLF, EPOCH_S, EPOCH_MS, EPOCH_US, EPOCH_NS, FORMS };
enum unit { UNIT_S, UNIT_MS, UNIT_US, UNIT_NS, UNIT_SUFFIX, UNITS };
enum part { WHOLE, HOST, LABEL, SEGMENT, QUERY, SPLIT, PARTS };

/* Python's strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629). */
int is_utf8(const uint8_t *, size_t length);

/* No lone surrogate of a JSON string; the text is valid UTF-8 but for those. */
int is_unicode(span);
/* Not empty, no control character (Unicode category Cc), and no lone surrogate. */
int is_text(span);
size_t characters(span);

/* Days from 1970-01-01; INT32_MIN for what is not a calendar date of 1969-2200. */
int32_t day_number(unsigned year, unsigned month, unsigned day);

/* What returns, returns 1 if the text is one. Nanoseconds since 1970, cut, on a day of 1970-2199; `zone` is the offset
 * from UTC in nanoseconds where the text says none. */
int parse_time(span, enum form, int64_t zone, int64_t *ns);
/* Microseconds, rounded half-even, at most a day. */
int parse_duration(span, enum unit, uint64_t *us);
/* The same, from one time to another. */
int duration_between(int64_t start, int64_t end, uint64_t *us);

/* A part of a value: `index` from 0, or from the end if negative; `text` is the parameter's name or the separator. */
span part_of(span value, enum part, int index, span text);
/* The path of a target, without query and fragment. */
span path_of(span target);
/* The target in "METHOD target PROTOCOL". */
span target_of(span request);

/* Whether a pattern, where * is any bytes and ? is one, matches the whole value. */
int matches(span pattern, span value);

#endif
