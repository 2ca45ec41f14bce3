/* How a unit test program ends: SUITE_RUN("base_span", first_test, second_test, ...). */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "gateway/base/span.h"

/* Both spans hold the same bytes; shows them where they don't. */
#define ck_assert_span(got, expected) do { \
	struct span got_ = (got), expected_ = (expected); \
	ck_assert_msg(span_eq(got_, expected_), "%s is \"%.*s\", not \"%.*s\"", #got, \
	    SPAN_ARG(got_), SPAN_ARG(expected_)); \
} while (0)

static inline int
suite_run(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 20);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define SUITE_RUN(name, ...) \
	int \
	main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		return suite_run(name, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
