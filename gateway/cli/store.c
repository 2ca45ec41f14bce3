#include "gateway/cli/store.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/encode.h"
#include "gateway/db/direct.h"

#define TIMEOUT_S	60
#define WHY_SIZE	1024

#define UNIQUE_VIOLATION	"23505"

bool
store_open(struct store *s, const struct order *order)
{
	char why[WHY_SIZE];

	*s = (struct store){ .json = order->cli->json, .config = cli_load(order->cli, false) };
	if (s->config == NULL)
		return false;
	s->service = s->config->token_service;
	if (s->config->database == NULL) {
		order_failed("%s has no database section with a url", s->config->path);
		return false;
	}
	s->conn = direct_open(s->config->database, TIMEOUT_S, why, sizeof(why));
	if (s->conn != NULL && direct_schema(s->conn, why, sizeof(why)) == SCHEMA_CURRENT)
		return true;
	order_failed("%s", why);
	return false;
}

bool
store_open_service(struct store *s, const struct order *order)
{
	if (!store_open(s, order))
		return false;
	if (s->service == NULL)
		order_failed("%s has no token_service section", s->config->path);
	return s->service != NULL;
}

void
store_close(struct store *s)
{
	PQfinish(s->conn);
	config_free(&s->config);
	*s = (struct store){ 0 };
}

static bool
is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

PGresult *
store_ask(struct store *s, const char *sql, int n, const char *const *values)
{
	PGresult *result = PQexecParams(s->conn, sql, n, NULL, values, NULL, NULL, 0);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	char why[WHY_SIZE];

	s->taken[0] = '\0';
	if (is_good(result))
		return result;
	if (state != NULL && constraint != NULL && strcmp(state, UNIQUE_VIOLATION) == 0) {
		snprintf(s->taken, sizeof(s->taken), "%s", constraint);
	} else {
		direct_why(s->conn, result, why, sizeof(why));
		order_failed("the database says: %s", why);
	}
	PQclear(result);
	return NULL;
}

int
store_do(struct store *s, const char *sql, int n, const char *const *values)
{
	PGresult *result = store_ask(s, sql, n, values);
	int rows = result == NULL ? -1 : atoi(PQcmdTuples(result));

	PQclear(result);
	return rows;
}

bool
store_begin(struct store *s)
{
	return store_do(s, "BEGIN", 0, NULL) >= 0;
}

bool
store_commit(struct store *s)
{
	return store_do(s, "COMMIT", 0, NULL) >= 0;
}

void
store_hex(const uint8_t *bytes, size_t n, char *out)
{
	memcpy(out, "\\x", 2);
	hex_encode(bytes, n, out + 2);
	out[2 + 2 * n] = '\0';
}
