/* What one log line says, as the strict parser and the fast path both report it. */
#ifndef LINE_H
#define LINE_H

#include "logstats.h"

typedef struct {
    const uint8_t *customer;
    uint32_t customer_length;
    int32_t day;
    int32_t status;
    int timed;            /* 0: the request has no duration */
    uint64_t duration_us; /* of a timed one */
} log_line;

/* The strict parser: every rule of the format, for a line without LF and trailing CR. */
enum reason parse_line(const uint8_t *line, size_t length, log_line *out);

/* Days from 1970-01-01, or -1 for what is not a calendar date of 1970-2199. */
int32_t day_number(int year, int month, int day);

#endif
