#include <stdio.h>
#include <string.h>

#include "gateway/base/encode.h"
#include "gateway/cli/feed.h"
#include "gateway/cli/order.h"
#include "gateway/cli/store.h"

/*
 * gatehouse consumer add|list|show|remove. A consumer is who is held to limits and named to
 * backends; clients are how it gets tokens.
 */

#define NAME_MAX_BYTES	255

/* A name goes into a header line as it is: text without control characters and outer spaces. */
static bool
is_name(const char *text)
{
	struct span s = span_of(text);

	return s.n > 0 && s.n <= NAME_MAX_BYTES && utf8_valid(s) && !span_has_control(s) &&
	    memchr(s.p, '\t', s.n) == NULL && span_eq(span_trim(s), s);
}

/* Adds it and tells all gateways, some of which may remember that there is none such. */
static PGresult *
add_row(struct store *s, const char *name, const char *custom_id)
{
	const char *values[] = { name, custom_id };
	PGresult *result = NULL;

	if (feed_begin(s))
		result = store_ask(s, "INSERT INTO consumers (name, custom_id) VALUES ($1, $2) "
		    "RETURNING id, name, custom_id", 2, values);
	if (result != NULL && feed_change(s, name) && store_commit(s))
		return result;
	PQclear(result);
	return NULL;
}

static int
add(const struct order *order)
{
	const char *name = NULL, *custom_id = NULL;
	const struct argument arguments[] = { { "NAME", &name, true },
		{ "--custom-id", &custom_id, false } };
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, arguments, 2))
		return CLI_USAGE;
	if (!is_name(name) || (custom_id != NULL && !is_name(custom_id)))
		return order_wrong(order, "\"%s\" is not accepted (accepted: up to %d bytes of "
		    "text without control characters and outer spaces)",
		    is_name(name) ? custom_id : name, NAME_MAX_BYTES);
	if (store_open(&s, order))
		result = add_row(&s, name, custom_id);
	if (result != NULL && s.json)
		store_show_row(&s, result);
	else if (result != NULL)
		printf("consumer %s is there\n", name);
	else if (strstr(s.taken, "custom_id") != NULL)
		order_failed("another consumer has the custom id %s", custom_id);
	else if (s.taken[0] != '\0')
		order_failed("there is a consumer %s already", name);
	int status = result != NULL ? CLI_DONE : CLI_FAILED;
	PQclear(result);
	store_close(&s);
	return status;
}

#define COLUMNS	"c.name, c.custom_id, count(l.id) AS clients, " \
	STORE_TIME("c.created_at") " AS created_at"
#define TABLES	" FROM consumers c LEFT JOIN clients l ON l.consumer = c.id "

static int
list(const struct order *order)
{
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, NULL, 0))
		return CLI_USAGE;
	if (store_open(&s, order))
		result = store_ask(&s, "SELECT " COLUMNS TABLES "GROUP BY c.id ORDER BY c.name",
		    0, NULL);
	if (result != NULL)
		store_show_list(&s, result, "there are no consumers");
	int status = result != NULL ? CLI_DONE : CLI_FAILED;
	PQclear(result);
	store_close(&s);
	return status;
}

static int
unknown(const char *name)
{
	return order_failed("there is no consumer %s", name);
}

static int
show(const struct order *order)
{
	const char *name = NULL;
	const struct argument arguments[] = { { "NAME", &name, true } };
	int status = CLI_FAILED;
	struct store s;
	PGresult *result = NULL;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	if (store_open(&s, order))
		result = store_ask(&s, "SELECT c.id, c.name, c.custom_id, coalesce(json_agg("
		    "l.client_id ORDER BY l.client_id) FILTER (WHERE l.id IS NOT NULL), '[]') "
		    "AS clients, " STORE_TIME("c.created_at") " AS created_at" TABLES
		    "WHERE c.name = $1 GROUP BY c.id", 1, &name);
	if (result != NULL && PQntuples(result) == 0) {
		unknown(name);
	} else if (result != NULL) {
		store_show_row(&s, result);
		status = CLI_DONE;
	}
	PQclear(result);
	store_close(&s);
	return status;
}

/* Revokes what all of these clients have. False after a complaint. */
static bool
end_clients(struct store *s, const PGresult *clients)
{
	int n = PQntuples(clients);
	bool good = n == 0 || s->service != NULL;

	if (!good)
		order_failed("the consumer has clients, and %s has no token_service section",
		    s->config->path);
	for (int i = 0; good && i < n; i++)
		good = feed_end_client(s, PQgetvalue(clients, i, 0), PQgetvalue(clients, i, 1));
	return good;
}

/* Revokes what the consumer's clients have, then removes it with them; -1 after a complaint. */
static int
remove_all(struct store *s, const char *name)
{
	if (!feed_begin(s))
		return -1;
	PGresult *clients = store_ask(s, "SELECT l.id, l.client_id" TABLES "WHERE c.name = $1 "
	    "AND l.id IS NOT NULL FOR UPDATE OF c", 1, &name);
	int n = clients == NULL ? -1 : PQntuples(clients);
	bool good = n >= 0 && end_clients(s, clients);

	PQclear(clients);
	int removed = good ? store_do(s, "DELETE FROM consumers WHERE name = $1", 1, &name) : -1;
	if (removed == 0)
		unknown(name);
	return removed == 1 && feed_change(s, name) && store_commit(s) ? n : -1;
}

static int
take_away(const struct order *order)
{
	const char *name = NULL;
	const struct argument arguments[] = { { "NAME", &name, true } };
	struct store s;
	int n = -1;

	if (!order_read(order, arguments, 1))
		return CLI_USAGE;
	if (store_open(&s, order))
		n = remove_all(&s, name);
	if (n >= 0 && s.json)
		printf("{\"removed\": true, \"clients\": %d}\n", n);
	else if (n >= 0)
		printf("consumer %s is removed, with %d client%s, and their tokens are revoked\n",
		    name, n, n == 1 ? "" : "s");
	store_close(&s);
	return n >= 0 ? CLI_DONE : CLI_FAILED;
}

int
cli_consumer(const struct cli *cli)
{
	static const struct verb verbs[] = {
		{ "add", "NAME [--custom-id ID]", "Adds a consumer.", add },
		{ "list", "", "Lists all consumers.", list },
		{ "show", "NAME", "Shows one, with its clients.", show },
		{ "remove", "NAME", "Removes it, its clients, and revokes their tokens.",
		    take_away },
	};

	return order_run(cli, "consumer", verbs, sizeof(verbs) / sizeof(verbs[0]));
}
