/* A pool of connections and one server that plays a script, for the tests of the pool. */
#ifndef TESTS_UNIT_FETCH_POOL_SUPPORT_H
#define TESTS_UNIT_FETCH_POOL_SUPPORT_H

#include "tests/unit/fetch_support.h"

static struct server server;
static struct fetch_pool *pool;
static char ca_file[] = "/tmp/gatehouse-test-XXXXXX";

static struct fetch_pool_limits limits;

static void
set_up(void)
{
	server_start(&server);
	pool = fetch_pool_new(NULL, &limits);
	ck_assert_ptr_nonnull(pool);
}

static void
tear_down(void)
{
	const struct fetch_pool_counts *counts = fetch_pool_counts(pool);

	ck_assert_uint_eq(counts->in_flight, 0);
	fetch_pool_free(&pool);
	ck_assert_ptr_null(pool);
	server_stop(&server);
	unlink(ca_file);
}

/* Plays this script to who comes; TLS when a certificate's name is given. */
#define PLAY(...) do { \
	limits = FETCH_POOL_USUAL; \
	server = (struct server){ .script = { __VA_ARGS__ } }; \
} while (0)

static void
use_tls(const char *name, int version)
{
	int fd = mkstemp(ca_file);

	close(fd);
	server.tls = make_certificate(name, ca_file);
	SSL_CTX_set_max_proto_version(server.tls, version);
}

static struct fetch *
begin_at(const char *origin, struct fetch_request r)
{
	char url[256];

	snprintf(url, sizeof(url), "%s:%d/introspect", origin, server.port);
	r.url = url;
	r.pool = pool;
	r.max_bytes = 1000;
	if (r.timeout_ms == 0)
		r.timeout_ms = 5000;
	if (strncmp(origin, "https", 5) == 0)
		r.ca_file = ca_file;
	return fetch_begin(&r, test_ms());
}

/* One fetch: its failure, which is FINE for any whole answer. */
static enum fetch_failure
ask(const char *origin)
{
	struct fetch *f = begin_at(origin, (struct fetch_request){ .form = SPAN("token=x") });
	enum fetch_failure failure;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(pull(f) == RUN_DONE, fetch_result(f)->failure == FETCH_FINE);
	failure = fetch_result(f)->failure;
	fetch_end(&f);
	return failure;
}

static const char plain[] = "http://127.0.0.1";

static void
ask_well(const char *origin)
{
	struct fetch *f = begin_at(origin, (struct fetch_request){ .form = SPAN("token=x") });
	enum run run = pull(f);

	ck_assert_msg(run == RUN_DONE, "%s", fetch_result(f)->reason);
	ck_assert_uint_eq(fetch_result(f)->status, 200);
	ck_assert_span(fetch_result(f)->body, SPAN("ok"));
	fetch_end(&f);
}

#endif
