/*
 * A plain connection to the database, for commands: it blocks. What serves requests goes through
 * db.h instead.
 */
#ifndef GATEWAY_DB_DIRECT_H
#define GATEWAY_DB_DIRECT_H

#include <libpq-fe.h>
#include <stddef.h>

struct config_database;

/* What schema a database has, compared with that of this binary. */
enum schema {
	SCHEMA_CURRENT,
	SCHEMA_OLD,		/* none yet, or an older one: `gatehouse migrate` is needed */
	SCHEMA_NEW,		/* of a newer gatehouse */
	SCHEMA_UNKNOWN,		/* it could not be read */
};

/*
 * Connects; statements that take longer than timeout_s are ended by the server (0: none are). NULL
 * with one sentence in `error` that says why not. Ends with PQfinish.
 */
PGconn *direct_open(const struct config_database *config, unsigned timeout_s, char *error,
    size_t error_size);
/* Compares schemas; a sentence in `error` if it is not SCHEMA_CURRENT. */
enum schema direct_schema(PGconn *conn, char *error, size_t error_size);
/* Writes what a connection or (not NULL) a result complains of, in one line. */
void direct_why(PGconn *conn, const PGresult *result, char *why, size_t size);

#endif
