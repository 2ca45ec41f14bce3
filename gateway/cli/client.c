#include "gateway/cli/client.h"

#include <stdio.h>

#include "gateway/cli/client_wish.h"
#include "gateway/cli/feed.h"
#include "gateway/cli/store.h"

/*
 * gatehouse client add|change|rotate|list|show|remove: this file has the verbs that only look, and
 * the one that takes away; client_make.c has the others.
 */

#define AUTHENTICATION \
	"CASE WHEN l.jwks IS NULL THEN 'secret' ELSE 'private_key_jwt' END AS authentication"
#define CREATED		STORE_TIME("l.created_at") " AS created_at"
#define TABLES		" FROM clients l JOIN consumers c ON c.id = l.consumer "

int
client_list(const struct order *order)
{
	const char *consumer = NULL;
	const struct argument arguments[] = { { "--consumer", &consumer, false } };
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	if (store_open(&s, order))
		result = store_ask(&s, "SELECT l.client_id, c.name AS consumer, "
		    "to_json(l.grants) AS grants, to_json(l.scopes) AS scopes, "
		    "to_json(l.exchange_from) AS exchange_from, l.format, "
		    AUTHENTICATION ", " CREATED TABLES
		    "WHERE $1::text IS NULL OR c.name = $1 ORDER BY l.client_id", 1, &consumer);
	if (result != NULL)
		store_show_list(&s, result, "there are no clients");
	int status = result != NULL ? CLI_DONE : CLI_FAILED;
	PQclear(result);
	store_close(&s);
	return status;
}

int
client_show(const struct order *order)
{
	const char *id = NULL;
	const struct argument arguments[] = { { "ID", &id, true } };
	int status = CLI_FAILED;
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	if (store_open(&s, order))
		result = store_ask(&s, "SELECT l.client_id, c.name AS consumer, "
		    AUTHENTICATION ", to_json(l.grants) AS grants, to_json(l.scopes) AS scopes, "
		    "to_json(l.audiences) AS audiences, l.format, l.lifetime, "
		    "l.rate_count || '/' || CASE l.rate_period_us WHEN 1000000 THEN 's' "
		    "WHEN 60000000 THEN 'm' WHEN 3600000000 THEN 'h' ELSE 'd' END AS token_rate, "
		    "l.introspection, l.revocation, to_json(l.exchange_from) AS exchange_from, "
		    "l.impersonation, l.delegation, l.recording, l.generation, " CREATED TABLES
		    "WHERE l.client_id = $1", 1, &id);
	if (result != NULL && PQntuples(result) == 0) {
		order_failed("there is no client %s", id);
	} else if (result != NULL) {
		store_show_row(&s, result);
		status = CLI_DONE;
	}
	PQclear(result);
	store_close(&s);
	return status;
}

/* True when it is done and committed. */
static bool
remove_one(struct store *s, const char *id)
{
	if (!feed_begin(s))
		return false;
	PGresult *client = store_ask(s, "SELECT id FROM clients WHERE client_id = $1 FOR UPDATE",
	    1, &id);
	bool good = client != NULL && PQntuples(client) == 1;

	if (client != NULL && !good)
		order_failed("there is no client %s", id);
	good = good && feed_end_client(s, PQgetvalue(client, 0, 0), id) &&
	    store_do(s, "DELETE FROM clients WHERE client_id = $1", 1, &id) == 1 &&
	    store_commit(s);
	PQclear(client);
	return good;
}

int
client_remove(const struct order *order)
{
	const char *id = NULL;
	const struct argument arguments[] = { { "ID", &id, true } };
	struct store s;
	bool good;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	good = store_open_service(&s, order) && remove_one(&s, id);
	if (good && s.json)
		printf("{\"removed\": true}\n");
	else if (good)
		printf("client %s is removed, and its tokens are revoked\n", id);
	store_close(&s);
	return good ? CLI_DONE : CLI_FAILED;
}

int
cli_client(const struct cli *cli)
{
	static const struct verb verbs[] = {
		{ "add", "--consumer NAME [--id ID] " CLIENT_WISH_USAGE,
		    "Adds a client of a consumer, and shows its secret, this once. With --jwks "
		    "it has no secret,\n      but proves itself with a key (private_key_jwt)."
		    "\n      " CLIENT_WISH_EXCHANGE, client_add },
		{ "change", "ID " CLIENT_WISH_USAGE,
		    "Changes what is given; tokens that it has stay as they are.", client_change },
		{ "rotate", "ID", "Gives it a new secret, shown this once; the old one is void.",
		    client_rotate },
		{ "list", "[--consumer NAME]", "Lists clients.", client_list },
		{ "show", "ID", "Shows one, without anything secret.", client_show },
		{ "remove", "ID", "Removes it, and revokes its tokens.", client_remove },
	};

	return order_run(cli, "client", verbs, sizeof(verbs) / sizeof(verbs[0]));
}
