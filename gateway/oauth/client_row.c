#include "gateway/oauth/client_book.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/db/value.h"
#include "gateway/oauth/grant.h"
#include "gateway/token/jwk.h"

/* The columns of SQL_FIND_CLIENT. */
enum column {
	COLUMN_NUMBER,
	COLUMN_GENERATION,
	COLUMN_SALT,
	COLUMN_HASH,
	COLUMN_JWKS,
	COLUMN_GRANTS,
	COLUMN_SCOPES,
	COLUMN_AUDIENCES,
	COLUMN_FORMAT,
	COLUMN_LIFETIME,
	COLUMN_RATE_COUNT,
	COLUMN_RATE_PERIOD,
	COLUMN_INTROSPECTION,
	COLUMN_REVOCATION,
	COLUMN_CONSUMER,
	COLUMN_CUSTOM_ID,
	COLUMN_EXCHANGE_FROM,
	COLUMN_IMPERSONATION,
	COLUMN_DELEGATION,
	COLUMN_RECORDING,
	COLUMN_COUNT
};

/* A record being made: where its lists and its text go. */
struct maker {
	struct oauth_client	*client;
	struct span		 value[COLUMN_COUNT];
	char			*at;
};

static size_t
members(struct span array)
{
	struct span member;
	size_t at = 0, n = 0;

	while (value_member(array, &at, &member))
		n++;
	return n;
}

static struct span
keep(struct maker *m, struct span s)
{
	struct span kept = span_make(m->at, s.n);

	if (s.n > 0)
		memcpy(m->at, s.p, s.n);
	m->at += s.n;
	return kept;
}

static int
compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* Fills a list that has room for all members: sorted, without doubles and empty ones. */
static size_t
keep_list(struct maker *m, struct span array, struct span *list)
{
	struct span member;
	size_t at = 0, n = 0, kept = 0;

	while (value_member(array, &at, &member))
		if (member.n > 0)
			list[n++] = keep(m, member);
	if (n > 1)
		qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !span_eq(list[kept - 1], list[i]))
			list[kept++] = list[i];
	return kept;
}

static unsigned
read_grants(struct span array)
{
	struct span member;
	unsigned grants = 0;
	size_t at = 0;

	while (value_member(array, &at, &member)) {
		const struct grant *grant = grant_find(member);

		if (grant != NULL)
			grants |= GRANT_BIT(grant->id);
	}
	return grants;
}

/* An integer that may be null: 0 then. False if it is none, or negative. */
static bool
read_number(struct span value, uint64_t *number)
{
	int64_t n = 0;

	if (value.p != NULL && (!value_i64(value, &n) || n < 0))
		return false;
	*number = (uint64_t)n;
	return true;
}

static bool
read_numbers(struct maker *m)
{
	struct oauth_client *c = m->client;
	uint64_t lifetime_s;

	if (!value_i64(m->value[COLUMN_NUMBER], &c->number) ||
	    !read_number(m->value[COLUMN_GENERATION], &c->generation) ||
	    !read_number(m->value[COLUMN_LIFETIME], &lifetime_s) ||
	    !read_number(m->value[COLUMN_RATE_COUNT], &c->rate_count) ||
	    !read_number(m->value[COLUMN_RATE_PERIOD], &c->rate_period_us))
		return false;
	c->lifetime_s = (int64_t)lifetime_s;
	return (c->rate_count == 0) == (c->rate_period_us == 0);
}

/* What may be done with tokens of others; a word that is not known allows nothing. */
static void
read_exchange(struct maker *m)
{
	struct oauth_client *c = m->client;
	struct span delegation = m->value[COLUMN_DELEGATION];

	c->impersonates = span_eq(m->value[COLUMN_IMPERSONATION], SPAN("allowed"));
	c->delegation = span_eq(delegation, SPAN("allowed")) ? DELEGATION_ALLOWED :
	    span_eq(delegation, SPAN("self")) ? DELEGATION_SELF : DELEGATION_DENIED;
	c->records = !span_eq(m->value[COLUMN_RECORDING], SPAN("none"));
	c->n_exchange_from = keep_list(m, m->value[COLUMN_EXCHANGE_FROM], c->exchange_from);
}

static bool
fill(struct maker *m, struct span id)
{
	struct oauth_client *c = m->client;
	struct span hash = m->value[COLUMN_HASH];

	if (!read_numbers(m) || (hash.p != NULL && hash.n != sizeof(c->secret_hash)))
		return false;
	c->has_secret = hash.p != NULL && m->value[COLUMN_SALT].p != NULL;
	if (c->has_secret)
		memcpy(c->secret_hash, hash.p, hash.n);
	c->grants = read_grants(m->value[COLUMN_GRANTS]);
	c->opaque = span_eq(m->value[COLUMN_FORMAT], SPAN("opaque"));
	c->introspects_any = span_eq(m->value[COLUMN_INTROSPECTION], SPAN("any"));
	c->revokes_any = span_eq(m->value[COLUMN_REVOCATION], SPAN("any"));
	c->id = keep(m, id);
	c->salt = keep(m, m->value[COLUMN_SALT]);
	c->jwks = keep(m, m->value[COLUMN_JWKS]);
	c->consumer = keep(m, m->value[COLUMN_CONSUMER]);
	c->custom_id = keep(m, m->value[COLUMN_CUSTOM_ID]);
	c->n_scopes = keep_list(m, m->value[COLUMN_SCOPES], c->scopes);
	c->n_audiences = keep_list(m, m->value[COLUMN_AUDIENCES], c->audiences);
	read_exchange(m);
	return true;
}

static void
free_client(void *record)
{
	struct oauth_client *c = record;

	for (size_t i = 0; i < c->n_keys; i++)
		jwk_fini(&c->keys[i]);
	free(c->keys);
	OPENSSL_cleanse(c->secret_hash, sizeof(c->secret_hash));
	free(c);
}

/* One block of memory holds all of a record but the keys. */
static bool
read_client(const struct db_query *query, struct span id, void **record)
{
	struct maker m;
	size_t text = id.n;

	if (db_rows(query) == 0)
		return true;
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		m.value[i] = db_value(query, 0, i);
		text += m.value[i].n;
	}
	size_t n_scopes = members(m.value[COLUMN_SCOPES]);
	size_t n_audiences = members(m.value[COLUMN_AUDIENCES]);
	size_t n_exchange_from = members(m.value[COLUMN_EXCHANGE_FROM]);
	size_t lists = (n_scopes + n_audiences + n_exchange_from) * sizeof(struct span);
	if ((m.client = calloc(1, sizeof(*m.client) + lists + text)) == NULL)
		return false;
	m.client->scopes = (struct span *)(m.client + 1);
	m.client->audiences = m.client->scopes + n_scopes;
	m.client->exchange_from = m.client->audiences + n_audiences;
	m.at = (char *)(m.client->exchange_from + n_exchange_from);
	if (!fill(&m, id)) {
		log_error("the row of client \"%.*s\" in the database makes no sense",
		    SPAN_ARG(id));
		free_client(m.client);
		return false;
	}
	*record = m.client;
	return true;
}

const struct book_kind client_book = { SQL_FIND_CLIENT, read_client, free_client, BOOK_KNOWN_MS,
	BOOK_UNKNOWN_MS, false };
