#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/cli/feed.h"
#include "gateway/cli/store.h"
#include "gateway/cli/token.h"
#include "gateway/cli/token_text.h"

/*
 * A revocation is remembered until the last token it concerns has expired. Of our own tokens that
 * is known; of others' it is what the token says, or what the operator says, or 31 days.
 */

/* What is to be revoked, as the command line says it. */
struct wish {
	const char	*token, *file;
	const char	*value[IDENTITY_KINDS];		/* by kind */
	const char	*issuer;			/* name of a section */
	const char	*until;
	uint64_t	 until_s;
};

/* The value of iss of the issuer of this name; NULL after a complaint. */
static const char *
find_issuer(const struct store *s, const char *name)
{
	if (name == NULL)
		name = CONFIG_ISSUER_OWN;
	for (size_t i = 0; i < s->config->n_issuers; i++)
		if (strcmp(s->config->issuers[i].name, name) == 0)
			return s->config->issuers[i].issuer;
	if (strcmp(name, CONFIG_ISSUER_OWN) == 0)
		order_failed("%s has no token_service section (--issuer names another issuer)",
		    s->config->path);
	else
		order_failed("%s has no issuer \"%s\"", s->config->path, name);
	return NULL;
}

static bool
is_own(const struct store *s, const char *iss)
{
	return s->service != NULL && strcmp(s->service->issuer, iss) == 0;
}

/* When a revocation may be forgotten; -1 after a complaint. */
static int64_t
expiry(struct store *s, const struct wish *w, const char *iss)
{
	if (w->until != NULL)
		return clock_wall_s() + (int64_t)w->until_s;
	return is_own(s, iss) ? feed_last_expiry(s) : clock_wall_s() + CONFIG_LIFETIME_MAX_S;
}

/* Ends the refresh tokens of the client of this id, if there is one. */
static bool
end_refresh_tokens(struct store *s, const char *client_id)
{
	PGresult *client = store_ask(s, "SELECT id FROM clients WHERE client_id = $1", 1,
	    &client_id);
	bool good = client != NULL && (PQntuples(client) == 0 ||
	    feed_end_families(s, PQgetvalue(client, 0, 0)));

	PQclear(client);
	return good;
}

/* A key that is to sign on must not be revoked: nothing could be issued until another signs. */
static bool
is_not_our_key(struct store *s, const char *kid)
{
	PGresult *key = store_ask(s, "SELECT 1 FROM signing_keys WHERE kid = $1 AND "
	    "(removed_at IS NULL OR removed_at > clock_timestamp())", 1, &kid);
	bool good = key != NULL && PQntuples(key) == 0;

	if (key != NULL && !good)
		order_failed("it is a key of the token service: gatehouse keys kill %s", kid);
	PQclear(key);
	return good;
}

static bool
revoke_by(struct store *s, const struct wish *w, enum identity_kind kind)
{
	const char *iss = find_issuer(s, w->issuer);
	bool up_to_now = kind == IDENTITY_SUBJECT || kind == IDENTITY_CLIENT;

	if (iss == NULL || !feed_begin(s))
		return false;
	/* what client credentials made has the client as its subject */
	if (up_to_now && is_own(s, iss) && !end_refresh_tokens(s, w->value[kind]))
		return false;
	if (kind == IDENTITY_KEY && is_own(s, iss) && !is_not_our_key(s, w->value[kind]))
		return false;
	int64_t expires_s = expiry(s, w, iss);
	return expires_s >= 0 && feed_revoke(s, &(struct feed_entry){ kind, iss, w->value[kind],
	    up_to_now ? 0 : FEED_ALL, expires_s }) && store_commit(s);
}

/* Ends a family of refresh tokens, and all access tokens that came from it. */
static bool
end_family(struct store *s, const char *family)
{
	PGresult *tokens = store_do(s, "UPDATE refresh_families SET revoked_at = now() "
	    "WHERE id = $1::uuid AND revoked_at IS NULL", 1, &family) < 0 ? NULL :
	    store_ask(s, "SELECT id, ceil(extract(epoch FROM expires_at))::bigint FROM tokens "
	    "WHERE family = $1::uuid AND expires_at > now()", 1, &family);
	bool good = tokens != NULL;

	for (int i = 0; good && i < PQntuples(tokens); i++) {
		int64_t expires_s = strtoll(PQgetvalue(tokens, i, 1), NULL, 10);

		good = feed_revoke(s, &(struct feed_entry){ IDENTITY_JTI, s->service->issuer,
		    PQgetvalue(tokens, i, 0), FEED_ALL, expires_s });
	}
	PQclear(tokens);
	return good;
}

static bool
revoke_opaque(struct store *s, const struct token_text *t)
{
	const char *values[] = { t->id, t->digest };
	bool refresh = t->kind == TOKEN_TEXT_REFRESH, good = false;
	PGresult *row = NULL;

	if (s->service == NULL) {
		order_failed("%s has no token_service section", s->config->path);
		return false;
	}
	if (feed_begin(s))
		row = store_ask(s, refresh ?
		    "SELECT family FROM refresh_tokens WHERE id = $1::uuid AND digest = $2::bytea" :
		    "SELECT ceil(extract(epoch FROM expires_at))::bigint FROM tokens "
		    "WHERE id = $1::uuid AND digest = $2::bytea", 2, values);
	if (row != NULL && PQntuples(row) == 0)
		order_failed("there is no such token: it was never made, or has expired");
	else if (row != NULL && refresh)
		good = end_family(s, PQgetvalue(row, 0, 0));
	else if (row != NULL)
		good = feed_revoke(s, &(struct feed_entry){ IDENTITY_JTI, s->service->issuer, t->id,
		    FEED_ALL, strtoll(PQgetvalue(row, 0, 0), NULL, 10) });
	PQclear(row);
	return good && store_commit(s);
}

static bool
revoke_jwt(struct store *s, const struct wish *w, const struct token_text *t)
{
	int64_t expires_s = t->exp_s > 0 ? t->exp_s : expiry(s, w, t->iss);
	bool known = false;

	for (size_t i = 0; i < s->config->n_issuers; i++)
		known = known || strcmp(s->config->issuers[i].issuer, t->iss) == 0;
	if (!known) {
		order_failed("its issuer \"%s\" is none of %s: the gateway refuses it anyway",
		    t->iss, s->config->path);
		return false;
	}
	if (t->exp_s > 0 && t->exp_s <= clock_wall_s()) {
		order_failed("it has expired already: the gateway refuses it anyway");
		return false;
	}
	return expires_s >= 0 && feed_begin(s) && feed_revoke(s, &(struct feed_entry){
	    IDENTITY_JTI, t->iss, t->jti, FEED_ALL, expires_s }) && store_commit(s);
}

static int
revoke_token_text(const struct order *order, const struct wish *w)
{
	struct store s = { 0 };
	struct token_text t;
	int status = token_text_read(&t, order, w->token, w->file);

	if (status == CLI_DONE && !(store_open(&s, order) &&
	    (t.kind == TOKEN_TEXT_JWT ? revoke_jwt(&s, w, &t) : revoke_opaque(&s, &t))))
		status = CLI_FAILED;
	token_text_fini(&t);
	store_close(&s);
	return status;
}

static int
revoke_kind(const struct order *order, const struct wish *w, enum identity_kind kind)
{
	struct store s;
	bool good = store_open(&s, order) && revoke_by(&s, w, kind);

	store_close(&s);
	return good ? CLI_DONE : CLI_FAILED;
}

int
token_revoke(const struct order *order)
{
	struct wish w = { 0 };
	const struct argument arguments[] = { { "TOKEN", &w.token, false },
		{ "--token-file", &w.file, false }, { "--jti", &w.value[IDENTITY_JTI], false },
		{ "--subject", &w.value[IDENTITY_SUBJECT], false },
		{ "--client", &w.value[IDENTITY_CLIENT], false },
		{ "--kid", &w.value[IDENTITY_KEY], false },
		{ "--session", &w.value[IDENTITY_SESSION], false },
		{ "--issuer", &w.issuer, false }, { "--until", &w.until, false } };
	int n, kind = IDENTITY_KINDS, status;

	if (!order_read(order, arguments, sizeof(arguments) / sizeof(arguments[0])))
		return CLI_USAGE;
	n = (w.token != NULL) + (w.file != NULL);
	for (int i = 0; i < IDENTITY_KINDS; i++)
		if (w.value[i] != NULL) {
			kind = i;
			n++;
		}
	if (n != 1)
		return order_wrong(order, n == 0 ? "what is to be revoked is missing" :
		    "only one thing can be revoked at a time");
	if (kind == IDENTITY_SESSION && w.issuer == NULL)
		return order_wrong(order, "--session: its --issuer is missing (our own tokens have "
		    "no session)");
	if (w.until != NULL && (!span_to_u64(span_of(w.until), &w.until_s) || w.until_s == 0 ||
	    w.until_s > 10 * 366 * 86400ULL))
		return order_wrong(order, "--until: \"%s\" is not accepted (accepted: seconds)",
		    w.until);
	status = kind == IDENTITY_KINDS ? revoke_token_text(order, &w) :
	    revoke_kind(order, &w, (enum identity_kind)kind);
	if (status == CLI_DONE && order->cli->json)
		printf("{\"revoked\": true}\n");
	else if (status == CLI_DONE)
		printf("revoked; every gateway of this database knows within a second\n");
	return status;
}
