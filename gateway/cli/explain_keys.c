#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gateway/cli/explain.h"
#include "gateway/cli/order.h"
#include "gateway/db/direct.h"
#include "gateway/discovery.h"
#include "gateway/http/url.h"
#include "shm/keys.h"

/*
 * A checker as a worker has one, over a key set of our own in place of the shared one: what the
 * running gateway uses, else what it would fetch.
 */

#define URL_MAX		(URL_TARGET_MAX + URL_HOST_MAX + 64)
#define DATABASE_S	10

bool
explain_checker_open(struct explain *e)
{
	void *memory = mmap(NULL, keys_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);

	e->keys = memory == MAP_FAILED ? NULL : keys_init(memory, keys_size());
	e->tools = alg_tools_new();
	if (e->keys != NULL && e->tools != NULL)
		e->ring = keyring_open(e->config, e->keys, e->tools);
	if (e->ring != NULL)
		e->checker = jwt_checker_new(e->config, e->ring, e->tools);
	if (e->checker == NULL)
		order_failed("there is no memory");
	return e->checker != NULL;
}

void
explain_checker_close(struct explain *e)
{
	jwt_checker_free(&e->checker);
	keyring_close(&e->ring);
	alg_tools_free(&e->tools);
	if (e->keys != NULL)
		munmap(e->keys, keys_size());
	e->keys = NULL;
}

PGconn *
explain_database(struct explain *e, char *why, size_t size)
{
	if (e->config->database == NULL)
		snprintf(why, size, "no database is configured");
	else if (e->conn == NULL)
		e->conn = direct_open(e->config->database, DATABASE_S, why, size);
	return e->conn;
}

/* Makes a set the one to check with, and notes from where, or why not. */
static bool
publish(struct explain *e, const char *from, const char *bytes, size_t n)
{
	struct keys_slot slot;
	const char *reason;
	struct jwks *set = jwks_parse(e->tools, span_make(bytes, n), NULL, &reason);
	bool good = set != NULL && set->n > 0 && keys_slot(e->keys, e->issuer->id, true, &slot) &&
	    keys_publish(&slot, bytes, n, (uint64_t)e->now_s);

	if (set == NULL)
		snprintf(e->keys_from, sizeof(e->keys_from), "the key set of %.300s is refused: %s",
		    from, reason);
	else
		snprintf(e->keys_from, sizeof(e->keys_from), "%s%.400s",
		    good ? "" : "no usable key in that of ", from);
	jwks_free(&set);
	e->has_keys = good;
	return good;
}

static bool
has_secret(const json_t *set)
{
	const json_t *key;
	size_t i;

	json_array_foreach(json_object_get(set, "keys"), i, key) {
		const char *type = json_string_value(json_object_get(key, "kty"));

		if (type != NULL && strcmp(type, "oct") == 0)
			return true;
	}
	return false;
}

/* What the running gateway uses, if it tells: true. Secrets are not told. */
static bool
take_from_gateway(struct explain *e)
{
	int64_t age_s = 0;
	json_t *set = explain_gateway_keys(e, &age_s);
	bool told = set != NULL && !has_secret(set);
	bool none = told && !json_is_array(json_object_get(set, "keys"));
	char *bytes = told && !none ? json_dumps(set, JSON_COMPACT) : NULL;
	char from[128] = "";
	struct text t = TEXT_OVER(from);

	text_str(&t, "the running gateway, confirmed ");
	explain_put_age(&t, age_s);
	text_str(&t, " ago");
	from[t.n < sizeof(from) ? t.n : 0] = '\0';
	if (none)
		snprintf(e->keys_from, sizeof(e->keys_from), "the running gateway has none");
	else if (bytes != NULL)
		publish(e, from, bytes, strlen(bytes));
	free(bytes);
	json_decref(set);
	return told;
}

static void
take_file(struct explain *e)
{
	const char *path = e->issuer->jwks_file;
	FILE *file = fopen(path, "re");
	char *bytes = malloc(KEYS_BYTES_MAX);

	if (file == NULL || bytes == NULL) {
		snprintf(e->keys_from, sizeof(e->keys_from), "%.200s can't be read: %s", path,
		    strerror(errno));
	} else {
		size_t n = fread(bytes, 1, KEYS_BYTES_MAX, file);

		publish(e, path, bytes, n);
		explicit_bzero(bytes, n);
	}
	if (file != NULL)
		fclose(file);
	free(bytes);
}

static bool
get(struct explain *e, const char *url, struct span *body)
{
	char why[EXPLAIN_TEXT_MAX / 2];

	if (explain_get(url, e->issuer->ca_file, body, why, sizeof(why)))
		return true;
	snprintf(e->keys_from, sizeof(e->keys_from), "%.200s can't be fetched: %s", url, why);
	return false;
}

static void
take_url(struct explain *e)
{
	char url[URL_MAX], jwks_uri[URL_MAX];
	const char *wrong = NULL;
	struct span body;

	snprintf(jwks_uri, sizeof(jwks_uri), "%s", e->issuer->jwks_uri);
	if (jwks_uri[0] == '\0') {
		if (!discovery_url(e->issuer->issuer, url, sizeof(url)) || !get(e, url, &body))
			return;
		wrong = discovery_read(body, e->issuer->issuer, jwks_uri, sizeof(jwks_uri));
		free((char *)(uintptr_t)body.p);
	}
	if (wrong != NULL)
		snprintf(e->keys_from, sizeof(e->keys_from), "%s", wrong);
	else if (get(e, jwks_uri, &body)) {
		publish(e, jwks_uri, body.p, body.n);
		free((char *)(uintptr_t)body.p);
	}
}

/* The token service's own. */
static void
take_database(struct explain *e)
{
	PGconn *conn = explain_database(e, e->keys_from, sizeof(e->keys_from));
	PGresult *result = conn == NULL ? NULL : PQexec(conn, "SELECT json_build_object('keys', "
	    "coalesce(json_agg(public_jwk::json), '[]')) FROM signing_keys "
	    "WHERE removed_at IS NULL OR removed_at > now()");

	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		publish(e, "the database", PQgetvalue(result, 0, 0),
		    (size_t)PQgetlength(result, 0, 0));
	} else if (conn != NULL) {
		direct_why(conn, result, e->keys_from, sizeof(e->keys_from));
	}
	PQclear(result);
}

void
explain_keys(struct explain *e)
{
	if (take_from_gateway(e))
		return;
	if (e->issuer->own)
		take_database(e);
	else if (e->issuer->jwks_file[0] != '\0')
		take_file(e);
	else
		take_url(e);
}
