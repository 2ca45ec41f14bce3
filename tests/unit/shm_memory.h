#ifndef TESTS_SHM_MEMORY_H
#define TESTS_SHM_MEMORY_H

/* What the tests of shared structures have in common: zeroed shared memory, keys, digests, forks. */

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/hash.h"

static const uint8_t memory_key[16] = "0123456789abcdef";

static inline void *
memory_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static inline void
memory_free(void *memory, size_t size)
{
	munmap(memory, size);
}

/* A digest as uniform as SHA-256 would make it, of a number. */
static inline const uint8_t *
memory_digest(uint8_t digest[32], uint64_t n)
{
	uint64_t words[4];
	int i;

	for (i = 0; i < 4; i++)
		words[i] = hash_mix64(n * 4 + (uint64_t)i + 1);
	memcpy(digest, words, 32);
	return digest;
}

/* Runs one suite of one case and answers as main does. */
static inline int
memory_run(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;
	size_t i;

	for (i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define MEMORY_RUN(name, ...)                                               \
	int main(void)                                                      \
	{                                                                   \
		const TTest *const tests[] = { __VA_ARGS__ };               \
		return memory_run(name, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
