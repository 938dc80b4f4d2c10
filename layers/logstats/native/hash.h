/* Hashes of bytes. They start from a key, and multiply by it. A table's key is random, so that nobody can choose what meets
 * in one place; that of what must be the same everywhere is fixed. */
#ifndef HASH_H
#define HASH_H

#include "logstats.h"

typedef struct { uint64_t start, multiplier; } hash_key; /* the multiplier is odd */

static const hash_key FIXED_KEY = {0, UINT64_C(0x9E3779B97F4A7C15)};

static inline uint64_t mix(uint64_t hash, uint64_t word, uint64_t multiplier) {
    const unsigned __int128 product = (unsigned __int128)(hash ^ word) * multiplier;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_bytes(const uint8_t *p, size_t length, hash_key key) {
    uint64_t hash = key.start;
    for (; length >= 8; p += 8, length -= 8) hash = mix(hash, load8(p), key.multiplier);
    uint64_t tail = 0;
    memcpy(&tail, p, length);
    return mix(hash, tail, key.multiplier);
}

/* The same, where eight bytes can be read behind what is hashed. */
static inline uint64_t hash_readable(const uint8_t *p, size_t length, hash_key key) {
    uint64_t hash = key.start;
    for (; length >= 8; p += 8, length -= 8) hash = mix(hash, load8(p), key.multiplier);
    return mix(hash, length ? load8(p) & (~UINT64_C(0) >> (64 - 8 * length)) : 0, key.multiplier);
}

#endif
