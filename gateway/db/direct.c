#include "gateway/db/direct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/conf/config.h"
#include "gateway/db/migration.h"

#define WHY_SIZE	512
/* Parameters of libpq's, and one of ours. */
#define PARAMETERS_MAX	96

/* What the server says beside its answers ("relation exists, skipping") is nobody's business. */
static void
ignore_notice(void *argument, const char *text)
{
	(void)argument;
	(void)text;
}

void
direct_why(PGconn *conn, const PGresult *result, char *why, size_t size)
{
	const char *text = result == NULL ? NULL :
	    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	size_t n;

	if (text == NULL)
		text = PQerrorMessage(conn);
	snprintf(why, size, "%s", text);
	n = strlen(why);
	while (n > 0 && why[n - 1] == '\n')
		why[--n] = '\0';
	for (char *p = why; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
}

/* The configured parameters; a time for connecting that is among them comes after ours. */
static PGconn *
dial(const struct config_database *config)
{
	const char *keywords[PARAMETERS_MAX] = { "connect_timeout" };
	const char *values[PARAMETERS_MAX] = { "5" };

	for (size_t i = 0; config->keywords[i] != NULL && i + 2 < PARAMETERS_MAX; i++) {
		keywords[i + 1] = config->keywords[i];
		values[i + 1] = config->values[i];
	}
	return PQconnectdbParams(keywords, values, 0);
}

PGconn *
direct_open(const struct config_database *config, unsigned timeout_s, char *error,
    size_t error_size)
{
	char why[WHY_SIZE], set[64];
	PGconn *conn = dial(config);
	PGresult *result;

	if (PQstatus(conn) != CONNECTION_OK) {
		direct_why(conn, NULL, why, sizeof(why));
		snprintf(error, error_size, "the database can't be reached: %s",
		    conn == NULL ? "no memory" : why);
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeProcessor(conn, ignore_notice, NULL);
	snprintf(set, sizeof(set), "SET statement_timeout = %u", timeout_s * 1000);
	result = PQexec(conn, set);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		return conn;
	}
	direct_why(conn, result, why, sizeof(why));
	snprintf(error, error_size, "the database refuses to work: %s", why);
	PQclear(result);
	PQfinish(conn);
	return NULL;
}

/* The newest migration of a database; 0: none. False: it could not be read. */
static bool
read_version(PGconn *conn, unsigned *version, char *why, size_t size)
{
	PGresult *result = PQexec(conn, "SELECT to_regclass('schema_migrations') IS NOT NULL");
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;

	*version = 0;
	if (good && PQgetvalue(result, 0, 0)[0] == 't') {
		PQclear(result);
		result = PQexec(conn, "SELECT coalesce(max(version), 0) FROM schema_migrations");
		good = PQresultStatus(result) == PGRES_TUPLES_OK;
		if (good)
			*version = (unsigned)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
	}
	if (!good)
		direct_why(conn, result, why, size);
	PQclear(result);
	return good;
}

enum schema
direct_schema(PGconn *conn, char *error, size_t error_size)
{
	unsigned version, newest = migration_table[migration_n - 1].version;
	char why[WHY_SIZE];

	if (!read_version(conn, &version, why, sizeof(why))) {
		snprintf(error, error_size, "the schema of the database can't be read: %s", why);
		return SCHEMA_UNKNOWN;
	}
	if (version == newest)
		return SCHEMA_CURRENT;
	if (version < newest) {
		snprintf(error, error_size, "the database has schema %u, and this gatehouse needs "
		    "%u: run `gatehouse migrate`", version, newest);
		return SCHEMA_OLD;
	}
	snprintf(error, error_size, "the database has schema %u of a newer gatehouse, and this one "
	    "knows only %u", version, newest);
	return SCHEMA_NEW;
}
