/*
 * What the fuzz targets share. A target is one function that takes any bytes; fuzz_must() ends the
 * program when a promise of the module under test is broken. With clang's libFuzzer it is a fuzzer
 * (make fuzz T=head); with replay.c it is a program that runs over the files of its corpus.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/span.h"

#define fuzz_must(condition) \
	((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

_Noreturn static inline void
fuzz_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, condition);
	abort();
}

/* A copy in memory of exactly its size, so that a sanitizer sees one byte too many. */
static inline struct span
fuzz_copy(struct span s)
{
	char *p = malloc(s.n == 0 ? 1 : s.n);

	fuzz_must(p != NULL);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_make(p, s.n);
}

static inline void
fuzz_free(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

/* Where the first `n` bytes are cut next, by a number that the input chose. */
static inline size_t
fuzz_step(uint32_t *state, size_t left)
{
	*state = *state * 1103515245 + 12345;
	size_t step = 1 + (*state >> 16) % 37;

	return step < left ? step : left;
}

#endif
