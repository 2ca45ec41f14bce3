#include "gateway/access/access.h"

#include "shm/rate.h"
#include "tests/unit/access_support.h"

static void
set_up(uint64_t count, uint64_t period_s, enum config_rate_by by)
{
	const size_t size = 1 << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	shared.rates = rate_init(memory, size);
	ck_assert_ptr_nonnull(shared.rates);
	config.ratelimit_headers = RATELIMIT_HEADERS_BOTH;
	route_conf.rate_count = count;
	route_conf.rate_period_us = period_s * 1000000;
	route_conf.rate_by = by;
}

/* How many of so many requests of an address, and of a consumer (NULL: none), pass. */
static unsigned
passed(unsigned n, const char *address, const char *claims)
{
	unsigned passes = 0;

	for (unsigned i = 0; i < n; i++) {
		receive_from(address, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
		if (claims != NULL) {
			judge_active(claims);
			request.authenticated = true;
		}
		passes += limit_rate(&request) == STEP_NEXT;
	}
	return passes;
}

#define APP	"{\"client_id\":\"app\",\"sub\":\"a\"}"
#define OTHER	"{\"client_id\":\"other\",\"sub\":\"a\"}"

START_TEST(no_limit_no_lines)
{
	set_up(0, 1, RATE_BY_IP);
	ck_assert_uint_eq(passed(100, "192.0.2.1", NULL), 100);
	ck_assert_uint_eq(request.limit_fields.n, 0);
}
END_TEST

START_TEST(by_consumer_wherever_it_comes_from)
{
	set_up(5, 3600, RATE_BY_CONSUMER);
	ck_assert_uint_eq(passed(3, "192.0.2.1", APP), 3);
	ck_assert_uint_eq(passed(3, "192.0.2.2", APP), 2);
	ck_answer(429, "Retry-After: ", "rate_limit_exceeded");
	ck_assert_uint_eq(passed(6, "192.0.2.1", OTHER), 5);
	/* who is no consumer is told apart by address */
	ck_assert_uint_eq(passed(6, "192.0.2.1", NULL), 5);
	ck_assert_uint_eq(passed(6, "192.0.2.2", NULL), 5);
}
END_TEST

/* An address that is spelled like a consumer, or a consumer like an address, shares no cell. */
START_TEST(a_consumer_named_like_an_address_is_another)
{
	set_up(5, 3600, RATE_BY_CONSUMER);
	ck_assert_uint_eq(passed(6, "192.0.2.9", NULL), 5);
	ck_assert_uint_eq(passed(6, "192.0.2.1", "{\"client_id\":\"192.0.2.9\",\"sub\":\"a\"}"), 5);
}
END_TEST

START_TEST(by_address_and_by_route)
{
	set_up(5, 3600, RATE_BY_IP);
	ck_assert_uint_eq(passed(6, "192.0.2.1", APP), 5);
	ck_assert_uint_eq(passed(6, "192.0.2.1", OTHER), 0);
	ck_assert_uint_eq(passed(6, "192.0.2.2", OTHER), 5);
	set_up(5, 3600, RATE_BY_ROUTE);
	ck_assert_uint_eq(passed(3, "192.0.2.1", APP), 3);
	ck_assert_uint_eq(passed(3, "192.0.2.2", NULL), 2);
	route.id++;
	ck_assert_uint_eq(passed(3, "192.0.2.2", NULL), 3);
}
END_TEST

START_TEST(a_burst_is_its_own_number)
{
	set_up(100, 3600, RATE_BY_IP);
	route_conf.rate_burst = 2;
	ck_assert_uint_eq(passed(6, "192.0.2.1", NULL), 2);
	set_up(1000000000, 1, RATE_BY_IP);	/* more than one a microsecond */
	ck_assert_uint_gt(passed(6, "192.0.2.1", NULL), 0);
}
END_TEST

START_TEST(tells_in_the_headers_that_were_asked_for)
{
	static const char kong[] = "X-RateLimit-Limit-Hour: 5\r\nX-RateLimit-Remaining-Hour: 4\r\n"
	    "RateLimit-Limit: 5\r\nRateLimit-Remaining: 4\r\n";
	static const char ietf[] = "RateLimit-Policy: \"r\";q=5;w=3600\r\nRateLimit: \"r\";r=4;t=";

	set_up(5, 3600, RATE_BY_IP);
	passed(1, "192.0.2.1", NULL);
	ck_assert(span_holds(request.limit_fields, kong) && span_holds(request.limit_fields, ietf));
	config.ratelimit_headers = RATELIMIT_HEADERS_KONG;
	passed(1, "192.0.2.2", NULL);
	ck_assert(span_holds(request.limit_fields, kong) && !span_holds(request.limit_fields,
	    ietf));
	config.ratelimit_headers = RATELIMIT_HEADERS_IETF;
	passed(1, "192.0.2.3", NULL);
	ck_assert(!span_holds(request.limit_fields, kong) && span_holds(request.limit_fields,
	    ietf));
	config.ratelimit_headers = RATELIMIT_HEADERS_OFF;
	ck_assert_uint_eq(passed(6, "192.0.2.4", NULL), 5);
	ck_assert_uint_eq(request.limit_fields.n, 0);
	ck_assert(span_holds(request.answer.fields, "Retry-After: "));
	set_up(5, 7, RATE_BY_IP);	/* Kong has no name for seven seconds */
	passed(1, "192.0.2.1", NULL);
	ck_assert(!span_holds(request.limit_fields, "X-RateLimit"));
}
END_TEST

SUITE_RUN("access_limit", no_limit_no_lines, by_consumer_wherever_it_comes_from,
    a_consumer_named_like_an_address_is_another, by_address_and_by_route, a_burst_is_its_own_number,
    tells_in_the_headers_that_were_asked_for)
