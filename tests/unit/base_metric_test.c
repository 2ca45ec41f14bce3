#include "gateway/base/metric.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/base/metric_page.h"
#include "shm/counter.h"
#include "shm/names.h"

static struct counter *counters;
static struct names *names;

static void *
fresh(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void
setup(void)
{
	static const uint8_t key[16] = "a key of a test";

	counters = counter_init(fresh(counter_size()), counter_size());
	names = names_init(fresh(names_size()), names_size(), key);
	ck_assert(metric_open(counters, names, getpid()));
}

static void
teardown(void)
{
	metric_close();
}

static char *
page_text(struct metric_page *page)
{
	char *text;
	size_t n;

	ck_assert(metric_page_write(page, &text, &n));
	ck_assert_uint_eq(strlen(text), n);
	metric_page_free(&page);
	return text;
}

static char *
text_now(void)
{
	return page_text(metric_page_new(counters, names));
}

static void
expect(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	ck_assert_msg(at != NULL && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n',
	    "no line '%s' in\n%s", line, text);
}

START_TEST(counters_have_labels)
{
	uint16_t route = metric_name(SPAN("orders")), verdict = metric_name(SPAN("active"));

	metric_count(METRIC_REQUESTS, route, 200, verdict);
	metric_count(METRIC_REQUESTS, route, 200, verdict);
	metric_count(METRIC_REQUESTS, 0, 404, 0);
	metric_add(METRIC_CACHE_HITS, 40);
	metric_count(METRIC_CACHE_HITS);
	char *text = text_now();
	expect(text, "# TYPE gatehouse_requests_total counter");
	expect(text,
	    "gatehouse_requests_total{route=\"orders\",status=\"200\",verdict=\"active\"} 2");
	expect(text, "gatehouse_requests_total{route=\"\",status=\"404\",verdict=\"\"} 1");
	expect(text, "gatehouse_cache_hits_total 41");
	expect(text, "gatehouse_cache_misses_total 0");
	expect(text, "# TYPE gatehouse_workers gauge");
	ck_assert_ptr_null(strstr(text, "\ngatehouse_workers"));
	free(text);
}
END_TEST

START_TEST(histograms_add_up)
{
	metric_time_us(METRIC_REQUEST_DURATION, 100);
	metric_time_us(METRIC_REQUEST_DURATION, 101);
	metric_time_us(METRIC_REQUEST_DURATION, 9999999);
	metric_time_us(METRIC_REQUEST_DURATION, 60000000);
	char *text = text_now();
	expect(text, "# TYPE gatehouse_request_duration_seconds histogram");
	expect(text, "gatehouse_request_duration_seconds_bucket{le=\"0.0001\"} 1");
	expect(text, "gatehouse_request_duration_seconds_bucket{le=\"0.00025\"} 2");
	expect(text, "gatehouse_request_duration_seconds_bucket{le=\"5\"} 2");
	expect(text, "gatehouse_request_duration_seconds_bucket{le=\"10\"} 3");
	expect(text, "gatehouse_request_duration_seconds_bucket{le=\"+Inf\"} 4");
	expect(text, "gatehouse_request_duration_seconds_sum 70.0002");
	expect(text, "gatehouse_request_duration_seconds_count 4");
	expect(text, "gatehouse_upstream_duration_seconds_bucket{le=\"+Inf\"} 0");
	free(text);
}
END_TEST

START_TEST(measured_ones_are_added)
{
	struct metric_page *page = metric_page_new(counters, names);

	metric_page_set(page, METRIC_WORKERS, 2);
	metric_page_set(page, METRIC_RELOADS, 3, metric_name(SPAN("done")));
	metric_page_set(page, METRIC_JWKS_AGE, 1.5, metric_name(SPAN("a\"b\\c\nd")));
	char *text = page_text(page);
	expect(text, "# TYPE gatehouse_workers gauge");
	expect(text, "gatehouse_workers 2");
	expect(text, "# TYPE gatehouse_reloads_total counter");
	expect(text, "gatehouse_reloads_total{result=\"done\"} 3");
	expect(text, "gatehouse_jwks_age_seconds{issuer=\"a\\\"b\\\\c\\nd\"} 1.5");
	free(text);
}
END_TEST

START_TEST(counting_goes_on_after_a_restart)
{
	uint16_t limit = metric_name(SPAN("orders"));

	metric_count(METRIC_RATE_LIMITED, limit);
	metric_close();
	metric_count(METRIC_RATE_LIMITED, limit);	/* nobody counts this one */
	ck_assert(metric_open(counters, names, getpid()));
	ck_assert_uint_eq(metric_name(SPAN("orders")), limit);
	metric_count(METRIC_RATE_LIMITED, limit);
	char *text = text_now();
	expect(text, "gatehouse_rate_limited_total{limit=\"orders\"} 2");
	free(text);
}
END_TEST

/* Names and sentences as Prometheus's own linter wants them. */
START_TEST(table_is_sound)
{
	const struct metric_row *row = &metric_table[_i];
	const char *end = row->name + strlen(row->name);
	bool total = strlen(row->name) > 6 && strcmp(end - 6, "_total") == 0;

	ck_assert(total == (row->type == METRIC_COUNTER || row->type == METRIC_COUNTED));
	ck_assert(row->help[strlen(row->help) - 1] == '.' && strpbrk(row->help, "\\\n") == NULL);
	int labels = row->labels[0] != '\0';
	for (const char *p = row->labels; *p != '\0'; p++)
		labels += *p == ',';
	ck_assert_int_le(labels, row->type == METRIC_HISTOGRAM ? METRIC_LABELS - 1 : METRIC_LABELS);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("base_metric");
	TCase *t = tcase_create("metric");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, counters_have_labels);
	tcase_add_test(t, histograms_add_up);
	tcase_add_test(t, measured_ones_are_added);
	tcase_add_test(t, counting_goes_on_after_a_restart);
	tcase_add_loop_test(t, table_is_sound, METRIC_NONE + 1, METRIC_END);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
