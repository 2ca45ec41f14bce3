#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/feed.h"
#include "gateway/cli/order.h"
#include "gateway/cli/store.h"
#include "gateway/token/key_make.h"

/*
 * gatehouse keys rotate|list|kill. A new key is published at once and signs one jwks_max_age later,
 * when everybody who keeps the old set has asked again; old ones stay published until their last
 * token has expired. A killed key is gone at once, and so are its tokens.
 */

#define NUMBER	24

/* Keys that are published. */
#define LIVE	"(removed_at IS NULL OR removed_at > clock_timestamp())"

/* One at a time decides which key is to come. */
static bool
lock(struct store *s)
{
	return feed_begin(s) &&
	    store_do(s, "LOCK TABLE signing_keys IN EXCLUSIVE MODE", 0, NULL) >= 0;
}

/* Adds a key that signs from `delay_s` on. False after a complaint. */
static bool
add_key(struct store *s, uint64_t delay_s, struct key_make *key)
{
	enum alg_id alg = key_make_alg(s->service);
	char sealed[STORE_HEX(KEY_MAKE_SEALED)], delay[NUMBER];
	const char *values[] = { key->kid, alg_row(alg)->name.p, key->public_jwk, sealed, delay };
	struct seal_key seal;
	bool good = seal_derive(s->service->encryption_key, SEAL_SIGNING_KEYS, &seal) &&
	    key_make(alg, &seal, key);

	seal_forget(&seal);
	if (!good) {
		order_failed("OpenSSL can't make a key");
		return false;
	}
	store_hex(key->sealed, key->sealed_n, sealed);
	snprintf(delay, sizeof(delay), "%" PRIu64, delay_s);
	return store_do(s, "INSERT INTO signing_keys (kid, alg, public_jwk, private_key, "
	    "active_from) VALUES ($1, $2, $3, $4::bytea, clock_timestamp() + $5::bigint * "
	    "interval '1 second')", 5, values) == 1;
}

/* The number of keys that could sign now; -1 after a complaint. */
static int
count_signing(struct store *s)
{
	return store_do(s, "SELECT 1 FROM signing_keys WHERE active_from <= clock_timestamp() AND "
	    LIVE, 0, NULL);
}

static int
rotate(const struct order *order)
{
	struct key_make key;
	struct store s;
	uint64_t delay_s = 0;
	int before = -1;

	if (!order_read(order, NULL, 0))
		return CLI_USAGE;
	if (store_open_service(&s, order) && lock(&s))
		before = count_signing(&s);
	if (before > 0)
		delay_s = s.service->jwks_max_age_s;
	bool good = before >= 0 && add_key(&s, delay_s, &key) && store_commit(&s);
	if (good && s.json)
		printf("{\"kid\": \"%s\", \"alg\": \"%s\", \"signs_in\": %" PRIu64 "}\n", key.kid,
		    alg_row(key_make_alg(s.service))->name.p, delay_s);
	else if (good && delay_s > 0)
		printf("key %s is published, and signs in %" PRIu64 " seconds\n", key.kid, delay_s);
	else if (good)
		printf("key %s is published, and signs now: there was no other\n", key.kid);
	store_close(&s);
	return good ? CLI_DONE : CLI_FAILED;
}

/* What each key is for now; the same choice as the signer's (token/signer.h). */
#define LIST \
	"SELECT kid, alg, CASE WHEN NOT " LIVE " THEN 'removed' " \
	"WHEN active_from > clock_timestamp() THEN 'next' " \
	"WHEN kid = first_value(kid) OVER (ORDER BY (" LIVE \
	" AND active_from <= clock_timestamp()) DESC, alg = $1 DESC, active_from DESC) " \
	"THEN 'signing' ELSE 'kept' END AS state, " \
	STORE_TIME("created_at") " AS created_at, " \
	STORE_TIME("active_from") " AS active_from, " \
	STORE_TIME("removed_at") " AS removed_at FROM signing_keys "

static int
list(const struct order *order)
{
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, NULL, 0))
		return CLI_USAGE;
	if (store_open_service(&s, order)) {
		const char *alg = alg_row(key_make_alg(s.service))->name.p;

		result = store_ask(&s, LIST "ORDER BY signing_keys.active_from DESC", 1, &alg);
	}
	if (result != NULL)
		store_show_list(&s, result, "there are no keys yet; the gateway makes the first");
	int status = result != NULL ? CLI_DONE : CLI_FAILED;
	PQclear(result);
	store_close(&s);
	return status;
}

/* What became of a key that was killed: "signing" if another has to take its place. */
static bool
kill_key(struct store *s, const char *kid, bool *signed_last)
{
	const char *values[] = { alg_row(key_make_alg(s->service))->name.p, kid };
	PGresult *key = store_ask(s, "SELECT state FROM (" LIST ") k WHERE kid = $2", 2, values);
	bool good = key != NULL && PQntuples(key) == 1 &&
	    strcmp(PQgetvalue(key, 0, 0), "removed") != 0;
	int64_t last = good ? feed_last_expiry(s) : -1;

	*signed_last = good && strcmp(PQgetvalue(key, 0, 0), "signing") == 0;
	if (key != NULL && !good)
		order_failed("there is no key %s that is published (see gatehouse keys list)", kid);
	PQclear(key);
	return last >= 0 && store_do(s, "UPDATE signing_keys SET removed_at = clock_timestamp() "
	    "WHERE kid = $1", 1, &kid) == 1 && feed_revoke(s, &(struct feed_entry){
	    IDENTITY_KEY, s->service->issuer, kid, FEED_ALL, last });
}

static int
take_away(const struct order *order)
{
	const char *kid = NULL;
	const struct argument arguments[] = { { "KID", &kid, true } };
	struct key_make key = { .kid = "" };
	bool signed_last = false;
	struct store s;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	bool good = store_open_service(&s, order) && lock(&s) && kill_key(&s, kid, &signed_last) &&
	    (!signed_last || add_key(&s, 0, &key)) && store_commit(&s);
	if (good && s.json)
		printf("{\"killed\": true, \"new_kid\": %s%s%s}\n", signed_last ? "\"" : "",
		    signed_last ? key.kid : "null", signed_last ? "\"" : "");
	else if (good)
		printf("the key is gone, and what it signed is revoked\n");
	if (good && !s.json && signed_last)
		printf("key %s signs from now on\n", key.kid);
	store_close(&s);
	return good ? CLI_DONE : CLI_FAILED;
}

int
cli_keys(const struct cli *cli)
{
	static const struct verb verbs[] = {
		{ "rotate", "", "Makes a new key; it signs as soon as everybody can know it.",
		    rotate },
		{ "list", "", "Lists the signing keys, and what each is for now.", list },
		{ "kill", "KID", "Removes a key at once, and revokes all that it signed.",
		    take_away },
	};

	return order_run(cli, "keys", verbs, sizeof(verbs) / sizeof(verbs[0]));
}
