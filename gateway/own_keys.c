#include "gateway/own_keys.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/db/db.h"
#include "gateway/db/value.h"
#include "gateway/issuer_keys.h"
#include "gateway/token/key_make.h"
#include "gateway/token/seal.h"
#include "gateway/token/signer.h"

#define READ_MS		30000	/* between two readings, whatever happens */
#define RETRY_MS	1000	/* after one that failed, and between two that workers ask for */
#define RETIRE_MS	3600000	/* between two looks for keys that are replaced for long */

/* Columns of SIGNING_KEYS. */
enum column {
	KEY_KID,
	KEY_ALG,
	KEY_PUBLIC,
	KEY_PRIVATE,
	KEY_ACTIVE_FROM,
};

/* What is asked of the database. */
enum work_on_keys {
	KEYS_IDLE,
	KEYS_READING,
	KEYS_ADDING,
	KEYS_RETIRING,
};

struct own_keys {
	struct loop			*loop;
	const struct config		*config;
	const struct shared		*shared;
	struct db			*db;
	struct issuer_keys		 keys;		/* the public ones */
	struct keys_slot		 slot;		/* of the private ones */
	struct task			 task;
	struct db_query			 query;
	struct key_make			 made;		/* being added */
	char				 numbers[2][8];	/* parameters */
	char				*room;		/* for what is published */
	enum work_on_keys		 doing;
	bool				 news;
	bool				 added;		/* a key, to complete them */
	bool				 tried;
	bool				 failing;	/* and the log knows */
	uint64_t			 due_ms;
	uint64_t			 asked_ms;	/* when the last reading began */
	uint64_t			 retire_ms;
};

static void
fail(struct own_keys *k, const char *why)
{
	if (!k->failing)
		log_error("the token service's keys can't be had: %s; trying on", why);
	k->failing = k->tried = true;
	k->doing = KEYS_IDLE;
	k->due_ms = loop_now_ms(k->loop) + RETRY_MS;
	keys_fail(&k->keys.slot, (uint64_t)loop_wall_s(k->loop));
}

static void
ask(struct own_keys *k, enum work_on_keys what, enum sql statement)
{
	k->doing = what;
	k->query = (struct db_query){ .statement = statement, .task = &k->task };
}

static void
read_keys(struct own_keys *k)
{
	k->news = false;
	k->asked_ms = loop_now_ms(k->loop);
	keys_try(&k->keys.slot, (uint64_t)loop_wall_s(k->loop));
	ask(k, KEYS_READING, SQL_SIGNING_KEYS);
}

/* Makes a key of the configured algorithm, and asks to add it where there still is none. */
static void
add_key(struct own_keys *k)
{
	const struct config_token_service *service = k->config->token_service;
	struct seal_key seal;
	enum alg_id alg = key_make_alg(service);

	if (!seal_derive(service->encryption_key, SEAL_SIGNING_KEYS, &seal)) {
		fail(k, "OpenSSL can't be used");
		return;
	}
	bool good = key_make(alg, &seal, &k->made);
	seal_forget(&seal);
	if (!good) {
		fail(k, "OpenSSL makes no key");
		return;
	}
	ask(k, KEYS_ADDING, SQL_ADD_SIGNING_KEY);
	value_put_i64(k->numbers[0], (int64_t)service->jwks_max_age_s);
	k->query.params[0] = span_of(k->made.kid);
	k->query.params[1] = alg_row(alg)->name;
	k->query.params[2] = span_of(k->made.public_jwk);
	k->query.params[3] = span_make(k->made.sealed, k->made.sealed_n);
	k->query.params[4] = span_make(k->numbers[0], sizeof(k->numbers[0]));
}

/* No token lives longer than the longest life there may be, and none is made by a replaced key. */
static void
retire_keys(struct own_keys *k)
{
	k->retire_ms = loop_now_ms(k->loop) + RETIRE_MS;
	ask(k, KEYS_RETIRING, SQL_RETIRE_SIGNING_KEYS);
	value_put_i64(k->numbers[0], CONFIG_LIFETIME_MAX_S);
	k->query.params[0] = span_make(k->numbers[0], sizeof(k->numbers[0]));
}

/* False if the keys can't be published; why is told. */
static bool
publish_public(struct own_keys *k)
{
	struct text t = { k->room, 0, KEYS_BYTES_MAX, false };
	const char *why = "they are too many";

	text_put(&t, SPAN("{\"keys\":["));
	for (size_t i = 0; i < db_rows(&k->query); i++) {
		if (i > 0)
			text_char(&t, ',');
		text_put(&t, db_value(&k->query, i, KEY_PUBLIC));
	}
	text_put(&t, SPAN("]}\n"));
	if (!t.cut && issuer_keys_take(&k->keys, text_span(&t), (uint64_t)loop_wall_s(k->loop),
	    &why) != ISSUER_KEYS_REFUSED)
		return true;
	fail(k, why);
	return false;
}

static bool
publish_private(struct own_keys *k)
{
	struct text t = { k->room, 0, KEYS_BYTES_MAX, false };
	bool good = true;

	for (size_t i = 0; i < db_rows(&k->query); i++) {
		struct signer_row row = {
			.kid = db_value(&k->query, i, KEY_KID),
			.alg = db_value(&k->query, i, KEY_ALG),
			.sealed = db_value(&k->query, i, KEY_PRIVATE),
		};

		good = good && value_time(db_value(&k->query, i, KEY_ACTIVE_FROM),
		    &row.active_from_s);
		signer_put(&t, &row);
	}
	if (good && !t.cut &&
	    keys_publish(&k->slot, t.p, t.n, (uint64_t)loop_wall_s(k->loop)))
		return true;
	fail(k, "a row is malformed, or they are too many");
	return false;
}

static bool
has_configured(const struct own_keys *k)
{
	struct span alg = alg_row(key_make_alg(k->config->token_service))->name;

	for (size_t i = 0; i < db_rows(&k->query); i++)
		if (span_eq(db_value(&k->query, i, KEY_ALG), alg))
			return true;
	return false;
}

/* The public ones first: no token shall be signed by a key that nobody here knows. */
static void
take_keys(struct own_keys *k)
{
	size_t n = db_rows(&k->query);
	bool complete = has_configured(k);

	/* all were killed: what was published is worth nothing any more */
	if (n == 0)
		keys_withdraw(&k->keys.slot);
	bool good = n == 0 || (publish_public(k) && publish_private(k));
	db_end(&k->query);
	if (!good)
		return;
	if (!complete && !k->added) {
		add_key(k);
		return;
	}
	k->added = false;
	if (k->failing)
		log_notice("the token service's keys are there");
	k->failing = false;
	k->tried = true;
	k->doing = KEYS_IDLE;
	k->due_ms = loop_now_ms(k->loop) + READ_MS;
	shared_ring_all(k->shared, SHARED_WORKER);
	if (loop_now_ms(k->loop) >= k->retire_ms)
		retire_keys(k);
}

static void
finish(struct own_keys *k)
{
	switch (k->doing) {
	case KEYS_IDLE:
		break;
	case KEYS_READING:
		take_keys(k);
		break;
	case KEYS_ADDING:
		k->added = true;
		/* fallthrough */
	case KEYS_RETIRING:
		/* what came of it, here or on another node, the table tells */
		k->news = db_rows(&k->query) > 0;
		db_end(&k->query);
		k->doing = KEYS_IDLE;
		break;
	}
}

/* Goes on with a query; false while an answer is to come. */
static bool
go_on(struct own_keys *k)
{
	switch (db_run(k->db, &k->query)) {
	case RUN_WAIT:
		return false;
	case RUN_FAIL:
		fail(k, k->query.outcome == DB_REFUSED ? k->query.sqlstate :
		    "the database does not answer");
		db_end(&k->query);
		break;
	case RUN_DONE:
		finish(k);
		break;
	}
	return true;
}

static void
run(struct loop *loop, struct task *task)
{
	struct own_keys *k = (struct own_keys *)((char *)task - offsetof(struct own_keys, task));

	for (;;) {
		if (k->doing == KEYS_IDLE && !k->news && loop_now_ms(loop) < k->due_ms)
			break;
		if (k->doing == KEYS_IDLE)
			read_keys(k);
		if (!go_on(k))
			break;
	}
	task_deadline(loop, task, k->due_ms > loop_now_ms(loop) ? k->due_ms :
	    loop_now_ms(loop) + RETRY_MS);
}

static const struct config_issuer *
own_issuer(const struct config *config)
{
	for (size_t i = 0; i < config->n_issuers; i++)
		if (config->issuers[i].own)
			return &config->issuers[i];
	return NULL;
}

struct own_keys *
own_keys_new(struct loop *loop, const struct config *config, const struct shared *shared,
    struct alg_tools *tools, struct db *db)
{
	struct own_keys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->config = config;
	k->shared = shared;
	k->db = db;
	task_init(&k->task, run);
	k->room = malloc(KEYS_BYTES_MAX);
	if (k->room == NULL ||
	    !issuer_keys_open(&k->keys, own_issuer(config), shared->keys, tools) ||
	    !keys_slot(shared->keys, signer_slot_id(), true, &k->slot)) {
		log_error("there is no room for the token service's keys");
		own_keys_free(&k);
		return NULL;
	}
	own_keys_wake(k);
	return k;
}

void
own_keys_wake(struct own_keys *k)
{
	k->news = true;
	task_wake(k->loop, &k->task);
}

void
own_keys_look(struct own_keys *k)
{
	struct keys_info info;

	if (keys_info(&k->keys.slot, &info) && info.wanted &&
	    loop_now_ms(k->loop) >= k->asked_ms + RETRY_MS)
		own_keys_wake(k);
}

bool
own_keys_tried(const struct own_keys *k)
{
	return k->tried;
}

void
own_keys_free(struct own_keys **own_keys)
{
	struct own_keys *k = *own_keys;

	*own_keys = NULL;
	if (k == NULL)
		return;
	db_end(&k->query);
	task_end(k->loop, &k->task);
	issuer_keys_close(&k->keys);
	free(k->room);
	free(k);
}
