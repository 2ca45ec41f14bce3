/*
 * The store as commands see it: one blocking connection, statements with parameters, and results
 * shown as tables for people or as JSON for programs.
 *
 * Whatever fails is told in one sentence on standard error. What is done between store_begin() and
 * store_commit() happens whole or not at all.
 */
#ifndef GATEWAY_CLI_STORE_H
#define GATEWAY_CLI_STORE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/order.h"

struct store {
	bool				 json;
	struct config			*config;
	/* of the configuration; NULL: it has none, and the command needs none */
	const struct config_token_service *service;
	PGconn				*conn;
	/* the constraint that a row would have broken, after a store_ask() that failed for it */
	char				 taken[64];
};

/* A timestamptz as text, "2026-01-31T23:59:59Z". */
#define STORE_TIME(column) \
	"to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/*
 * Reads the configuration, connects, and checks the schema. False after a complaint; store_close()
 * is safe then too.
 */
bool store_open(struct store *s, const struct order *order);
/* The same; a configuration without token service is complained of too. */
bool store_open_service(struct store *s, const struct order *order);
/* Disconnects; what was not committed has not happened. */
void store_close(struct store *s);

/*
 * Runs one statement, its parameters as texts (NULL: null). The result is the caller's (PQclear).
 * NULL after a complaint, or, without one, if a row would be there twice: `taken` says which.
 */
PGresult *store_ask(struct store *s, const char *sql, int n, const char *const *values);
/* Runs one; the number of rows it changed or found, -1 after a complaint (or as above). */
int store_do(struct store *s, const char *sql, int n, const char *const *values);
bool store_begin(struct store *s);
bool store_commit(struct store *s);

/* Writes bytes as PostgreSQL reads a bytea: "\x", hexadecimal, NUL. */
#define STORE_HEX(n)	(2 * (n) + 3)
void store_hex(const uint8_t *bytes, size_t n, char *out);

/* Shows all rows: a table, or a JSON array of objects. `nothing` is said when there is none. */
void store_show_list(const struct store *s, const PGresult *result, const char *nothing);
/* Shows the first row: a line for each column, or a JSON object. */
void store_show_row(const struct store *s, const PGresult *result);

#endif
