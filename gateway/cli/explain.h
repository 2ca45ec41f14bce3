/*
 * gatehouse explain: every check of a token on a route, in the gateway's order, with what was
 * expected and what was found.
 *
 * The checks are the gateway's own: those of a JWT are traced (token/jwt.h), a route's policy is
 * its table (access/policy.h), what the caches and revocations say is asked of the running gateway
 * (admin_explain.h), by digests alone. Without one the command is on its own: then keys come from
 * where the gateway would get them, and what only the gateway knows stays open.
 *
 * Neither the token nor its signature is shown or sent anywhere; of its claims, what a check needs.
 */
#ifndef GATEWAY_CLI_EXPLAIN_H
#define GATEWAY_CLI_EXPLAIN_H

#include <jansson.h>
#include <libpq-fe.h>

#include "gateway/access/policy.h"
#include "gateway/base/arena.h"
#include "gateway/base/text.h"
#include "gateway/cli/cli.h"
#include "gateway/token/jwt.h"
#include "gateway/token/keyring.h"
#include "gateway/token/opaque.h"

#define EXPLAIN_TOKEN_MAX	65536
#define EXPLAIN_TEXT_MAX	512
#define EXPLAIN_ROWS_MAX	32
#define EXPLAIN_URL_MAX		2600

enum explain_state {
	EXPLAIN_PASSED,
	EXPLAIN_FAILED,
	EXPLAIN_OPEN,		/* can't be judged here: `found` says why */
	EXPLAIN_NOT_LOOKED,	/* an earlier check left nothing to look at */
};

struct explain_row {
	const char		*check;
	enum explain_state	 state;
	enum verdict		 verdict;	/* FAILED; ACTIVE: the refusal is of the policy */
	enum refusal		 refusal;	/* FAILED */
	bool			 decides;	/* OPEN: the gateway would not pass it without */
	struct text		 expected;
	struct text		 found;
	char			 room[2][EXPLAIN_TEXT_MAX];
};

/* Where the token is looked at. */
enum explain_kind {
	EXPLAIN_JWT,
	EXPLAIN_OPAQUE,		/* of another issuer: only that can read it */
	EXPLAIN_OWN,		/* opaque, of the token service */
};

struct explain {
	struct config			*config;
	const struct config_route	*route;
	struct span			 token;
	enum explain_kind		 kind;
	int64_t				 now_s;
	uint8_t				 digest[32];

	char				 admin[EXPLAIN_URL_MAX];	/* "": there is none */
	json_t				*gateway;	/* its answer; NULL: on our own */
	char				 alone[EXPLAIN_TEXT_MAX];	/* why */

	struct arena			 arena;
	struct keys			*keys;		/* our own, of the issuer's set */
	struct alg_tools		*tools;
	struct keyring			*ring;
	struct jwt_checker		*checker;
	char				 keys_from[EXPLAIN_TEXT_MAX];
	bool				 has_keys;
	PGconn				*conn;		/* NULL: none, or not yet needed */

	enum verdict			 verdict;	/* of the trace */
	struct jwt_answer		 answer;
	struct jwt_trace		 trace;
	const struct config_issuer	*issuer;	/* NULL: none is known */
	const struct facts		*facts;		/* what the token says; NULL: not known */

	size_t				 n_rows;
	struct explain_row		 rows[EXPLAIN_ROWS_MAX];
};

/* Opens what checks need. False after a complaint; explain_checker_close() is safe then too. */
bool explain_checker_open(struct explain *e);
void explain_checker_close(struct explain *e);
/* Gets the keys of e->issuer, and notes from where, or why there are none. */
void explain_keys(struct explain *e);
/* The one connection to the database; NULL: there is none, and `why` says so. */
PGconn *explain_database(struct explain *e, char *why, size_t size);

/* Asks the running gateway what it knows; it fills e->gateway, or e->alone. */
void explain_gateway_open(struct explain *e);
/* The key set of e->issuer that it uses; NULL: it tells of none. */
json_t *explain_gateway_keys(struct explain *e, int64_t *age_s);
/* Asks about all identities of the facts; an object of kinds, or NULL. */
json_t *explain_gateway_revocations(struct explain *e);
/* What its caches say: a verdict and, of good tokens, facts' age; NULL: nothing. */
const json_t *explain_gateway_cached(const struct explain *e);

/* Gets a URL; *body is to be freed. False, and why. */
bool explain_get(const char *url, const char *ca_file, struct span *body, char *why, size_t size);

/* The rows: of the token itself, then of all that the gateway asks about a good one. */
void explain_token(struct explain *e);
void explain_policy(struct explain *e);

/* A new row. The texts are the row's to be written to. */
struct explain_row *explain_row(struct explain *e, const char *check, enum explain_state state);
/* It fails, and this is what the gateway makes of it. */
void explain_fail(struct explain_row *row, enum verdict verdict);
/* Puts "2026-01-31T23:59:59Z, 3 min ago", and a span of time. */
void explain_put_time(struct text *t, int64_t at_s, int64_t now_s);
void explain_put_age(struct text *t, int64_t seconds);
/* Puts names between commas, as many as fit. */
void explain_put_names(struct text *t, const struct span *names, size_t n);

/* Shows the rows and what the gateway would answer; returns the exit status. */
int explain_show(const struct explain *e, bool json);

#endif
