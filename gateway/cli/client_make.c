#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/encode.h"
#include "gateway/cli/client.h"
#include "gateway/cli/client_wish.h"
#include "gateway/cli/feed.h"
#include "gateway/cli/store.h"
#include "gateway/token/digest.h"
#include "gateway/token/uuid.h"

/*
 * Clients that come to be, or become different. A secret is 256 random bits in text; the store gets
 * SHA-256 of salt and text, which is enough for what nobody can guess. Each change makes a new
 * generation of the client and is told to all gateways.
 */

#define PREFIX		"ghs_"
#define SECRET_BYTES	32
#define SECRET_TEXT	(sizeof(PREFIX) - 1 + BASE64URL_ENCODED(SECRET_BYTES))
#define SALT_BYTES	16

struct secret {
	char	text[SECRET_TEXT + 1];
	/* as parameters */
	char	salt[STORE_HEX(SALT_BYTES)];
	char	hash[STORE_HEX(32)];
};

static bool
make_secret(struct secret *secret)
{
	uint8_t bytes[SECRET_BYTES], salt[SALT_BYTES], hash[32];

	if (RAND_priv_bytes(bytes, sizeof(bytes)) != 1 || RAND_bytes(salt, sizeof(salt)) != 1) {
		order_failed("OpenSSL has no random numbers");
		return false;
	}
	memcpy(secret->text, PREFIX, sizeof(PREFIX) - 1);
	base64url_encode(bytes, sizeof(bytes), secret->text + sizeof(PREFIX) - 1);
	secret->text[SECRET_TEXT] = '\0';
	const struct span parts[] = { span_make(salt, sizeof(salt)), span_of(secret->text) };
	digest_sha256_parts(parts, 2, hash);
	store_hex(salt, sizeof(salt), secret->salt);
	store_hex(hash, sizeof(hash), secret->hash);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return true;
}

/* The one time that a secret is shown; NULL: the client has none. */
static void
show_secret(const struct store *s, const char *id, const char *secret, const char *sentence)
{
	if (s->json) {
		json_t *object = json_pack("{s:s}", "client_id", id);

		if (secret != NULL)
			json_object_set_new(object, "client_secret", json_string(secret));
		json_dumpf(object, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(object);
		return;
	}
	printf("%s\n  client_id      %s\n", sentence, id);
	if (secret != NULL)
		printf("  client_secret  %s\n  The secret is shown this once; nobody can find it "
		    "out later.\n", secret);
}

/* What a client of this id had is revoked for a while yet, and a new one's tokens would be too. */
static bool
is_free(struct store *s, const char *id)
{
	const char *values[] = { s->service->issuer, id };
	PGresult *result = store_ask(s, "SELECT ceil(extract(epoch FROM max(before_at) - "
	    "clock_timestamp()))::bigint FROM revocations WHERE kind = 'client' AND issuer = $1 "
	    "AND value = $2 AND before_at > clock_timestamp()", 2, values);
	bool good = result != NULL && PQgetisnull(result, 0, 0);

	if (result != NULL && !good)
		order_failed("a client %s was removed a moment ago (wait %s seconds, or choose "
		    "another id)", id, PQgetvalue(result, 0, 0));
	PQclear(result);
	return good;
}

static bool
insert(struct store *s, const char *consumer, const char *id, const struct client_wish *w,
    const struct secret *secret)
{
	const char *values[] = { id, consumer, w->jwks != NULL ? NULL : secret->salt,
		w->jwks != NULL ? NULL : secret->hash, w->jwks, w->grants, w->scopes, w->audiences,
		w->format, w->lifetime, w->rate == NULL ? NULL : w->rate_count,
		w->rate == NULL ? NULL : w->rate_period_us, w->introspection, w->revocation,
		w->exchange_from, w->impersonation, w->delegation, w->recording };
	int n = !feed_begin(s) || !is_free(s, id) ? -1 : store_do(s, "INSERT INTO clients ("
	    "client_id, consumer, secret_salt, secret_hash, jwks, grants, scopes, audiences, "
	    "format, lifetime, rate_count, rate_period_us, introspection, revocation, "
	    "exchange_from, impersonation, delegation, recording) "
	    "SELECT $1, c.id, $3::bytea, $4::bytea, $5, "
	    "string_to_array(coalesce($6, 'client_credentials'), ' '), "
	    "string_to_array(coalesce($7, ''), ' '), string_to_array(coalesce($8, ''), ' '), "
	    "coalesce($9, 'jwt'), $10::integer, $11::bigint, $12::bigint, coalesce($13, 'own'), "
	    "coalesce($14, 'own'), string_to_array(coalesce($15, ''), ' '), "
	    "coalesce($16, 'allowed'), coalesce($17, 'denied'), coalesce($18, 'full') "
	    "FROM consumers c WHERE c.name = $2", 18, values);

	if (n == 0)
		order_failed("there is no consumer %s", consumer);
	else if (n < 0 && s->taken[0] != '\0')
		order_failed("there is a client %s already", id);
	return n == 1 && feed_change(s, id) && store_commit(s);
}

int
client_add(const struct order *order)
{
	const char *consumer = NULL, *id = NULL;
	struct argument arguments[CLIENT_WISH_OPTIONS + 2] = {
		{ "--consumer", &consumer, true }, { "--id", &id, false } };
	struct client_wish wish = { 0 };
	struct secret secret;
	uint8_t uuid[UUID_SIZE];
	char made[UUID_TEXT + 1] = "", sentence[320];
	struct store s = { 0 };

	wish_arguments(&wish, arguments + 2);
	if (!order_read(order, arguments, CLIENT_WISH_OPTIONS + 2))
		return CLI_USAGE;
	if (id != NULL && !wish_is_id(id))
		return order_wrong(order, "--id: \"%s\" is not accepted (accepted: up to 255 "
		    "visible ASCII characters without \\ and quotes)", id);
	if (id == NULL && uuid_now(uuid)) {
		uuid_text(uuid, made);
		id = made;
	}
	int status = wish_check(&wish, order);
	if (status == CLI_DONE && !(store_open_service(&s, order) && id != NULL &&
	    make_secret(&secret) && insert(&s, consumer, id, &wish, &secret)))
		status = CLI_FAILED;
	snprintf(sentence, sizeof(sentence), "a client of consumer %s:", consumer);
	if (status == CLI_DONE)
		show_secret(&s, id, wish.jwks != NULL ? NULL : secret.text, sentence);
	OPENSSL_cleanse(&secret, sizeof(secret));
	wish_fini(&wish);
	store_close(&s);
	return status;
}

static bool
update(struct store *s, const char *id, const struct client_wish *w)
{
	const char *values[] = { id, w->jwks, w->grants, w->scopes, w->audiences, w->format,
		w->lifetime, w->rate == NULL ? NULL : w->rate_count,
		w->rate == NULL ? NULL : w->rate_period_us, w->introspection, w->revocation,
		w->exchange_from, w->impersonation, w->delegation, w->recording };
	int n = !feed_begin(s) ? -1 : store_do(s, "UPDATE clients SET "
	    "secret_salt = CASE WHEN $2::text IS NULL THEN secret_salt END, "
	    "secret_hash = CASE WHEN $2 IS NULL THEN secret_hash END, "
	    "jwks = coalesce($2, jwks), grants = coalesce(string_to_array($3, ' '), grants), "
	    "scopes = coalesce(string_to_array($4, ' '), scopes), "
	    "audiences = coalesce(string_to_array($5, ' '), audiences), "
	    "format = coalesce($6, format), lifetime = coalesce($7::integer, lifetime), "
	    "rate_count = coalesce($8::bigint, rate_count), "
	    "rate_period_us = coalesce($9::bigint, rate_period_us), "
	    "introspection = coalesce($10, introspection), "
	    "revocation = coalesce($11, revocation), "
	    "exchange_from = coalesce(string_to_array($12, ' '), exchange_from), "
	    "impersonation = coalesce($13, impersonation), "
	    "delegation = coalesce($14, delegation), recording = coalesce($15, recording), "
	    "generation = generation + 1 WHERE client_id = $1", 15, values);

	if (n == 0)
		order_failed("there is no client %s", id);
	return n == 1 && feed_change(s, id) && store_commit(s);
}

int
client_change(const struct order *order)
{
	const char *id = NULL;
	struct argument arguments[CLIENT_WISH_OPTIONS + 1] = { { "ID", &id, true } };
	struct client_wish wish = { 0 };
	struct store s = { 0 };

	wish_arguments(&wish, arguments + 1);
	if (!order_read(order, arguments, CLIENT_WISH_OPTIONS + 1))
		return CLI_USAGE;
	int status = wish_check(&wish, order);
	if (status == CLI_DONE && !(store_open_service(&s, order) && update(&s, id, &wish)))
		status = CLI_FAILED;
	if (status == CLI_DONE && s.json)
		printf("{\"changed\": true}\n");
	else if (status == CLI_DONE)
		printf("client %s is changed\n", id);
	wish_fini(&wish);
	store_close(&s);
	return status;
}

static bool
replace_secret(struct store *s, const char *id, const struct secret *secret)
{
	const char *values[] = { id, secret->salt, secret->hash };
	PGresult *client = !feed_begin(s) ? NULL : store_ask(s, "UPDATE clients SET "
	    "secret_salt = $2::bytea, secret_hash = $3::bytea, generation = generation + 1 "
	    "WHERE client_id = $1 RETURNING jwks IS NULL", 3, values);
	bool good = client != NULL && PQntuples(client) == 1 &&
	    PQgetvalue(client, 0, 0)[0] == 't';

	if (client != NULL && PQntuples(client) == 0)
		order_failed("there is no client %s", id);
	else if (client != NULL && !good)
		order_failed("client %s has keys and no secret (new keys: gatehouse client change "
		    "%s --jwks FILE)", id, id);
	PQclear(client);
	return good && feed_change(s, id) && store_commit(s);
}

int
client_rotate(const struct order *order)
{
	const char *id = NULL;
	const struct argument arguments[] = { { "ID", &id, true } };
	struct secret secret;
	struct store s;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	bool good = store_open_service(&s, order) && make_secret(&secret) &&
	    replace_secret(&s, id, &secret);
	if (good)
		show_secret(&s, id, secret.text, "a new secret, which alone is good from now on:");
	OPENSSL_cleanse(&secret, sizeof(secret));
	store_close(&s);
	return good ? CLI_DONE : CLI_FAILED;
}
